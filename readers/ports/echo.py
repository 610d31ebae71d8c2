"""Takes out the echo that a two-wire adapter gives back of everything that is sent."""

from __future__ import annotations

from typing import Final

from readers.driver import Port
from readers.ports.base import PassingPort

ECHO_WITHIN_S: Final = 1.0  # what has not come back by then will not
_SURE_BYTES: Final = 3  # fewer at the end of other bytes may be there by chance


class EchoStrippingPort(PassingPort):
    """A port without the echo of another port.

    What comes before the echo, such as noise while the adapter turns round, is passed on. As many bytes that differ as
    were sent end the stripping until the next `send`: the echo was garbled or there is none, and the codec above sees
    all that came.

    Attributes:
        missed: after how many sends something else came where the echo was expected.
    """

    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self._expected = bytearray()
        self._until_s = 0.0
        self._sent_bytes = 0
        self._other_bytes = 0
        self.missed = 0

    async def send(self, data: bytes) -> None:
        """Write all of `data` and expect it back.

        Raises:
            LinkError: as the port below.
        """
        self._expected = bytearray(data)
        self._sent_bytes, self._other_bytes = len(data), 0
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
        at, size = self._echo_in(heard)
        if at:
            self.missed += not self._other_bytes
            self._other_bytes += at
        del self._expected[:size]
        if self._other_bytes >= self._sent_bytes:
            self._expected.clear()
        return heard[:at] + heard[at + size :]

    def _echo_in(self, heard: bytes) -> tuple[int, int]:
        """Where the echo goes on, and how many bytes of it are there; the end of `heard` where it does not."""
        expected = self._expected
        for at in range(len(heard)):
            size = min(len(heard) - at, len(expected))
            if heard[at : at + size] == expected[:size] and (not at or size >= min(_SURE_BYTES, len(expected))):
                return at, size
        return len(heard), 0
