from __future__ import annotations

import random
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.config.energy import Energy
from gateway.config.machines import Production, ShiftCalendar, ShiftSettings
from gateway.config.models import Site, SiteFile
from rules.machines.shifts import Calendar
from rules.planned import PlannedTime, planned_times

DAY = ShiftSettings(name="day", begin="06:00", end="14:00", breaks=["09:00-09:30"])
NIGHT = ShiftSettings(name="night", begin="22:00", end="02:00")
SETTINGS = ShiftCalendar(name="works", shift=[DAY, NIGHT])
BERLIN = ZoneInfo("Europe/Berlin")


def us(text: str, zone: ZoneInfo = BERLIN) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("at", "is_planned"),
    [
        ("2026-03-03T05:59:59", False),
        ("2026-03-03T06:00:00", True),
        ("2026-03-03T09:00:00", False),
        ("2026-03-03T09:30:00", True),
        ("2026-03-03T14:00:00", False),
        ("2026-03-04T01:59:59", True),
        ("2026-03-04T02:00:00", False),
    ],
)
def test_planned_are_shifts_without_their_breaks(at: str, is_planned: bool) -> None:  # noqa: FBT001  # a column
    assert PlannedTime(Calendar(SETTINGS, BERLIN)).holds(us(at)) is is_planned


def test_it_says_the_same_in_whatever_order_it_is_asked() -> None:
    rng = random.Random(1)
    planned, calendar = PlannedTime(Calendar(SETTINGS, BERLIN)), Calendar(SETTINGS, BERLIN)
    start_us = us("2026-03-28T00:00:00")  # the clocks change in the night to the 29th
    at_us = start_us
    for _ in range(3000):
        at_us += rng.choice((1, -1, 3)) * rng.randrange(3_600_000_000)
        assert planned.holds(at_us) is calendar.at(at_us).is_planned


@pytest.mark.parametrize("at_us", [-1, 1 << 62, 250_000_000_000_000_000, -(1 << 63)])
def test_a_time_that_no_clock_shows_is_not_planned(at_us: int) -> None:
    assert not PlannedTime(Calendar(SETTINGS, BERLIN)).holds(at_us)


def test_calendars_keep_the_time_of_the_books() -> None:
    def site(zone: str | None, energy: str) -> SiteFile:
        return SiteFile(
            site=Site(name="harbour"),
            energy=Energy(timezone=energy),
            production=Production(calendar=[SETTINGS], timezone=zone),
        )

    at_us = us("2026-03-03T06:30:00")
    assert planned_times(site("Europe/Berlin", "Asia/Shanghai"))["works"].holds(at_us)
    assert planned_times(site(None, "Europe/Berlin"))["works"].holds(at_us)
    assert not planned_times(site(None, "Asia/Tokyo"))["works"].holds(at_us)
