"""When machines are planned to run, by the calendars of the site file."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from gateway.config.energy import DayKind, minutes_of
from gateway.config.machines import WEEK, ShiftCalendar, ShiftSettings

MOST_DAYS: Final = 1_000
"""Days whose shifts are remembered."""
US_PER_S: Final = 1_000_000
FAR_US: Final = 1 << 60
_MINUTES: Final = 1440


class Shift(NamedTuple):
    """One shift of one day."""

    name: str
    from_us: int
    to_us: int


class Slot(NamedTuple):
    """What is planned up to `until_us`."""

    until_us: int
    is_planned: bool
    shift: Shift | None


ALWAYS: Final = Slot(FAR_US, is_planned=True, shift=None)


class Calendar:
    """One calendar; without settings, all time is planned, and there are no shifts."""

    def __init__(self, settings: ShiftCalendar | None, zone: tzinfo) -> None:
        self._settings = settings
        self._zone = zone
        self._days: dict[date, list[tuple[Shift, list[tuple[int, int]]]]] = {}

    def at(self, at_us: int) -> Slot:
        """What is planned from this instant on."""
        if self._settings is None:
            return ALWAYS
        day = datetime.fromtimestamp(at_us // US_PER_S, UTC).astimezone(self._zone).date()
        for offset in (-1, 0, 1):
            for shift, breaks in self._shifts(day + timedelta(days=offset)):
                if at_us < shift.from_us:
                    return Slot(shift.from_us, is_planned=False, shift=None)
                if at_us < shift.to_us:
                    return _inside(shift, breaks, at_us)
        return Slot(self._instant(day + timedelta(days=2), 0), is_planned=False, shift=None)

    def _shifts(self, day: date) -> list[tuple[Shift, list[tuple[int, int]]]]:
        found = self._days.get(day)
        if found is None:
            if len(self._days) >= MOST_DAYS:
                self._days.clear()
            found = self._days[day] = self._of(day)
        return found

    def _of(self, day: date) -> list[tuple[Shift, list[tuple[int, int]]]]:
        assert self._settings is not None
        kind = DayKind.HOLIDAY if day in self._settings.holidays else WEEK[day.weekday()]
        found = [self._shift(day, each) for each in self._settings.shift if each.covers(kind)]
        return sorted((each for each in found if each[0].to_us > each[0].from_us), key=lambda each: each[0].from_us)

    def _shift(self, day: date, settings: ShiftSettings) -> tuple[Shift, list[tuple[int, int]]]:
        begin = minutes_of(settings.begin)
        shift = Shift(settings.name, self._instant(day, begin), self._instant(day, begin + settings.length_min))
        breaks = [
            (self._instant(day, begin + start), self._instant(day, begin + end)) for start, end in settings.pauses
        ]
        return shift, breaks

    def _instant(self, day: date, minute: int) -> int:
        """A time of the wall clock, `minute` minutes after the midnight before that day."""
        shown = day + timedelta(days=minute // _MINUTES)
        local = datetime(shown.year, shown.month, shown.day, minute % _MINUTES // 60, minute % 60, tzinfo=self._zone)
        return round(local.timestamp()) * US_PER_S


def _inside(shift: Shift, breaks: list[tuple[int, int]], at_us: int) -> Slot:
    for start_us, end_us in breaks:
        if at_us < start_us:
            return Slot(start_us, is_planned=True, shift=shift)
        if at_us < end_us:
            return Slot(end_us, is_planned=False, shift=shift)
    return Slot(shift.to_us, is_planned=True, shift=shift)
