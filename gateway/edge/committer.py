"""The thread that owns the files of the journal: it commits, moves the watermark, closes, trims and mends segments."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from gateway.config.models import Journal as Settings
from gateway.contract.batches import ITEM_KINDS
from gateway.edge import recovery, segment
from gateway.edge.recovery import Opened
from gateway.edge.retention import Retention
from gateway.edge.segment import DamagedError, Row, State
from gateway.health import Health
from gateway.logs import get_log

IDLE_S: Final = 1.0
GROUP_BYTES: Final = 4 << 20  # one transaction: what gathered while a disk was full must fit into a little room again
FULL_RETRY_S: Final = 0.5
MAINTAIN_EVERY_S: Final = 5.0
READ_ROWS: Final = 200
READ_BYTES: Final = 4 << 20
US_PER_DAY: Final = 86_400_000_000
_NS_PER_US: Final = 1_000


class JournalFailedError(Exception):
    """The disk refused a write or a sync: nothing may be promised before the journal is opened anew."""


class Group:
    """What one commit takes: rows, and what was heard and dropped on the way to them; counts are by kind."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.heard = dict.fromkeys(ITEM_KINDS, 0)
        self.items = dict.fromkeys(ITEM_KINDS, 0)
        self.dropped: dict[str, dict[str, int]] = {kind: {} for kind in ITEM_KINDS}
        self.bytes = 0

    def add(self, rows: Sequence[Row], heard: Mapping[str, int], dropped: Mapping[str, Mapping[str, int]]) -> None:
        """Take these in."""
        self.rows += rows
        for row in rows:
            self.bytes += len(row.payload)
            if row.items:
                self.items[row.kind] += row.items
        for kind, count in heard.items():
            self.heard[kind] += count
        for kind, reasons in dropped.items():
            for reason, count in reasons.items():
                add(self.dropped[kind], reason, count)

    def split(self, most_bytes: int) -> tuple[Group, Group]:
        """This group in two, the first of at most so many bytes or one row; drops are counted with the second."""
        if self.bytes <= most_bytes:
            return self, Group()
        size, rows = 0, 0
        while not rows or size + len(self.rows[rows].payload) <= most_bytes:
            size += len(self.rows[rows].payload)
            rows += 1
        first, second = Group(), Group()
        first.add(self.rows[:rows], {}, {})
        first.heard = dict(first.items)
        rest = {kind: count - first.heard[kind] for kind, count in self.heard.items()}
        second.add(self.rows[rows:], rest, self.dropped)
        return first, second

    def __bool__(self) -> bool:
        return self.bytes > 0 or any(self.heard.values()) or any(any(d.values()) for d in self.dropped.values())


class Released(NamedTuple):
    """A judge's word: everything up to `sequence` is judged, by its own count `judged`; None: nobody counts."""

    sequence: int
    session: str
    judged: dict[str, int] | None


