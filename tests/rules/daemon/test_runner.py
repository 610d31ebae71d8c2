from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from gateway.certificates import Certificates
from gateway.config.models import Mqtt
from gateway.contract.batches import Batch, Signal, SignalBatch, StatusBatch, encode
from gateway.contract.events import decode_event
from gateway.contract.flow import decode_rules_status
from gateway.contract.ledger import decode_rules_ledger
from gateway.event_history import EventHistory
from gateway.health import Health
from gateway.mqtt import Will, session
from rules.daemon.edge_ledgers import EdgeLedgers
from rules.daemon.pipeline import Pipeline
from rules.daemon.platform_points import PlatformPoints
from rules.daemon.rule_times import RuleTimes
from rules.daemon.runner import LEDGER_FILE, Runner
from rules.engine import Engine
from tests.rules.daemon.test_platform_points import SEEN, Shelf, ledger
from tests.rules.edge import TOPICS, Edge, listening, until
from tests.rules.passthrough import EPC, NOW_US, PassThrough, pipeline, reads
from tests.rules.things.registries import NOTHING
from tests.support.broker import Broker, running_broker
from tests.support.pki import DAY, Authority, now


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with running_broker(tmp_path / "broker") as running:
        yield running


@asynccontextmanager
async def running(
    tmp_path: Path,
    mqtt: Mqtt,
    judge: PassThrough | None = None,
    *,
    connected: bool = True,
    commit_every_s: float = 0.01,
) -> AsyncIterator[Pipeline]:
    """The rules daemon in this process, `connected` when it is handed out; stopped in order at the end."""
    async with pipeline(tmp_path, judge, commit_every_s=commit_every_s) as made:
        runner = Runner(made, mqtt=mqtt, client_id="test-rules", health=made._health, directory=tmp_path)
        stop = asyncio.Event()
        task = asyncio.create_task(runner.run(stop))
        try:
            await asyncio.sleep(0)
            if connected:
                await until(lambda: not made._health.not_ready)
            yield made
        finally:
            stop.set()
            async with asyncio.timeout(20):
                await task


def batches(count: int) -> list[Batch]:
    return [reads(n) for n in range(1, count + 1)]


def judged_sequences(tmp_path: Path) -> list[int]:
    return sorted(e.evidence.sequence_from for e in EventHistory(tmp_path / "events").where(EPC, limit=100_000))


def test_batches_are_judged_acknowledged_published_and_accounted_for(tmp_path: Path, broker: Broker) -> None:
    async def main() -> None:
        everything = [f"{TOPICS.root}/events/+", f"{TOPICS.root}/ledger/+", TOPICS.rules_status()]
        async with listening(broker.settings, *everything) as heard:
            async with running(tmp_path, broker.settings) as made:
                edge = Edge(broker.settings, batches(300))
                await asyncio.wait_for(edge.run(), 20)
                assert edge.acks[-1].judged == {"reads": 1_500}
                assert edge.acks[-1].session == made.session
                assert all(ack.sequence <= ack.received for ack in edge.acks)
                await until(lambda: len(heard.get("events/seen", [])) >= 300)
                await until(lambda: "rules/status" in heard)  # another subscription: it may come after the events
                assert decode_rules_status(heard["rules/status"][-1][0]).online
            events = [decode_event(payload) for payload, _ in heard["events/seen"]]
            assert [e.evidence.sequence_from for e in events] == list(range(1, 301))
            await until(lambda: not decode_rules_status(heard["rules/status"][-1][0]).online)
            ledger = decode_rules_ledger(heard["ledger/rules"][-1][0])
            assert ledger.judged == {"edge-1": {"reads": 1_500}}
            assert ledger.events == {"seen": 300}
            account = ledger.points["events"]
            assert (account.made, account.stored, account.refused, account.queued) == (300, 300, 0, 0)
            assert decode_rules_ledger((tmp_path / LEDGER_FILE).read_bytes()).points == ledger.points
            assert ledger.gaps == 0

    asyncio.run(main())
    assert judged_sequences(tmp_path) == list(range(1, 301))


