"""Local serial lines, through the kernel and the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import serial

from readers.driver import LineDefaults, Parity
from readers.errors import ConfigError, LinkError
from readers.ports.base import HoldingPort

SEND_WITHIN_S: Final = 5.0
HELD_BYTES: Final = 1 << 16  # beyond this the line is not read until the driver has caught up: 5 s at 115200 baud
STABLE_NAMES: Final = Path("/dev/serial/by-id")
_READ_BYTES: Final = 4096
_PSEUDO_TERMINALS: Final = "/dev/pts/"
PARITIES: Final = {Parity.NONE: serial.PARITY_NONE, Parity.EVEN: serial.PARITY_EVEN, Parity.ODD: serial.PARITY_ODD}


@dataclass(frozen=True, slots=True)
class LineSettings:
    """What the site file says about a serial line; None takes the driver's default.

    Attributes:
        strip_echo: the adapter sends back what is sent, as many two-wire adapters do: take it out.
    """

    baud: int | None = None
    parity: Parity | None = None
    stop_bits: int | None = None
    strip_echo: bool = False

    def over(self, defaults: LineDefaults) -> LineDefaults:
        """The line as it is to be set."""
        return LineDefaults(
            baud=self.baud or defaults.baud,
            parity=self.parity or defaults.parity,
            stop_bits=self.stop_bits or defaults.stop_bits,
        )


class FdPort(HoldingPort):
    """A port on a non-blocking file descriptor, which it closes; for terminals and pseudo-terminals.

    Made inside a running loop. Memory is bounded by HELD_BYTES and one read.
    """

    def __init__(self, fd: int, description: str) -> None:
        super().__init__(description)
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._reading = False
        self._drained()

    async def send(self, data: bytes) -> None:
        """Write all of `data` to the kernel.

        Raises:
            LinkError: the line is closed or gone, or took nothing for 5 s.
        """
        left = memoryview(data)
        while left:
            if self._closed:
                raise self._over()
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:
                await self._writable()
            except OSError as error:
                self._lose(f"the line is gone: {error.strerror}; is the adapter still plugged in?")

    async def close(self) -> None:
        """Close the line; what the kernel has not yet sent is dropped."""
        self._lose("")

    def _release(self) -> None:
        """Give the file descriptor back."""
        os.close(self._fd)

    def _drained(self) -> None:
        if not self._reading and not self._closed:
            self._reading = True
            self._loop.add_reader(self._fd, self._readable)

    def _read_no_more(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(f"the line is gone: {error.strerror}; is the adapter still plugged in?")
            return
        if not data:
            self._lose("the line hung up; is the adapter still plugged in?")
            return
        self._take(data)
        if len(self._buffer) > HELD_BYTES:
            self._read_no_more()

    async def _writable(self) -> None:
        ready = asyncio.Event()
        self._loop.add_writer(self._fd, ready.set)
        try:
            async with asyncio.timeout(SEND_WITHIN_S):
                await ready.wait()
        except TimeoutError as error:
            raise LinkError(f"{self.description}: the line took nothing for {SEND_WITHIN_S:g} s") from error
        finally:
            if not self._closed:
                self._loop.remove_writer(self._fd)

    def _lose(self, cause: str) -> None:
        if self._closed:
            return
        self._read_no_more()
        self._loop.remove_writer(self._fd)
        self._end(cause or "the line is closed")
        self._release()


class TtyPort(FdPort):
    """A local serial line. Made by `open_tty`."""

    def __init__(self, line: serial.Serial, description: str) -> None:
        self._line = line
        super().__init__(line.fileno(), description)

    @property
    def baud(self) -> int:
        """The speed of the line."""
        return int(self._line.baudrate)

    def set_baud(self, baud: int) -> None:
        """Change the speed of the line, after what was already sent has left.

        Raises:
            LinkError: the line is gone. ConfigError: the adapter cannot do that speed.
        """
        if self._closed:
            raise self._over()
        try:
            self._line.flush()
            self._line.baudrate = baud
        except OSError as error:
            raise LinkError(f"{self.description}: cannot set {baud} baud: {error}") from error
        except (ValueError, OverflowError, termios.error) as error:
            raise ConfigError(f"{self.description}: the adapter cannot do {baud} baud: {error}") from error

    def _release(self) -> None:
        # An adapter that was pulled out cannot be reset any more; termios.error is no OSError.
        with contextlib.suppress(OSError, termios.error):
            self._line.reset_output_buffer()  # else the kernel may hold up close() until a stuck line has sent it
        with contextlib.suppress(OSError):
            self._line.close()


def open_tty(path: str, line: LineDefaults) -> TtyPort:
    """Open a local serial line for this process alone.

    Raises:
        LinkError: it does not exist, may not be opened, or another process holds it.
        ConfigError: it cannot be set as asked.
    """
    description = f"serial://{path}"
    # a pseudo-terminal has no parity: the C library takes the wish once, and calls it an error the next time
    parity = Parity.NONE if os.path.realpath(path).startswith(_PSEUDO_TERMINALS) else line.parity
    try:
        opened = serial.Serial(
            path, line.baud, parity=PARITIES[parity], stopbits=line.stop_bits, timeout=0, exclusive=True
        )
    except (ValueError, termios.error) as error:  # pyserial lets termios.error through, which is no OSError
        raise ConfigError(f"{description}: cannot be set to {in_words(line)}: {error}") from error
    except OSError as error:  # serial.SerialException is one
        raise LinkError(f"{description}: cannot open: {_why(path, error)}") from error
    return TtyPort(opened, description)


def in_words(line: LineDefaults) -> str:
    """The settings of a line, for messages."""
    return f"{line.baud} baud, parity {line.parity}, {line.stop_bits} stop bits"


def _why(path: str, error: OSError) -> str:
    if not Path(path).exists():
        try:
            names = sorted(str(name) for name in STABLE_NAMES.iterdir())
        except OSError:
            names = []
        there = f"; these lines exist: {', '.join(names)}" if names else f"; nothing is listed in {STABLE_NAMES}"
        return f"no such line{there}; check the plug and the name"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"no permission; the gateway's user must be in the group that owns {path}, often dialout"
    if "lock" in str(error):
        return "another process holds it; find it with fuser and stop it"
    return str(error)
