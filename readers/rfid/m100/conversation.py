"""One conversation with one module: finding its frame form, asking, listening, and saying what is wrong."""

from __future__ import annotations

from typing import Final

from readers.codecs.m100 import (
    AA_DD,
    ALL_DELIMITERS,
    BB_7E,
    Command,
    Decoder,
    ErrorCode,
    Frame,
    FrameType,
    Info,
    TagNotice,
    encode,
)
from readers.driver import Port, Report
from readers.errors import FrameError, LinkError
from readers.observations import Condition, DeviceInfo, Rejected, Severity, TagRead, TagReads
from readers.rfid.m100.settings import ANTENNA_PORT, M100Settings

BAUD: Final = 115_200  # as modules leave the factory
ANSWER_WITHIN_S: Final = 0.5
TRIES: Final = 3
# A module sends a frame in one go, so a pause inside one means that it is none; but behind a device server a frame may
# come in two segments, and a lost segment is sent again after 0.2 s.
GAP_S: Final = 0.25
_TEXT_BYTES: Final = 64
_DELIMITERS: Final = {"auto": ALL_DELIMITERS, "bb_7e": (BB_7E,), "aa_dd": (AA_DD,)}
# the manuals print the answer to 12 under the number of 0C
_ANSWERS: Final = {Command.SELECT_MODE: (Command.SELECT_MODE, Command.SET_SELECT)}


class RefusedError(Exception):
    """The module answered a command with an error; `parameters` are those of the error response."""

    def __init__(self, parameters: bytes) -> None:
        self.parameters = parameters
        self.code = parameters[0] if parameters else 0
        super().__init__(parameters)


class NoAnswerError(LinkError):
    """The module did not answer a command, however often it was asked."""


class Conversation:
    """Frames go out and come in; tags that are heard on the way are reported, and so is what had to be thrown away."""

    def __init__(self, settings: M100Settings, port: Port, report: Report) -> None:
        self.settings = settings
        self.port = port
        self.report = report
        self._decoder = Decoder()
        self._delimiters = BB_7E
        self._heard_bytes = 0
        self._conditions: set[tuple[str, str]] = set()

    async def identify(self) -> None:
        """Find the frame form and say who the module is. An inventory of a former client is stopped first.

        Raises:
            LinkError: no module answers.
        """
        candidates = _DELIMITERS[self.settings.delimiters]
        for _ in range(TRIES):
            for delimiters in candidates:
                self._delimiters = delimiters
                await self._send(Command.STOP)
                hardware = await self._info(Info.HARDWARE)
                if hardware is not None and self._decoder.seen == delimiters:
                    self._decoder.delimiters = delimiters
                    firmware = await self._info(Info.SOFTWARE) or ""
                    maker = await self._info(Info.MANUFACTURER) or ""
                    self.report(DeviceInfo(manufacturer=maker, model=hardware, firmware=firmware))
                    return
        if self._heard_bytes:
            what = f"{self._heard_bytes} bytes came but no answer to 'get information': another speed or protocol"
        else:
            what = "no byte came in answer to 'get information': check power, wiring and the name of the line"
        raise LinkError(f"{self.port.description}: {what}; M100 modules leave the factory at {BAUD} 8N1")

    async def ask(
        self, command: Command, parameters: bytes = b"", *, tries: int = TRIES, within_s: float = ANSWER_WITHIN_S
    ) -> Frame:
        """Send a command until it is answered.

        Raises:
            NoAnswerError: it was not. RefusedError: it was, with an error.
        """
        for _ in range(tries):
            await self._send(command, parameters)
            deadline_s = self.port.monotonic_s() + within_s
            while (left_s := deadline_s - self.port.monotonic_s()) > 0:
                for frame in await self.listen(left_s):
                    if frame.type is not FrameType.RESPONSE:
                        continue
                    if frame.command in _ANSWERS.get(command, (command,)):
                        return frame
                    # the last empty round may still be on its way
                    if frame.command == Command.ERROR and frame.parameters[:1] != bytes([ErrorCode.NO_TAG]):
                        raise RefusedError(frame.parameters)
        times = "once" if tries == 1 else f"{tries} times"
        raise NoAnswerError(
            f"{self.port.description}: command {command:02X} was sent {times} without an answer within "
            f"{within_s:g} s; check power and wiring"
        )

    async def start(self, command: Command, parameters: bytes) -> None:
        """Send a command that is answered by what it brings about."""
        await self._send(command, parameters)

    async def listen(self, within_s: float) -> list[Frame]:
        """The frames that come next, within that time."""
        data = await self.port.receive(min(within_s, GAP_S) if self._decoder.holds else within_s)
        self._heard_bytes += len(data)
        frames = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self.report(Rejected(reason, count, sample=self._decoder.reject_sample))
        notices = [frame for frame in frames if frame.type is FrameType.NOTICE]
        if notices:
            self._report_tags(notices)
        return frames

    def begins(self, name: str, detail: str, key: str = "") -> None:
        """Report a condition, once."""
        if (name, key) not in self._conditions:
            self._conditions.add((name, key))
            self.report(Condition(name, active=True, severity=Severity.WARNING, key=key, detail=detail))

    def ends(self, *names: str) -> None:
        """Report the end of conditions, where they hold."""
        for name in names:
            if (name, "") in self._conditions:
                self._conditions.remove((name, ""))
                self.report(Condition(name, active=False))

    async def _info(self, what: Info) -> str | None:
        """Cleaned text, "" when the module will not say, None when it does not answer."""
        try:
            answer = await self.ask(Command.INFO, bytes([what]), tries=1)
        except RefusedError:
            return ""
        except NoAnswerError:
            return None
        text = answer.parameters[1 : 1 + _TEXT_BYTES].decode("ascii", errors="replace")
        return "".join(character for character in text if character.isprintable()).strip()

    async def _send(self, command: Command, parameters: bytes = b"") -> None:
        await self.port.send(encode(Frame(FrameType.COMMAND, command, parameters), self._delimiters))

    def _report_tags(self, notices: list[Frame]) -> None:
        reads = []
        for frame in notices:
            # the vendor's manual numbers notifications 22 under both poll commands; some documents say 27
            if frame.command not in (Command.POLL, Command.MULTI_POLL):
                self.report(Rejected("notification", sample=frame.parameters))
                continue
            try:
                notice = TagNotice.parse(frame.parameters, check_crc=self.settings.air_crc == "required")
            except FrameError as error:
                self.report(Rejected(error.reason, reads_lost=1, sample=frame.parameters))
                continue
            reads.append(TagRead(notice.epc, ANTENNA_PORT, float(notice.rssi_dbm), pc_bits=notice.pc_bits))
        if reads:
            self.report(TagReads.of(self.port.now_us(), *reads))