def test_what_has_come_is_acknowledged_between_commits_too(
    tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rules.daemon.runner.EARLY_ACK_BATCHES", 20)

    async def main() -> None:
        async with running(tmp_path, broker.settings, commit_every_s=1.5):
            edge = Edge(broker.settings, batches(190))
            await asyncio.wait_for(edge.run(), 20)
            assert max(ack.received - ack.sequence for ack in edge.acks) >= 20

    asyncio.run(main())
    assert judged_sequences(tmp_path) == list(range(1, 191))


def test_what_was_lost_on_the_way_is_asked_for_and_comes_again(tmp_path: Path, broker: Broker) -> None:
    rng = random.Random(5)
    lost: set[int] = set()

    def drop(sequence: int) -> bool:
        if sequence not in lost and (rng.random() < 0.02 or sequence == 200):
            lost.add(sequence)
            return True
        return False

    async def main() -> None:
        judge = PassThrough()
        async with running(tmp_path, broker.settings, judge) as made:
            edge = Edge(broker.settings, batches(200), drop)
            await asyncio.wait_for(edge.run(), 40)
            assert judge.judged == [("edge-1", n) for n in range(1, 201)]
            assert edge.rewinds > 0
            assert made.ledger().gaps > 0

    asyncio.run(main())
    assert len(lost) > 1


def test_a_broker_that_dies_costs_nothing(tmp_path: Path, broker: Broker) -> None:
    async def main() -> None:
        judge = PassThrough()
        async with running(tmp_path, broker.settings, judge) as made:
            edge = Edge(broker.settings, batches(1_500))
            edge_task = asyncio.create_task(edge.run())
            for at in (200, 700):
                await until(lambda at=at: edge.watermark >= at)  # type: ignore[misc]  # a bound default
                await asyncio.to_thread(broker.kill)
                await asyncio.sleep(0.2)
                assert "broker" in made._health.not_ready
                await asyncio.to_thread(broker.start)
            await asyncio.wait_for(edge_task, 40)
            assert judge.judged == [("edge-1", n) for n in range(1, 1_501)]
            assert made.ledger().judged == {"edge-1": {"reads": 7_500}}

    asyncio.run(main())
    assert judged_sequences(tmp_path) == list(range(1, 1_501))


def test_a_new_life_tells_its_session_and_goes_on_from_the_watermark(tmp_path: Path, broker: Broker) -> None:
    async def main() -> None:
        first, second = PassThrough(), PassThrough()
        edge = Edge(broker.settings, batches(600))
        edge_task = asyncio.create_task(edge.run())
        async with running(tmp_path, broker.settings, first):
            await until(lambda: edge.watermark >= 100)
        stopped_at = first.judged[-1][1]
        async with running(tmp_path, broker.settings, second):
            await asyncio.wait_for(edge_task, 30)
        assert first.judged + second.judged == [("edge-1", n) for n in range(1, 601)]
        assert second.judged[0] == ("edge-1", stopped_at + 1)
        assert second.reads == 3_000
        assert len({ack.session for ack in edge.acks}) == 2

    asyncio.run(main())


def test_an_alarm_is_retained_while_raised_and_gone_when_cleared(tmp_path: Path, broker: Broker) -> None:
    def door(sequence: int, *, is_open: bool) -> SignalBatch:
        signals = [Signal("door", is_open)]
        return SignalBatch(
            gateway="edge-1", epoch=1, sequence=sequence, device="plc", received_at_us=NOW_US, signals=signals
        )

    async def retained() -> list[bytes]:
        async with listening(broker.settings, f"{TOPICS.root}/alarms/+") as heard:
            await asyncio.sleep(0.3)
            return [payload for payload, was_retained in heard.get("alarms/door", []) if was_retained]

    async def main() -> None:
        async with running(tmp_path, broker.settings) as made:
            async with session(broker.settings, client_id="test-edge") as edge:
                batch = door(1, is_open=True)
                await edge.publish(TOPICS.of(batch), encode(batch))
                await until(lambda: made.publication.sent >= 1)
                (raised,) = await retained()
                assert msgspec.json.decode(raised)["state"] == "raised"
                async with listening(broker.settings, f"{TOPICS.root}/alarms/+") as heard:
                    await until(lambda: "alarms/door" in heard)
                    batch = door(2, is_open=False)
                    await edge.publish(TOPICS.of(batch), encode(batch))
                    await until(lambda: len(heard["alarms/door"]) >= 3)
                    live = [payload for payload, was_retained in heard["alarms/door"] if not was_retained]
                    assert [bool(payload) for payload in live] == [True, False]
                    assert msgspec.json.decode(live[0])["state"] == "cleared"
            assert await retained() == []

    asyncio.run(main())


def test_a_gateway_that_dies_is_alarmed_also_to_a_rules_daemon_that_starts_later(
    tmp_path: Path, broker: Broker
) -> None:
    def own(state: str, reason: str) -> bytes:
        return encode(
            StatusBatch(
                gateway="edge-1", epoch=1, device="edge-1", received_at_us=5, state=state, reason=reason, since_us=5
            )
        )

    def standing(made: Pipeline) -> list[str]:
        return [msgspec.json.decode(payload)["rule"] for payload in made.publication.retained.values()]

    topic = TOPICS.device("edge-1", "status")

    async def main() -> None:
        async with running(tmp_path, broker.settings) as made:
            dying = session(broker.settings, client_id="test-edge", will=Will(topic, own("offline", "vanished")))
            async with dying as edge:
                await edge.publish(topic, own("online", "started"), retain=True)
                await edge.publish(f"{TOPICS.root}/gate-1/reads", encode(reads(1)))
                await until(lambda: bool(made.intake.flows) and made.intake.living()[0].watermark == 1)
                link = edge._client._client.socket()
                assert isinstance(link, socket.socket)
                link.shutdown(socket.SHUT_RDWR)  # no goodbye: as a process that was killed
            await until(lambda: standing(made) == ["gateway_vanished"])
        async with running(tmp_path, broker.settings) as again, session(broker.settings, client_id="test-edge") as edge:
            await asyncio.sleep(0.3)
            assert standing(again) == ["gateway_vanished"]
            await edge.publish(topic, own("online", "started"), retain=True)
            await until(lambda: standing(again) == [])
            assert again.intake.refused == {}

    asyncio.run(main())


def test_what_strangers_publish_does_no_harm(tmp_path: Path, broker: Broker) -> None:
    async def main() -> None:
        async with running(tmp_path, broker.settings) as made:
            async with session(broker.settings, client_id="test-stranger") as stranger:
                for topic in ("gate-1/reads", "resume/edge-1", "ack/edge-1", "x/y", "events/reads", "gate-1/command"):
                    await stranger.publish(f"{TOPICS.root}/{topic}", b"\x00 no JSON")
                await stranger.publish(f"{TOPICS.root}/gate-2/reads", encode(reads(1)))  # in another's name
                await stranger.publish(f"{TOPICS.root}/gate-1/reads", encode(reads(1)))
            await until(lambda: bool(made.intake.flows) and made.intake.living()[0].watermark == 1)
            assert made.malformed == {"batch": 1, "resume": 1, "topic": 1}

    asyncio.run(main())


def test_the_ledgers_of_gateways_become_points_and_our_own_does_not(tmp_path: Path, broker: Broker) -> None:
    """One is retained by the broker before anybody listens, one comes later; a stranger's is refused."""
    shelf = Shelf()

    def ledgers() -> dict[str, int]:
        of_reads = [row for row in shelf.rows("ledger") if row.tags["kind"] == "reads"]
        return {row.tags["gateway"]: int(row.fields["heard"]) for row in of_reads}

    async def main() -> None:
        health, stop = Health("test"), asyncio.Event()
        async with session(broker.settings, client_id="test-edges") as edges:
            await edges.publish(TOPICS.ledger("edge-1"), ledger(heard=11), retain=True)
            times = RuleTimes(Engine(SEEN, NOTHING))
            async with pipeline(tmp_path, times, [shelf]) as made:
                platform = PlatformPoints(made, times, EdgeLedgers(health), site="port", every_s=0.1)
                runner = Runner(
                    made,
                    mqtt=broker.settings,
                    client_id="test-rules",
                    health=health,
                    directory=tmp_path,
                    platform=platform,
                )
                task = asyncio.create_task(runner.run(stop))
                try:
                    await until(lambda: ledgers() == {"edge-1": 11})
                    await edges.publish(TOPICS.ledger("edge-2"), ledger("edge-2", heard=22))
                    await edges.publish(TOPICS.ledger("edge-3"), ledger("edge-2", heard=33))  # in another's name
                    await until(lambda: ledgers() == {"edge-1": 11, "edge-2": 22})
                    await edges.publish(TOPICS.ledger("edge-1"), ledger(heard=12), retain=True)
                    await until(lambda: ledgers() == {"edge-1": 12, "edge-2": 22})
                finally:
                    stop.set()
                    async with asyncio.timeout(20):
                        await task
                assert made.malformed == {}

    asyncio.run(main())
    assert {row.tags["sink"] for row in shelf.rows("sink")} == {"shelf"}


def test_a_ledger_that_cannot_be_written_is_told_and_stops_nothing(tmp_path: Path, broker: Broker) -> None:
    obstacle = tmp_path / "ledger-rules.new"
    obstacle.mkdir()

    async def main() -> None:
        async with running(tmp_path, broker.settings) as made:
            await until(lambda: "ledger" in made._health.degraded)
            obstacle.rmdir()
            await until(lambda: "ledger" not in made._health.degraded)
            assert (tmp_path / LEDGER_FILE).exists()

    asyncio.run(main())


def test_without_a_broker_it_stops_in_time_and_keeps_everything(tmp_path: Path) -> None:
    nobody = Mqtt(host="127.0.0.1", port=1)

    async def main() -> None:
        async with running(tmp_path, nobody, connected=False) as made:
            made.take(encode(reads(1)))
            await until(lambda: made.ledger().points.get("events") is not None)
            assert "broker" in made._health.not_ready
        async with pipeline(tmp_path) as again:
            assert len(again._threads.database.read_messages(0, 10)) == 1  # the event, published in the next life

    asyncio.run(main())


def test_certificates_of_the_rules_daemon_are_alarms_of_its_own(tmp_path: Path, broker: Broker) -> None:
    authority, stop, health = Authority(tmp_path / "keys"), asyncio.Event(), Health("rules")
    path = authority.issue("us", begins=now() - 90 * DAY, ends=now() + 5 * DAY)
    certificates = Certificates(health, own={"sink.store.certificate_file": path}, authorities={})

    def subjects(made: Pipeline) -> set[str]:
        return made.alarms.subjects("certificate_expiring")

    async def main() -> None:
        async with pipeline(tmp_path, PassThrough()) as made:
            runner = Runner(
                made,
                mqtt=broker.settings,
                client_id="test-rules",
                health=health,
                directory=tmp_path,
                certificates=certificates,
            )
            task = asyncio.create_task(runner.run(stop))
            try:
                await until(lambda: subjects(made) == {"rules/sink.store.certificate_file"})
                authority.issue("us")
                await until(lambda: not subjects(made))
            finally:
                stop.set()
                async with asyncio.timeout(20):
                    await task

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("gateway.certificates.LOOK_EVERY_S", 0.05)
        asyncio.run(main())
