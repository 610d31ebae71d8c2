from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.config.models import SiteFile
from gateway.contract.commands import Outcome, as_outcome, fields_of, signed
from gateway.control import audit, service
from gateway.control.service import ControlService, controlled_points
from gateway.health import Health
from gateway.mqtt import Session, session
from readers.control import Action, Attempt, ControlPoint, Fate, Order, Shown
from readers.errors import ConfigError, LinkError
from readers.observations import Signal, Signals
from tests.support.broker import Broker
from tests.support.control_plant import DEVICE, KEYS, SITE, command, now_us

OUTPUTS = [{"name": "feeder", "address": 0}, {"name": "red", "address": 1}]
POINT = {"device": DEVICE, "roles": ["operator"], "least_pause_s": 0}


def site(port: int) -> SiteFile:
    return SiteFile.model_validate(
        {
            "site": {"name": SITE},
            "mqtt": {"port": port},
            "reader": [
                {
                    "name": DEVICE,
                    "driver": "modbus_io",
                    "port": "tcp://127.0.0.1:1",
                    "settings": {"modules": [{"outputs": OUTPUTS}]},
                }
            ],
            "control": {
                "enabled": True,
                "person": [{"name": name, "key_credential": f"control-{name}", "roles": ["operator"]} for name in KEYS],
                "point": [
                    {**POINT, "point": "feeder", "actions": ["on"], "interlocks": [f"signal {DEVICE} loop = false"]},
                    {**POINT, "point": "red", "actions": ["on", "off"], "two_steps": False, "most_per_hour": 3_600},
                ],
            },
        }
    )


class Relay:
    """A driver of two outputs; `hold` keeps an attempt from ending."""

    def __init__(self) -> None:
        self.is_on: dict[str, bool] = {}
        self.orders: list[Order] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.fault: Exception | None = None

    def control_points(self) -> tuple[ControlPoint, ...]:
        return ()

    async def observe(self, source: str | None, point: str) -> Shown:
        assert source is None
        if self.fault is not None:
            raise self.fault
        return Shown(now_us(), {"is_on": self.is_on.get(point, False)})

    async def attempt(self, order: Order) -> Attempt:
        self.orders.append(order)
        await self.hold.wait()
        self.is_on[order.point] = order.action is Action.ON
        return Attempt(Fate.ACCEPTED)

    def is_done(self, order: Order, before: Shown, after: Shown) -> bool | None:
        assert before.values
        return after.values["is_on"] is (order.action is Action.ON)


class Bench:
    """A service on a real broker, in front of a relay of the test's."""

    def __init__(self, relay: Relay, health: Health, link: Session) -> None:
        self.service: ControlService
        self.relay = relay
        self.health = health
        self.link = link
        self.ahead_us = 0

    def now_us(self) -> int:
        """The clock of the gateway."""
        return now_us() + self.ahead_us

    async def ask(self, *states: str, **fields: Any) -> Outcome:
        sent = command(fields.pop("kind", "direct"), fields.pop("point", "red"), **fields)
        await self.send(sent)
        return await self.outcome(sent.id, *states)

    async def send(self, sent: Any) -> None:
        topic = f"tagwharf/1/{SITE}/{DEVICE}/command"
        await self.link.publish(topic, signed(sent, KEYS[sent.by].encode(), topic))

    async def outcome(self, command_id: str, *states: str) -> Outcome:
        async with asyncio.timeout(10):
            while True:
                outcome = as_outcome(fields_of((await self.link.receive()).payload))
                if outcome.id == command_id and (
                    outcome.state in states or (not states and outcome.state != "sending")
                ):
                    return outcome

    def clear_to_go(self) -> None:
        self.service.observed(DEVICE, Signals(now_us(), [Signal("loop", False)]))  # noqa: FBT003  # the value itself

    def troubles(self, event: str, level: str) -> float:
        labels = {"event": event, "level": level}
        return self.health.registry.get_sample_value("tagwharf_troubles_total", labels) or 0.0


