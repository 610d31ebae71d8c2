"""Which way a tag went: the order in time of the two sides of a portal.

Each side keeps moments of received power over time. A tag that passes is strong at one side first and at the other
later: the two centroids of power lie apart, and the first and the last reads of the sides shift the same way. A tag
that stopped between the sides has centroids together, but still came by one side and left by the other. A tag that
stands somewhere, or turns round, has neither, or first and last reads that contradict each other.

Evidence is counted in nats, as logarithms of how unlikely chance alone is: for the lag of the centroids by
Student's t with the number of slices, for a first or last read by the reads that the other side would have had in
that time.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import msgspec

from rules.presence.reorder import Cell

CLIP_S: Final = 1.0
"""A side that is heard longer than this before or after the other says no more for that."""
LEAST_SCORE_S: Final = 0.3
"""Shifts that add up to less than this contradict each other, or there was none."""
FULL_SEPARATION: Final = 0.7
"""Centroids further apart than this, in standard deviations of when the power came, count in full."""
LEAST_SPREAD_S: Final = 0.05
LEAST_ERROR_S: Final = 0.02
WEAK_DBM: Final = -58.0
"""A tag that passes between the antennas is stronger than this at some time; strays are 2 to 12 dB weaker."""
LEAST_NATS: Final = 4.0
LEAST_NATS_WEAK: Final = 12.0
LEAST_CELLS_WEAK: Final = 3


class Side(msgspec.Struct, array_like=True, gc=False):
    """What one side of a portal heard of a tag.

    Attributes:
        power, moment, square: power summed, weighted with seconds since the session began, and with their square.
    """

    reads: int
    cells: int
    power: float
    moment: float
    square: float
    first_us: int
    last_us: int
    strongest_dbm: float | None

    @classmethod
    def empty(cls) -> Side:
        """A side that has heard nothing."""
        return cls(0, 0, 0.0, 0.0, 0.0, 0, 0, None)

    def add(self, cell: Cell, origin_us: int) -> None:
        """Take the reads of one slice."""
        at_s = ((cell.first_us + cell.last_us) / 2 - origin_us) / 1e6
        if not self.cells or cell.first_us < self.first_us:
            self.first_us = cell.first_us
        self.last_us = max(self.last_us, cell.last_us)
        self.reads += cell.reads
        self.cells += 1
        self.power += cell.power
        self.moment += cell.power * at_s
        self.square += cell.power * at_s * at_s
        if cell.strongest_dbm is not None and (self.strongest_dbm is None or cell.strongest_dbm > self.strongest_dbm):
            self.strongest_dbm = cell.strongest_dbm

    @property
    def centroid_s(self) -> float:
        """When the power came, on average."""
        return self.moment / self.power

    @property
    def spread_s(self) -> float:
        """Standard deviation of when the power came."""
        return math.sqrt(max(0.0, self.square / self.power - self.centroid_s**2))


class Verdict(NamedTuple):
    """How a tag passed.

    Attributes:
        inwards: from the outer to the inner side.
        crossed_s: when it was between the sides, in seconds since the session began.
        nats: how strongly the evidence speaks.
    """

    inwards: bool
    crossed_s: float
    nats: float

    @property
    def certainty(self) -> float:
        """0 to 1."""
        return 1.0 - math.exp(-self.nats / 4)


def judge(outer: Side, inner: Side) -> Verdict | None:
    """Which way it went; None when it stood, turned round, or was a stray that chance alone explains."""
    lag_s = inner.centroid_s - outer.centroid_s
    first_s = (inner.first_us - outer.first_us) / 1e6
    last_s = (inner.last_us - outer.last_us) / 1e6
    spread_s = max(LEAST_SPREAD_S, math.hypot(outer.spread_s, inner.spread_s))
    weight = min(1.0, abs(lag_s) / spread_s / FULL_SEPARATION)
    score_s = 2 * weight * weight * _clip(lag_s) + _clip(first_s) + _clip(last_s)
    span_us = max(outer.last_us, inner.last_us) - min(outer.first_us, inner.first_us)
    span_s = max(span_us / 1e6, 2 * LEAST_SPREAD_S)
    nats = (
        weight * _nats_of_lag(lag_s, outer, inner)
        + first_s * (inner if first_s > 0 else outer).reads / span_s
        + last_s * (outer if last_s > 0 else inner).reads / span_s
    )
    strongest_dbm = max(outer.strongest_dbm or -math.inf, inner.strongest_dbm or -math.inf)
    is_weak = -math.inf < strongest_dbm < WEAK_DBM
    if is_weak and min(outer.cells, inner.cells) < LEAST_CELLS_WEAK:
        return None
    if abs(score_s) < LEAST_SCORE_S or (score_s > 0) != (nats > 0):
        return None
    if abs(nats) < (LEAST_NATS_WEAK if is_weak else LEAST_NATS):
        return None
    return Verdict(score_s > 0, (outer.centroid_s + inner.centroid_s) / 2, abs(nats))


def _nats_of_lag(lag_s: float, outer: Side, inner: Side) -> float:
    """Minus the logarithm of Student's density at this lag, relative to no lag, with its sign."""
    freedom = outer.cells + inner.cells - 2
    if freedom <= 0:
        return 0.0
    error_s2 = max(LEAST_ERROR_S**2, outer.spread_s**2 / outer.cells + inner.spread_s**2 / inner.cells)
    return math.copysign((freedom + 1) / 2 * math.log1p(lag_s * lag_s / error_s2 / freedom), lag_s)


def _clip(seconds: float) -> float:
    return max(-CLIP_S, min(CLIP_S, seconds))
