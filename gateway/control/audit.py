"""The audit of control: append-only, chained by hashes, on the disk before anything leaves the gateway.

One SQLite table, `control-audit.sqlite` in the state directory, WAL with synchronous=FULL. Each record's hash covers
the record before it:

    hash = SHA-256(hash of the record before, LF, body)        the first one follows 64 zeros

So a changed, removed or inserted record breaks the chain; triggers refuse changes that come by mistake. What the chain
alone cannot show is that its end was cut off: for that the last sequence and hash stand in a file beside it, go out
with every outcome, and stand in the log. Whoever rewrites all of it is found out by any of these that he cannot reach.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple

import msgspec

from gateway.contract.commands import FINAL, Command, Outcome

FILE: Final = "control-audit.sqlite"
HEAD: Final = "control-audit.head"
START: Final = "0" * 64
PAGE_BYTES: Final = 4096
MOST_PAGES: Final = (1 << 30) // PAGE_BYTES
"""1 GiB, some million commands; when it is full nothing is ordered any more."""
HOUR_US: Final = 3_600_000_000

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS record (
    sequence INTEGER PRIMARY KEY, id TEXT NOT NULL, at_us INTEGER NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL,
    hash TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS record_by_id ON record (id, sequence);
CREATE INDEX IF NOT EXISTS record_by_state ON record (state, at_us);
CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON record BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'append only'); END;
"""


