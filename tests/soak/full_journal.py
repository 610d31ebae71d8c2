"""An edge journal far beyond its hard bound, with nobody who judges: what goes is counted, telemetry before events.

In process, by the journal's own code and thread: reads, readings, signals, cards, statuses and ticks, in all six times
what the bound allows. Then a judge takes everything that is left, and the bound for evidence holds.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from decimal import Decimal
from pathlib import Path
from typing import Final

from gateway.config.models import Journal as Settings
from gateway.contract.batches import (
    ITEM_KINDS,
    Batch,
    CardBatch,
    CardRead,
    ReadBatch,
    Reading,
    ReadingBatch,
    Signal,
    SignalBatch,
    StatusBatch,
    TagRead,
    TickBatch,
    encode,
    item_count,
    kind_of,
)
from gateway.edge import segment
from gateway.edge.committer import GROUP_BYTES, MAINTAIN_EVERY_S
from gateway.edge.journal import LEAST_SEGMENTS, SEGMENT_BYTES, Journal
from gateway.health import Health
from tests.soak.checks import MIB, Check, at_most, exactly, told
from tests.soak.wharf import size_bytes

GATEWAY: Final = "edge-1"
LIMIT_BYTES: Final = 1 << 30
LEAST_LIMIT_BYTES: Final = 16 << 20
LEAST_KEEP_BYTES: Final = 16 << 20
TIMES_THE_LIMIT: Final = 6
COMMIT_EVERY_S: Final = 0.001
READS: Final = 50
READ_BATCHES: Final = 4
READINGS: Final = 100
JUDGED_WITHIN_S: Final = 60.0
NEWEST_PARTS: Final = LEAST_SEGMENTS // 8 + 3
"""An eighth of the bound is in memory to be sent, and is not shed: so many parts, one more that it begins in, one that
is written, and one that was closed since."""
STEP_US: Final = 1_000_000


def prove(scale: float, seed: int) -> list[Check]:
    """Fill, see what goes, open it anew, judge the rest. Nothing in it is left to chance."""
    del seed
    limit = max(LEAST_LIMIT_BYTES, round(LIMIT_BYTES * scale))
    settings = Settings(
        commit_every_s=COMMIT_EVERY_S, limit_bytes=limit, keep_bytes=max(LEAST_KEEP_BYTES, limit // 4), keep_days=3650
    )
    # The journal logs each time that it sheds, which is what happens here all the time.
    with tempfile.TemporaryDirectory(prefix="tagwharf-soak-") as scratch, redirect_stdout(io.StringIO()):
        return asyncio.run(_prove(Path(scratch, "journal"), settings))


async def _prove(directory: Path, settings: Settings) -> list[Check]:
    journal = Journal(directory, GATEWAY, settings, Health("edge"))
    journal.start()
    written: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    most_bytes = reads_left = written_bytes = step = 0
    order: list[str] = []
    while written_bytes < TIMES_THE_LIMIT * settings.limit_bytes:
        for batch in _second(step):
            kind, items = kind_of(batch), item_count(batch)
            journal.append(batch, heard={kind: items} if items else {})
            written_bytes += len(encode(batch))
            written[kind] += items
            rows[kind] += 1
        step += 1
        if step % 20 == 0:
            await journal.flush()
            most_bytes = max(most_bytes, size_bytes(directory))
            new = [kind for kind in ITEM_KINDS if journal.dropped(kind) and kind not in order]
            if set(new) - {"reads"} and not set(order) - {"reads"}:
                reads_left = _left(segment.paths(directory)[:-NEWEST_PARTS])["reads"]
            order += new
    await asyncio.sleep(MAINTAIN_EVERY_S + 1.0)
    await journal.flush()
    dropped = {kind: journal.dropped(kind) for kind in ITEM_KINDS}
    await journal.close()

    part = min(SEGMENT_BYTES, settings.limit_bytes // LEAST_SEGMENTS)
    journal = Journal(directory, GATEWAY, settings, Health("edge"))
    there = _left(segment.paths(directory))
    again = {kind: journal.dropped(kind) for kind in ITEM_KINDS}
    journal.start()
    evidence_bytes = await _judge(journal, directory, settings.keep_bytes + part)
    await journal.close()

    return [
        told("bound", settings.limit_bytes / MIB, " MiB"),
        told("written", written_bytes / MIB, " MiB"),
        # One part that is being written with its log, and one that is written anew.
        at_most(
            "on the disk at most", most_bytes / MIB, (settings.limit_bytes + 3 * part + 2 * GROUP_BYTES) / MIB, " MiB"
        ),
        *(
            exactly(f"{kind} written = there + shed", there[kind] + dropped[kind].get("journal_full", 0), written[kind])
            for kind in ITEM_KINDS
        ),
        *(told(f"{kind} shed, counted as journal_full", dropped[kind].get("journal_full", 0)) for kind in ITEM_KINDS),
        exactly(
            "shed for another reason", sum(d.total() - d["journal_full"] for d in map(Counter, dropped.values())), 0
        ),
        Check("what went first", "reads", ", then ".join(order), order[:1] == ["reads"]),
        exactly("reads still there, but for the newest parts, when something else went", reads_left, 0),
        exactly("cards shed", sum(dropped["cards"].values()), 0),
        exactly("statuses there", there["status"], rows["status"]),
        exactly("ticks there", there["tick"], rows["tick"]),
        Check(
            "counts after it was opened anew",
            "the same",
            "the same" if again == dropped else str(again),
            again == dropped,
        ),
        at_most(
            "evidence that stays when all is judged", evidence_bytes / MIB, (settings.keep_bytes + part) / MIB, " MiB"
        ),
    ]


async def _judge(journal: Journal, directory: Path, enough_bytes: int) -> int:
    """Judge everything; what the journal takes when it has trimmed itself."""
    journal.release(journal.last, "soak", None)
    until_s = time.monotonic() + JUDGED_WITHIN_S
    while time.monotonic() < until_s:
        await asyncio.sleep(0.2)
        if journal.watermark == journal.last and size_bytes(directory) <= enough_bytes:
            break
    return size_bytes(directory)


def _left(parts: list[Path]) -> Counter[str]:
    """What these segments hold: items by kind, and rows of the kinds that have none."""
    found: Counter[str] = Counter()
    for path in parts:
        with segment.reading(path) as db:
            for kind, items, rows in db.execute("SELECT kind, sum(items), count(*) FROM batch GROUP BY kind"):
                found[kind] += items or rows
    return found


def _second(number: int) -> Iterator[Batch]:
    """What a gateway hears in one second: four reports, a meter, a machine, now and then a card or a change."""
    at_us = 1_800_000_000_000_000 + number * STEP_US
    for reader in range(READ_BATCHES):
        rows = [
            TagRead(f"3074{reader:04X}{row:016X}", 1, "gate-1", at_us + row, -60.0, 1, at_us) for row in range(READS)
        ]
        yield ReadBatch(gateway=GATEWAY, device=f"reader-{reader}", received_at_us=at_us, reads=rows)
    value = Decimal(number)
    readings = [Reading("active_energy_import_wh", "1-0:1.8.0*255", value, "Wh") for _ in range(READINGS)]
    yield ReadingBatch(gateway=GATEWAY, device="meter-1", received_at_us=at_us, readings=readings)
    yield SignalBatch(gateway=GATEWAY, device="machine-1", received_at_us=at_us, signals=[Signal("count", str(number))])
    if number % 5 == 0:
        card = CardRead(f"nfca#{number:016x}", "nfca", "door-1", 1, at_us)
        yield CardBatch(gateway=GATEWAY, device="door-1", received_at_us=at_us, cards=[card])
    if number % 20 == 0:
        yield StatusBatch(
            gateway=GATEWAY, device="door-1", received_at_us=at_us, state="online", reason="connected", since_us=at_us
        )
    yield TickBatch(gateway=GATEWAY, device=GATEWAY, received_at_us=at_us, watched=["gate-1", "door-1"])
