"""The calendar of a rule: what happens outside its planned time does not concern it."""

from __future__ import annotations

from typing import Final

from gateway.config.models import SiteFile
from rules.machines.shifts import Calendar, Slot

MOST_US: Final = 250_000_000_000_000_000
"""The year 9892: later times, which no device means, are not planned."""


class PlannedTime:
    """The planned time of one calendar."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._from_us = 0
        self._slot = Slot(0, is_planned=False, shift=None)

    def holds(self, at_us: int) -> bool:
        """Whether this instant is planned."""
        if self._from_us <= at_us < self._slot.until_us:
            return self._slot.is_planned
        if not 0 <= at_us < MOST_US:
            return False
        self._slot = self._calendar.at(at_us)
        self._from_us = at_us
        return self._slot.is_planned


def planned_times(site: SiteFile) -> dict[str, PlannedTime]:
    """The planned time of each calendar of a site, by its name."""
    zone = site.production.zone(site.energy)
    return {each.name: PlannedTime(Calendar(each, zone)) for each in site.production.calendar}
