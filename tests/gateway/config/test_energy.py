"""Faults stand in `broken/energy*.toml`; here is what is allowed, and what it means."""

from datetime import UTC, date
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.config.energy import (
    DayKind,
    Energy,
    MeterSettings,
    TariffDay,
    day_number,
    minutes_of,
    settings_of,
    zone_of,
)
from gateway.config.load import load_site

SITE = """
[site]
name = "hamburg"

[[reader]]
name = "substation"
driver = "dlt645"
port = "/dev/ttyUSB0"
settings = { meters = [{ name = "meter-1", address = "1" }] }

[energy]
timezone = "Asia/Shanghai"

[[energy.meter]]
name = "meter-1"
rated_power_w = 100000
ct_ratio = 120
tariff = "industry"

[[energy.tariff]]
name = "industry"
valid_from = 2026-01-01
holidays = [2026-10-01]

[[energy.tariff.day]]
days = ["holiday"]
tariffs = { "00:00" = "valley" }

[[energy.tariff.day]]
tariffs = { "00:00" = "valley", "08:00" = "peak" }

[[energy.tariff]]
name = "industry"
valid_from = 2027-01-01
day = [{ tariffs = { "00:00" = "flat" } }]
"""


def test_a_whole_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    energy = load_site(path).energy
    assert settings_of(energy).keys() == {"meter-1"}
    assert settings_of(energy)["meter-1"].ct_ratio == 120
    assert [edition.valid_from for edition in energy.tariff] == [date(2026, 1, 1), date(2027, 1, 1)]
    assert str(zone_of(energy)) == "Asia/Shanghai"


def test_nothing_needs_to_be_set() -> None:
    energy = Energy()
    assert zone_of(energy) is UTC
    assert MeterSettings(name="m").full_scale_wh == 1_000_000_000


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_known_zones(zone: str) -> None:
    assert Energy(timezone=zone).timezone == zone


@pytest.mark.parametrize("zone", ["", "/etc/passwd", "../UTC", "Europe", "Mars/Base"])
def test_unknown_zones(zone: str) -> None:
    with pytest.raises(ValidationError, match="is no time zone"):
        Energy(timezone=zone)


@pytest.mark.parametrize(
    ("first", "last", "inside", "outside"),
    [
        ("07-01", "08-31", ["07-01", "08-31"], ["06-30", "09-01"]),
        ("12-01", "02-29", ["12-01", "12-31", "01-01", "02-29"], ["03-01", "11-30"]),
        ("05-05", "05-05", ["05-05"], ["05-04", "05-06"]),
    ],
)
def test_a_season_may_span_new_year(first: str, last: str, inside: list[str], outside: list[str]) -> None:
    day = TariffDay(first=first, last=last, tariffs={"00:00": "flat"})
    assert all(day.covers(day_number(text), DayKind.MONDAY) for text in inside)
    assert not any(day.covers(day_number(text), DayKind.MONDAY) for text in outside)


def test_kinds_of_days() -> None:
    day = TariffDay(days=[DayKind.SATURDAY, DayKind.HOLIDAY], tariffs={"00:00": "flat"})
    assert [kind for kind in DayKind if day.covers(day_number("01-01"), kind)] == [DayKind.SATURDAY, DayKind.HOLIDAY]


def test_a_day_begins_with_a_tariff() -> None:
    with pytest.raises(ValidationError, match='one must begin at "00:00"'):
        TariffDay(tariffs={"08:00": "flat"})


def test_minutes_of_a_time() -> None:
    assert [minutes_of(time) for time in ("00:00", "08:20", "23:59")] == [0, 500, 1439]
