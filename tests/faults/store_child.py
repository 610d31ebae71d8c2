"""Writes to the event journal or the rules database as fast as it can, and says what is committed; to be hurt.

    python -m tests.faults.store_child events|rules DIRECTORY

Both write numbers from the first that is not there on, and say each once it is durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import time
from pathlib import Path

from gateway.contract.batches import ReadBatch, TagRead
from gateway.event_journal import EventJournal, day_files
from rules.daemon.database import Commit, Database, Message, Settlement
from rules.daemon.intake import FlowRow
from rules.outputs import Outputs, Parcel, SinkTroubleError
from rules.sinks.journal import JournalSink

READS = 5
STAY = 5
"""So many parcels wait in the outbox at any time."""
EPOCH = 1


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def reads(number: int) -> ReadBatch:
    rows = [
        TagRead(f"{number:016X}{item:08X}", 1, "gate-1", time.time_ns() // 1000, user_memory="00" * 500)
        for item in range(READS)
    ]
    return ReadBatch(
        gateway="edge-1", device="gate", received_at_us=rows[0].seen_at_us, epoch=EPOCH, sequence=number, reads=rows
    )


def parcel(number: int) -> Parcel:
    return Parcel("events", f"{number:08d}".encode() * 400, 1, number)


def stored(directory: Path) -> list[tuple[int, int, str]]:
    """Sequence, item and EPC of each read in the event journal."""
    found: list[tuple[int, int, str]] = []
    for _, path in day_files(directory):
        with contextlib.closing(sqlite3.connect(path)) as db:
            found += db.execute("SELECT sequence, item, epc FROM tag_reads")
    return sorted(found)


async def write_events(directory: Path) -> None:
    """As a delivery does: in order, and the same again after trouble."""
    number = 1 + max((sequence for sequence, _, _ in stored(directory)), default=0)
    sink = JournalSink("events", EventJournal(directory, keep_days=90), store_reads=True)
    while True:
        batch = reads(number)
        parcels = sink.encode([Outputs(batch.received_at_us, reads=batch)])
        try:
            assert await sink.write(parcels) == []
        except SinkTroubleError:
            await asyncio.sleep(0.01)
            continue
        say(number)
        number += 1


def write_rules(directory: Path) -> None:
    """As the pipeline does: what fails, but for a full disk, ends it."""
    database = Database(directory / "rules.db")
    number = database.load().next_parcel
    while True:
        database.commit(
            Commit(
                at_us=number,
                state=[("number", str(number).encode())],
                flows=[FlowRow("edge-1", EPOCH, number, {"reads": number}, {})],
                messages=[Message(number, "events/x", str(number).encode())],
                parcels=[(number, "store", parcel(number))],
                settlements=[Settlement("store", [number - STAY])] if number > STAY else [],
                published=[number - STAY],
                counts={"events.x": 1},
            )
        )
        say(number)
        number += 1


if __name__ == "__main__":
    place = Path(sys.argv[2])
    if sys.argv[1] == "events":
        asyncio.run(write_events(place))
    else:
        write_rules(place)
