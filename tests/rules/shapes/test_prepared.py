from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import msgspec
import pytest

from gateway.config.machines import Production, ShiftCalendar, ShiftSettings
from gateway.config.models import Site, SiteFile
from gateway.config.rules import (
    AlarmSettings,
    Decision,
    HoldRule,
    Input,
    LookUp,
    MatchRule,
    Part,
    RateRule,
    Rule,
    SessionRule,
    Verdict,
)
from gateway.contract.batches import Batch
from rules.engine import Engine
from rules.shapes.prepared import preparation_of
from rules.tables.table import Cell, Tables
from tests.rules.play import EPC, OTHER, Play, site, tag_read, us
from tests.rules.tables.desk import Listed
from tests.rules.things.registries import NOTHING

COLUMNS = ("released", "bay", "limit")
RELEASES: dict[str | int, tuple[Cell, ...]] = {EPC: (True, 3, None), "meter-1": (None, None, 100.0)}
LOOKUP = {"box": LookUp(table="releases", key="subject")}
DAY = [ShiftSettings(name="day", begin="06:00", end="14:00")]


def play(*rules: Rule, rows: dict[str | int, tuple[Cell, ...]] = RELEASES, version: str = "v1") -> tuple[Play, Listed]:
    table = Listed(COLUMNS, rows, version)
    played = Play(site(*rules))
    played.engine = Engine(played.file, NOTHING, Tables({"releases": table}))
    return played, table


def match(when: str, on: str = "read", **more: object) -> MatchRule:
    return MatchRule(**({"shape": "match", "name": "r", "on": on, "when": when, "lookup": LOOKUP} | more))


def test_a_match_asks_for_what_was_looked_up_and_its_event_tells_it() -> None:
    played, _ = play(match("e.box_found && e.box_released", emit="go"), match("!e.box_found", name="s", emit="stop"))
    played.reads(1.0, tag_read(0.9, "p"), tag_read(0.95, "p", OTHER))
    go, stop = sorted(played.events, key=lambda event: event.type)
    assert (go.type, go.subject, go.fields) == (
        "go",
        EPC,
        {"box_found": True, "box_version": "v1", "box_released": True, "box_bay": 3},
    )
    assert (stop.type, stop.subject, stop.fields) == ("stop", OTHER, {"box_found": False, "box_version": "v1"})


def test_fields_of_look_ups_never_choose_items() -> None:
    """Were `e.box_limit` an identity field, the third reading would not concern the rule, and its alarm would stay."""
    alarm = AlarmSettings()
    played, table = play(match("e.box_found && e.value > e.box_limit", on="reading", alarm=alarm))
    played.reading(1.0, "120", meter="meter-1")
    assert [(each.state, each.fields["box_limit"]) for each in played.alarms] == [("raised", 100.0)]
    played.engine.tables.put("releases", Listed(COLUMNS, {}, "v2"))
    assert not table.is_open
    played.reading(2.0, "120", meter="meter-1")
    assert [each.state for each in played.alarms] == ["raised", "cleared"]


def test_a_rule_without_an_alarm_that_compares_a_looked_up_text_finds_its_items() -> None:
    table = Listed(("company",), {EPC: ("Maier",)})
    played = Play(site(match("e.box_company == 'Maier' && e.read_point == 'p'", emit="go")))
    played.engine = Engine(played.file, NOTHING, Tables({"releases": table}))
    played.reads(1.0, tag_read(0.9, "p"), tag_read(0.95, "q"), tag_read(0.96, "p", OTHER))
    assert [event.read_point for event in played.events] == ["p"]
    assert table.asked == [EPC, OTHER]  # nothing was looked up for the read at q


def test_only_what_concerns_a_rule_is_looked_up() -> None:
    rule = match("e.device == 'reader-1' && e.antenna_port > 0 && e.box_released", alarm=AlarmSettings())
    played, table = play(rule)
    played.reads(1.0, tag_read(0.9, "p"), device="reader-2")
    assert table.asked == []
    played.reads(2.0, tag_read(1.9, "p"))
    assert table.asked == [EPC]
    assert [alarm.state for alarm in played.alarms] == ["raised"]
    played, table = play(match("e.antenna_port > 1 && e.box_released", alarm=AlarmSettings()))
    played.reads(1.0, tag_read(0.9, "p"))
    assert table.asked == []


def test_a_hold_keeps_what_was_looked_up_for_its_event() -> None:
    rule = HoldRule(shape="hold", name="r", on="reading", when="e.value > e.box_limit", for_s=5, lookup=LOOKUP)
    played, _ = play(rule)
    played.watched = ["meter-1", "meter-2"]
    played.tick(0.5)
    for meter in ("meter-1", "meter-2"):
        played.reading(1.0, "120", meter=meter)
    played.engine.tables.put("releases", Listed(COLUMNS, {}, "v2"))
    for at_s in range(2, 9):
        played.tick(float(at_s))
    [event] = played.events
    assert (event.device, event.at_us) == ("meter-1", us(6.0))
    assert event.fields["box_version"] == "v1"  # which the reading was judged by
    assert event.fields["box_limit"] == 100.0


