"""The event journal: what the rules concluded and the meters said, in local SQLite, a file per UTC day.

    events-2026-01-01.db      one day, WAL, synchronous=FULL
    events-2026-01-01.db.damaged-1   set aside because SQLite found it broken; nothing is written to it again

One process writes (`EventJournal`), any number read meanwhile (`gateway.event_history`). Space comes back by unlinking
old days. Every row has a key of its own, so that writing it again changes nothing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, NamedTuple

from gateway.book_tables import BOOK_COLUMNS, BOOK_SCHEMA, widen
from gateway.bulk_sql import insert_many
from gateway.logs import get_log

VERSION: Final = 1
US_PER_DAY: Final = 86_400_000_000
NS_PER_DAY: Final = US_PER_DAY * 1_000
OPEN_FILES: Final = 3  # today, yesterday while late data comes, tomorrow while a clock is ahead
CHECKED_BYTES: Final = 64 << 20  # a larger day is not read through when it is opened: that would take seconds
WAL_BYTES: Final = 16 << 20
EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

Value = str | int | float | bytes | None
Row = Sequence[Value]
Rows = Mapping[str, Sequence[Row]]
"""Rows by table, each in the order of the table's columns; the first column is the time that decides the day."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its columns, and how much of its time column makes a day. `replace`: a new row replaces its like."""

    columns: tuple[str, ...]
    per_day: int
    replace: bool = False


TABLES: Final[dict[str, Table]] = {
    "events": Table(
        (
            *("at_us", "id", "type", "subject", "name", "zone", "from_zone", "read_point", "direction", "rule"),
            *("device", "gateway", "epoch", "sequence_from", "sequence_to", "body"),
        ),
        US_PER_DAY,
        replace=True,
    ),
    "alarms": Table(
        ("at_us", "id", "state", "rule", "severity", "subject", "since_us", "message", "body"),
        US_PER_DAY,
        replace=True,
    ),
    "readings": Table(
        (
            *("at_ns", "meter", "quantity", "unit", "phase", "tariff", "value", "exact", "obis", "quality"),
            "meter_time_us",
        ),
        NS_PER_DAY,
    ),
    "read_rates": Table(
        (
            *("at_ns", "device", "antenna_port", "read_point", "reads", "unique_tags", "rssi_mean_dbm"),
            *("rssi_max_dbm", "watched_s"),
        ),
        NS_PER_DAY,
    ),
    "signals": Table(("at_ns", "device", "signal", "unit", "value", "text", "state"), NS_PER_DAY),
    "device_status": Table(
        ("at_ns", "device", "driver", "state", "reason", "heard", "reconnects", "clock_offset_us"), NS_PER_DAY
    ),
    "tag_reads": Table(
        (
            *("seen_at_us", "gateway", "epoch", "sequence", "item", "device", "antenna_port", "read_point", "epc"),
            *("rssi_dbm", "count", "first_seen_at_us", "pc_bits", "tid", "user_memory", "phase_deg", "doppler_hz"),
            "channel_index",
        ),
        US_PER_DAY,
    ),
    **{name: Table(columns, NS_PER_DAY, replace=True) for name, columns in BOOK_COLUMNS.items()},
}

