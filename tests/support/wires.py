"""Real links to simulated devices, in real time: a serial line at a path, or TCP; in any weather, and unplugged.

The driver's end is the product's own: pyserial on a pseudo-terminal, a socket. Whatever happens to the bytes happens at
the device's end, so that neither the driver nor its port is touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Final, Protocol

from readers.driver import Port
from readers.errors import LinkError
from readers.ports.base import PassingPort
from simulator.faults import Fault, Kind, Step, Towards, course
from simulator.pty import PtyPort
from simulator.server import DeviceServer
from tests.support.servers import free_port

Serve = Callable[[Port], Awaitable[None]]

NOISE_GAP_S: Final = (0.01, 0.1)
LULL_S: Final = (0.3, 0.6)
BURSTS: Final = 8
"""So much noise, one burst soon after the other, then a lull, in which frames can be told apart by their pauses."""
MOST_NOISE_BYTES: Final = 8
NOISY_ECHOES: Final = 0.3
DAMAGED: Final = {Towards.CLIENT: 0.2, Towards.DEVICE: 0.1}
"""The part of what is sent that arrives damaged."""
MOST_LOST_BYTES: Final = 3
MOST_DAMAGED: Final = 20
MOST_LOSSES: Final = 4
"""In a run: one frame in 65,536 passes a CRC-16 though bytes of it are lost, and must not in these tests."""
DRIP_S: Final = 0.002


class Rough(StrEnum):
    """What rough weather is."""

    LINE = "line"  # noise comes between the frames, and some of them arrive with a bit turned over, or bytes lost
    NETWORK = "network"  # frames come in pieces, late, and the connection ends in the middle of one


class Weather:
    """What a line does to the bytes on it; may be changed while it runs.

    Attributes:
        is_silent: the device neither hears nor is heard, and the link stays open.
        struck: what happened so far, by kind. damaged: how often of that to what the device said.
    """

    def __init__(self, rng: Random, rough: Rough = Rough.LINE) -> None:
        self.is_rough = False
        self.is_silent = False
        self.struck: Counter[str] = Counter()
        self.damaged = 0
        self._losses = 0
        self._rng = rng
        self._rough = rough

    def after(self, data: bytes, towards: Towards) -> list[Step]:
        """What becomes of bytes that were sent in one go."""
        rng = self._rng
        if self.is_silent:
            return []
        if not self.is_rough or self.damaged >= MOST_DAMAGED or rng.random() >= DAMAGED[towards]:
            return [Step(data)]
        if self._rough is Rough.NETWORK:
            kind = rng.choice((Kind.DRIP, Kind.CUT)) if towards is Towards.CLIENT else Kind.DRIP
        else:
            kind = rng.choice((Kind.CORRUPT, Kind.DROP)) if self._losses < MOST_LOSSES else Kind.CORRUPT
            self._losses += kind is Kind.DROP
        length = rng.randint(1, MOST_LOST_BYTES) if kind is Kind.DROP else 1
        fault = Fault(kind, towards, at_byte=rng.randrange(len(data)), length=length, seconds=DRIP_S)
        self.struck[f"{kind} towards {towards}"] += 1
        self.damaged += towards is Towards.CLIENT
        return course([fault], towards, 0, rng.getrandbits(32)).feed(data)

    def turnround(self) -> bytes:
        """Noise right before an echo."""
        is_noisy = self.is_rough and self._rough is Rough.LINE and self._rng.random() < NOISY_ECHOES
        return self._rng.randbytes(self._rng.randint(1, 2)) if is_noisy else b""

    async def blow(self, port: Port) -> None:
        """Send noise to the driver, between the frames, for as long as it is rough; until cancelled."""
        with contextlib.suppress(LinkError):  # the device learns of it, too
            for number in itertools.count(1):
                await asyncio.sleep(self._rng.uniform(*(NOISE_GAP_S if number % BURSTS else LULL_S)))
                if self.is_rough and self._rough is Rough.LINE and not self.is_silent:
                    self.struck["noise"] += 1
                    await port.send(self._rng.randbytes(self._rng.randint(1, MOST_NOISE_BYTES)))


class WeatheredPort(PassingPort):
    """The device's end of a line in some weather; with an `echo`, the line gives the driver back what it sends."""

    def __init__(self, port: Port, weather: Weather, *, echo: bool) -> None:
        super().__init__(port)
        self._weather = weather
        self._echo = echo
        self._arrived: list[Step] = []

    async def send(self, data: bytes) -> None:
        """See `Port`."""
        for step in self._weather.after(data, Towards.CLIENT):
            if step.wait_s:
                await asyncio.sleep(step.wait_s)
            if step.data:
                await self._port.send(step.data)
            if step.ending is not None:
                await self._port.close()
                raise LinkError(f"{self.description}: ended in rough weather")

    async def receive(self, within_s: float) -> bytes:
        """See `Port`."""
        until_s = self.monotonic_s() + within_s
        while True:
            if not self._arrived:
                data = await self._port.receive(max(0.0, until_s - self.monotonic_s()))
                if data and self._echo and not self._weather.is_silent:
                    await self._port.send(self._weather.turnround() + data)
                self._arrived += self._weather.after(data, Towards.DEVICE) if data else []
            while self._arrived:
                step = self._arrived.pop(0)
                if step.wait_s:
                    await asyncio.sleep(step.wait_s)
                if step.data:
                    return step.data
            if self.monotonic_s() >= until_s:
                return b""


