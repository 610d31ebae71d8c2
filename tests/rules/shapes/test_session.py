from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway.config.models import RulesSettings, SiteFile, Zone
from gateway.config.rules import AlarmSettings, Close, Decision, Input, Outcome, Part, SessionRule, Verdict
from gateway.contract.events import Event
from rules.checking.check import faults
from rules.engine import Engine
from rules.language.grammar import ExpressionError
from rules.shapes import session
from rules.shapes.session import Session
from rules.shapes.session_fields import session_faults
from rules.state import State
from rules.tables.table import Tables
from tests.rules.play import EPC, OTHER, Play, site, tag_read, us
from tests.rules.tables.desk import Listed
from tests.rules.things.registries import NOTHING

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "rules" / "session.md"
LANES = {"lane-1": ["loop-1", "desk-1", "scale-1", "point-1"], "lane-2": ["loop-2", "desk-2", "scale-2", "point-2"]}
LOOP = Input(on="signal", when="e.name == 'loop' && e.value")
EXIT = Input(on="signal", when="e.name == 'exit'")
TRUCK = Part(on="read", key="read_point", of="epc", pick="most")
WEIGHT = Part(on="signal", when="e.name == 'weight'", of="value")
SEAL = Part(on="signal", when="e.name == 'seal'", of="value")
DECISION = Decision(
    emit="decided",
    settle_s=1,
    after_s=10,
    verdicts=[Verdict(verdict="trouble", when="e.missing_count > 0", reason="Missing")],
)
MIXED = RulesSettings(lateness_s=0)


def rule(**more: Any) -> SessionRule:
    given: dict[str, Any] = {
        "name": "gate",
        "emit": "done",
        "places": LANES,
        "open": LOOP,
        "collect": {"truck": TRUCK, "weight": WEIGHT},
        "require": ["truck", "weight"],
        "close": Close(quiet_s=20, within_s=60, on=EXIT),
    }
    return SessionRule(shape="session", **(given | more))


def play(*rules: SessionRule, settings: RulesSettings = MIXED) -> Play:
    return Play(site(*rules, settings=settings))


def loop(played: Play, at_s: float, lane: int = 1, *, value: bool = True) -> None:
    played.signal(at_s, "loop", value=value, device=f"loop-{lane}")


def weigh(played: Play, at_s: float, weight: float, lane: int = 1) -> None:
    played.signal(at_s, "weight", value=str(weight), unit="kg", device=f"scale-{lane}")


def leave(played: Play, at_s: float, lane: int = 1) -> None:
    played.signal(at_s, "exit", value=True, device=f"loop-{lane}")


def made(played: Play) -> list[Event]:
    return [event for event in played.events if event.rule == "gate"]


def told(played: Play, *names: str) -> list[tuple[object, ...]]:
    """Type and time of its events, and these fields."""
    return [
        (event.type, (event.at_us - us(0)) / 1e6, *(event.fields.get(name) for name in names)) for event in made(played)
    ]


def strays(played: Play) -> int:
    [shape] = played.engine._rulebook.ordered
    assert isinstance(shape, Session)
    return shape.strays


def example() -> SiteFile:
    text = PAGE.read_text().partition("```toml\n")[2].partition("```")[0]
    return SiteFile.model_validate(
        tomllib.loads(text) | {"site": {"name": "harbour"}, "rules": {"lateness_s": 0}}  # as the page counts
    )


def test_the_gate_of_the_page_decides_and_ends_as_the_page_says() -> None:
    file = example()
    assert faults(file) == []
    [gate] = file.rule
    assert isinstance(gate, SessionRule)
    orders = Listed(("truck", "released", "declared_kg"), {"CSQU3054383": ("T-1", False, 20_000.0)}, "v7")
    played = Play(file)
    played.engine = Engine(file, NOTHING, Tables({"orders": orders}))
    played.read(98.0, "reader-1-in")
    loop(played, 100.0)
    for at_s, number in ((101.0, "CSQU3054383"), (102.0, "CSQU3054384"), (103.0, "csqu 305438-3")):
        played.signal(at_s, "container", value=number, device="camera-1")
    loop(played, 104.0, value=False)
    loop(played, 104.5)
    weigh(played, 105.0, 24_120.0)
    played.until(120.0)
    played.signal(140.0, "exit", value=False, device="exit-1")
    decision, end = made(played)
    decided = {
        "opened_at_us": us(100.0), "missing": "", "missing_count": 0, "truck": EPC, "truck_at_us": us(98.0),
        "truck_count": 1, "truck_share": 1.0, "truck_rssi_dbm": -50.0, "container": "CSQU3054383",
        "container_at_us": us(103.0), "container_count": 2, "container_invalid": 1, "container_share": 1.0,
        "seal_count": 0, "weight_kg": 24_120.0, "weight_kg_at_us": us(105.0), "weight_kg_count": 1,
        "order_found": True, "order_version": "v7", "order_truck": "T-1", "order_released": False,
        "order_declared_kg": 20_000.0, "verdict": "hold",
        "reasons": "Not released by customs; Heavier than declared", "decided_at_us": us(107.0),
    }  # fmt: skip
    assert (decision.type, decision.at_us, decision.subject, decision.device) == (
        "gate-decision", us(107.0), "lane-1", "loop-1",
    )  # fmt: skip
    assert decision.fields == decided
    assert (end.type, end.at_us, end.subject) == ("gate-transaction", us(140.0), "lane-1")
    assert end.fields == decided | {"closed_by": "event", "duration_s": 40.0}
    assert (end.evidence.sequence_from, end.evidence.sequence_to, end.evidence.reads) == (1, played.sequence, 1)
    assert end.evidence.read_points == ("reader-1-in",)
    assert decision.id != end.id
    assert played.alarms == []


