"""Commands and answers, and the stream of tags between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from readers.codecs.thingmagic import Decoder, Frame, Opcode, Status, encode, explained
from readers.codecs.thingmagic_tags import STOP, STOP_DATA
from readers.driver import Port, Report
from readers.errors import LinkError
from readers.observations import Condition, Rejected, Severity

ANSWER_WITHIN_S: Final = 0.5
TRIES: Final = 3
# A module sends a frame in one go, so a pause inside one means that it is none; but behind a device server a frame may
# come in two segments, and a lost segment is sent again after 0.2 s.
GAP_S: Final = 0.25
STOP_WITHIN_S: Final = 3.0  # the module finishes its read cycle first, and then sends what has piled up
_WAKE_RUN: Final = b"\xff" * 200  # as the Mercury API does it, which takes 0.2 s
_WAKE_S: Final = 0.2

OnStream = Callable[[Sequence[Frame]], None]


class RefusedError(Exception):
    """The module answered a command with a status."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(explained(status))


class NoAnswerError(LinkError):
    """The module did not answer a command, however often it was asked."""


class RestartedError(LinkError):
    """The module says that it has just started: its settings are gone."""


class Conversation:
    """One conversation with one module: one command at a time.

    Attributes:
        on_stream: takes the frames of the tag stream (22) as they come.
        heard_bytes: all that ever came.
    """

    def __init__(self, port: Port, report: Report) -> None:
        self.on_stream: OnStream = self._unasked
        self.port = port
        self.report = report
        self.heard_bytes = 0
        self.heard_stream = False
        self._decoder = Decoder()
        self._conditions: set[tuple[str, str]] = set()

    async def ask(
        self,
        opcode: Opcode,
        data: bytes = b"",
        *,
        echo: bytes = b"",
        within_s: float = ANSWER_WITHIN_S,
        tries: int = TRIES,
    ) -> bytes:
        """The data of the answer, which begins with `echo`; that is left out.

        Raises:
            NoAnswerError: there was none. RefusedError: it was a status. RestartedError: the module restarted.
        """
        for _ in range(tries):
            await self.send(opcode, data)
            deadline_s = self.port.monotonic_s() + within_s
            while (left_s := deadline_s - self.port.monotonic_s()) > 0:
                for frame in await self.listen(left_s):
                    if frame.opcode != opcode:
                        self.expect_no_restart(frame)
                    elif frame.status:
                        raise RefusedError(frame.status)
                    elif frame.data.startswith(echo):
                        return frame.data[len(echo) :]
        raise NoAnswerError(
            f"{self.port.description}: command {opcode:02X} was sent {tries} times without an answer within "
            f"{within_s:g} s; check power and wiring"
        )

    async def stop(self, tries: int = TRIES) -> None:
        """End the stream. What comes before its end is passed on.

        Raises:
            NoAnswerError: it was not confirmed. RestartedError: the module restarted.
        """
        for attempt in range(tries):
            await self.send(Opcode.MULTI_PROTOCOL, STOP_DATA)
            deadline_s = self.port.monotonic_s() + STOP_WITHIN_S
            while (left_s := deadline_s - self.port.monotonic_s()) > 0:
                for frame in await self.listen(left_s):
                    self.expect_no_restart(frame)
                    # a module that does not read refuses to stop, which is as good
                    if frame.opcode == Opcode.MULTI_PROTOCOL and (frame.status or frame.data[:1] == bytes([STOP])):
                        if attempt:  # the answer to an earlier attempt may follow
                            await self.listen(ANSWER_WITHIN_S)
                        return
        raise NoAnswerError(
            f"{self.port.description}: the module was asked {tries} times to stop reading and did not confirm it "
            f"within {STOP_WITHIN_S:g} s; check power and wiring"
        )

    async def wake(self) -> None:
        """Wake a module from deep sleep, in which it loses what it is sent first."""
        await self.port.send(_WAKE_RUN)
        deadline_s = self.port.monotonic_s() + _WAKE_S
        while (left_s := deadline_s - self.port.monotonic_s()) > 0:
            await self.listen(left_s)

    async def send(self, opcode: Opcode, data: bytes = b"") -> None:
        """Send a command and wait for nothing."""
        await self.port.send(encode(Frame(opcode, data)))

    async def listen(self, within_s: float) -> list[Frame]:
        """The answers that come next; the stream is passed on, and what had to be thrown away is reported."""
        data = await self.port.receive(min(within_s, GAP_S) if self._decoder.holds else within_s)
        self.heard_bytes += len(data)
        frames = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self.report(Rejected(reason, count, sample=self._decoder.reject_sample))
        streamed = [frame for frame in frames if frame.opcode == Opcode.READ_TAG_MULTIPLE]
        if streamed:
            self.heard_stream = True
            self.on_stream(streamed)
        return [frame for frame in frames if frame.opcode != Opcode.READ_TAG_MULTIPLE]

    def expect_no_restart(self, frame: Frame) -> None:
        """Raises RestartedError where this frame is what a module says by itself when it starts."""
        if frame.opcode in (Opcode.BOOT_FIRMWARE, Opcode.USER_PROFILE):
            raise RestartedError(f"{self.port.description}: the module has restarted: it lost power, or was reset")

    def begin(self, name: str, detail: str, key: str = "", severity: Severity = Severity.WARNING) -> None:
        """Report that a condition begins, once."""
        if (name, key) not in self._conditions:
            self._conditions.add((name, key))
            self.report(Condition(name, active=True, severity=severity, key=key, detail=detail))

    def end(self, name: str, key: str = "") -> None:
        """Report that a condition ended, if it held."""
        if (name, key) in self._conditions:
            self._conditions.remove((name, key))
            self.report(Condition(name, active=False, key=key))

    def _unasked(self, frames: Sequence[Frame]) -> None:
        """A read of a former client: under which settings is not known, so it counts as none."""
        tags = sum(1 for frame in frames if frame.status == Status.SUCCESS)
        if tags:
            self.report(Rejected("unasked", tags, reads_lost=tags))