SCHEMA: Final = """
CREATE TABLE events (
    at_us INTEGER NOT NULL, id TEXT PRIMARY KEY, type TEXT NOT NULL, subject TEXT NOT NULL, name TEXT, zone TEXT,
    from_zone TEXT, read_point TEXT, direction TEXT, rule TEXT, device TEXT, gateway TEXT NOT NULL,
    epoch INTEGER NOT NULL, sequence_from INTEGER NOT NULL, sequence_to INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX events_by_time ON events (at_us);
CREATE INDEX events_by_subject ON events (subject, at_us);
CREATE INDEX events_by_name ON events (name COLLATE NOCASE, at_us) WHERE name IS NOT NULL;
CREATE TABLE alarms (
    at_us INTEGER NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL, rule TEXT NOT NULL, severity TEXT NOT NULL,
    subject TEXT NOT NULL, since_us INTEGER NOT NULL, message TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (id, at_us, state));
CREATE INDEX alarms_by_time ON alarms (at_us);
CREATE TABLE readings (
    at_ns INTEGER NOT NULL, meter TEXT NOT NULL, quantity TEXT NOT NULL, unit TEXT NOT NULL, phase TEXT NOT NULL,
    tariff TEXT NOT NULL, value REAL, exact TEXT, obis TEXT, quality TEXT, meter_time_us INTEGER,
    PRIMARY KEY (meter, quantity, phase, tariff, at_ns)) WITHOUT ROWID;
CREATE TABLE reading_minutes (
    minute_us INTEGER NOT NULL, meter TEXT NOT NULL, quantity TEXT NOT NULL, phase TEXT NOT NULL,
    tariff TEXT NOT NULL, n INTEGER NOT NULL, total REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL,
    last REAL NOT NULL, last_ns INTEGER NOT NULL,
    PRIMARY KEY (meter, quantity, phase, tariff, minute_us)) WITHOUT ROWID;
CREATE TABLE reading_latest (
    at_ns INTEGER NOT NULL, meter TEXT NOT NULL, quantity TEXT NOT NULL, unit TEXT NOT NULL, phase TEXT NOT NULL,
    tariff TEXT NOT NULL, value REAL, exact TEXT, obis TEXT, quality TEXT, meter_time_us INTEGER,
    PRIMARY KEY (meter, quantity, phase, tariff)) WITHOUT ROWID;
CREATE TRIGGER readings_to_minutes AFTER INSERT ON readings WHEN new.value IS NOT NULL BEGIN
    INSERT INTO reading_minutes VALUES (new.at_ns / 60000000000 * 60000000, new.meter, new.quantity, new.phase,
        new.tariff, 1, new.value, new.value, new.value, new.value, new.at_ns)
    ON CONFLICT DO UPDATE SET n = n + 1, total = total + excluded.total, low = min(low, excluded.low),
        high = max(high, excluded.high), last = iif(excluded.last_ns >= last_ns, excluded.last, last),
        last_ns = max(last_ns, excluded.last_ns);
END;
CREATE TRIGGER readings_to_latest AFTER INSERT ON readings BEGIN
    INSERT INTO reading_latest VALUES (new.at_ns, new.meter, new.quantity, new.unit, new.phase, new.tariff,
        new.value, new.exact, new.obis, new.quality, new.meter_time_us)
    ON CONFLICT DO UPDATE SET at_ns = excluded.at_ns, unit = excluded.unit, value = excluded.value,
        exact = excluded.exact, obis = excluded.obis, quality = excluded.quality,
        meter_time_us = excluded.meter_time_us WHERE excluded.at_ns >= at_ns;
END;
CREATE TABLE read_rates (
    at_ns INTEGER NOT NULL, device TEXT NOT NULL, antenna_port TEXT NOT NULL, read_point TEXT NOT NULL,
    reads INTEGER, unique_tags INTEGER, rssi_mean_dbm REAL, rssi_max_dbm REAL, watched_s REAL,
    PRIMARY KEY (at_ns, device, antenna_port, read_point)) WITHOUT ROWID;
CREATE TABLE signals (
    at_ns INTEGER NOT NULL, device TEXT NOT NULL, signal TEXT NOT NULL, unit TEXT NOT NULL, value REAL, text TEXT,
    state INTEGER, PRIMARY KEY (device, signal, at_ns)) WITHOUT ROWID;
CREATE TABLE device_status (
    at_ns INTEGER NOT NULL, device TEXT NOT NULL, driver TEXT NOT NULL, state TEXT, reason TEXT, heard INTEGER,
    reconnects INTEGER, clock_offset_us INTEGER, PRIMARY KEY (device, at_ns)) WITHOUT ROWID;
CREATE TABLE tag_reads (
    seen_at_us INTEGER NOT NULL, gateway TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
    item INTEGER NOT NULL, device TEXT NOT NULL, antenna_port INTEGER NOT NULL, read_point TEXT NOT NULL,
    epc TEXT NOT NULL, rssi_dbm REAL, count INTEGER, first_seen_at_us INTEGER, pc_bits INTEGER, tid TEXT,
    user_memory TEXT, phase_deg REAL, doppler_hz REAL, channel_index INTEGER,
    PRIMARY KEY (gateway, epoch, sequence, item)) WITHOUT ROWID;
CREATE INDEX tag_reads_by_epc ON tag_reads (epc, seen_at_us);
CREATE INDEX tag_reads_by_time ON tag_reads (seen_at_us);
"""


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
            self._close_day(day)
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
            self._close_day(day)
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

    def _close_day(self, day: int) -> None:
        connection = self._open.pop(day, None)
        if connection is not None:
            connection.close()

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
    # Checked outside SQLite, which takes an empty or absent file for a new database.
    fresh = not path.exists() or path.stat().st_size == 0
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
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
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        damage = sqlite3.DatabaseError(f"{path.name}: {found}")
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage


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
