"""The driver `ascii_line`: readers that write a line, or a short frame, for each card, and hear nothing.

Nothing is asked, so nothing proves that such a reader lives: while the link is open it counts as watching.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Final, Protocol, Self

from pydantic import Field, field_validator, model_validator

from readers.codecs import em4100, fdxb
from readers.codecs.ascii_line import Decoder, Found, LineForm, Pattern, Terminator
from readers.driver import DriverSettings, DriverSpec, Kind, LineDefaults, Port, Report
from readers.errors import FrameError
from readers.observations import CardRead, CardReads, Condition, Rejected, Severity, TagRead, TagReads, Watching
from readers.presentation import Presentations
from readers.tagdata.card_formats import CardFormat, CardPolicy
from readers.tagdata.cards import CardIdentity, Technology

ANTENNA_PORT: Final = 1
IDLE_S: Final = 3600.0  # no card comes for hours
GAP_S: Final = 0.25  # a reader writes in one go, but a device server may divide it
STRANGE_LINES: Final = 3
"""So many in a row that cannot be understood are no accident."""
_NOT_UNDERSTOOD: Final = "not_understood"
_SEPARATORS: Final = re.compile("[ :-]")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{4}){1,31}")
_ASCII: Final = r"^[\x00-\x7f]*$"
Edge = Annotated[str, Field(max_length=16, pattern=_ASCII)]


class Format(StrEnum):
    """What the reader writes."""

    RDM6300 = "rdm6300"
    ID12 = "id12"
    FDXB = "fdxb"
    LINE = "line"


class Content(StrEnum):
    """What the number is."""

    CARD = "card"
    EPC = "epc"


_LINE_KEYS: Final = ("content", "card", "terminator", "idle_gap_s", "prefix", "suffix", "pattern")


class AsciiLineSettings(DriverSettings):
    """Settings of driver `ascii_line`."""

    format: Format = Field(
        description="`rdm6300`, `id12` (ID-12LA, ID-20LA), `fdxb` (WL-134), or `line`: text as the keys below say"
    )
    content: Content = Field(default=Content.CARD, description="of a `line`: the number of a card, or the EPC of a tag")
    card: CardFormat = Field(
        default=CardFormat(), description="of a `line`: how the reader writes the number of a card"
    )
    terminator: Terminator = Field(
        default=Terminator.LINE_END,
        description="of a `line`: `line_end` (CR, LF or both), `cr`, `lf`, `crlf`, `etx`, or `idle` (a pause)",
    )
    idle_gap_s: float = Field(default=0.1, ge=0.02, le=2, description="the pause that ends a line, with `idle`")
    prefix: Edge = Field(default="", description="of a `line`: what stands before it, such as `ID:` or \\u0002 for STX")
    suffix: Edge = Field(default="", description="of a `line`: what stands behind it, before the terminator")
    pattern: str = Field(
        default="{number}",
        max_length=100,
        description="of a `line`: where the number stands in it; fields {number}, {rssi_dbm}, {antenna_port} and "
        "{skip}, each with a size like {number:24} or with text behind it",
    )
    antennas: tuple[Annotated[int, Field(ge=1, le=255)], ...] = Field(
        default=(ANTENNA_PORT,), min_length=1, description="the antenna ports that lines with {antenna_port} may name"
    )
    absent_after_s: float = Field(
        default=1.0, ge=0.2, le=3600, description="a card not heard for so long has gone; then it is told anew"
    )

    @field_validator("pattern")
    @classmethod
    def _can_be_understood(cls, value: str) -> str:
        Pattern(value)
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        strange = [key for key in _LINE_KEYS if key in self.model_fields_set]
        if self.format is not Format.LINE and strange:
            raise ValueError(f"format = {self.format} says all of {', '.join(strange)}; remove, or use format = line")
        if self.content is Content.EPC and "card" in self.model_fields_set:
            raise ValueError("card says how card numbers are written; remove it, or use content = card")
        if self.content is Content.CARD and ("{rssi_dbm" in self.pattern or "{antenna_port" in self.pattern):
            raise ValueError("pattern: {rssi_dbm} and {antenna_port} go with content = epc; use {skip}")
        if self.antennas != (ANTENNA_PORT,) and not Pattern(self.pattern).has_antenna_port:
            raise ValueError("antennas: put {antenna_port} into pattern, or remove it; else every line is of port 1")
        if len(set(self.antennas)) != len(self.antennas):
            raise ValueError(f"antennas = {list(self.antennas)}: each port may be named once")
        return self

    def antenna_ports(self) -> tuple[int, ...] | None:
        """The one antenna, or those that the lines may name."""
        return self.antennas


class AsciiLineDriver:
    """Listens until cancelled."""

    def __init__(self, settings: AsciiLineSettings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Listen until cancelled.

        Raises:
            LinkError: the link broke.
        """
        session = _Session(self._settings, port, report)
        report(Watching(frozenset(self._settings.antennas)))
        while True:
            await session.listen()


