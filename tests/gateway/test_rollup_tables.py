from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.event_journal import US_PER_DAY, EventJournal, day_files
from gateway.event_tables import SCHEMA
from gateway.rollup_tables import MADE, READING_QUARTERS, complete, names, seal
from tests.gateway.journal_rows import NOON_US, reading


@pytest.fixture
def day() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    yield connection
    connection.close()


def test_what_is_lacking_is_made_once(day: sqlite3.Connection) -> None:
    complete(day)
    assert set(MADE) <= names(day)
    assert READING_QUARTERS not in names(day)
    changes = day.execute("PRAGMA schema_version").fetchone()
    complete(day)
    assert day.execute("PRAGMA schema_version").fetchone() == changes
    seal(day)
    seal(day)
    assert READING_QUARTERS in names(day)


def test_nothing_is_half_made(day: sqlite3.Connection) -> None:
    day.execute("DROP TABLE read_rates")
    before = names(day)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        complete(day)
    assert names(day) == before
    assert not day.in_transaction


def test_a_day_is_sealed_when_the_next_has_begun(tmp_path: Path) -> None:
    now_us = NOON_US
    made = EventJournal(tmp_path, keep_days=9, now_us=lambda: now_us)
    made.append([{"readings": [reading(NOON_US, "5")]}])
    made._close_day(NOON_US // US_PER_DAY)
    path = day_files(tmp_path)[0][1]

    def sealed() -> bool:
        with sqlite3.connect(path) as connection:
            found = READING_QUARTERS in names(connection)
        connection.close()
        return found

    assert not sealed()
    made.append([{"readings": [reading(NOON_US + 1, "6")]}])
    now_us += US_PER_DAY
    made.append([{"readings": [reading(now_us, "7")]}])
    assert sealed()
    made.close()


def test_a_day_that_cannot_be_sealed_is_closed_all_the_same(tmp_path: Path) -> None:
    now_us = NOON_US
    made = EventJournal(tmp_path, keep_days=9, now_us=lambda: now_us)
    made.append([{"readings": [reading(NOON_US + n * 1_000_000, str(n)) for n in range(9)]}])
    connection = made._connection(NOON_US // US_PER_DAY)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    now_us += US_PER_DAY
    assert made.append([{"readings": [reading(now_us, "7")]}]) == []
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
    made.close()
