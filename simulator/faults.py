"""Hostile links: scripted or seeded faults, on a TCP proxy and on any `Port`, in virtual time too.

`Course` decides what becomes of the bytes of one direction and does no I/O; `FaultProxy` carries it out on TCP, and
`simulator.faulty_port.FaultyPort` on any port.
The proxy listens on loopback and leads to loopback, and to nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import random
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from readers.errors import ConfigError

LOOPBACK: Final = "127.0.0.1"
_CHUNK_BYTES: Final = 65_536
_RESET_AT_ONCE: Final = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s makes close() send RST


class Kind(StrEnum):
    """What can happen to a link. Those from `reset` to `blackhole` end or still both directions."""

    RESET = "reset"  # TCP RST to both sides
    CUT = "cut"  # orderly end, wherever the stream is: in the middle of a frame with `at_byte`
    BLACKHOLE = "blackhole"  # both sockets stay open, nothing passes any more: half-open
    DRIP = "drip"  # from here on byte by byte, `seconds` apart
    CORRUPT = "corrupt"  # `length` bytes get one bit flipped each
    DROP = "drop"  # `length` bytes vanish
    DUPLICATE = "duplicate"  # `length` bytes come twice
    DELAY = "delay"  # what follows waits once for `seconds`
    JITTER = "jitter"  # from here on every chunk waits for up to `seconds`


class Towards(StrEnum):
    """The direction whose bytes count."""

    DEVICE = "device"
    CLIENT = "client"


ENDINGS: Final = frozenset({Kind.RESET, Kind.CUT, Kind.BLACKHOLE})


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. Give `at_byte` (offset in the stream towards that side) or, for the endings, `after_s` instead.

    Raises:
        ValueError: no moment, two moments, or a time for a fault that needs a place.
    """

    kind: Kind
    towards: Towards = Towards.CLIENT
    at_byte: int | None = None
    after_s: float | None = None
    length: int = 1
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if (self.at_byte is None) == (self.after_s is None):
            raise ValueError(f"{self.kind}: give either at_byte or after_s")
        if self.after_s is not None and self.kind not in ENDINGS:
            raise ValueError(f"{self.kind}: needs at_byte; after_s is for {', '.join(sorted(ENDINGS))}")


Plan = Callable[[int], Sequence[Fault]]
"""The faults of connection number n, counted from 0."""


def script(*connections: Sequence[Fault]) -> Plan:
    """The first connection meets the first faults, and so on; later ones are sound."""
    return lambda number: connections[number] if number < len(connections) else ()


