from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.energy.forecast import SAMPLES, Course, Window, excess_w, forecast_w

MIN_US = 60_000_000
BLOCK = Window(0, 15 * MIN_US)


def course(*readings: tuple[float, float], power_w: float | None = None, power_min: float = 0.0) -> Course:
    """Registers in kWh, by their minutes; and the present power."""
    found = Course(power_w=power_w, power_us=round(power_min * MIN_US))
    for minute, kwh in readings:
        found.read(round(minute * MIN_US), kwh * 1000, BLOCK)
    return found


def forecast(found: Course, minute: float, window: Window = BLOCK) -> float | None:
    value = forecast_w(found, window, round(minute * MIN_US))
    return None if value is None else round(value, 3)


def steady(kw: float, until_min: int, *, from_min: int = 0) -> list[tuple[float, float]]:
    return [(minute, kw * (minute - from_min) / 60) for minute in range(from_min, until_min + 1)]


def test_a_steady_load_has_the_demand_that_it_has() -> None:
    assert forecast(course(*steady(60, 5), power_w=60_000, power_min=5), 5) == 60_000
    assert forecast(course(*steady(60, 15), power_w=60_000, power_min=15), 15) == 60_000


def test_energy_so_far_and_present_power_for_the_rest() -> None:
    assert forecast(course(*steady(60, 5), power_w=120_000, power_min=5), 5) == 100_000


def test_before_anything_was_counted_present_power_stands_for_all() -> None:
    assert forecast(Course(power_w=7_000, power_us=0), 0) == 7_000
    assert forecast(course(*steady(60, 10, from_min=10), power_w=30_000, power_min=10), 10) == 30_000


def test_what_was_not_read_was_as_what_was_read_after_it() -> None:
    found = course(*steady(60, 10, from_min=5), power_w=90_000, power_min=10)
    assert forecast(found, 10) == 70_000


def test_present_power_stands_for_the_time_since_the_register_was_read() -> None:
    found = course(*steady(60, 5), power_w=120_000, power_min=6)
    assert forecast(found, 6) == 100_000


def test_a_boundary_lies_on_the_line_between_two_readings() -> None:
    found = Course(power_w=60_000, power_us=MIN_US)
    found.read(-MIN_US, 0, BLOCK)
    found.read(MIN_US, 1000, BLOCK)
    assert found.counted_wh(0) == 500
    assert forecast(found, 1) == (500 + 14_000) * 4


def test_a_window_that_began_after_the_last_reading() -> None:
    found = Course(power_w=60_000, power_us=MIN_US)
    found.read(-MIN_US, 0, BLOCK)
    assert forecast(found, 1) == 60_000


@pytest.mark.parametrize("power_min", [0.0, 3.9])
def test_a_power_that_is_old_forecasts_nothing(power_min: float) -> None:
    assert forecast(course(*steady(60, 5), power_w=60_000, power_min=power_min), 5) is None
    assert forecast(Course(), 5) is None


def test_a_register_that_fell_or_was_silent_is_followed_anew() -> None:
    found = course(*steady(60, 5), (6, 0.0), (8, 4.0))
    assert found.energies_wh == [0.0, 4000.0]
    found = course(*steady(60, 5), (9, 20.0))
    assert found.energies_wh == [20_000.0]


def test_a_register_that_is_told_twice_at_once_is_read_once() -> None:
    found = course(*steady(60, 5), (5, 5.0), (5, 4.0))
    assert found.times_us == [minute * MIN_US for minute in range(6)]


def test_a_register_that_has_been_silent_for_long_says_nothing() -> None:
    assert forecast(course(*steady(60, 2), power_w=30_000, power_min=9), 9) == 30_000


def test_what_is_kept_is_bounded() -> None:
    found = Course()
    for second in range(0, 7200, 2):
        at_us = second * 1_000_000
        found.read(at_us, second * 10.0, Window(at_us - 15 * MIN_US, at_us))
    assert len(found.times_us) <= SAMPLES + 3
    assert found.times_us[-1] == 7198 * 1_000_000
    assert found.times_us[1] > (7198 - 900) * 1_000_000


def test_the_excess_grows_as_time_runs_out() -> None:
    assert excess_w(110_000, 100_000, BLOCK, 0) == 10_000
    assert excess_w(110_000, 100_000, BLOCK, 12 * MIN_US) == 50_000
    assert excess_w(90_000, 100_000, BLOCK, 5 * MIN_US) == -15_000
    assert excess_w(90_000, 100_000, BLOCK, 15 * MIN_US) < 0


@given(
    st.lists(st.floats(0, 500), min_size=2, max_size=14),
    st.floats(0, 500),
)
def test_whoever_sheds_the_excess_at_once_stays_within_the_limit(powers_kw: list[float], now_kw: float) -> None:
    """A plain sum over minutes is the reference: what was used, then present power less the excess to the end."""
    used_wh, readings = 0.0, [(0.0, 0.0)]
    for minute, power_kw in enumerate(powers_kw, 1):
        used_wh += power_kw * 1000 / 60
        readings.append((float(minute), used_wh / 1000))
    now = len(powers_kw)
    found = course(*readings, power_w=now_kw * 1000, power_min=now)
    value = forecast_w(found, BLOCK, now * MIN_US)
    assert value is not None
    assert value == pytest.approx((used_wh + now_kw * 1000 * (15 - now) / 60) * 4, abs=1e-3)
    excess = excess_w(value, 100_000, BLOCK, now * MIN_US)
    left_wh = sum((now_kw * 1000 - excess) / 60 for _ in range(now, 15))
    assert (used_wh + left_wh) * 4 == pytest.approx(100_000, abs=1e-2)
