"""A site at work, in a process of its own: each batch is journalled, judged, stored, settled, released, in this order.

Batch n makes one row of the event journal, whose key is n. Until killed; says `begun` when the first is released.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from gateway.event_journal import EventJournal
from rules.daemon.database import Commit, Database, Settlement
from rules.daemon.intake import FlowRow
from rules.outputs import Parcel
from tests.gateway.edge.support import opened, reads

AHEAD = 7  # batches that are journalled and not judged yet


async def work(state: Path) -> None:
    database = Database(state / "rules.db")
    events = EventJournal(state / "events", keep_days=36_500)
    async with opened(state / "journal", segment_bytes=60_000, keep_bytes=16 << 20) as journal:
        judged = 0
        while True:
            for _ in range(5):
                journal.append(reads(2), heard={"reads": 2})
            await journal.flush()
            while judged < journal.last - AHEAD:
                judged += 1
                flow = FlowRow("edge-1", journal.epoch, judged, {"reads": 2 * judged}, {})
                parcel = Parcel("events", str(judged).encode(), 1, 1)
                database.commit(Commit(judged, flows=[flow], parcels=[(judged, "events", parcel)]))
                at_ns = time.time_ns() // 1_000_000_000 * 1_000_000_000 + judged
                events.append([{"signals": [(at_ns, f"d{judged}", "beam", "", float(judged), None, None)]}])
                database.commit(Commit(judged, settlements=[Settlement("events", [judged])]))
            journal.release(judged, "session-1", {"reads": 2 * judged})
            if judged:
                print("begun", flush=True)  # noqa: T201  # the test waits for it


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1])))
