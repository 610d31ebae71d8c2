"""The book of one register: its segments, and what one more reading of it means.

A reading that is lower than the one before, or higher than the connection can carry, is told at once and waits: the
next reading decides. When the register comes back, the odd reading never was; when it goes on from there, the register
really stands there. So one garbled or empty answer neither loses a segment nor bills a whole register once more.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from rules.energy.grid import Grid
from rules.energy.row import FINEST, Odd, Reason, RegisterRow, Tell, Terms, exponent_of, label_of, steps_of
from rules.energy.segment import RECORD, SUSPECT, Anchor, Entry, Segment

MARGIN: Final = 1.5
"""How many times its rated power a connection may carry for a while."""
SLACK_US: Final = 60_000_000
"""How old a register may be when it is read: meters refresh theirs now and then."""
NEAR_FULL: Final = (9, 10)
"""A register rolls over from above this part of its full scale, to below the rest of it."""
MOST_SEGMENTS: Final = 8
US_PER_H: Final = 3_600_000_000


class Register:
    """One register of one meter.

    Attributes:
        entries: intervals that are new or have changed, with their segments, for the caller to take.
        refused: records that contradict the readings around them, or came too late.
        is_sound: its entries added up when they were last booked.
    """

    def __init__(self, row: RegisterRow, terms: Terms, tell: Tell) -> None:
        self.row = row
        self.refused = 0
        self.is_sound = True
        self.entries: list[tuple[Segment, Entry]] = []
        self._tell = tell
        self._terms = terms
        self._grid = terms.grid
        if (row.length_us, row.shift_us) != (terms.grid.length_us, terms.grid.shift_us):
            self._regrid()
        elif self.open.multiplier != str(terms.multiplier):
            self._reopen(Reason.RATIO)
        self._scaled()
        self.is_sound = self.is_balanced()

    @classmethod
    def opened(cls, at_us: int, value: Decimal, terms: Terms, tell: Tell) -> Register:
        """A register that is read for the first time."""
        exponent = exponent_of(value)
        first = Anchor(at_us, steps_of(value, exponent), 0)
        segment = Segment(label_of(at_us, None), Reason.FIRST, str(terms.multiplier), first, [first])
        return cls(RegisterRow(exponent, terms.grid.length_us, terms.grid.shift_us, [segment]), terms, tell)

    @property
    def open(self) -> Segment:
        """The segment that goes on."""
        return self.row.segments[-1]

    def value_of(self, steps: int, segment: Segment) -> Decimal:
        """What the register shows, in its unit."""
        shown = steps % segment.modulus if segment.modulus else steps
        return self.amount_of(shown)

    def amount_of(self, steps: int) -> Decimal:
        """Steps in the unit of the register, exactly."""
        exponent = self.row.exponent
        return Decimal(steps * 10**exponent) if exponent >= 0 else Decimal(steps).scaleb(exponent)

    def is_balanced(self) -> bool:
        """Whether the entries of every segment, and what is open, are the difference of the register."""
        return all(segment.is_balanced(self._grid) for segment in self.row.segments)

    def open_at_next(self, reason: Reason) -> None:
        """Have the next reading open a segment: what lies between is not known."""
        row = self.row
        row.opens = reason
        if row.odd is not None and row.odd.is_low and reason is Reason.SWAPPED:
            odd, row.odd = row.odd, None
            self._open(odd.at_us, odd.steps, reason)
            row.opens = ""

    def set_back(self, by_us: int) -> None:
        """The clock that times are told by was set back: go on from the last reading, at the time it really had."""
        self._reopen(Reason.CLOCK, by_us)
        if self.row.odd is not None:
            self.row.odd.at_us -= by_us

    def read(self, at_us: int, value: Decimal) -> Anchor | None:
        """Take a reading. Returns the last anchor before it, when the register simply counted on from there."""
        steps = self._steps(value)
        row = self.row
        if row.opens:
            row.opens, reason = "", row.opens
            row.odd = None
            self._open(at_us, steps, Reason(reason))
            return None
        last = row.segments[-1].anchors[-1]
        at_us = max(at_us, last.at_us)
        if row.odd is not None:
            return self._resolve(row.odd, at_us, steps)
        ahead = steps + row.base - last.steps
        if ahead >= 0:
            if self._rate is not None and ahead > self._most(at_us - last.at_us):
                self._wait("register_jumped", at_us, steps, is_low=False)
                return None
            self._go_on(at_us, steps + row.base, 0)
            return last
        if self._rate is not None and self._has_rolled(last, at_us, steps):
            self._roll(at_us, steps)
            return None
        self._wait("register_decreased", at_us, steps, is_low=True)
        return None

    def record(self, at_us: int, value: Decimal) -> None:
        """Take what the meter's memory says of an earlier time."""
        steps = self._steps(value)
        row = self.row
        if at_us > self.open.last.at_us and not row.opens and row.odd is None:
            ahead = steps + row.base - self.open.last.steps
            if ahead >= 0 and (self._rate is None or ahead <= self._most(at_us - self.open.last.at_us)):
                self._go_on(at_us, steps + row.base, RECORD)
            else:
                self.refused += 1
            return
        places = []
        for number, segment in enumerate(row.segments):
            unrolled = self._unrolled(segment, at_us, steps)
            place = segment.place_of(self._grid, at_us, unrolled, self._terms.gap_us)
            if place is not None and self._is_free(number, at_us, place):
                places.append((segment, place, unrolled))
        if len(places) == 1:
            self._insert(*places[0], at_us)
        elif not self._knows(at_us, steps):
            self.refused += 1

    def _insert(self, segment: Segment, place: int, steps: int, at_us: int) -> None:
        span = segment.touched(self._grid, place, at_us)
        before = segment.entries(self._grid, span, self._terms.gap_us)
        segment.insert(place, at_us, steps)
        after = segment.entries(self._grid, span, self._terms.gap_us)
        for index, entry in after.items():
            old = before.get(index)
            if entry != old:
                segment.booked += entry.after - entry.before - (old.after - old.before if old else 0)
                self.entries.append((segment, entry))
        self.is_sound = self.is_balanced()

    def _is_free(self, number: int, at_us: int, place: int) -> bool:
        """Whether a record at an end of a segment lies between that segment and its neighbour."""
        segments = self.row.segments
        segment = segments[number]
        if place == 0:
            return number > 0 and at_us > segments[number - 1].last.at_us and not _is_moved(segment)
        if place == len(segment.anchors):
            following = segments[number + 1 : number + 2]
            return bool(following) and at_us < following[0].first.at_us and not _is_moved(following[0])
        return True

    def _knows(self, at_us: int, steps: int) -> bool:
        """Whether a record says only what was known before."""
        for segment in self.row.segments:
            if segment.first.at_us <= at_us <= segment.last.at_us:
                grid = self._grid
                shown = self._unrolled(segment, at_us, steps)
                place = grid.index(at_us)
                low = segment.value(max(grid.start_us(place), segment.first.at_us))
                high = segment.value(min(grid.start_us(place + 1), segment.last.at_us))
                return low <= shown <= high and segment.anchors[0].at_us <= at_us
        return False

    def _unrolled(self, segment: Segment, at_us: int, steps: int) -> int:
        """Steps of a record, counted on over the roll-overs of its segment."""
        if not segment.modulus:
            return steps
        floor = segment.value(at_us) - segment.modulus // 2
        return steps + -(-(floor - steps) // segment.modulus) * segment.modulus if steps < floor else steps

    def _resolve(self, odd: Odd, at_us: int, steps: int) -> Anchor | None:
        """The reading after an odd one decides about it."""
        row, last = self.row, self.open.last
        at_us = max(at_us, odd.at_us)
        ahead = steps + row.base - last.steps
        further = steps - odd.steps
        if ahead >= 0 and (self._rate is None or ahead <= self._most(at_us - last.at_us)):
            row.odd = None
            self._tell("register_returned", at_us, {"before": self._shown(odd.steps), "after": self._shown(steps)})
            self._go_on(at_us, steps + row.base, 0)
            return last
        if further < 0 or (self._rate is not None and further > self._most(at_us - odd.at_us)):
            is_low = ahead < 0
            if is_low != odd.is_low:
                self._wait("register_decreased" if is_low else "register_jumped", at_us, steps, is_low=is_low)
            row.odd = Odd(at_us, steps, is_low)
            return None
        row.odd = None
        if not odd.is_low:
            self._go_on(odd.at_us, odd.steps + row.base, SUSPECT)
        elif self._has_rolled(last, odd.at_us, odd.steps):
            self._roll(odd.at_us, odd.steps)
        else:
            self._open(odd.at_us, odd.steps, Reason.DECREASED)
        self._go_on(at_us, steps + row.base, 0)
        return None

    def _wait(self, kind: str, at_us: int, steps: int, *, is_low: bool) -> None:
        last = self.open.last
        self.row.odd = Odd(at_us, steps, is_low)
        shown = self.value_of(last.steps, self.open)
        self._tell(
            kind,
            at_us,
            {"before": float(shown), "after": self._shown(steps), "elapsed_s": (at_us - last.at_us) / 1e6},
        )

    def _has_rolled(self, last: Anchor, at_us: int, steps: int) -> bool:
        """Whether so low a register is the one before, over its full scale."""
        full = self._full
        shown = last.steps - self.row.base
        part, whole = NEAR_FULL
        if not full or not shown * whole > full * part or shown >= full:
            return False
        ahead = steps + full - shown
        if self._rate is not None:
            return ahead <= self._most(at_us - last.at_us)
        return steps * whole < full * (whole - part)

    def _roll(self, at_us: int, steps: int) -> None:
        row, segment = self.row, self.open
        before = self.value_of(segment.last.steps, segment)
        segment.modulus = self._full
        row.base += self._full
        self._tell("register_rolled_over", at_us, {"before": float(before), "after": self._shown(steps)})
        self._go_on(at_us, steps + row.base, 0)

    def _go_on(self, at_us: int, steps: int, marks: int) -> None:
        """Count on, and tell the intervals that this completes."""
        segment, grid, terms = self.open, self._grid, self._terms
        last_us, start_us = segment.anchors[-1].at_us, grid.start_of(at_us)
        segment.put(at_us, steps, marks, start_us, terms.gap_us)
        if last_us >= start_us:
            return
        self._book(segment, range(grid.index(last_us), grid.index(at_us)))
        if at_us - last_us > terms.gap_us and not marks & RECORD:
            fields = {"from_us": last_us, "to_us": at_us, "elapsed_s": (at_us - last_us) / 1e6}
            gained = self.amount_of(steps - segment.value(last_us)) * self._terms.multiplier
            self._tell("energy_gap", at_us, {**fields, "energy": float(gained)})
        self.is_sound = self.is_balanced()
        segment.settle(grid, at_us - terms.settle_us, at_us - terms.backfill_us, terms.gap_us)
        while len(self.row.segments) > 1 and self.row.segments[0].last.at_us < at_us - terms.backfill_us:
            del self.row.segments[0]

    def _book(self, segment: Segment, span: range) -> None:
        for entry in segment.entries(self._grid, span, self._terms.gap_us).values():
            if entry.to_us > entry.from_us or entry.after != entry.before:
                segment.booked += entry.after - entry.before
                self.entries.append((segment, entry))

    def _close(self) -> Segment:
        """Tell what is open, and let nothing follow."""
        segment = self.open
        segment.is_closed = True
        index = self._grid.index(segment.last.at_us)
        if segment.last.at_us > segment.first.at_us or segment.last.steps != segment.first.steps:
            self._book(segment, range(index, index + 1))
        return segment

    def _open(self, at_us: int, steps: int, reason: Reason, multiplier: Decimal | None = None) -> None:
        """Close the segment, and open one at this reading: what lies between them is in neither."""
        row = self.row
        before = self._close()
        closing = self.value_of(before.last.steps, before)
        row.base = 0
        first = Anchor(at_us, steps, 0)
        factor = str(self._terms.multiplier if multiplier is None else multiplier)
        row.segments.append(Segment(label_of(at_us, before.label), reason, factor, first, [first]))
        del row.segments[:-MOST_SEGMENTS]
        self._tell(
            "segment_opened",
            at_us,
            {
                "reason": reason.value,
                "segment": self.open.label,
                "closing": float(closing),
                "closed_at_us": before.last.at_us,
                "opening": self._shown(steps),
            },
        )

    def _reopen(self, reason: Reason, by_us: int = 0) -> None:
        """Open a segment at the last reading: nothing is lost in between."""
        last, base, modulus = self.open.last, self.row.base, self.open.modulus
        self._open(last.at_us - by_us, last.steps - base, reason)
        self.row.base = base
        segment = self.open
        segment.first = Anchor(last.at_us - by_us, last.steps, 0)
        segment.anchors = [segment.first]
        segment.modulus = modulus

    def _regrid(self) -> None:
        """The site file has other intervals now: finish in the old ones."""
        row = self.row
        self._grid = Grid.of(row.length_us, row.shift_us)
        self._reopen(Reason.INTERVAL)
        self._grid = self._terms.grid
        row.length_us, row.shift_us = self._grid.length_us, self._grid.shift_us
        del row.segments[:-1]

    def _steps(self, value: Decimal) -> int:
        """A value in steps; one that is finer than all before makes all steps finer."""
        exponent = self.row.exponent
        if exponent >= 0:
            whole = int(value)
            if whole == value:
                step: int = 10**exponent
                steps, rest = divmod(whole, step)
                if not rest:
                    return steps
        elif (scaled := value.scaleb(-exponent)) == (whole := int(scaled)):
            return whole
        finer = max(min(exponent_of(value), exponent), FINEST)
        factor = int(10 ** (exponent - finer))
        row = self.row
        row.exponent, row.base = finer, row.base * factor
        if row.odd is not None:
            row.odd.steps *= factor
        for segment in row.segments:
            segment.scale(factor)
        self._scaled()
        return steps_of(value, finer)

    def _scaled(self) -> None:
        """What is compared with steps, in steps."""
        terms, exponent = self._terms, self.row.exponent
        self._full = int(terms.full_scale.scaleb(-exponent))
        multiplier = float(terms.multiplier)
        self._rate = None if terms.rated is None else terms.rated * MARGIN / multiplier / US_PER_H / 10.0**exponent

    def _most(self, elapsed_us: int) -> int:
        """Steps that the connection can carry in this time."""
        assert self._rate is not None
        return int(self._rate * (elapsed_us + SLACK_US)) + 2

    def _shown(self, steps: int) -> float:
        return float(self.amount_of(steps))


def _is_moved(segment: Segment) -> bool:
    """Whether it goes on from the segment before without a gap, so that nothing fits between."""
    return segment.reason in (Reason.RATIO, Reason.CLOCK, Reason.INTERVAL)
