"""The books of one machine. Time that nobody watched is no data, whatever the machine did before and after.

Its time is accounted for up to the gateway's clock whenever the gateway speaks: to the state that it was last heard to
be in, if its device was watched without a break since, else to no data; after a break its state is not known until it
says so again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gateway.config.machines import MachineSettings
from rules.energy.grid import Grid
from rules.machines.counting import counted
from rules.machines.points import Output, seconds
from rules.machines.row import (
    NO_DATA,
    STATES,
    UNKNOWN,
    UNSAID,
    Counter,
    Energy,
    MachineRow,
    Made,
    Period,
    Stop,
    period,
)
from rules.machines.shifts import Calendar, Slot

REASON_WITHIN_US: Final = 10_000_000
"""A reason that comes so long after the beginning of a stop belongs to it, whatever was said before."""
MOST_REASON: Final = 64
MOST_DARK_US: Final = 40 * 86_400_000_000
"""A gateway that was away for longer begins its books anew."""
_WH: Final = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Terms:
    """What is set for a machine, and for all of them."""

    settings: MachineSettings
    grid: Grid
    calendar: Calendar
    energy_gap_us: int


class Machine:
    """One machine of one gateway; changes its row in place."""

    def __init__(self, terms: Terms, row: MachineRow) -> None:
        self._terms = terms
        self._settings = terms.settings
        self.row = row
        if row.length_us != terms.grid.length_us:
            row.length_us = terms.grid.length_us
            row.interval = row.last = None

    def settle(self, now_us: int, watched_us: int, output: Output) -> None:
        """Account for the time up to the gateway's clock."""
        row = self.row
        passed_us = now_us - row.settled_us
        if passed_us <= 0:
            row.watched_us = watched_us
            return
        is_watched = watched_us - row.watched_us >= passed_us
        row.watched_us = watched_us
        if passed_us > MOST_DARK_US:
            self._close(output)
            row.settled_us = now_us
        if not is_watched:
            self._lose()
        kind = NO_DATA if not is_watched else (STATES.index(row.state) if row.state else UNKNOWN)
        at_us = row.settled_us
        while at_us < now_us:
            slot = self._terms.calendar.at(at_us)
            self._open(at_us, slot, output)
            assert row.interval is not None
            until_us = min(now_us, slot.until_us)
            if is_watched or until_us <= row.interval.to_us:
                until_us = min(until_us, row.interval.to_us)
                self._spend(at_us, until_us, kind, slot)
            else:  # through many intervals of which nothing is known
                self._skip(at_us, until_us, slot, output)
            at_us = row.settled_us = until_us
            self._end(at_us, output)
        stop = row.stop
        if stop is not None and not stop.is_told and now_us - stop.from_us >= REASON_WITHIN_US:
            self._tell(stop, output)

    def set_back(self, by_us: int, output: Output) -> None:
        """The gateway's clock was set back: what runs is closed, and begins anew."""
        row = self.row
        self._close(output)
        row.part += 1
        row.settled_us -= by_us
        if row.stop is not None:
            row.stop.from_us -= by_us
        for counter in row.counters.values():
            counter.at_us -= by_us
        if row.energy is not None:
            row.energy.at_us -= by_us

    def state(self, state: str, at_us: int, output: Output) -> None:
        """It says what it does; an unknown word is none of the states."""
        row = self.row
        if state not in STATES:
            self._lose(is_dark=False)
            return
        before, row.state = row.state, state
        is_exact = bool(before)
        before = before or row.last_state
        row.last_state = state
        stop = row.stop
        if state == STATES[0]:
            if stop is not None:
                row.stop = None
                self._ended(stop, at_us, output, is_exact=is_exact)
        elif stop is None:
            row.stops += 1
            stop = row.stop = Stop(row.stops, at_us, state, row.reason, is_exact, here_us=[0, 0], here_counts=[0, 0])
            stop.is_told = before != STATES[0]  # it stood already when it was first heard
            if not stop.is_told:
                self._count(stop, output)
        elif not stop.is_told:
            stop.state = state

    def reason(self, text: str) -> None:
        """It says why it stands."""
        row = self.row
        row.reason = text[:MOST_REASON]
        stop = row.stop
        if stop is None or not row.reason or (stop.reason and stop.is_told):
            return
        for number, each in enumerate((row.interval, row.shift)):
            if each is not None and (stop.here_us[number] or stop.here_counts[number]):
                each.stand(_label(stop.reason), -stop.here_us[number], -stop.here_counts[number])
                each.stand(_label(row.reason), stop.here_us[number], stop.here_counts[number])
        stop.reason = row.reason

    def counter(self, name: str, value: Decimal, at_us: int, output: Output) -> None:
        """One of its counters shows `value`."""
        row, settings = self.row, self._settings
        slot = self._terms.calendar.at(at_us)
        self._open(at_us, slot, output)
        before = row.counters.get(name)
        row.counters[name] = Counter(value, at_us)
        if before is None:
            self._add(name, Decimal(0), slot, is_dark=False)
            return
        found = counted(before.value, value, at_us - before.at_us, settings)
        if found.event:
            fields = {
                "signal": getattr(settings, name),
                "before": float(before.value),
                "after": float(value),
                "elapsed_s": (at_us - before.at_us) / 1e6,
            }
            output.event(found.event, settings, at_us, fields, name, str(before.value), str(value))
        if found.units is None:
            for each in self._running():
                each.resets += 1
        else:
            self._add(name, found.units, slot, is_dark=before.is_dark)

    def meter(self, value_wh: Decimal, at_us: int, output: Output) -> None:
        """The register of its meter shows so much; what it rose by is shared out evenly over the time since."""
        row = self.row
        self._open(at_us, self._terms.calendar.at(at_us), output)
        before, row.energy = row.energy, Energy(value_wh, at_us)
        if before is None:
            return
        passed_us, rose = at_us - before.at_us, value_wh - before.value_wh
        if rose >= 0 and 0 < passed_us <= self._terms.energy_gap_us:

            def up_to(instant_us: int) -> Decimal:
                return rose if instant_us == at_us else (rose * (instant_us - before.at_us) / passed_us).quantize(_WH)

            for each in (*self._running(), row.last, row.last_shift):
                if each is not None:
                    from_us, to_us = max(before.at_us, each.from_us), min(at_us, each.to_us)
                    if to_us > from_us:
                        each.energy_wh += up_to(to_us) - up_to(from_us)
                        each.covered_us += to_us - from_us
        self._finish(output)

    def _finish(self, output: Output) -> None:
        """Periods that have ended have the energy of their end now, or never will."""
        row = self.row
        for ended in (row.last, row.last_shift):
            if ended is not None and ended.covered_us:
                output.period(self._settings, ended)
        if row.last_shift is not None:
            output.shift_energy(self._settings, row.last_shift)
        row.last = row.last_shift = None

    def _running(self) -> Iterator[Period]:
        for each in (self.row.interval, self.row.shift):
            if each is not None:
                yield each

    def _open(self, at_us: int, slot: Slot, output: Output) -> None:
        row, grid, shift = self.row, self._terms.grid, self.row.shift
        if shift is not None and slot.shift != (shift.shift, shift.from_us, shift.to_us):  # another calendar is set
            output.period(self._settings, shift)
            row.shift = None
        if row.interval is None:
            start_us = grid.start_us(grid.index(at_us))
            row.interval = period("", start_us, start_us + grid.length_us, at_us, row.part)
            self._here(0)
        if row.shift is None and slot.shift is not None:
            row.shift = period(slot.shift.name, slot.shift.from_us, slot.shift.to_us, at_us, row.part)
            self._here(1)

    def _here(self, number: int) -> None:
        if self.row.stop is not None:
            self.row.stop.here_us[number] = self.row.stop.here_counts[number] = 0

    def _spend(self, from_us: int, to_us: int, kind: int, slot: Slot) -> None:
        """Add a time of one kind to what runs."""
        us, stop = to_us - from_us, self.row.stop
        if stop is not None:
            if kind in (UNKNOWN, NO_DATA):
                stop.dark_us += us
            else:
                stop.stood_us += us
        for number, each in enumerate((self.row.interval, self.row.shift)):
            if each is None:
                continue
            (each.planned if slot.is_planned else each.unplanned)[kind] += us
            each.until_us = to_us
            if stop is not None and slot.is_planned and kind < UNKNOWN:
                each.stand(_label(stop.reason), us)
                stop.here_us[number] += us

    def _skip(self, from_us: int, to_us: int, slot: Slot, output: Output) -> None:
        row, grid = self.row, self._terms.grid
        interval, row.interval = row.interval, None
        assert interval is not None
        rest = interval.to_us - from_us
        (interval.planned if slot.is_planned else interval.unplanned)[NO_DATA] += rest
        interval.until_us = interval.to_us
        output.period(self._settings, interval)
        self._spend(from_us, to_us, NO_DATA, slot)  # of the shift alone
        start_us = grid.start_us(grid.index(to_us))
        row.interval = period("", start_us, start_us + grid.length_us, start_us, row.part)
        self._here(0)
        (row.interval.planned if slot.is_planned else row.interval.unplanned)[NO_DATA] += to_us - start_us
        row.interval.until_us = to_us

    def _end(self, at_us: int, output: Output) -> None:
        """Tell what ends at this instant."""
        row = self.row
        interval, shift = row.interval, row.shift
        ends_shift = shift is not None and at_us >= shift.to_us
        if interval is not None and at_us >= interval.to_us:
            output.period(self._settings, interval)
            row.last, row.interval = (interval if self._settings.meter else None), None
            if shift is not None and not ends_shift:
                output.period(self._settings, shift)  # as far as it has come
        if shift is not None and ends_shift:
            output.period(self._settings, shift)
            output.shift_ended(self._settings, shift)
            row.last_shift, row.shift = (shift if self._settings.meter else None), None

    def _close(self, output: Output) -> None:
        for each in self._running():
            output.period(self._settings, each)
        self.row.interval = self.row.shift = self.row.last = self.row.last_shift = None

    def _lose(self, *, is_dark: bool = True) -> None:
        row = self.row
        row.state = ""
        if is_dark:
            row.reason = ""
            for counter in row.counters.values():
                counter.is_dark = True

    def _count(self, stop: Stop, output: Output) -> None:
        slot = self._terms.calendar.at(stop.from_us)
        self._open(stop.from_us, slot, output)
        if slot.is_planned:
            for number, each in enumerate((self.row.interval, self.row.shift)):
                if each is not None:
                    each.stand(_label(stop.reason), 0, 1)
                    stop.here_counts[number] = 1

    def _add(self, name: str, units: Decimal, slot: Slot, *, is_dark: bool) -> None:
        for each in self._running():
            made: Made = each.unwatched if is_dark else (each.made if slot.is_planned else each.beside)
            made.add(name, units)

    def _tell(self, stop: Stop, output: Output) -> None:
        stop.is_told = True
        fields = {"state": stop.state, "reason": stop.reason or None, "is_exact": stop.is_exact}
        output.event("machine_stopped", self._settings, stop.from_us, fields, stop.number)

    def _ended(self, stop: Stop, at_us: int, output: Output, *, is_exact: bool) -> None:
        if not stop.is_told:
            self._tell(stop, output)
        fields = {
            "state": stop.state,
            "reason": stop.reason or None,
            "stopped_at_us": stop.from_us,
            "stood_s": float(seconds(stop.stood_us)),
            "no_data_s": float(seconds(stop.dark_us)),
            "is_exact": stop.is_exact and is_exact and not stop.dark_us,
        }
        output.event("machine_started", self._settings, at_us, fields, stop.number)


def _label(reason: str) -> str:
    return reason or UNSAID
