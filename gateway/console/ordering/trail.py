"""The audit of the gateway on this machine: its records newest first, how the last order of each point ended, its text.

Nonces are left out: they are of use to nobody who looks, and to somebody who should not.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Final

import msgspec

from gateway.console.ordering.board import OrderTold
from gateway.contract.commands import FINAL
from gateway.control.audit import Head, Record, reading

WITHIN_S: Final = 3.0
LOOKED_AT_MOST: Final = 20_000
CHUNK: Final = 500
LATEST_US: Final = 1 << 62
_TICKS: Final = 10_000
"""Steps of the database between two looks at the clock."""
_FIELDS: Final = {
    "by": "$.outcome.by",
    "device": "$.outcome.device",
    "point": "$.outcome.point",
    "action": "$.outcome.action",
    "id": "$.outcome.id",
    "order": "$.outcome.order",
}

_decoder: Final = msgspec.json.Decoder(Record)


class TooSlowError(Exception):
    """The answer takes too long; the message says what helps."""


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which records; an empty text selects nothing.

    Attributes:
        state: of the outcome; `from_us` and `to_us` bound its time, the latter excluded.
    """

    by: str = ""
    device: str = ""
    point: str = ""
    action: str = ""
    id: str = ""
    order: str = ""
    state: str = ""
    from_us: int = 0
    to_us: int = LATEST_US

    def where(self) -> tuple[str, list[str | int]]:
        """The condition and its values. A damaged text matches no field, and is found by time and state alone."""
        parts, values = ["at_us >= ?", "at_us < ?"], [self.from_us, self.to_us]
        mixed: list[str | int] = [*values]
        if self.state:
            parts.append("state = ?")
            mixed.append(self.state)
        for name, path in _FIELDS.items():
            if wanted := getattr(self, name):
                parts.append(f"CASE WHEN json_valid(body) THEN json_extract(body, '{path}') END = ?")
                mixed.append(wanted)
        return " AND ".join(parts), mixed


