import csv
import io
from zoneinfo import ZoneInfo

import pytest

from gateway.console.metering.books import Books, Interval, Intervals
from gateway.console.metering.sheets import bars_sheet, cell, curves_sheet, intervals_sheet, local, registers_sheet
from gateway.history import Curve, Curves, EnergyBar, SeriesKey

JIANGYIN = ZoneInfo("Asia/Shanghai")
NOON_US = 1_767_268_800_000_000
NOON = "2026-01-01T20:00:00+08:00"


def rows(content: bytes) -> list[list[str]]:
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "  =1", "=HYPERLINK(1)"])
def test_nothing_is_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-12.5", "+3", "crane-1", "", 3.5, -4, None, "a=b"])
def test_other_cells_stay_as_they_are(value: object) -> None:
    assert cell(value) == value


def test_curves_have_a_row_for_each_step_that_any_has() -> None:
    power = Curve(SeriesKey("reading", "=m", "active_power"), "W", [0, 2], [1.0, 5], [3, 7], [2, 6], [2.5, 6.5])
    energy = Curve(SeriesKey("reading", "m", "active_energy_import", tariff="2"), "Wh", [2], [9], [9], [9], [9])
    told = rows(curves_sheet(Curves(NOON_US, NOON_US + 1, 60_000_000, [power, energy], ["a.db: broken"]), JIANGYIN))
    assert told[0][:4] == ["time", "time_us", "'=m active_power mean [W]", "'=m active_power low [W]"]
    assert told[0][6] == "m active_energy_import T2 mean [Wh]"
    assert told[1] == [NOON, str(NOON_US), "2", "1.0", "3", "2.5", "", "", "", ""]
    assert told[2][:3] == ["2026-01-01T20:02:00+08:00", str(NOON_US + 120_000_000), "6"]
    assert told[2][6:] == ["9"] * 4
    assert told[3] == ["# not readable, left out: a.db: broken"]


def test_intervals_have_a_row_each_also_those_that_are_missing() -> None:
    known = Interval(NOON_US, NOON_US + 900_000_000, "estimated", 100, 30, {"peak": 60}, 0.8, "CNY", 5, 105)
    missing = Interval(NOON_US + 900_000_000, NOON_US + 1_800_000_000, "missing")
    told = rows(intervals_sheet(Intervals([known, missing], ["flat", "peak"], "Wh", more=True, damaged=[]), JIANGYIN))
    assert told[0][3:7] == ["energy [Wh]", "estimated part [Wh]", "flat [Wh]", "peak [Wh]"]
    assert told[1] == [
        *(NOON, "2026-01-01T20:15:00+08:00", "estimated", "100", "30", "", "60", "5", "105", "0.8", "CNY"),
    ]
    assert told[2][2:4] == ["missing", ""]
    assert told[3][0].startswith("# there are more")


def test_bars_name_their_totals() -> None:
    bars = [EnergyBar(NOON_US, NOON_US + 1, ""), EnergyBar(NOON_US, NOON_US + 1, "peak", 5, 1, 2.5, "CNY", "gap")]
    told = rows(bars_sheet(Books([], bars, [], [], [], 0, [], []), "Wh", JIANGYIN))
    assert [row[2:] for row in told[1:]] == [
        ["total", "0", "0", "", "", ""],
        ["peak", "5", "1", "gap", "2.5", "CNY"],
    ]


def test_registers_are_as_the_meter_tells_them() -> None:
    row = {"quantity": "active_power", "obis": "@x", "value": "-12.50", "unit": "W", "received_at_us": NOON_US}
    told = rows(
        registers_sheet(
            [row, row | {"phase": "a", "quality": "absent", "value": None, "meter_time_us": NOON_US}], JIANGYIN
        )
    )
    assert told[1] == ["active_power", "", "", "-12.50", "W", "good", NOON, "", "'@x"]
    assert told[2][1:8] == ["a", "", "", "W", "absent", NOON, NOON]


def test_a_time_beyond_all_calendars_stays_a_number() -> None:
    assert local(10**18, JIANGYIN) == str(10**18)