def test_the_page_names_every_field_that_is_told() -> None:
    page = PAGE.read_text()
    [gate] = example().rule
    assert isinstance(gate, SessionRule)
    assert session_faults(gate) == []
    for name in ("opened_at_us", "missing", "missing_count", "verdict", "reasons", "decided_at_us", "duration_s"):
        assert f"`{name}`" in page


def test_a_loop_that_toggles_does_not_split_a_truck() -> None:
    played = play(rule())
    for at_s in (1.0, 2.0, 3.0, 15.0, 30.0):
        loop(played, at_s)
        loop(played, at_s + 0.3, value=False)
    played.until(49.0)
    assert made(played) == []
    played.until(51.0)
    assert told(played, "closed_by", "duration_s") == [("done", 50.0, "quiet", 29.0)]


def test_it_ends_by_silence_by_its_limit_or_by_an_event() -> None:
    played = play(rule())
    loop(played, 1.0)
    weigh(played, 5.0, 10)
    played.until(30.0)
    for at_s in range(30, 90, 5):
        loop(played, at_s)
    played.until(91.0)
    loop(played, 92.0)
    leave(played, 93.5)
    leave(played, 94.0)
    played.until(200.0)
    # The opening at 90 s is of the instant in which the limit of the one before is reached, and belongs to it.
    assert told(played, "closed_by", "duration_s", "weight_count", "missing") == [
        ("done", 25.0, "quiet", 4.0, 1, "truck"),
        ("done", 90.0, "limit", 55.0, 0, "truck, weight"),
        ("done", 93.5, "event", 1.5, 0, "truck, weight"),
    ]


def test_silence_that_reaches_the_limit_is_silence() -> None:
    played = play(rule(close=Close(quiet_s=20, within_s=20)))
    loop(played, 1.0)
    played.until(30.0)
    assert told(played, "closed_by") == [("done", 21.0, "quiet")]


def test_an_item_that_opens_and_closes_divides_trucks_bumper_to_bumper() -> None:
    every = Input(on="read", key="read_point", when="e.read_point.startsWith('point')")
    played = play(rule(open=every, close=Close(quiet_s=20, on=every), require=["truck"]))
    for at_s, epc in ((1.0, EPC), (4.0, OTHER)):
        played.read(at_s, "point-1", epc)
        weigh(played, at_s + 1, at_s * 1000)
    played.until(40.0)
    assert told(played, "truck", "weight", "truck_count", "closed_by") == [
        ("done", 4.0, EPC, 1000.0, 1, "event"),
        ("done", 25.0, OTHER, 4000.0, 1, "quiet"),
    ]
    assert [event.evidence.reads for event in made(played)] == [2, 1]  # what ended it is of its evidence


def test_an_item_that_is_several_inputs_is_counted_once() -> None:
    parts = {"truck": TRUCK, "name": TRUCK, "last": Part(on="signal", when="e.name == 'exit'", of="value")}
    first = Input(on="read", key="read_point")
    played = play(rule(open=first, collect=parts, require=[]))
    played.read(1.0, "point-1", count=3)
    leave(played, 2.0)
    assert told(played, "truck_count", "name_count", "last", "closed_by") == [("done", 2.0, 1, 1, True, "event")]
    assert made(played)[0].evidence.reads == 3


