"""The collection terminals that have dialled in: the listening sockets of this process, and each connection.

All readers of one process that listen at the same place share one socket. Only terminals that a reader is for are let
in; one that dials in anew takes the place of its older connection. Logins, heartbeats and whatever else a terminal
wants confirmed are confirmed here. A terminal that is silent for three of its heartbeats is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable
from typing import Final, cast

from readers.errors import FrameError, LinkError
from readers.gdw376_messages import (
    NUMBERS,
    Afn,
    ConfirmFn,
    Forward,
    Frame,
    LinkFn,
    SerialLine,
    confirmation,
    cut,
    encode,
    forward,
    read_forwarded,
)

SCHEME: Final = "gdw376"
DIALS_IN_WITHIN_S: Final = 30.0
LOGS_IN_WITHIN_S: Final = 60.0
ANSWERS_WITHIN_S: Final = 20
"""How long a terminal waits for its meter."""
NETWORK_S: Final = 10.0  # for a mobile network, there and back
BYTE_GAP_MS: Final = 200  # each answer waits for it; DL/T 645 allows 500, meters need a few, published frames say 100
HEARTBEAT_S: Final = 300.0  # until a terminal has shown how often its own come
HEARTBEATS_S: Final = (10.0, 1800.0)
MISSED_HEARTBEATS: Final = 3
LINGERS_S: Final = 120.0
"""How long the socket listens on after its last reader, which may come back."""
MOST_CONNECTIONS: Final = 1024
MOST_WAITING_BYTES: Final = 1 << 16  # of what a terminal does not take


class Session(asyncio.Protocol):
    """One connection of a terminal, from the moment it is accepted."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._heard = bytearray()
        self._transport: asyncio.Transport | None = None
        self._waits: dict[int, asyncio.Future[bytes | None]] = {}
        self._number = 0
        self._turn = asyncio.Lock()
        self._ended = ""
        self._heartbeat_s = HEARTBEAT_S
        self._last_heartbeat_s: float | None = None
        self._silence: asyncio.TimerHandle | None = None
        self.terminal = ""
        self.on_end: list[Callable[[str], None]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._listener.accepts(self):
            self.end("too many connections")
            return
        self._expect(LOGS_IN_WITHIN_S, "it did not log in")

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self.end(f"the terminal closed the link{f': {exc}' if exc else ''}")

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._heard += data
        for frame in cut(self._heard):
            if self._ended:
                return
            if frame.is_from_terminal:
                self._take(frame)

    def end(self, cause: str) -> None:
        """Close the connection and tell the ports; harmless when it has ended."""
        if self._ended:
            return
        self._ended = cause
        if self._silence is not None:
            self._silence.cancel()
        if self._transport is not None:
            self._transport.close()
        for wait in self._waits.values():
            if not wait.done():
                wait.set_exception(LinkError(cause))
        self._listener.left(self)
        for told in self.on_end:
            told(cause)
        self.on_end.clear()

    async def forward(self, port: int, line: SerialLine, content: bytes, what: str) -> bytes | None:
        """Have the terminal send something, and wait for what comes back; None when nothing does.

        Raises:
            LinkError: the terminal is gone, or takes nothing.
        """
        async with self._turn:  # terminals do one thing at a time
            if self._ended:
                raise LinkError(f"{what}: {self._ended}")
            self._number = (self._number + 1) % NUMBERS
            number = self._number
            request = Forward(port, line, ANSWERS_WITHIN_S, BYTE_GAP_MS, content)
            wait: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
            self._waits[number] = wait
            try:
                self._write(forward(self.terminal, number, request))
                async with asyncio.timeout(ANSWERS_WITHIN_S + NETWORK_S):
                    return await wait
            except TimeoutError:
                return None
            except LinkError as error:
                raise LinkError(f"{what}: {error}") from error
            finally:
                del self._waits[number]

    def _take(self, frame: Frame) -> None:
        if not self.terminal:
            if not self._listener.logs_in(self, frame.terminal):
                self.end(f"no reader is for terminal {frame.terminal}")
                return
            self.terminal = frame.terminal
        if frame.terminal != self.terminal:
            return  # a terminal speaks for itself alone
        if frame.afn == Afn.LINK:
            self._link(frame)
        elif frame.number in self._waits and frame.afn in (Afn.FORWARD, Afn.CONFIRM):
            self._answer(frame, self._waits[frame.number])
        if not self._ended:
            if frame.wants_confirmation and frame.afn != Afn.LINK:
                self._write(confirmation(frame))
            self._expect(MISSED_HEARTBEATS * self._heartbeat_s, "the terminal fell silent")

    def _link(self, frame: Frame) -> None:
        if frame.fn == LinkFn.HEARTBEAT:
            now_s = asyncio.get_running_loop().time()
            if self._last_heartbeat_s is not None:
                least_s, most_s = HEARTBEATS_S
                self._heartbeat_s = min(max(now_s - self._last_heartbeat_s, least_s), most_s)
            self._last_heartbeat_s = now_s
        self._write(confirmation(frame))  # whether it wants one or not
        if frame.fn == LinkFn.LOGOUT:
            self.end("the terminal has logged out")

    @staticmethod
    def _answer(frame: Frame, wait: asyncio.Future[bytes | None]) -> None:
        content = b""
        if frame.afn == Afn.CONFIRM and frame.fn != ConfirmFn.NOTHING:
            return  # the answer is still to come
        if frame.afn == Afn.FORWARD:  # else it denies: the meter is silent, or the terminal does not know the port
            with contextlib.suppress(FrameError):  # an answer that makes no sense is none
                content = read_forwarded(frame).content
        if not wait.done():
            wait.set_result(content or None)

    def _write(self, frame: Frame) -> None:
        transport = self._transport
        assert transport is not None
        if transport.get_write_buffer_size() > MOST_WAITING_BYTES:
            self.end("the terminal takes nothing; the network between is cut")
            return
        transport.write(encode(frame))

    def _expect(self, within_s: float, cause: str) -> None:
        if self._silence is not None:
            self._silence.cancel()
        loop = asyncio.get_running_loop()
        self._silence = loop.call_later(within_s, self.end, f"{cause} for {within_s:.0f} s")


class Listener:
    """One listening socket, and the terminals that have dialled in to it."""

    def __init__(self, host: str, port: int, others: dict[tuple[str, int], Listener]) -> None:
        self._host = host
        self._port = port
        self._others = others
        self._server: asyncio.Server | None = None
        self._wanted: dict[str, int] = {}
        self._strangers: set[Session] = set()
        self._terminals: dict[str, Session] = {}
        self._arrived = asyncio.Event()
        self._opening = asyncio.Lock()
        self._ending: asyncio.TimerHandle | None = None

    async def want(self, terminal: str) -> None:
        """Listen, and let this terminal in.

        Raises:
            LinkError: nobody can listen there.
        """
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        self._wanted[terminal] = self._wanted.get(terminal, 0) + 1
        async with self._opening:
            if self._server is not None:
                return
            try:
                loop = asyncio.get_running_loop()
                self._server = await loop.create_server(lambda: Session(self), self._host, self._port)
            except OSError as error:
                self.want_no_more(terminal)
                raise LinkError(f"{SCHEME}://{self._host}:{self._port}: cannot listen: {error}") from error

    def want_no_more(self, terminal: str) -> None:
        """Its reader is gone; it keeps its connection while the socket lingers."""
        self._wanted[terminal] -= 1
        if not self._wanted[terminal]:
            del self._wanted[terminal]
        if not self._wanted and self._ending is None:
            linger_s = LINGERS_S if self._server is not None else 0.0
            self._ending = asyncio.get_running_loop().call_later(linger_s, self.close)

    def close(self) -> None:
        """Stop listening and let all terminals go."""
        if self._ending is not None:
            self._ending.cancel()
        if self._server is not None:
            self._server.close()
            self._server = None
        for session in [*self._terminals.values(), *self._strangers]:
            session.end("this host listens no more")
        if self._others.get((self._host, self._port)) is self:
            del self._others[self._host, self._port]

    async def session(self, terminal: str) -> Session:
        """The terminal's connection, when it has dialled in in time.

        Raises:
            TimeoutError: it has not.
        """
        async with asyncio.timeout(DIALS_IN_WITHIN_S):
            while terminal not in self._terminals:
                self._arrived.clear()
                await self._arrived.wait()
        return self._terminals[terminal]

    def accepts(self, session: Session) -> bool:
        """Whether there is room for one more connection."""
        if len(self._strangers) + len(self._terminals) >= MOST_CONNECTIONS:
            return False
        self._strangers.add(session)
        return True

    def logs_in(self, session: Session, terminal: str) -> bool:
        """Whether this terminal may come in; it takes the place of an older connection of its own."""
        if terminal not in self._wanted and terminal not in self._terminals:
            return False
        older = self._terminals.pop(terminal, None)
        self._strangers.discard(session)
        self._terminals[terminal] = session
        if older is not None:
            older.end("the terminal has dialled in anew")
        self._arrived.set()
        return True

    def left(self, session: Session) -> None:
        """A connection has ended."""
        self._strangers.discard(session)
        if self._terminals.get(session.terminal) is session:
            del self._terminals[session.terminal]


_LISTENERS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, int], Listener]] = (
    weakref.WeakKeyDictionary()
)


def listener_at(host: str, port: int) -> Listener:
    """The one of this place, in this process."""
    found = _LISTENERS.setdefault(asyncio.get_running_loop(), {})
    if (host, port) not in found:
        found[host, port] = Listener(host, port, found)
    return found[host, port]


async def stop_listening() -> None:
    """Close all listening sockets of this event loop at once, without lingering."""
    for listener in list(_LISTENERS.get(asyncio.get_running_loop(), {}).values()):
        listener.close()
    await asyncio.sleep(0)
