"""A segment of a book: the stretch of one register's life over which it counted on without a break.

    register
        │                              ●──q
        │               b┄┄┄┄┄┄┄┄┄┄┄●┄┄┘       ● anchor: a reading that is kept
        │        ●───────┤                      b boundary of two intervals
        │  first─┘       │                      way: from one anchor to the next
        └────────────────┴──────────────── time

The register at a boundary is that of the anchor there; between anchors it is the straight line, cut off to whole steps
of the register, as the register itself cuts off. An interval's energy is the difference of its two boundaries. So
neighbours share a boundary, and whatever is estimated, the intervals add up to the register's difference exactly.

Only anchors that decide a boundary are kept: the first and the last of an interval, and all around a gap.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from rules.energy.grid import Grid

DENSE: Final = 1  # the way to this anchor was read all along
RECORD: Final = 2  # from the meter's own memory
SUSPECT: Final = 4  # the way to this anchor is steeper than the connection can carry
SETTLED: Final = 8  # anchors on the way to this one were let go: nothing may be put between

MOST_SPREAD_US: Final = 35 * 86_400_000_000
"""A longer way is not spread over its intervals: all its energy is booked where it ends, marked as a gap."""

Span = range
"""Numbers of intervals."""


class Quality(StrEnum):
    """How an interval came to its energy, the worst that is true of it."""

    MEASURED = "measured"  # both boundaries were read
    ESTIMATED = "estimated"  # a boundary lies on a straight line between two readings
    BACKFILLED = "backfilled"  # rests on records from the meter's own memory
    GAP = "gap"  # part of it lies in a gap: its energy is known in sum, not in time
    SUSPECT = "suspect"  # holds more than the connection can carry


class Anchor(NamedTuple):
    """A reading that is kept: when, the register in whole steps, and marks of it and of the way to it."""

    at_us: int
    steps: int
    marks: int


class Entry(NamedTuple):
    """One interval of one segment, or the part of it that the segment covers.

    Attributes:
        number: of the interval; start_us: when it begins; it is told from `from_us` to `to_us`.
        before, after: the register at `from_us` and `to_us`, in steps.
        estimated: steps that were attributed by time, not read.
    """

    number: int
    start_us: int
    from_us: int
    to_us: int
    before: int
    after: int
    estimated: int
    quality: Quality


class Segment(msgspec.Struct, array_like=True):
    """One segment.

    Attributes:
        label: when it was opened, unique in its register; reason: why.
        multiplier: what the register must be multiplied by, a decimal number.
        first: its opening; anchors: those that still decide something, in order of time.
        modulus: steps at which the register rolled over; 0 as long as it did not.
        booked: steps in all entries that were told; `is_closed`: nothing follows.
    """

    label: str
    reason: str
    multiplier: str
    first: Anchor
    anchors: list[Anchor]
    modulus: int = 0
    booked: int = 0
    is_closed: bool = False

    @property
    def last(self) -> Anchor:
        """Its latest reading."""
        return self.anchors[-1]

    def value(self, at_us: int) -> int:
        """The register at a time between its first and last anchor, in steps."""
        anchors = self.anchors
        found = bisect_left(anchors, (at_us,))
        if found == len(anchors):
            return anchors[-1].steps
        after = anchors[found]
        if found == 0 or after.at_us == at_us:
            return after.steps
        before = anchors[found - 1]
        way_us = after.at_us - before.at_us
        if way_us > MOST_SPREAD_US:
            return before.steps
        return before.steps + (after.steps - before.steps) * (at_us - before.at_us) // way_us

    def entry(self, grid: Grid, index: int, gap_us: int) -> Entry:
        """What the book says of one interval now."""
        last = self.anchors[-1]
        start_us, end_us = grid.start_us(index), grid.start_us(index + 1)
        from_us, to_us = max(start_us, self.first.at_us), min(end_us, last.at_us)
        before = self.value(from_us)
        after = last.steps if end_us > last.at_us else self.value(end_us)
        estimated, quality = self._judge(from_us, to_us, gap_us)
        return Entry(index, start_us, from_us, to_us, before, after, estimated, quality)

    def entries(self, grid: Grid, span: Span, gap_us: int) -> dict[int, Entry]:
        """What the book says of these intervals, as far as they are complete."""
        return {index: self.entry(grid, index, gap_us) for index in self._told(grid, span)}

    def open_steps(self, grid: Grid) -> int:
        """What has been read since the last interval that was told."""
        if self.is_closed:
            return 0
        last = self.anchors[-1]
        start_us = grid.start_us(grid.index(last.at_us))
        return last.steps - (self.value(start_us) if start_us > self.first.at_us else self.first.steps)

    def is_balanced(self, grid: Grid) -> bool:
        """Whether all entries that were told, and what is open, are the difference of the register."""
        return self.booked + self.open_steps(grid) == self.anchors[-1].steps - self.first.steps

    def put(self, at_us: int, steps: int, marks: int, start_us: int, gap_us: int) -> None:
        """Go on to a later reading, in an interval that begins at `start_us`."""
        anchors = self.anchors
        last = anchors[-1]
        if at_us - last.at_us <= gap_us:
            marks |= DENSE
        if marks == last.marks == DENSE and len(anchors) > 1 and anchors[-2].at_us >= start_us:
            anchors[-1] = Anchor(at_us, steps, marks)  # the one before was inside the interval and decides nothing
        else:
            anchors.append(Anchor(at_us, steps, marks))

    def place_of(self, grid: Grid, at_us: int, steps: int, gap_us: int) -> int | None:
        """Where among the anchors a record goes; None when it tells nothing new, or contradicts them.

        0 and the number of anchors are for those who know what was before and after this segment.
        """
        anchors = self.anchors
        place = bisect_left(anchors, (at_us,))
        if place == 0:
            return 0 if self.first == anchors[0] and at_us < self.first.at_us and steps <= self.first.steps else None
        if place == len(anchors):
            return place if steps >= anchors[-1].steps else None
        before, after = anchors[place - 1], anchors[place]
        if after.at_us == at_us or after.marks & SETTLED or not before.steps <= steps <= after.steps:
            return None
        way_us = after.at_us - before.at_us
        is_inner = grid.index(before.at_us) == grid.index(after.at_us) and not _is_gap(before, after, gap_us)
        if is_inner or way_us > MOST_SPREAD_US:
            return None
        return place

    def insert(self, place: int, at_us: int, steps: int) -> None:
        """Put a record where `place_of` said."""
        anchors = self.anchors
        if place == 0:
            self.first = Anchor(at_us, steps, RECORD)
            anchors.insert(0, self.first)
            return
        kept = anchors[place].marks & (DENSE | SUSPECT) if place < len(anchors) else 0
        anchors.insert(place, Anchor(at_us, steps, RECORD | kept))

    def touched(self, grid: Grid, place: int, at_us: int) -> Span:
        """Intervals that a record will decide upon, before it is put at its place."""
        anchors = self.anchors
        first_us = min(anchors[max(place - 1, 0)].at_us, at_us)
        last_us = max(anchors[min(place, len(anchors) - 1)].at_us, at_us)
        return range(grid.index(first_us), grid.index(last_us) + 1)

    def settle(self, grid: Grid, before_us: int, gaps_before_us: int, gap_us: int) -> None:
        """Let go of anchors before a time that decide nothing any more; those around younger gaps stay."""
        anchors = self.anchors
        since_us = grid.start_us(grid.index(before_us))
        least = max(bisect_left(anchors, (since_us,)) - 1, 0)
        keep = set(range(least, len(anchors)))
        for place in range(1, len(anchors)):
            before, after = anchors[place - 1], anchors[place]
            if _is_gap(before, after, gap_us) and after.at_us >= gaps_before_us:
                low_us = grid.start_us(grid.index(before.at_us) - 1)
                high_us = grid.start_us(grid.index(after.at_us) + 2)
                keep.update(range(max(bisect_left(anchors, (low_us,)) - 1, 0), place))
                keep.update(range(place, min(bisect_left(anchors, (high_us,)) + 1, len(anchors))))
        if len(keep) == len(anchors):
            return
        kept: list[Anchor] = []
        gone = False
        for place, anchor in enumerate(anchors):
            if place not in keep:
                gone = True
                continue
            kept.append(anchor._replace(marks=anchor.marks | SETTLED) if gone else anchor)
            gone = False
        self.anchors = kept

    def scale(self, factor: int) -> None:
        """Count in finer steps from now on."""
        self.first = self.first._replace(steps=self.first.steps * factor)
        self.anchors = [anchor._replace(steps=anchor.steps * factor) for anchor in self.anchors]
        self.modulus *= factor
        self.booked *= factor

    def _told(self, grid: Grid, span: Span) -> Iterator[int]:
        """Intervals of the span that are complete, without those that lie wholly in a way too long to be spread."""
        anchors = self.anchors
        end = grid.index(anchors[-1].at_us) + (1 if self.is_closed else 0)
        index = max(span.start, grid.index(self.first.at_us))
        while index < min(span.stop, end):
            yield index
            index += 1
            place = bisect_right(anchors, (grid.start_us(index), _BEYOND))
            if place < len(anchors) and place > 0 and anchors[place].at_us - anchors[place - 1].at_us > MOST_SPREAD_US:
                index = max(index, grid.index(anchors[place].at_us))

    def _judge(self, from_us: int, to_us: int, gap_us: int) -> tuple[int, Quality]:
        """What of this time was estimated, and the worst that is true of it."""
        anchors = self.anchors
        place = max(bisect_right(anchors, (from_us, _BEYOND)), 1)
        estimated = 0
        is_record = is_gap = is_suspect = is_estimated = False
        while place < len(anchors):
            before, after = anchors[place - 1], anchors[place]
            if before.at_us >= to_us:
                break
            is_record |= bool((before.marks | after.marks) & RECORD)
            is_suspect |= bool(after.marks & SUSPECT)
            is_gap |= _is_gap(before, after, gap_us)
            if before.at_us < from_us or after.at_us > to_us:
                is_estimated = True
                estimated += self.value(min(after.at_us, to_us)) - self.value(max(before.at_us, from_us))
            place += 1
        if is_suspect:
            return estimated, Quality.SUSPECT
        if is_gap:
            return estimated, Quality.GAP
        if is_record:
            return estimated, Quality.BACKFILLED
        return estimated, Quality.ESTIMATED if is_estimated else Quality.MEASURED


_BEYOND: Final = 1 << 200
"""More steps than any register has: finds what comes after all anchors of one instant."""


def _is_gap(before: Anchor, after: Anchor, gap_us: int) -> bool:
    return not after.marks & (DENSE | SETTLED) and after.at_us - before.at_us > gap_us