@asynccontextmanager
async def serving(directory: Path, broker: Broker, relay: Relay | None = None) -> AsyncIterator[Bench]:
    settings = site(broker.port)
    health, found = Health("edge"), relay or Relay()
    topics = (f"tagwharf/1/{SITE}/+/outcome",)
    async with session(settings.mqtt, client_id="test", topics=topics) as link:
        bench = Bench(found, health, link)
        bench.service = ControlService(
            settings,
            directory,
            health,
            controlled_points(settings),
            live=lambda reader: found if reader == DEVICE else None,
            is_online=lambda device: device == DEVICE,
            clock=bench.now_us,
        )
        running = asyncio.create_task(bench.service.run())
        async with asyncio.timeout(10):
            await connected(health, running)
        try:
            yield bench
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def connected(health: Health, running: asyncio.Task[None]) -> None:
    """The subscription stands when the service says that it is not degraded any more."""
    await asyncio.sleep(0)
    while "control" in health.degraded:
        assert not running.done()
        await asyncio.sleep(0.01)


Story = Callable[[Bench], Coroutine[Any, Any, None]]
Scene = Callable[[Story], None]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    keys = tmp_path / "keys"
    keys.mkdir()
    for name, key in KEYS.items():
        (keys / f"control-{name}").write_text(key)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(keys))

    def play(story: Story) -> None:
        async def main() -> None:
            with Broker(tmp_path / "broker") as broker:
                async with serving(tmp_path, broker) as bench:
                    await story(bench)

        asyncio.run(main())

    return play


def test_interlocks_on_what_drivers_report(scene: Scene) -> None:
    async def story(bench: Bench) -> None:
        refused = await bench.ask(kind="arm", point="feeder")
        assert (refused.state, refused.code) == ("refused", "interlock")
        assert "no fresh value is known" in refused.detail
        bench.clear_to_go()
        armed = await bench.ask(kind="arm", point="feeder")
        assert armed.state == "armed"
        done = await bench.ask(kind="confirm", point="feeder", nonce=armed.nonce)
        assert (done.state, done.shows, done.order) == ("verified", {"is_on": True}, armed.id)
        assert len(bench.relay.orders) == 1

    scene(story)


def test_points_work_side_by_side(scene: Scene) -> None:
    async def story(bench: Bench) -> None:
        bench.relay.hold.clear()
        slow = command("direct", "red")
        await bench.send(slow)
        await bench.outcome(slow.id, "sending")
        bench.clear_to_go()
        assert (await bench.ask(kind="arm", point="feeder")).state == "armed"
        assert (await bench.ask()).code == "busy"
        assert (await bench.ask("sending", id=slow.id)).id == slow.id  # its latest outcome once more
        bench.relay.hold.set()
        assert (await bench.outcome(slow.id)).state == "verified"

    scene(story)


