import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.config.models import Acknowledge, Mqtt
from gateway.contract.batches import Condition, ReadBatch, StatusBatch, decode
from gateway.contract.ledger import EdgeLedger, decode_edge_ledger
from gateway.contract.topics import Topics
from gateway.edge.intake import Intake, now_us
from gateway.edge.journal import Journal
from gateway.edge.ledger import edge_ledger
from gateway.edge.publish import Publisher
from gateway.health import Health
from gateway.mqtt import session
from readers.driver import Kind, Report
from readers.observations import TagRead, TagReads, Watching
from tests.gateway.edge.support import GATEWAY, opened
from tests.support.broker import Broker
from tests.support.rules_peer import Peer, encode

SITE = "site"
TOPICS = Topics(SITE)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as running:
        yield running


class Edge:
    """Intake, journal and sender, without readers."""

    def __init__(self, journal: Journal, settings: Mqtt) -> None:
        self.journal = journal
        self.health = Health("edge")
        self.intake = Intake(GATEWAY, journal, self.health)
        self.report: Report
        self.conditions: list[Condition] = []
        _, self.report = self.intake.reader("gate", "llrp", Kind.RFID, {1: "gate-in"}, ())
        self.publisher = Publisher(
            settings,
            TOPICS,
            GATEWAY,
            journal,
            self.health,
            ledger=self.ledger,
            status=lambda state, reason: StatusBatch(
                gateway=GATEWAY,
                device=GATEWAY,
                received_at_us=0,
                state=state,
                reason=reason,
                since_us=0,
                conditions=self.conditions,
            ),
            on_connected=self.intake.tell_all,
        )

    def ledger(self) -> EdgeLedger:
        ledger = edge_ledger(GATEWAY, self.journal, self.intake)
        assert ledger.tag_reads.balanced, ledger.tag_reads
        return ledger

    def hear(self, batches: int) -> None:
        for index in range(batches):
            self.report(TagReads.of(1_000, TagRead(index.to_bytes(4, "big"))))
            self.intake.flush()


@asynccontextmanager
async def edge(directory: Path, settings: Mqtt) -> AsyncIterator[Edge]:
    async with opened(directory / "journal") as journal:
        made = Edge(journal, settings)
        running = asyncio.create_task(made.publisher.run())
        try:
            yield made
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def judged(edge: Edge, count: int) -> None:
    async with asyncio.timeout(20):
        while edge.ledger().tag_reads.judged < count:
            await asyncio.sleep(0.01)


def epcs(peer: Peer) -> list[str]:
    return [read.epc for batch in peer.batches if isinstance(batch, ReadBatch) for read in batch.reads]


def test_everything_heard_is_judged_once_and_in_order(broker: Broker, tmp_path: Path) -> None:
    async def main() -> None:
        peer = Peer(SITE, GATEWAY)
        serving = asyncio.create_task(peer.serve(broker.settings, 0.01))
        async with edge(tmp_path, broker.settings) as made:
            made.hear(800)
            await judged(made, 800)
            assert epcs(peer) == [f"{n:08X}" for n in range(800)]
            assert made.ledger().tag_reads.queued == 0
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(main())


def test_lost_messages_lost_acks_and_a_judge_that_is_killed(broker: Broker, tmp_path: Path) -> None:
    async def main() -> None:
        peer = Peer(SITE, GATEWAY)
        lose = iter([False] * 50 + [True] * 3 + [False] * 100 + [True])
        peer.drop = lambda _: next(lose, False)
        serving = asyncio.create_task(peer.serve(broker.settings, 0.02))
        settings = broker.settings.model_copy(update={"window_batches": 40})
        async with edge(tmp_path, settings) as made:
            made.hear(300)
            await judged(made, 250)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            peer.restart("s2")
            made.hear(300)
            serving = asyncio.create_task(peer.serve(broker.settings, 0.02))
            await judged(made, 600)
            assert epcs(peer) == [f"{n:08X}" for n in range(300)] * 2
            assert peer.gaps > 0
            assert made.publisher.rewinds > 0
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(main())


