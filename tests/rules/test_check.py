from __future__ import annotations

import pytest

from gateway.config.models import AlarmSettings, HoldRule, MatchRule, Portal, Rule, Zone
from rules.check import faults
from rules.engine import Engine
from rules.vocabulary import BUILT_IN, RAW
from tests.rules.play import site
from tests.rules.things.registries import NOTHING


def match(name: str = "r", on: str = "read", when: str = "true", emit: str | None = None) -> MatchRule:
    return MatchRule(shape="match", name=name, on=on, when=when, emit=emit)


def hold(on: str = "reading", when: str = "e.value > 1", clear: str | None = None, key: str = "subject") -> HoldRule:
    return HoldRule(shape="hold", name="r", on=on, when=when, for_s=1, clear=clear, key=key)


def test_good_rules_have_no_faults_and_can_be_run() -> None:
    file = site(
        match("a", "arrived", "e.zone == 'yard' && e.kind != 'truck'", "here"),
        match("b", "here", "e.anything > 3"),
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
