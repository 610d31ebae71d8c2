"""Request and reply on a UHFReader line: one command at a time, and nothing is sent while a reader is busy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from readers.codecs.uhfreader import BROADCAST, Command, Decoder, Frame, Status, encode
from readers.driver import Port, Report
from readers.errors import LinkError
from readers.observations import Rejected

ANSWER_WITHIN_S: Final = 0.5
TRIES: Final = 3
_QUIET_MOST_S: Final = 2.0  # a line that is never quiet is spoken into all the same


class NoAnswerError(LinkError):
    """A reader did not answer a command, however often it was asked."""


def answers(frame: Frame, address: int, command: int) -> bool:
    """Whether a frame is the response of that reader to that command; one that was not understood names none."""
    if address not in (frame.address, BROADCAST):
        return False
    return frame.command == command or (frame.command == Command.NOT_UNDERSTOOD and frame.status == Status.ILLEGAL)


class Line:
    """The line, whoever is on it. `hear` sees every frame first, whether it was waited for or not."""

    def __init__(self, port: Port, report: Report, gap_s: float, hear: Callable[[list[Frame]], None]) -> None:
        self.port = port
        self.gap_s = gap_s
        self.heard_bytes = 0
        self._report = report
        self._hear = hear
        self._decoder = Decoder()
        self._echo: Frame | None = None

    async def send(self, frame: Frame) -> None:
        """Write a command in one piece: a pause of 15 ms inside it would void it.

        Raises:
            LinkError: the line is gone.
        """
        # Only commands that no response can look like: a setting is confirmed by nearly the same bytes.
        self._echo = frame if frame.command == Command.INVENTORY and frame.body else None
        await self.port.send(encode(frame))

    async def listen(self, within_s: float) -> list[Frame]:
        """The frames that come next.

        Raises:
            LinkError: the line is gone.
        """
        data = await self.port.receive(min(within_s, self.gap_s) if self._decoder.holds else within_s)
        self.heard_bytes += len(data)
        frames = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self._report(Rejected(reason, count, sample=self._decoder.reject_sample))
        frames = [frame for frame in frames if not self._is_echo(frame)]
        if frames:
            self._hear(frames)
        return frames

    async def ask(
        self,
        address: int,
        command: Command,
        parameters: bytes = b"",
        *,
        tries: int = TRIES,
        within_s: float = ANSWER_WITHIN_S,
    ) -> Frame:
        """Send a command until it is answered; one that arrived garbled is sent again too.

        Raises:
            NoAnswerError: it was not answered. LinkError: the line is gone.
        """
        refusal: Frame | None = None
        for _ in range(tries):
            await self.send(Frame(address, command, parameters))
            answer = await self._answer(address, command, within_s)
            if answer is not None and answer.command == command:
                return answer
            refusal = answer or refusal
            if answer is not None:
                await self.quiet()
        if refusal is not None:
            return refusal
        raise NoAnswerError(
            f"{self.port.description}: address {address} was sent command {command:02X} {tries} times without an "
            f"answer within {within_s:g} s; check its power, its address and the wiring"
        )

    async def _answer(self, address: int, command: Command, within_s: float) -> Frame | None:
        deadline_s = self.port.monotonic_s() + within_s
        while (left_s := deadline_s - self.port.monotonic_s()) > 0:
            for frame in await self.listen(left_s):
                if answers(frame, address, command):
                    return frame
        return None

    async def quiet(self) -> None:
        """Wait until the line has been silent for a while, so that nothing is sent to a busy reader.

        Raises:
            LinkError: the line is gone.
        """
        until_s = self.port.monotonic_s() + _QUIET_MOST_S
        while self.port.monotonic_s() < until_s:
            held = self.heard_bytes
            await self.listen(self.gap_s)
            if self.heard_bytes == held and not self._decoder.holds:
                return

    def _is_echo(self, frame: Frame) -> bool:
        if self._echo is None or frame != self._echo:
            return False
        self._echo = None
        self._report(Rejected("echo"))
        return True
