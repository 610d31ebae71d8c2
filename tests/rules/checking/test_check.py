from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config.models import Portal, Zone
from gateway.config.rules import (
    AlarmSettings,
    HoldRule,
    Input,
    LookUpTable,
    MatchRule,
    PairRule,
    RateRule,
    Rule,
    Window,
)
from rules.checking.check import faults, warnings
from rules.engine import Engine
from rules.language.vocabulary import BUILT_IN, RAW
from tests.rules.checking.test_emitted import rule
from tests.rules.play import site
from tests.rules.things.registries import NOTHING


def match(name: str = "r", on: str = "read", when: str = "true", emit: str | None = None) -> MatchRule:
    return MatchRule(shape="match", name=name, on=on, when=when, emit=emit)


def hold(on: str = "reading", when: str = "e.value > 1", clear: str | None = None, key: str = "subject") -> HoldRule:
    return HoldRule(shape="hold", name="r", on=on, when=when, for_s=1, clear=clear, key=key)


def test_good_rules_have_no_faults_and_can_be_run() -> None:
    file = site(
        match("a", "arrived", "e.zone == 'yard' && e.kind != 'truck'", "here"),
        match("b", "here", "e.reads > 3"),
        MatchRule(
            shape="match", name="c", on="status", when="e.state in ['offline', 'degraded']", alarm=AlarmSettings()
        ),
        hold("reading", "e.quantity == 'voltage' && e.value < 207.0", "e.value > 210.0"),
        zones=[Zone(name="yard", read_points=["p"], rssi_floor_dbm=-60)],
        portals=[Portal(name="lane", outer=["q"], inner=["s"])],
    )
    assert faults(file) == []
    Engine(file, NOTHING)


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        (
            match(when="e.rssi > -60"),
            "when = 'e.rssi > -60': e.rssi is no field here; did you mean e.rssi_dbm? (column 3)",
        ),
        (match(on="arrives"), "on = 'arrives': nothing of this type exists; did you mean 'arrived'?"),
        (
            match(on="qqq"),
            (
                "on = 'qqq': nothing of this type exists; "
                f"allowed are {', '.join((*RAW, *BUILT_IN))}, or what a rule makes"
            ),
        ),
        (
            match(on="card", when="e.result == 'stranger'"),
            (
                "when = \"e.result == 'stranger'\": e.result is never 'stranger'; "
                "allowed are known, unknown, ambiguous (column 13)"
            ),
        ),
        (
            match(on="card_presented", when="e.resultt == 'known'"),
            "when = \"e.resultt == 'known'\": e.resultt is no field here; did you mean e.result? (column 3)",
        ),
        (
            match(emit="card_presented"),
            "emit = 'card_presented': events of this type are not made by rules; choose another name",
        ),
        (match(when="1 > 2"), "when = '1 > 2': can never be true; delete the rule or ask for a field, e.field"),
        (
            match(on="passage", when="e.direction == 'inn'"),
            "when = \"e.direction == 'inn'\": e.direction is never 'inn'; allowed are in, out (column 16)",
        ),
        (match(emit="passage"), "emit = 'passage': events of this type are not made by rules; choose another name"),
        (hold(clear="e.value >"), "clear = 'e.value >': a value is missing, found the end (column 10)"),
        (
            hold(key="qqq"),
            (
                "key = 'qqq': reading has no such field; known are device, gateway, meter_time_us, obis, phase, "
                "quality, quantity, received_at_us, subject, tariff, unit, value"
            ),
        ),
        (hold(key="subjct"), "key = 'subjct': reading has no such field; did you mean 'subject'?"),
        (hold(when="true"), "when = 'true': it never ends; say when it ends with clear, or use the shape match"),
        (match(on="r"), "on = 'r': runs in a circle: r -> r"),
    ],
)
def test_each_fault_is_one_line_that_says_what_to_do(rule: Rule, fault: str) -> None:
    assert faults(site(rule)) == [f"site.toml: rule[r].{fault}"]


def test_circles_over_several_rules_are_found() -> None:
    file = site(match("a", "c"), match("b", "a"), match("c", "b"), match("d", "c"))
    [fault] = faults(file)
    assert "runs in a circle: " in fault
    assert set(fault.partition("circle: ")[2].split(" -> ")) == {"a", "b", "c"}


def test_long_conditions_are_cut_and_all_faults_are_told() -> None:
    found = faults(site(match("a", when="e.qqq == " + "1" * 200), match("b", when="=")))
    assert len(found) == 2
    assert len(found[0]) < 500
    assert " ...': " in found[0]


def test_a_read_point_of_two_places_needs_one_floor() -> None:
    file = site(
        zones=[Zone(name="yard", read_points=["p"], rssi_floor_dbm=-60)],
        portals=[Portal(name="lane", outer=["p"], inner=["q"])],
    )
    [fault] = faults(file)
    assert fault.startswith("site.toml: portal[lane].rssi_floor_dbm = None: read point 'p' belongs to zone[yard] too, ")
    assert fault.endswith("where it is -60.0; give both the same")


def told(*rules: Rule) -> list[str]:
    return [line.removeprefix("site.toml: ") for line in faults(site(*rules))]


