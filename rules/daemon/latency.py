"""How long things take, in a histogram of logarithmic buckets: small, mergeable, and honest at its upper edge."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

LEAST_US: Final = 100
GROWTH: Final = 1.05  # a percentile is at most 5 % too high
BUCKETS: Final = 400  # 0.1 ms * 1.05^400 is 8 hours
COMMITS_WAITING: Final = 2_000  # some minutes of a store that is away
_LOG_GROWTH: Final = math.log(GROWTH)


class Histogram:
    """Durations in microseconds; negative ones (a clock was set) count as none."""

    def __init__(self) -> None:
        self.n = 0
        self.total_us = 0
        self._buckets = [0] * (BUCKETS + 1)

    def add(self, duration_us: int, times: int = 1) -> None:
        """Count one duration, `times` over."""
        duration_us = max(0, duration_us)
        at = 0 if duration_us <= LEAST_US else math.ceil(math.log(duration_us / LEAST_US) / _LOG_GROWTH)
        self._buckets[min(at, BUCKETS)] += times
        self.n += times
        self.total_us += duration_us * times

    def copy(self) -> Histogram:
        """What was counted so far."""
        return self.since(Histogram())

    def since(self, before: Histogram) -> Histogram:
        """What was counted since `before`, an earlier copy."""
        found = Histogram()
        found.n = self.n - before.n
        found.total_us = self.total_us - before.total_us
        found._buckets = [now - then for now, then in zip(self._buckets, before._buckets, strict=True)]
        return found

    def percentile_us(self, percent: float) -> float:
        """The upper edge of the bucket that holds this percentile; 0 while nothing is known."""
        if not self.n:
            return 0.0
        wanted = max(1, math.ceil(self.n * percent / 100))
        seen, at = 0, -1
        while seen < wanted:
            at += 1
            seen += self._buckets[at]
        return LEAST_US * GROWTH**at

    def cumulative(self, edges_us: list[int]) -> list[int]:
        """How many lay at or below each edge, in buckets whose upper edge does not pass it."""
        return [
            sum(count for at, count in enumerate(self._buckets) if LEAST_US * GROWTH**at <= edge) for edge in edges_us
        ]

    def summary_ms(self) -> dict[str, float]:
        """For the ledger: p50 and p99 in milliseconds, and the count n."""
        return {
            "p50": round(self.percentile_us(50) / 1_000, 3),
            "p99": round(self.percentile_us(99) / 1_000, 3),
            "n": self.n,
        }


class ToStore:
    """From the socket to the committed store: batches wait here until the store has what they led to.

    A batch that led to no point is done when its commit is; behind points that still wait, it waits with them.
    """

    def __init__(self, histogram: Histogram) -> None:
        self.histogram = histogram
        self._stored_to = 0
        self._waiting: deque[tuple[int, list[int], int]] = deque()  # parcel, times received, weight of each

    def committed(self, parcel: int, received_at_us: list[int], now_us: int) -> None:
        """Batches received at these times are committed; the last parcel made for the store so far is `parcel`."""
        if not received_at_us:
            return
        if parcel <= self._stored_to:
            self._count(received_at_us, 1, now_us)
            return
        if len(self._waiting) >= COMMITS_WAITING:
            # The store is away. Two commits become one that began with the older: too long rather than forgotten.
            (_, older, times), (later, newer, more) = self._waiting.popleft(), self._waiting.popleft()
            self._waiting.appendleft((later, [min(older)], len(older) * times + len(newer) * more))
        self._waiting.append((parcel, received_at_us, 1))

    def stored(self, parcel: int, now_us: int) -> None:
        """The store has everything up to `parcel`."""
        self._stored_to = max(self._stored_to, parcel)
        while self._waiting and self._waiting[0][0] <= parcel:
            _, received_at_us, weight = self._waiting.popleft()
            self._count(received_at_us, weight, now_us)

    def _count(self, received_at_us: list[int], weight: int, now_us: int) -> None:
        for at_us in received_at_us:
            self.histogram.add(now_us - at_us, weight)
