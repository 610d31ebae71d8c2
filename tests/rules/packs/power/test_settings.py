from __future__ import annotations

from typing import Any

import pytest

from rules.packs.power.settings import Quality
from tests.rules.packs.power.rooms import fault, rules

HEAD = "site.toml: pack[power].settings."
DEMAND = {"contract_kw": 100}


def test_the_shortest_room_is_a_meter() -> None:
    assert {"voltage-high", "phase-lost", "power-factor-low", "meter-silent", "mains-no-energy"} <= rules().keys()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"meter": []}, "meter = []: List should have at least 1 item"),
        ({"meter": [{"name": "m"}, {"name": "m"}]}, "'m' stands there 2 times; write each meter once"),
        ({"meter": [{"name": "m", "phases": 2}]}, "meter.0.phases = 2: Input should be 1 or 3"),
        ({"meter": [{"name": "m", "volts": 2}]}, "meter.0.volts = 2: Extra inputs are not permitted"),
        (
            {"meter": [{"name": "m", "demand": DEMAND | {"kind": "sliding", "ahead_s": 900}}]},
            "ahead_s: must be less than interval_s",
        ),
        (
            {"meter": [{"name": "m", "demand": DEMAND | {"shed": [{"name": "a", "kw": 1}, {"name": "a", "kw": 2}]}}]},
            "shed: 'a' stands there 2 times; write each load once",
        ),
        ({"meter": [{"name": "m", "demand": {"contract_kw": 0}}]}, "contract_kw = 0: Input should be greater than 0"),
        ({"quality": {"voltage_unbalance_short_percent": 2}}, "must be more than voltage_unbalance_percent"),
        ({"quality": {"phase_lost_percent": 90}}, "phase_lost_percent: must be less than 90"),
        (
            {"per_move": [{"name": "g", "meter": "x", "on": "passage"}]},
            "'x' is none of the meters here; they are",
        ),
        ({"per_move": [{"name": "g", "meter": "mains", "on": "passage"}] * 2}, "per_move: 'g' stands there 2 times"),
        ({"power_factor": {"least": 1}}, "power_factor.least = 1: Input should be less than 1"),
    ],
)
def test_every_fault_says_where_and_what(settings: dict[str, Any], said: str) -> None:
    found = fault(**settings)
    assert found.startswith(HEAD)
    assert said in found


def test_how_low_a_voltage_may_be() -> None:
    assert [Quality().low_percent(phases) for phases in (1, 3)] == [10, 7]
    assert Quality(voltage_low_percent=5).low_percent(1) == 5
