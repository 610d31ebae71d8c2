"""The port against a daemon in memory, with threads and real time. The real daemon: tests/system/test_pcsc.py."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from readers.codecs.pcsc import GET_UID, Decoder
from readers.errors import ConfigError, LinkError
from readers.pcsc_messages import Kind, Message, encode
from readers.ports import pcsc
from readers.ports.pcsc import PcscPort, open_pcsc
from tests.support.fake_scard import Daemon, module

ATR = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
OTHER = bytes.fromhex("3B8180018080")
ASK = encode(Message(Kind.COMMAND, GET_UID))


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    made = Daemon()
    made.answer = lambda command: bytes.fromhex("1EA686719000") if command == GET_UID else b"\x6d\x00"
    monkeypatch.setitem(sys.modules, "smartcard", type(sys)("smartcard"))
    monkeypatch.setitem(sys.modules, "smartcard.scard", module(made))
    return made


async def hear(port: PcscPort, count: int) -> list[Message]:
    """So many messages."""
    decoder, found = Decoder(), list[Message]()
    async with asyncio.timeout(10):
        while len(found) < count:
            found += decoder.feed(await port.receive(1.0))
    return found


def scene(daemon: Daemon, act: Callable[[PcscPort], Coroutine[Any, Any, None]], name: str = "ACR122U") -> None:
    async def play() -> None:
        port = await open_pcsc(name)
        try:
            await act(port)
        finally:
            await port.close()
            await port.close()  # harmless

    asyncio.run(play())
    for thread in threading.enumerate():
        if thread.name.startswith("pcsc-"):
            thread.join(5)
    assert daemon.contexts == 0
    assert daemon.connected == 0


def test_it_says_which_reader_it_is_and_that_no_card_is_there(daemon: Daemon) -> None:
    async def act(port: PcscPort) -> None:
        assert await hear(port, 2) == [Message(Kind.READER, daemon.readers[0].encode()), Message(Kind.REMOVED)]
        assert port.description == f"pcsc:{daemon.readers[0]}"
        assert port.baud is None

    scene(daemon, act)


def test_a_card_comes_answers_and_goes(daemon: Daemon) -> None:
    async def act(port: PcscPort) -> None:
        await hear(port, 2)
        daemon.put(ATR)
        assert await hear(port, 1) == [Message(Kind.INSERTED, ATR)]
        await port.send(ASK + encode(Message(Kind.COMMAND, b"\x00\x84\x00\x00\x08")))
        assert await hear(port, 2) == [
            Message(Kind.ANSWER, bytes.fromhex("1EA686719000")),
            Message(Kind.ANSWER, b"\x6d\x00"),
        ]
        assert daemon.connected == 1
        daemon.put(None)
        assert await hear(port, 1) == [Message(Kind.REMOVED)]
        await port.send(ASK)
        assert await hear(port, 1) == [Message(Kind.FAILED, b"Card was removed.")]
        assert daemon.connected == 0

    scene(daemon, act)


def test_a_card_that_lay_there_is_told_at_once_and_an_exchange_is_noticed(daemon: Daemon) -> None:
    daemon.put(ATR)

    async def act(port: PcscPort) -> None:
        assert (await hear(port, 2))[1] == Message(Kind.INSERTED, ATR)
        daemon.put(OTHER)  # between two looks of the waiting thread
        assert await hear(port, 2) == [Message(Kind.REMOVED), Message(Kind.INSERTED, OTHER)]

    scene(daemon, act)


def test_a_card_that_goes_while_it_is_asked(daemon: Daemon) -> None:
    daemon.put(ATR)
    daemon.answer = lambda _: None

    async def act(port: PcscPort) -> None:
        await hear(port, 2)
        await port.send(ASK)
        assert (await hear(port, 1))[0].kind is Kind.FAILED

    scene(daemon, act)


def test_a_reader_that_is_unplugged_ends_the_link(daemon: Daemon) -> None:
    async def act(port: PcscPort) -> None:
        await hear(port, 2)
        daemon.unplug()
        with pytest.raises(LinkError, match="the reader is gone; is it still plugged in"):
            await hear(port, 1)
        with pytest.raises(LinkError, match="the reader is gone"):
            await port.send(ASK)

    scene(daemon, act)


def test_a_daemon_that_ends_ends_the_link(daemon: Daemon) -> None:
    async def act(port: PcscPort) -> None:
        await hear(port, 2)
        daemon.is_running = False
        daemon.put(ATR)
        with pytest.raises(LinkError, match="the reader is gone: Service not available"):
            await hear(port, 1)

    scene(daemon, act)


def test_a_reader_that_does_not_come_back_ends_the_link(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcsc, "ANSWER_WITHIN_S", 0.1)
    daemon.put(ATR)
    stuck = threading.Event()

    def answer(_: bytes) -> bytes:
        stuck.wait(5)
        return b"\x90\x00"

    daemon.answer = answer

    async def act(port: PcscPort) -> None:
        await hear(port, 2)
        with pytest.raises(LinkError, match=r"no answer to a command within 0\.1 s; unplug the reader"):
            await port.send(ASK)
        stuck.set()

    scene(daemon, act)


def test_what_is_no_command_and_what_comes_after_the_end_is_ignored(daemon: Daemon) -> None:
    async def act(port: PcscPort) -> None:
        await hear(port, 2)
        await port.send(encode(Message(Kind.REMOVED)))
        assert await port.receive(0.05) == b""
        daemon.put(ATR)
        await hear(port, 1)
        daemon.use()  # another program looks at the card
        assert await port.receive(0.1) == b""
        await port.close()
        port._arrive(Message(Kind.REMOVED))  # what the waiting thread still had to say
        with pytest.raises(LinkError, match="the port is closed"):
            await port.receive(0.05)

    scene(daemon, act)


def test_a_daemon_that_ends_while_the_port_is_opened(daemon: Daemon) -> None:
    daemon.dies_after = 1

    async def act(port: PcscPort) -> None:
        await hear(port, 1)
        with pytest.raises(LinkError, match=r"the PC/SC daemon is gone: Service not available"):
            await hear(port, 1)

    scene(daemon, act)


def test_a_daemon_that_has_no_room_for_another_client(daemon: Daemon) -> None:
    daemon.dies_after = 2
    daemon.put(ATR)

    async def act(port: PcscPort) -> None:
        await hear(port, 2)
        await port.send(ASK)
        assert await hear(port, 1) == [Message(Kind.FAILED, b"Service not available.")]

    scene(daemon, act)


def test_a_daemon_that_hangs_is_a_link_error(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcsc, "OPEN_WITHIN_S", 0.05)
    goes_on = threading.Event()

    def find(*_: object) -> str:
        goes_on.wait(5)
        return daemon.readers[0]

    monkeypatch.setattr(pcsc, "_find", find)

    async def play() -> None:
        try:
            with pytest.raises(LinkError, match=r"the PC/SC daemon did not answer within 0\.05 s"):
                await open_pcsc("ACR")
        finally:
            goes_on.set()

    asyncio.run(play())


def test_waiting_is_no_busy_loop(daemon: Daemon) -> None:
    async def act(port: PcscPort) -> None:
        await hear(port, 2)
        before = daemon.polls
        await port.pause(0.3)
        assert daemon.polls - before <= 20  # the fake waits 20 ms at most, the real one a second

    scene(daemon, act)


@pytest.mark.parametrize(
    ("readers", "name", "says"),
    [
        ([], "ACR", "there is no such reader; readers that are there: none"),
        (["ACS ACR122U 00 00"], "Omnikey", "there is no such reader; readers that are there: ACS ACR122U 00 00"),
        (["ACS ACR122U 00 00", "ACS ACR122U 01 00"], "ACR122U", r"several readers have that in their names \(2\)"),
    ],
)
def test_a_reader_that_cannot_be_told_is_a_link_error(daemon: Daemon, readers: list[str], name: str, says: str) -> None:
    daemon.readers = readers
    with pytest.raises(LinkError, match=says):
        asyncio.run(open_pcsc(name))
    assert daemon.contexts == 0


def test_the_full_name_wins_over_a_part(daemon: Daemon) -> None:
    daemon.readers = ["ACR 0", "ACR 0 SAM"]

    async def act(port: PcscPort) -> None:
        assert port.description == "pcsc:ACR 0"
        await hear(port, 2)

    scene(daemon, act, "ACR 0")


def test_no_daemon_is_a_link_error_that_says_what_to_do(daemon: Daemon) -> None:
    daemon.is_running = False
    with pytest.raises(LinkError, match=r"Service not available.*install pcscd"):
        asyncio.run(open_pcsc("ACR"))


def test_without_pyscard_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard.scard", None)
    with pytest.raises(ConfigError, match=r"pip install tagwharf\[pcsc\]"):
        asyncio.run(open_pcsc("ACR"))
