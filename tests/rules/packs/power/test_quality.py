from __future__ import annotations

import pytest

from gateway.config.rules import HoldRule
from tests.rules.packs.power.rooms import rules


def hold(name: str, **settings: object) -> HoldRule:
    found = rules(**settings)[name]
    assert isinstance(found, HoldRule)
    return found


@pytest.mark.parametrize(
    ("name", "limit", "clear"),
    [
        ("voltage-high", "e.value > 235.4", "e.value < 231.55"),
        ("voltage-low", "e.value < 204.6 && e.value >= 132.0", "e.value > 208.45 || e.value < 132.0"),
        ("frequency-off", "(e.value > 50.2 || e.value < 49.8)", "e.value < 50.15 && e.value > 49.85"),
        ("voltage-unbalanced", "e.value > 2.0", "e.value < 1.8"),
        ("voltage-unbalanced-much", "e.value > 4.0", "e.value < 3.6"),
        ("voltage-distorted", "e.value > 5.0", "e.value < 4.5"),
        ("power-factor-low", "e.value < 0.9 && e.value > -0.9", "e.value >= 0.91 || e.value <= -0.91"),
    ],
)
def test_limits_are_those_of_the_standards(name: str, limit: str, clear: str) -> None:
    rule = hold(name)
    assert rule.when.endswith(limit)
    assert rule.clear == clear


def test_meters_of_different_voltages_have_rules_of_their_own() -> None:
    meters = [{"name": "a"}, {"name": "b"}, {"name": "c", "phases": 1}, {"name": "d", "nominal_v": 5773.5}]
    made = rules(meter=meters)
    assert {name for name in made if name.startswith("voltage-low")} == {
        "voltage-low-220v-3p",
        "voltage-low-220v-1p",
        "voltage-low-5773_5v-3p",
    }
    single = made["voltage-low-220v-1p"]
    assert isinstance(single, HoldRule)
    assert 'e.device == "c"' in single.when
    assert "e.value < 198.0" in single.when
    assert "phase-lost-220v-1p" not in made


def test_a_meter_with_one_phase_has_no_unbalance() -> None:
    made = rules(meter=[{"name": "a", "phases": 1}], quality={"current_unbalance_percent": 30})
    assert not [name for name in made if "unbalanced" in name]


def test_what_is_not_asked_for_is_not_judged() -> None:
    assert not [name for name in rules() if "current" in name or "overload" in name]
    made = rules(meter=[{"name": "a", "rated_current_a": 63}], quality={"current_unbalance_percent": 30})
    assert {"current-unbalanced", "a-overload"} <= made.keys()
