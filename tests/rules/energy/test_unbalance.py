from __future__ import annotations

import pytest

from rules.energy.unbalance import unbalance_percent, voltage_unbalance_percent


@pytest.mark.parametrize(
    ("values", "percent"),
    [([220, 220, 220], 0.0), ([230, 220, 210], 4.5455), ([10, 10, 0], 100.0), ([0, 0, 9], 200.0)],
)
def test_the_largest_deviation_of_the_mean(values: list[float], percent: float) -> None:
    assert unbalance_percent(values) == pytest.approx(percent, abs=1e-4)


def test_without_anything_there_is_nothing_to_compare() -> None:
    assert unbalance_percent([0, 0, 0]) is None


def test_a_lost_phase_is_no_unbalance() -> None:
    assert voltage_unbalance_percent([220, 220, 109]) is None
    assert voltage_unbalance_percent([220, 220, 111]) == pytest.approx(39.56, abs=0.01)
