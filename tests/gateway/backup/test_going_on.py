"""A restored edge with its sender, on a real broker, opposite a judge that lives on or was restored as well."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.backup.continuing import continue_journal
from gateway.edge.intake import now_us
from tests.gateway.edge.support import GATEWAY
from tests.gateway.edge.test_publish import SITE, edge, epcs, judged
from tests.support.broker import Broker
from tests.support.rules_peer import Peer

WITHIN_S = 30.0


@pytest.fixture(name="broker")
def running_broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as running:
        yield running


def restored(tmp_path: Path) -> Path:
    """What `copy` holds, on another machine."""
    fresh = tmp_path / "fresh"
    shutil.copytree(tmp_path / "copy", fresh / "journal")
    continue_journal(fresh / "journal", now_us(), lambda name, why: pytest.fail(f"{name}: {why}"))
    return fresh


def test_rules_that_live_on_take_what_is_new_and_the_ledger_comes_out(broker: Broker, tmp_path: Path) -> None:
    """Beyond the hole lies more than the window: it must be announced all the same."""

    async def main() -> None:
        peer = Peer(SITE, GATEWAY)
        serving = asyncio.create_task(peer.serve(broker.settings, 0.01))
        async with edge(tmp_path / "lost", broker.settings) as made:
            made.hear(20)
            await judged(made, 20)
        shutil.copytree(tmp_path / "lost" / "journal", tmp_path / "copy")
        async with edge(tmp_path / "lost", broker.settings) as made:
            made.hear(10)
            await judged(made, 30)
        before = epcs(peer)
        async with edge(restored(tmp_path), broker.settings) as made:
            made.hear(5)
            await judged(made, 25)
            assert made.ledger().tag_reads.queued == 0
        assert epcs(peer) == before + before[:5], "five more, each once"
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(main())


def test_the_last_word_of_lost_rules_misleads_nobody(broker: Broker, tmp_path: Path) -> None:
    """The lost rules judged all of it after the backup, and their watermark stands on the broker."""

    async def main() -> None:
        async with edge(tmp_path / "lost", broker.settings) as made:
            made.hear(20)
            await made.journal.flush()
        shutil.copytree(tmp_path / "lost" / "journal", tmp_path / "copy")
        lost = Peer(SITE, GATEWAY, "lost")
        serving = asyncio.create_task(lost.serve(broker.settings, 0.01))
        async with edge(tmp_path / "lost", broker.settings) as made:
            await judged(made, 20)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

        peer = Peer(SITE, GATEWAY, "restored")
        async with edge(restored(tmp_path), broker.settings) as made:
            async with asyncio.timeout(WITHIN_S):
                while not made.publisher.connected:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)  # the retained words come with the subscription
            assert made.journal.watermark == 0
            serving = asyncio.create_task(peer.serve(broker.settings, 0.01))
            await judged(made, 20)
            assert made.ledger().tag_reads.queued == 0
        assert epcs(peer) == epcs(lost)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(main())
