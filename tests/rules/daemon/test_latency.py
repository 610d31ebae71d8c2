from __future__ import annotations

import random

import pytest

from rules.daemon.latency import BUCKETS, COMMITS_WAITING, GROWTH, Histogram, ToStore


def test_percentiles_are_never_too_low_and_at_most_five_per_cent_too_high() -> None:
    rng = random.Random(3)
    values = sorted(round(rng.lognormvariate(10, 1.5)) for _ in range(5_000))
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    for percent in (1, 50, 90, 99, 100):
        exact = max(100, values[max(0, round(len(values) * percent / 100) - 1)])
        assert exact <= histogram.percentile_us(percent) * 1.0000001
        assert histogram.percentile_us(percent) <= exact * GROWTH * 1.0000001


def test_nothing_known_is_zero_and_extremes_are_kept() -> None:
    histogram = Histogram()
    assert histogram.summary_ms() == {"p50": 0.0, "p99": 0.0, "n": 0}
    histogram.add(-5)
    histogram.add(1 << 60, times=3)
    assert histogram.n == 4
    assert histogram.percentile_us(1) == 100
    assert histogram.percentile_us(99) == pytest.approx(100 * GROWTH**BUCKETS)
    assert histogram.cumulative([100, 1_000]) == [1, 1]


def test_an_interval_is_what_was_counted_since_a_copy() -> None:
    histogram, alone = Histogram(), Histogram()
    for value in (200, 3_000, 90_000):
        histogram.add(value, times=5)
    before = histogram.copy()
    for value in (700, 800, 20_000):
        histogram.add(value, times=2)
        alone.add(value, times=2)
    interval = histogram.since(before)
    assert interval.summary_ms() == alone.summary_ms()
    assert interval.total_us == alone.total_us
    assert (before.n, histogram.n) == (15, 21)  # neither is touched
    assert histogram.since(histogram.copy()).n == 0


def test_a_batch_is_done_when_the_store_has_its_points() -> None:
    histogram = Histogram()
    to_store = ToStore(histogram)
    to_store.committed(0, [0], 1_000)  # led to nothing, and nothing waits
    assert histogram.n == 1
    to_store.committed(4, [1_000, 2_000], 3_000)
    to_store.committed(4, [5_000], 6_000)  # led to nothing, but its turn is behind parcel 4
    assert histogram.n == 1
    to_store.stored(3, 9_000)
    assert histogram.n == 1
    to_store.stored(4, 101_000)
    assert histogram.n == 4
    assert 100_000 <= histogram.percentile_us(99) <= 105_000
    to_store.committed(4, [100_000], 102_000)
    assert histogram.n == 5


def test_while_the_store_is_away_commits_are_joined_and_count_as_too_long() -> None:
    histogram = Histogram()
    to_store = ToStore(histogram)
    for n in range(COMMITS_WAITING + 500):
        to_store.committed(n + 1, [n, n], n)
    to_store.stored(COMMITS_WAITING + 500, 10_000_000)
    assert histogram.n == 2 * (COMMITS_WAITING + 500)
    assert histogram.percentile_us(100) >= 10_000_000
