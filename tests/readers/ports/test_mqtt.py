from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from readers.errors import LinkError
from readers.ports.mqtt import HELD_BYTES, MOST_PAYLOAD_BYTES, MqttPort, open_mqtt, topic_fault

SUBACK = b"\x90\x03\x00\x01"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def publish(payload: bytes, topic: bytes = b"t", flags: int = 0) -> bytes:
    body = len(topic).to_bytes(2) + topic + payload
    size, head = len(body), bytearray([0x30 | flags])
    while True:
        head.append(size % 128 | (0x80 if size >= 128 else 0))
        size //= 128
        if not size:
            return bytes(head) + body


async def packet(reader: asyncio.StreamReader) -> int:
    """The kind of the next packet of the client; its packets here are shorter than 128 bytes."""
    head = await reader.readexactly(2)
    await reader.readexactly(head[1])
    return head[0] >> 4


def broker(
    said: bytes, scene: Callable[[MqttPort], Awaitable[None]], *, connack: int = 0, suback: int = 1, ends: bool = False
) -> None:
    """Run the scene with a port at a broker that says so when it has been subscribed to."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            assert await packet(reader) == 1
            writer.write(bytes([0x20, 2, 0, connack]))
            assert await packet(reader) == 8
            writer.write(SUBACK + bytes([suback]) + said)
            await writer.drain()
            if not ends:
                await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    async def main() -> None:
        async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
            port = await open_mqtt("127.0.0.1", server.sockets[0].getsockname()[1], "t")
            try:
                await scene(port)
            finally:
                await port.close()
                await port.close()  # harmless

    asyncio.run(main())


async def all_of(port: MqttPort, size: int) -> bytes:
    data = b""
    async with asyncio.timeout(10):
        while len(data) < size:
            data += await port.receive(1.0)
    return data


def test_each_message_is_a_record() -> None:
    async def scene(port: MqttPort) -> None:
        wanted = b'\x1e{"a":1}\n\x1e{  "b": 2}\n'
        assert await all_of(port, len(wanted)) == wanted
        assert await port.receive(0.01) == b""
        assert port.baud is None
        assert port.description.startswith("mqtt://127.0.0.1:")

    old = publish(b"old", flags=1)
    broker(SUBACK + b"\x01" + old + publish(b'{"a":1}') + publish(b'{\r\n"b": 2}'), scene)


def test_what_cannot_be_a_record_is_dropped_and_counted() -> None:
    async def scene(port: MqttPort) -> None:
        wanted = b"\x1e\x1acontrol_character\n\x1e\x1atoo_long\n\x1e{}\n"
        assert await all_of(port, len(wanted)) == wanted
        assert port.dropped == {"control_character": 1, "too_long": 1}

    broker(publish(b"a\x1eb") + publish(b"x" * (MOST_PAYLOAD_BYTES + 1)) + publish(b"{}"), scene)


def test_what_nobody_takes_is_bounded() -> None:
    count = HELD_BYTES // MOST_PAYLOAD_BYTES + 5

    async def scene(port: MqttPort) -> None:
        async with asyncio.timeout(20):
            while port.dropped["overflow"] < 5:
                await asyncio.sleep(0.01)
        data = await port.receive(1.0)
        assert HELD_BYTES - MOST_PAYLOAD_BYTES < len(data) <= HELD_BYTES
        assert data.count(b"\x1a") == 1
        assert data.endswith(b"\x1e\x1aoverflow\n")

    broker(publish(b"x" * MOST_PAYLOAD_BYTES) * count, scene)


def test_a_lost_broker_is_a_link_error_after_the_last_message() -> None:
    async def scene(port: MqttPort) -> None:
        assert await all_of(port, 4) == b"\x1e{}\n"
        with pytest.raises(LinkError, match="the connection to the broker is lost"):
            await port.receive(10.0)

    broker(publish(b"{}"), scene, ends=True)


def test_nothing_can_be_sent() -> None:
    async def scene(port: MqttPort) -> None:
        with pytest.raises(LinkError, match="listen only"):
            await port.send(b"x")

    broker(b"", scene)


async def never(port: MqttPort) -> None:
    raise AssertionError(port)


def test_refusals_are_link_errors() -> None:
    with pytest.raises(LinkError, match="refuses the connection"):
        broker(b"", never, connack=5)
    with pytest.raises(LinkError, match="refuses the subscription"):
        broker(b"", never, suback=0x80)


def test_nobody_there_is_a_link_error() -> None:
    async def main() -> None:
        async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
            number = server.sockets[0].getsockname()[1]
            with pytest.raises(LinkError, match="connection to the broker is lost"):
                await open_mqtt("127.0.0.1", number, "t")
        with pytest.raises(LinkError, match="check that the broker runs"):
            await open_mqtt("127.0.0.1", number, "t")

    asyncio.run(main())


def test_a_broker_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readers.ports.mqtt.OPEN_WITHIN_S", 0.2)

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
            with pytest.raises(LinkError, match=r"no answer from the broker within 0\.2 s"):
                await open_mqtt("127.0.0.1", server.sockets[0].getsockname()[1], "t")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("topic", "fault"),
    [
        ("a/b", None),
        ("#", None),
        ("a/+/c/#", None),
        ("", "names no topic"),
        ("a\x00", "too long or holds a NUL"),
        ("a" * 65_536, "too long or holds a NUL"),
        ("a/#/b", "# in its topic"),
        ("a/b#", "# in its topic"),
        ("a/b+/c", "+ in its topic"),
    ],
)
def test_topics_are_checked(topic: str, fault: str | None) -> None:
    said = topic_fault(topic)
    assert (said is None) == (fault is None)
    assert fault is None or fault in (said or "")
