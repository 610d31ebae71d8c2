"""A journal with readable settings, and what goes into it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.config.models import Journal as Settings
from gateway.contract.batches import ReadBatch, Reading, ReadingBatch, TagRead, TickBatch
from gateway.contract.ledger import Account
from gateway.edge.journal import Journal
from gateway.health import Health

GATEWAY = "edge-1"


def settings(**changes: float) -> Settings:
    return Settings.model_validate({"commit_every_s": 0.001, **changes})


def reads(count: int, size: int = 0, at_us: int = 1_700_000_000_000_000) -> ReadBatch:
    row = TagRead(epc="30" * 12, antenna_port=1, read_point="gate-1", seen_at_us=at_us, user_memory="0" * size or None)
    return ReadBatch(gateway=GATEWAY, device="gate", received_at_us=at_us, reads=[row] * count)


def readings(count: int, at_us: int = 1_700_000_000_000_000) -> ReadingBatch:
    row = Reading(quantity="voltage", obis="1-0:32.7.0", value=None, unit="V", quality="absent")
    return ReadingBatch(gateway=GATEWAY, device="meter", received_at_us=at_us, readings=[row] * count)


def tick(at_us: int = 1_700_000_000_000_000) -> TickBatch:
    return TickBatch(gateway=GATEWAY, device=GATEWAY, received_at_us=at_us, watched=[])


def account(journal: Journal, kind: str = "reads") -> Account:
    """The account of the journal alone: what it was told was heard."""
    state = journal.state
    return Account(
        heard=state.heard.get(kind, 0),
        journalled=state.journalled.get(kind, 0),
        judged=state.judged.get(kind, 0),
        dropped=journal.dropped(kind),
        waiting=0,
        unjudged=state.unjudged.get(kind, 0),
    )


async def settled(journal: Journal, watermark: int) -> None:
    async with asyncio.timeout(5):
        while journal.watermark < watermark:
            await asyncio.sleep(0.002)


@asynccontextmanager
async def opened(
    directory: Path, segment_bytes: int | None = None, health: Health | None = None, **changes: float
) -> AsyncIterator[Journal]:
    journal = Journal(directory, GATEWAY, settings(**changes), health or Health("edge"), segment_bytes=segment_bytes)
    journal.start()
    try:
        yield journal
    finally:
        await journal.close()


async def everything(journal: Journal) -> list[int]:
    """The sequences that the journal would send."""
    found: list[int] = []
    at = 1
    while rows := await journal.read(at, on_their_way_from=at):
        found += [row.sequence for row in rows]
        at = rows[-1].sequence + 1
    return found
