"""Request and reply on a DL/T 645 line: deadlines, matching of replies, replies in several frames."""

from __future__ import annotations

from typing import Final

from readers.bus import NoReplyError
from readers.codecs.dlt645 import (
    ADDRESS_BYTES,
    MAX_FRAME_BYTES,
    OVERHEAD_BYTES,
    WILDCARD,
    Decoder,
    ErrorBit,
    Frame,
    Function,
    encode,
    matches,
)
from readers.driver import Port, Report
from readers.errors import ReaderError
from readers.meters.dlt645.dialects import EDITION_2007, Dialect, Question
from readers.meters.dlt645.habits import LATENCY_S, REPLY_WITHIN_S, Habits
from readers.observations import Rejected

BYTE_GAP_S: Final = 0.5  # Tb of DL/T 645-2007
BITS_PER_CHARACTER: Final = 11
REST_CHARACTERS: Final = 3.5  # between a reply and the next request, for transceivers to turn round
MAX_PARTS: Final = 32  # replies in more frames than this are no answer to anything that is read here
_TURNS_TO_EMPTY: Final = 16
_REFUSED_WITH: Final = 1  # bytes in an error reply to a read; orders may be refused with more


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
        self._rests_until_s = 0.0

    def now_us(self) -> int:
        """The host's UTC time."""
        return self._port.now_us()

    def now_s(self) -> float:
        """The clock of the line's deadlines."""
        return self._port.monotonic_s()

    def habits(self) -> Habits:
        """What is to be learnt of one more meter."""
        return Habits(self._wake_up_bytes, self._byte_s)

    async def ask_address(self, tries: int, source: str, habits: Habits) -> str:
        """The address of the only meter on the line.

        Raises:
            NoReplyError: there is none. LinkError: the line is gone.
        """
        try:
            frame = await self._ask(
                Question(Frame(WILDCARD, Function.READ_ADDRESS)), "the address", tries, source, habits
            )
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

    async def read(
        self,
        address: str,
        identifier: int,
        tries: int,
        source: str,
        habits: Habits,
        *,
        more: bytes = b"",
        dialect: Dialect = EDITION_2007,
    ) -> bytes:
        """The data of an identifier of 2007, from as many frames as the meter needs.

        `more` is what the request carries after the identifier.

        Raises:
            NoReplyError: no valid reply in time. RefusedError: the meter says no, or there is no such thing in its
                edition. LinkError: the line is gone.
        """
        what = f"{identifier:08X}"
        question = dialect.question(address, identifier, more)
        if question is None:
            raise RefusedError(ErrorBit.NO_SUCH_DATA)
        frame = await self._ask(question, what, tries, source, habits)
        data = frame.data[len(question.begins) :]
        part = 0
        while frame.has_more:
            part += 1
            if part >= MAX_PARTS:
                self._reject("too_many_parts", source, data[:MAX_FRAME_BYTES])
                raise NoReplyError(f"{self._port.description}: {what} has no end after {part} frames")
            question = dialect.question(address, identifier, part=part)
            assert question is not None
            # without numbers a part must not be asked for twice: nobody could tell which one came
            frame = await self._ask(question, what, tries if question.ends else 1, source, habits)
            data += frame.data[len(question.begins) : len(frame.data) - len(question.ends)]
        return data

    async def order(self, request: Frame, source: str) -> Frame | None:
        """Send an order once, with all wake-up bytes, and return the reply to it; None when none came.

        Raises:
            LinkError: the line is gone.
        """
        await self._ready(source)
        raw = encode(request, self._wake_up_bytes)
        await self._port.send(raw)
        reply = await self._reply(Question(request), len(raw) * self._byte_s, source, REPLY_WITHIN_S + LATENCY_S)
        return None if reply is None else reply[0]

    async def tell(self, request: Frame) -> None:
        """Send a broadcast, which nobody answers.

        Raises:
            LinkError: the line is gone.
        """
        await self._ready(None)
        raw = encode(request, self._wake_up_bytes)
        await self._port.send(raw)
        self._rests_until_s = self._port.monotonic_s() + (len(raw) + REST_CHARACTERS) * self._byte_s

    def sending_s(self, request: Frame) -> float:
        """How long a request is on the line that `order` or `tell` sends."""
        return len(encode(request, self._wake_up_bytes)) * self._byte_s

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        await self._port.pause(seconds)

    def stray(self, data: bytes) -> None:
        """Count what came without being asked for."""
        self._drop(data, None)

    async def _ask(self, question: Question, what: str, tries: int, source: str, habits: Habits) -> Frame:
        for _ in range(tries):
            await self._ready(source)
            raw = encode(question.request, habits.wake_up_bytes)
            await self._port.send(raw)
            reply = await self._reply(question, len(raw) * self._byte_s, source, habits.delay.within_s)
            if reply is None:
                habits.missed()
                continue
            frame, delay_s = reply
            habits.heard(delay_s)
            if frame.is_error:
                raise RefusedError(frame.data[0])
            return frame
        times = "once" if tries == 1 else f"{tries} times"
        raise NoReplyError(
            f"{self._port.description}: meter {question.request.address} was asked {times} for {what} and did not "
            "answer; check its address, the wiring, and speed and parity of the line"
        )

    async def _reply(
        self, question: Question, sending_s: float, source: str, within_s: float
    ) -> tuple[Frame, float] | None:
        """The reply to this request, and how long it took to begin; all else that comes is counted and passed over."""
        sent_s = self._port.monotonic_s() + sending_s
        first_by_s = sent_s + within_s
        last_by_s = first_by_s + (MAX_FRAME_BYTES + OVERHEAD_BYTES) * self._byte_s + BYTE_GAP_S
        until_s = first_by_s
        self._rests_until_s = sent_s
        while (left_s := min(until_s, last_by_s) - self._port.monotonic_s()) > 0:
            data = await self._port.receive(left_s)
            for frame in self._frames(data, source):
                now_s = self._port.monotonic_s()
                wrong = _mismatch(frame, question)
                if wrong is None:
                    self._rests_until_s = now_s + REST_CHARACTERS * self._byte_s
                    return frame, now_s - sent_s - (len(frame.data) + OVERHEAD_BYTES) * self._byte_s
                if wrong:
                    self._reject(wrong, source, frame.data)
            if self._decoder.holds:  # a reply is on its way
                until_s = max(first_by_s, self._port.monotonic_s() + BYTE_GAP_S)
        for frame in self._frames(b"", source):
            self._reject("late", source, frame.data)
        return None

    async def _ready(self, source: str | None) -> None:
        """Wait until the line rests; count and drop what came without being asked for."""
        rest_s = self._rests_until_s - self._port.monotonic_s()
        if rest_s > 0:
            await self._port.pause(rest_s)
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


def _mismatch(frame: Frame, question: Question) -> str | None:
    """Why a frame is not the reply; "" when it needs no counting, None when it is the reply."""
    request = question.request
    if not frame.is_reply:
        return ""  # the echo of our own request
    if not matches(request.address, frame.address):
        return "foreign_address"
    if frame.function != request.function:
        return "foreign_function"
    if frame.is_error:
        is_read = bool(question.begins) or request.function == Function.READ_ADDRESS
        right = len(frame.data) == _REFUSED_WITH if is_read else len(frame.data) >= _REFUSED_WITH
        return None if right else "data_length"
    if not frame.data.startswith(question.begins):
        return "foreign_identifier"
    if not frame.data.endswith(question.ends) or len(frame.data) < len(question.begins) + len(question.ends):
        return "foreign_part"
    return None
