"""The tables `[production]`, `[[production.machine]]` and `[[production.calendar]]`: how machines are accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, tzinfo
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from gateway.config.energy import DayKind, Energy, TimeOfDay, minutes_of, zone_of
from gateway.config.faults import Faults
from gateway.config.phrases import nearest
from gateway.config.positions import Path
from gateway.config.table import Name, Table
from readers.driver import DriverSettings
from readers.machine_states import BAD_COUNT, GOOD_COUNT, STATE, STOP_REASON, TOTAL_COUNT

Break = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$")]

MINUTES: Final = 1440
WEEK: Final = tuple(DayKind)[:7]
UNPLANNED: Final = "unplanned"
"""No name of a shift."""


class ShiftSettings(Table):
    """A shift of a calendar: time in which the machine is planned to run, without its breaks."""

    name: Name = Field(description="Name of the shift.")
    days: list[DayKind] = Field(
        default=[], description="Days on which it begins: mon ... sun, holiday; empty for all but holidays."
    )
    begin: TimeOfDay = Field(description="When it begins, HH:MM.")
    end: TimeOfDay = Field(description="When it ends; at or before `begin`, it is the next day.")
    breaks: list[Break] = Field(default=[], max_length=12, description='Times that are not planned: "09:00-09:15".')

    @property
    def length_min(self) -> int:
        """Its length on a day without a change of clocks."""
        return (minutes_of(self.end) - minutes_of(self.begin) - 1) % MINUTES + 1

    @property
    def pauses(self) -> list[tuple[int, int]]:
        """Its breaks in minutes after its beginning, in order."""
        begin = minutes_of(self.begin)
        found = []
        for text in self.breaks:
            first, _, last = text.partition("-")
            start = (minutes_of(first) - begin) % MINUTES
            found.append((start, start + (minutes_of(last) - minutes_of(first)) % MINUTES))
        return sorted(found)

    @field_validator("name")
    @classmethod
    def _is_a_shift(cls, text: str) -> str:
        if text == UNPLANNED:
            raise ValueError("stands for time that is no shift; choose another name")
        return text

    @model_validator(mode="after")
    def _holds_breaks(self) -> Self:
        before = 0
        for start, end in self.pauses:
            if end == start or start < before or end > self.length_min:
                raise ValueError("breaks: each must lie inside the shift, and after the one before")
            before = end
        return self

    def covers(self, kind: DayKind) -> bool:
        """Whether it begins on days of this kind."""
        return kind in self.days if self.days else kind is not DayKind.HOLIDAY


class ShiftCalendar(Table):
    """A calendar of shifts; machines name it."""

    name: Name = Field(description="Name of the calendar.")
    holidays: list[date] = Field(default=[], description="Days that count as `holiday`, whatever day of the week.")
    shift: list[ShiftSettings] = Field(min_length=1, max_length=50, description="Its shifts.")

    @model_validator(mode="after")
    def _never_two_at_once(self) -> Self:
        spans: list[tuple[int, int, str]] = []
        for shift in self.shift:
            for day, kind in enumerate(WEEK):
                if shift.covers(kind):
                    start = day * MINUTES + minutes_of(shift.begin)
                    spans.append((start, start + shift.length_min, shift.name))
        spans.sort()
        week = len(WEEK) * MINUTES
        wrapped = [*spans, *((start + week, end + week, name) for start, end, name in spans[:1])]
        for (_, end, name), (start, _, other) in pairwise(wrapped):
            if start < end:
                raise ValueError(f"shift: {name} and {other} overlap on {WEEK[start // MINUTES % len(WEEK)].value}")
        return self


class MachineSettings(Table):
    """One machine that is accounted for."""

    name: Name = Field(description="Name of the machine in the books.")
    device: Name | None = Field(None, description="Whose signals tell of it; its name when absent.")
    state: Name = Field(STATE, description="Signal of its state, in the words of PackML.")
    stop_reason: Name = Field(STOP_REASON, description="Signal that says why it stands.")
    total: Name = Field(TOTAL_COUNT, description="Counter of everything that it made.")
    good: Name = Field(GOOD_COUNT, description="Counter of what of it is good.")
    bad: Name = Field(BAD_COUNT, description="Counter of the rest; any two of the three make the third.")
    unit: Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f]{1,16}$")] = Field(
        "piece", description='Unit of the counters, as in "m" or "piece".'
    )
    ideal_rate_per_min: float | None = Field(
        None, gt=0, description="Units a minute that it makes at its best: what performance is measured by."
    )
    counter_wraps_at: float | None = Field(
        None, gt=1, description="Where its counters start again from 0 by themselves: 65536, 4294967296, 1000000."
    )
    meter: Name | None = Field(None, description="The meter whose energy is its own.")
    calendar: Name | None = Field(None, description="Its calendar of shifts; without one, all time is planned.")

    @property
    def heard_from(self) -> str:
        """The device whose signals tell of it."""
        return self.device or self.name

    @model_validator(mode="after")
    def _tells_signals_apart(self) -> Self:
        names = [self.state, self.stop_reason, self.total, self.good, self.bad]
        if len(set(names)) < len(names):
            raise ValueError("state, stop_reason, total, good and bad must be different signals")
        return self


class Production(Table):
    """Machine books: what machines did with their time, what they made, and what energy it took."""

    interval_min: Literal[5, 10, 15, 20, 30, 60] = Field(
        15, description="Length of an interval of the books, in minutes."
    )
    timezone: str | None = Field(None, description="Whose days and hours count; that of [energy] when absent.")
    energy_gap_s: float = Field(
        1200, ge=60, le=86_400, description="Readings of a meter further apart than this are not shared out."
    )
    machine: list[MachineSettings] = Field(default=[], description="The machines.")
    calendar: list[ShiftCalendar] = Field(default=[], description="Calendars of shifts.")

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, text: str | None) -> str | None:
        try:
            if text is not None:
                _zone(text)
        except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; a directory is an OSError
            raise ValueError("is no time zone of this host; write it as in Asia/Shanghai or Europe/Berlin") from None
        return text

    def zone(self, energy: Energy) -> tzinfo:
        """The time zone of these books."""
        return zone_of(energy) if self.timezone is None else _zone(self.timezone)


def _zone(name: str) -> tzinfo:
    return zone_of(Energy.model_construct(timezone=name))


def check_machines(faults: Faults, settings: Mapping[int, DriverSettings], *, whole: bool) -> None:
    """Add what is wrong between the tables of `[production]`, and between them and the readers.

    `settings` are those of the readers, by their index in the file; in a file that is `whole` a name that is not found
    does not exist.
    """
    table = faults.value(("production",))
    if not whole or not isinstance(table, Mapping):
        return
    production = Production.model_validate(table)
    devices = {str(faults.value(("reader", index, "name"))) for index in settings}
    devices |= {source for each in settings.values() for source in each.sources()}
    _names(faults, production, devices)


def _names(faults: Faults, production: Production, devices: set[str]) -> None:
    calendars: set[str] = set()
    for index, calendar in enumerate(production.calendar):
        if calendar.name in calendars:
            faults.add(
                ("production", "calendar", index, "name"), "another [[production.calendar]] has this name already"
            )
        calendars.add(calendar.name)
    taken: set[str] = set()
    for index, machine in enumerate(production.machine):
        path: Path = ("production", "machine", index)
        if machine.name in taken:
            faults.add((*path, "name"), "another [[production.machine]] has this name already")
        taken.add(machine.name)
        if machine.heard_from not in devices:
            key = "name" if machine.device is None else "device"
            faults.add((*path, key), f"no reader has this device{nearest(machine.heard_from, devices)}")
        if machine.meter is not None and machine.meter not in devices:
            faults.add((*path, "meter"), f"no reader has this meter{nearest(machine.meter, devices)}")
        if machine.calendar is not None and machine.calendar not in calendars:
            text = f"no [[production.calendar]] has this name{nearest(machine.calendar, calendars)}"
            faults.add((*path, "calendar"), text)
