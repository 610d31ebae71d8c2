"""A backlog of days in an edge journal, written by the journal's own code as the edge daemon would have written it.

A reader stands idle until tags come before it; some of them stay for half a minute and are read a hundred times and
more each; then they go. The gateway ticks every second of the time. Now and then the probe reads a tag that nobody has
seen before, which a rule makes an alarm of.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.site import ANTENNAS, GATEWAY, PROBE
from gateway.config.models import Journal as Settings
from gateway.contract.batches import Batch, ReadBatch, StatusBatch, TagRead, TickBatch, item_count
from gateway.edge.journal import Journal
from gateway.health import Health

US_PER_S: Final = 1_000_000
TAGS: Final = 20
STAYS_S: Final = 30
BATCHES_A_VISIT: Final = 60
READS_A_BATCH: Final = 50
READS_A_VISIT: Final = BATCHES_A_VISIT * READS_A_BATCH
READ_GAP_US: Final = STAYS_S * US_PER_S // READS_A_VISIT
QUIET_END_S: Final = 60
"""The last that happened: long enough that all have departed before the power went."""
PROBE_EVERY: Final = 200
"""Batches of reads for each one of the probe."""
PROBE_HEAD: Final = 0xE2FF
WAITING_MOST: Final = 100_000
COMMIT_EVERY_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was written.

    Attributes:
        last: its last sequence. until_us: its last moment.
        reads: all of them, those of the probe included; probe_reads: these alone.
        arrivals: how often a tag came before a reader.
    """

    last: int
    until_us: int
    reads: int
    probe_reads: int
    arrivals: int
    took_s: float


async def fill(directory: Path, *, reads: int, days: float, until_us: int, readers: int) -> Backlog:
    """Write so many reads, spread over so many days up to `until_us`, as those of the benchmarks' site."""
    began_s = time.monotonic()
    journal = Journal(directory, GATEWAY, Settings(commit_every_s=COMMIT_EVERY_S), Health("edge"))
    journal.start()
    written = probed = visits = 0
    try:
        for batch in batches(reads, days, until_us, readers):
            items = item_count(batch)
            written += items
            probed += items if batch.device == PROBE else 0
            journal.append(batch, heard={"reads": items} if items else {})
            if journal.waiting("reads") > WAITING_MOST:
                await journal.flush()
        await journal.flush()
        last, visits = journal.last, max(1, reads // READS_A_VISIT)
        if journal.state.journalled.get("reads") != written or journal.dropped("reads"):
            raise RuntimeError(f"the journal has {journal.state}, {written:,} reads were written")
    finally:
        await journal.close()
    return Backlog(last, until_us, written, probed, visits * TAGS, time.monotonic() - began_s)


def batches(reads: int, days: float, until_us: int, readers: int) -> Iterator[Batch]:
    """The batches in order of time."""
    visits = max(1, reads // READS_A_VISIT)
    span_us = round(days * 86_400 * US_PER_S)
    from_us = until_us - span_us
    last_us = until_us - (QUIET_END_S + STAYS_S) * US_PER_S
    every_us = (last_us - from_us) // visits
    watched = [f"point-{reader}-{antenna}" for reader in range(1, readers + 1) for antenna in ANTENNAS] + [PROBE]
    yield from _statuses(from_us, readers)
    tick_us = from_us
    streams = (_visit(number, from_us + number * every_us, readers) for number in range(visits))
    for count, batch in enumerate(_merged(streams), start=1):
        while tick_us < batch.received_at_us:
            yield TickBatch(gateway=GATEWAY, device=GATEWAY, received_at_us=tick_us, watched=watched)
            tick_us += US_PER_S
        yield batch
        if count % PROBE_EVERY == 0:
            yield _probe(count // PROBE_EVERY, batch.received_at_us)
    while tick_us <= until_us:
        yield TickBatch(gateway=GATEWAY, device=GATEWAY, received_at_us=tick_us, watched=watched)
        tick_us += US_PER_S


def _merged(streams: Iterator[Iterator[ReadBatch]]) -> Iterator[ReadBatch]:
    """Visits in order of their beginning, their batches in order of time; only those that go on are held."""
    running: list[tuple[int, int, ReadBatch, Iterator[ReadBatch]]] = []
    for number, stream in enumerate(streams):
        first = next(stream)
        while running and running[0][0] <= first.received_at_us:
            yield from _advance(running)
        heapq.heappush(running, (first.received_at_us, number, first, stream))
    while running:
        yield from _advance(running)


def _advance(running: list[tuple[int, int, ReadBatch, Iterator[ReadBatch]]]) -> Iterator[ReadBatch]:
    _, number, batch, stream = heapq.heappop(running)
    yield batch
    following = next(stream, None)
    if following is not None:
        heapq.heappush(running, (following.received_at_us, number, following, stream))


def _visit(number: int, from_us: int, readers: int) -> Iterator[ReadBatch]:
    reader = number % readers + 1
    device = f"reader-{reader}"
    epcs = [f"3075{reader:04X}{number * TAGS + tag:016X}" for tag in range(TAGS)]
    points = [(antenna, f"point-{reader}-{antenna}") for antenna in ANTENNAS]
    for first in range(0, READS_A_VISIT, READS_A_BATCH):
        rows = []
        for index in range(first, first + READS_A_BATCH):
            antenna, point = points[index * len(points) // READS_A_VISIT]
            seen_at_us = from_us + index * READ_GAP_US
            rows.append(TagRead(epcs[index % TAGS], antenna, point, seen_at_us, -75.0 + index % 40, 1, seen_at_us))
        yield ReadBatch(gateway=GATEWAY, device=device, received_at_us=seen_at_us + READ_GAP_US, reads=rows)


def _probe(number: int, at_us: int) -> ReadBatch:
    row = TagRead(f"{PROBE_HEAD:04X}{number:020X}", 1, PROBE, at_us, -50.0, 1, at_us)
    return ReadBatch(gateway=GATEWAY, device=PROBE, received_at_us=at_us, reads=[row])


def _statuses(at_us: int, readers: int) -> Iterator[StatusBatch]:
    devices = {f"reader-{n}": [f"point-{n}-{antenna}" for antenna in ANTENNAS] for n in range(1, readers + 1)}
    for device, watched in (devices | {PROBE: [PROBE]}).items():
        yield StatusBatch(
            gateway=GATEWAY,
            device=device,
            received_at_us=at_us,
            state="online",
            reason="connected",
            since_us=at_us,
            watched=watched,
            driver="llrp",
        )
