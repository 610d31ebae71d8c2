"""Copies of SQLite databases that are being written, each of one moment.

`Pinned` holds a read transaction: whatever is committed later, its copy is of the moment when it was pinned. In which
order databases are pinned decides what a restore may lose or repeat; see `gateway.backup.making`.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

BUSY_MS: Final = 10_000
PAGES_AT_ONCE: Final = 4_096  # some 16 MiB between two looks at the clock


class DatabaseError(Exception):
    """A database cannot be copied; the message names it."""


class Pinned:
    """A database as it is at this moment.

    Raises:
        FileNotFoundError: it is gone. DatabaseError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise FileNotFoundError(path)
        self.stat = path.stat()
        try:
            self._db = _open(path)
        except sqlite3.Error as error:
            raise DatabaseError(f"{path}: cannot be opened: {error}") from error
        try:
            self._db.execute("BEGIN")
            self._db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            self.schema = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.Error as error:
            self._db.close()
            raise DatabaseError(f"{path}: cannot be read: {error}") from error

    def copy(self, target: Path) -> None:
        """Write the copy, one file without a write-ahead log, durable and found whole.

        Raises:
            DatabaseError: the database is damaged. OSError: there is no room for the copy.
        """
        handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        os.close(handle)
        try:
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                self._db.backup(copy, pages=PAGES_AT_ONCE, sleep=0)
                copy.execute("PRAGMA journal_mode = DELETE")
                verdict = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise OSError(0, f"no room for a copy of {self.path.name} in {target.parent}: {error}") from error
            raise DatabaseError(f"{self.path}: damaged: {error}") from error
        if verdict != "ok":
            raise DatabaseError(f"{self.path}: damaged: {verdict}")

    def close(self) -> None:
        """Let go of the moment."""
        self._db.close()


class Watch:
    """Tells whether anybody committed to a database since."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = _open(path)
            self._seen = self._version()
        except sqlite3.Error as error:
            raise DatabaseError(f"{path}: cannot be read: {error}") from error

    def quiet(self) -> bool:
        """Whether nothing was committed since the last call, or since it was made."""
        before, self._seen = self._seen, self._version()
        return before == self._seen

    def close(self) -> None:
        """End it."""
        self._db.close()

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])


def faults_of(path: Path) -> str:
    """What is wrong with a database that nobody writes; empty when it is whole."""
    try:
        with closing(_open(path)) as db:
            verdict = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return str(error)
    return "" if verdict == "ok" else verdict


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    db.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    return db
