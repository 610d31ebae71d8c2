"""A hostile link in front of any `Port`, in virtual time too."""

from __future__ import annotations

from collections.abc import Sequence

from readers.driver import Port
from readers.errors import LinkError
from simulator.faults import Fault, Kind, Step, Towards, course


class FaultyPort:
    """A `Port` seen through a hostile link: the client's end of one, in memory or real.

    Bytes sent are those towards the device, bytes received those towards the client.
    """

    def __init__(self, port: Port, faults: Sequence[Fault], seed: int = 0) -> None:
        self.description = f"{port.description} (faulty)"
        self._port = port
        self._out = course(faults, Towards.DEVICE, 0, seed)
        self._in = course(faults, Towards.CLIENT, 0, seed)
        self._timed = sorted((fault for fault in faults if fault.after_s is not None), key=lambda f: f.after_s or 0)
        self._began_s: float | None = None
        self._arrived: list[Step] = []
        self._silent = False

    @property
    def struck(self) -> list[Fault]:
        """The faults of either direction met so far."""
        return self._out.struck + self._in.struck

    async def send(self, data: bytes) -> None:
        """See `Port`."""
        await self._meet_timed()
        for step in self._out.feed(data) if not self._silent else ():
            await self._port.pause(step.wait_s)
            if step.data:
                await self._port.send(step.data)
            await self._meet(step.ending)

    async def receive(self, within_s: float) -> bytes:
        """See `Port`."""
        until_s = self.monotonic_s() + within_s
        while True:
            await self._meet_timed()
            left_s = max(0.0, until_s - self.monotonic_s())
            if self._silent:
                await self._port.pause(left_s)
                return b""
            if not self._arrived:
                data = await self._port.receive(self._until_timed(left_s))
                self._arrived = self._in.feed(data)
            while self._arrived:
                step = self._arrived[0]
                left_s = until_s - self.monotonic_s()
                if step.wait_s > left_s:
                    self._arrived[0] = Step(step.data, step.wait_s - max(0.0, left_s), step.ending)
                    await self._port.pause(max(0.0, left_s))
                    return b""
                self._arrived.pop(0)
                await self._port.pause(step.wait_s)
                await self._meet(step.ending)
                if step.data:
                    return step.data
            if self.monotonic_s() >= until_s:
                return b""

    async def pause(self, seconds: float) -> None:
        """See `Port`."""
        await self._port.pause(seconds)

    def monotonic_s(self) -> float:
        """See `Port`."""
        return self._port.monotonic_s()

    def now_us(self) -> int:
        """See `Port`."""
        return self._port.now_us()

    @property
    def baud(self) -> int | None:
        """See `Port`."""
        return self._port.baud

    async def close(self) -> None:
        """See `Port`."""
        await self._port.close()

    def _until_timed(self, left_s: float) -> float:
        if not self._timed or self._began_s is None:
            return left_s
        return max(0.0, min(left_s, self._began_s + (self._timed[0].after_s or 0.0) - self.monotonic_s()))

    async def _meet_timed(self) -> None:
        now_s = self.monotonic_s()
        self._began_s = now_s if self._began_s is None else self._began_s
        while self._timed and now_s >= self._began_s + (self._timed[0].after_s or 0.0):
            fault = self._timed.pop(0)
            self._in.struck.append(fault)
            await self._meet(fault.kind)

    async def _meet(self, ending: Kind | None) -> None:
        if ending is None:
            return
        self._silent = True
        if ending is not Kind.BLACKHOLE:
            await self._port.close()
            raise LinkError(f"{self.description}: the link ended ({ending})")
