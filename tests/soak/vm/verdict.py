"""What a disk holds after a cut, by the product's own opening code, against what the machine had said of it."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.contract.batches import ReadBatch, decode
from gateway.edge import recovery, segment
from gateway.edge.segment import Row, State
from gateway.event_history import EventHistory
from gateway.event_journal import EventJournal, EventJournalError, day_files
from tests.soak.vm.rows import GATEWAY, KEEP_DAYS, READINGS_EACH, epc_of, event_rows, reads_of

_LINE: Final = re.compile(rb"^(H|E|J|K|X) ([^\n]*)\n", re.MULTILINE)
MOST_EVENTS: Final = 1_000_000


@dataclass(slots=True)
class Acknowledged:
    """What one machine said before it died; a torn last line says nothing.

    Attributes:
        opened: the sequence and the events that it found on the disk, None before it looked.
        sequence, heard, watermark, events: the last of each that was acknowledged.
        kills: how often the kernel ended a writer for want of memory.
        troubles: what it complained of.
    """

    opened: tuple[int, int] | None = None
    sequence: int = 0
    heard: int = 0
    watermark: int = 0
    events: int = 0
    kills: int = 0
    troubles: list[str] = field(default_factory=list)

    def take(self, said: bytes) -> Acknowledged:
        """Go through the whole lines of what was said."""
        for word, rest in _LINE.findall(said):
            if word == b"H":
                sequence, events = map(int, rest.split())
                self.opened = (sequence, events)
                if sequence < self.sequence or events < self.events:
                    self.troubles.append(f"opened {self.opened}, acknowledged {(self.sequence, self.events)} before")
            elif word == b"E":
                self.sequence, self.heard, self.watermark = map(int, rest.split())
            elif word == b"J":
                self.events = int(rest)
            elif word == b"K":
                self.kills = int(rest.split()[1])
            else:
                self.troubles.append(f"the guest: {rest.decode(errors='replace')}")
        return self


@dataclass(slots=True)
class Verdict:
    """What is there: the last sequence of the edge journal and the events in the event journal.

    Attributes:
        lost_rows, lost_events: acknowledged and not there.
        faults: everything else that is not as it must be.
    """

    sequence: int = 0
    events: int = 0
    lost_rows: int = 0
    lost_events: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing is lost and nothing is wrong."""
        return not (self.lost_rows or self.lost_events or self.faults)


def judge(data: Path, said: Acknowledged) -> Verdict:
    """Open both journals in `data`, a copy of the disk, and compare; the copy is changed."""
    verdict = Verdict()
    verdict.faults += said.troubles
    _judge_edge(data / "edge", said, verdict)
    _judge_events(data / "events", said, verdict)
    return verdict


def _judge_edge(directory: Path, said: Acknowledged, verdict: Verdict) -> None:
    alarms: list[str] = []
    opened = recovery.open_journal(directory, GATEWAY, lambda name, why: alarms.append(f"{name}: {why}"))
    verdict.faults += [f"edge journal damaged: {alarm}" for alarm in alarms]
    rows: list[Row] = []
    for path in segment.paths(directory):
        first = 0
        with segment.reading(path) as db:
            while found := segment.read(db, first, 500, 1 << 20):
                first = found[-1].sequence + 1
                rows += found
    there = {row.sequence for row in rows}
    verdict.sequence = max(there, default=0)
    verdict.lost_rows = sum(sequence not in there for sequence in range(1, said.sequence + 1))
    if there != set(range(1, verdict.sequence + 1)) or len(rows) != len(there):
        verdict.faults.append(f"{len(rows)} rows up to sequence {verdict.sequence}")
    verdict.faults += [f"row {row.sequence} is not what was written" for row in rows if not _as_written(row)]
    verdict.faults += _unbalanced(opened.state, rows)
    if opened.state.watermark < said.watermark:
        verdict.faults.append(f"watermark {opened.state.watermark}, acknowledged {said.watermark}")
    if opened.state.heard.get("reads", 0) < said.heard:
        verdict.faults.append(f"heard {opened.state.heard}, acknowledged {said.heard}")


def _as_written(row: Row) -> bool:
    batch = decode(row.payload)
    return (
        isinstance(batch, ReadBatch)
        and batch.sequence == row.sequence
        and len(batch.reads) == row.items == reads_of(row.sequence)
        and {read.epc for read in batch.reads} == {epc_of(row.sequence)}
    )


def _unbalanced(state: State, rows: list[Row]) -> list[str]:
    """What does not add up: the counters among each other, and against the rows."""
    count = {
        "heard": state.heard.get("reads", 0),
        "journalled": state.journalled.get("reads", 0),
        "judged": state.judged.get("reads", 0),
        "unjudged": state.unjudged.get("reads", 0),
    }
    dropped = sum(state.dropped.get("reads", {}).values())
    unjudged = sum(row.items for row in rows if row.sequence > state.watermark)
    balanced = (
        dropped == 0
        and count["heard"] == count["journalled"] == sum(row.items for row in rows)
        and count["judged"] + count["unjudged"] == count["journalled"]
        and count["unjudged"] == unjudged
    )
    return [] if balanced else [f"the ledger does not balance: {count}, dropped {state.dropped}, unjudged {unjudged}"]


def _judge_events(directory: Path, said: Acknowledged, verdict: Verdict) -> None:
    history = EventHistory(directory)
    found = history.recent_events(MOST_EVENTS) if directory.exists() else []
    ids = {event.id for event in found}
    verdict.events = len(found)
    verdict.lost_events = sum(f"{number:020x}" not in ids for number in range(said.events))
    verdict.faults += [f"event journal: {damage}" for damage in history.damaged]
    if ids != {f"{number:020x}" for number in range(len(found))}:
        verdict.faults.append(f"{len(found)} events with {len(ids)} ids are not the first {len(found)}")
    if any(event.subject != epc_of(event.evidence.sequence_from) for event in found):
        verdict.faults.append("an event is not what was written")
    if not directory.exists():
        return
    _judge_days(directory, len(found), verdict)
    _judge_writing(directory, found[0].at_us if found else 0, verdict)


def _judge_days(directory: Path, events: int, verdict: Verdict) -> None:
    readings = in_minutes = 0
    for _, path in day_files(directory):
        try:
            with closing(sqlite3.connect(path)) as db:
                (integrity,) = db.execute("PRAGMA integrity_check(1)").fetchone()
                if integrity != "ok":
                    verdict.faults.append(f"{path.name}: {integrity}")
                if db.execute("PRAGMA user_version").fetchone() != (0,):  # 0: cut before its first transaction
                    readings += db.execute("SELECT count(*) FROM readings").fetchone()[0]
                    in_minutes += db.execute("SELECT coalesce(sum(n), 0) FROM reading_minutes").fetchone()[0]
        except sqlite3.DatabaseError as error:
            verdict.faults.append(f"{path.name}: {error}")
    if not readings == in_minutes == events * READINGS_EACH:
        verdict.faults.append(f"{events} events, {readings} readings, {in_minutes} in the minutes")


def _judge_writing(directory: Path, now_us: int, verdict: Verdict) -> None:
    """The writer itself opens the day again, finds no damage, and goes on where it stopped."""
    journal = EventJournal(directory, keep_days=KEEP_DAYS, now_us=lambda: now_us)
    try:
        journal.append([event_rows(verdict.events, now_us)])
    except (sqlite3.Error, EventJournalError) as error:
        verdict.faults.append(f"the event journal cannot go on: {error}")
    finally:
        journal.close()
    verdict.faults += [f"the event journal has set aside {path.name}" for path in journal.damaged]
