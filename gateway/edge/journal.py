"""The edge journal: the source of truth. What it has committed is sent until it is judged, through any crash.

Batches get their sequence on the event loop, wait in memory for the next group commit, and are announced when it is on
the disk. Counters are committed together with the rows that they count, so that the ledger balances after kill -9 too;
what waited in memory then was never counted as heard.

A failed write or sync ends the journal for good (`failed`): what the kernel did with the pages is unknown, and only
reading them anew tells. A full disk does not: rows wait, new telemetry is dropped by reason, and writing goes on when
there is room.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from gateway.config.models import Journal as Settings
from gateway.contract.batches import ITEM_KINDS, Batch, encode, item_count, kind_of
from gateway.edge import recovery
from gateway.edge.committer import READ_BYTES, READ_ROWS, Committer, Group, JournalFailedError, Released, add
from gateway.edge.segment import Row, State
from gateway.health import Health
from gateway.logs import get_log

SEGMENT_BYTES: Final = 64 << 20
LEAST_SEGMENTS: Final = 16  # of the hard bound: so small a part is written anew when telemetry is shed
RECENT_BYTES: Final = 32 << 20
WAITING_BYTES: Final = 48 << 20  # what may wait in memory while the disk stalls or is full


class Journal:
    """The journal of one gateway in one directory. For the event loop.

    Attributes:
        state: counters as of the last commit.
        failed: ends with a JournalFailedError when the disk has failed.
        on_commit: called after each commit.
    """

    def __init__(
        self, directory: Path, gateway: str, settings: Settings, health: Health, *, segment_bytes: int | None = None
    ) -> None:
        """Open the journal, on a running event loop.

        Raises:
            ConfigError: it belongs to another gateway. OSError, sqlite3.Error: it cannot be read or written.
        """
        self._settings = settings
        self._health = health
        self._loop = asyncio.get_running_loop()
        opened = recovery.open_journal(directory, gateway, self._alarm)
        self._committer = Committer(
            opened,
            settings,
            health,
            segment_bytes or min(SEGMENT_BYTES, settings.limit_bytes // LEAST_SEGMENTS),
            alarm=self._alarm,
            committed=lambda group, state: self._call(self._committed, group, state),
            failed=lambda failure: self._call(self._fail, failure),
        )
        self.state = opened.state
        self.epoch = opened.state.epoch
        self.failed: asyncio.Future[None] = self._loop.create_future()
        self.on_commit: Callable[[], None] = lambda: None
        self._next = opened.state.next_sequence
        self._ordinals = {kind: opened.state.journalled.get(kind, 0) for kind in ITEM_KINDS}
        self._uncommitted = Group()  # sums over everything that is not committed; its list of rows stays empty
        self._recent: deque[Row] = deque()
        self._recent_bytes = 0
        self._recent_first = self._next  # what is in memory is sent from there, so it must not be shed on the disk
        self._on_their_way = (0, 0)
        self._released_to = 0
        self._committer.is_kept = self._is_kept
        self._flushed: list[asyncio.Future[None]] = []

    def start(self) -> None:
        """Start committing."""
        self._committer.start()

    @property
    def last(self) -> int:
        """The last sequence that is committed."""
        return self.state.next_sequence - 1

    @property
    def watermark(self) -> int:
        """Judged up to here, as committed."""
        return self.state.watermark

    def waiting(self, kind: str) -> int:
        """Items in memory, not yet committed."""
        return self._uncommitted.items[kind]

    def dropped(self, kind: str) -> dict[str, int]:
        """Items that will never be judged, by reason."""
        total = dict(self.state.dropped.get(kind, {}))
        for reason, count in self._uncommitted.dropped[kind].items():
            if count:
                add(total, reason, count)
        return total

    def append(self, *batches: Batch, heard: Mapping[str, int] = MappingProxyType({})) -> None:
        """Give the batches their epoch, sequence and ordinal, and commit them with the next group.

        `heard` says, by kind, how many items the drivers reported that these batches stand for, counted apart; it is
        committed with them. When too much waits for the disk, telemetry is dropped and counted instead.
        """
        rows: list[Row] = []
        dropped: dict[str, dict[str, int]] = {}
        for batch in batches:
            kind, items = kind_of(batch), item_count(batch)
            if self._stalled(items):
                if items:
                    add(dropped.setdefault(kind, {}), "journal_stalled", items)
                continue
            batch.epoch, batch.sequence = self.epoch, self._next
            if items:
                batch.ordinal = self._ordinals[kind]
                self._ordinals[kind] += items
            rows.append(Row(self._next, kind, batch.device, batch.ordinal, items, batch.received_at_us, encode(batch)))
            self._next += 1
        self._take(rows, heard, dropped)

    def lose(self, kind: str, reason: str, count: int) -> None:
        """Count items that were heard and will never be journalled."""
        self._take([], {kind: count}, {kind: {reason: count}})

    def _take(self, rows: list[Row], heard: Mapping[str, int], dropped: Mapping[str, Mapping[str, int]]) -> None:
        self._committer.add(rows, heard, dropped)
        self._uncommitted.add(rows, heard, dropped)
        self._uncommitted.rows.clear()

    def _stalled(self, items: int) -> bool:
        """Whether a batch must be dropped: telemetry early, the rest late."""
        waiting = self._uncommitted.bytes
        if waiting <= WAITING_BYTES or (not items and waiting <= 2 * WAITING_BYTES):
            return False
        if "journal" not in self._health.degraded:
            self._health.degraded["journal"] = "the disk does not keep up, or is full"
            self._health.trouble(get_log(), "journal_stalled", level="error", waiting_bytes=waiting)
        return True

    def release(self, sequence: int, session: str, judged: dict[str, int] | None) -> None:
        """Everything up to `sequence` is judged; `judged` is the own count of that session of the judge, by kind.

        None means that nobody counts: what the rows say is taken.
        """
        self._released_to = max(self._released_to, min(sequence, self.last))
        self._committer.release(Released(sequence, session, judged))

    def knows(self, sequence: int) -> bool:
        """Whether this sequence was given to a batch, committed or not."""
        return sequence < self._next

    def skip_past(self, sequence: int) -> None:
        """Never use sequences up to this one again."""
        self._next = max(self._next, sequence + 1)

    async def read(self, first: int, *, on_their_way_from: int, on_their_way_to: int = 0) -> list[Row]:
        """Some committed rows from `first` on; none when there is none.

        Rows from `on_their_way_from` to `on_their_way_to` or the end of the answer are not shed until the next call.
        """

        def keep_to(last: int) -> None:
            self._on_their_way = (on_their_way_from, max(last, on_their_way_to))

        if not self._recent or first < self._recent[0].sequence:
            if first > self.last:
                return []
            return await asyncio.to_thread(self._committer.read, first, keep_to)
        rows: list[Row] = []
        size = 0
        # Rows in memory follow each other without holes, see `_committed`.
        for index in range(max(0, min(len(self._recent), first - self._recent[0].sequence)), len(self._recent)):
            rows.append(self._recent[index])
            size += len(rows[-1].payload)
            if len(rows) >= READ_ROWS or size >= READ_BYTES:
                break
        if rows:
            keep_to(rows[-1].sequence)
        return rows

    def _is_kept(self, sequence: int) -> bool:
        """Whether a row may yet be judged, or is, as of now: the sender goes on while segments are written anew.

        For the journal's thread. The order matters: what leaves the memory is on its way by then, and what is no longer
        on its way is released by then.
        """
        if sequence >= self._recent_first:
            return True
        first, last = self._on_their_way
        return first <= sequence <= last or sequence <= self._released_to

    async def flush(self) -> None:
        """Wait until everything that was appended is committed.

        Raises:
            JournalFailedError: the disk failed.
        """
        if self._uncommitted:
            done: asyncio.Future[None] = self._loop.create_future()
            self._flushed.append(done)
            self._committer.wake()
            await asyncio.wait({done, self.failed}, return_when=asyncio.FIRST_COMPLETED)
        if self.failed.done():
            await self.failed

    async def close(self) -> None:
        """Commit what waits and close the files."""
        await asyncio.to_thread(self._committer.stop)

    def _committed(self, group: Group, state: State) -> None:
        self.state = state
        waiting = self._uncommitted
        waiting.bytes -= group.bytes
        for kind in ITEM_KINDS:
            waiting.items[kind] -= group.items[kind]
            waiting.heard[kind] -= group.heard[kind]
            for reason, count in group.dropped[kind].items():
                waiting.dropped[kind][reason] -= count
        for row in group.rows:
            if self._recent and row.sequence != self._recent[-1].sequence + 1:
                self._recent.clear()  # sequences were skipped: the memory begins anew
                self._recent_bytes = 0
            self._recent.append(row)
            self._recent_bytes += len(row.payload)
        bound = min(RECENT_BYTES, self._settings.limit_bytes // 8)
        while self._recent and (self._recent_bytes > bound or self._recent[0].sequence <= state.watermark):
            self._recent_bytes -= len(self._recent.popleft().payload)
        self._recent_first = self._recent[0].sequence if self._recent else state.next_sequence
        if waiting.bytes < WAITING_BYTES // 2:
            self._health.degraded.pop("journal", None)
        if not waiting:
            for done in self._flushed:
                if not done.done():
                    done.set_result(None)
            self._flushed.clear()
        self.on_commit()

    def _alarm(self, name: str, why: str) -> None:
        self._health.trouble(get_log(), "journal_damaged", level="critical", segment=name, error=why)

    def _fail(self, failure: JournalFailedError) -> None:
        self._health.not_ready["journal"] = str(failure)
        if not self.failed.done():
            self.failed.set_exception(failure)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)
