"""A simulated LLRP reader: one device with its configuration, ROSpecs, clock and buffer, and one client at a time.

The state lives in `SimulatedReader` and survives connections, as in a real reader; `serve` speaks one of them.

Source: LLRP 1.0.1 sections 12 to 14 and 18.1 (connections), LLRP 1.1 section 9.1 (version negotiation).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Final

from readers.driver import Port
from readers.errors import FrameError, LinkError
from simulator.device import Radio
from simulator.llrp.answers import carry_out, refusal
from simulator.llrp.codec import (
    VERSION_1_1,
    Decoder,
    Frame,
    Node,
    RefusedError,
    Status,
    decode,
    encode,
    encode_parameter,
    message_name,
    node,
)
from simulator.llrp.configuration import Configuration, Event
from simulator.llrp.identities import Identity
from simulator.llrp.inventory import Inventory
from simulator.llrp.link import Link
from simulator.llrp.outgoing import Outgoing
from simulator.llrp.shapes import MESSAGES

TICK_S: Final = 0.02  # how often a running inventory reports: well below what a report may be late
IDLE_S: Final = 60.0  # how long a reader with nothing to do waits for a message; any number will do
LAST_WORDS_S: Final = 1.0  # how long a closing reader tries to get its last message out
_US_PER_S: Final = 1_000_000
_READER_EVENT_NOTIFICATION: Final = 63
_NEGOTIATION: Final = (MESSAGES["GET_SUPPORTED_VERSION"].number, MESSAGES["SET_PROTOCOL_VERSION"].number)
_SUCCESS, _CLIENT_EXISTS, _ANOTHER_TRIED = 0, 2, 4
_DISCONNECTED, _CONNECTED = 0, 1


class SimulatedReader:
    """One reader. Times are the world's, as its clients' ports count them; its own clock may be wrong on purpose.

    Args:
        identity: who it is. radio: the tags in front of it.
        clock_offset_us: how far its UTC clock is ahead of the world.
        tick_s: how often a running inventory reports.

    Attributes:
        hung: while true the reader neither answers nor sends, and its connection stays open.
        connections: how many were accepted and refused.
    """

    def __init__(self, identity: Identity, radio: Radio, *, clock_offset_us: int = 0, tick_s: float = TICK_S) -> None:
        self.identity = identity
        self.hung = False
        self.connections: Counter[str] = Counter()
        self._tick_s = tick_s
        self._utc_offset_us = clock_offset_us
        self._radio = radio
        self._link: Link | None = None
        self._next_id = 1
        self._booted_us: int | None = None
        self._boot()

    def _boot(self) -> None:
        self.configuration = Configuration(self.identity)
        self.outgoing = Outgoing(self.identity, self._warn, self._overflow)
        self.inventory = Inventory(
            self.identity, self._radio, self.configuration, self.outgoing.put_report, self._event
        )
        self._notices: dict[str, Node] = {}
        self._booted_us = None

    # -- what a scenario does to it ------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether a client holds it."""
        return self._link is not None

    @property
    def clock_offset_us(self) -> int:
        """How far the UTC clock is ahead of the world; setting it makes the clock jump."""
        return self._utc_offset_us

    @clock_offset_us.setter
    def clock_offset_us(self, value: int) -> None:
        self._utc_offset_us = value
        self._set_clock()

    def set_antenna(self, antenna_port: int, *, connected: bool) -> None:
        """Plug an antenna in or out."""
        self._catch_up()
        if self.configuration.antenna_connected[antenna_port] == connected:
            return
        self.configuration.antenna_connected[antenna_port] = connected
        kind = _CONNECTED if connected else _DISCONNECTED
        self._event(Event.ANTENNA, node("AntennaEvent", EventType=kind, AntennaID=antenna_port), self.inventory.at_us)

    def set_gpi(self, gpi_port: int, *, high: bool) -> None:
        """Change the level of an input."""
        self._catch_up()
        if self.configuration.gpi_high[gpi_port] == high:
            return
        self.configuration.gpi_high[gpi_port] = high
        if self.configuration.gpi_enabled[gpi_port]:
            event = node("GPIEvent", GPIPortNumber=gpi_port, GPIEvent=int(high))
            self._event(Event.GPI, event, self.inventory.at_us)
            self.inventory.gpi_changed(gpi_port, is_high=high)

    def raise_exception(self, message: str) -> None:
        """Let the reader report trouble of its own."""
        self._catch_up()
        self._event(Event.READER_EXCEPTION, node("ReaderExceptionEvent", Message=message), self.inventory.at_us)

    def close_client(self) -> None:
        """Close the connection from the reader's side, with the notification that the standard demands."""
        if self._link is not None:
            self._say(self._link, self._notification(node("ConnectionCloseEvent"), self._link.port.now_us()))
            self._link.closing = True

    async def reboot(self) -> None:
        """Power off and on: the link dies without a word; ROSpecs, configuration and buffer are gone."""
        if self._link is not None:
            self._link.closing = True
            await self._link.port.close()
        self._boot()

    def advance(self, now_us: int) -> None:
        """Play the time up to `now_us`; `serve` does so by itself."""
        if self._booted_us is None:
            self._booted_us = self.inventory.at_us = now_us
            self._set_clock()
        self.inventory.advance(now_us)

    # -- one connection ------------------------------------------------------------------------------------------------

    async def serve(self, port: Port) -> None:
        """Speak the reader's side of one connection until it ends. A second client is told so and closed."""
        if self._link is not None:
            await self._turn_away(port, self._link)
            return
        self.connections["accepted"] += 1
        self.advance(port.now_us())
        link = self._link = Link(port, released=not self.configuration.hold)
        self.outgoing.keeping = True
        sender = asyncio.create_task(self._send_all(link))
        try:
            self._say(link, self._notification(node("ConnectionAttemptEvent", Status=_SUCCESS), port.now_us()))
            link.set_keepalive(self.configuration.keepalive_ms)
            with contextlib.suppress(LinkError):  # the client is gone, and a reader has nobody to complain to
                await self._converse(link)
                await asyncio.wait({sender}, timeout=LAST_WORDS_S)
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            self._let_go(link)
            await port.close()

    async def _turn_away(self, port: Port, first: Link) -> None:
        self.connections["refused"] += 1
        event = node("ConnectionAttemptEvent", Status=_CLIENT_EXISTS)
        refusal = encode(self._notification(event, port.now_us()), self._take_id())
        if self.identity.tells_first_client:
            event = node("ConnectionAttemptEvent", Status=_ANOTHER_TRIED)
            self._say(first, self._notification(event, port.now_us()))
        with contextlib.suppress(LinkError):  # it need not wait for the answer
            await port.send(refusal)
        await port.close()

    def _let_go(self, link: Link) -> None:
        if self._link is link:
            self._link = None
            self.outgoing.keeping = self.configuration.hold or self.identity.keeps_reports_unheld
            if not self.outgoing.keeping:
                self.outgoing.drop_all("no_client")

    async def _converse(self, link: Link) -> None:
        decoder = Decoder()
        while not link.closing:
            data = await link.port.receive(self._wait_s(link))
            self.advance(link.port.now_us())
            if self.hung:
                continue
            try:
                for frame in decoder.feed(data):
                    if not link.closing:  # messages after a ConnectionCloseEvent or CLOSE_CONNECTION are ignored
                        self._answer(link, frame)
            except FrameError:
                self.connections["broken_stream"] += 1
                self.close_client()
            self._keep_alive(link)
            if len(self.outgoing):
                link.wake.set()

    def _wait_s(self, link: Link) -> float:
        if self.inventory.running or self.inventory.waits_for_input:
            return self._tick_s
        waits = [IDLE_S]
        if link.next_keepalive_s is not None:
            waits.append(link.next_keepalive_s - link.port.monotonic_s())
        start_us = self.inventory.next_start_us()
        if start_us is not None:
            waits.append((start_us - link.port.now_us()) / _US_PER_S)
        return max(self._tick_s, min(waits))

    async def _send_all(self, link: Link) -> None:
        try:
            while True:
                chunk = self._next_chunk(link)
                if chunk:
                    await link.port.send(chunk)
                elif link.closing:
                    break
                else:
                    link.wake.clear()
                    await link.wake.wait()
        except LinkError:
            pass  # the client is gone
        self._let_go(link)  # first, so that a client that comes back at once finds the reader free
        await link.port.close()  # so that the receiving side ends as well

    def _next_chunk(self, link: Link) -> bytes:
        if self.hung:
            return b""
        control = b"".join(link.control)
        link.control.clear()
        if link.closing or self._link is not link:
            return control
        if link.released and self._notices:
            control += b"".join(self._wrap(link, notice) for notice in self._notices.values())
            self._notices.clear()
        most = len(self.outgoing) if link.released else link.polled
        reports, count = self.outgoing.take(most, self._next_id, link.version)
        self._next_id += count
        link.polled = max(0, link.polled - count)
        return control + reports

    def _say(self, link: Link, message: Node, message_id: int | None = None) -> None:
        link.say(self._wrap(link, message, message_id))

    def _wrap(self, link: Link, message: Node, message_id: int | None = None) -> bytes:
        return encode(message, self._take_id() if message_id is None else message_id, link.version)

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1 & 0xFFFFFFFF

    def _keep_alive(self, link: Link) -> None:
        if link.closing or not link.keepalive_due(self.configuration.keepalive_ms):
            return
        threshold = self.configuration.link_down_threshold
        if threshold is not None and link.unanswered >= threshold:
            self.connections["given_up"] += 1
            self.close_client()
            return
        link.unanswered += 1
        self._say(link, node("KEEPALIVE"), self.identity.keepalive_id)

    # -- events --------------------------------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        if self._link is not None:
            self.advance(self._link.port.now_us())

    def _set_clock(self) -> None:
        uptime = 0 if self.identity.has_utc_clock or self._booted_us is None else self._booted_us
        self.inventory.clock_offset_us = self._utc_offset_us - uptime

    def _notification(self, event: Node, at_us: int) -> Node:
        clock = "UTCTimestamp" if self.identity.has_utc_clock else "Uptime"
        stamp = node(clock, Microseconds=max(0, at_us + self.inventory.clock_offset_us))
        return node("READER_EVENT_NOTIFICATION", node("ReaderEventNotificationData", stamp, event))

    def _event(self, kind: Event, event: Node, at_us: int) -> None:
        if self.configuration.events[kind]:
            body = b"".join(map(encode_parameter, self._notification(event, at_us).children))
            self.outgoing.put_event(_READER_EVENT_NOTIFICATION, body)
            if self._link is not None:
                self._link.wake.set()

    def _warn(self, percent: int) -> None:
        if self.identity.can_warn and self.configuration.events[Event.BUFFER_WARNING]:
            self._urgent(node("ReportBufferLevelWarningEvent", ReportBufferPercentageFull=percent))

    def _overflow(self) -> None:
        self._urgent(node("ReportBufferOverflowErrorEvent"))

    def _urgent(self, event: Node) -> None:
        """An event about the buffer itself: it cannot wait in it."""
        self._notices[event.name] = self._notification(event, self.inventory.at_us)
        if self._link is not None:
            self._link.wake.set()

    # -- requests ------------------------------------------------------------------------------------------------------

    def _answer(self, link: Link, frame: Frame) -> None:
        if not self._speaks(link, frame):
            text = f"version {frame.version} is not in force; {link.version} is"
            error = node("ERROR_MESSAGE", RefusedError(Status.M_UNSUPPORTED_VERSION, text).status("ERROR_MESSAGE"))
            link.say(encode(error, frame.message_id, frame.version))
            return
        name = message_name(frame)
        try:
            message = decode(frame)
            name = message.name
            reply = carry_out(self, link, message)
        except RefusedError as refused:
            reply = refusal(name, refused)
        if reply is not None:
            link.say(encode(reply, frame.message_id, frame.version))

    def _speaks(self, link: Link, frame: Frame) -> bool:
        if frame.type in _NEGOTIATION and VERSION_1_1 in self.identity.versions:
            return frame.version == VERSION_1_1
        return frame.version == link.version
