"""Request and reply on a DL/T 645 line: deadlines, matching of replies, replies in several frames."""

from __future__ import annotations

from typing import Final

from readers.codecs.dlt645 import (
    ADDRESS_BYTES,
    IDENTIFIER_BYTES,
    MAX_FRAME_BYTES,
    OVERHEAD_BYTES,
    WILDCARD,
    Decoder,
    Frame,
    Function,
    encode,
    identifier_bytes,
    matches,
)
from readers.driver import Port, Report
from readers.errors import ReaderError
from readers.observations import Rejected

REPLY_WITHIN_S: Final = 0.5  # Td of DL/T 645-2007
BYTE_GAP_S: Final = 0.5  # Tb
LATENCY_S: Final = 0.2  # adapters and device servers hand bytes on in bundles
BITS_PER_CHARACTER: Final = 11
MAX_PARTS: Final = 32  # replies in more frames than this are no answer to anything that is read here
_TURNS_TO_EMPTY: Final = 16
_SHORTEST_WAIT_S: Final = 0.001  # a rest that the clock cannot resolve would be waited for without end


class NoReplyError(ReaderError):
    """A meter did not answer in time, however often it was asked."""


class RefusedError(ReaderError):
    """A meter answered with an error byte."""

    def __init__(self, error: int) -> None:
        self.error = error
        super().__init__(error)


class Line:
    """One request at a time to many meters.

    Args:
        baud: the speed, for deadlines, where the port does not know its own.
    """

    def __init__(self, port: Port, report: Report, *, wake_up_bytes: int, baud: int) -> None:
        self._port = port
        self._report = report
        self._wake_up_bytes = wake_up_bytes
        self._byte_s = BITS_PER_CHARACTER / (port.baud or baud)
        self._decoder = Decoder()

    def now_us(self) -> int:
        """The host's UTC time."""
        return self._port.now_us()

    def now_s(self) -> float:
        """The clock of the line's deadlines."""
        return self._port.monotonic_s()

    async def ask_address(self, tries: int, source: str) -> str:
        """The address of the only meter on the line.

        Raises:
            NoReplyError: there is none. LinkError: the line is gone.
        """
        try:
            frame = await self._ask(Frame(WILDCARD, Function.READ_ADDRESS), None, tries, source)
        except RefusedError as refusal:
            raise NoReplyError(
                f"{self._port.description}: the meter refuses to tell its address, with error {refusal.error:02X}; "
                "set the address that is printed on it"
            ) from refusal
        if len(frame.data) != ADDRESS_BYTES or not frame.address.isdecimal():
            self._reject("address", source, frame.data)
            raise NoReplyError(
                f"{self._port.description}: the meter's address came as {frame.address} with {len(frame.data)} bytes, "
                "6 bytes of digits would be right; several meters may be on this line: set their addresses"
            )
        return frame.address

    async def idle(self, seconds: float) -> None:
        """Let time pass; what comes without being asked for is counted.

        Raises:
            LinkError: the line is gone.
        """
        until_s = self._port.monotonic_s() + seconds
        while (left_s := until_s - self._port.monotonic_s()) > 0:
            self._drop(await self._port.receive(max(left_s, _SHORTEST_WAIT_S)), None)

    async def read(self, address: str, identifier: int, tries: int, source: str) -> bytes:
        """The data of an identifier, from as many frames as the meter needs.

        Raises:
            NoReplyError: no valid reply in time. RefusedError: the meter says no. LinkError: the line is gone.
        """
        name = identifier_bytes(identifier)
        frame = await self._ask(Frame(address, Function.READ, name), identifier, tries, source)
        data = frame.data[IDENTIFIER_BYTES:]
        part = 0
        while frame.has_more:
            part += 1
            if part >= MAX_PARTS:
                self._reject("too_many_parts", source, data[:MAX_FRAME_BYTES])
                raise NoReplyError(f"{self._port.description}: {identifier:08X} has no end after {part} frames")
            request = Frame(address, Function.READ_MORE, name + bytes([part]))
            frame = await self._ask(request, identifier, tries, source, part)
            data += frame.data[IDENTIFIER_BYTES:-1]
        return data

    async def _ask(
        self, request: Frame, identifier: int | None, tries: int, source: str, part: int | None = None
    ) -> Frame:
        for _ in range(tries):
            await self._empty(source)
            raw = encode(request, self._wake_up_bytes)
            await self._port.send(raw)
            reply = await self._reply(request, identifier, len(raw) * self._byte_s, source, part)
            if reply is not None:
                return reply
        what = "the address" if identifier is None else f"{identifier:08X}"
        times = "once" if tries == 1 else f"{tries} times"
        raise NoReplyError(
            f"{self._port.description}: meter {request.address} was asked {times} for {what} and did not answer; "
            "check its address, the wiring, and speed and parity of the line"
        )

    async def _reply(
        self, request: Frame, identifier: int | None, sending_s: float, source: str, part: int | None
    ) -> Frame | None:
        """The reply to this request; all else that comes is counted and passed over."""
        began_s = self._port.monotonic_s()
        first_by_s = began_s + sending_s + REPLY_WITHIN_S + LATENCY_S
        last_by_s = first_by_s + (MAX_FRAME_BYTES + OVERHEAD_BYTES) * self._byte_s + BYTE_GAP_S
        until_s = first_by_s
        while (left_s := min(until_s, last_by_s) - self._port.monotonic_s()) > 0:
            data = await self._port.receive(left_s)
            for frame in self._frames(data, source):
                wrong = _mismatch(frame, request, identifier, part)
                if wrong is None and frame.is_error:
                    raise RefusedError(frame.data[0])
                if wrong is None:
                    return frame
                if wrong:
                    self._reject(wrong, source, frame.data)
            if self._decoder.holds:  # a reply is on its way
                until_s = max(first_by_s, self._port.monotonic_s() + BYTE_GAP_S)
        for frame in self._frames(b"", source):
            self._reject("late", source, frame.data)
        return None

    async def _empty(self, source: str) -> None:
        """Count and drop what came without being asked for."""
        for _ in range(_TURNS_TO_EMPTY):
            data = await self._port.receive(0)
            if not data:
                break
            self._drop(data, source)
        self._frames(b"", source)

    def _drop(self, data: bytes, source: str | None) -> None:
        for frame in self._frames(data, source):
            if frame.is_reply:
                self._reject("late", source, frame.data)

    def _frames(self, data: bytes, source: str | None) -> list[Frame]:
        frames = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self._report(Rejected(reason, count, sample=self._decoder.reject_sample, source=source))
        return frames

    def _reject(self, reason: str, source: str | None, sample: bytes) -> None:
        self._report(Rejected(reason, sample=sample, source=source))


def _mismatch(frame: Frame, request: Frame, identifier: int | None, part: int | None) -> str | None:
    """Why a frame is not the reply; "" when it needs no counting, None when it is the reply."""
    if not frame.is_reply:
        return ""  # the echo of our own request
    if not matches(request.address, frame.address):
        return "foreign_address"
    if frame.function != request.function:
        return "foreign_function"
    if frame.is_error:
        return None if len(frame.data) == 1 else "data_length"
    if identifier is not None and frame.identifier != identifier:
        return "foreign_identifier"
    if part is not None and frame.data[IDENTIFIER_BYTES:][-1:] != bytes([part]):
        return "foreign_part"
    return None