def test_a_broker_that_is_killed_costs_nothing(broker: Broker, tmp_path: Path) -> None:
    async def serve(peer: Peer) -> None:
        while True:
            try:
                await peer.serve(broker.settings, 0.02)
            except Exception:  # noqa: BLE001  # the broker is away; the next attempt tells
                await asyncio.sleep(0.1)

    async def main() -> None:
        peer = Peer(SITE, GATEWAY)
        serving = asyncio.create_task(serve(peer))
        async with edge(tmp_path, broker.settings) as made:
            made.hear(200)
            await judged(made, 100)
            made.hear(200)
            await asyncio.to_thread(broker.kill)
            made.hear(200)
            await asyncio.sleep(0.5)
            assert "broker" in made.health.degraded
            assert made.ledger().tag_reads.queued > 0
            await asyncio.to_thread(broker.start)
            await judged(made, 600)
            assert epcs(peer) == [f"{n:08X}" for n in range(200)] * 3
            assert "broker" not in made.health.degraded
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(main())


def test_without_rules_everything_is_sent_and_kept(broker: Broker, tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            session(broker.settings, client_id="listener", topics=[TOPICS.device("gate", "reads")]) as listener,
            edge(tmp_path, broker.settings.model_copy(update={"window_batches": 1})) as made,
        ):
            made.hear(100)
            got: list[int] = []
            async with asyncio.timeout(10):
                while len(got) < 100:
                    got.append(decode((await listener.receive()).payload).sequence)
            assert got == sorted(got)
            assert made.ledger().tag_reads.unjudged == 100

    asyncio.run(main())


def test_the_broker_may_release(broker: Broker, tmp_path: Path) -> None:
    async def main() -> None:
        settings = broker.settings.model_copy(update={"acknowledge": Acknowledge.BROKER})
        async with edge(tmp_path, settings) as made:
            made.hear(100)
            await judged(made, 100)
            assert made.ledger().tag_reads.unjudged == 0

    asyncio.run(main())