def test_keys_that_name_fields_are_checked() -> None:
    assert told(
        rule("rate", "a", on="reading", within_s=5, above=1, function="sum", of="unit"),
        rule("rate", "b", on="reading", within_s=5, above=1, function="distinct", of="unit"),
        rule("set", "c", on="arrived", duration_s=5, group="zoone"),
        rule("pair", "d", entry={"on": "arrived"}, exit={"on": "card"}, area="zone"),
        rule("rate", "e", on="read", within_s=5, above=1, figures=["value", "device", "nothing"]),
    ) == [
        "rule[a].of = 'unit': is a string of reading, and must be a number",
        "rule[c].group = 'zoone': arrived has no such field; did you mean 'zone'?",
        (
            "rule[d].area = 'zone': card has no such field; known are antenna_port, card, class, device, gateway, "
            "kind, name, part, read_point, registry, result, seen_at_us, subject, technology"
        ),
        "rule[e].figures = 'device': is a string of e, and must be a number",
        (
            "rule[e].figures = 'nothing': e has no such field; known are at_us, class, confidence, count, device, "
            "from_us, gateway, historical, kind, name, read_point, reads, rssi_max_dbm, rule, subject, to_us, type, "
            "value"
        ),
    ]


def session(name: str, collect: dict[str, object], verdicts: list[str]) -> Rule:
    decisions = [{"verdict": "hold", "when": when, "reason": "it"} for when in verdicts]
    return rule(
        "session", name, open={"on": "signal"}, collect=collect, decide={"emit": "decided", "verdicts": decisions}
    )


def test_sessions_are_checked_by_what_they_collect() -> None:
    made = rule("match", "seal", on="signal", when="e.name == 'seal'")
    assert told(
        made,
        session("a", {"seal": {"on": "seal", "of": "valu"}}, []),
        session("b", {"seal": {"on": "seal", "of": "unit", "pick": "max"}}, []),
        session("c", {"truck": {"on": "read"}}, ["e.truck == 7", "e.truck_count > 2 && e.truck_count < 1"]),
    ) == [
        "rule[a].collect.seal.of = 'valu': seal has no such field; did you mean 'value'?",
        "rule[b].collect.seal.of = 'unit': is a string, and max picks among numbers",
        (
            "rule[c].decide.verdicts[0].when = 'e.truck == 7': "
            "== compares a string with a number; it can never be true (column 9)"
        ),
        (
            "rule[c].decide.verdicts[1].when = 'e.truck_count > 2 && e.truck_count < 1': "
            "can never be true: no e.truck_count is above 2 and below 1"
        ),
    ]


def test_what_is_looked_up_can_be_asked_for() -> None:
    table = LookUpTable(
        name="booked", file=Path("b.csv"), key="container", columns={"container": "string", "slot": "time"}
    )
    lookup = {"truck": {"table": "booked", "key": "subject"}}
    rules = [
        rule("match", "a", on="read", when="e.truck_found && e.truck_slot > 0", lookup=lookup),
        rule("match", "b", on="a", when="e.truck_slot > 'x'"),
        rule("match", "c", on="read", when="e.truck_found", lookup={"truck": {"table": "boked", "key": "subject"}}),
    ]
    file = site(*rules).model_copy(update={"table": [table]})
    assert faults(file) == [
        (
            "site.toml: rule[b].when = \"e.truck_slot > 'x'\": > compares a number with a string; it can never be true "
            "(column 14)"
        ),
        "site.toml: rule[c].lookup.truck.table = 'boked': there is no such table; did you mean 'booked'?",
    ]


def test_warnings_are_those_of_the_names() -> None:
    assert warnings(site(match(on="passage"))) == [
        "rule[r].on = 'passage': there is no [[portal]], so that no tag ever passes"
    ]


def test_keys_of_inputs_are_checked() -> None:
    assert told(rule("pair", "a", entry={"on": "arrived", "key": "zoone"}, exit={"on": "gone"}, area="zone")) == [
        "rule[a].entry.key = 'zoone': arrived has no such field; did you mean 'zone'?",
        (
            "rule[a].exit.on = 'gone': nothing of this type exists; "
            f"allowed are {', '.join((*RAW, *BUILT_IN))}, or what a rule makes"
        ),
    ]


def test_a_rate_without_a_limit_raises_no_alarm() -> None:
    found = RateRule(shape="rate", name="r", on="read", window=Window.TUMBLING, within_s=60)
    assert faults(site(found)) == []
    loud = found.model_copy(update={"alarm": AlarmSettings()})
    assert faults(site(loud)) == [
        "site.toml: rule[r].alarm: would stand for ever, for nothing is too many or too few; set above or below"
    ]


def test_what_resets_a_pair_needs_no_key() -> None:
    pair = PairRule(
        shape="pair",
        name="inside",
        key="card",
        entry=Input(on="card", when="e.read_point == 'in'"),
        exit=Input(on="card", when="e.read_point == 'out'"),
        reset=Input(on="signal", when="e.name == 'fire'"),
    )
    assert faults(site(pair)) == []
