"""Readers that publish at a real Mosquitto: events come through our port and driver, and a lost broker is noticed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiomqtt
import pytest

from readers.codecs.iot_json import Event
from readers.codecs.iot_messages import encode_impinj, encode_zebra
from readers.errors import LinkError
from readers.observations import Observation, TagRead, TagReads, Watching
from readers.ports.mqtt import MqttPort
from readers.ports.open import open_port
from readers.registry import driver
from tests.support.servers import Server, ServerError, mosquitto, program

WITHIN_S = 20.0
READ = TagRead(bytes.fromhex("300833B2DDD9014000000001"), 2, rssi_dbm=-50.0, last_seen_us=1_767_225_600_000_000)
EVENT = Event(READ.last_seen_us, read=READ)


def installed() -> bool:
    try:
        program("mosquitto")
    except ServerError:
        return False
    return True


pytestmark = pytest.mark.skipif(not installed(), reason="mosquitto is not installed")


async def heard_of(name: str, topic: str, payload: bytes, broker: Server) -> list[Observation]:
    spec = driver(name)
    port = await open_port(f"mqtt://127.0.0.1:{broker.port}/{topic}", spec)
    heard: list[Observation] = []
    running = asyncio.create_task(spec.make(spec.settings()).run(port, heard.append))
    try:
        async with aiomqtt.Client("127.0.0.1", broker.port) as reader:
            for number in range(100):
                await reader.publish(f"site/gate-1/{name}", payload, qos=number % 2)
            async with asyncio.timeout(WITHIN_S):
                while sum(len(o) for o in heard if isinstance(o, TagReads)) < 100:
                    await asyncio.sleep(0.01)
        await asyncio.to_thread(broker.restart)
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(LinkError, match="the connection to the broker is lost"):
                await running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await port.close()
    return heard


@pytest.mark.parametrize(
    ("name", "topic", "payload"),
    [
        ("impinj_iot", "site/gate-1/impinj_iot", encode_impinj(EVENT)),
        ("zebra_iotc", "site/+/#", b"[\n" + encode_zebra(EVENT) + b"\n]"),
    ],
)
def test_events_come_through_a_broker_until_it_is_lost(tmp_path: Path, name: str, topic: str, payload: bytes) -> None:
    with mosquitto(tmp_path) as broker:
        heard = asyncio.run(heard_of(name, topic, payload, broker))
    assert heard[0] == Watching(frozenset({2}))
    assert all(row == READ for o in heard if isinstance(o, TagReads) for row in o.rows())
    assert len([o for o in heard if not isinstance(o, TagReads)]) == 1


def test_a_port_connects_anew_to_a_broker_that_came_back_and_leaves_retained_messages_out(tmp_path: Path) -> None:
    async def scene(broker: Server) -> None:
        url = f"mqtt://127.0.0.1:{broker.port}/t"
        spec = driver("impinj_iot")
        await asyncio.to_thread(broker.kill)
        with pytest.raises(LinkError, match="check that the broker runs"):
            await open_port(url, spec)
        await asyncio.to_thread(broker.start)
        async with aiomqtt.Client("127.0.0.1", broker.port) as reader:
            await reader.publish("t", b"old", qos=1, retain=True)
            port = await open_port(url, spec)
            assert isinstance(port, MqttPort)
            await reader.publish("t", b"a\x1eb", qos=1)
            await reader.publish("t", b"new", qos=1)
            wanted, data = b"\x1e\x1acontrol_character\n\x1enew\n", b""
            async with asyncio.timeout(WITHIN_S):
                while len(data) < len(wanted):
                    data += await port.receive(1.0)
            assert data == wanted
            await port.close()
            with pytest.raises(LinkError):
                await port.receive(1.0)

    with mosquitto(tmp_path) as broker:
        asyncio.run(scene(broker))
