from __future__ import annotations

import sqlite3
from pathlib import Path

from gateway.book_tables import BOOK_COLUMNS, BOOK_KEYS, BOOK_SCHEMA
from gateway.contract.measurements import MEASUREMENTS
from gateway.event_journal import EventJournal, Row, day_files

NOON_US = 1_767_268_800_000_000
KEY = (NOON_US * 1000, "meter-1", "active_energy_import", "Wh", "", "", "meter", "20260101T000000Z")


def interval(energy: str, quality: str = "gap", tariff: str = "") -> Row:
    key = (*KEY[:5], tariff, *KEY[6:])
    return (*key, energy, "0", quality, "0", energy, "1", NOON_US, NOON_US + 900_000_000, None, "1.25", "CNY")


def journal(directory: Path) -> EventJournal:
    return EventJournal(directory, keep_days=7, now_us=lambda: NOON_US)


def asked(directory: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(day_files(directory)[0][1])
    found = connection.execute(sql).fetchall()
    connection.close()
    return found


def test_columns_are_those_of_the_measurements_and_of_the_tables(tmp_path: Path) -> None:
    journal(tmp_path).append([{"energy": [interval("1")]}])
    for name, columns in BOOK_COLUMNS.items():
        measurement = MEASUREMENTS[name]
        assert set(columns) == {"at_ns", *measurement.tags, *measurement.fields} - {"site"}
        assert BOOK_KEYS[name] == set(measurement.tags) - {"site"}
        info = asked(tmp_path, f"PRAGMA table_info({name})")
        assert [row[1] for row in info] == list(columns)
        own = {"id"} if name == "figure" else set()  # two events of one moment are two
        assert {row[1] for row in info if row[5]} == {"at_ns", *BOOK_KEYS[name], *own} - {"unit"}


def test_a_correction_takes_the_place_of_what_was(tmp_path: Path) -> None:
    made = journal(tmp_path)
    made.append([{"energy": [interval("15000"), interval("9000", tariff="peak")]}])
    made.append([{"energy": [interval("14980", "backfilled")]}])
    made.close()
    assert asked(tmp_path, "SELECT tariff, energy, quality FROM energy ORDER BY tariff") == [
        ("", 14980, "backfilled"), ("peak", 9000, "gap"),
    ]  # fmt: skip


def test_sums_are_exact(tmp_path: Path) -> None:
    made = journal(tmp_path)
    large = 9_007_199_254_740_993  # beyond what a float holds
    rows = [(NOON_US * 1000 + n, *interval(str(large))[1:]) for n in range(3)]
    assert made.append([{"energy": rows}]) == []
    made.close()
    assert asked(tmp_path, "SELECT sum(energy), typeof(sum(energy)) FROM energy") == [(3 * large, "integer")]
    assert asked(tmp_path, "SELECT typeof(energy) FROM energy LIMIT 1") == [("integer",)]


def test_a_day_that_was_begun_without_books_gets_them(tmp_path: Path) -> None:
    made = journal(tmp_path)
    made.append([{"signals": [(NOON_US * 1000, "plc", "door", "", None, None, 1)]}])
    made.close()
    connection = sqlite3.connect(day_files(tmp_path)[0][1])
    for name in BOOK_COLUMNS:
        connection.execute(f"DROP TABLE {name}")
    connection.commit()
    connection.close()
    made = journal(tmp_path)
    assert made.append([{"energy": [interval("10")]}]) == []
    made.close()
    assert asked(tmp_path, "SELECT count(*) FROM energy") == [(1,)]
    assert asked(tmp_path, "SELECT count(*) FROM signals") == [(1,)]
    assert BOOK_SCHEMA.count("IF NOT EXISTS") == len(BOOK_COLUMNS)


def test_a_day_that_was_begun_without_costs_gets_them(tmp_path: Path) -> None:
    made = journal(tmp_path)
    assert made.append([{"energy": [interval("10")]}]) == []
    made.close()
    connection = sqlite3.connect(day_files(tmp_path)[0][1])
    for column in ("cost", "currency"):
        connection.execute(f"ALTER TABLE energy DROP COLUMN {column}")
    connection.commit()
    connection.close()
    made = journal(tmp_path)
    assert made.append([{"energy": [interval("20", tariff="peak")]}]) == []
    made.close()
    found = asked(tmp_path, "SELECT energy, cost, currency FROM energy ORDER BY tariff")
    assert found == [(10, None, None), (20, 1.25, "CNY")]


def test_a_shift_and_its_intervals_stand_beside_each_other(tmp_path: Path) -> None:
    made = journal(tmp_path)
    begin_ns = NOON_US * 1000
    for period, stood_s in (("interval", 50.0), ("shift", 410.0), ("shift", 420.0)):
        made.append([{"machine_stop": [(begin_ns, "warper-1", period, "early", "yarn break", stood_s, 1)]}])
    made.close()
    assert asked(tmp_path, "SELECT period, stood_s FROM machine_stop ORDER BY period") == [
        ("interval", 50.0), ("shift", 420.0),
    ]  # fmt: skip


def test_figures_of_two_events_of_one_moment_stand_beside_each_other(tmp_path: Path) -> None:
    made = journal(tmp_path)
    rows: list[Row] = [
        (NOON_US * 1000, "turn", "", "truck-turn", "dwell_s", value, name) for value, name in ((90.0, "a"), (95.5, "b"))
    ]
    for _ in range(2):
        assert made.append([{"figure": rows}]) == []
    made.close()
    assert asked(tmp_path, "SELECT id, value FROM figure ORDER BY id") == [("a", 90.0), ("b", 95.5)]
