"""One file of the journal: SQLite, one row per batch, the journal's state beside the rows in the same transaction.

The segment that is written has WAL and synchronous=FULL: what was committed survives kill -9 and a power cut. A closed
one is a single file, so that unlink gives its space back. Every row carries a CRC-32 of all its columns, because SQLite
finds damaged pages but not damaged values.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gateway import left_log

SUFFIX: Final = ".sqlite"
VERSION: Final = 1
"""Of the tables below. It goes up when an earlier program would not read them rightly."""
_APPLICATION_ID: Final = 0x54574A00  # "TWJ" and the version, which stands twice: no damaged byte looks like a later one
_MAGIC: Final = b"SQLite format 3\0"
_HEADER: Final = struct.Struct(">16s44xI4xI28x")  # user_version at 60, application_id at 68 of the file's 100 bytes
PAGE_BYTES: Final = 8192  # rows are 0.2 to 64 KiB: fewer overflow pages than 4 KiB, little waste for a lone tick
CHECKPOINT_PAGES: Final = 512
BUSY_MS: Final = 2_000
# To read a segment that has a write-ahead log takes a little room, too: a full disk is no damage.
_PASSING: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)
_UNREADABLE: Final = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS)
_SCHEMA: Final = """
CREATE TABLE batch (
    sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, device TEXT NOT NULL, ordinal INTEGER NOT NULL,
    items INTEGER NOT NULL, at_us INTEGER NOT NULL, crc INTEGER NOT NULL, payload BLOB NOT NULL) STRICT;
CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), value BLOB NOT NULL) STRICT;
CREATE TABLE shed (id INTEGER NOT NULL, kind TEXT NOT NULL, items INTEGER NOT NULL) STRICT;
"""
RESTORED: Final = "restored"  # as the judge: nobody has counted since the journal came out of a backup
_COLUMNS: Final = "sequence, kind, device, ordinal, items, at_us, payload, crc"


class Row(NamedTuple):
    """One batch as it is stored and sent."""

    sequence: int
    kind: str
    device: str
    ordinal: int
    items: int
    at_us: int
    payload: bytes


class State(msgspec.Struct, kw_only=True):
    """The counters of a journal, as of its last commit; all by kind.

    Attributes:
        journalled: items ever committed; the next ordinal.
        judge: the session that counted `judged`; judged_base: what was judged before it lost its count.
        shed_id: the last shedding that `dropped` contains.
    """

    gateway: str
    epoch: int
    next_sequence: int = 1
    watermark: int = 0
    heard: dict[str, int] = {}
    journalled: dict[str, int] = {}
    judged: dict[str, int] = {}
    judged_base: dict[str, int] = {}
    judge: str = ""
    dropped: dict[str, dict[str, int]] = {}
    unjudged: dict[str, int] = {}
    shed_id: int = 0

    def copy(self) -> State:
        """One that may be changed without changing this one."""
        return decode_state(encode_state(self))


_state_encoder: Final = msgspec.json.Encoder()
_state_decoder: Final = msgspec.json.Decoder(State)
_CRC: Final = b',"crc":'  # the last field of a state, over all before it


def encode_state(state: State) -> bytes:
    """As it is stored."""
    value = _state_encoder.encode(state)
    return b"%b%b%d}" % (value[:-1], _CRC, zlib.crc32(value))


def decode_state(value: bytes) -> State:
    """Read a `State`; raises msgspec.DecodeError, msgspec.ValidationError or UnicodeDecodeError."""
    head, mark, crc = value.rpartition(_CRC)
    if mark and crc != b"%d}" % zlib.crc32(head + b"}"):
        raise msgspec.DecodeError("it is not what was written")
    return _state_decoder.decode(value)


class DamagedError(Exception):
    """A segment holds pages or rows that are not what was written."""


class Summary(NamedTuple):
    """What a segment holds; `last` is `first - 1` when it is empty."""

    first: int
    last: int
    last_at_us: int
    kinds: frozenset[str]


def path_of(directory: Path, first: int) -> Path:
    """The segment whose first row has, or will have, this sequence."""
    return directory / f"{first:020d}{SUFFIX}"


def first_of(path: Path) -> int:
    """The sequence in the name of a segment."""
    return int(path.name.removesuffix(SUFFIX))


def paths(directory: Path) -> list[Path]:
    """All segments, oldest first."""
    return sorted(p for p in directory.glob(f"*{SUFFIX}") if p.name.removesuffix(SUFFIX).isdecimal())


def later_version(path: Path) -> int | None:
    """The version of the later program that wrote a segment; None when this one reads it. It changes nothing."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
    except FileNotFoundError:
        return None
    if len(header) < _HEADER.size:
        return None
    magic, version, application_id = _HEADER.unpack(header)
    is_ours = magic == _MAGIC and application_id == _APPLICATION_ID + version
    return version if is_ours and version > VERSION else None


