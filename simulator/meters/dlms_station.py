"""The HDLC layer of a simulated DLMS/COSEM meter: a secondary station in normal response mode, window 1."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from readers.codecs.dlms_hdlc import (
    FROM_METER,
    NUMBERS,
    POLL_FINAL,
    TO_METER,
    Address,
    Frame,
    Kind,
    information,
    supervisory,
)
from simulator.meters.dlms_meter import Behaviour
from simulator.meters.dlms_server import Server

_USUAL_BYTES: Final = 128
_SEVEN_BITS: Final = 0x7F


@dataclass(slots=True)
class _Link:
    """One link with one client.

    Attributes:
        next_sent, expected: N(S) of the next frame to the client, and of the next from it.
    """

    next_sent: int = 0
    expected: int = 0
    heard: bytearray = field(default_factory=bytearray)
    waiting: deque[bytes] = field(default_factory=deque)
    last: Frame | None = None
    at_s: float = 0.0


class Station:
    """One meter on the line."""

    def __init__(self, server: Server, monotonic_s: Callable[[], float]) -> None:
        self._server = server
        self._now_s = monotonic_s
        self._links: dict[int, _Link] = {}
        self._replies = 0
        meter = server.meter
        if meter.physical is None:
            self.address = Address(meter.logical)
        else:
            size = meter.address_bytes or (2 if max(meter.logical, meter.physical) <= _SEVEN_BITS else 4)
            self.address = Address(meter.logical, meter.physical, size)

    @property
    def behaviour(self) -> Behaviour:
        """How it behaves."""
        return self._server.meter.behaviour

    def answer(self, frame: Frame) -> Frame | None:
        """The frame that answers one of the line; None where it is not for this meter, or gets lost."""
        if frame.destination != self.address or self.behaviour.silent:
            return None
        reply = self._answer(frame)
        self._replies += 1
        lost = self.behaviour.loses_reply
        return None if lost and lost(self._replies) else reply

    def _answer(self, frame: Frame) -> Frame | None:
        client = frame.source.upper
        link = self._links.get(client)
        patience_s = self.behaviour.forgets_after_s
        if link is not None and patience_s is not None and self._now_s() - link.at_s > patience_s:
            self._end(client)
            link = None
        if link is not None:
            link.at_s = self._now_s()
        match frame.kind:
            case Kind.SET_NORMAL_RESPONSE_MODE:
                self._server.forget(client)
                self._links[client] = _Link(at_s=self._now_s())
                return self._reply(frame, Kind.UNNUMBERED_ACKNOWLEDGE | POLL_FINAL, self._parameters())
            case Kind.DISCONNECT if link is not None:
                self._end(client)
                return self._reply(frame, Kind.UNNUMBERED_ACKNOWLEDGE | POLL_FINAL)
            case Kind.INFORMATION if link is not None:
                return self._take(frame, link)
            case Kind.RECEIVE_READY if link is not None:
                return self._ready(frame, link)
            case _:
                return self._reply(frame, Kind.DISCONNECTED_MODE | POLL_FINAL)

    def _end(self, client: int) -> None:
        self._links.pop(client, None)
        self._server.forget(client)

    def _take(self, frame: Frame, link: _Link) -> Frame | None:
        if frame.send_number != link.expected:  # heard before: the answer got lost
            return link.last or self._reply(frame, supervisory(Kind.RECEIVE_READY, link.expected))
        link.expected = (link.expected + 1) % NUMBERS
        link.heard += frame.information
        if frame.is_segmented:
            return self._keep(link, self._reply(frame, supervisory(Kind.RECEIVE_READY, link.expected)))
        request, link.heard = bytes(link.heard), bytearray()
        if not request.startswith(TO_METER):
            return self._reply(frame, Kind.FRAME_REJECT | POLL_FINAL)
        answer = self._server.answer(frame.source.upper, request[len(TO_METER) :])
        if answer is None:
            return self._keep(link, self._reply(frame, supervisory(Kind.RECEIVE_READY, link.expected)))
        content, most = FROM_METER + answer, min(self.behaviour.information_bytes, _USUAL_BYTES)
        link.waiting = deque(content[at : at + most] for at in range(0, len(content), most))
        return self._piece(frame, link)

    def _ready(self, frame: Frame, link: _Link) -> Frame | None:
        if frame.receive_number != link.next_sent:
            return link.last
        if link.waiting:
            return self._piece(frame, link)
        return self._reply(frame, supervisory(Kind.RECEIVE_READY, link.expected))

    def _piece(self, frame: Frame, link: _Link) -> Frame:
        piece = link.waiting.popleft()
        control = information(link.next_sent, link.expected)
        link.next_sent = (link.next_sent + 1) % NUMBERS
        return self._keep(link, self._reply(frame, control, piece, is_segmented=bool(link.waiting)))

    @staticmethod
    def _keep(link: _Link, reply: Frame) -> Frame:
        link.last = reply
        return reply

    def _reply(self, frame: Frame, control: int, content: bytes = b"", *, is_segmented: bool = False) -> Frame:
        return Frame(frame.source, self.address, control, content, is_segmented)

    def _parameters(self) -> bytes:
        """What this meter takes and sends in one field, and the window."""
        size = self.behaviour.information_bytes.to_bytes(2, "big")
        content = b"\x05\x02" + size + b"\x06\x02" + size + bytes.fromhex("070400000001080400000001")
        return b"\x81\x80" + bytes([len(content)]) + content
