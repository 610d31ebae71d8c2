"""What ports have in common: bytes held for the driver, the host's clocks, and passing on to another port."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from readers.driver import Port, SerialPort
from readers.errors import LinkError

_NS_PER_US: Final = 1_000


class HoldingPort:
    """Holds what has come until the driver asks for it. The ports that do I/O are made from it.

    A subclass calls `_take` with what arrives and `_end` when the link is over, and overrides `_drained` to go on
    reading where it had stopped for want of room.
    """

    def __init__(self, description: str) -> None:
        self.description = description
        self._buffer = bytearray()
        self._arrived = asyncio.Event()
        self._closed = False
        self._cause = ""
        self._error: Exception | None = None

    async def receive(self, within_s: float) -> bytes:
        """Bytes that have come, or b"" after `within_s` seconds.

        Raises:
            LinkError: the link is over, and everything that came before has been returned.
        """
        if not self._buffer and not self._closed:
            self._arrived.clear()
            # A timer that wakes costs half of a time-out that cancels, and this is the hot path.
            timer = asyncio.get_running_loop().call_later(max(0.0, within_s), self._arrived.set)
            try:
                await self._arrived.wait()
            finally:
                timer.cancel()
            if not self._buffer and not self._closed:
                return b""
        if self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            self._drained()
            return data
        raise self._over()

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    def monotonic_s(self) -> float:
        """The loop's clock."""
        return asyncio.get_running_loop().time()

    def now_us(self) -> int:
        """The host's UTC time."""
        return time.time_ns() // _NS_PER_US

    @property
    def baud(self) -> int | None:
        """The speed of the line; None where this port knows of none."""
        return None

    def _take(self, data: bytes) -> None:
        if data:
            self._buffer += data
            self._arrived.set()

    def _drained(self) -> None:
        """Called when nothing is held any more."""

    def _end(self, cause: str, error: Exception | None = None) -> None:
        self._closed, self._cause, self._error = True, cause, error
        self._arrived.set()

    def _over(self) -> LinkError:
        over = LinkError(f"{self.description}: {self._cause or 'the link is closed'}")
        over.__cause__ = self._error
        return over


class PassingPort:
    """Passes everything on to the port below. Those that look at what passes are made from it."""

    def __init__(self, port: Port) -> None:
        self._port = port

    @property
    def description(self) -> str:
        """Where this leads."""
        return self._port.description

    @property
    def baud(self) -> int | None:
        """The speed of the line, where the port below knows one."""
        return self._port.baud

    async def send(self, data: bytes) -> None:
        """Write all of `data`.

        Raises:
            LinkError: as the port below.
        """
        await self._port.send(data)

    async def receive(self, within_s: float) -> bytes:
        """Bytes from the device, or b"" after `within_s` seconds.

        Raises:
            LinkError: as the port below.
        """
        return await self._port.receive(within_s)

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        await self._port.pause(seconds)

    def monotonic_s(self) -> float:
        """The clock of the port below."""
        return self._port.monotonic_s()

    def now_us(self) -> int:
        """The host's UTC time."""
        return self._port.now_us()

    def set_baud(self, baud: int) -> None:
        """Change the speed of the line, where the port below can."""
        if isinstance(self._port, SerialPort):
            self._port.set_baud(baud)

    async def close(self) -> None:
        """Close the port below."""
        await self._port.close()
