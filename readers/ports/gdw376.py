"""Serial ports of collection terminals that dial in to us by Q/GDW 376.1, each as a port of its own.

    gdw376://0.0.0.0:9030/44030004/2
             │            │        └ the terminal's port that the meters are on: 1 to 31
             │            └───────── region and number of the terminal
             └────────────────────── where this host listens; 127.0.0.1 when there is no host

What a driver sends is forwarded by the terminal through its port (AFN 10), and what comes back is received. `send`
returns when the terminal has answered or its time is over, so that the driver's own deadlines for a reply need not know
of the mobile network between.
"""

from __future__ import annotations

import re
from typing import Final

from readers.driver import LineDefaults
from readers.errors import FrameError, LinkError
from readers.gdw376_messages import MEASURING_PORTS, TERMINAL, SerialLine
from readers.ports.base import HoldingPort
from readers.ports.gdw376_terminals import DIALS_IN_WITHIN_S, SCHEME, Listener, Session, listener_at

__all__ = ["LOOPBACK", "SCHEME", "TerminalPort", "open_gdw376", "path_fault", "read_path"]

LOOPBACK: Final = "127.0.0.1"
_PATH: Final = re.compile(r"/([^/]+)/([0-9]{1,2})/?")


def path_fault(path: str) -> str | None:
    """What is wrong with the part of a URL after the port number; None when nothing is."""
    match = _PATH.fullmatch(path)
    if match is None:
        return "must name the terminal and its port after the port number"
    if not TERMINAL.fullmatch(match[1].upper()):
        return f"names terminal {match[1]!r}; it must be the 4 digits of its region and its number as 4 hex digits"
    if int(match[2]) not in MEASURING_PORTS:
        return f"names port {match[2]} of the terminal; it must be 1 to 31"
    return None


def read_path(path: str) -> tuple[str, int]:
    """Terminal and measuring port of a path without faults."""
    match = _PATH.fullmatch(path)
    assert match is not None  # checked before
    return match[1].upper(), int(match[2])


class TerminalPort(HoldingPort):
    """One serial port of a terminal. Made by `open_gdw376`."""

    def __init__(self, description: str, listener: Listener, session: Session, port: int, line: SerialLine) -> None:
        super().__init__(description)
        self._listener = listener
        self._session = session
        self._measuring_port = port
        self._line = line
        self._terminal = session.terminal
        session.on_end.append(self._gone)

    @property
    def baud(self) -> int | None:
        """The speed of the terminal's line."""
        return self._line.baud

    async def send(self, data: bytes) -> None:
        """Have the terminal send `data`, and wait for what comes back.

        Raises:
            LinkError: the terminal is gone.
        """
        if self._closed:
            raise self._over()
        answer = await self._session.forward(self._measuring_port, self._line, data, self.description)
        if answer is not None and not self._closed:
            self._take(answer)

    async def close(self) -> None:
        """Give the terminal's port back; the terminal stays connected for the next reader."""
        if not self._closed:
            if self._gone in self._session.on_end:
                self._session.on_end.remove(self._gone)
            self._end("")
            self._listener.want_no_more(self._terminal)

    def _gone(self, cause: str) -> None:
        if not self._closed:
            self._end(cause)
            self._listener.want_no_more(self._terminal)


async def open_gdw376(host: str, number: int, path: str, line: LineDefaults) -> TerminalPort:
    """Listen, and wait until the terminal has dialled in.

    Args:
        host: where to listen.
        number: of the port to listen at.
        path: the terminal and its port, without faults, see `path_fault`.
        line: how the terminal sets its serial port.

    Raises:
        LinkError: nobody can listen there, or the terminal does not dial in.
    """
    terminal, measuring_port = read_path(path)
    shown = f"[{host}]" if ":" in host else host
    description = f"{SCHEME}://{shown}:{number}/{terminal}/{measuring_port}"
    serial = SerialLine(line.baud, line.parity, line.stop_bits)
    try:
        serial.encode()
    except FrameError as error:
        raise LinkError(f"{description}: {error.detail}") from error
    listener = listener_at(host, number)
    await listener.want(terminal)
    try:
        session = await listener.session(terminal)
    except TimeoutError as error:
        listener.want_no_more(terminal)
        raise LinkError(
            f"{description}: terminal {terminal} has not dialled in within {DIALS_IN_WITHIN_S:g} s; set this host's "
            "address and this port number in it as its master station, and check its SIM card and the firewall"
        ) from error
    except BaseException:
        listener.want_no_more(terminal)
        raise
    return TerminalPort(description, listener, session, measuring_port, serial)
