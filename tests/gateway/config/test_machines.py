"""Faults stand in `broken/production*.toml`; here is what is allowed, and what it means."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from gateway.config.energy import DayKind, Energy
from gateway.config.load import load_site
from gateway.config.machines import MachineSettings, Production, ShiftCalendar, ShiftSettings

SITE = """
[site]
name = "mill"

[[reader]]
name = "plc-1"
driver = "opcua"
port = "opc.tcp://10.0.0.7"
settings = { signals = [{ name = "machine_state", node = "ns=2;s=State", machine = "warper-1" }] }

[[reader]]
name = "substation"
driver = "dlt645"
port = "/dev/ttyUSB0"
settings = { meters = [{ name = "meter-1", address = "1" }] }

[production]
timezone = "Asia/Shanghai"

[[production.machine]]
name = "warper-1"
unit = "m"
ideal_rate_per_min = 600
meter = "meter-1"
calendar = "three"

[[production.calendar]]
name = "three"
holidays = [2026-10-01]
shift = [
    { name = "early", begin = "06:00", end = "14:00", breaks = ["09:00-09:15", "12:00-12:30"] },
    { name = "late", begin = "14:00", end = "22:00" },
    { name = "night", begin = "22:00", end = "06:00", days = ["mon", "tue", "wed", "thu"] },
]
"""


def test_a_whole_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(SITE)
    production = load_site(path).production
    (machine,) = production.machine
    assert (machine.heard_from, machine.state, machine.total) == ("warper-1", "machine_state", "total_count")
    assert production.zone(Energy()) == ZoneInfo("Asia/Shanghai")
    assert Production().zone(Energy(timezone="Europe/Berlin")) == ZoneInfo("Europe/Berlin")


def shift(**more: Any) -> ShiftSettings:
    return ShiftSettings.model_validate({"name": "s", "begin": "22:00", "end": "06:00", **more})


def test_lengths_and_breaks_are_minutes_after_the_beginning() -> None:
    night = shift(breaks=["23:50-00:20", "02:00-02:30"])
    assert night.length_min == 480
    assert night.pauses == [(110, 140), (240, 270)]
    assert shift(begin="06:00", end="06:00").length_min == 1440


@pytest.mark.parametrize("breaks", [["21:00-22:30"], ["05:30-06:30"], ["01:00-01:00"], ["01:00-02:00", "01:30-03:00"]])
def test_breaks_lie_inside_and_apart(breaks: list[str]) -> None:
    with pytest.raises(ValidationError, match="each must lie inside"):
        shift(breaks=breaks)


def test_a_shift_without_days_begins_on_all_but_holidays() -> None:
    assert [kind for kind in DayKind if not shift().covers(kind)] == [DayKind.HOLIDAY]
    assert [kind for kind in DayKind if shift(days=["sat", "holiday"]).covers(kind)] == [
        DayKind.SATURDAY, DayKind.HOLIDAY,
    ]  # fmt: skip


def calendar(*shifts: tuple[str, str, list[str]]) -> ShiftCalendar:
    tables = [{"name": f"s{n}", "begin": b, "end": e, "days": days} for n, (b, e, days) in enumerate(shifts)]
    return ShiftCalendar.model_validate({"name": "c", "shift": tables})


def test_shifts_may_touch_and_never_overlap_not_even_over_the_week_end() -> None:
    calendar(("06:00", "14:00", []), ("14:00", "22:00", []), ("22:00", "06:00", []))
    calendar(("22:00", "06:00", ["sun"]), ("06:00", "14:00", ["mon"]))
    wrong: list[list[tuple[str, str, list[str]]]] = [
        [("06:00", "14:00", []), ("13:59", "15:00", ["wed"])],
        [("22:00", "06:00", ["sun"]), ("05:59", "14:00", ["mon"])],
        [("06:00", "14:00", []), ("06:00", "14:00", [])],
    ]
    for shifts in wrong:
        with pytest.raises(ValidationError, match="overlap on"):
            calendar(*shifts)


def test_a_machine_tells_its_signals_apart() -> None:
    with pytest.raises(ValidationError, match="must be different signals"):
        MachineSettings(name="w", good="total_count")