def create(path: Path, state: State, rows: Iterable[Row] = (), shed: Iterable[tuple[int, str, int]] = ()) -> None:
    """Make a segment in one step: after a crash it is there whole, or not at all.

    Raises:
        sqlite3.Error, OSError: it cannot be written.
    """
    draft = path.with_name(path.name + ".draft")
    for leftover in (draft, draft.with_name(draft.name + "-journal")):
        leftover.unlink(missing_ok=True)
    with closing(sqlite3.connect(draft, isolation_level=None)) as db:
        db.execute(f"PRAGMA page_size={PAGE_BYTES}")
        db.execute("PRAGMA synchronous=FULL")
        db.execute(f"PRAGMA user_version={VERSION}")
        db.execute(f"PRAGMA application_id={_APPLICATION_ID + VERSION}")
        db.executescript(_SCHEMA)
        db.execute("BEGIN IMMEDIATE")
        _insert(db, rows)
        db.executemany("INSERT INTO shed VALUES (?, ?, ?)", shed)
        db.execute("INSERT INTO state VALUES (1, ?)", (encode_state(state),))
        db.execute("COMMIT")
    draft.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make renames and unlinks in it durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Open the newest segment; any thread may use it, one at a time.

    Raises:
        sqlite3.Error: it cannot be read, or what a crash left in its log cannot be made durable.
    """
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=16)
    try:
        db.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        left_log.settle(db)
    except sqlite3.Error:
        db.close()
        raise
    return db


def append(db: sqlite3.Connection, rows: Iterable[Row], state: State) -> None:
    """Commit rows and state together; when it returns they are on the disk.

    Raises:
        sqlite3.Error: nothing of it is there.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        _insert(db, rows)
        db.execute("UPDATE state SET value = ? WHERE one = 1", (encode_state(state),))
        db.execute("COMMIT")
    except sqlite3.Error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def close(db: sqlite3.Connection) -> None:
    """Close a segment for good: everything goes into its one file, unless somebody reads it just now.

    Raises:
        sqlite3.OperationalError: the disk is full; the segment is open as before.
    """
    try:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
            raise
        # Locked by a reader: the write-ahead log stays beside it, which is as safe.
    db.close()


def succeed(db: sqlite3.Connection, successor: Path, state: State) -> sqlite3.Connection:
    """Begin the next segment, then close this one for good; after an error this one goes on.

    Raises:
        sqlite3.Error, OSError: there is no next one.
    """
    try:
        create(successor, state)
        begun = open_for_writing(successor)
        try:
            close(db)
        except sqlite3.Error:
            begun.close()
            raise
    except (sqlite3.Error, OSError):
        delete(successor)
        raise
    return begun


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a segment to read it, even while it is written.

    Raises:
        DamagedError: SQLite finds it malformed, on opening or later. FileNotFoundError: it was deleted.
        sqlite3.OperationalError: it cannot be read just now; that says nothing of what it holds.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, isolation_level=None)) as db:
            db.execute(f"PRAGMA busy_timeout={BUSY_MS}")
            db.execute("PRAGMA query_only=1")
            yield db
    except sqlite3.OperationalError as error:
        if not path.exists():
            raise FileNotFoundError(path) from error
        code = getattr(error, "sqlite_errorcode", 0)  # none where a text is no UTF-8: Python finds that, not SQLite
        if code & 0xFF in _PASSING and code not in _UNREADABLE:
            raise
        raise DamagedError(f"{path.name}: {error}") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise DamagedError(f"{path.name}: {error}") from error


def state_of(db: sqlite3.Connection) -> State:
    """The state as of the last commit.

    Raises:
        DamagedError: it cannot be read.
    """
    try:
        return decode_state(db.execute("SELECT value FROM state WHERE one = 1").fetchone()[0])
    except (TypeError, msgspec.DecodeError, UnicodeDecodeError) as error:  # TypeError: no such row
        raise DamagedError(f"the state of the journal cannot be read: {error}") from error


