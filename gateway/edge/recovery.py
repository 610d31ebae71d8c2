"""Opening a journal: after a clean stop, after kill -9, and with damaged files.

A damaged segment is set aside, not deleted; what of it can still be read is served. What is missing then is counted as
dropped, and sequences jump ahead, so that no sequence that was ever sent means something else.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from gateway.contract.batches import ITEM_KINDS
from gateway.edge import segment
from gateway.edge.segment import DamagedError, Row, State, Summary
from readers.errors import ConfigError

JUMP: Final = 1_000_000  # far beyond what one segment can hold: none of the lost sequences comes again
SALVAGE_GIVES_UP: Final = 2_000  # unreadable sequences in a row: many times what one damaged page can hold
DAMAGED: Final = "journal_damaged"
KINDS: Final = frozenset({*ITEM_KINDS, "status", "tick"})
_US_PER_NS: Final = 1_000

Alarm = Callable[[str, str], None]
"""Takes the name of a segment and what is wrong with it."""


class Opened(NamedTuple):
    """A journal that can be written again: its closed segments, oldest first, and the newest one."""

    closed: list[tuple[Path, Summary]]
    active: Path
    state: State


def open_journal(directory: Path, gateway: str, alarm: Alarm) -> Opened:
    """Make the journal usable, whatever happened to it.

    Raises:
        ConfigError: it belongs to another gateway, or a later program wrote it. OSError, sqlite3.Error: it cannot be
            read or written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    found = segment.paths(directory)
    _refuse_later(found)
    for draft in directory.glob("*.draft*"):
        draft.unlink()  # a segment that was being made when the process died
    state, damaged = _newest_state(directory, found, alarm)
    if state is None:
        state = State(gateway=gateway, epoch=time.time_ns() // _US_PER_NS)
    elif state.gateway != gateway:
        raise ConfigError(
            f"site.gateway = {gateway}: the journal in {directory} belongs to gateway {state.gateway}; "
            f"name the gateway {state.gateway} again, or give this one a state directory of its own"
        )
    closed, repaired = _usable(directory, state, alarm)
    damaged = damaged or repaired
    settle(state, closed)
    if damaged:
        state.next_sequence += JUMP
    if damaged or not closed:
        segment.create(segment.path_of(directory, state.next_sequence), state)
        return Opened(closed, segment.path_of(directory, state.next_sequence), state)
    return Opened(closed[:-1], closed[-1][0], state)


def _refuse_later(found: list[Path]) -> None:
    """What a later program wrote would look damaged, and be set aside."""
    for path in found:
        version = segment.later_version(path)
        if version is not None:
            raise ConfigError(
                f"{path}: has version {version}, this program reads up to version {segment.VERSION}; "
                f"run the newer program, or move {path.parent} away to begin anew without it"
            )


def settle(state: State, closed: list[tuple[Path, Summary]]) -> None:
    """Make the counters agree with the rows that are really there."""
    there = dict.fromkeys(ITEM_KINDS, 0)
    last_shed = state.shed_id
    for path, _ in closed:
        with segment.reading(path) as db:
            for number, kind, count in segment.shed_counts(db, state.shed_id):
                drop(state, kind, "journal_full", count)
                last_shed = max(last_shed, number)
            for kind, count in segment.items(db, state.watermark).items():
                there[kind] += count
    state.shed_id = last_shed
    for kind in ITEM_KINDS:
        lost = state.unjudged.get(kind, 0) - there[kind]
        if lost > 0:
            drop(state, kind, DAMAGED, lost)


def drop(state: State, kind: str, reason: str, count: int) -> None:
    """Move items from unjudged to dropped."""
    state.unjudged[kind] = state.unjudged.get(kind, 0) - count
    reasons = state.dropped.setdefault(kind, {})
    reasons[reason] = reasons.get(reason, 0) + count


def salvage(path: Path, until: int) -> list[Row]:
    """Every row before `until` that can still be read and passes its checksum."""
    found: list[Row] = []
    wanted = segment.first_of(path)
    failures = 0  # in a row
    while wanted < until and failures < SALVAGE_GIVES_UP:
        try:
            with segment.reading(path) as db:
                while wanted < until:
                    rows = segment.read(db, wanted, 1, 0)
                    if not rows:
                        return found
                    found += rows
                    wanted = rows[-1].sequence + 1
                    failures = 0
        except (DamagedError, FileNotFoundError):
            wanted += 1
            failures += 1
    return found


def mend(path: Path, rows: list[Row], state: State, alarm: Alarm, why: str) -> None:
    """Set a damaged segment aside and put `rows`, what could be read of it, in its place.

    Raises:
        OSError, sqlite3.Error: the disk refuses.
    """
    alarm(path.name, why)
    aside = path.parent / "damaged"
    aside.mkdir(exist_ok=True)
    for suffix in ("", "-wal", "-shm", "-journal"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(aside / f"{time.time_ns()}-{part.name}")
    segment.create(path, state, rows)


def _newest_state(directory: Path, found: list[Path], alarm: Alarm) -> tuple[State | None, bool]:
    """The newest state that can be read, brought forward by later rows; and whether anything was damaged."""
    damaged = False
    for index in range(len(found) - 1, -1, -1):
        path = found[index]
        try:
            segment.check(path)
            with segment.reading(path) as db:
                return segment.state_of(db), damaged
        except DamagedError as error:
            damaged = True
            state = _read_state(path) or _before(found[:index])
            if state is None:
                continue
            first = segment.first_of(path)
            rows = salvage(path, first + JUMP)
            for row in rows:
                if row.sequence >= state.next_sequence:
                    _bring_forward(state, row)
            mend(path, rows, state, alarm, str(error))
            return state, True
    if damaged:
        aside = directory / "damaged"
        aside.mkdir(exist_ok=True)
        for path in found:
            alarm(path.name, "nothing of it can be read; a new epoch begins")
            path.replace(aside / f"{time.time_ns()}-{path.name}")
    return None, damaged


def _read_state(path: Path) -> State | None:
    try:
        with segment.reading(path) as db:
            return segment.state_of(db)
    except DamagedError:
        return None


def _before(found: list[Path]) -> State | None:
    for path in reversed(found):
        if (state := _read_state(path)) is not None:
            return state
    return None


def _bring_forward(state: State, row: Row) -> None:
    """Count a row that was committed after `state`."""
    state.next_sequence = row.sequence + 1
    if row.kind not in ITEM_KINDS:
        return
    # Between the last known and this ordinal lie rows that are lost: heard, never to be judged.
    known = state.journalled.get(row.kind, 0)
    lost = max(0, row.ordinal - known)
    state.heard[row.kind] = state.heard.get(row.kind, 0) + lost + row.items
    state.journalled[row.kind] = max(known, row.ordinal) + row.items
    state.unjudged[row.kind] = state.unjudged.get(row.kind, 0) + lost + row.items


def _usable(directory: Path, state: State, alarm: Alarm) -> tuple[list[tuple[Path, Summary]], bool]:
    """All segments with what they hold; damaged ones mended."""
    usable = []
    damaged = False
    found = segment.paths(directory)
    ends = [*(segment.first_of(path) for path in found[1:]), state.next_sequence]
    for path, end in zip(found, ends, strict=False):  # one end more where nothing is found
        try:
            usable.append((path, _summary(path)))
        except DamagedError as error:
            damaged = True
            mend(path, salvage(path, end), state, alarm, str(error))
            usable.append((path, _summary(path)))
    return usable, damaged


def _summary(path: Path) -> Summary:
    with segment.reading(path) as db:
        found = segment.summary(db, segment.first_of(path))
        shed = {kind for _, kind, _ in segment.shed_counts(db, 0)}
        counted = segment.items(db, 0)
    if strange := found.kinds.union(shed, counted).difference(KINDS):
        raise DamagedError(f"{path.name}: rows of no kind there is: {sorted(strange)}")
    return found
