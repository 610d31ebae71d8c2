from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.machines import MachineSettings
from rules.machines.counting import counted

MINUTE_US = 60_000_000
FREE = MachineSettings(name="w")
RATED = MachineSettings(name="w", ideal_rate_per_min=600, counter_wraps_at=65536)


@pytest.mark.parametrize(
    ("before", "after", "minutes", "settings", "units", "event"),
    [
        (10, 10, 1, FREE, 0, ""),
        (10, 1_000_000, 1, FREE, 999_990, ""),
        (10, 9, 1, FREE, None, "counter_reset"),
        (0, 600, 1, RATED, 600, ""),
        (0, 2100, 1, RATED, 2100, ""),
        (0, 2102, 1, RATED, None, "counter_jumped"),
        (65_500, 100, 1, RATED, 136, "counter_wrapped"),
        (60_000, 100, 1, RATED, None, "counter_reset"),
        (70_000, 100, 1, RATED, None, "counter_reset"),
    ],
)
def test_what_was_made_between_two_looks(
    before: int, after: int, minutes: int, settings: MachineSettings, units: int | None, event: str
) -> None:
    found = counted(Decimal(before), Decimal(after), minutes * MINUTE_US, settings)
    assert (found.units, found.event) == (units, event)


@given(
    values=st.lists(st.integers(0, 65_535), min_size=2, max_size=30),
    wraps=st.booleans(),
    minutes=st.floats(0, 100),
)
def test_it_never_counts_less_than_nothing_nor_too_much(values: list[int], wraps: object, minutes: float) -> None:
    settings = RATED if wraps else FREE
    for before, after in pairwise(values):
        found = counted(Decimal(before), Decimal(after), round(minutes * MINUTE_US), settings)
        if found.units is not None:
            assert found.units >= 0
            assert (Decimal(before) + found.units - after) % 65536 == 0
        if wraps and found.units is not None:
            assert found.units <= Decimal(1800) * Decimal(minutes + 1 / 6) + 2