class _Source(Protocol):
    """One format: what has been heard, and what it means."""

    @property
    def holds(self) -> int: ...

    def feed(self, data: bytes) -> Sequence[object]: ...

    def gap(self) -> Sequence[object]: ...

    def take_rejects(self) -> dict[str, int]: ...


class _Session:
    """One conversation with one reader."""

    def __init__(self, settings: AsciiLineSettings, port: Port, report: Report) -> None:
        self._settings = settings
        self._port = port
        self._report = report
        self._source = _source(settings)
        self._pattern = Pattern(settings.pattern)
        self._gap_s = settings.idle_gap_s if settings.terminator is Terminator.IDLE else GAP_S
        self._presentations = Presentations(settings.absent_after_s)
        self._strange = 0

    async def listen(self) -> None:
        """Wait for what comes next and report what it says.

        Raises:
            LinkError: the link broke.
        """
        data = await self._port.receive(self._gap_s if self._source.holds else IDLE_S)
        frames = self._source.feed(data) if data else self._source.gap()
        for reason, count in self._source.take_rejects().items():
            self._rejected(reason, count)
        if self._settings.content is Content.EPC:
            self._report_tags(frames)
        else:
            self._report_cards(frames)

    def _report_cards(self, frames: Iterable[object]) -> None:
        cards = []
        for frame in frames:
            try:
                identity = self._identity(frame)
            except FrameError as error:
                self._rejected(error.reason, reads_lost=1)
                continue
            self._understood()
            if self._presentations.is_new(identity, self._port.monotonic_s()):
                cards.append(CardRead(identity, ANTENNA_PORT))
        if cards:
            self._report(CardReads(self._port.now_us(), cards))

    def _identity(self, frame: object) -> CardIdentity:
        if isinstance(frame, em4100.Frame):
            return CardPolicy().accept(CardIdentity(Technology.EM4100, frame.number))
        if isinstance(frame, fdxb.Frame):
            return CardPolicy().accept(frame.identity)
        number = self._found(frame).number
        card = self._settings.card
        printed = fdxb.printed_identity(number) if card.technology is Technology.FDX_B else None
        return card.identity(number) if printed is None else card.accept(printed)

    def _report_tags(self, frames: Iterable[object]) -> None:
        reads = []
        for frame in frames:
            try:
                reads.append(self._tag_read(frame))
            except FrameError as error:
                self._rejected(error.reason, reads_lost=1)
                continue
            self._understood()
        if reads:
            self._report(TagReads.of(self._port.now_us(), *reads))

    def _tag_read(self, line: object) -> TagRead:
        found = self._found(line)
        antenna_port = found.antenna_port or ANTENNA_PORT
        if antenna_port not in self._settings.antennas:
            raise FrameError("antenna", f"antenna port {antenna_port} is none of `antennas`")
        return TagRead(_epc(found.number), antenna_port, found.rssi_dbm)

    def _found(self, line: object) -> Found:
        assert isinstance(line, str)
        return self._pattern.find(line)

    def _rejected(self, reason: str, count: int = 1, *, reads_lost: int = 0) -> None:
        """Count it, without the bytes: they may be the number of a card, which must not reach a log."""
        self._report(Rejected(reason, count, reads_lost))
        self._strange += 1
        if self._strange == STRANGE_LINES:
            detail = (
                f"{STRANGE_LINES} times in a row nothing that can be understood came, the last time for its {reason}"
            )
            hint = "look at format, terminator, pattern and the speed of the line"
            self._report(Condition(_NOT_UNDERSTOOD, active=True, severity=Severity.WARNING, detail=f"{detail}; {hint}"))

    def _understood(self) -> None:
        if self._strange >= STRANGE_LINES:
            self._report(Condition(_NOT_UNDERSTOOD, active=False))
        self._strange = 0


def _source(settings: AsciiLineSettings) -> _Source:
    if settings.format is Format.FDXB:
        return fdxb.Decoder()
    if settings.format is Format.LINE:
        return Decoder(LineForm(settings.terminator, settings.prefix, settings.suffix))
    return em4100.Decoder(em4100.Form.RDM6300 if settings.format is Format.RDM6300 else em4100.Form.ID12)


def _epc(text: str) -> bytes:
    """The EPC that a reader has printed.

    Raises:
        FrameError: `text` when it is none: whole words of hex, 62 bytes at most.
    """
    digits = _SEPARATORS.sub("", text)
    if not _HEX.fullmatch(digits):
        raise FrameError("text", f"{len(text)} characters that are no EPC: 1 to 31 words of 4 hex digits")
    return bytes.fromhex(digits)


DRIVER: Final = DriverSpec(
    "ascii_line",
    Kind.CARD,
    AsciiLineSettings,
    AsciiLineDriver,
    "readers that write one line or frame a card: RDM6300, ID-12LA, WL-134 (FDX-B), Wiegand converters, keyboard style",
    line=LineDefaults(baud=9600),
    models=("RDM6300", "RDM630", "ID-12LA", "ID-20LA", "WL-134A", "WIE232-A", "WG2RS232"),
)
