"""Request and reply with one CF reader, and the tags that come in between."""

from __future__ import annotations

from typing import Final

from readers.codecs.cf import BROADCAST, Command, Decoder, Frame, Status, Tag, encode
from readers.driver import Port, Report
from readers.errors import FrameError, LinkError
from readers.observations import Rejected, TagRead, TagReads

ANSWER_WITHIN_S: Final = 0.5
TRIES: Final = 3
# A reader sends a frame in one go, so a pause inside one means that it is none; but over a network a frame may come in
# two segments, and a lost segment is sent again after 0.2 s.
GAP_S: Final = 0.25
_KNOWN: Final = frozenset(Command)


class NoAnswerError(LinkError):
    """The reader did not answer a command, however often it was asked."""


class Line:
    """One reader."""

    def __init__(self, port: Port, report: Report, address: int) -> None:
        self.port = port
        self.heard_bytes = 0
        self._report = report
        self._address = address
        self._decoder = Decoder()

    async def send(self, command: Command, parameters: bytes = b"") -> None:
        """Write a command.

        Raises:
            LinkError: the link is gone.
        """
        await self.port.send(encode(Frame(self._address, command, parameters)))

    async def ask(self, command: Command, parameters: bytes = b"", *, tries: int = TRIES) -> Frame:
        """Send a command until it is answered.

        Raises:
            NoAnswerError: it was not. LinkError: the link is gone.
        """
        return (await self.ask_all(command, parameters, tries=tries, more_within_s=0.0))[0]

    async def ask_all(
        self,
        command: Command,
        parameters: bytes = b"",
        *,
        tries: int = TRIES,
        within_s: float = ANSWER_WITHIN_S,
        more_within_s: float,
    ) -> list[Frame]:
        """Send a command until it is answered; all answers, of which the others follow within a time of the first.

        Raises:
            NoAnswerError: it was not. LinkError: the link is gone.
        """
        for _ in range(tries):
            await self.send(command, parameters)
            answers: list[Frame] = []
            deadline_s = self.port.monotonic_s() + within_s
            while (left_s := deadline_s - self.port.monotonic_s()) > 0:
                found = [frame for frame in await self.listen(left_s) if _answers(frame, command)]
                if found and not answers:
                    deadline_s = self.port.monotonic_s() + more_within_s
                answers += found
            if answers:
                return answers
        raise NoAnswerError(
            f"{self.port.description}: command {command:04X} was sent {tries} times without an answer within "
            f"{within_s:g} s; check power, wiring and address"
        )

    async def listen(self, within_s: float) -> list[Frame]:
        """The frames of this reader that come next; tags are reported on the way.

        Raises:
            LinkError: the link is gone.
        """
        data = await self.port.receive(min(within_s, GAP_S) if self._decoder.holds else within_s)
        self.heard_bytes += len(data)
        frames = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self._report(Rejected(reason, count, sample=self._decoder.reject_sample))
        kept = [frame for frame in frames if self._is_from_reader(frame)]
        reads = [read for frame in kept if is_tag(frame) for read in self._read(frame)]
        if reads:
            self._report(TagReads.of(self.port.now_us(), *reads))
        return kept

    def _is_from_reader(self, frame: Frame) -> bool:
        reason = None
        if frame.address == BROADCAST:
            reason = "echo"  # only commands are for everybody
        elif self._address not in (frame.address, BROADCAST):
            reason = "address"
        elif frame.command not in _KNOWN:
            reason = "notification"  # a trigger button, a battery, a gate: nothing that is read here
        if reason is not None:
            self._report(Rejected(reason, sample=frame.body))
        return reason is None

    def _read(self, frame: Frame) -> list[TagRead]:
        try:
            tag = Tag.parse(frame.data)
        except FrameError as error:
            self._report(Rejected(error.reason, reads_lost=1, sample=frame.body))
            return []
        if tag.is_barcode:
            self._report(Rejected("barcode"))
            return []
        # 0 would be the only antenna of a reader that does not count them
        return [TagRead(tag.epc, tag.antenna or 1, tag.rssi_dbm, channel_index=tag.channel + 1)]


def _answers(frame: Frame, command: Command) -> bool:
    """An echo of a command without parameters has no status."""
    return frame.command == command and frame.status is not None


def is_tag(frame: Frame) -> bool:
    """A response to the inventory that carries a tag; what is shorter is the bare status."""
    return frame.command == Command.START and frame.status == Status.DONE and bool(frame.data)