class AuditError(Exception):
    """The audit cannot be written or read; nothing may be ordered."""


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record.

    Attributes:
        command: the command that it answers; None where the gateway speaks of itself, after a restart.
    """

    sequence: int
    outcome: Outcome
    command: Command | None = None


class Head(NamedTuple):
    """The end of the chain."""

    sequence: int
    hash: str


_encoder: Final = msgspec.json.Encoder(order="sorted")
_decoder: Final = msgspec.json.Decoder(Record)


def chained(before: str, body: str) -> str:
    """The hash of a record."""
    return hashlib.sha256(f"{before}\n{body}".encode()).hexdigest()


class Audit:
    """The audit of one gateway. May be used from several threads.

    Attributes:
        head: the end of the chain.
        fault: why it must not be continued, found when it was opened; empty when it may.

    Raises:
        AuditError: it cannot be opened, here and in every method.
    """

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE
        self._head_path = state_dir / HEAD
        self._lock = Lock()
        with _told(self.path):
            self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self.path.chmod(0o640)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(f"PRAGMA max_page_count={MOST_PAGES}")
            self._db.executescript(_SCHEMA)
            self.head = _head(self._db)
            self.fault = self._fault()

    def append(self, outcome: Outcome, command: Command | None = None) -> Outcome:
        """Add a record; when this returns it is on the disk. Returns the outcome with its place in the chain."""
        if self.fault:
            raise AuditError(self.fault)
        with self._lock, _told(self.path):
            sequence = self.head.sequence + 1
            body = _encoder.encode(Record(sequence, outcome, command)).decode()
            head = Head(sequence, chained(self.head.hash, body))
            row = (sequence, outcome.id, outcome.at_us, outcome.state, body, head.hash)
            self._db.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", row)
            self.head = head
            self._note_head()
        return msgspec.structs.replace(outcome, audit_sequence=head.sequence, audit_hash=head.hash)

    def last(self, command_id: str) -> Outcome | None:
        """The latest outcome of a command; None when it was never seen."""
        query = "SELECT body, hash FROM record WHERE id = ? ORDER BY sequence DESC LIMIT 1"
        found = self._outcomes(query, command_id)
        return found[0] if found else None

    def unfinished(self) -> list[Outcome]:
        """What was being sent when the gateway ended, oldest first."""
        query = (
            "SELECT body, hash FROM record AS one WHERE state = 'sending' AND NOT EXISTS (SELECT 1 FROM record AS other"
            " WHERE other.id = one.id AND other.sequence > one.sequence AND other.state IN (SELECT value FROM"
            " json_each(?))) ORDER BY sequence"
        )
        return self._outcomes(query, msgspec.json.encode(sorted(FINAL)).decode())

    def attempts(self, now_us: int) -> list[Outcome]:
        """The attempts of the last hour, oldest first."""
        query = "SELECT body, hash FROM record WHERE state = 'sending' AND at_us > ? ORDER BY sequence"
        return self._outcomes(query, now_us - HOUR_US)

    def newest_us(self) -> int:
        """The latest time at which an order was believed; 0 when there was none."""
        with self._lock, _told(self.path):
            query = "SELECT max(at_us) FROM record WHERE state IN ('armed', 'sending')"
            (found,) = self._db.execute(query).fetchone()
        return int(found or 0)

    def close(self) -> None:
        """Close it."""
        with self._lock, _told(self.path):
            self._db.close()

    def _outcomes(self, query: str, *values: Any) -> list[Outcome]:
        with self._lock, _told(self.path):
            rows = self._db.execute(query, values).fetchall()
            return [_outcome(body, found) for body, found in rows]

    def _fault(self) -> str:
        """An audit whose end was cut off is evidence, and to go on would hide it."""
        noted = noted_head(self.path.parent)
        if noted is None:
            lost = self.head.sequence > 1
        elif noted.sequence == self.head.sequence:
            lost = noted.hash != self.head.hash
        else:  # a power cut may leave the note behind, but never ahead
            row = self._db.execute("SELECT hash FROM record WHERE sequence = ?", (noted.sequence,)).fetchone()
            lost = noted.sequence > 0 and row != (noted.hash,)
        if not lost:
            return ""
        return (
            f"{self.path} is not what {HEAD} says: it was cut off or rewritten; keep both files as evidence, ask "
            "`tagwharf command audit --verify`, and move them away to begin a new audit"
        )

    def _note_head(self) -> None:
        """May lag behind after a power cut, but is never ahead of what is on the disk."""
        unfinished = self._head_path.with_suffix(".part")
        unfinished.write_text(f"{self.head.sequence}:{self.head.hash}\n")
        unfinished.replace(self._head_path)


class Verdict(NamedTuple):
    """What `verify` found.

    Attributes:
        faults: what is wrong, one line each; empty when all is right.
    """

    records: int
    head: Head
    faults: list[str]


def audit_directory(state_dir: Path, gateway: str) -> Path:
    """Where the audit of a gateway is: in its state directory, or in that which the units put beside it.

    Where there is none, the state directory: whoever looks into it is told so.
    """
    beside = state_dir.with_name(f"{state_dir.name}-edge")
    places = (state_dir, beside, beside / gateway)
    return next((place for place in places if (place / FILE).exists()), state_dir)


def verify(state_dir: Path, receipts: list[Head] | None = None) -> Verdict:
    """Go through the whole chain, and compare it with the noted end and with receipts: heads that somebody kept.

    Raises:
        AuditError: there is none, or it cannot be read.
    """
    faults: list[str] = []
    wanted = {head.sequence: head.hash for head in receipts or []}
    noted = noted_head(state_dir)
    before, count = START, 0
    with reading(state_dir) as db:
        for sequence, command_id, at_us, state, body, found in db.execute("SELECT * FROM record ORDER BY sequence"):
            count += 1
            if sequence != count:
                faults.append(f"record {count} is missing")
                count = sequence
            if chained(before, body) != found:
                faults.append(f"record {sequence}: its hash does not follow from the record before it and its text")
            faults += _unlike(sequence, command_id, at_us, state, body)
            for receipt, whose in ((wanted.get(sequence), "a receipt"), (_at(noted, sequence), f"the file {HEAD}")):
                if receipt is not None and receipt != found:
                    faults.append(f"record {sequence}: its hash is another than in {whose}: it was rewritten")
            before = found
    last = max([*wanted, noted.sequence if noted else 0])
    if last > count:
        faults.append(f"records {count + 1} to {last} are missing at the end: it was cut off")
    if noted is None and count:
        faults.append(f"the file {HEAD} is missing: whether the end was cut off cannot be told")
    return Verdict(count, Head(count, before), faults)


def records(state_dir: Path, last: int) -> list[Record]:
    """The latest records, oldest first.

    Raises:
        AuditError: there is no audit, or it cannot be read.
    """
    with reading(state_dir) as db:
        rows = db.execute("SELECT body FROM record ORDER BY sequence DESC LIMIT ?", (last,)).fetchall()
        return [_decoder.decode(body) for (body,) in reversed(rows)]


def noted_head(state_dir: Path) -> Head | None:
    """The end of the chain as noted beside it.

    Raises:
        AuditError: the note cannot be read.
    """
    path = state_dir / HEAD
    try:
        return head_of(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise AuditError(f"{path}: cannot be read: {error}") from error


def head_of(text: str) -> Head:
    """`SEQUENCE:HASH`, as outcomes and the log tell it; raises ValueError."""
    sequence, _, found = text.strip().partition(":")
    if not sequence.isdecimal() or len(found) != len(START):
        raise ValueError(f"{text.strip()!r}: must be SEQUENCE:HASH, the hash with {len(START)} hex digits")
    return Head(int(sequence), found)


@contextmanager
def reading(state_dir: Path) -> Iterator[sqlite3.Connection]:
    """The database, for reading only.

    Raises:
        AuditError: there is none, or it cannot be read.
    """
    path = state_dir / FILE
    if not path.is_file():
        raise AuditError(f"{path}: there is no audit yet: no edge daemon with [control] enabled has run here")
    with _told(path):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            yield db
        finally:
            db.close()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError, msgspec.MsgspecError) as error:
        raise AuditError(f"{path}: {error}; check the disk and the owner of the directory") from error


def _head(db: sqlite3.Connection) -> Head:
    row = db.execute("SELECT sequence, hash FROM record ORDER BY sequence DESC LIMIT 1").fetchone()
    return Head(*row) if row else Head(0, START)


def _outcome(body: str, found: str) -> Outcome:
    record = _decoder.decode(body)
    return msgspec.structs.replace(record.outcome, audit_sequence=record.sequence, audit_hash=found)


def _at(head: Head | None, sequence: int) -> str | None:
    return head.hash if head is not None and head.sequence == sequence else None


def _unlike(sequence: int, command_id: str, at_us: int, state: str, body: str) -> list[str]:
    """The columns that are searched must say what the text says."""
    try:
        record = _decoder.decode(body)
    except msgspec.MsgspecError as error:
        return [f"record {sequence}: its text is no record: {error}"]
    said = (record.sequence, record.outcome.id, record.outcome.at_us, record.outcome.state)
    if said != (sequence, command_id, at_us, state):
        return [f"record {sequence}: its columns say something else than its text"]
    return []