def seeded(seed: int, *, most: int = 3, within_bytes: int = 20_000, kinds: Sequence[Kind] = tuple(Kind)) -> Plan:
    """Up to `most` random faults for every connection, the same for the same seed."""

    def faults(number: int) -> Sequence[Fault]:
        rng = random.Random(f"{seed}/{number}")
        return [
            Fault(
                kind=rng.choice(kinds),
                towards=rng.choice(tuple(Towards)),
                at_byte=rng.randrange(within_bytes),
                length=rng.randint(1, 64),
                seconds=rng.uniform(0.001, 0.05),
            )
            for _ in range(rng.randint(0, most))
        ]

    return faults


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: wait, then pass bytes on, then meet the ending, if any."""

    data: bytes = b""
    wait_s: float = 0.0
    ending: Kind | None = None


class Course:
    """What becomes of the bytes towards one side. `struck` lists the faults met so far."""

    def __init__(self, faults: Sequence[Fault], towards: Towards, rng: random.Random) -> None:
        mine = [fault for fault in faults if fault.towards is towards and fault.at_byte is not None]
        self._waiting = sorted(mine, key=lambda fault: fault.at_byte or 0)
        self._rng = rng
        self._at = 0
        self._drip_s: float | None = None
        self._jitter_s = 0.0
        self.struck: list[Fault] = []

    def feed(self, data: bytes) -> list[Step]:
        """What to do with `data`, in order; after an ending nothing more is to be done."""
        steps: list[Step] = []
        while data or (self._waiting and (self._waiting[0].at_byte or 0) <= self._at):
            upcoming = self._waiting[0] if self._waiting else None
            place = (upcoming.at_byte or 0) - self._at if upcoming else len(data)
            if place > 0:
                steps += self._pass(data[:place])
                self._at += min(place, len(data))
                data = data[place:]
                continue
            assert upcoming is not None
            if not data and upcoming.kind not in ENDINGS:
                break  # it needs bytes to work on
            fault = self._waiting.pop(0)
            self.struck.append(fault)
            if fault.kind in ENDINGS:
                return [*steps, Step(ending=fault.kind)]
            taken, data = data[: fault.length], data[fault.length :]
            steps += self._apply(fault, taken)
            self._at += len(taken)
        return steps

    def _apply(self, fault: Fault, taken: bytes) -> list[Step]:
        match fault.kind:
            case Kind.CORRUPT:
                return self._pass(bytes(byte ^ 1 << self._rng.randrange(8) for byte in taken))
            case Kind.DROP:
                return []
            case Kind.DUPLICATE:
                return self._pass(taken * 2)
            case Kind.DELAY:
                return [Step(wait_s=fault.seconds), *self._pass(taken)]
            case Kind.DRIP:
                self._drip_s = fault.seconds
            case _:
                self._jitter_s = fault.seconds
        return self._pass(taken)

    def _pass(self, data: bytes) -> list[Step]:
        if self._drip_s is not None:
            return [Step(data[at : at + 1], self._drip_s) for at in range(len(data))]
        wait_s = self._rng.uniform(0, self._jitter_s) if self._jitter_s else 0.0
        return [Step(data, wait_s)] if data else []


class FaultProxy:
    """A TCP proxy on loopback in front of a device on loopback: `async with FaultProxy(device_port, plan) as proxy`.

    Attributes:
        port: where it listens. connections: how many it took. struck: the faults met so far, as (connection, fault).
        refusing: while true, new connections are reset at once.
    """

    def __init__(
        self, device_port: int, plan: Plan | None = None, *, device_host: str = LOOPBACK, seed: int = 0
    ) -> None:
        if not ipaddress.ip_address(device_host).is_loopback:
            raise ConfigError(f"fault proxy to {device_host}: only a loopback address is allowed, such as {LOOPBACK}")
        self._device = (device_host, device_port)
        self._plan = plan or script()
        self._seed = seed
        self._server: asyncio.Server | None = None
        self._links: dict[asyncio.Task[None], _Link] = {}
        self.port = 0
        self.connections = 0
        self.struck: list[tuple[int, Fault]] = []
        self.refusing = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._links)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    def strike(self, kind: Kind) -> None:
        """Let an ending happen now to every open connection."""
        for link in list(self._links.values()):
            link.end(kind)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        number, self.connections = self.connections, self.connections + 1
        if self.refusing:
            _reset(writer)
            return
        try:
            there = await asyncio.open_connection(*self._device)
        except OSError:  # the device is down: to the client the same as without the proxy, a dead connection
            _reset(writer)
            return
        link = self._links[task] = _Link((reader, writer), there)
        try:
            await link.run(self._plan(number), number, self._seed, self.struck)
        except asyncio.CancelledError:
            pass  # the proxy closes; asyncio's stream server would report it as an error
        finally:
            link.end(Kind.CUT)
            del self._links[task]


_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One connection through the proxy."""

    def __init__(self, client: _Stream, device: _Stream) -> None:
        self._client = client
        self._device = device
        self._passing = True
        self._over = asyncio.Event()

    async def run(self, faults: Sequence[Fault], number: int, seed: int, struck: list[tuple[int, Fault]]) -> None:
        """Pass bytes on until both sides or a fault have ended it."""
        loop = asyncio.get_running_loop()

        def note(fault: Fault) -> None:
            struck.append((number, fault))

        def due(fault: Fault) -> None:
            note(fault)
            self.end(fault.kind)

        def pump(towards: Towards) -> asyncio.Task[None]:
            source, sink = (self._client, self._device) if towards is Towards.DEVICE else (self._device, self._client)
            return asyncio.create_task(self._pump(source[0], sink[1], course(faults, towards, number, seed), note))

        timers = [loop.call_later(fault.after_s, due, fault) for fault in faults if fault.after_s is not None]
        pumps = [pump(towards) for towards in Towards]
        try:
            await self._over.wait()
        finally:
            for timer in timers:
                timer.cancel()
            for task in pumps:
                task.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, course: Course, note: Callable[[Fault], None]
    ) -> None:
        noted = 0
        with contextlib.suppress(ConnectionError):  # one side is gone: the other learns it below
            while data := await source.read(_CHUNK_BYTES):
                steps = course.feed(data) if self._passing else []
                for fault in course.struck[noted:]:
                    note(fault)
                noted = len(course.struck)
                for step in steps:
                    if step.wait_s:
                        await asyncio.sleep(step.wait_s)
                    if step.data and self._passing:
                        sink.write(step.data)
                        await sink.drain()
                    if step.ending:
                        self.end(step.ending)
        if self._passing:
            self.end(Kind.CUT)

    def end(self, kind: Kind) -> None:
        """Meet an ending."""
        self._passing = False
        if kind is Kind.BLACKHOLE:
            return
        for _, writer in (self._client, self._device):
            if kind is Kind.RESET:
                _reset(writer)
            else:
                writer.close()
        self._over.set()


def course(faults: Sequence[Fault], towards: Towards, number: int, seed: int) -> Course:
    """The course of one direction of one connection, the same for the same seed."""
    return Course(faults, towards, random.Random(f"{seed}/{number}/{towards}"))


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_ONCE)
    writer.transport.abort()
