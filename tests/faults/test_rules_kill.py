"""Kill -9 of the rules daemon at random moments, with messages lost on the way: the same conclusions as without."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

from gateway.contract.flow import decode_rules_status
from gateway.contract.ledger import decode_rules_ledger
from gateway.event_history import EventHistory
from gateway.mqtt import session
from tests.rules.daemon import TAGS, Daemon, traffic
from tests.rules.edge import TOPICS, Edge, listening, until
from tests.support.broker import Broker, running_broker


def test_through_kill_9_the_real_engine_concludes_the_same_as_without(tmp_path: Path) -> None:
    rng = random.Random(11)
    batches = traffic(90)
    (tmp_path / "calm").mkdir()
    (tmp_path / "storm").mkdir()

    async def calm(daemon: Daemon, broker: Broker) -> None:
        daemon.start()
        await asyncio.wait_for(Edge(broker.settings, batches).run(), 30)
        assert await asyncio.to_thread(daemon.end, signal.SIGTERM) == 0

    async def storm(daemon: Daemon, broker: Broker) -> None:
        edge = Edge(broker.settings, batches, lambda _: rng.random() < 0.01)
        sending = asyncio.create_task(edge.run())
        kills = 0
        async with listening(broker.settings, TOPICS.rules_status()) as heard:
            while not sending.done():
                daemon.start()
                target = edge.watermark + rng.randint(20, 90)
                await until(lambda target=target: edge.watermark >= target or sending.done(), 30)  # type: ignore[misc]  # a bound default
                if not sending.done():
                    assert await asyncio.to_thread(daemon.end, signal.SIGKILL) == -signal.SIGKILL
                    kills += 1
                    await until(lambda: not decode_rules_status(heard["rules/status"][-1][0]).online)  # its last will
        await sending
        if not daemon.runs:  # its last acks were on their way when it was killed
            daemon.start()
        assert await asyncio.to_thread(daemon.end, signal.SIGTERM) == 0
        assert kills >= 2

    async def forget(broker: Broker) -> None:
        """Another site begins: the acks of the first are no longer retained."""
        async with session(broker.settings, client_id="test-forget") as link:
            await link.publish(TOPICS.ack("edge-1"), b"", retain=True)

    with running_broker(tmp_path / "broker") as broker:
        with Daemon(tmp_path / "calm", broker.port) as daemon:
            asyncio.run(calm(daemon, broker))
        asyncio.run(forget(broker))
        with Daemon(tmp_path / "storm", broker.port) as daemon:
            asyncio.run(storm(daemon, broker))
    found = []
    for name in ("calm", "storm"):
        state = tmp_path / name / "state"
        events = EventHistory(state / "events").recent_events(10_000)
        ledger = decode_rules_ledger((state / "ledger-rules.json").read_bytes())
        assert all(account.balanced and account.queued == 0 for account in ledger.points.values())
        found.append((sorted(event.id for event in events), ledger.judged, ledger.events))
    assert found[0] == found[1]
    assert len(found[0][0]) >= TAGS
