"""What carries APDUs to one logical device and back: HDLC on a line, the wrapper on TCP.

HDLC, with a window of one frame: SNRM and UA begin a link and set the numbers to 0; information frames carry APDUs in
segments of 128 bytes, each acknowledged; what is lost is asked for by RR with the number that is missing, and what the
meter missed is sent again under its old number, so that it never takes it twice. DISC ends the link.

Source: IEC 62056-46:2002+A1, sections 6.4.4 and 6.4.5; DLMS UA Green Book Ed. 8.1, sections 8.4.5 and 7.3.3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from readers.bus import NoReplyError, ReplyDelay
from readers.codecs import dlms_hdlc, dlms_wrapper
from readers.codecs.dlms_hdlc import FROM_METER, TO_METER, Address, Kind, information, supervisory
from readers.codecs.framing import Scanner
from readers.driver import Port, Report
from readers.errors import FrameError
from readers.meters.dlms.association import CLIENT_MAX_PDU_BYTES, LostError
from readers.observations import Rejected

INFORMATION_BYTES: Final = 128
BYTE_GAP_S: Final = 0.5  # adapters and device servers hand bytes on in bundles
BITS_PER_CHARACTER: Final = 10
REST_CHARACTERS: Final = 3.5  # for transceivers to turn round
POLLS: Final = 2  # how often a missing answer is asked for
_MOST_SEGMENTS: Final = 64
_MOST_APDU_BYTES: Final = 2 * CLIENT_MAX_PDU_BYTES
_TO_METER_LIMIT: Final = 6  # parameter of UA: what the meter takes in one information field
_PARAMETERS: Final = b"\x81\x80"
_LEAST_INFORMATION_BYTES: Final = 32
FrameT = TypeVar("FrameT")


class Wire(Generic[FrameT]):
    """The bytes of one port: one request at a time, whoever it is for.

    Args:
        byte_s: how long a byte is on the line; 0 where there is no line.
        most_bytes: of one frame.
    """

    def __init__(self, port: Port, report: Report, decoder: Scanner[FrameT], *, byte_s: float, most_bytes: int) -> None:
        self._port = port
        self._report = report
        self._decoder = decoder
        self._byte_s = byte_s
        self._most_s = most_bytes * byte_s
        self._rests_until_s = 0.0
        self._sent_s = 0.0
        self._waiting: deque[FrameT] = deque()  # frames that came together with the one before

    @property
    def description(self) -> str:
        """Where it leads."""
        return self._port.description

    def reply_delay(self, answer_within_s: float) -> ReplyDelay:
        """What is to be learnt of one meter's patience."""
        return ReplyDelay(least_s=min(0.1, answer_within_s), most_s=answer_within_s, margin_s=0.1 + 40 * self._byte_s)

    async def send(self, raw: bytes, source: str) -> None:
        """Send a frame once the line rests; what came without being asked for is counted.

        Raises:
            LinkError: the port is gone.
        """
        rest_s = self._rests_until_s - self._port.monotonic_s()
        if rest_s > 0:
            await self._port.pause(rest_s)
        self.stray(await self._port.receive(0), source)
        self.stray(b"", source)  # what is held of a frame by now can be none
        await self._port.send(raw)
        self._sent_s = self._port.monotonic_s() + len(raw) * self._byte_s

    async def hear(self, wrong: Callable[[FrameT], str | None], delay: ReplyDelay, source: str) -> FrameT | None:
        """The next frame that `wrong` finds nothing wrong with; None when none came in time.

        `wrong` gives None for what is waited for, "" for what needs no counting, else the reason to count.

        Raises:
            LinkError: the port is gone.
        """
        first_by_s = max(self._sent_s, self._port.monotonic_s()) + delay.within_s
        last_by_s = first_by_s + self._most_s + BYTE_GAP_S
        until_s = first_by_s
        while (left_s := min(until_s, last_by_s) - self._port.monotonic_s()) > 0:
            if not self._waiting:
                self._waiting += self._frames(await self._port.receive(left_s), source)
            while self._waiting:
                reason = wrong(frame := self._waiting.popleft())
                if reason is None:
                    now_s = self._port.monotonic_s()
                    delay.heard(now_s - self._sent_s - self._byte_s * dlms_hdlc.OVERHEAD_BYTES)
                    self._rests_until_s = now_s + REST_CHARACTERS * self._byte_s
                    return frame
                if reason:
                    self.reject(reason, source)
            if self._decoder.holds:  # a frame is on its way
                until_s = max(first_by_s, self._port.monotonic_s() + BYTE_GAP_S)
        self._frames(b"", source)
        delay.missed()
        return None

    def stray(self, data: bytes, source: str | None = None) -> None:
        """Count what came without being asked for."""
        frames = [*self._waiting, *self._frames(data, source)]
        self._waiting.clear()
        for _ in frames:
            self.reject("late", source)

    def reject(self, reason: str, source: str | None, sample: bytes = b"", reads_lost: int = 0) -> None:
        """Count something that came and is of no use."""
        self._report(Rejected(reason, sample=sample, source=source, reads_lost=reads_lost))

    def _frames(self, data: bytes, source: str | None) -> list[FrameT]:
        frames = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self._report(Rejected(reason, count, sample=self._decoder.reject_sample, source=source))
        return frames


