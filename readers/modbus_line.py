"""One line or connection with Modbus devices: one request in flight, framing, deadlines, what had to be thrown away.

An answer to a read names neither the address nor the question: on a serial line a late one would pass for the answer to
the next question. So an answer must have the length that was asked for, and a device that may still answer an earlier
request is waited for before it is asked something else. On TCP the transaction tells.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from readers.bus import NoReplyError, ReplyDelay
from readers.codecs.modbus import (
    MOST_PDU_BYTES,
    READS,
    Frame,
    Function,
    RtuDecoder,
    TcpDecoder,
    encode_rtu,
    encode_tcp,
)
from readers.driver import Port, Report
from readers.errors import LinkError
from readers.observations import Rejected

ANSWER_WITHIN_S: Final = 1.0
TRIES: Final = 2
GAP_S: Final = 0.2
"""Bytes of one frame are never further apart, though adapters and device servers hand them on in bundles."""
LATE_S: Final = 1.0
"""How long after its deadline an answer may still come."""
BITS_PER_CHARACTER: Final = 11
REST_CHARACTERS: Final = 3.5  # between two frames: MODBUS over Serial Line V1.02, section 2.5.1.1
_LEAST_REST_S: Final = 0.00175  # the same section, above 19200 baud
_SHORTEST_DELAY_S: Final = 0.05
_MARGIN_S: Final = 0.1
_TURNS_TO_EMPTY: Final = 16
_RTU_OVERHEAD_BYTES: Final = 3
_SHORT_PDU_BYTES: Final = 5
_BITS: Final = (Function.READ_COILS, Function.READ_DISCRETE_INPUTS)


class Framing(StrEnum):
    """How frames stand on the wire."""

    RTU = "rtu"
    TCP = "tcp"


class NotSentError(LinkError):
    """Nothing has left: the link has ended, or the time to send it is over."""


def reply_delay(answer_within_s: float) -> ReplyDelay:
    """What is to be learnt of one device's patience."""
    return ReplyDelay(
        least_s=min(_SHORTEST_DELAY_S, answer_within_s),
        most_s=answer_within_s,
        margin_s=min(_MARGIN_S, answer_within_s),
    )


