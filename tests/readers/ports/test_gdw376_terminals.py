from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Self

import pytest

from readers.driver import LineDefaults, Parity
from readers.errors import LinkError
from readers.gdw376_messages import Afn, Frame, LinkFn, cut, encode, kind
from readers.ports import gdw376_terminals as terminals
from readers.ports.gdw376 import TerminalPort, open_gdw376
from readers.ports.tcp import TcpPort, open_tcp

NAME, OTHER = "44030004", "44030005"
LINE = LineDefaults(2400, Parity.EVEN)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def link(fn: LinkFn, number: int = 1, name: str = NAME, *, confirm: bool = True) -> bytes:
    sequence = (0x70 if confirm else 0x60) | number
    return encode(Frame(name, 0xC9, Afn.LINK, sequence, kind(fn)))


async def frames(port: TcpPort, count: int) -> list[Frame]:
    buffer = bytearray()
    found: list[Frame] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            buffer += await port.receive(1.0)
            found += cut(buffer)
    return found


class Scene:
    """A listener with one reader, and terminals played by hand."""

    def __init__(self) -> None:
        self.number = free_port()
        self.port: TerminalPort | None = None

    async def __aenter__(self) -> Self:
        self._opening = asyncio.create_task(open_gdw376("127.0.0.1", self.number, f"/{NAME}/2", LINE))
        await asyncio.sleep(0.05)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._opening.cancel()
        await asyncio.gather(self._opening, return_exceptions=True)
        await terminals.stop_listening()

    async def dials(self) -> TcpPort:
        return await open_tcp("127.0.0.1", self.number)

    async def logs_in(self) -> TcpPort:
        port = await self.dials()
        await port.send(link(LinkFn.LOGIN))
        await frames(port, 1)
        return port

    async def opened(self) -> TerminalPort:
        async with asyncio.timeout(5):
            return await self._opening


async def is_closed(port: TcpPort) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(3):
            while True:
                try:
                    await port.receive(1.0)
                except LinkError:
                    return True
    return False


def test_logins_heartbeats_and_news_are_confirmed() -> None:
    async def scene() -> None:
        async with Scene() as here:
            terminal = await here.dials()
            event = encode(Frame(NAME, 0xC4, 0x0E, 0x73, kind(1)))
            ordinary = encode(Frame(NAME, 0xC4, 0x0C, 0x64, kind(1)))
            await terminal.send(link(LinkFn.LOGIN) + link(LinkFn.HEARTBEAT, 2, confirm=False) + event + ordinary)
            found = await frames(terminal, 3)
            assert [(frame.afn, frame.fn, frame.number) for frame in found] == [(0, 1, 1), (0, 1, 2), (0, 1, 3)]
            assert await terminal.receive(0.1) == b""

    asyncio.run(scene())


def test_a_terminal_that_nobody_reads_is_sent_away() -> None:
    async def scene() -> None:
        async with Scene() as here:
            stranger = await here.dials()
            await stranger.send(link(LinkFn.LOGIN, name=OTHER))
            assert await is_closed(stranger)

    asyncio.run(scene())


def test_noise_and_the_masters_own_frames_let_nobody_in() -> None:
    async def scene() -> None:
        async with Scene() as here:
            stranger = await here.dials()
            await stranger.send(b"GET / HTTP/1.1\r\n\r\n" + encode(Frame(NAME, 0x4B, 0x10, 0x60, bytes(20))))
            assert await stranger.receive(0.2) == b""
            await stranger.send(link(LinkFn.LOGIN))
            assert (await frames(stranger, 1))[0].afn == Afn.CONFIRM

    asyncio.run(scene())


def test_who_does_not_log_in_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminals, "LOGS_IN_WITHIN_S", 0.1)

    async def scene() -> None:
        async with Scene() as here:
            assert await is_closed(await here.dials())

    asyncio.run(scene())


def test_too_many_connections_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminals, "MOST_CONNECTIONS", 1)

    async def scene() -> None:
        async with Scene() as here:
            first = await here.logs_in()
            assert await is_closed(await here.dials())
            await first.send(link(LinkFn.HEARTBEAT))
            assert len(await frames(first, 1)) == 1

    asyncio.run(scene())