class LossyPty(PtyPort):
    """A pseudo-terminal that loses what nobody takes, as a serial line does, instead of holding up the device."""

    async def send(self, data: bytes) -> None:
        """See `Port`."""
        if self._closed:
            raise self._over()
        with contextlib.suppress(BlockingIOError):
            os.write(self._fd, data)


class Wire(Protocol):
    """A link that can be unplugged. `failures` are the device's own bugs.

    Attributes:
        url: as the site file names it.
    """

    url: str
    failures: list[BaseException]

    async def plug(self) -> None:
        """Let the device be there."""

    async def unplug(self) -> None:
        """Let it be gone."""

    def close(self) -> None:
        """Give back what was held for it while it was gone."""


class SerialWire:
    """A serial line under a name that stays, as in /dev/serial/by-id, which leads to another terminal each time."""

    def __init__(self, directory: Path, name: str, serve: Serve, weather: Weather, *, echo: bool) -> None:
        self._path = directory / name
        self.url = str(self._path)
        self.failures: list[BaseException] = []
        self._terminal = ""
        self._serve = serve
        self._weather = weather
        self._echo = echo
        self._pty: LossyPty | None = None
        self._task: asyncio.Task[None] | None = None

    async def plug(self) -> None:
        """See `Wire`."""
        pty = LossyPty.open()
        if pty.path == self._terminal:  # the system has it to give again
            self._pty = LossyPty.open()
            await pty.close()
        else:
            self._pty = pty
        self._terminal = self._pty.path
        self._task = asyncio.create_task(self._run(self._pty))
        self._path.symlink_to(self._pty.path)

    async def unplug(self) -> None:
        """See `Wire`."""
        if self._pty is None or self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._path.unlink()
        await self._pty.close()
        self._pty = None

    def close(self) -> None:
        """See `Wire`."""

    async def _run(self, pty: LossyPty) -> None:
        try:
            await _served(pty, self._serve, self._weather, echo=self._echo)
        except Exception as error:  # noqa: BLE001  # a bug of the twin, for the test to show
            self.failures.append(error)


class TcpWire:
    """A device on TCP, at the same port each time."""

    def __init__(self, scheme: str, serve: Serve, weather: Weather) -> None:
        self._held, self._port = held_port()
        self.url = f"{scheme}://127.0.0.1:{self._port}"
        self.failures: list[BaseException] = []
        self._serve = serve
        self._weather = weather
        self._server: DeviceServer | None = None

    async def plug(self) -> None:
        """See `Wire`."""
        self._server = DeviceServer(lambda port: _served(port, self._serve, self._weather, echo=False), port=self._port)
        await self._server.start()

    async def unplug(self) -> None:
        """See `Wire`."""
        if self._server is not None:
            await self._server.close()
            self.failures += self._server.failures
            self._server = None

    def close(self) -> None:
        """See `Wire`."""
        self._held.close()


def held_port() -> tuple[socket.socket, int]:
    """A loopback port that is ours, listened on or not, for as long as the socket is open.

    Two sockets may have one address while only one of them listens and both allow it, as asyncio's servers do.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    while True:
        port = free_port()
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            continue  # another process was quicker
        return held, port


async def _served(port: Port, serve: Serve, weather: Weather, *, echo: bool) -> None:
    noise = asyncio.create_task(weather.blow(port))
    try:
        await serve(WeatheredPort(port, weather, echo=echo))
    finally:
        noise.cancel()
        await asyncio.gather(noise, return_exceptions=True)


@contextlib.contextmanager
def stable_names() -> Iterator[Path]:
    """A directory below /dev, where the site file wants a serial line to be, that anyone may write to."""
    with tempfile.TemporaryDirectory(prefix="tagwharf-wires-", dir="/dev/shm") as directory:
        yield Path(directory)