def answer_count(request: Frame) -> int | None:
    """How many bytes of values the answer to a read has; None where the request is no read."""
    if request.function not in READS:
        return None
    count = int.from_bytes(request.data[2:4], "big")
    return -(-count // 8) if request.function in _BITS else 2 * count


class Line:
    """One request in flight; who asks meanwhile waits for its end.

    Args:
        units: the addresses of the devices on it.
        baud: the speed of the serial line, for deadlines, where the port does not know its own.
    """

    def __init__(self, port: Port, report: Report, *, framing: Framing, units: Sequence[int], baud: int) -> None:
        self.port = port
        self.report = report
        self._is_tcp = framing is Framing.TCP
        self._framing = framing
        self._units = tuple(units)
        self._byte_s = 0.0 if self._is_tcp else BITS_PER_CHARACTER / (port.baud or baud)
        self._rest_s = 0.0 if self._is_tcp else max(REST_CHARACTERS * self._byte_s, _LEAST_REST_S)
        self._rests_until_s = 0.0
        self._decoder: RtuDecoder | TcpDecoder = TcpDecoder() if self._is_tcp else RtuDecoder(units)
        self._transaction = 0
        self._owing: dict[int, tuple[int, float]] = {}
        self._heard_bytes = 0
        self._turn = asyncio.Lock()
        self._is_open = True

    async def ask(
        self,
        request: Frame,
        *,
        tries: int = TRIES,
        delay: ReplyDelay | None = None,
        until_us: int | None = None,
        source: str | None = None,
    ) -> Frame:
        """The answer to a request, which is sent `tries` times when none comes. An exception is an answer, too.

        Raises:
            NoReplyError: no answer came. NotSentError: the link has ended, or it is `until_us` before the line is free.
            LinkError: the line is gone.
        """
        async with self._turn:
            if not self._is_open:
                raise NotSentError(f"{self.port.description}: the link has ended")
            await self._ready(request.unit, source)
            if until_us is not None and self.port.now_us() >= until_us:
                raise NotSentError(f"{self.port.description}: the line became free after the order had expired")
            return await self._ask(request, tries, delay or reply_delay(ANSWER_WITHIN_S), source)

    def close(self) -> None:
        """Send nothing any more."""
        self._is_open = False

    def stray(self, data: bytes) -> None:
        """Count what came without being asked for."""
        for _ in self._frames(data, None):
            self._reject("late", None)

    def silence(self) -> str:
        """What to look at when nobody answers."""
        units = ", ".join(map(str, self._units))
        came = (
            f"{self._heard_bytes} bytes came, but no answer: check framing = {self._framing.value!r}, speed and parity"
            if self._heard_bytes
            else "no byte came: check power, wiring (A and B), speed and parity, and the unit address"
        )
        return f"{self.port.description}: unit {units}: {came}"

    async def _ask(self, request: Frame, tries: int, delay: ReplyDelay, source: str | None) -> Frame:
        within_s = 0.0
        for number in range(tries):
            if number:
                await self._rest()
            self._transaction = self._transaction % 0xFFFF + 1
            numbered = Frame(request.unit, request.function, request.data, transaction=self._transaction)
            raw = encode_tcp(numbered) if self._is_tcp else encode_rtu(numbered)
            within_s = delay.within_s
            try:
                await self.port.send(raw)
                answer = await self._answer(numbered, len(raw) * self._byte_s, within_s, source)
            except asyncio.CancelledError:  # who asked has had enough; the device answers nevertheless
                self._owes(request.unit, number + 1, within_s)
                raise
            if answer is not None:
                frame, delay_s = answer
                delay.heard(delay_s)
                self._owes(request.unit, number)
                return frame
            delay.missed()
        self._owes(request.unit, tries)
        many = "the request" if tries == 1 else f"{tries} requests"
        raise NoReplyError(
            f"{self.port.description}: unit {request.unit} did not answer {many} within {within_s:.2g} s; check its "
            "address, the wiring, and speed and parity of the line"
        )

    async def _answer(
        self, request: Frame, sending_s: float, within_s: float, source: str | None
    ) -> tuple[Frame, float] | None:
        """The answer, and how long it took to begin; all else that comes is counted and passed over."""
        port = self.port
        sent_s = port.monotonic_s() + sending_s
        self._rests_until_s = sent_s + self._rest_s
        wanted = answer_count(request)
        size = _RTU_OVERHEAD_BYTES + (_SHORT_PDU_BYTES if wanted is None else 2 + wanted)
        first_by_s = sent_s + within_s
        last_by_s = first_by_s + (size + MOST_PDU_BYTES) * self._byte_s + GAP_S
        until_s = first_by_s
        while (left_s := min(until_s, last_by_s) - port.monotonic_s()) > 0:
            data = await port.receive(min(left_s, GAP_S) if self._decoder.holds else left_s)
            for frame in self._frames(data, source):
                if self._fits(frame, request, wanted):
                    now_s = port.monotonic_s()
                    self._rests_until_s = now_s + self._rest_s
                    return frame, now_s - sent_s - size * self._byte_s
                self._reject("foreign_answer", source)
            if self._decoder.holds:  # an answer is on its way
                until_s = max(first_by_s, port.monotonic_s() + GAP_S)
        for frame in self._frames(b"", source):
            if self._fits(frame, request, wanted):
                return frame, within_s
            self._reject("late", source)
        return None

    def _fits(self, frame: Frame, request: Frame, wanted: int | None) -> bool:
        if frame.unit != request.unit or frame.function != request.function:
            return False
        if self._is_tcp and frame.transaction != request.transaction:
            return False
        if frame.refusal is not None or wanted is None:
            return True
        return len(frame.data) == 1 + wanted and frame.data[0] == wanted

    def _owes(self, unit: int, answers: int, within_s: float = 0.0) -> None:
        """So many answers of this unit may still come, or be late, after `within_s`."""
        if answers and not self._is_tcp:
            self._owing[unit] = answers, self.port.monotonic_s() + within_s + LATE_S

    async def _rest(self) -> None:
        rest_s = self._rests_until_s - self.port.monotonic_s()
        if rest_s > 0:
            await self.port.pause(rest_s)

    async def _ready(self, unit: int, source: str | None) -> None:
        """Wait until the line rests and the unit owes nothing; count and drop what came without being asked for."""
        port = self.port
        await self._rest()
        for _ in range(_TURNS_TO_EMPTY):
            data = await port.receive(0)
            if not data:
                break
            self._drop(data, source)
        owed, until_s = self._owing.get(unit, (0, 0.0))
        while self._owing.get(unit, (0, 0.0))[0] and (left_s := until_s - port.monotonic_s()) > 0:
            self._drop(await port.receive(left_s), source)
        if owed:
            self._owing.pop(unit, None)
        if self._decoder.holds:
            self._drop(b"", source)

    def _drop(self, data: bytes, source: str | None) -> None:
        for frame in self._frames(data, source):
            self._reject("late", source)
            owed, until_s = self._owing.get(frame.unit, (0, 0.0))
            if owed:
                self._owing[frame.unit] = owed - 1, until_s

    def _frames(self, data: bytes, source: str | None) -> list[Frame]:
        self._heard_bytes += len(data)
        frames = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in Counter(self._decoder.take_rejects()).items():
            self.report(Rejected(reason, count, sample=self._decoder.reject_sample, source=source))
        return frames

    def _reject(self, reason: str, source: str | None) -> None:
        self.report(Rejected(reason, source=source))