def test_a_person_may_ask_so_often_and_no_more(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_PER_MINUTE", 3)

    async def story(bench: Bench) -> None:
        for _ in range(3):
            assert (await bench.ask(action="off")).state == "verified"
        refused = await bench.ask(action="off")
        assert (refused.state, refused.code, refused.audit_sequence) == ("refused", "rate", None)
        assert (await bench.ask(action="off", by="ben")).state == "verified"

    scene(story)


def test_without_an_audit_nothing_is_sent(scene: Scene, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        db = sqlite3.connect(tmp_path / audit.FILE)
        db.execute("CREATE TRIGGER full BEFORE INSERT ON record BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
        db.commit()
        for _ in range(2):  # the point is free again
            refused = await bench.ask()
            assert (refused.state, refused.code) == ("refused", "audit")
        bench.clear_to_go()
        assert (await bench.ask(kind="arm", point="feeder")).code == "audit"
        assert bench.relay.orders == []
        assert "the disk is full" in bench.health.degraded["control_audit"]
        assert bench.troubles("control_audit_failed", "critical") == 3
        db.execute("DROP TRIGGER full")
        db.commit()
        armed = await bench.ask(kind="arm", point="feeder")
        assert armed.state == "armed"  # the one that could not be told does not hold the point
        db.execute("ALTER TABLE record RENAME TO gone")
        db.commit()
        db.close()
        assert (await bench.ask()).code == "audit"

    scene(story)


def test_a_result_that_cannot_be_recorded_is_told_all_the_same(scene: Scene, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        bench.relay.hold.clear()
        sent = command("direct", "red")
        await bench.send(sent)
        await bench.outcome(sent.id, "sending")
        db = sqlite3.connect(tmp_path / audit.FILE)
        db.execute("CREATE TRIGGER full BEFORE INSERT ON record BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
        db.commit()
        db.close()
        bench.relay.hold.set()
        done = await bench.outcome(sent.id)
        assert (done.state, done.audit_sequence) == ("verified", None)

    scene(story)


def test_a_gateway_that_stops_takes_no_more_and_ends_what_it_began(scene: Scene) -> None:
    async def story(bench: Bench) -> None:
        bench.relay.hold.clear()
        sent = command("direct", "red")
        await bench.send(sent)
        await bench.outcome(sent.id, "sending")
        finishing = asyncio.create_task(bench.service.finish())
        await asyncio.sleep(0.1)
        assert (await bench.ask(by="ben")).code == "stopping"
        assert not finishing.done()
        bench.relay.hold.set()
        assert (await bench.outcome(sent.id)).state == "verified"
        await finishing

    scene(story)


def test_a_device_that_does_not_answer(scene: Scene) -> None:
    async def story(bench: Bench) -> None:
        bench.relay.fault = LinkError("cut")
        refused = await bench.ask()
        assert (refused.state, refused.code) == ("refused", "no_state")
        assert "cut; nothing was sent" in refused.detail
        bench.relay.fault = None
        assert (await bench.ask()).state == "verified"

    scene(story)


def test_an_order_that_nobody_confirms_is_over_by_itself(scene: Scene) -> None:
    async def story(bench: Bench) -> None:
        bench.clear_to_go()
        armed = await bench.ask(kind="arm", point="feeder")
        bench.ahead_us = 46_000_000
        expired = await bench.outcome(armed.id, "expired")
        assert (expired.code, expired.order) == ("not_confirmed", armed.id)
        bench.ahead_us = 0
        refused = await bench.ask(kind="confirm", point="feeder", nonce=armed.nonce)
        assert refused.code == "nonce"

    scene(story)


def test_a_clock_that_goes_back_stops_everything(scene: Scene) -> None:
    async def story(bench: Bench) -> None:
        assert (await bench.ask()).state == "verified"
        bench.ahead_us = -6_000_000
        refused = await bench.ask(issued_at_us=bench.now_us())
        assert (refused.state, refused.code) == ("refused", "gateway_clock")
        bench.ahead_us = 0
        assert (await bench.ask(action="off")).state == "verified"

    scene(story)


def test_strangers_are_counted_and_told_of_once(scene: Scene, tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        topic = f"tagwharf/1/{SITE}/{DEVICE}/command"
        for number in range(70):
            await bench.link.send(topic, b'{"id": "stranger-%d", "by": "anna"}' % number)
        assert (await bench.ask()).state == "verified"
        count = bench.health.registry.get_sample_value("tagwharf_commands_rejected_total", {"code": "signature"})
        assert count == 70
        told = [each.outcome for each in audit.records(tmp_path, 100) if each.outcome.id == ""]
        assert [each.detail[:11] for each in told] == ["1 messages "]
        assert bench.troubles("command_rejected", "warning") == 1

    scene(story)


def test_a_missing_key_is_a_fault_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    async def main() -> None:
        settings = site(1)
        points = controlled_points(settings)
        with pytest.raises(ConfigError, match="control-anna"):
            ControlService(settings, tmp_path, Health("edge"), points, live=lambda _: None, is_online=lambda _: False)

    asyncio.run(main())


def test_only_what_is_listed_and_offered_is_a_point() -> None:
    settings = site(1)
    assert [key for key, each in controlled_points(settings).items() if each.reader == DEVICE] == [
        (DEVICE, "feeder"),
        (DEVICE, "red"),
    ]
