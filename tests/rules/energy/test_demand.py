from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from rules.energy.demand import DemandRow, note_peak, slide
from rules.energy.grid import US_PER_MIN


def us(minute: float) -> int:
    return round(minute * US_PER_MIN)


def test_a_window_is_told_at_each_full_minute_after_the_first_whole_one() -> None:
    row, found = DemandRow(), []
    for number in range(20):
        before, after = (us(number + 0.5), number * 60), (us(number + 1.5), number * 60 + 60)
        found += slide(row, before, after, 15)
    assert found == [(minute, 900) for minute in range(16, 21)]
    assert len(row.samples) == 16


def test_readings_far_apart_begin_a_new_window() -> None:
    row, found = DemandRow(), []
    at = 0.5
    for number in range(40):
        wait = 3 if number == 18 else 1
        found += slide(row, (us(at), number), (us(at + wait), number + 1), 15)
        at += wait
    minutes = [minute for minute, _ in found]
    assert minutes == [16, 17, 18, *range(37, 43)]


def test_a_minute_that_is_missed_begins_a_new_window() -> None:
    row = DemandRow(minute=5, samples=[1, 2, 3])
    assert slide(row, (us(7.5), 10), (us(8.5), 20), 15) == []
    assert row.samples == [15]


@given(st.integers(0, 10**9))
def test_windows_are_what_the_register_counted(seed: int) -> None:
    rng = Random(seed)
    row = DemandRow()
    at, steps = rng.random() * 60, 0
    line = [(us(at), steps)]
    for _ in range(60):
        before = line[-1]
        at += rng.choice((0.3, 0.9, 1.0, 1.2, 2.4))
        steps += rng.randrange(100)
        line.append((us(at), steps))
        for minute, counted in slide(row, before, line[-1], 15):
            assert counted == value(line, us(minute)) - value(line, us(minute - 15))


def value(line: list[tuple[int, int]], at_us: int) -> int:
    for (from_us, low), (to_us, high) in pairwise(line):
        if from_us < at_us <= to_us:
            return low + (high - low) * (at_us - from_us) // (to_us - from_us)
    raise AssertionError(at_us)


def test_the_largest_of_an_interval_is_told_when_the_next_begins() -> None:
    row = DemandRow()
    assert note_peak(row, 1, 16, Decimal(5)) is None
    assert note_peak(row, 1, 17, Decimal(9)) is None
    assert note_peak(row, 1, 18, Decimal(9)) is None
    assert note_peak(row, 2, 31, Decimal(1)) == (1, 17, Decimal(9))
    assert note_peak(row, 5, 80, Decimal(0)) == (2, 31, Decimal(1))
    assert (row.interval, row.peak, row.peak_minute) == (5, Decimal(0), 80)
