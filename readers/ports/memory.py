"""Ports in memory and a clock that jumps: a driver and a simulated device, back to back, a week in a second.

`pair()` makes the two ends of a link. `run()` runs a coroutine on an event loop whose time leaps to the next timer
whenever nothing else is to do, so that time-outs cost nothing and every run is the same.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from readers.ports.base import HoldingPort

T = TypeVar("T")

START_US: Final = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z, so that virtual runs are the same every day
_US_PER_S: Final = 1_000_000


class MemoryPort(HoldingPort):
    """One end of a link in memory. `mangle` sees every chunk on its way out and may change, split, drop or delay it."""

    def __init__(self, description: str, mangle: Callable[[bytes], list[bytes]] | None = None) -> None:
        super().__init__(description)
        self.sent = bytearray()
        self._mangle = mangle
        self._peer: MemoryPort | None = None

    def connect(self, peer: MemoryPort) -> None:
        """Make `peer` the other end."""
        self._peer, peer._peer = peer, self  # the other end is the same class

    async def send(self, data: bytes) -> None:
        """Hand `data` to the other end.

        Raises:
            LinkError: either end is closed.
        """
        peer = self._peer
        if self._closed or peer is None or peer._closed:  # noqa: SLF001
            raise self._over()
        self.sent += data
        for chunk in self._mangle(data) if self._mangle else [data]:
            peer.feed(chunk)
        await asyncio.sleep(0)

    def feed(self, data: bytes) -> None:
        """Let `data` arrive here."""
        self._take(data)

    def now_us(self) -> int:
        """UTC by the loop's time, which starts at 2026-01-01."""
        return START_US + round(self.monotonic_s() * _US_PER_S)

    def set_baud(self, baud: int) -> None:
        """Accepted without effect: memory has no line speed."""

    async def close(self) -> None:
        """Close this end; the other end learns of it after the last byte."""
        self._end("")
        if self._peer is not None and not self._peer._closed:  # noqa: SLF001
            self._peer._end("the other side closed the link")  # noqa: SLF001


def pair(description: str = "memory") -> tuple[MemoryPort, MemoryPort]:
    """The two ends of one link: (driver's, device's)."""
    driver_end = MemoryPort(description)
    device_end = MemoryPort(f"{description} (device)")
    driver_end.connect(device_end)
    return driver_end, device_end


class _LeapingSelector(selectors.SelectSelector):
    """Never waits: where a real selector would sleep, the clock leaps."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("virtual time stands still: every task waits for something that no timer will bring")
        if not ready and timeout:
            self.elapsed_s += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is virtual and starts at 0."""

    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._leaping.elapsed_s


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` in virtual time and return its result."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
