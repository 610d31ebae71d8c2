"""The fault table of control: whatever happens on the way, an order is carried out once at most.

| fault | outcome | writes at the module |
|---|---|---|
| the device is silent when the order is armed | refused, no_state | 0 |
| the write is lost | failed, not_done | 0, and no second one |
| the answer to the write is lost | verified by reading back | 1 |
| the answer is lost, and the device is silent after it | unknown, no_proof | 1 |
| the relay is stuck | failed, not_done | 1 |
| replayed, confirmed twice, retained, stale, too long-lived, forged, of another topic or gateway | refused | 0 |
| kill -9 between sending and reading back | unknown, restarted; never sent again | 1 |
| the broker dies on the way | the outcome is told when it is back | 1 |
| two edge daemons on one module | the one that is named does it | 1 |
| the audit is cut off | refused, audit | 0 |
"""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from gateway.config.models import Mqtt
from gateway.contract.commands import Command
from gateway.control import audit
from gateway.mqtt import session
from tests.support.control_plant import DEVICE, KEYS, SITE, WITHIN_S, Edge, Plant, command, now_us, plant, site_text

OUTCOMES = (f"tagwharf/1/{SITE}/+/outcome",)


async def until(what: Any) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not what():
            await asyncio.sleep(0.01)


def feeder(scene: Plant) -> list[bool]:
    """How the feeder was switched."""
    return [is_on for number, is_on in scene.wires.switched if number == 1]


def assert_sound(edge: Edge) -> list[audit.Record]:
    found = audit.verify(edge.state)
    assert found.faults == []
    return audit.records(edge.state, 1_000)


async def confirmed(scene: Plant, **more: Any) -> Command:
    armed = await scene.armed()
    sent = command("confirm", nonce=armed.nonce, **more)
    await scene.send(sent)
    return sent


def test_time_outs_at_each_step(tmp_path: Path) -> None:
    async def main() -> None:
        async with plant(tmp_path) as scene:
            bank = scene.bank
            base = bank.writes
            bank.deaf_writes = 1
            lost = await scene.outcome((await confirmed(scene)).id)
            assert (lost.state, lost.code, lost.shows) == ("failed", "not_done", {"is_on": False}), lost
            assert "no answer came" in lost.detail
            await asyncio.sleep(1.0)
            assert (bank.writes, feeder(scene)) == (base, [])

            bank.silent_writes = 1
            mute = await scene.outcome((await confirmed(scene)).id)
            assert (mute.state, mute.shows) == ("verified", {"is_on": True}), mute
            assert "no answer came" in mute.detail
            assert feeder(scene) == [True]

            bank.stuck = frozenset({0})
            armed = await scene.armed(action="off")
            stuck = await scene.ask(command("confirm", nonce=armed.nonce, action="off"))
            assert (stuck.state, stuck.code, stuck.shows) == ("failed", "not_done", {"is_on": True}), stuck
            bank.stuck = frozenset()

            armed = await scene.armed(action="off")
            bank.silent_writes, count = 1, bank.writes
            sent = command("confirm", nonce=armed.nonce, action="off")
            await scene.send(sent)
            await until(lambda: bank.writes > count)
            bank.mute = frozenset({1})
            dark = await scene.outcome(sent.id, within_s=60)
            assert (dark.state, dark.code) == ("unknown", "no_proof"), dark
            silent = await scene.ask(command("arm"))
            assert (silent.state, silent.code) == ("refused", "no_state"), silent
            bank.mute = frozenset()
            await asyncio.sleep(3.0)
            assert feeder(scene) == [True, False]
            assert bank.writes == count + 1 + links(scene) - 1
            states = [(each.outcome.state, each.outcome.code) for each in assert_sound(scene.edge)]
            assert states.count(("sending", "sending")) == 4
            assert await scene.edge.stop() == 0

    asyncio.run(main())


def links(scene: Plant) -> int:
    """How often the link opened: the barrier is closed each time."""
    return sum(number == 3 for number, _ in scene.wires.switched)


async def refused(scene: Plant, sent: Command, code: str, **how: Any) -> None:
    outcome = await scene.ask(sent, **how)
    assert (outcome.state, outcome.code) == ("refused", code), outcome
    assert outcome.detail