class Committer:
    """Commits groups until it is stopped.

    `is_kept` says of a row, when it is asked, that it must not be shed. `committed` hears, in this thread, each group
    that is on the disk and the counters as of then; `failed` hears why nothing will be committed any more.
    """

    def __init__(
        self,
        opened: Opened,
        settings: Settings,
        health: Health,
        segment_bytes: int,
        *,
        alarm: Callable[[str, str], None],
        committed: Callable[[Group, State], None],
        failed: Callable[[JournalFailedError], None],
    ) -> None:
        self._settings = settings
        self._health = health
        self._log = get_log()
        self._segment_bytes = segment_bytes
        self._alarm = alarm
        self._committed = committed
        self._failed = failed
        self._active = opened.active
        self._db = segment.open_for_writing(opened.active)
        self._durable = opened.state.copy()
        self._retention = Retention(settings, opened.closed)
        self._day = segment.summary(self._db, 0).last_at_us // US_PER_DAY  # 0 while nothing is written
        self._pending = Group()
        self._released: Released | None = None
        self._damaged: Path | None = None
        self._stopping = False
        self._wake = threading.Condition()  # guards the four above, which both threads use
        self._files = threading.Lock()  # held while closed segments are read, or replaced
        self.is_kept: Callable[[int], bool] = lambda _: False
        self._beat: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    # For the event loop

    def start(self) -> None:
        """Start committing."""
        self._beat = self._health.progress.watch("journal", 10.0)
        self._thread.start()

    def add(self, rows: Sequence[Row], heard: Mapping[str, int], dropped: Mapping[str, Mapping[str, int]]) -> None:
        """Commit these rows and counts with one group, the next."""
        with self._wake:
            group = self._pending
            if not group:
                self._wake.notify()
            group.add(rows, heard, dropped)

    def release(self, released: Released) -> None:
        """Move the watermark with the next group."""
        with self._wake:
            self._released = released
            self._wake.notify()

    def wake(self) -> None:
        """Commit soon, even if there are counts only."""
        with self._wake:
            self._wake.notify()

    def stop(self) -> None:
        """Commit what waits, close the files and return; blocks."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join()
            self._health.progress.retire("journal")
        self._db.close()

    def read(self, first: int, keep_to: Callable[[int], None]) -> list[Row]:
        """Committed rows from `first` on, from the disk; blocks. `keep_to(last)` is called before any may be shed."""
        with self._files:
            found = [*(path for path, _ in self._retention.segments), self._active]
            for index, path in enumerate(found):
                if index + 1 < len(found) and segment.first_of(found[index + 1]) <= first:
                    continue
                try:
                    with segment.reading(path) as db:
                        rows = segment.read(db, first, READ_ROWS, READ_BYTES)
                except FileNotFoundError:
                    continue
                except sqlite3.OperationalError:  # a full disk mostly: the sender asks again
                    return []
                except DamagedError:
                    with self._wake:
                        self._damaged = path
                        self._wake.notify()
                    return []
                if rows:
                    keep_to(rows[-1].sequence)
                    return rows
            return []

    # In the thread

    def _run(self) -> None:
        maintained_s = 0.0
        try:
            while True:
                with self._wake:
                    if not self._work_waits():
                        if self._stopping:
                            break
                        self._wake.wait(IDLE_S)
                    stopping = self._stopping
                self._beat()
                if not stopping:
                    time.sleep(self._settings.commit_every_s)  # the group gathers
                self._cycle()
                if time.monotonic() - maintained_s >= MAINTAIN_EVERY_S or self._damaged is not None:
                    maintained_s = time.monotonic()
                    self._maintain()
            with suppress(sqlite3.OperationalError):  # the disk is full: what it holds is safe in its log
                segment.close(self._db)
        except Exception as error:  # noqa: BLE001  # whatever it is, nothing may be promised any more
            failure = JournalFailedError(f"journal {self._active}: {type(error).__name__}: {error}")
            failure.__cause__ = error
            self._failed(failure)

    def _work_waits(self) -> bool:
        return bool(self._pending) or self._released is not None or self._damaged is not None

    def _cycle(self) -> None:
        with self._wake:
            group, self._pending = self._pending.split(GROUP_BYTES)
            released, self._released = self._released, None
        until = min(released.sequence, self._durable.next_sequence - 1) if released else 0
        moved = self._items_between(self._durable.watermark, until) if until > self._durable.watermark else {}
        state = self._durable.copy()
        if released is not None and until >= state.watermark:
            _judge(state, released, until, moved)
        if not group and state == self._durable:
            return
        for row in group.rows:
            if row.items:
                add(state.journalled, row.kind, row.items)
                add(state.unjudged, row.kind, row.items)
        if group.rows:
            state.next_sequence = group.rows[-1].sequence + 1
        for kind in ITEM_KINDS:
            add(state.heard, kind, group.heard[kind])
            for reason, count in group.dropped[kind].items():
                add(state.dropped.setdefault(kind, {}), reason, count)
        self._commit_patiently(group.rows, state)
        self._durable = state
        self._committed(group, state.copy())
        day = group.rows[-1].at_us // US_PER_DAY if group.rows else self._day
        other_day = self._day not in (0, day)
        self._day = day
        if other_day or segment.size_bytes(self._active) >= self._segment_bytes:
            self._rotate()

    def _commit_patiently(self, rows: list[Row], state: State) -> None:
        """Commit; while the disk is full, make room and try again."""
        told = False
        while True:
            try:
                segment.append(self._db, rows, state)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                    raise
                self._health.not_ready["journal"] = "the disk is full"
                if not told:
                    self._health.trouble(
                        self._log, "journal_disk_full", level="error", journal=str(self._active.parent)
                    )
                told = True
                with self._files:  # evidence goes before what was never judged
                    self._retention.delete_judged(self._durable.watermark, _now_us(), 1 << 62)
            else:
                self._health.not_ready.pop("journal", None)
                if told:
                    self._log.info("journal_disk_has_room", journal=str(self._active.parent))
                return
            if self._stopping:
                raise JournalFailedError("the disk is full; what waited in memory is lost")
            self._beat()
            time.sleep(FULL_RETRY_S)

    def _items_between(self, after: int, until: int) -> dict[str, int]:
        total: dict[str, int] = {}
        for path, summary in self._retention.segments:
            if summary.last > after and summary.first <= until:
                try:
                    found = _items_in(path, after, until)
                except DamagedError:
                    self._mend(path)
                    found = _items_in(path, after, until)
                for kind, count in found.items():
                    add(total, kind, count)
        for kind, count in segment.items(self._db, after, until).items():
            add(total, kind, count)
        return total

    def _rotate(self) -> None:
        if self._durable.next_sequence == segment.first_of(self._active):
            return  # nothing in it
        successor = segment.path_of(self._active.parent, self._durable.next_sequence)
        with self._files:
            summary = segment.summary(self._db, segment.first_of(self._active))
            try:
                self._db = segment.succeed(self._db, successor, self._durable)
            except (sqlite3.OperationalError, OSError) as error:
                self._housekeeping_failed("no segment could be begun; the last one goes on", error)
                return
            self._retention.add(self._active, summary)
            self._active = successor
        self._health.degraded.pop("journal_housekeeping", None)
        self._maintain()

    def _maintain(self) -> None:
        with self._wake:
            damaged, self._damaged = self._damaged, None
        if damaged is not None:
            if damaged == self._active:
                raise DamagedError(f"{damaged.name}, which is being written, is damaged")
            self._mend(damaged)
        state = self._durable.copy()

        def shed(gone: dict[str, int], shed_id: int) -> None:
            for kind, count in gone.items():
                if count:
                    recovery.drop(state, kind, "journal_full", count)
            state.shed_id = shed_id

        with self._files:
            beside = segment.size_bytes(self._active)
            self._retention.delete_judged(state.watermark, _now_us(), beside)
            try:
                self._retention.shed(state.watermark, self.is_kept, beside, state.shed_id, shed)
            except (sqlite3.OperationalError, OSError) as error:
                self._housekeeping_failed("nothing could be shed; it is tried again", error)
        if state != self._durable:
            self._settle(state)
            self._health.trouble(self._log, "journal_shed", level="error", dropped=str(state.dropped))

    def _housekeeping_failed(self, what: str, error: Exception) -> None:
        """A full disk mostly. Nothing that was promised rests on it, so the journal goes on."""
        if "journal_housekeeping" not in self._health.degraded:
            self._health.trouble(self._log, "journal_housekeeping_failed", level="error", what=what, error=error)
        self._health.degraded["journal_housekeeping"] = f"{what}: {error}"

    def _mend(self, path: Path) -> None:
        state = self._durable.copy()
        with self._files:
            known = dict(self._retention.segments)
            try:
                if path in known:
                    segment.check(path)
            except DamagedError as error:
                why = str(error)
            else:
                return  # deleted since, or mended since
            end = min(segment.first_of(p) for p in [*known, self._active] if p.name > path.name)
            recovery.mend(path, recovery.salvage(path, end), state, self._alarm, why)
            with segment.reading(path) as db:
                self._retention.add(path, segment.summary(db, segment.first_of(path))._replace(last=end - 1))
            active = segment.summary(self._db, segment.first_of(self._active))
            recovery.settle(state, [*self._retention.segments, (self._active, active)])
        self._settle(state)

    def _settle(self, state: State) -> None:
        self._commit_patiently([], state)
        self._durable = state
        self._committed(Group(), state.copy())


def _judge(state: State, released: Released, until: int, moved: dict[str, int]) -> None:
    """Move the watermark to `until`, with the items by kind that this takes out of `unjudged`."""
    for kind, count in moved.items():
        add(state.unjudged, kind, -count)
        if released.judged is None:
            add(state.judged, kind, count)
    state.watermark = until
    if released.judged is None:
        return
    counted = {kind: released.judged.get(kind, 0) for kind in ITEM_KINDS}
    before, state.judge = state.judge, released.session
    if before == segment.RESTORED:  # what it counts beyond our rows was heard by a machine that is lost
        state.judged_base = {k: state.judged.get(k, 0) + moved.get(k, 0) - counted[k] for k in ITEM_KINDS}
    elif released.session != before:
        # By the rows it has judged `moved` since. Is that on top of what it had, or has it lost its state and counts
        # from 0 again? Then what it said before stands.
        anew = sum(abs(counted[kind] - moved.get(kind, 0)) for kind in ITEM_KINDS)
        on_top = sum(
            abs(counted[kind] + state.judged_base.get(kind, 0) - state.judged.get(kind, 0) - moved.get(kind, 0))
            for kind in ITEM_KINDS
        )
        if anew < on_top:
            state.judged_base = dict(state.judged)
    state.judged = {kind: state.judged_base.get(kind, 0) + counted[kind] for kind in ITEM_KINDS}


def add(counts: dict[str, int], key: str, count: int) -> None:
    """Add to a counter that may not be there yet."""
    counts[key] = counts.get(key, 0) + count


def _items_in(path: Path, after: int, until: int) -> dict[str, int]:
    with segment.reading(path) as db:
        return segment.items(db, after, until)


def _now_us() -> int:
    return time.time_ns() // _NS_PER_US
