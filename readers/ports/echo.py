"""Takes out the echo that a two-wire adapter gives back of everything that is sent."""

from __future__ import annotations

from typing import Final

from readers.driver import Port

ECHO_WITHIN_S: Final = 1.0  # what has not come back by then will not


class EchoStrippingPort:
    """A port without the echo of another port.

    Bytes that differ from what was sent end the stripping until the next `send`: the echo was garbled or there is none,
    and the codec above sees all that came.
    """

    def __init__(self, port: Port) -> None:
        self._port = port
        self._expected = bytearray()
        self._until_s = 0.0
        self.missed = 0

    @property
    def description(self) -> str:
        """Where this leads."""
        return self._port.description

    @property
    def baud(self) -> int | None:
        """The speed of the line, where the port knows one."""
        return getattr(self._port, "baud", None)

    async def send(self, data: bytes) -> None:
        """Write all of `data` and expect it back.

        Raises:
            LinkError: as the port below.
        """
        self._expected = bytearray(data)
        self._until_s = self._port.monotonic_s() + ECHO_WITHIN_S
        await self._port.send(data)

    async def receive(self, within_s: float) -> bytes:
        """Bytes from the device, or b"" after `within_s` seconds.

        Raises:
            LinkError: as the port below.
        """
        deadline_s = self._port.monotonic_s() + within_s
        while True:
            heard = self._strip(await self._port.receive(max(0.0, deadline_s - self._port.monotonic_s())))
            if heard or self._port.monotonic_s() >= deadline_s:
                return heard

    def _strip(self, heard: bytes) -> bytes:
        if not self._expected:
            return heard
        if self._port.monotonic_s() > self._until_s:
            self._expected.clear()
            return heard
        size = min(len(heard), len(self._expected))
        if heard[:size] != self._expected[:size]:
            self._expected.clear()
            self.missed += 1
            return heard
        del self._expected[:size]
        return heard[size:]

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
        change = getattr(self._port, "set_baud", None)
        if change is not None:
            change(baud)

    async def close(self) -> None:
        """Close the port below."""
        await self._port.close()