def test_a_rule_on_the_event_of_a_rule_looks_up_anew() -> None:
    first = match("e.box_found", name="first", emit="seen")
    second = match("e.box_found", on="seen", name="second", emit="seen-again")
    played, _ = play(first, second)
    played.reads(1.0, tag_read(0.9, "p"))
    assert [(event.type, event.fields["box_bay"]) for event in played.events] == [("seen", 3), ("seen-again", 3)]


def rate(**more: object) -> RateRule:
    given = {"shape": "rate", "name": "r", "on": "read", "within_s": 10, "above": 1, "lookup": LOOKUP}
    return RateRule(**(given | more))


def test_an_ordered_rule_looks_up_when_the_turn_of_its_item_has_come() -> None:
    played, old = play(rate(when="e.box_released", above=0))
    played.reads(1.0, tag_read(0.9, "p"), tag_read(0.95, "p", OTHER))
    assert (old.asked, played.events) == ([], [])
    played.engine.tables.put("releases", Listed(COLUMNS, {OTHER: (True, 1, None)}, "v2"))
    played.tick(10.0)
    [event] = played.events
    assert (event.subject, event.fields["box_version"], event.fields["box_bay"]) == (OTHER, "v2", 1)


def test_the_key_of_an_ordered_rule_may_be_looked_up() -> None:
    rows: dict[str | int, tuple[Cell, ...]] = {EPC: (None, 3, None), OTHER: (None, 3, None)}
    played, _ = play(rate(key="box_bay"), rows=rows)
    played.reads(1.0, tag_read(0.9, "p"), tag_read(0.95, "p", OTHER), tag_read(0.96, "p", "3034" * 6))
    played.tick(10.0)
    assert [(event.subject, event.fields["count"]) for event in played.events] == [("3", 2)]


def test_what_an_ordered_rule_takes_may_be_summed_of_what_was_looked_up() -> None:
    rows: dict[str | int, tuple[Cell, ...]] = {EPC: (True, 3, 800.0), OTHER: (True, 4, 900.0)}
    rule = rate(key="read_point", function="sum", of="box_limit", above=1000)
    played, _ = play(rule, rows=rows)
    played.reads(1.0, tag_read(0.9, "p"), tag_read(0.95, "p", OTHER))
    played.tick(10.0)
    assert [event.fields["value"] for event in played.events] == [1700.0]


def with_calendar(*rules: Rule) -> SiteFile:
    calendar = ShiftCalendar(name="day", shift=DAY)
    return SiteFile(site=Site(name="harbour"), production=Production(calendar=[calendar], timezone="UTC"), rule=rules)