def test_a_backlog_comes_from_the_disk_of_a_former_life(broker: Broker, tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(tmp_path / "journal") as journal:
            before = Edge(journal, broker.settings)
            before.hear(700)
            await journal.flush()
        peer = Peer(SITE, GATEWAY)
        serving = asyncio.create_task(peer.serve(broker.settings, 0.01))
        async with edge(tmp_path, broker.settings) as made:
            made.hear(10)
            await judged(made, 710)
            assert epcs(peer) == [f"{n:08X}" for n in [*range(700), *range(10)]]
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(main())


def test_what_waited_says_when_it_was_sent(broker: Broker, tmp_path: Path) -> None:
    async def main() -> None:
        began_us = now_us()
        async with opened(tmp_path / "journal") as journal:
            before = Edge(journal, broker.settings)
            for age_s in (3_600, 60):
                before.report(TagReads.of(began_us - age_s * 1_000_000, TagRead(b"\x00\x01")))
                before.intake.flush()
            await journal.flush()
        peer = Peer(SITE, GATEWAY)
        serving = asyncio.create_task(peer.serve(broker.settings, 0.01))
        async with edge(tmp_path, broker.settings) as made:
            await judged(made, 2)
            made.report(TagReads.of(now_us(), TagRead(b"\x00\x01")))
            made.intake.flush()
            await judged(made, 3)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        waited_s = [batch.waited_us / 1e6 for batch in peer.batches if isinstance(batch, ReadBatch)]
        assert waited_s == [pytest.approx(3_600, abs=30), pytest.approx(60, abs=30), 0]
        assert all(began_us <= batch.received_at_us + batch.waited_us <= now_us() for batch in peer.batches)

    asyncio.run(main())


def test_what_is_retained(broker: Broker, tmp_path: Path) -> None:
    async def retained(topic: str) -> bytes:
        async with session(broker.settings, client_id="visitor", topics=[topic]) as visitor:
            message = await asyncio.wait_for(visitor.receive(), 5)
            assert message.retained
            return message.payload

    async def main() -> None:
        async with edge(tmp_path, broker.settings) as made:
            made.report(Watching(frozenset({1})))
            made.hear(3)
            await asyncio.sleep(1.5)
            status = decode(await retained(TOPICS.device("gate", "status")))
            assert isinstance(status, StatusBatch)
            assert (status.state, status.watched) == ("online", ["gate-in"])
            own = decode(await retained(TOPICS.device(GATEWAY, "status")))
            assert isinstance(own, StatusBatch)
            assert (own.state, own.sequence) == ("online", 0)
            ledger = decode_edge_ledger(await retained(TOPICS.ledger(GATEWAY)))
            assert ledger.tag_reads.heard == 3
            made.publisher.finish()
            await asyncio.sleep(0.5)
            own = decode(await retained(TOPICS.device(GATEWAY, "status")))
            assert isinstance(own, StatusBatch)
            assert (own.state, own.reason) == ("offline", "stopped")

    asyncio.run(main())


def test_garbage_on_our_topics_is_counted_and_changes_nothing(broker: Broker, tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            session(broker.settings, client_id="fool") as fool,
            edge(tmp_path, broker.settings) as made,
        ):
            made.hear(5)
            await asyncio.sleep(0.5)
            await fool.publish(TOPICS.ack(GATEWAY), b"\xff{")
            await fool.publish(TOPICS.rules_status(), b'{"session": 5}')
            await asyncio.sleep(0.3)
            labels = {"event": "message_rejected", "level": "warning"}
            assert made.health.registry.get_sample_value("tagwharf_troubles_total", labels) == 2.0
            assert made.ledger().tag_reads.unjudged == 5

    asyncio.run(main())


def test_a_journal_that_is_behind_the_rules_jumps_ahead(broker: Broker, tmp_path: Path) -> None:
    async def main() -> None:
        async with edge(tmp_path, broker.settings) as made:
            peer = Peer(SITE, GATEWAY)
            peer.epoch, peer.received = made.journal.epoch, 5_000
            async with session(broker.settings, client_id="rules") as link:
                async with asyncio.timeout(20):
                    while not made.journal.knows(5_000):  # a rules daemon repeats its word
                        await link.publish(TOPICS.ack(GATEWAY), encode(peer.commit()), retain=True)
                        await asyncio.sleep(0.2)
            made.hear(1)
            await made.journal.flush()
            assert made.journal.last > 5_000

    asyncio.run(main())


def test_the_last_ledger_waits_for_a_slow_judge(broker: Broker, tmp_path: Path) -> None:
    async def main() -> None:
        peer = Peer(SITE, GATEWAY)
        serving = asyncio.create_task(peer.serve(broker.settings, 0.7))
        async with edge(tmp_path, broker.settings) as made:
            made.hear(1)
            await judged(made, 1)
            made.hear(20)
            await made.journal.flush()
            made.publisher.finish()
            async with session(broker.settings, client_id="look", topics=[TOPICS.ledger(GATEWAY)]) as link:
                async with asyncio.timeout(10):
                    while (ledger := decode_edge_ledger((await link.receive()).payload)).tag_reads.judged < 21:
                        pass
            assert ledger.tag_reads.queued == 0
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(main())


def test_conditions_of_the_gateway_itself_are_told_when_they_change_and_while_they_stand(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.edge.publish.LEDGER_EVERY_S", 0.05)
    monkeypatch.setattr("gateway.edge.publish.REPEAT_STATUS_S", 0.2)
    ending = Condition("certificate_expiring", "warning", 5, key="mqtt.server")

    async def main() -> None:
        async with (
            edge(tmp_path, broker.settings) as sender,
            session(broker.settings, client_id="watch", topics=[TOPICS.device(GATEWAY, "status")]) as watch,
        ):

            async def told() -> list[Condition]:
                async with asyncio.timeout(20):
                    found = decode((await watch.receive()).payload)
                assert isinstance(found, StatusBatch)
                assert (found.state, found.reason) == ("online", "started")
                return found.conditions

            assert await told() == []
            sender.conditions = [ending]
            assert [await told() for _ in range(3)] == [[ending]] * 3  # rules may begin later
            sender.conditions = []
            while await told():
                pass
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(watch.receive(), 0.6)

    asyncio.run(main())
