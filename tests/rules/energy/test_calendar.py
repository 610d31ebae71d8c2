from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.config.energy import DayKind, TariffCalendar, TariffDay
from rules.energy import calendar
from rules.energy.calendar import calendars

SHANGHAI = ZoneInfo("Asia/Shanghai")
SUMMER = TariffDay(
    first="07-01", last="08-31", days=[DayKind.MONDAY, DayKind.TUESDAY, DayKind.WEDNESDAY, DayKind.THURSDAY,
                                       DayKind.FRIDAY],
    tariffs={"00:00": "valley", "08:00": "peak", "11:00": "sharp", "12:00": "peak", "22:00": "flat"},
)  # fmt: skip
HOLIDAY = TariffDay(days=[DayKind.HOLIDAY], tariffs={"00:00": "deep_valley"})
OTHER = TariffDay(tariffs={"00:00": "valley", "07:00": "flat"})
EDITIONS = [
    TariffCalendar(name="industry", valid_from=date(2027, 1, 1), day=[TariffDay(tariffs={"00:00": "flat"})]),
    TariffCalendar(
        name="industry", valid_from=date(2026, 1, 1), holidays=[date(2026, 10, 1)], day=[SUMMER, HOLIDAY, OTHER]
    ),
]


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("when", "tariff"),
    [
        ("2026-07-01 00:00", "valley"),  # a Wednesday
        ("2026-07-01 07:59:59", "valley"),
        ("2026-07-01 08:00", "peak"),
        ("2026-07-01 11:30", "sharp"),
        ("2026-07-01 12:00", "peak"),
        ("2026-07-01 23:59", "flat"),
        ("2026-07-04 11:30", "flat"),  # a Saturday in summer
        ("2026-06-30 11:30", "flat"),
        ("2026-10-01 11:30", "deep_valley"),
        ("2026-12-31 23:59", "flat"),
        ("2028-02-29 03:00", "flat"),
    ],
)
def test_tariff_in_force(when: str, tariff: str) -> None:
    found = calendars(EDITIONS, SHANGHAI)["industry"].at(at(when))
    assert found is not None
    assert found.tariff == tariff
    assert found.calendar == ("industry of 2027-01-01" if when >= "2027" else "industry of 2026-01-01")


def test_before_the_first_edition_there_is_none() -> None:
    found = calendars(EDITIONS, SHANGHAI)["industry"]
    assert found.at(at("2025-12-31 23:59")) is None
    assert found.at(at("2026-01-01 00:00")) is not None


def test_days_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendar, "MOST_DAYS", 2)
    found = calendars(EDITIONS, SHANGHAI)["industry"]
    for day in range(1, 9):
        assert found.at(at(f"2026-07-0{day} 03:00")) is not None
    assert len(found._days) == 2


def test_summer_time_is_that_of_the_site() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    found = calendars([TariffCalendar(name="n", valid_from=date(2026, 1, 1), day=[OTHER])], berlin)["n"]
    for day, hour in (("2026-01-15", 6), ("2026-07-15", 5)):
        begins_us = round(datetime.fromisoformat(f"{day} {hour:02}:00+00:00").timestamp() * 1e6)
        before, after = found.at(begins_us - 1), found.at(begins_us)
        assert before is not None
        assert after is not None
        assert (before.tariff, after.tariff) == ("valley", "flat")
