from __future__ import annotations

from dataclasses import replace

from simulator.scenario import build
from simulator.scenario_file import ChangePart, load
from simulator.world.power import Change, ThreePhaseLoad
from simulator.world.power_truth import change_of, expected

START_US = 1_767_225_600_000_000
LOAD = ThreePhaseLoad("mains", 3, START_US, 1_000_000.0, 80_000.0)


def test_a_change_needs_time_to_be_noticed() -> None:
    part = ChangePart(at_s=6, lost_phase="c")
    assert change_of(part, START_US, 18) == Change(START_US + 6_000_000, lost_phase=2)
    assert change_of(part, START_US, 17.9) is None
    assert change_of(None, START_US, 60) is None


def test_each_change_is_to_be_concluded_once() -> None:
    changes = {
        "1": replace(LOAD, change=Change(START_US, added_w=9.0)),
        "2": replace(LOAD, name="fan", change=Change(START_US, power_factor=0.5, lost_phase=0)),
        "3": LOAD,
    }
    found = [(each.type, dict(each.match)) for each in expected({"line": changes})]
    assert found == [
        ("demand-forecast", {"subject": "mains"}),
        ("shed-proposal", {"subject": "mains"}),
        ("phase-lost", {"subject": "fan", "phase": "a"}),
        ("power-factor-low", {"subject": "fan"}),
    ]
    assert all(each.at_us - each.within_us == START_US for each in expected({"line": changes}))


def test_the_switchboard_has_one_of_each() -> None:
    world = build(load("switchboard"), 7, START_US, 25)
    assert sorted(each.type for each in world.expected) == [
        "demand-forecast",
        "phase-lost",
        "power-factor-low",
        "shed-proposal",
    ]
    assert build(load("switchboard"), 7, START_US, 10).expected == []
