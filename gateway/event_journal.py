"""The event journal: what the rules concluded and the meters said, in local SQLite, a file per UTC day.

    events-2026-01-01.db      one day, WAL, synchronous=FULL
    events-2026-01-01.db.sum   beside a day that is closed: see `gateway.day_sum`
    events-2026-01-01.db.damaged-1   set aside because SQLite found it broken; nothing is written to it again

One process writes (`EventJournal`), any number read meanwhile (`gateway.event_history`). Space comes back by unlinking
old days. Every row has a key of its own, so that writing it again changes nothing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, NamedTuple

from gateway import day_sum, left_log
from gateway.book_tables import BOOK_SCHEMA, widen
from gateway.bulk_sql import insert_many
from gateway.event_tables import SCHEMA, TABLES
from gateway.logs import get_log
from gateway.rollup_tables import complete, seal

VERSION: Final = 1
US_PER_DAY: Final = 86_400_000_000
OPEN_FILES: Final = 3  # today, yesterday while late data comes, tomorrow while a clock is ahead
CHECKED_BYTES: Final = 64 << 20  # a larger day is not read through when it is opened: that would take seconds
WAL_BYTES: Final = 16 << 20
ALTERED: Final = "is not what was written when it was closed"
EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

Value = str | int | float | bytes | None
Row = Sequence[Value]
Rows = Mapping[str, Sequence[Row]]
"""Rows by table, each in the order of the table's columns; the first column is the time that decides the day."""


class RefusedRow(NamedTuple):
    """A row that the journal will never take."""

    table: str
    row: Row
    reason: str


class EventJournalError(Exception):
    """A day file cannot be used by this version; the message says which, and what to do."""


def day_name(day: int) -> str:
    """The file of a day, counted from 1970-01-01."""
    return f"events-{date.fromordinal(EPOCH_DAY + day).isoformat()}.db"


