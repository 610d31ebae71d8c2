"""Appends to a journal as fast as it can, and says on standard output what is committed; to be killed."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from gateway.config.models import Journal as Settings
from gateway.contract.batches import ReadBatch, TagRead
from gateway.edge.journal import Journal
from gateway.health import Health

GATEWAY = "edge-1"


async def main(directory: Path) -> None:
    journal = Journal(directory, GATEWAY, Settings(commit_every_s=0.002), Health("edge"), segment_bytes=300_000)
    told = [journal.last]

    def committed() -> None:
        if journal.last > told[0]:
            told[0] = journal.last
            sys.stdout.write(f"{journal.last} {journal.state.heard['reads']} {journal.watermark}\n")
            sys.stdout.flush()
            journal.release(journal.last - 20, "broker", None)

    journal.on_commit = committed
    journal.start()
    number = journal.last
    while not journal.failed.done():
        for _ in range(5):
            number += 1
            row = TagRead(f"{number:024X}", 1, "gate-1", number, user_memory="0" * 2_000)
            reads = [row] * (1 + number % 4)
            journal.append(
                ReadBatch(gateway=GATEWAY, device="gate", received_at_us=time.time_ns() // 1_000, reads=reads),
                heard={"reads": len(reads)},
            )
        await asyncio.sleep(0.001)
    await journal.failed  # as the edge daemon does


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
