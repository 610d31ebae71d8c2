from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from readers.ports.memory import START_US
from simulator.meters.dlt645_clock import US_PER_MIN, US_PER_S, MeterClock

DAY_US = 86_400 * US_PER_S


def test_a_clock_starts_wrong_and_drifts() -> None:
    clock = MeterClock(START_US, 5 * US_PER_S, 20, 480)
    assert clock.shown_us(START_US) == START_US + 5 * US_PER_S
    assert clock.shown_us(START_US + DAY_US) == START_US + DAY_US + 5 * US_PER_S + 1_728_000


@given(st.integers(-500, 500), st.integers(-(10**9), 10**9), st.integers(1, 400 * DAY_US))
def test_an_edge_of_the_clock_is_found_at_the_first_moment_that_shows_it(drift: int, offset: int, ahead: int) -> None:
    clock = MeterClock(START_US, offset, drift, 480)
    wanted_us = START_US + offset + ahead
    true_us = clock.true_us(wanted_us)
    assert clock.shown_us(true_us) >= wanted_us
    assert clock.shown_us(true_us - 1) < wanted_us


def test_days_are_local() -> None:
    clock = MeterClock(START_US, 0, 0, 480)
    assert clock.minute_of_day(START_US) == 8 * 60
    evening_us = START_US + 15 * 60 * US_PER_MIN
    assert clock.minute_of_day(evening_us) == 23 * 60
    assert clock.day(evening_us + 60 * US_PER_MIN) == clock.day(START_US) + 1
    assert (clock.day_of_month(START_US), clock.day_of_month(evening_us + 60 * US_PER_MIN)) == (1, 2)


def test_a_time_sync_is_taken_once_a_day_and_only_near() -> None:
    clock = MeterClock(START_US, 0, 0, 480)
    assert not clock.sync(START_US, START_US + 301 * US_PER_S, 300)
    assert not clock.sync(START_US, START_US - 301 * US_PER_S, 300)
    assert clock.sync(START_US, START_US + 300 * US_PER_S, 300)
    assert clock.shown_us(START_US) == START_US + 300 * US_PER_S
    assert not clock.sync(START_US + US_PER_S, START_US + US_PER_S, 300)
    assert clock.sync(START_US + DAY_US, START_US + DAY_US, 300)


def test_a_clock_can_be_set_to_anything() -> None:
    clock = MeterClock(START_US, 0, 100, 480)
    clock.set(START_US + DAY_US, START_US)
    assert clock.shown_us(START_US + DAY_US) == START_US
    assert clock.shown_us(START_US + DAY_US + 10_000 * US_PER_S) == START_US + 10_001 * US_PER_S