def test_parts_before_the_opening_belong_to_it_as_long_as_the_rule_says() -> None:
    played = play(rule(before_s=3))
    for at_s, weight in ((1.0, 100), (2.0, 200), (3.0, 300)):
        weigh(played, at_s, weight)
    loop(played, 5.0)
    weigh(played, 5.5, 550)
    leave(played, 6.0)
    played.until(30.0)
    assert told(played, "weight", "weight_count") == [("done", 6.0, 550.0, 3)]
    assert strays(played) == 1
    assert played.engine.counters()["rule_states"] == 0


def test_the_order_within_one_instant_does_not_matter() -> None:
    played = play(rule(), settings=RulesSettings(lateness_s=0.5))
    weigh(played, 1.0, 100)
    loop(played, 1.0)
    played.read(1.0, "point-1", EPC)
    leave(played, 2.0)
    played.until(3.0)
    assert told(played, "missing") == [("done", 2.0, "")]


def test_parts_without_an_opening_are_let_go() -> None:
    played = play(rule())
    weigh(played, 1.0, 100)
    leave(played, 1.5)
    loop(played, 2.0)
    leave(played, 3.0)
    assert told(played, "weight_count") == [("done", 3.0, 0)]
    assert strays(played) == 1


def test_what_happened_before_the_last_end_is_of_neither_session() -> None:
    played = play(rule(before_s=10))
    loop(played, 1.0)
    leave(played, 5.0)
    played.read(6.0, "point-1", EPC, late_s=2.0)
    played.read(6.5, "point-1", OTHER)
    loop(played, 7.0)
    played.read(8.0, "point-1", EPC, late_s=4.0)
    leave(played, 9.0)
    assert [found[2:] for found in told(played, "truck", "truck_count")] == [(None, 0), (OTHER, 1)]
    assert strays(played) == 2


def test_an_end_that_happened_before_the_opening_does_not_end_it() -> None:
    gone = Input(on="read", key="read_point", when="e.read_point == 'point-1'")
    played = play(rule(close=Close(quiet_s=5, on=gone), collect={"weight": WEIGHT}, require=[]))
    loop(played, 10.0)
    played.read(11.0, "point-1", late_s=3.0)
    weigh(played, 12.0, 1)
    played.until(20.0)
    assert told(played, "closed_by", "weight_count") == [("done", 17.0, "quiet", 1)]


def test_an_opening_that_becomes_known_late_has_the_parts_that_came_meanwhile() -> None:
    arrived = Input(on="arrived", key="zone")
    file = site(
        rule(open=arrived, places={"lane-1": ["scale-1"]}, collect={"weight": WEIGHT}, require=[]),
        zones=[Zone(name="lane-1", read_points=["point-1"])],
        settings=RulesSettings(lateness_s=0.5),
    )
    played = Play(file)
    played.watch(0.0, "point-1")
    weigh(played, 0.9, 1)
    played.read(1.0, "point-1")
    weigh(played, 1.2, 2)
    played.read(1.6, "point-1")
    played.until(35.0)
    [end] = made(played)
    [arrival] = [event for event in played.events if event.type == "arrived"]
    assert end.fields["opened_at_us"] == arrival.at_us == us(1.0)
    assert (end.fields["weight"], end.fields["weight_count"], end.zone) == (2.0, 1, "lane-1")
    assert played.engine.counters()["rule_states"] == 0


def test_it_decides_once_when_all_that_is_required_has_settled() -> None:
    played = play(rule(decide=DECISION))
    loop(played, 1.0)
    weigh(played, 2.0, 100)
    played.read(4.0, "point-1")
    weigh(played, 4.5, 150)
    played.until(6.0)
    weigh(played, 7.0, 200)
    leave(played, 8.0)
    assert told(played, "verdict", "reasons", "weight", "decided_at_us", "closed_by") == [
        ("decided", 5.0, "open", "", 150.0, us(5.0), None),
        ("done", 8.0, "open", "", 200.0, us(5.0), "event"),
    ]


def test_it_decides_in_time_whatever_is_missing() -> None:
    played = play(rule(decide=DECISION))
    loop(played, 1.0)
    played.until(30.0)
    assert told(played, "verdict", "reasons", "missing") == [
        ("decided", 11.0, "trouble", "Missing", "truck, weight"),
        ("done", 21.0, "trouble", "Missing", "truck, weight"),
    ]


def test_a_session_that_ends_first_decides_at_its_end() -> None:
    played = play(rule(decide=DECISION))
    loop(played, 1.0)
    leave(played, 2.0)
    assert told(played, "verdict", "closed_by") == [
        ("decided", 2.0, "trouble", "event"),
        ("done", 2.0, "trouble", "event"),
    ]


def test_a_rule_that_requires_nothing_decides_when_it_has_settled() -> None:
    played = play(rule(decide=DECISION, require=[]))
    loop(played, 1.0)
    played.until(3.0)
    assert told(played, "verdict") == [("decided", 2.0, "open")]