def test_the_newest_connection_of_a_terminal_wins() -> None:
    async def scene() -> None:
        async with Scene() as here:
            older = await here.logs_in()
            port = await here.opened()
            newer = await here.logs_in()
            assert await is_closed(older)
            with pytest.raises(LinkError, match="dialled in anew"):
                await port.receive(1.0)
            again = await open_gdw376("127.0.0.1", here.number, f"/{NAME}/2", LINE)
            await newer.send(link(LinkFn.HEARTBEAT))
            assert len(await frames(newer, 1)) == 1
            await again.close()

    asyncio.run(scene())


def test_a_terminal_that_logs_out_or_closes_ends_the_link() -> None:
    async def scene(*, politely: bool) -> None:
        async with Scene() as here:
            terminal = await here.logs_in()
            port = await here.opened()
            if politely:
                await terminal.send(link(LinkFn.LOGOUT, 2))
                assert (await frames(terminal, 1))[0].number == 2
            else:
                await terminal.close()
            with pytest.raises(LinkError, match="has logged out" if politely else "the terminal closed the link"):
                await port.receive(2.0)
            with pytest.raises(LinkError):
                await port.send(b"x")
            await port.close()

    asyncio.run(scene(politely=True))
    asyncio.run(scene(politely=False))


def test_three_heartbeats_missed_end_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminals, "HEARTBEATS_S", (0.1, 0.2))

    async def scene() -> None:
        async with Scene() as here:
            terminal = await here.logs_in()
            port = await here.opened()
            for number in (2, 3):
                await terminal.send(link(LinkFn.HEARTBEAT, number))
                await frames(terminal, 1)
            with pytest.raises(LinkError, match="fell silent for 0 s"):
                await port.receive(2.0)

    asyncio.run(scene())


def test_a_link_that_breaks_during_an_exchange_is_told_at_once() -> None:
    async def scene() -> None:
        async with Scene() as here:
            terminal = await here.logs_in()
            port = await here.opened()
            sending = asyncio.create_task(port.send(b"ask"))
            (request,) = await frames(terminal, 1)
            assert request.afn == Afn.FORWARD
            await terminal.close()
            with pytest.raises(LinkError, match=f"{NAME}/2: the terminal closed the link"):
                await sending

    asyncio.run(scene())


def test_answers_with_another_number_or_in_disorder_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminals, "ANSWERS_WITHIN_S", 1)
    monkeypatch.setattr(terminals, "NETWORK_S", 0.1)

    async def scene() -> None:
        async with Scene() as here:
            terminal = await here.logs_in()
            port = await here.opened()
            sending = asyncio.create_task(port.send(b"ask"))
            (request,) = await frames(terminal, 1)
            other = (request.number + 1) % 16
            content = kind(1) + b"\2\3\0abc"
            await terminal.send(encode(Frame(NAME, 0x88, Afn.FORWARD, 0x60 | other, content)))
            await terminal.send(encode(Frame(OTHER, 0x88, Afn.FORWARD, 0x60 | request.number, content)))
            await sending  # its time was over
            assert await port.receive(0) == b""
            sending = asyncio.create_task(port.send(b"ask"))
            (request,) = await frames(terminal, 1)
            broken = kind(1) + b"\2\xff\0abc"
            await terminal.send(encode(Frame(NAME, 0x88, Afn.FORWARD, 0x60 | request.number, broken)))
            await sending
            assert await port.receive(0) == b""
            await port.close()

    asyncio.run(scene())


def test_the_socket_lingers_and_then_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminals, "LINGERS_S", 0.2)

    async def scene() -> None:
        async with Scene() as here:
            terminal = await here.logs_in()
            port = await here.opened()
            await port.close()
            await terminal.send(link(LinkFn.HEARTBEAT, 2))
            assert len(await frames(terminal, 1)) == 1
            assert await is_closed(terminal)
            with pytest.raises(LinkError, match="cannot connect"):
                await here.dials()

    asyncio.run(scene())
