"""Takes out the echo that a two-wire adapter gives back of everything that is sent."""

from __future__ import annotations

from typing import Final

from readers.driver import Port
from readers.ports.base import PassingPort

ECHO_WITHIN_S: Final = 1.0  # what has not come back by then will not


class EchoStrippingPort(PassingPort):
    """A port without the echo of another port.

    Bytes that differ from what was sent end the stripping until the next `send`: the echo was garbled or there is none,
    and the codec above sees all that came.
    """

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self._expected = bytearray()
        self._until_s = 0.0
        self.missed = 0

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
