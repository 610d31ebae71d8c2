from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from gateway.left_log import settle


def left(tmp_path: Path, rows: int = 100) -> Path:
    """A database whose rows are in its log only, as after kill -9."""
    path = tmp_path / "written.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE t (n INTEGER, text TEXT)")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.executemany("INSERT INTO t VALUES (?, ?)", [(n, "x" * 500) for n in range(rows)])
        copy = tmp_path / "left.db"
        for suffix in ("", "-wal"):
            copy.with_name(copy.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
    return copy


def without_log(path: Path) -> int:
    """The rows that the database file alone holds."""
    alone = path.with_name("alone.db")
    alone.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(alone)) as db:
        found: int = db.execute("SELECT count(*) FROM t").fetchone()[0]
    return found


def test_what_an_earlier_life_left_in_the_log_is_in_the_database_afterwards(tmp_path: Path) -> None:
    path = left(tmp_path)
    assert without_log(path) == 0
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        settle(db)
        assert without_log(path) == 100


def test_nothing_to_settle(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        settle(db)


def test_a_database_that_has_no_log_is_told(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as db:
        db.execute("CREATE TABLE t (n INTEGER)")
        with pytest.raises(sqlite3.OperationalError, match="the journal mode is delete"):
            settle(db)


def test_a_reader_of_older_rows_is_waited_for_and_then_it_is_told(tmp_path: Path) -> None:
    path = left(tmp_path)
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as reader,
        closing(sqlite3.connect(path, isolation_level=None, timeout=0.05)) as db,
        closing(sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)) as patient,
    ):
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM t").fetchone() == (100,)
        db.execute("INSERT INTO t VALUES (-1, 'behind its back')")
        with pytest.raises(sqlite3.OperationalError, match="a reader keeps"):
            settle(db)
        waiting = threading.Thread(target=settle, args=(patient,))
        waiting.start()
        reader.execute("COMMIT")
        waiting.join(20)
        assert not waiting.is_alive()
        assert without_log(path) == 101


def test_a_full_disk_is_left_to_who_writes(tmp_path: Path) -> None:
    path = left(tmp_path, rows=2_000)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        settle(FullDisk(db))  # type: ignore[arg-type]  # the one call that it makes
        settle(db)
    assert without_log(path) == 2_000


class FullDisk:
    """A connection on a disk without room, as SQLite tells it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def execute(self, statement: str) -> sqlite3.Cursor:
        if "checkpoint" not in statement:
            return self._db.execute(statement)
        self._db.execute("CREATE TEMP TABLE small (x)")
        self._db.execute("PRAGMA temp.max_page_count = 2")
        return self._db.execute("INSERT INTO temp.small VALUES (zeroblob(100000))")
