"""The file of a registry: SQLite, built once, never changed, so that a million cards need no memory.

    things    id, the line of the list that it stands in; name, kind, class; technology of its card
    epcs      EPC to thing
    tids      TID to thing, and back by an index
    cards     digest to thing: of the card's number, and of each part of it that a reader may pass on

It holds hashes of card numbers, never the numbers. Rows of `cards` are written in the order of their key, so that the
file is dense and quickly made.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from rules.list_file import SHOWN_FAULTS, RefusedError

APPLICATION_ID: Final = 0x54575247  # "TWRG"
VERSION: Final = 2
_BATCH: Final = 10_000
_TABLES: Final = {
    "meta": "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "things": "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, "
    "class TEXT NOT NULL, technology TEXT NOT NULL)",
    "epcs": "CREATE TABLE epcs (epc BLOB PRIMARY KEY, thing INTEGER NOT NULL) WITHOUT ROWID",
    "tids": "CREATE TABLE tids (tid BLOB PRIMARY KEY, thing INTEGER NOT NULL) WITHOUT ROWID",
    "tids_of_things": "CREATE INDEX tids_of_things ON tids (thing)",
    "cards": "CREATE TABLE cards (digest BLOB NOT NULL, thing INTEGER NOT NULL, PRIMARY KEY (digest, thing)) "
    "WITHOUT ROWID",
}
_STAGED: Final = {"epcs": "epc", "tids": "tid"}
_DRAFT: Final = (
    *(f"CREATE TEMP TABLE new_{table} (key BLOB, thing INTEGER)" for table in (*_STAGED, "cards")),
    "CREATE TEMP TABLE enrolled (digest BLOB, technology TEXT, thing INTEGER)",
)


class RegistryError(RefusedError):
    """The list or file of things has faults."""


class Row(NamedTuple):
    """One line of a list, checked. `digests`: of its card, its own first."""

    line: int
    name: str
    kind: str
    class_name: str
    epc: bytes | None
    tid: bytes | None
    technology: str
    digests: tuple[bytes, ...]


def build(path: Path, rows: Iterable[Row], meta: dict[str, str]) -> dict[str, int]:
    """Write a new file; returns how many things, epcs, tids and cards it holds.

    Raises:
        RegistryError: two lines name the same tag or card. sqlite3.Error, OSError: it cannot be written.
    """
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = OFF")  # a draft: whoever makes it renames it when it is whole
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA temp_store = FILE")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("BEGIN")
        for statement in (*_TABLES.values(), *_DRAFT):
            db.execute(statement)
        batch: list[Row] = []
        for row in rows:
            batch.append(row)
            if len(batch) >= _BATCH:
                _stage(db, batch)
                batch.clear()
        _stage(db, batch)
        if faults := _twice(db):
            raise RegistryError(faults)
        for table in (*_STAGED, "cards"):
            db.execute(f"INSERT OR IGNORE INTO {table} SELECT key, thing FROM new_{table} ORDER BY key, thing")  # noqa: S608  # a name of ours
        counts = {
            "things": _count(db, "things"),
            **{table: _count(db, table) for table in _STAGED},
            "cards": _count(db, "enrolled"),
        }
        told = {**meta, **{name: str(count) for name, count in counts.items()}}
        db.executemany("INSERT INTO meta VALUES (?, ?)", sorted(told.items()))
        db.execute("COMMIT")
        return counts
    finally:
        db.close()


def open_file(path: Path) -> tuple[sqlite3.Connection, dict[str, str]]:
    """Open a finished file for reading, from any thread, and return its meta data too.

    Raises:
        RegistryError: it is no registry, one of another version, or damaged. sqlite3.Error: it cannot be read.
    """
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    try:
        _check(db)
        return db, dict(db.execute("SELECT name, value FROM meta"))
    except sqlite3.DatabaseError as error:
        db.close()
        raise RegistryError([f"is damaged ({error}); import the list again"]) from error
    except BaseException:
        db.close()
        raise


def _check(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA trusted_schema = OFF")
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise RegistryError(["is no registry of things; make one with `tagwharf registry import CSV --to FILE`"])
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise RegistryError([f"is a registry of version {version}, not {VERSION}; import the list again"])
    found = dict(db.execute("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"))
    if found != _TABLES:
        raise RegistryError(["has other tables than a registry; import the list again"])
    if (answer := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
        raise RegistryError([f"is damaged ({answer}); import the list again"])


def _stage(db: sqlite3.Connection, rows: list[Row]) -> None:
    db.executemany(
        "INSERT INTO things VALUES (?, ?, ?, ?, ?)",
        ((row.line, row.name, row.kind, row.class_name, row.technology) for row in rows),
    )
    db.executemany("INSERT INTO new_epcs VALUES (?, ?)", ((row.epc, row.line) for row in rows if row.epc is not None))
    db.executemany("INSERT INTO new_tids VALUES (?, ?)", ((row.tid, row.line) for row in rows if row.tid is not None))
    db.executemany(
        "INSERT INTO new_cards VALUES (?, ?)", ((digest, row.line) for row in rows for digest in row.digests)
    )
    db.executemany(
        "INSERT INTO enrolled VALUES (?, ?, ?)",
        ((row.digests[0], row.technology, row.line) for row in rows if row.digests),
    )


def _twice(db: sqlite3.Connection) -> list[str]:
    """Tags and cards that two lines name; a card is not repeated in the text."""
    found: list[tuple[int, str]] = []
    for table, what in _STAGED.items():
        query = f"SELECT key, min(thing), max(thing) FROM new_{table} GROUP BY key HAVING count(*) > 1 LIMIT ?"  # noqa: S608  # a name of ours
        for key, first, last in db.execute(query, (SHOWN_FAULTS,)):
            found.append((last, f"{what} = {key.hex().upper()!r}: is in line {first} already"))
    query = (
        "SELECT min(thing), max(thing) FROM enrolled GROUP BY digest, technology HAVING count(*) > 1 "
        "ORDER BY max(thing) LIMIT ?"
    )
    for first, last in db.execute(query, (SHOWN_FAULTS,)):
        found.append((last, f"card: is in line {first} already"))
    return [f"line {line}: {text}; keep one of the lines" for line, text in sorted(found)[:SHOWN_FAULTS]]


def _count(db: sqlite3.Connection, table: str) -> int:
    count: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608  # a name of ours
    return count
