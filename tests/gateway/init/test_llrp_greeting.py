from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable

import pytest

from gateway.init.llrp_greeting import Answer, Greeting, attempt_status, greet
from readers.driver import Port
from readers.ports.tcp import open_tcp
from simulator.llrp.identities import IDENTITIES
from simulator.llrp.reader import SimulatedReader
from simulator.server import DeviceServer
from tests.support.field import EchoRadio

HOST = "127.0.0.1"


def reader() -> SimulatedReader:
    return SimulatedReader(IDENTITIES["impinj"], EchoRadio([]))


def answered(serve: Callable[[Port], Awaitable[None]], within_s: float = 10.0) -> Greeting:
    async def once() -> Greeting:
        async with DeviceServer(serve) as server:
            return await greet(HOST, server.port, within_s)

    return asyncio.run(once())


def test_a_free_reader_says_so_and_is_free_again() -> None:
    device = reader()
    assert answered(device.serve) == Greeting(Answer.FREE)
    assert not device.connected
    assert device.connections == {"accepted": 1}


@pytest.mark.parametrize("identity", ["impinj", "zebra"])
def test_a_reader_that_has_a_client_keeps_it(identity: str) -> None:
    device = SimulatedReader(IDENTITIES[identity], EchoRadio([]))

    async def twice() -> tuple[Greeting, bool]:
        async with DeviceServer(device.serve) as server:
            first = await open_tcp(HOST, server.port)
            assert await first.receive(10)
            greeting = await greet(HOST, server.port, 10)
            still = device.connected
            await first.close()
            return greeting, still

    assert asyncio.run(twice()) == (Greeting(Answer.BUSY), True)
    assert device.connections == {"accepted": 1, "refused": 1}


def says(data: bytes, *, waits: bool = False) -> Callable[[Port], Awaitable[None]]:
    async def serve(port: Port) -> None:
        await port.send(data)
        if waits:
            await port.receive(30)

    return serve


EVENT = bytes.fromhex("00f60016" + "0080000c0000000000000001" + "010000060000")
HELLO = struct.pack("!HII", 1 << 10 | 63, 10 + len(EVENT), 1) + EVENT
REPORT = struct.pack("!HII", 1 << 10 | 61, 10, 5)
CLOSED = struct.pack("!HII", 1 << 10 | 4, 10, 1)


def test_reports_that_it_had_kept_are_counted() -> None:
    assert answered(says(HELLO + REPORT * 3 + CLOSED, waits=True)) == Greeting(Answer.FREE, 3)


def test_one_that_never_says_goodbye_is_left_in_time() -> None:
    assert answered(says(HELLO, waits=True)) == Greeting(Answer.FREE)


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Answer.ELSE),
        (b"\x04\x3f\xff\xff\xff\xff\0\0\0\1", Answer.ELSE),
        (b"\x04\x3f\0\0\0\x09\0\0\0\1", Answer.ELSE),
        (struct.pack("!HII", 1 << 10 | 61, 10, 1), Answer.ELSE),
        (struct.pack("!HII", 1 << 10 | 63, 10, 1), Answer.ELSE),
        (HELLO[:20], Answer.SILENT),
        (b"", Answer.SILENT),
    ],
)
def test_others_are_told_apart(data: bytes, answer: Answer) -> None:
    assert answered(says(data)).answer is answer


def test_one_that_says_nothing_is_not_waited_for() -> None:
    assert answered(says(b"", waits=True), within_s=0.2) == Greeting(Answer.SILENT)


def test_nobody_there() -> None:
    async def once() -> Greeting:
        server = await asyncio.start_server(lambda *_: None, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        return await greet(HOST, port, 5)

    assert asyncio.run(once()) == Greeting(Answer.SILENT)


@pytest.mark.parametrize("length", range(22))
def test_a_torn_notification_has_no_status(length: int) -> None:
    assert attempt_status(EVENT[:length]) is None
    assert attempt_status(EVENT) == 0


@pytest.mark.parametrize("body", ["00f60003", "00f6000800800002", "8100f600040100000600", "00f60008ff000004"])
def test_parameters_that_cannot_be_followed_end_it(body: str) -> None:
    assert attempt_status(bytes.fromhex(body)) is None
