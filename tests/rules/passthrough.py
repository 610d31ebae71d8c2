"""An engine that is small enough to be obviously right, and a pipeline around it, for tests of everything else."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.contract.batches import Batch, ReadBatch, SignalBatch, TagRead
from gateway.contract.events import Alarm, Event, Evidence, event_id
from gateway.event_journal import EventJournal
from gateway.health import Health
from rules.daemon.database import Database
from rules.daemon.pipeline import Judge, Pipeline
from rules.daemon.threads import DatabaseThreads
from rules.outputs import Outputs, Sink
from rules.sinks.journal import JournalSink

EPC = "3034257BF7194E4000001A85"
NOW_US = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z


class PassThrough:
    """One event per batch of reads, one alarm per signal `door`, and a count of reads as its state."""

    def __init__(self) -> None:
        self.reads = 0
        self.judged: list[tuple[str, int]] = []
        self._changed = False

    def step(self, batch: Batch) -> Outputs:
        outputs = Outputs(batch.received_at_us)
        self.judged.append((batch.gateway, batch.sequence))
        at = {"gateway": batch.gateway, "epoch": batch.epoch}
        evidence = Evidence(**at, sequence_from=batch.sequence, sequence_to=batch.sequence)  # type: ignore[arg-type]  # mixed
        if isinstance(batch, ReadBatch):
            if batch.reads and batch.reads[0].epc == "BAD0":
                raise ZeroDivisionError("a defect of the engine")
            self.reads += len(batch.reads)
            self._changed = True
            made = event_id("seen", batch.gateway, batch.epoch, batch.sequence)
            event = Event(id=made, type="seen", at_us=batch.received_at_us, subject=EPC, zone="gate", evidence=evidence)
            outputs.events.append(event)
            outputs.reads = batch
        elif isinstance(batch, SignalBatch):
            for signal in batch.signals:
                outputs.alarms.append(
                    Alarm(
                        id="door",
                        rule="door",
                        severity="warning",
                        subject=batch.device,
                        state="raised" if signal.value else "cleared",
                        since_us=batch.received_at_us,
                        at_us=batch.received_at_us,
                        message="the door is open",
                        evidence=evidence,
                    )
                )
        return outputs

    def changes(self) -> list[tuple[str, bytes | None]]:
        if not self._changed:
            return []
        self._changed = False
        return [("reads", b"%d" % self.reads)]

    def restore(self, entries: Iterable[tuple[str, bytes]]) -> None:
        self.reads = int(dict(entries).get("reads", b"0"))

    def counters(self) -> dict[str, int]:
        return {"reads": self.reads}


def reads(sequence: int, items: int = 5, *, epc: str = EPC, at_us: int = NOW_US, gateway: str = "edge-1") -> ReadBatch:
    rows = [TagRead(epc=epc, antenna_port=1, read_point="gate-1", seen_at_us=at_us, rssi_dbm=-50.5)] * items
    return ReadBatch(
        gateway=gateway,
        epoch=1,
        sequence=sequence,
        ordinal=(sequence - 1) * items,
        device="gate-1",
        received_at_us=at_us,
        reads=rows,
    )


@asynccontextmanager
async def pipeline(
    directory: Path,
    judge: Judge | None = None,
    sinks: Sequence[Sink] | None = None,
    *,
    store_reads: bool = False,
    commit_every_s: float = 0.01,
) -> AsyncIterator[Pipeline]:
    """A pipeline on the databases in `directory`; the store is an event journal unless others are given."""
    threads = DatabaseThreads(Database(directory / "rules.db"))
    if sinks is None:
        journal = EventJournal(directory / "events", keep_days=9_000)
        sinks = [JournalSink("events", journal, store_reads=store_reads)]
    made = Pipeline(
        site="port",
        judge=judge or PassThrough(),
        sinks=sinks,
        threads=threads,
        stored=threads.database.load(),
        health=Health("rules"),
        commit_every_s=commit_every_s,
        latency_sink=sinks[0].name if sinks else None,
        rng=random.Random(1),
    )
    try:
        yield made
    finally:
        for sink in sinks:
            await sink.close()
        threads.close()
