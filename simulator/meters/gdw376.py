"""Plays a collection terminal of Q/GDW 376.1: it dials in to its master and forwards to the meters behind it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from readers.driver import Port
from readers.errors import LinkError

DEVICE: Final = "gdw376"
_UPLINK_REQUEST: Final = 0xC9
_UPLINK_REPLY: Final = 0x88
_HAS_EVENTS: Final = 0x20
_LINK, _CONFIRM, _FORWARD = 0x02, 0x00, 0x10
_LOGIN, _LOGOUT, _HEARTBEAT = 1, 2, 3
_TIMED: Final = 0x80
_WHOLE: Final = 0x60
_WANTS_CONFIRMATION: Final = 0x10
_PASSWORD_BYTES: Final = 16
_TIME_BYTES: Final = 6
_LEAST_BYTES: Final = 16


@dataclass(slots=True)
class Behaviour:
    """How one terminal behaves; may be changed while it runs.

    Attributes:
        heartbeat_s: between two of its heartbeats.
        logs_in: it says who it is before all else.
        denies: it refuses to forward.
        confirms_first: it confirms a request before it answers it.
        has_events: its answers carry the two counters of events.
        silent: it neither answers nor beats.
        delay_s: of the mobile network, each way.
        password: of 16 bytes, without which nothing is forwarded.
    """

    heartbeat_s: float = 60.0
    logs_in: bool = True
    denies: bool = False
    confirms_first: bool = False
    has_events: bool = False
    silent: bool = False
    delay_s: float = 0.0
    password: bytes = bytes(_PASSWORD_BYTES)


@dataclass(slots=True)
class Terminal:
    """One terminal.

    Attributes:
        name: region and number, eight digits.
        lines: by the number of its port: the terminal's end of the line there.
        confirmed: how many of its own frames the master has confirmed.
    """

    name: str
    lines: Mapping[int, Port]
    behaviour: Behaviour = field(default_factory=Behaviour)
    confirmed: int = 0
    line_words: list[int] = field(default_factory=list)

    def frame(self, control: int, afn: int, sequence: int, data: bytes, master: int = 0) -> bytes:
        """A frame from this terminal."""
        region, number = bytes.fromhex(self.name[:4]), bytes.fromhex(self.name[4:])
        user = bytes([control, region[1], region[0], number[1], number[0], master, afn, sequence]) + data
        length = len(user) * 4 + 2
        size = bytes([length & 0xFF, length >> 8])
        return b"\x68" + size + size + b"\x68" + user + bytes([sum(user) % 256, 0x16])


async def serve(port: Port, terminal: Terminal) -> None:
    """Talk to the master over a connection that was dialled, until it ends.

    Raises:
        LinkError: the link ended.
    """
    await _Talk(port, terminal).run()


async def dial(host: str, number: int, terminal: Terminal, *, again_s: float = 1.0) -> None:
    """Dial in to a master over TCP, again and again, until cancelled."""
    from readers.ports.tcp import open_tcp  # noqa: PLC0415 - a twin that is served needs no sockets

    while True:
        with contextlib.suppress(LinkError):  # the master is not there, or has closed the link: dial again
            port = await open_tcp(host, number)
            try:
                await serve(port, terminal)
            finally:
                await port.close()
        await asyncio.sleep(again_s)


class _Talk:
    def __init__(self, port: Port, terminal: Terminal) -> None:
        self._port = port
        self._terminal = terminal
        self._held = bytearray()
        self._number = 0

    async def run(self) -> None:
        """See `serve`."""
        behaviour = self._terminal.behaviour
        if behaviour.logs_in:
            await self._say(_LOGIN)
        next_s = self._port.monotonic_s() + behaviour.heartbeat_s
        while True:
            left_s = next_s - self._port.monotonic_s()
            if left_s <= 0:
                next_s += behaviour.heartbeat_s
                if not behaviour.silent:
                    await self._say(_HEARTBEAT)
                continue
            self._held += await self._port.receive(left_s)
            for user in self._frames():
                await self._hear(user)

    async def log_out(self) -> None:
        """Say goodbye."""
        await self._say(_LOGOUT)

    async def _say(self, kind: int) -> None:
        self._number = (self._number + 1) % 16
        sequence = _WHOLE | _WANTS_CONFIRMATION | self._number
        await self._send(self._terminal.frame(_UPLINK_REQUEST, _LINK, sequence, bytes([0, 0, 1 << kind - 1, 0])))

    async def _send(self, raw: bytes) -> None:
        await self._port.pause(self._terminal.behaviour.delay_s)
        await self._port.send(raw)

    def _frames(self) -> list[bytes]:
        """The user data of the frames that are whole; TCP brings nothing else."""
        found = []
        while len(self._held) >= _LEAST_BYTES:
            size = (self._held[1] | self._held[2] << 8) >> 2
            raw = bytes(self._held[: size + 8])
            if len(raw) < size + 8:
                break
            right = raw[0] == raw[5] == 0x68 and raw[1:3] == raw[3:5] and raw[1] & 3 == 2  # noqa: PLR2004 - fixed bytes
            if not right or raw[-1] != 0x16 or raw[-2] != sum(raw[6:-2]) % 256:  # noqa: PLR2004 - the end mark
                raise AssertionError(f"the master sent {raw.hex(' ')}, which is no frame")
            del self._held[: size + 8]
            found.append(raw[6:-2])
        return found

    async def _hear(self, user: bytes) -> None:
        terminal, behaviour = self._terminal, self._terminal.behaviour
        own = bytes.fromhex(terminal.name)
        if bytes([user[2], user[1], user[4], user[3]]) != own or behaviour.silent:
            return
        afn, sequence, data = user[6], user[7], user[8:]
        if afn == _CONFIRM:
            terminal.confirmed += 1
        elif afn == _FORWARD:
            await self._forward(user[5], sequence, data)

    async def _forward(self, master: int, sequence: int, data: bytes) -> None:
        terminal, behaviour = self._terminal, self._terminal.behaviour
        if sequence & _TIMED:
            data = data[:-_TIME_BYTES]
        password, data = data[-_PASSWORD_BYTES:], data[:-_PASSWORD_BYTES]
        number = _WHOLE | sequence & 0x0F
        line = terminal.lines.get(data[4])
        if behaviour.denies or line is None or password != behaviour.password:
            await self._send(terminal.frame(_UPLINK_REPLY, _CONFIRM, number, bytes([0, 0, 2, 0]), master))
            return
        if behaviour.confirms_first:
            await self._send(terminal.frame(_UPLINK_REPLY, _CONFIRM, number, bytes([0, 0, 1, 0]), master))
        terminal.line_words.append(data[5])
        length = data[8] | data[9] << 8
        wait_s = float(data[6] & 0x7F) if data[6] & 0x80 else (data[6] & 0x7F) / 100
        await line.send(data[10 : 10 + length])
        answer = await line.receive(wait_s)
        while answer and (more := await line.receive(data[7] / 100)):
            answer += more
        content = bytes([0, 0, 1, 0, data[4], len(answer) & 0xFF, len(answer) >> 8]) + answer
        control = _UPLINK_REPLY | (_HAS_EVENTS if behaviour.has_events else 0)
        events = bytes([0x4F, 0]) if behaviour.has_events else b""
        await self._send(terminal.frame(control, _FORWARD, number, content + events, master))
