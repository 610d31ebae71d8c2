"""kill -9 in the middle of appends: every row that was announced is there, in order, and the ledger balances."""

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path

from gateway.config.models import Journal as Settings
from gateway.contract.batches import ReadBatch, decode
from gateway.edge.journal import Journal
from gateway.health import Health
from tests.faults.journal_child import GATEWAY

LIVES = 12


def live_and_die(directory: Path, seconds: float) -> tuple[int, int, int]:
    """The last that the child announced: sequence, reads heard, watermark."""
    command = [sys.executable, "-m", "tests.faults.journal_child", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        time.sleep(seconds)
        child.kill()
        whole = [line for line in [first, *child.stdout] if line.endswith("\n")]
    sequence, heard, watermark = whole[-1].split()
    return int(sequence), int(heard), int(watermark)


async def inspect(directory: Path, announced: tuple[int, int, int], epoch: int | None) -> int:
    health = Health("edge")
    journal = Journal(directory, GATEWAY, Settings(), health)
    state = journal.state
    assert epoch in (None, journal.epoch)
    sequence, heard, watermark = announced
    assert journal.last >= sequence, "a row that was announced is gone"
    assert state.heard["reads"] >= heard
    assert state.watermark >= watermark
    assert state.heard["reads"] == state.judged.get("reads", 0) + state.unjudged["reads"], "it does not balance"
    at, ordinal = 1, 0
    while rows := await journal.read(at, on_their_way_from=at):
        for row in rows:
            assert row.sequence == at
            batch = decode(row.payload)
            assert isinstance(batch, ReadBatch)
            assert (batch.sequence, batch.ordinal, len(batch.reads)) == (at, ordinal, 1 + at % 4)
            assert batch.reads[0].epc == f"{at:024X}"
            ordinal += len(batch.reads)
            at += 1
    assert at == journal.last + 1
    assert ordinal == state.heard["reads"] == state.journalled["reads"]
    damaged = {"event": "journal_damaged", "level": "critical"}
    assert health.registry.get_sample_value("tagwharf_troubles_total", damaged) is None
    await journal.close()
    return journal.epoch


def test_what_was_announced_survives_kill_9(tmp_path: Path) -> None:
    rng = random.Random(7)
    epoch: int | None = None
    last = 0
    for _ in range(LIVES):
        announced = live_and_die(tmp_path, rng.uniform(0.0, 0.4))
        assert announced[0] > last
        last = announced[0]
        epoch = asyncio.run(inspect(tmp_path, announced, epoch))
    assert len(list(tmp_path.glob("*.sqlite"))) > 3, "the kills should meet several segments"
