"""Request and reply on a DL/T 698.45 line: deadlines, matching of replies, replies in fragments and in blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from readers.bus import NoReplyError, ReplyDelay
from readers.codecs.dlt698 import (
    MAX_FRAME_BYTES,
    REQUEST,
    WILDCARD,
    AddressKind,
    Decoder,
    Fragment,
    Frame,
    Reassembly,
    acknowledgement,
    encode,
)
from readers.codecs.dlt698_apdu import (
    PIID_MASK,
    Fault,
    Get,
    GetNext,
    GetRecord,
    Reply,
    Request,
    Secured,
    decode_reply,
    encode_request,
)
from readers.codecs.dlt698_data import Data
from readers.codecs.dlt698_objects import ADDRESS, address_of
from readers.driver import Port, Report
from readers.errors import FrameError, ReaderError
from readers.observations import Rejected

REPLY_WITHIN_S: Final = 1.0
LATENCY_S: Final = 0.2  # adapters and device servers hand bytes on in bundles
BYTE_GAP_S: Final = 0.5
BITS_PER_CHARACTER: Final = 11
REST_CHARACTERS: Final = 3.5  # between a reply and the next request, for transceivers to turn round
MOST_BLOCKS: Final = 64
_SHORTEST_DELAY_S: Final = 0.1
_MARGIN_S: Final = 0.1
_MARGIN_BYTES: Final = 40
_FRAME_OVERHEAD_BYTES: Final = 16
_TURNS_TO_EMPTY: Final = 16
_WILDCARD_KINDS: Final = (AddressKind.WILDCARD, AddressKind.SINGLE)
"""How the only meter of a line is addressed: as the standard says, and as some test programs do."""


class RefusedError(ReaderError):
    """A meter answered that it does nothing with the request."""


class Line:
    """One request at a time to many meters.

    Args:
        client: how this client names itself.
        baud: the speed, for deadlines, where the port does not know its own.
    """

    def __init__(self, port: Port, report: Report, *, client: int, wake_up_bytes: int, baud: int) -> None:
        self._port = port
        self._report = report
        self._client = client
        self._wake_up_bytes = wake_up_bytes
        self._byte_s = BITS_PER_CHARACTER / (port.baud or baud)
        self._decoder = Decoder()
        self._rests_until_s = 0.0
        self._number = 0

    def now_us(self) -> int:
        """The host's UTC time."""
        return self._port.now_us()

    def now_s(self) -> float:
        """The clock of the line's deadlines."""
        return self._port.monotonic_s()

    def delay(self) -> ReplyDelay:
        """What is to be learnt of one more meter."""
        margin_s = _MARGIN_S + _MARGIN_BYTES * self._byte_s
        return ReplyDelay(least_s=_SHORTEST_DELAY_S, most_s=REPLY_WITHIN_S + LATENCY_S, margin_s=margin_s)

    async def ask_address(self, source: str, delay: ReplyDelay) -> str:
        """The address of the only meter on the line.

        Raises:
            NoReplyError: there is none. LinkError: the line is gone.
        """
        for kind in _WILDCARD_KINDS:
            try:
                frame, reply = await self._ask(
                    Frame(WILDCARD, self._client, REQUEST, kind=kind), Get((ADDRESS,)), source, delay
                )
            except NoReplyError:
                continue
            if frame.address != WILDCARD:
                return frame.address  # whatever it answered came from there
            value = reply.results[0].value if isinstance(reply, Reply) and reply.results else None
            if isinstance(value, Data):
                try:
                    return address_of(value)
                except FrameError as error:
                    self._reject(f"data_{error.reason}", source, frame.payload)
        raise NoReplyError(
            f"{self._port.description}: no meter tells its address; several may be on this line: set their addresses, "
            "and check the wiring, and speed and parity of the line"
        )

    async def get(self, to: Frame, request: Request, tries: int, source: str, delay: ReplyDelay) -> Reply:
        """The reply, from as many frames and blocks as the meter needs.

        Raises:
            NoReplyError: no valid reply in time. RefusedError: the meter says no. LinkError: the line is gone.
        """
        for left in range(tries - 1, -1, -1):
            try:
                return await self._whole(to, request, source, delay)
            except NoReplyError:
                if not left:
                    raise
        raise AssertionError("it is tried at least once")  # pragma: no cover

    def to(self, address: str, logical: int) -> Frame:
        """The head of a request to a meter."""
        return Frame(address, self._client, REQUEST, logical=logical)

    def stray(self, data: bytes) -> None:
        """Count what came without being asked for."""
        self._drop(data, None)

    async def _whole(self, to: Frame, request: Request, source: str, delay: ReplyDelay) -> Reply:
        reply = await self._answer(to, request, source, delay)
        block = reply.block
        if block is None:
            return reply
        results, records = list(reply.results), list(reply.records)
        blocks = 1
        while reply.refusal is None and not block.is_last:
            blocks += 1
            if blocks > MOST_BLOCKS:
                raise RefusedError(f"the reply has no end after {MOST_BLOCKS} blocks")
            reply = await self._answer(to, GetNext(block.number), source, delay)
            if reply.refusal is not None:
                break
            if reply.block is None or reply.block.number != block.number + 1:
                self._reject("foreign_block", source, b"")
                raise NoReplyError(f"{self._port.description}: meter {to.address} lost the thread of its blocks")
            block = reply.block
            results += reply.results
            records += reply.records
        if reply.refusal is not None:
            raise RefusedError(str(reply.refusal))
        return replace(reply, results=tuple(results), records=tuple(records), block=None)

    async def _answer(self, to: Frame, request: Request, source: str, delay: ReplyDelay) -> Reply:
        _, reply = await self._ask(to, request, source, delay)
        match reply:
            case Fault():
                raise RefusedError(str(reply))
            case Secured(refusal=None):
                raise RefusedError("the meter answers encrypted, which cannot be read without its keys")
            case Secured(refusal=refusal):
                raise RefusedError(f"the meter's security module refuses with {refusal}")
        return reply

    async def _ask(
        self, to: Frame, request: Request, source: str, delay: ReplyDelay
    ) -> tuple[Frame, Reply | Fault | Secured]:
        await self._ready(source)
        if not isinstance(request, GetNext):  # the blocks of a reply have the number of the request
            self._number = (self._number + 1) & PIID_MASK
        raw = encode(replace(to, payload=encode_request(request, self._number)), self._wake_up_bytes)
        await self._port.send(raw)
        found = await self._reply(to, request, len(raw) * self._byte_s, source, delay)
        if found is None:
            delay.missed()
            what = ", ".join(map(str, request.oads)) if isinstance(request, Get) else "its records"
            raise NoReplyError(
                f"{self._port.description}: meter {to.address} was asked for {what} and did not answer; check its "
                "address, the wiring, and speed and parity of the line"
            )
        return found

    async def _reply(
        self, to: Frame, request: Request, sending_s: float, source: str, delay: ReplyDelay
    ) -> tuple[Frame, Reply | Fault | Secured] | None:
        """The reply to this request; all else that comes is counted and passed over."""
        sent_s = self._port.monotonic_s() + sending_s
        first_by_s = until_s = sent_s + delay.within_s
        last_by_s = first_by_s + MAX_FRAME_BYTES * self._byte_s + BYTE_GAP_S
        self._rests_until_s = sent_s
        parts: Reassembly | None = None
        began = False
        while (left_s := min(until_s, last_by_s) - self._port.monotonic_s()) > 0:
            data = await self._port.receive(left_s)
            for frame in self._frames(data, source):
                now_s = self._port.monotonic_s()
                if not self._is_ours(frame, to, source):
                    continue
                if not began:
                    began = True
                    delay.heard(now_s - sent_s - (len(frame.payload) + _FRAME_OVERHEAD_BYTES) * self._byte_s)
                self._rests_until_s = now_s + REST_CHARACTERS * self._byte_s
                apdu = frame.payload
                if frame.is_fragment:
                    parts = parts or Reassembly()
                    whole = await self._part(frame, parts, source)
                    if whole is None:
                        first_by_s = until_s = self._port.monotonic_s() + REPLY_WITHIN_S + LATENCY_S
                        last_by_s = first_by_s + MAX_FRAME_BYTES * self._byte_s + BYTE_GAP_S
                        continue
                    apdu = whole
                reply = self._read(apdu, request, source)
                if reply is not None:
                    return frame, reply
            if self._decoder.holds:  # a reply is on its way
                until_s = max(first_by_s, self._port.monotonic_s() + BYTE_GAP_S)
        for frame in self._frames(b"", source):
            self._reject("late", source, frame.payload)
        return None

    async def _part(self, frame: Frame, parts: Reassembly, source: str) -> bytes | None:
        """Take a fragment and ask for the next; the APDU when it is whole."""
        try:
            fragment = Fragment.decode(frame.payload)
            apdu = parts.add(fragment)
        except FrameError as error:
            self._reject(error.reason, source, error.frame)
            return None
        if apdu is None:
            await self._rest()
            await self._port.send(encode(acknowledgement(frame, fragment.number), self._wake_up_bytes))
        return apdu

    def _is_ours(self, frame: Frame, to: Frame, source: str) -> bool:
        if not frame.is_reply:
            if frame.control & 0x80:  # what a meter says by itself
                self._reject("report", source, frame.payload)
            return False  # else the echo of our own request
        wrong = None
        if to.address != WILDCARD and (frame.address != to.address or frame.logical != to.logical):
            wrong = "foreign_address"
        elif frame.client != to.client:
            wrong = "foreign_client"
        if wrong is not None:
            self._reject(wrong, source, frame.payload)
        return wrong is None

    def _read(self, apdu: bytes, request: Request, source: str) -> Reply | Fault | Secured | None:
        """What the APDU says when it answers this request."""
        try:
            reply = decode_reply(apdu)
        except FrameError as error:
            self._reject(f"data_{error.reason}", source, apdu)
            return None
        if isinstance(reply, Secured):
            return reply
        wrong = None
        if reply.number != self._number:
            wrong = "foreign_number"
        elif isinstance(reply, Reply) and reply.refusal is None and not _answers(reply, request):
            wrong = "foreign_object"
        if wrong is None:
            return reply
        self._reject(wrong, source, apdu)
        return None

    async def _ready(self, source: str | None) -> None:
        """Wait until the line rests; count and drop what came without being asked for."""
        await self._rest()
        for _ in range(_TURNS_TO_EMPTY):
            data = await self._port.receive(0)
            if not data:
                break
            self._drop(data, source)
        self._frames(b"", source)

    async def _rest(self) -> None:
        rest_s = self._rests_until_s - self._port.monotonic_s()
        if rest_s > 0:
            await self._port.pause(rest_s)

    def _drop(self, data: bytes, source: str | None) -> None:
        for frame in self._frames(data, source):
            if frame.is_reply:
                self._reject("late", source, frame.payload)

    def _frames(self, data: bytes, source: str | None) -> list[Frame]:
        frames = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self._report(Rejected(reason, count, sample=self._decoder.reject_sample, source=source))
        return frames

    def _reject(self, reason: str, source: str | None, sample: bytes) -> None:
        self._report(Rejected(reason, sample=sample[:64], source=source))


def _answers(reply: Reply, request: Request) -> bool:
    """Whether the objects of a reply are those of the request."""
    oads = [result.oad for result in reply.results]
    match request:
        case Get(oads=asked):
            return not reply.records and (set(oads) <= set(asked) if reply.block else set(oads) == set(asked))
        case GetRecord(oad=oad):
            return not oads and all(record.oad == oad for record in reply.records)
        case _:
            return reply.block is not None
