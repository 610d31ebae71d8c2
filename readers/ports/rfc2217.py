"""Serial lines of a device server, by RFC 2217: pyserial in threads, since it speaks that in blocking calls only."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Final

import serial

from readers.driver import LineDefaults
from readers.errors import LinkError
from readers.ports.base import HoldingPort
from readers.ports.serial import HELD_BYTES, PARITIES, SEND_WITHIN_S, in_words

OPEN_WITHIN_S: Final = 10.0
_READ_BYTES: Final = 4096
_POLL_S: Final = 0.1


class Rfc2217Port(HoldingPort):
    """A serial line of a device server, its speed and parity set over the network. Made by `open_rfc2217`.

    pyserial speaks RFC 2217 in blocking calls only: one thread reads, and each write runs in a worker thread.
    """

    def __init__(self, line: serial.Serial, description: str) -> None:
        super().__init__(description)
        self._line = line
        self._loop = asyncio.get_running_loop()
        self._room = threading.Event()
        self._room.set()
        self._baud = int(line.baudrate)
        self._baud_wanted: int | None = None
        threading.Thread(target=self._read, name=description, daemon=True).start()

    @property
    def baud(self) -> int:
        """The speed of the line from the next byte on."""
        return self._baud_wanted or self._baud

    def set_baud(self, baud: int) -> None:
        """Change the speed of the line with the next `send`."""
        self._baud_wanted = baud

    async def send(self, data: bytes) -> None:
        """Write all of `data` to the device server.

        Raises:
            LinkError: the link is closed, or did not take the bytes within 5 s.
        """
        if self._closed:
            raise self._over()
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                await asyncio.to_thread(self._write, data)
        except TimeoutError as error:
            raise LinkError(f"{self.description}: nothing was taken for {SEND_WITHIN_S:g} s") from error
        except (OSError, ValueError) as error:
            self._lost(str(error))
            raise LinkError(f"{self.description}: cannot send: {error}") from error

    async def close(self) -> None:
        """Close the link."""
        self._lost("")
        await asyncio.to_thread(self._line.close)

    def _write(self, data: bytes) -> None:
        if self._baud_wanted is not None:
            self._baud, self._baud_wanted = self._baud_wanted, None
            self._line.baudrate = self._baud
        self._line.write(data)

    def _read(self) -> None:
        """In its own thread: hand over what comes, and wait while the driver is behind."""
        while not self._closed:
            if not self._room.wait(_POLL_S):
                continue
            try:
                data = self._line.read(max(1, min(self._line.in_waiting, _READ_BYTES)))
            except (OSError, TypeError) as error:  # TypeError: pyserial's own, when the link closes under a read
                self._tell(self._lost, str(error))
                return
            if data:
                self._tell(self._take, data)

    def _tell(self, what: object, argument: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop ended before this thread saw that the port is closed
            self._loop.call_soon_threadsafe(what, argument)  # type: ignore[arg-type]  # a method of one argument

    def _take(self, data: bytes) -> None:
        super()._take(data)
        if len(self._buffer) > HELD_BYTES:
            self._room.clear()

    def _drained(self) -> None:
        self._room.set()

    def _lost(self, cause: str) -> None:
        if not self._closed:
            self._end(cause)
            self._room.set()


async def open_rfc2217(host: str, port: int, line: LineDefaults) -> Rfc2217Port:
    """Connect to a line of a device server and set it.

    Raises:
        LinkError: not reachable, or it did not accept the settings within 10 s.
    """
    description = f"rfc2217://{host}:{port}"

    def connect() -> serial.Serial:
        opened: serial.Serial = serial.serial_for_url(
            description, line.baud, parity=PARITIES[line.parity], stopbits=line.stop_bits, timeout=_POLL_S
        )
        return opened

    attempt = asyncio.ensure_future(asyncio.to_thread(connect))
    try:
        async with asyncio.timeout(OPEN_WITHIN_S):
            opened = await asyncio.shield(attempt)
    except TimeoutError as error:
        attempt.add_done_callback(_close_late)
        raise LinkError(f"{description}: no answer within {OPEN_WITHIN_S:g} s; check address and network") from error
    except asyncio.CancelledError:
        attempt.add_done_callback(_close_late)
        raise
    except (OSError, ValueError) as error:
        raise LinkError(f"{description}: cannot open with {in_words(line)}: {error}") from error
    return Rfc2217Port(opened, description)


def _close_late(attempt: asyncio.Future[serial.Serial]) -> None:
    """Nobody waits for this connection any more."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
