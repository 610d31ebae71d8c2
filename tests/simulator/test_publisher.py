from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

from readers import registry
from readers.codecs.iot_json import encode
from readers.driver import Port
from readers.errors import LinkError
from readers.observations import Observation, TagReads
from readers.ports.open import open_port
from simulator.device import Sighting
from simulator.publisher import Publisher, PublishingPort
from simulator.rfid import zebra_iotc
from tests.support.broker import Broker, running_broker

WITHIN_S = 20.0


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_broker(tmp_path_factory.mktemp("broker")) as found:
        yield found


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not happened():
            await asyncio.sleep(0.01)


class OneTag:
    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        del start_us
        return [Sighting(until_us - 1, antenna_port, b"\x30\x00", -40.0)]


def test_a_driver_hears_a_twin_through_a_broker(broker: Broker) -> None:
    async def serve(port: Port) -> None:
        await zebra_iotc.serve(port, OneTag(), zebra_iotc.Reader(antennas=(3,)))

    async def scene() -> None:
        spec = registry.driver("zebra_iotc")
        port = await open_port(f"mqtt://127.0.0.1:{broker.port}/gate/+", spec)
        heard: list[Observation] = []
        running = asyncio.create_task(spec.make(spec.settings()).run(port, heard.append))
        try:
            async with Publisher(serve, "127.0.0.1", broker.port, "gate/data") as publisher:
                await until(lambda: any(isinstance(each, TagReads) for each in heard))
            assert not publisher.failures
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await port.close()
        batch = next(each for each in heard if isinstance(each, TagReads))
        assert [(read.epc, read.antenna_port) for read in batch.rows()][:1] == [(b"\x30\x00", 3)]

    asyncio.run(scene())


def test_each_record_is_a_message_and_nothing_comes_back(broker: Broker) -> None:
    async def scene() -> None:
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.subscribe("t", qos=1)
            port = PublishingPort(client, "t")
            await port.send(encode(b"{}") + encode(b"[1]", is_sequence=True))
            found = [(await anext(client.messages)).payload for _ in range(2)]
            assert found == [b"{}", b"[1]"]
            assert await port.receive(0.01) == b""
            await port.close()
            with pytest.raises(LinkError, match=r"mqtt topic t \(device\): the port is closed"):
                await port.receive(0.01)

    asyncio.run(scene())


def publisher_of(broker: Broker, serve: Callable[[Port], Awaitable[None]]) -> Publisher:
    return Publisher(serve, "127.0.0.1", broker.port, "t")


def test_a_twin_comes_back_when_the_broker_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.publisher.AGAIN_AFTER_S", 0.05)
    served: list[Port] = []
    lost: list[LinkError] = []

    async def serve(port: Port) -> None:
        served.append(port)
        while True:
            try:
                await port.send(encode(b"{}"))
            except LinkError as error:
                lost.append(error)
                raise
            await port.pause(0.01)

    async def scene(broker: Broker) -> None:
        async with publisher_of(broker, serve) as publisher:
            await asyncio.sleep(0.1)
            assert not served
            await asyncio.to_thread(broker.start)
            await until(lambda: len(served) == 1)
            await asyncio.to_thread(broker.kill)
            await until(lambda: len(lost) == 1)
            await asyncio.to_thread(broker.start)
            await until(lambda: len(served) == 2)
        assert not publisher.failures

    broker = Broker(tmp_path)
    try:
        asyncio.run(scene(broker))
    finally:
        broker.stop()


def test_a_bug_in_a_twin_is_kept(broker: Broker) -> None:
    async def serve(port: Port) -> None:
        raise ZeroDivisionError(port.description)

    async def scene() -> None:
        async with publisher_of(broker, serve) as publisher:
            await until(lambda: bool(publisher.failures))
        assert [type(each) for each in publisher.failures] == [ZeroDivisionError]

    asyncio.run(scene())
