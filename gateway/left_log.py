"""A write-ahead log that an earlier life left: made durable before anything rests on it.

After a failed sync the pages of the log are in memory, marked as written, and on no disk: whoever opens the database
anew finds them, and a later sync succeeds without them. So what the log holds is written once more, to the database
itself, and that is synced; then both memory and disk have it.
"""

from __future__ import annotations

import sqlite3


def settle(db: sqlite3.Connection) -> None:
    """Copy all of the log to the database and sync it; to be called before the first write of a connection.

    SQLite answers a refusal to begin a log by another mode, not by an error: that is told here, too. A full disk is
    none: whoever writes waits for room anyway.

    Raises:
        sqlite3.OperationalError: the disk refuses, or a reader holds the database for longer than the busy time-out.
    """
    mode = db.execute("PRAGMA journal_mode").fetchone()[0]
    if mode != "wal":
        raise sqlite3.OperationalError(f"no write-ahead log could be begun, the journal mode is {mode}")
    try:
        _, pages, copied = db.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
            return
        raise
    if copied < pages:
        raise sqlite3.OperationalError("a reader keeps the write-ahead log of an earlier life from being settled")