class Link(Protocol):
    """What carries APDUs between one client and one logical device."""

    async def open(self) -> None:
        """Begin anew.

        Raises:
            NoReplyError: the meter is silent. LostError: it refuses. LinkError: the port is gone.
        """

    async def send(self, apdu: bytes) -> None:
        """Send an APDU.

        Raises:
            NoReplyError: the meter does not acknowledge it. LostError: the link is over. LinkError: the port is gone.
        """

    async def receive(self, *, repeats: bool = True) -> bytes:
        """The next APDU from the meter.

        Args:
            repeats: send the APDU again that the meter says it has missed.

        Raises:
            NoReplyError: none came. LostError: the link is over. LinkError: the port is gone.
        """

    async def close(self, release: bytes) -> None:
        """End it; a meter that does not answer does not matter. `release` is the RLRQ.

        Raises:
            LinkError: the port is gone.
        """


class WrapperLink:
    """APDUs in the wrapper."""

    def __init__(self, wire: Wire[dlms_wrapper.Frame], name: str, client: int, logical: int, delay: ReplyDelay) -> None:
        self._wire = wire
        self._name = name
        self._client = client
        self._logical = logical
        self._delay = delay

    async def open(self) -> None:
        """See `Link`."""

    async def send(self, apdu: bytes) -> None:
        """See `Link`."""
        await self._wire.send(dlms_wrapper.encode(dlms_wrapper.Frame(self._client, self._logical, apdu)), self._name)

    async def receive(self, *, repeats: bool = True) -> bytes:
        """See `Link`."""
        del repeats  # TCP does
        frame = await self._wire.hear(self._wrong, self._delay, self._name)
        if frame is None:
            raise NoReplyError(
                f"{self._wire.description}: meter {self._name} (client {self._client}, logical device {self._logical}) "
                "does not answer; check these numbers, and whether another client holds the meter"
            )
        return frame.apdu

    async def close(self, release: bytes) -> None:
        """See `Link`."""
        await self.send(release)
        await self._wire.hear(self._wrong, self._delay, self._name)

    def _wrong(self, frame: dlms_wrapper.Frame) -> str | None:
        return None if (frame.source, frame.destination) == (self._logical, self._client) else "foreign_address"


