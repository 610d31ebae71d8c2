from __future__ import annotations

from pathlib import Path

import pytest

from gateway.book_tables import BOOK_COLUMNS
from gateway.event_journal import US_PER_DAY, Row
from gateway.history import ProductionRow, StopTotal, production, stop_totals
from tests.gateway.history.day_rows import HOUR, days, write
from tests.gateway.journal_rows import NOON_US


def row(at_us: int, period: str = "interval", **values: float) -> Row:
    keys: dict[str, str | float] = {"machine": "warper-1", "period": period, "shift": "", "unit": "m"}
    given = {**keys, **values, "at_ns": at_us * 1_000}
    return tuple(given.get(column) for column in BOOK_COLUMNS["production"])


def stop(at_us: int, reason: str, stood_s: float, stops: int) -> Row:
    return (at_us * 1_000, "warper-1", "interval", "", reason, stood_s, stops)


def test_production_has_every_column_of_the_book() -> None:
    assert ProductionRow.__struct_fields__[1:] == BOOK_COLUMNS["production"][1:]


def test_intervals_and_shifts_are_told_apart(tmp_path: Path) -> None:
    rows = [row(NOON_US - US_PER_DAY, oee=0.5), row(NOON_US, execute_s=900.0), row(NOON_US, "shift", total=7)]
    write(tmp_path, production=rows)
    found = production(days(tmp_path), "warper-1", NOON_US - US_PER_DAY, NOON_US + HOUR)
    assert [(each.at_us, each.oee, each.execute_s) for each in found.rows] == [
        (NOON_US - US_PER_DAY, 0.5, None),
        (NOON_US, None, 900.0),
    ]
    (shift,) = production(days(tmp_path), "warper-1", NOON_US, NOON_US + HOUR, period="shift").rows
    assert (shift.period, shift.total, shift.unit) == ("shift", 7, "m")
    assert production(days(tmp_path), "warper-1", NOON_US - US_PER_DAY, NOON_US + HOUR, limit=1).more
    assert production(days(tmp_path), "other", NOON_US, NOON_US + HOUR).rows == []


def test_reasons_come_by_the_time_that_they_took(tmp_path: Path) -> None:
    stops = [stop(NOON_US - US_PER_DAY, "yarn", 50.5, 1), stop(NOON_US, "yarn", 49.5, 2), stop(NOON_US, "beam", 200, 1)]
    write(tmp_path, machine_stop=stops)
    found = stop_totals(days(tmp_path), "warper-1", NOON_US - US_PER_DAY, NOON_US + HOUR)
    assert found.stops == [StopTotal("beam", 200, 1), StopTotal("yarn", 100, 3)]
    with pytest.raises(ValueError, match="period = 'week': must be one of interval, shift"):
        stop_totals(days(tmp_path), "warper-1", 0, 1, period="week")
