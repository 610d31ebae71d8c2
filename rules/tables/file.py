"""The rows of a look-up table: SQLite, built once, never changed, so that a million rows need no memory.

    looked    key; c0, c1 ... the cells of the columns in the order of the site file, NULL where the row has none

Rows are written in the order of their key, so that the file is dense and quickly made.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rules.language.grammar import INT_MAX, INT_MIN
from rules.list_file import SHOWN_FAULTS, RefusedError
from rules.tables.cells import MOST_TEXT, SHOWN
from rules.tables.table import Cell

ROWS_KEPT: Final = 20_000
"""Rows that are remembered once looked up, more than are asked for at one time: some 8 MB."""
_BATCH: Final = 10_000


class TableError(RefusedError):
    """The file of a look-up table has faults."""


class Row(NamedTuple):
    """One row, checked. `number`: of the line, or of the row in a database."""

    number: int
    key: str | int
    cells: tuple[Cell, ...]


class StoredTable:
    """One version of a look-up table. For one thread at a time.

    Attributes:
        version: the beginning of the BLAKE2b hash of the file it was made from.
        columns: whose cells a row has, in this order.
        rows: how many it holds.
    """

    def __init__(self, db: sqlite3.Connection, version: str, columns: Mapping[str, str], rows: int) -> None:
        """Look things up in an open file; `columns` with their types."""
        self.version = version
        self.columns = tuple(columns)
        self.rows = rows
        self._db = db
        self._found = _Found(db, tuple(columns.values()))

    def find(self, key: str | int) -> tuple[Cell, ...] | None:
        """The cells of the row of this key; None when there is none."""
        return self._found[key]

    def close(self) -> None:
        """Close the file; nothing can be looked up any more."""
        self._db.close()


class _Found(dict[str | int, tuple[Cell, ...] | None]):
    """What was looked up before: a truck is asked for many times."""

    def __init__(self, db: sqlite3.Connection, kinds: Sequence[str]) -> None:
        super().__init__()
        self._db = db
        self._query = f"SELECT {_columns(len(kinds))} FROM looked WHERE key = ?"  # noqa: S608  # names of ours
        self._bools = tuple(index for index, kind in enumerate(kinds) if kind == "bool")

    def __missing__(self, key: str | int) -> tuple[Cell, ...] | None:
        if len(self) >= ROWS_KEPT:
            self.clear()
        if not _may_be(key):
            return None
        row: tuple[Cell, ...] | None = self._db.execute(self._query, (key,)).fetchone()
        if row is not None and self._bools:
            cells = list(row)
            for index in self._bools:
                cells[index] = None if cells[index] is None else bool(cells[index])
            row = tuple(cells)
        self[key] = row
        return row


def build(path: Path, rows: Iterable[Row], columns: int, noun: str) -> int:
    """Write a new file; returns how many rows it holds. `noun`: what a row is called, "line" or "row".

    Raises:
        TableError: a key stands in two rows. sqlite3.Error, OSError: it cannot be written.
    """
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = OFF")  # a draft, thrown away when anything fails
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA temp_store = FILE")
        db.execute("BEGIN")
        names = _columns(columns)
        db.execute(f"CREATE TABLE looked (key NOT NULL PRIMARY KEY, {names}) WITHOUT ROWID")
        db.execute(f"CREATE TEMP TABLE draft (number INTEGER, key, {names})")
        insert = f"INSERT INTO draft VALUES ({', '.join('?' * (columns + 2))})"  # noqa: S608  # question marks only
        batch: list[tuple[Cell, ...]] = []
        for row in rows:
            batch.append((row.number, row.key, *row.cells))
            if len(batch) >= _BATCH:
                db.executemany(insert, batch)
                batch.clear()
        db.executemany(insert, batch)
        if faults := _twice(db, noun):
            raise TableError(faults)
        db.execute(f"INSERT INTO looked SELECT key, {names} FROM draft ORDER BY key")  # noqa: S608  # names of ours
        count: int = db.execute("SELECT count(*) FROM looked").fetchone()[0]
        db.execute("COMMIT")
        return count
    finally:
        db.close()


def open_file(path: Path) -> sqlite3.Connection:
    """Open what `build` wrote for reading, from any thread.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)


def _may_be(key: str | int) -> bool:
    """Whether a table can hold this key; what a message holds can be anything."""
    if isinstance(key, str):
        return len(key) <= MOST_TEXT and key.isprintable()
    return INT_MIN <= key <= INT_MAX


def _columns(count: int) -> str:
    return ", ".join(f"c{index}" for index in range(count))


def _twice(db: sqlite3.Connection, noun: str) -> list[str]:
    query = (
        "SELECT key, min(number), max(number) FROM draft GROUP BY key HAVING count(*) > 1 ORDER BY max(number) LIMIT ?"
    )
    return [
        f"{noun} {last}: key {repr(key)[:SHOWN]} is in {noun} {first} already; keep one of them"
        for key, first, last in db.execute(query, (SHOWN_FAULTS,))
    ]
