"""Kill -9 of the rules daemon at random moments, with messages lost on the way: the same conclusions as without."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from gateway.contract.batches import ITEM_KINDS, Batch, item_count
from gateway.contract.events import Event
from gateway.contract.flow import decode_rules_status
from gateway.contract.ledger import RulesLedger, decode_rules_ledger
from gateway.event_history import EventHistory
from gateway.mqtt import session
from rules.expansion import load_as_run
from tests.gateway.config.test_any_file import toml
from tests.rules.edge import TOPICS, Edge, listening, until
from tests.rules.every_shape import SHAPES, every_shape
from tests.rules.rules_daemon import TAGS, Daemon, traffic
from tests.rules.test_engine import POINTS
from tests.rules.test_engine import traffic as muddle
from tests.support.broker import Broker, running_broker

MOST = 100_000


class Life(NamedTuple):
    """What is left when a daemon has judged everything: the stores byte for byte, in the order of their ids."""

    events: list[bytes]
    alarms: list[bytes]
    ledger: RulesLedger


def through_kills(
    directory: Path, batches: Sequence[Batch], daemon_in: Callable[[Path, int], Daemon], rng: random.Random
) -> tuple[Life, Life]:
    """What a daemon leaves that is left in peace, and one that is killed again and again."""

    async def calm(daemon: Daemon, broker: Broker) -> None:
        daemon.start()
        await asyncio.wait_for(Edge(broker.settings, batches).run(), 60)
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
        await until(lambda: daemon.get("/readyz")[0] == 200, 30)  # before that it cannot end well
        assert await asyncio.to_thread(daemon.end, signal.SIGTERM) == 0
        assert kills >= 2

    async def forget(broker: Broker) -> None:
        """Another site begins: the acks of the first are no longer retained."""
        async with session(broker.settings, client_id="test-forget") as link:
            await link.publish(TOPICS.ack("edge-1"), b"", retain=True)

    (directory / "calm").mkdir()
    (directory / "storm").mkdir()
    with running_broker(directory / "broker") as broker:
        with daemon_in(directory / "calm", broker.port) as daemon:
            asyncio.run(calm(daemon, broker))
        asyncio.run(forget(broker))
        with daemon_in(directory / "storm", broker.port) as daemon:
            asyncio.run(storm(daemon, broker))
    return left_in(directory / "calm" / "state"), left_in(directory / "storm" / "state")


def left_in(state: Path) -> Life:
    history = EventHistory(state / "events")
    ledger = decode_rules_ledger((state / "ledger-rules.json").read_bytes())
    assert all(account.balanced and account.queued == 0 for account in ledger.points.values())
    return Life(
        sorted(msgspec.json.encode(event) for event in history.recent_events(MOST)),
        sorted(msgspec.json.encode(alarm) for alarm in history.recent_alarms(MOST)),
        ledger,
    )


def test_through_kill_9_the_real_engine_concludes_the_same_as_without(tmp_path: Path) -> None:
    calm, storm = through_kills(tmp_path, traffic(90), Daemon, random.Random(11))
    assert storm.events == calm.events
    assert (storm.ledger.judged, storm.ledger.events) == (calm.ledger.judged, calm.ledger.events)
    assert len(calm.events) >= TAGS


def yard(directory: Path, port: int) -> Daemon:
    """The daemon of a site with rules of all ten shapes, in a file of their own."""
    site = every_shape()
    points = ", ".join(f'{number} = "{point}"' for number, point in enumerate(POINTS, start=1))
    tables = site.model_dump(mode="json", exclude_none=True)
    (directory / "rules.toml").write_text(f"rule = {toml(tables['rule'])}\n")
    places = "".join(
        f"[[{name}]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in table.items())
        for name in ("zone", "portal")
        for table in tables[name]
    )
    daemon = Daemon(
        directory,
        port,
        f'[[reader]]\nname = "reader-1"\ndriver = "llrp"\nport = "tcp://127.0.0.1:5085"\nread_points = {{ {points} }}\n'
        f'{places}[rules]\nfile = "rules.toml"\nforget_after_s = 90\n',
    )
    assert {rule.shape for rule in load_as_run(daemon.config).rule} == set(SHAPES)
    return daemon


def renumbered(batches: Sequence[Batch]) -> list[Batch]:
    """One epoch without a gap: what a journal that was never lost sends."""
    found: list[Batch] = []
    ordinals = dict.fromkeys(ITEM_KINDS, 0)
    for batch in batches:
        kind = next((each for each in ITEM_KINDS if hasattr(batch, each)), None)
        ordinal = ordinals[kind] if kind is not None else 0
        found.append(msgspec.structs.replace(batch, epoch=1, sequence=len(found) + 1, ordinal=ordinal))
        if kind is not None:
            ordinals[kind] += item_count(batch)
    return found


def test_through_kill_9_rules_of_every_shape_conclude_the_same_as_without(tmp_path: Path) -> None:
    batches = renumbered(muddle(3, 450))
    calm, storm = through_kills(tmp_path, batches, yard, random.Random(5))
    assert storm.events == calm.events
    assert storm.alarms == calm.alarms
    assert (storm.ledger.judged, storm.ledger.events) == (calm.ledger.judged, calm.ledger.events)
    rules = {rule.name: rule.shape for rule in every_shape().rule}
    made = {json.loads(line).get("rule") for line in (*calm.events, *calm.alarms)} & rules.keys()
    assert {rules[name] for name in made} == set(SHAPES)
    assert len({msgspec.json.decode(line, type=Event).id for line in calm.events}) == len(calm.events)