def day_files(directory: Path) -> list[tuple[int, Path]]:
    """Every day file with its day, oldest first."""
    found = []
    for path in directory.glob("events-????-??-??.db"):
        try:
            found.append((date.fromisoformat(path.stem.removeprefix("events-")).toordinal() - EPOCH_DAY, path))
        except ValueError:
            continue  # somebody's own file
    return sorted(found)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite found the file itself broken."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(path: Path) -> Path:
    """Rename a damaged database with its WAL, so that a new one can take its place, and return its new name."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        side = path.with_name(path.name + suffix)
        if side.exists():
            side.rename(aside.with_name(aside.name + suffix))
    day_sum.take_away(path)
    return aside


def _now_us() -> int:
    return int(datetime.now(UTC).timestamp() * 1_000_000)


class EventJournal:
    """The one writer. Not thread-safe: one thread at a time.

    Attributes:
        damaged: files set aside since the start, newest last.
    """

    def __init__(self, directory: Path, *, keep_days: float, now_us: Callable[[], int] = _now_us) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.damaged: list[Path] = []
        self._directory = directory
        self._keep_us = int(keep_days * US_PER_DAY)
        self._now_us = now_us
        self._open: dict[int, sqlite3.Connection] = {}
        self._kept_on_day: int | None = None
        self._log = get_log(directory=str(directory))

    def append(self, batches: Iterable[Rows]) -> list[RefusedRow]:
        """Write rows; durable when it returns, and harmless when repeated. Returns the rows that can never be kept.

        Raises:
            sqlite3.OperationalError: the disk is full or fails; nothing, or only whole days, were written: repeat all.
            EventJournalError: a newer version wrote this day.
        """
        now_us = self._now_us()
        today = now_us // US_PER_DAY
        if self._kept_on_day != today:
            self.drop_old_days()
            for day in [day for day in self._open if day < today]:
                self._close_day(day)
            self._kept_on_day = today
        oldest, newest = (now_us - self._keep_us) // US_PER_DAY, today + 1
        by_day: dict[int, dict[str, list[Row]]] = {}
        refused: list[RefusedRow] = []
        for rows_by_table in batches:
            for name, rows in rows_by_table.items():
                per_day = TABLES[name].per_day
                for row in rows:
                    at = row[0]
                    day = at // per_day if isinstance(at, int) else newest + 1
                    if oldest <= day <= newest:
                        by_day.setdefault(day, {}).setdefault(name, []).append(row)
                    else:
                        reason = "older_than_kept" if day < oldest else "in_the_future"
                        refused.append(RefusedRow(name, row, reason))
        for day, tables in sorted(by_day.items()):
            refused += self._write(day, tables)
        return refused

    def drop_old_days(self) -> list[str]:
        """Delete the files of days that are older than what is kept, damaged ones too; returns their names."""
        oldest = day_name((self._now_us() - self._keep_us) // US_PER_DAY)
        for day in [day for day in self._open if day_name(day) < oldest]:
            self._close_day(day, seals=False)
        dropped = sorted(path.name for path in self._directory.glob("events-????-??-??.db*") if path.name < oldest)
        for name in dropped:
            (self._directory / name).unlink(missing_ok=True)
        if dropped:
            self._log.info("event_days_dropped", files=len(dropped), oldest=dropped[0], newest=dropped[-1])
        return dropped

    def close(self) -> None:
        """Close all files; their WAL is merged."""
        for day in list(self._open):
            self._close_day(day)

    def _write(self, day: int, tables: Mapping[str, Sequence[Row]]) -> list[RefusedRow]:
        try:
            return self._transact(day, tables)
        except sqlite3.Error as error:
            self._close_day(day, seals=False)
            if not is_damage(error):
                raise
            self._set_aside(day, error)
        return self._transact(day, tables)

    def _transact(self, day: int, tables: Mapping[str, Sequence[Row]]) -> list[RefusedRow]:
        connection = self._connection(day)
        refused: list[RefusedRow] = []
        connection.execute("BEGIN IMMEDIATE")
        try:
            for name, rows in tables.items():
                refused += _insert(connection, name, rows)
        except BaseException:
            connection.rollback()
            raise
        connection.execute("COMMIT")
        return refused

    def _connection(self, day: int) -> sqlite3.Connection:
        connection = self._open.pop(day, None)
        if connection is None:
            while len(self._open) >= OPEN_FILES:
                self._close_day(next(iter(self._open)))
            path = self._directory / day_name(day)
            try:
                connection = _open(path)
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
                self._set_aside(day, error)
                connection = _open(path)
        self._open[day] = connection  # the last used comes last
        return connection

    def _close_day(self, day: int, *, seals: bool = True) -> None:
        connection = self._open.pop(day, None)
        if connection is None:
            return
        try:
            if seals and day < self._now_us() // US_PER_DAY:
                seal(connection)
        except sqlite3.Error as error:
            self._log.warning("event_day_not_sealed", file=day_name(day), error=error)  # answered from its minutes
            seals = False
        finally:
            connection.close()
        path = self._directory / day_name(day)
        try:
            if seals and path.stat().st_size <= CHECKED_BYTES:
                day_sum.put(path)
        except OSError as error:  # a full disk mostly; the day is as good without
            self._log.warning("event_day_without_sum", file=path.name, error=error)

    def _set_aside(self, day: int, error: sqlite3.Error) -> None:
        path = self._directory / day_name(day)
        aside = set_aside(path)
        self.damaged.append(aside)
        self._log.error(
            "event_file_damaged",
            file=path.name,
            kept_as=aside.name,
            error=error,
            next_step="other days are served; `sqlite3 FILE .recover` may save rows of the damaged one",
        )


def _open(path: Path) -> sqlite3.Connection:
    if day_sum.is_altered(path, CHECKED_BYTES):
        raise _damage(f"{path.name}: {ALTERED}")
    day_sum.take_away(path)
    # Checked outside SQLite, which takes an empty or absent file for a new database.
    fresh = not path.exists() or path.stat().st_size == 0
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
        left_log.settle(connection)
        if not fresh and path.stat().st_size <= CHECKED_BYTES:
            _check(connection, path)
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
            _sync_directory(path.parent)
        else:
            _check_version(path, version)
        connection.executescript(BOOK_SCHEMA)
        widen(connection)
        complete(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _damage(f"{path.name}: {found}")


def _damage(what: str) -> sqlite3.DatabaseError:
    damage = sqlite3.DatabaseError(what)
    damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return damage


def _check_version(path: Path, version: int) -> None:
    if version != VERSION:
        raise EventJournalError(
            f"{path}: has version {version}, this program writes version {VERSION}; "
            "run the newer program, or move the file away to start the day anew"
        )


def _sync_directory(directory: Path) -> None:
    """Make a new file's name as durable as its content."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# What one bad value makes of an executemany: beyond 64 bits, a lone surrogate, NULL in a key, a foreign type.
BAD_ROW: Final = (
    OverflowError,
    UnicodeEncodeError,
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
)


def _insert(connection: sqlite3.Connection, name: str, rows: Sequence[Row]) -> list[RefusedRow]:
    table = TABLES[name]
    width = len(table.columns)
    # DO NOTHING, not OR IGNORE: the latter would rule inside the triggers, too, and ignore their upserts.
    verb, tail = ("INSERT OR REPLACE", "") if table.replace else ("INSERT", " ON CONFLICT DO NOTHING")
    head = f"{verb} INTO {name} ({', '.join(table.columns)})"
    refused: list[RefusedRow] = []
    connection.execute("SAVEPOINT rows")
    try:
        insert_many(connection, head, rows, width, tail)
    except BAD_ROW:
        connection.execute("ROLLBACK TO rows")
        for row in rows:
            try:
                insert_many(connection, head, [row], width, tail)
            except BAD_ROW as error:
                refused.append(RefusedRow(name, row, f"{type(error).__name__}: {error}"))
    connection.execute("RELEASE rows")
    return refused