def summary(db: sqlite3.Connection, first: int) -> Summary:
    """What the segment that begins with `first` holds."""
    last, last_at_us = db.execute("SELECT max(sequence), max(at_us) FROM batch").fetchone()
    kinds = frozenset(kind for (kind,) in db.execute("SELECT DISTINCT kind FROM batch"))
    return Summary(first, first - 1 if last is None else last, last_at_us or 0, kinds)


def items(db: sqlite3.Connection, after: int, until: int | None = None) -> dict[str, int]:
    """Items by kind in rows beyond `after`, up to and with `until`."""
    where = "WHERE sequence > ?" + (" AND sequence <= ?" if until is not None else "")
    bounds = (after,) if until is None else (after, until)
    query = f"SELECT kind, sum(items) FROM batch {where} GROUP BY kind"  # noqa: S608  # made of constants
    return {kind: count for kind, count in db.execute(query, bounds) if count}


def read(db: sqlite3.Connection, first: int, most_rows: int, most_bytes: int) -> list[Row]:
    """Rows from `first` on, in order; at least one, if there is one.

    Raises:
        DamagedError: a row is not what was written.
    """
    found: list[Row] = []
    size = 0
    query = f"SELECT {_COLUMNS} FROM batch WHERE sequence >= ? ORDER BY sequence LIMIT ?"  # noqa: S608  # constants
    for *columns, crc in db.execute(query, (first, most_rows)):
        row = Row(*columns)
        if not isinstance(columns[-1], bytes) or _crc(row) != crc:
            raise DamagedError(f"row {row.sequence} fails its checksum")
        found.append(row)
        size += len(row.payload)
        if size >= most_bytes:
            break
    return found


def check(path: Path) -> None:
    """Read everything once.

    Raises:
        DamagedError: something is not what was written.
    """
    with reading(path) as db:
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise DamagedError(f"{path.name}: {verdict}")
        state_of(db)
        first = 0
        while rows := read(db, first, 500, 1 << 20):
            first = rows[-1].sequence + 1


def shed_counts(db: sqlite3.Connection, after: int) -> list[tuple[int, str, int]]:
    """Sheddings of this segment with an id beyond `after`: id, kind, items."""
    return list(db.execute("SELECT id, kind, items FROM shed WHERE id > ? ORDER BY id", (after,)))


def without(path: Path, kinds: Collection[str], keep: Callable[[int], bool], shed_id: int) -> dict[str, int]:
    """Write the segment anew without rows of `kinds`, except those to `keep`; returns the items shed, by kind.

    The new file says what it lacks, so that a crash between this and the next commit is made good at the next start.

    Raises:
        DamagedError: it cannot be read. sqlite3.Error, OSError: it cannot be written.
    """
    gone: dict[str, int] = {}
    kept: list[Row] = []
    with reading(path) as db:
        state = state_of(db)
        before = shed_counts(db, 0)
        wanted = 0
        while rows := read(db, wanted, 500, 1 << 20):
            wanted = rows[-1].sequence + 1
            for row in rows:
                if row.kind in kinds and not keep(row.sequence):
                    gone[row.kind] = gone.get(row.kind, 0) + row.items
                else:
                    kept.append(row)
    create(path, state, kept, [*before, *((shed_id, kind, count) for kind, count in gone.items())])
    return gone


def size_bytes(path: Path) -> int:
    """What the segment takes on the disk, its write-ahead log included."""
    total = 0
    for suffix in ("", "-wal"):
        try:
            total += path.with_name(path.name + suffix).stat().st_size
        except FileNotFoundError:
            continue
    return total


def delete(path: Path) -> int:
    """Delete a segment and return the bytes that came back."""
    freed = size_bytes(path)
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return freed


def _insert(db: sqlite3.Connection, rows: Iterable[Row]) -> None:
    db.executemany(
        "INSERT INTO batch (sequence, kind, device, ordinal, items, at_us, payload, crc) VALUES (?,?,?,?,?,?,?,?)",
        ((*row, _crc(row)) for row in rows),
    )


def _crc(row: Sequence[object]) -> int:
    *head, payload = row
    assert isinstance(payload, bytes)
    return zlib.crc32(payload, zlib.crc32(repr(head).encode()))
