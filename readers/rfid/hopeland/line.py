"""Requests and answers, and what the reader says by itself between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from readers.codecs.hopeland import Decoder, Finish, Frame, Kind, Message, encode
from readers.codecs.hopeland_tags import Tag
from readers.driver import Port, Report
from readers.errors import FrameError, LinkError
from readers.observations import Rejected

ANSWER_WITHIN_S: Final = 1.0  # the reader passes what concerns the radio on to a module behind a line of its own
TRIES: Final = 3
# A frame comes in one go, so a pause inside one means that it is none; but behind a device server, and over TCP, it may
# come in two segments, and a lost segment is sent again after 0.2 s.
GAP_S: Final = 0.25
_TEXT_BYTES: Final = 64
_CONFIRM_BYTES: Final = 4

OnTags = Callable[[Sequence[Tag]], None]


class RefusedError(Exception):
    """The reader answered with an error that it does not do this."""


class NoAnswerError(LinkError):
    """The reader did not answer, however often it was asked."""


class Line:
    """One reader: one request at a time.

    Attributes:
        on_tags: takes the tags of a read that was asked for.
        is_reading: one was; tags that come otherwise are of a former client, under settings that are not known.
        has_finished: the reader ended it by itself.
        heard_bytes: all that ever came.
    """

    def __init__(self, port: Port, report: Report) -> None:
        self.port = port
        self.report = report
        self.on_tags: OnTags = lambda _tags: None
        self.is_reading = False
        self.has_finished = False
        self.heard_bytes = 0
        self._decoder = Decoder()

    async def ask(
        self,
        kind: Kind,
        message: Message,
        data: bytes = b"",
        *,
        tries: int = TRIES,
        within_s: float = ANSWER_WITHIN_S,
    ) -> bytes:
        """Send a request until it is answered.

        Raises:
            NoAnswerError: it was not. RefusedError: it was, with an error.
        """
        for _ in range(tries):
            await self.port.send(encode(Frame(kind, message, data)))
            deadline_s = self.port.monotonic_s() + within_s
            while (left_s := deadline_s - self.port.monotonic_s()) > 0:
                for frame in await self.listen(left_s):
                    if frame.kind == Kind.ERROR:
                        raise RefusedError(f"error {frame.message:02X} {frame.data[:_TEXT_BYTES].hex(' ').upper()}")
                    if (frame.kind, frame.message) == (kind, message):
                        return frame.data
        raise NoAnswerError(
            f"{self.port.description}: message {kind:02X} {message:02X} was sent {tries} times without an answer "
            f"within {within_s:g} s; check power and wiring"
        )

    async def stop(self) -> None:
        """End reading; a reader that does not read confirms it as well. What it answers does not matter.

        Raises:
            NoAnswerError: nothing was answered.
        """
        try:
            await self.ask(Kind.RFID, Message.STOP)
        except RefusedError as refusal:
            self.report(Rejected("error", sample=str(refusal).encode()))
        self.is_reading = False

    async def listen(self, within_s: float) -> list[Frame]:
        """The answers and errors that come next; what the reader says by itself is dealt with on the way."""
        data = await self.port.receive(min(within_s, GAP_S) if self._decoder.holds else within_s)
        self.heard_bytes += len(data)
        frames = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self.report(Rejected(reason, count, sample=self._decoder.reject_sample))
        tags = [frame for frame in frames if frame.is_unasked and _is(frame, Kind.RFID, Message.TAG)]
        if tags:
            self._hear_tags(tags)
        answers = []
        for frame in frames:
            if frame.kind == Kind.ERROR or not frame.is_unasked:
                answers.append(frame)
            elif _is(frame, Kind.READER, Message.CONFIRM) and len(frame.data) == _CONFIRM_BYTES:
                await self.port.send(encode(Frame(Kind.READER, Message.CONFIRM, frame.data)))
            elif _is(frame, Kind.RFID, Message.FINISHED):
                # "stopped" may be the late echo of our own stop
                self.has_finished |= frame.data[:1] != bytes([Finish.STOPPED])
            elif not _is(frame, Kind.RFID, Message.TAG):
                self.report(Rejected(f"notice_{frame.kind:02x}{frame.message:02x}", sample=frame.data))
        return answers

    def _hear_tags(self, frames: list[Frame]) -> None:
        if not self.is_reading:
            self.report(Rejected("unasked", len(frames), reads_lost=len(frames)))
            return
        tags = []
        for frame in frames:
            try:
                tags.append(Tag.parse(frame.data))
            except FrameError as error:
                self.report(Rejected(error.reason, reads_lost=1, sample=frame.data))
        if tags:
            self.on_tags(tags)


def _is(frame: Frame, kind: Kind, message: Message) -> bool:
    return (frame.kind, frame.message) == (kind, message)