def test_messages_that_must_do_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with plant(tmp_path, start=False) as scene:
            retained = command("direct", "red")
            await scene.send(retained, retain=True)
            scene.edge.start()
            assert (await scene.outcome(retained.id)).code == "retained"
            await scene.edge.connected()
            now = now_us()
            await refused(scene, command("direct", "red", issued_at_us=now - 40_000_000), "expired")
            await refused(scene, command("direct", "red", issued_at_us=now + 10_000_000), "sender_clock")
            await refused(scene, command("direct", "red", expires_at_us=now + 90_000_000), "life")
            await refused(scene, command("direct", "red", expires_at_us=now - 90_000_000), "life")
            await refused(scene, command("direct"), "two_steps")
            await refused(scene, command("direct", "speed", action="set", value="10"), "not_allowed")
            await refused(scene, command("arm", action="pulse"), "not_allowed")
            await refused(scene, command("confirm", nonce="0123456789abcdef"), "nonce")
            await refused(scene, command("direct", "red"), "signature", key=KEYS["ben"])
            stranger = command("direct", "red", by="carl")
            assert (await scene.ask(stranger, key="x" * 40)).code == "person"
            await refused(scene, command("direct", "red", device="lane-2-io"), "topic")
            for payload in (b"", b"{", b"[]", b'{"id": 1}', b'{"by":' + b"[" * 4_000, b"\xff" * 9_000):
                await scene.link.publish(f"tagwharf/1/{SITE}/{DEVICE}/command", payload)

            armed = await scene.armed()
            await refused(scene, command("arm"), "busy")
            await refused(scene, command("confirm", nonce="0123456789abcdef"), "nonce")
            await refused(scene, command("confirm", nonce=armed.nonce, action="off"), "differs")
            scene.wires.now[0] = True
            await asyncio.sleep(0.5)
            await refused(scene, command("confirm", nonce=armed.nonce), "interlock")
            scene.wires.now[0] = False
            await asyncio.sleep(0.5)
            await refused(scene, command("confirm", nonce=armed.nonce), "nonce")
            assert scene.wires.switched == [(3, False)]

            armed = await scene.armed()
            one, two = command("confirm", nonce=armed.nonce), command("confirm", nonce=armed.nonce, by="ben")
            await scene.send(one)
            await scene.send(one)
            await scene.send(two)
            assert (await scene.outcome(two.id)).code == "confirmed"
            assert (await scene.outcome(one.id)).state == "verified"
            again = await scene.ask(one)
            assert (again.state, again.audit_sequence) == ("verified", scene.heard[-2].audit_sequence)
            assert feeder(scene) == [True]

            armed = await scene.armed(action="off")
            assert (await scene.ask(command("cancel", nonce=armed.nonce))).state == "cancelled"
            await refused(scene, command("confirm", nonce=armed.nonce, action="off"), "nonce")
            assert feeder(scene) == [True]
            assert_sound(scene.edge)
            # Deleting what was retained is no command.
            await scene.link.publish(f"tagwharf/1/{SITE}/{DEVICE}/command", b"", retain=True)
            assert await scene.edge.stop() == 0
            events = [line["event"] for line in scene.edge.log()]
            assert events.count("command_rejected") in (1, 2)  # a record a minute, however many strangers speak

    asyncio.run(main())


@pytest.mark.parametrize("when", ["sending", "settling"])
def test_kill_between_sending_and_reading_back(tmp_path: Path, when: str) -> None:
    async def main() -> None:
        async with plant(tmp_path) as scene:
            base = scene.bank.writes
            scene.bank.slow_write_s = 3.0 if when == "sending" else 0.0
            scene.bank.stuck = frozenset({0}) if when == "settling" else frozenset()
            sent = await confirmed(scene)
            await until(lambda: scene.bank.writes > base)
            await asyncio.sleep(0.3)
            scene.edge.kill()
            switched = feeder(scene)
            scene.bank.slow_write_s, scene.bank.stuck = 0.0, frozenset()
            scene.edge.start()
            lost = await scene.outcome(sent.id)
            assert (lost.state, lost.code) == ("unknown", "restarted"), lost
            back = await scene.outcome(sent.id)
            assert (back.state, back.code, back.shows) == ("unknown", "read_back", {"is_on": when == "sending"}), back
            await scene.edge.connected(times=2)
            again = await scene.ask(sent)
            assert (again.state, again.code) == ("unknown", "read_back")
            await asyncio.sleep(0.5)
            assert feeder(scene) == switched
            assert scene.bank.writes == base + 1 + 1  # the barrier was closed when the link opened again
            records = assert_sound(scene.edge)
            assert [each.outcome.state for each in records] == ["armed", "sending", "unknown", "unknown"]
            # The same order may be given anew, by a person who has looked.
            done = await scene.outcome((await confirmed(scene)).id)
            assert done.state == "verified"
            # A third life has nothing left to say of it.
            scene.edge.kill()
            scene.edge.start()
            await scene.edge.connected(times=3)
            assert [each.outcome.id for each in assert_sound(scene.edge)].count(sent.id) == 3
            assert await scene.edge.stop() == 0

    asyncio.run(main())


