from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gateway.event_journal import US_PER_DAY, day_files
from gateway.history import KnownSeries, SeriesKey, known_series
from tests.gateway.history.day_rows import S, days, rate, signal, write
from tests.gateway.journal_rows import NOON_US, reading


@pytest.mark.parametrize("made_by_first_version", [False, True])
def test_all_that_can_be_drawn_is_listed(tmp_path: Path, *, made_by_first_version: bool) -> None:
    write(
        tmp_path,
        readings=[reading(NOON_US - US_PER_DAY, "1"), reading(NOON_US, "2")],
        signals=[signal(NOON_US, 5.0), signal(NOON_US + S, 6.0), signal(NOON_US, "EXECUTE", name="state")],
        read_rates=[rate(NOON_US, "1", 5)],
    )
    if made_by_first_version:
        for _, path in day_files(tmp_path):
            with sqlite3.connect(path) as connection:
                connection.executescript("DROP TRIGGER signals_to_minutes; DROP TABLE signal_minutes")
            connection.close()
    span = (NOON_US - US_PER_DAY, NOON_US + 9 * S)
    found = known_series(days(tmp_path), *span)
    power = KnownSeries(SeriesKey("reading", "meter-1", "active_power"), "W", NOON_US)
    weight = KnownSeries(SeriesKey("signal", "scale", "weight"), "kg", NOON_US + S)
    assert [each for each in found.series if each.key.kind != "read_rate"] == [power, weight]
    rates = [each.key.name for each in found.series if each.key.kind == "read_rate"]
    assert rates == ["reads", "rssi_max_dbm", "rssi_mean_dbm", "unique_tags", "watched_s"]
    assert {each.key.antenna_port for each in found.series if each.key.kind == "read_rate"} == {"1"}
    assert known_series(days(tmp_path), *span, kind="reading").series == [power]
    assert known_series(days(tmp_path), *span, device="scale").series == [weight]
    assert (found.more, found.damaged) == (False, [])
    with pytest.raises(ValueError, match="at most 92 days"):
        known_series(days(tmp_path), 0, NOON_US)
