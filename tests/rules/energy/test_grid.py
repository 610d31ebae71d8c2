from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.energy.grid import US_PER_MIN, Grid
from tests.rules.energy.substation import START_US


@pytest.mark.parametrize(
    ("zone", "interval_min", "minute"),
    [(UTC, 15, 0), (ZoneInfo("Asia/Shanghai"), 60, 0), (ZoneInfo("Asia/Kolkata"), 60, 30), (UTC, 5, 5)],
)
def test_intervals_begin_with_the_clocks_of_the_site(zone: timezone, interval_min: int, minute: int) -> None:
    grid = Grid(interval_min, zone)
    assert grid.is_boundary(START_US + minute * US_PER_MIN)
    assert not grid.is_boundary(START_US + minute * US_PER_MIN + 1)


@given(st.integers(-(10**17), 10**17), st.sampled_from((5, 10, 15, 20, 30, 60)), st.integers(-12 * 60, 14 * 60))
def test_every_instant_is_in_the_interval_that_has_begun(at_us: int, interval_min: int, offset_min: int) -> None:
    grid = Grid(interval_min, timezone(timedelta(minutes=offset_min)))
    index = grid.index(at_us)
    assert grid.start_us(index) <= at_us < grid.start_us(index + 1)
    assert grid.is_boundary(grid.start_us(index))
    assert grid.start_of(at_us) == grid.start_us(index)
    again = Grid.of(grid.length_us, grid.shift_us)
    assert (again.index(at_us), again.start_us(index)) == (index, grid.start_us(index))
