"""Which tariff is in force when, by the dated calendars of the site file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Final

from gateway.config.energy import LEAP_YEAR, DayKind, TariffCalendar, TariffDay, minutes_of

MOST_DAYS: Final = 1_000
"""Days whose tariffs are remembered."""
_WEEK: Final = tuple(DayKind)[:7]


@dataclass(frozen=True, slots=True)
class InForce:
    """A tariff, and the calendar that says so, with the first day of its edition."""

    tariff: str
    calendar: str


class Calendar:
    """All editions of one calendar."""

    def __init__(self, editions: Sequence[TariffCalendar], zone: tzinfo) -> None:
        self._editions = sorted(editions, key=lambda edition: edition.valid_from)
        self._zone = zone
        self._days: dict[date, tuple[list[int], list[InForce]] | None] = {}

    def at(self, at_us: int) -> InForce | None:
        """The tariff in force; None before the first edition."""
        local = datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(self._zone)
        day = local.date()
        if day not in self._days:
            if len(self._days) >= MOST_DAYS:
                self._days.clear()
            self._days[day] = self._day(day)
        found = self._days[day]
        if found is None:
            return None
        minutes, tariffs = found
        return tariffs[bisect_right(minutes, local.hour * 60 + local.minute) - 1]

    def _day(self, day: date) -> tuple[list[int], list[InForce]] | None:
        edition = next((each for each in reversed(self._editions) if each.valid_from <= day), None)
        if edition is None:
            return None
        name = f"{edition.name} of {edition.valid_from.isoformat()}"
        times = sorted(_kind(edition, day).tariffs.items())
        return [minutes_of(time) for time, _ in times], [InForce(tariff, name) for _, tariff in times]


def calendars(tables: Sequence[TariffCalendar], zone: tzinfo) -> dict[str, Calendar]:
    """The calendars of a site by their names."""
    names = {table.name for table in tables}
    return {name: Calendar([table for table in tables if table.name == name], zone) for name in sorted(names)}


def _kind(edition: TariffCalendar, day: date) -> TariffDay:
    number = day.replace(year=LEAP_YEAR).toordinal()
    kind = DayKind.HOLIDAY if day in edition.holidays else _WEEK[day.weekday()]
    return next(each for each in edition.day if each.covers(number, kind))