def test_the_broker_dies_on_the_way(tmp_path: Path) -> None:
    async def main() -> None:
        async with plant(tmp_path) as scene:
            base = scene.bank.writes
            scene.bank.slow_write_s = 0.4
            sent = await confirmed(scene)
            await until(lambda: scene.bank.writes > base)
            scene.broker.kill()
            scene.broker.start()
            async with session(Mqtt(port=scene.broker.port), client_id="test-2", topics=OUTCOMES) as link:
                scene.link = link
                await scene.edge.connected(times=1)
                async with asyncio.timeout(WITHIN_S):
                    while sum(line["event"] == "control_connected" for line in scene.edge.log()) < 2:
                        await asyncio.sleep(0.05)
                done = await scene.ask(sent, "verified")
                assert done.code == "done"
                assert feeder(scene) == [True]
                assert scene.bank.writes == base + 1
                assert_sound(scene.edge)
                assert await scene.edge.stop() == 0

    asyncio.run(main())


def test_two_edge_daemons_on_one_module(tmp_path: Path) -> None:
    async def main() -> None:
        async with plant(tmp_path) as scene:
            second = Edge(tmp_path, site_text(scene.broker.port, scene.server.port), gateway="edge-2")
            second.start()
            await second.connected()
            try:
                base = scene.bank.writes
                for gateway in ("edge-1", "edge-2"):
                    done = await scene.ask(command("direct", "red", gateway=gateway))
                    assert (done.state, done.gateway) == ("verified", gateway)
                assert scene.bank.writes == base + 2
                armed = await scene.armed(gateway="edge-1")
                await refused(scene, command("confirm", nonce=armed.nonce, gateway="edge-2"), "nonce")
                assert feeder(scene) == []
                done = await scene.ask(command("confirm", nonce=armed.nonce))
                assert (done.state, feeder(scene)) == ("verified", [True])
                forged = command("direct", "red", gateway="edge-2")
                await refused(scene, forged, "signature", key=KEYS["ben"])
                assert not [each for each in await scene.nothing() if each.id == forged.id]
                # The same state directory twice is refused by its lock; the first goes on.
                third = Edge(tmp_path, site_text(scene.broker.port, scene.server.port))
                third.start()
                assert third.child is not None
                assert await asyncio.to_thread(third.child.wait, WITHIN_S) == 75
                assert (await scene.ask(command("direct", "red", action="off"))).state == "verified"
            finally:
                assert await second.stop() == 0
            assert await scene.edge.stop() == 0
            assert_sound(scene.edge)
            assert_sound(second)

    asyncio.run(main())


def test_an_audit_that_was_cut_off_stops_control_and_nothing_else(tmp_path: Path) -> None:
    async def main() -> None:
        async with plant(tmp_path) as scene:
            for action in ("on", "off"):
                assert (await scene.ask(command("direct", "red", action=action))).state == "verified"
            scene.edge.kill()
            db = sqlite3.connect(scene.edge.state / audit.FILE)
            db.execute("DROP TRIGGER no_delete")
            db.execute("DELETE FROM record WHERE sequence > 2")
            db.commit()
            db.close()
            found = audit.verify(scene.edge.state)
            assert found.faults == ["records 3 to 4 are missing at the end: it was cut off"]
            base = scene.bank.writes
            scene.edge.start()
            await scene.edge.connected(times=2)
            outcome = await scene.ask(command("direct", "red"))
            assert (outcome.state, outcome.code) == ("refused", "audit"), outcome
            assert scene.bank.writes == base + 1  # the barrier, when the link opened
            events = [line["event"] for line in scene.edge.log()]
            assert "control_audit_broken" in events
            assert await scene.edge.stop() == 0
            assert audit.verify(scene.edge.state).faults == found.faults

    asyncio.run(main())