class HdlcLink:
    """APDUs in information frames of HDLC."""

    def __init__(self, wire: Wire[dlms_hdlc.Frame], name: str, client: int, meter: Address, delay: ReplyDelay) -> None:
        self._wire = wire
        self._name = name
        self._client = Address(client)
        self._meter = meter
        self._delay = delay
        self._most = INFORMATION_BYTES
        self._sent = 0  # N(S) of the next frame to the meter
        self._expected = 0  # N(S) of the next frame from it
        self._last = b""

    async def open(self) -> None:
        """See `Link`."""
        self._sent = self._expected = 0
        self._most = INFORMATION_BYTES
        for _ in range(POLLS):
            frame = await self._ask(self._raw(Kind.SET_NORMAL_RESPONSE_MODE | dlms_hdlc.POLL_FINAL))
            if frame is None:
                continue
            if frame.kind == Kind.UNNUMBERED_ACKNOWLEDGE:
                self._most = min(self._most, most_information(frame.information))
                return
            if frame.kind == Kind.DISCONNECTED_MODE:
                raise LostError("it refuses the HDLC link (DM)")
            self._wire.reject("foreign_kind", self._name)
        raise self._silence("SNRM")

    async def send(self, apdu: bytes) -> None:
        """See `Link`."""
        content = TO_METER + apdu
        pieces = [content[at : at + self._most] for at in range(0, len(content), self._most)]
        for piece in pieces[:-1]:
            await self._send_piece(piece, is_segmented=True)
            await self._acknowledged()
        await self._send_piece(pieces[-1], is_segmented=False)

    async def receive(self, *, repeats: bool = True) -> bytes:
        """See `Link`."""
        told = bytearray()
        for _ in range(_MOST_SEGMENTS):
            frame = await self._next_information(repeats=repeats)
            told += frame.information
            if len(told) > _MOST_APDU_BYTES:
                raise FrameError("length", f"an APDU of more than {_MOST_APDU_BYTES} bytes")
            if not frame.is_segmented:
                break
            if frame.is_final:
                await self._wire.send(self._raw(supervisory(Kind.RECEIVE_READY, self._expected)), self._name)
        else:
            raise FrameError("segments", f"an APDU in more than {_MOST_SEGMENTS} frames")
        if not told.startswith(FROM_METER):
            raise FrameError("llc", f"must begin with {FROM_METER.hex(' ').upper()}", bytes(told))
        return bytes(told[len(FROM_METER) :])

    async def close(self, release: bytes) -> None:
        """See `Link`."""
        del release  # the end of the link ends all associations
        await self._ask(self._raw(Kind.DISCONNECT | dlms_hdlc.POLL_FINAL))

    async def _send_piece(self, piece: bytes, *, is_segmented: bool) -> None:
        self._last = self._raw(information(self._sent, self._expected), piece, is_segmented=is_segmented)
        self._sent = (self._sent + 1) % dlms_hdlc.NUMBERS
        await self._wire.send(self._last, self._name)

    async def _acknowledged(self) -> None:
        """Wait until the meter has taken the segment that was sent."""
        for _ in range(POLLS + 1):
            frame = await self._hear()
            if frame is not None and frame.kind == Kind.RECEIVE_READY and frame.receive_number == self._sent:
                return
            await self._recover(frame, repeats=True)
        raise self._silence("a segment")

    async def _next_information(self, *, repeats: bool) -> dlms_hdlc.Frame:
        for _ in range(POLLS + 1):
            frame = await self._hear()
            if frame is not None and frame.kind == Kind.INFORMATION:
                if frame.send_number == self._expected and frame.receive_number == self._sent:
                    self._expected = (self._expected + 1) % dlms_hdlc.NUMBERS
                    return frame
                self._wire.reject("foreign_number", self._name)
            await self._recover(frame, repeats=repeats)
        raise self._silence("a request")

    async def _recover(self, frame: dlms_hdlc.Frame | None, *, repeats: bool) -> None:
        """Ask for what is missing, or send again what the meter has missed."""
        missed = (self._sent - 1) % dlms_hdlc.NUMBERS
        if frame is not None and frame.kind == Kind.RECEIVE_READY and frame.receive_number == missed:
            if not repeats:
                raise self._silence("an order, which it says it has not heard")
            await self._wire.send(self._last, self._name)
        else:
            await self._wire.send(self._raw(supervisory(Kind.RECEIVE_READY, self._expected)), self._name)

    async def _ask(self, raw: bytes) -> dlms_hdlc.Frame | None:
        await self._wire.send(raw, self._name)
        return await self._wire.hear(self._wrong, self._delay, self._name)

    async def _hear(self) -> dlms_hdlc.Frame | None:
        frame = await self._wire.hear(self._wrong, self._delay, self._name)
        if frame is not None and frame.kind in (
            Kind.DISCONNECTED_MODE,
            Kind.FRAME_REJECT,
            Kind.UNNUMBERED_ACKNOWLEDGE,
        ):
            raise LostError(f"it has ended the HDLC link ({Kind(frame.kind).name.lower().replace('_', ' ')})")
        return frame

    def _wrong(self, frame: dlms_hdlc.Frame) -> str | None:
        if (frame.destination, frame.source) == (self._meter, self._client):
            return ""  # the echo of our own frame
        return None if (frame.source, frame.destination) == (self._meter, self._client) else "foreign_address"

    def _raw(self, control: int, content: bytes = b"", *, is_segmented: bool = False) -> bytes:
        return dlms_hdlc.encode(dlms_hdlc.Frame(self._meter, self._client, control, content, is_segmented))

    def _silence(self, what: str) -> NoReplyError:
        address = self._meter.encode().hex(" ").upper()
        return NoReplyError(
            f"{self._wire.description}: meter {self._name} (client {self._client.upper}, address {address} on the "
            f"line) does not answer {what}; check its address, the wiring, and speed and parity of the line"
        )


def most_information(parameters: bytes) -> int:
    """How much a meter takes in one information field, as its UA says; else what the standard presumes."""
    if not parameters.startswith(_PARAMETERS):
        return INFORMATION_BYTES
    at = len(_PARAMETERS) + 1
    while at + 2 <= len(parameters):
        kind, size = parameters[at], parameters[at + 1]
        value = int.from_bytes(parameters[at + 2 : at + 2 + size], "big")
        if kind == _TO_METER_LIMIT:
            return max(value, _LEAST_INFORMATION_BYTES)
        at += 2 + size
    return INFORMATION_BYTES


def address_of(logical: int, physical: int | None, size: int | None = None) -> Address:
    """The HDLC address of a meter: one byte, or two or four with a physical device."""
    if physical is None:
        return Address(logical)
    return Address(logical, physical, size or (2 if max(logical, physical) < 0x80 else 4))  # noqa: PLR2004 - seven bits
