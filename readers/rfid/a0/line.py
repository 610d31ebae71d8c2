"""The talk on one line of R2000 readers: one command in flight, and reads that come whenever they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from readers.codecs.a0 import (
    BROADCAST,
    INVENTORIES,
    Command,
    Decoder,
    Frame,
    Result,
    TagReport,
    encode,
    inventory_answer,
    result_name,
    status_of,
)
from readers.driver import Port, Report
from readers.errors import FrameError, LinkError
from readers.observations import Rejected, TagRead, TagReads

ANSWER_WITHIN_S: Final = 0.5
TRIES: Final = 3
QUIET_S: Final = 0.3
QUIET_WITHIN_S: Final = 3.0
# A module sends a frame in one go, so a pause inside one means that it is none; but behind a device server a frame may
# come in two segments, and a lost segment is sent again after 0.2 s.
GAP_S: Final = 0.25

Take = Callable[[int, TagReport], TagRead | None]
"""Makes a read of what the reader of that address reported; None when it is no reader or antenna of this line."""


class RefusedError(Exception):
    """A reader answered a command with a result code that is no success. Never leaves the driver."""

    def __init__(self, frame: Frame, code: int) -> None:
        self.frame = frame
        self.code = code
        self.name = result_name(code)
        super().__init__(f"command {frame.command:02X} got {self.name} ({code:02X})")


class NoAnswerError(LinkError):
    """A reader did not answer a command, however often it was asked."""


class Line:
    """Sends commands and hears answers; reads are reported on the way.

    Attributes:
        heard_bytes: all that came.
        rejected: how often something had to be thrown away.
    """

    def __init__(self, port: Port, report: Report, take: Take) -> None:
        self.port = port
        self.report = report
        self.heard_bytes = 0
        self.rejected = 0
        self._take = take
        self._decoder = Decoder()
        self._sent: Frame | None = None

    async def send(self, frame: Frame) -> None:
        """Send a command.

        Raises:
            LinkError: the link is over.
        """
        self._sent = frame
        await self.port.send(encode(frame))

    async def ask(
        self,
        address: int,
        command: Command,
        data: bytes = b"",
        *,
        tries: int = TRIES,
        within_s: float = ANSWER_WITHIN_S,
    ) -> Frame:
        """Send a command until it is answered.

        Raises:
            NoAnswerError: it was not. RefusedError: it was, with a result code that is no success.
        """
        for _ in range(tries):
            await self.send(Frame(address, command, data))
            deadline_s = self.port.monotonic_s() + within_s
            while (left_s := deadline_s - self.port.monotonic_s()) > 0:
                for frame in await self.listen(left_s):
                    if frame.command != command or address not in (frame.address, BROADCAST):
                        continue
                    code = status_of(frame)
                    if code in (None, Result.SUCCESS):
                        return frame
                    assert code is not None
                    raise RefusedError(frame, code)
        raise NoAnswerError(
            f"{self.port.description}: command {command:02X} was sent {tries} times to address {address} without an "
            f"answer within {within_s:g} s; check power, wiring and the address"
        )

    async def listen(self, within_s: float) -> list[Frame]:
        """The frames that come next, but for the reads among them, which are reported.

        Raises:
            LinkError: the link is over.
        """
        data = await self.port.receive(min(within_s, GAP_S) if self._decoder.holds else within_s)
        self.heard_bytes += len(data)
        frames = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self.reject(reason, count, sample=self._decoder.reject_sample)
        others: list[Frame] = []
        reads: list[TagRead] = []
        for frame in frames:
            if frame == self._sent and frame.data != bytes([Result.SUCCESS]):
                self.reject("echo", sample=frame.data)  # a two-wire adapter; no answer repeats its command
            elif frame.command in INVENTORIES:
                self._sort(frame, others, reads)
            else:
                others.append(frame)
        if reads:
            self.report(TagReads.of(self.port.now_us(), *reads))
        return others

    async def quiet(self) -> None:
        """Listen until nothing has come for a moment: a command that is still being carried out is over then.

        Raises:
            LinkError: the link is over.
        """
        until_s = self.port.monotonic_s() + QUIET_WITHIN_S
        before = -1
        while before != self.heard_bytes and self.port.monotonic_s() < until_s:
            before = self.heard_bytes
            await self.listen(QUIET_S)

    def reject(self, reason: str, count: int = 1, *, reads_lost: int = 0, sample: bytes = b"") -> None:
        """Count what was thrown away."""
        self.rejected += 1
        self.report(Rejected(reason, count, reads_lost=reads_lost, sample=sample))

    def _sort(self, frame: Frame, others: list[Frame], reads: list[TagRead]) -> None:
        """Put an answer to an inventory where it belongs."""
        try:
            answer = inventory_answer(frame)
        except FrameError as error:
            self.reject(error.reason, reads_lost=1, sample=frame.data)
            return
        if not isinstance(answer, TagReport):
            others.append(frame)
        elif (read := self._take(frame.address, answer)) is not None:
            reads.append(read)
        else:
            self.reject("antenna", reads_lost=1, sample=frame.data)