class RecordTold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record.

    Attributes:
        receipt: `SEQUENCE:HASH`.
        kind: of the command that it answers; empty where the gateway speaks of itself or goes on.
        is_damaged: its text cannot be read; only its place, time and state are known.
    """

    sequence: int
    receipt: str
    at_us: int
    state: str
    id: str = ""
    order: str = ""
    gateway: str = ""
    by: str = ""
    kind: str = ""
    device: str = ""
    point: str = ""
    action: str | None = None
    value: str | None = None
    reason: str = ""
    code: str = ""
    detail: str = ""
    shows: dict[str, bool | str] = {}
    is_damaged: bool = False


class Sheet(msgspec.Struct, frozen=True):
    """Some records, newest first.

    Attributes:
        before: asks for the next sheet; None when there is none.
        head: the receipt of the newest record of all; empty when there is none.
    """

    records: list[RecordTold]
    before: int | None
    head: str


def sheet(state_dir: Path, asked: Asked, *, before: int, limit: int) -> Sheet:
    """Records before a sequence, newest first.

    Raises:
        AuditError: there is no audit, or it cannot be read. TooSlowError: so it is.
    """
    condition, values = asked.where()
    query = f"SELECT * FROM record WHERE sequence < ? AND {condition} ORDER BY sequence DESC LIMIT ?"  # noqa: S608  # only question marks and names of ours
    with reading(state_dir) as db:
        rows = _in_time(db, query, [before, *values, limit + 1])
        head = db.execute("SELECT sequence, hash FROM record ORDER BY sequence DESC LIMIT 1").fetchone()
    told = [_told(*row) for row in rows[:limit]]
    more = told[-1].sequence if len(rows) > limit else None
    return Sheet(told, more, "" if head is None else f"{head[0]}:{head[1]}")


def lines(state_dir: Path, asked: Asked, *, after: int, now_us: int) -> tuple[list[bytes], int | None]:
    """Some records after a sequence, oldest first, as lines with their whole text, and where to go on; None: nowhere.

    `{"hash":...,"record":TEXT}`: the hash is that of the hash before it, a line feed and TEXT as it stands there. An
    order that may still be confirmed ends it, for its nonce is in its text.

    Raises:
        AuditError: there is no audit, or it cannot be read. TooSlowError: so it is.
    """
    condition, values = asked.where()
    query = f"SELECT * FROM record WHERE sequence > ? AND {condition} ORDER BY sequence LIMIT ?"  # noqa: S608  # only question marks and names of ours
    with reading(state_dir) as db:
        rows = _in_time(db, query, [after, *values, CHUNK])
    made: list[bytes] = []
    for sequence, _, at_us, state, body, found in rows:
        if state == "armed" and _is_open(body, at_us, now_us):
            return made, None
        made.append(b'{"hash":"%s","record":%s}\n' % (found.encode(), body.encode()))
        after = sequence
    return made, after if len(rows) == CHUNK else None


class Trail:
    """How the last order of each point ended, kept while the audit grows. May be asked from several threads."""

    def __init__(self, directory: Callable[[], Path]) -> None:
        """`directory` is asked each time where the audit is: it may come to be after the console."""
        self._directory = directory
        self._lock = Lock()
        self._head = Head(0, "")
        self._last: dict[str, OrderTold] = {}

    def latest(self) -> Mapping[str, OrderTold]:
        """By the keys of points, as far back as is looked.

        Raises:
            AuditError: there is no audit, or it cannot be read.
        """
        with self._lock, reading(self._directory()) as db:
            if not self._is_same(db):
                self._head, self._last = Head(0, ""), {}
            query = "SELECT * FROM record WHERE sequence > ? ORDER BY sequence DESC LIMIT ?"
            fresh: dict[str, OrderTold] = {}
            newest: Head | None = None
            for sequence, _, at_us, state, body, found in db.execute(query, (self._head.sequence, LOOKED_AT_MOST)):
                newest = newest or Head(sequence, found)
                told = _order(sequence, at_us, state, body, found)
                if told is not None:
                    fresh.setdefault(told.key, told)
            self._last.update(fresh)
            self._head = newest or self._head
            return dict(self._last)

    def _is_same(self, db: sqlite3.Connection) -> bool:
        """Whether it is the audit that was read before; it may have been moved away, and begun anew."""
        row = db.execute("SELECT hash FROM record WHERE sequence = ?", (self._head.sequence,)).fetchone()
        return self._head.sequence == 0 or row == (self._head.hash,)


def _in_time(db: sqlite3.Connection, query: str, values: list[str | int]) -> list[Any]:
    until_s = time.monotonic() + WITHIN_S
    db.set_progress_handler(lambda: time.monotonic() > until_s, _TICKS)
    try:
        return db.execute(query, values).fetchall()
    except sqlite3.OperationalError as error:
        if time.monotonic() > until_s:
            text = f"the audit did not answer within {WITHIN_S:g} s; choose a shorter time, or fewer filters"
            raise TooSlowError(text) from error
        raise
    finally:
        db.set_progress_handler(None, 0)


def _record(body: str) -> Record | None:
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def _told(sequence: int, command_id: str, at_us: int, state: str, body: str, found: str) -> RecordTold:
    record, receipt = _record(body), f"{sequence}:{found}"
    if record is None:
        return RecordTold(sequence=sequence, receipt=receipt, at_us=at_us, state=state, id=command_id, is_damaged=True)
    outcome, command = record.outcome, record.command
    return RecordTold(
        sequence=sequence,
        receipt=receipt,
        at_us=outcome.at_us,
        state=outcome.state,
        id=outcome.id,
        order=outcome.order,
        gateway=outcome.gateway,
        by=outcome.by,
        kind="" if command is None else command.kind,
        device=outcome.device,
        point=outcome.point,
        action=outcome.action,
        value=outcome.value,
        reason="" if command is None else command.reason,
        code=outcome.code,
        detail=outcome.detail,
        shows=outcome.shows,
    )


def _order(sequence: int, at_us: int, state: str, body: str, found: str) -> OrderTold | None:
    """How an order ended, if it did."""
    record = _record(body) if state in FINAL else None
    if record is None or not record.outcome.by or record.outcome.action is None:
        return None  # of nobody, or a cancelling: that of its order is told by the console that sent it
    outcome = record.outcome
    return OrderTold(
        id=outcome.order or outcome.id,
        device=outcome.device,
        point=outcome.point,
        action=outcome.action or "",
        value=outcome.value,
        by=outcome.by,
        state=state,
        at_us=at_us,
        shows=outcome.shows,
        shown_at_us=at_us if outcome.shows else None,
        code=outcome.code,
        detail=outcome.detail,
        receipt=f"{sequence}:{found}",
        is_over=True,
    )


def _is_open(body: str, at_us: int, now_us: int) -> bool:
    """Whether an armed order may still be confirmed; one whose time cannot be read, for as long as one can last."""
    record = _record(body)
    until_us = None if record is None else record.outcome.expires_at_us
    return now_us < (at_us + 60_000_000 if until_us is None else until_us)


def exported(state_dir: Path, asked: Asked, now_us: int) -> Iterator[bytes]:
    """All records as lines, in pieces.

    Raises:
        AuditError: there is no audit, or it cannot be read. TooSlowError: so it is.
    """
    after: int | None = 0
    while after is not None:
        made, after = lines(state_dir, asked, after=after, now_us=now_us)
        yield b"".join(made)