def test_an_incomplete_one_makes_what_otherwise_says_until_one_is_complete() -> None:
    alarm = AlarmSettings(message="Unknown truck")
    played = play(rule(otherwise=Outcome(emit="incomplete", alarm=alarm)))
    for at_s, weight in ((1.0, None), (5.0, None), (10.0, 100), (15.0, None)):
        loop(played, at_s)
        if weight is not None:
            weigh(played, at_s + 1, weight)
            played.read(at_s + 1, "point-1")
        leave(played, at_s + 2)
    assert told(played) == [("incomplete", 3.0), ("incomplete", 7.0), ("done", 12.0), ("incomplete", 17.0)]
    assert [(each.state, each.since_us, each.message) for each in played.alarms] == [
        ("raised", us(3.0), "Unknown truck"),
        ("cleared", us(3.0), "Unknown truck: the next one was complete"),
        ("raised", us(17.0), "Unknown truck"),
    ]
    assert played.alarms[0].fields["missing"] == "truck, weight"


def test_an_alarm_of_complete_ones_ends_with_an_incomplete_one() -> None:
    played = play(rule(emit=None, alarm=AlarmSettings(), require=["weight"], otherwise=Outcome()))
    for at_s, weight in ((1.0, 100), (5.0, 100), (10.0, None)):
        loop(played, at_s)
        if weight is not None:
            weigh(played, at_s + 1, weight)
        leave(played, at_s + 2)
    assert [each.state for each in played.alarms] == ["raised", "cleared"]
    assert played.alarms[1].message == "gate: the next one was incomplete"
    assert made(played) == []


def test_without_otherwise_an_incomplete_one_makes_the_same() -> None:
    played = play(rule(emit=None, alarm=AlarmSettings()))
    loop(played, 1.0)
    leave(played, 2.0)
    assert [each.state for each in played.alarms] == ["raised"]
    assert played.alarms[0].fields["missing_count"] == 2


def test_in_a_backlog_decisions_are_historical_and_alarms_wait_for_the_present() -> None:
    alarm = AlarmSettings(message="Unknown truck")
    played = play(rule(decide=DECISION, otherwise=Outcome(emit="incomplete", alarm=alarm)))
    played.historical = True
    loop(played, 1.0)
    leave(played, 2.0)
    loop(played, 3.0)
    played.until(20.0)
    assert [(event.type, event.historical) for event in made(played)] == [
        ("decided", True), ("incomplete", True), ("decided", True),
    ]  # fmt: skip
    assert played.alarms == []
    played.historical = False
    played.until(21.0)
    assert [(each.state, each.since_us) for each in played.alarms] == [("raised", us(2.0))]
    weigh(played, 21.5, 1)
    leave(played, 22.0)
    assert made(played)[-1].historical is False


def test_keys_and_what_is_kept_for_them_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MOST_RECENT", 2)
    played = play(rule(before_s=60, most_keys=1))
    for at_s in (1.0, 2.0, 3.0):
        weigh(played, at_s, at_s)
    weigh(played, 3.5, 1, lane=2)
    loop(played, 3.6, lane=2)
    assert played.engine.counters()["keys_refused"] == 2
    loop(played, 4.0)
    leave(played, 5.0)
    assert told(played, "weight_count") == [("done", 5.0, 2)]
    assert strays(played) == 1


def test_items_of_other_places_do_not_concern_it() -> None:
    played = play(rule())
    played.signal(1.0, "loop", value=True, device="loop-9")
    assert played.engine.counters()["rule_states"] == 0
    assert played.engine.counters()["keys_refused"] == 0


def test_lanes_do_not_disturb_each_other() -> None:
    played = play(rule())
    loop(played, 1.0)
    loop(played, 2.0, lane=2)
    weigh(played, 3.0, 300, lane=2)
    weigh(played, 4.0, 400)
    leave(played, 5.0, lane=2)
    leave(played, 6.0)
    assert [(event.subject, event.fields["weight"]) for event in made(played)] == [("lane-2", 300.0), ("lane-1", 400.0)]


def test_several_gateways_join_and_time_is_that_of_the_last_that_spoke() -> None:
    file = site(rule(require=["weight"]), settings=MIXED)
    one, other = Play(file), Play(file, gateway="edge-2")
    other.engine = one.engine
    loop(one, 1.0)
    other.tick(1.0)
    weigh(other, 2.0, 200)
    one.until(50.0)
    assert made(one) == []
    other.until(21.9)
    assert made(other) == []
    other.until(22.1)
    assert told(other, "weight", "closed_by") == [("done", 22.0, 200.0, "quiet")]
    [event] = made(other)
    assert event.evidence.gateway == "edge-2"


