"""The rules daemon's own memory on disk: SQLite, WAL, synchronous=FULL, one transaction for everything of a commit.

State of the engine, watermarks, counts, messages for the broker and parcels for the stores change together or not at
all: that is what makes an effect happen exactly once through kill -9.

Not thread-safe, except that one thread may commit while another reads; `rules.daemon.threads` sees to that.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from gateway.bulk_sql import delete_many, insert_many
from gateway.contract.ledger import PointAccount
from rules.daemon.database_file import DatabaseFile
from rules.daemon.intake import FlowRow
from rules.outputs import Parcel, Refusal

FREE_PAGES_KEPT: Final = 4096  # 16 MiB: space that the next outage will want again
FREE_PAGES_RETURNED: Final = 1024  # in one commit, so that giving space back never delays one
MESSAGES_MOST: Final = 20_000
RETAINED_MOST: Final = 10 * MESSAGES_MOST
QUARANTINE_ROWS: Final = 10_000
QUARANTINED_BYTES: Final = 16 << 10
OUTBOX_BYTES: Final = 4 << 30
READ_ROWS: Final = 512
SHED_FIRST: Final = ("reads", "events")


class Message(NamedTuple):
    """Something for the broker. Retained with an empty payload, it takes the retained message away."""

    id: int
    topic: str
    payload: bytes
    retain: bool = False


class Queued(NamedTuple):
    """A parcel in the outbox."""

    id: int
    parcel: Parcel


class Settlement(NamedTuple):
    """What became of parcels: all their points are stored, except the refused ones."""

    sink: str
    ids: Sequence[int]
    refusals: Sequence[Refusal] = ()


@dataclass(slots=True)
class Commit:
    """What changes together. `counts` are increments."""

    at_us: int
    state: Sequence[tuple[str, bytes | None]] = ()
    flows: Sequence[FlowRow] = ()
    forgotten: Sequence[tuple[str, int]] = ()
    messages: Sequence[Message] = ()
    published: Sequence[int] = ()
    parcels: Sequence[tuple[int, str, Parcel]] = ()
    settlements: Sequence[Settlement] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


class Totals(NamedTuple):
    """The counts and accounts as of one commit."""

    counts: dict[str, int]
    points: dict[str, PointAccount]
    queued_bytes: dict[str, int]


@dataclass(slots=True)
class Stored:
    """What the last life left."""

    state: list[tuple[str, bytes]]
    flows: list[FlowRow]
    retained: dict[str, bytes]
    next_parcel: int
    next_message: int
    totals: Totals


class Database:
    """The file. `limits`: bytes that may wait for each sink; without one it is 4 GiB.

    Raises:
        RulesDatabaseError: a newer version wrote it. sqlite3.OperationalError: it cannot be opened.
    """

    def __init__(self, path: Path, limits: Mapping[str, int] | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._limits = dict(limits or {})
        self._accounts: dict[str, list[int]] = {}  # made, stored, refused
        self._queued: dict[str, list[int]] = {}  # points, bytes: summed from the rows, apart from the accounts
        self._counts: dict[str, int] = {}
        self._file = DatabaseFile(path)
        self._writer = self._file.open()
        self._reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._reader.execute("PRAGMA query_only = ON")
        with self._file.finding_damage():
            self._load_totals()

    @property
    def set_aside(self) -> Path | None:
        """What a damaged file is kept as, if this life found one."""
        return self._file.set_aside

    def load(self) -> Stored:
        """Everything that the last commit left."""
        with self._file.finding_damage():
            return self._load()

    def _load(self) -> Stored:
        one = self._writer.execute
        return Stored(
            state=one("SELECT key, value FROM state").fetchall(),
            flows=[
                FlowRow(gateway, epoch, watermark, json.loads(judged), json.loads(ordinals))
                for gateway, epoch, watermark, judged, ordinals in one("SELECT * FROM flows ORDER BY gateway, epoch")
            ],
            retained=dict(one("SELECT topic, payload FROM retained").fetchall()),
            next_parcel=1 + one("SELECT coalesce(max(id), 0) FROM parcels").fetchone()[0],
            next_message=1 + one("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0],
            totals=self.totals(),
        )

    def totals(self) -> Totals:
        """Counts and accounts of the last commit; `queued` is summed from what waits, apart from the others."""
        points = {
            sink: PointAccount(made=made, stored=stored, refused=refused, queued=self._queued.get(sink, [0])[0])
            for sink, (made, stored, refused) in self._accounts.items()
        }
        return Totals(dict(self._counts), points, {sink: size for sink, (_, size) in self._queued.items()})

    def commit(self, commit: Commit) -> Totals:
        """Write it durably.

        Raises:
            sqlite3.Error: nothing of it is written; when the disk is full, it may be tried again.
        """
        with self._file.finding_damage():
            return self._commit(commit)

    def _commit(self, commit: Commit) -> Totals:
        execute = self._writer.execute
        execute("BEGIN IMMEDIATE")
        try:
            self._write_judgement(commit)
            self._write_messages(commit)
            for settlement in commit.settlements:
                self._settle(settlement, commit.at_us)
            self._queue(commit.parcels)
            for name, increment in commit.counts.items():
                self._count(name, increment)
            self._save_totals()
            execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.rollback()
            self._load_totals()
            raise
        if execute("PRAGMA freelist_count").fetchone()[0] > FREE_PAGES_KEPT:
            # The commit stands whatever becomes of this: a disk in trouble shows in the next one.
            with contextlib.suppress(sqlite3.OperationalError):
                # A script, because `execute` takes one step only, which gives back one page.
                self._writer.executescript(f"PRAGMA incremental_vacuum({FREE_PAGES_RETURNED})")
        return self.totals()

    def read_parcels(self, sink: str, after_id: int, most_points: int, most_bytes: int) -> list[Queued]:
        """The oldest parcels of a sink behind `after_id`, at least one if there is any."""
        found: list[Queued] = []
        points = size = 0
        rows = self._reader.execute(
            "SELECT id, kind, body, points, caused_at_us FROM parcels WHERE sink = ? AND id > ? ORDER BY id LIMIT ?",
            (sink, after_id, READ_ROWS),
        )
        for parcel_id, *values in rows:
            parcel = Parcel(*values)
            points += parcel.points
            size += len(parcel.body)
            if found and (points > most_points or size > most_bytes):
                break
            found.append(Queued(parcel_id, parcel))
        return found

    def read_messages(self, after_id: int, most: int) -> list[Message]:
        """The oldest messages behind `after_id`."""
        rows = self._reader.execute(
            "SELECT id, topic, payload, retain FROM messages WHERE id > ? ORDER BY id LIMIT ?", (after_id, most)
        )
        return [Message(number, topic, payload, bool(retain)) for number, topic, payload, retain in rows]

    def quarantined(self, sink: str) -> list[Refusal]:
        """What a sink refused for ever, oldest first, as far as it is kept."""
        rows = self._reader.execute("SELECT body, reason FROM quarantine WHERE sink = ? ORDER BY id", (sink,))
        return [Refusal(*row) for row in rows]

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()

    def _write_judgement(self, commit: Commit) -> None:
        many = self._writer.executemany
        delete_many(self._writer, "DELETE FROM state WHERE key", [key for key, value in commit.state if value is None])
        kept = [row for row in commit.state if row[1] is not None]
        insert_many(self._writer, "INSERT OR REPLACE INTO state", kept, 2)
        many(
            "INSERT OR REPLACE INTO flows VALUES (?, ?, ?, ?, ?)",
            [(f.gateway, f.epoch, f.watermark, json.dumps(f.judged), json.dumps(f.ordinals)) for f in commit.flows],
        )
        many("DELETE FROM flows WHERE gateway = ? AND epoch = ?", commit.forgotten)

    def _write_messages(self, commit: Commit) -> None:
        delete_many(self._writer, "DELETE FROM messages WHERE id", commit.published)
        insert_many(
            self._writer,
            "INSERT INTO messages (id, topic, payload, retain)",
            [(m.id, m.topic, m.payload, m.retain) for m in commit.messages],
            4,
        )
        for message in commit.messages:
            if message.retain and message.payload:
                self._writer.execute("INSERT OR REPLACE INTO retained VALUES (?, ?)", (message.topic, message.payload))
            elif message.retain:
                self._writer.execute("DELETE FROM retained WHERE topic = ?", (message.topic,))
        if commit.messages:
            self._shed_messages(commit.messages[-1].id)

    def _shed_messages(self, newest: int) -> None:
        """While the broker is away: the last word on each retained topic is kept ten times as long as the rest."""
        shed = self._writer.execute(
            "DELETE FROM messages WHERE id <= ?1 AND (retain = 0 OR id <= ?2 OR EXISTS (SELECT 1 FROM messages AS m "
            "WHERE m.retain AND m.topic = messages.topic AND m.id > messages.id))",
            (newest - MESSAGES_MOST, newest - RETAINED_MOST),
        ).rowcount
        if shed:
            self._count("messages_shed", shed)

    def _queue(self, parcels: Sequence[tuple[int, str, Parcel]]) -> None:
        self._writer.executemany(
            "INSERT INTO parcels (id, sink, kind, points, bytes, caused_at_us, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(number, sink, p.kind, p.points, len(p.body), p.caused_at_us, p.body) for number, sink, p in parcels],
        )
        for _, sink, parcel in parcels:
            self._account(sink)[0] += parcel.points
            self._take_in(sink, parcel.points, len(parcel.body))
        for sink in {sink for _, sink, _ in parcels}:
            self._shed(sink)

    def _shed(self, sink: str) -> None:
        """Keep within the sink's bound: the oldest reads go first, then the oldest of the rest; all counted."""
        excess = self._queued[sink][1] - self._limits.get(sink, OUTBOX_BYTES)
        for kind in SHED_FIRST:
            rows = self._writer.execute(
                "SELECT id, points, bytes FROM parcels WHERE sink = ? AND kind = ? ORDER BY id", (sink, kind)
            )
            shed: list[tuple[int]] = []
            while excess > 0 and (row := rows.fetchone()) is not None:
                number, points, size = row
                shed.append((number,))
                excess -= size
                self._take_in(sink, -points, -size)
                self._account(sink)[2] += points
                self._count(f"refused.{sink}.outbox_full_{kind}", points)
            rows.close()
            self._writer.executemany("DELETE FROM parcels WHERE id = ?", shed)

    def _settle(self, settlement: Settlement, at_us: int) -> None:
        sink, gone = settlement.sink, 0
        for number in settlement.ids:
            rows = self._writer.execute("DELETE FROM parcels WHERE id = ? RETURNING points, bytes", (number,))
            for points, size in rows.fetchall():  # none, if it was shed meanwhile: then it stands as refused
                gone += points
                self._take_in(sink, -points, -size)
        refused = min(len(settlement.refusals), gone)
        account = self._account(sink)
        account[1] += gone - refused
        account[2] += refused
        if refused:
            self._count(f"refused.{sink}.quarantined", refused)
            self._quarantine(settlement, at_us)

    def _quarantine(self, settlement: Settlement, at_us: int) -> None:
        self._writer.executemany(
            "INSERT INTO quarantine (sink, at_us, reason, body) VALUES (?, ?, ?, ?)",
            [(settlement.sink, at_us, r.reason[:500], r.body[:QUARANTINED_BYTES]) for r in settlement.refusals],
        )
        self._writer.execute(
            "DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?", (QUARANTINE_ROWS,)
        )

    def _account(self, sink: str) -> list[int]:
        return self._accounts.setdefault(sink, [0, 0, 0])

    def _take_in(self, sink: str, points: int, size: int) -> None:
        queued = self._queued.setdefault(sink, [0, 0])
        queued[0] += points
        queued[1] += size

    def _count(self, name: str, increment: int) -> None:
        self._counts[name] = self._counts.get(name, 0) + increment

    def _save_totals(self) -> None:
        self._writer.executemany("INSERT OR REPLACE INTO counts VALUES (?, ?)", self._counts.items())
        self._writer.executemany(
            "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?, ?)",
            [(sink, *account) for sink, account in self._accounts.items()],
        )

    def _load_totals(self) -> None:
        one = self._writer.execute
        self._counts = dict(one("SELECT name, value FROM counts").fetchall())
        self._accounts = {sink: list(account) for sink, *account in one("SELECT * FROM accounts")}
        sums = "SELECT sink, sum(points), sum(bytes) FROM parcels GROUP BY sink"
        self._queued = {sink: [points, size] for sink, points, size in one(sums)}