SIX_S = next(second for second in range(0, 86_400, 1) if us(second) // 1_000_000 % 86_400 == 6 * 3600)
"""When the shift begins, in the time of the play."""


def test_items_outside_the_planned_time_do_not_concern_a_rule() -> None:
    rule = MatchRule(
        shape="match", name="r", on="signal", when="e.name == 'door' && e.value", during="day", alarm=AlarmSettings(),
        emit="opened",
    )  # fmt: skip
    played = Play(with_calendar(rule))
    end_s = SIX_S + 8 * 3600
    for at_s, value in ((SIX_S - 1, True), (SIX_S, True), (end_s, False), (end_s + 1, True)):
        played.signal(at_s, "door", value=value)
    assert [event.at_us for event in played.events] == [us(SIX_S)]
    assert [alarm.state for alarm in played.alarms] == ["raised"]  # what came after the shift clears nothing
    played.signal(SIX_S + 24 * 3600, "door", value=False)
    assert [alarm.state for alarm in played.alarms] == ["raised", "cleared"]


def test_items_outside_the_planned_time_break_no_hold() -> None:
    rule = HoldRule(
        shape="hold", name="r", on="signal", when="e.name == 'door' && e.value", for_s=120, during="day"
    )  # fmt: skip
    played = Play(with_calendar(rule))
    end_s = SIX_S + 8 * 3600
    played.tick(end_s - 62)
    for second in range(0, 180, 1):
        played.tick(end_s - 61 + second)
        if second == 1:
            played.signal(end_s - 60, "door", value=True)
        if second == 70:
            played.signal(end_s + 9, "door", value=False)
    assert [event.at_us for event in played.events] == [us(end_s + 60)]


def test_an_ordered_rule_does_not_take_what_is_outside_the_planned_time() -> None:
    rule = RateRule(shape="rate", name="r", on="read", within_s=60, above=1, during="day")
    played = Play(with_calendar(rule))
    for at_s in (SIX_S - 2, SIX_S - 1, SIX_S, SIX_S + 1):
        played.reads(at_s + 0.1, tag_read(at_s, "p"))
    played.tick(SIX_S + 30)
    made = [event for event in played.events if event.rule == "r"]
    assert [(event.at_us, event.fields["count"]) for event in made] == [(us(SIX_S + 1), 2)]


def traffic(seed: int) -> Iterable[tuple[Batch, str]]:
    """Batches, each with the version of the table that it is judged by."""
    rng = random.Random(seed)
    played = Play(site())
    version = 0
    at_s = SIX_S - 30.0
    for _ in range(200):
        at_s += rng.choice((0.1, 0.5, 1.0))
        if rng.random() < 0.05:
            version += 1
        before = len(played.batches)
        what = rng.random()
        if what < 0.5:
            reads = [tag_read(at_s - rng.random(), "p", rng.choice((EPC, OTHER))) for _ in range(rng.randint(1, 4))]
            played.reads(at_s, *reads)
        elif what < 0.8:
            played.reading(at_s, str(rng.choice((50, 90, 120))), meter=rng.choice(("meter-1", "meter-2")))
        else:
            played.watched = ["meter-1", "meter-2", "p"]
            played.tick(at_s)
        yield played.batches[before], str(version)


def table_of(version: str) -> Listed:
    rng = random.Random(version)
    keys = (EPC, OTHER, "meter-1", "meter-2")
    rows: dict[str | int, tuple[Cell, ...]] = {
        key: (rng.choice((True, False, None)), rng.randint(1, 3), rng.choice((60.0, 100.0, None)))
        for key in keys
        if rng.random() < 0.7
    }
    return Listed(COLUMNS, rows, version)


def judged(file: SiteFile, seed: int, restart: Callable[[], bool]) -> list[bytes]:
    tables = Tables({"releases": table_of("0")})
    engine, stored, found = Engine(file, NOTHING, tables), dict[str, bytes](), []
    for batch, version in traffic(seed):
        current = tables.get("releases")
        if current is None or current.version != version:
            tables.put("releases", table_of(version))
        outputs = engine.step(batch)
        found.append(msgspec.json.encode([outputs.events, outputs.alarms, outputs.points]))
        for key, value in engine.changes():
            if value is None:
                stored.pop(key, None)
            else:
                stored[key] = value
        if restart():
            engine = Engine(file, NOTHING, tables)
            engine.restore(list(stored.items()))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_restart_at_any_point_changes_nothing_while_tables_are_replaced(seed: int) -> None:
    alarm = AlarmSettings()
    file = with_calendar(
        match("e.box_released", name="m", alarm=alarm, emit="m-event"),
        match("e.value > e.box_limit", name="n", on="reading", alarm=alarm, during="day"),
        HoldRule(
            shape="hold", name="h", on="reading", when="e.value > e.box_limit", for_s=2, lookup=LOOKUP, emit="held",
            alarm=alarm,
        ),
        rate(name="s", key="box_bay", within_s=5, during="day"),
    )  # fmt: skip
    rng = random.Random(seed)
    once = judged(file, seed, lambda: False)
    assert once == judged(file, seed, lambda: rng.random() < 0.3)
    assert sum(b"box_version" in each for each in once) > 10


def test_a_session_looks_up_what_it_has_collected() -> None:
    verdict = Verdict(verdict="hold", when="!e.box_released", reason="not released")
    rule = SessionRule(
        shape="session", name="gate", key="device", open=Input(on="signal", when="e.name == 'loop'"),
        collect={"tag": Part(on="read", of="epc")}, require=["tag"],
        decide=Decision(emit="decided", verdicts=[verdict]),
        lookup={"box": LookUp(table="releases", key="tag")}, during="day",
    )  # fmt: skip
    file = with_calendar(rule)
    for epc, told in ((EPC, ("open", True)), (OTHER, ("hold", False))):
        played = Play(file)
        table = Listed(COLUMNS, RELEASES)
        played.engine = Engine(file, NOTHING, Tables({"releases": table}))
        for at_s in (SIX_S - 100, SIX_S + 100):  # the first comes before the shift
            played.signal(at_s, "loop", value=True)
            played.reads(at_s + 1, tag_read(at_s + 0.9, "p", epc))
            played.tick(at_s + 60)
        [decided] = [event for event in played.events if event.type == "decided"]
        assert (decided.fields["verdict"], decided.fields["box_found"]) == told
        assert decided.fields["box_version"] == "v1"
        assert set(table.asked) == {epc}


def test_a_rule_that_looks_nothing_up_at_any_hour_takes_its_items_as_they_are() -> None:
    plain = MatchRule(shape="match", name="r", on="read")
    assert preparation_of(plain, Tables(), {}) is None