def test_parts_kept_for_an_opening_move_to_the_gateway_that_speaks_of_it() -> None:
    file = site(rule(before_s=5, require=["weight"]), settings=MIXED)
    one, other = Play(file), Play(file, gateway="edge-2")
    other.engine = one.engine
    weigh(one, 1.0, 100)
    other.tick(1.0)
    loop(other, 2.0)
    leave(other, 3.0)
    one.until(30.0)
    other.until(30.0)
    assert told(other, "weight") == [("done", 3.0, 100.0)]
    assert one.engine.counters()["rule_states"] == 0


def test_times_move_with_a_clock_that_is_set_back() -> None:
    played = play(rule(decide=DECISION, before_s=30))
    other = Play(played.file, gateway="edge-2")
    other.engine = played.engine
    weigh(played, 990.0, 100)
    loop(played, 1000.0)
    weigh(played, 1000.5, 200)
    loop(other, 1001.0, lane=2)
    leave(other, 1002.0, lane=2)
    loop(other, 1002.0, lane=2)
    weigh(other, 1003.0, 300, lane=2)
    played.epoch += 1
    played.sequence = 0
    played.tick(503.0)
    assert played.engine.counters()["clocks_set_back"] == 1
    by_us = us(1000.5) - us(503.0)
    played.events.clear()
    played.read(504.0, "point-1")
    played.until(560.0)
    assert [found[:2] for found in told(played)] == [("decided", 505.0), ("done", 524.0)]
    [_, end] = made(played)
    assert end.fields["opened_at_us"] == us(1000.0) - by_us
    assert (end.fields["weight_at_us"], end.fields["weight_count"]) == (us(1000.5) - by_us, 2)
    other.until(1030.0)
    assert told(other, "weight_at_us")[-1] == ("done", 1023.0, us(1003.0))


def test_parts_that_wait_for_their_opening_move_with_the_clock() -> None:
    played = play(rule(before_s=3, require=["weight"]))
    loop(played, 998.0)
    leave(played, 999.0)
    weigh(played, 1000.0, 100)
    weigh(played, 1001.0, 200)
    played.epoch += 1
    played.sequence = 0
    played.tick(501.0)
    loop(played, 503.5)
    leave(played, 504.0)
    played.until(510.0)
    assert told(played, "weight_count", "weight_at_us")[-1] == ("done", 504.0, 1, us(501.0))
    assert played.engine.counters()["rule_states"] == 0


def test_an_item_that_is_two_parts_waits_as_one() -> None:
    played = play(rule(collect={"truck": TRUCK, "also": TRUCK}, before_s=5, require=[]))
    played.read(1.0, "point-1", count=4)
    loop(played, 2.0)
    leave(played, 3.0)
    assert told(played, "truck_count", "also_count") == [("done", 3.0, 1, 1)]
    assert made(played)[0].evidence.reads == 4


def test_a_key_of_a_gateway_that_is_gone_has_no_timer() -> None:
    played = play(rule())
    loop(played, 1.0)
    entries = [(key, value) for key, value in played.engine.changes() if value is not None and key.startswith("rule/")]
    engine = Engine(played.file, NOTHING)
    engine.restore(entries)
    played.engine = engine
    played.gateway = "edge-2"
    played.until(40.0)
    assert made(played) == []
    leave(played, 41.0)
    assert told(played, "closed_by") == [("done", 41.0, "event")]


def test_reads_ahead_of_the_clock_do_not_keep_it_open() -> None:
    played = play(rule())
    loop(played, 1.0)
    played.reads(2.0, tag_read(5000.0, "point-1"))
    played.until(30.0)
    assert told(played, "closed_by", "truck_at_us") == [("done", 22.0, "quiet", us(2.0))]


def test_a_condition_that_cannot_be_used_is_refused() -> None:
    wrong = Decision(emit="decided", verdicts=[Verdict(verdict="x", when="e.wieght > 1.0", reason="x")])
    with pytest.raises(ExpressionError, match=r"did you mean e\.weight"):
        Session(rule(decide=wrong), 0, State())


def test_seals_that_change_are_told_as_they_were_last() -> None:
    played = play(rule(collect={"seal": SEAL}, require=["seal"]))
    loop(played, 1.0)
    for at_s, value in ((2.0, "sealed"), (3.0, "open")):
        played.signal(at_s, "seal", value=value, device="desk-1")
    leave(played, 4.0)
    assert told(played, "seal", "seal_count") == [("done", 4.0, "open", 2)]
