"""The file of the rules daemon's memory: made, checked, and set aside when it is damaged.

A file is read through when it is opened, unless it is so large that this would delay the start: then only after damage
was found in it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway import left_log
from gateway.event_journal import is_damage, set_aside
from gateway.logs import get_log

VERSION: Final = 1
CHECKED_BYTES: Final = 256 << 20  # a larger file holds an outage's parcels; reading it through would delay the start
WAL_BYTES: Final = 64 << 20
SUSPECT: Final = ".suspect"  # beside the database: damage was found in it

SCHEMA: Final = """
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE flows (gateway TEXT NOT NULL, epoch INTEGER NOT NULL, watermark INTEGER NOT NULL, judged TEXT NOT NULL,
    ordinals TEXT NOT NULL, PRIMARY KEY (gateway, epoch)) WITHOUT ROWID;
CREATE TABLE counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE accounts (sink TEXT PRIMARY KEY, made INTEGER NOT NULL, stored INTEGER NOT NULL,
    refused INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE messages (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, retain INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE INDEX messages_retained ON messages (topic, id) WHERE retain;
CREATE TABLE retained (topic TEXT PRIMARY KEY, payload BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE parcels (id INTEGER PRIMARY KEY, sink TEXT NOT NULL, kind TEXT NOT NULL, points INTEGER NOT NULL,
    bytes INTEGER NOT NULL, caused_at_us INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX parcels_in_order ON parcels (sink, id);
CREATE INDEX parcels_by_kind ON parcels (sink, kind, id, points, bytes);
CREATE TABLE quarantine (id INTEGER PRIMARY KEY, sink TEXT NOT NULL, at_us INTEGER NOT NULL, reason TEXT NOT NULL,
    body BLOB NOT NULL);
"""


class RulesDatabaseError(Exception):
    """The database cannot be used by this version; the message says what to do."""


class DatabaseFile:
    """One path.

    Attributes:
        set_aside: what the damaged file is kept as, if `open` found one.
    """

    def __init__(self, path: Path) -> None:
        self.set_aside: Path | None = None
        self._path = path
        self._suspect = path.with_name(path.name + SUSPECT)

    def open(self) -> sqlite3.Connection:
        """Open it; a damaged one is set aside, and a new one begun.

        Raises:
            RulesDatabaseError: a newer version wrote it. sqlite3.Error: it cannot be opened.
        """
        try:
            connection = _open(self._path, whole=self._suspect.exists())
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self.set_aside = set_aside(self._path)
            get_log().error(
                "rules_database_damaged",
                file=str(self._path),
                kept_as=self.set_aside.name,
                error=error,
                next_step="a new one is begun: state and queued points of the old one are missing until recovered",
            )
            connection = _open(self._path)
        self._suspect.unlink(missing_ok=True)
        return connection

    @contextlib.contextmanager
    def finding_damage(self) -> Iterator[None]:
        """Have the next life read the file through, whatever its size, when damage shows in this block."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                with contextlib.suppress(OSError):  # then the next life finds the damage as this one did
                    self._suspect.touch()
            raise


def is_full(error: sqlite3.Error) -> bool:
    """Whether only space is missing, so that the same commit may succeed later."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def _open(path: Path, *, whole: bool = False) -> sqlite3.Connection:
    """Open the file, and read it through unless it is large; `whole`: even then."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path, whole=whole)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, *, whole: bool) -> None:
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table, or never
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    left_log.settle(connection)
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
    elif version != VERSION:
        raise RulesDatabaseError(
            f"{path}: has version {version}, this program writes version {VERSION}; run the newer program"
        )
    elif whole or path.stat().st_size <= CHECKED_BYTES:
        found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            damage = sqlite3.DatabaseError(f"{path.name}: {found}")
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage
