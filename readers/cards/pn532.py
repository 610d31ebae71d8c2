"""The driver `pn532`: card readers with the NXP PN532 on a serial line.

The module does nothing by itself: every card is called again and again, type by type. The field goes off after each
round, so that every card that lies there answers anew.
"""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from readers.codecs.pn532 import (
    CALLS,
    FIELD_OFF,
    RETRIES,
    SAM_NORMAL,
    WAKE,
    Command,
    Decoder,
    Frame,
    Kind,
    Modulation,
    encode,
    parse_targets,
)
from readers.driver import DriverSettings, DriverSpec, LineDefaults, Port, Report
from readers.driver import Kind as DriverKind
from readers.errors import DeviceRefusedError, FrameError, LinkError
from readers.observations import CardRead, CardReads, DeviceInfo, Rejected, Watching
from readers.presentation import Presentations
from readers.tagdata.card_formats import CardPolicy
from readers.tagdata.cards import CardIdentity

ANTENNA_PORT: Final = 1
ACK_WITHIN_S: Final = 0.5  # the module's own limit is 15 ms; a device server adds its own
ANSWER_WITHIN_S: Final = 1.0
GAP_S: Final = 0.1  # a module sends a frame in one go; a device server may divide it
TRIES: Final = 3
CALLED: Final = 0x02  # how often a card is called in one listing, beyond the first time
_MODULATIONS: Final = {"nfca": Modulation.A_106, "nfcb": Modulation.B_106, "nfcf": Modulation.F_212}
_FIRMWARE_BYTES: Final = 4
_CHIP: Final = 0x32


class Pn532Settings(DriverSettings):
    """Settings of driver `pn532`."""

    technologies: tuple[Literal["nfca", "nfcb", "nfcf"], ...] = Field(
        default=("nfca", "nfcb", "nfcf"), min_length=1, description="what cards are called, in this order"
    )
    policy: CardPolicy = Field(default=CardPolicy(), description="which identities count")
    max_targets: Literal[1, 2] = Field(default=1, description="how many type A cards at once; two take longer")
    pause_s: float = Field(default=0.1, ge=0, le=10, description="between two rounds, the field off")
    absent_after_s: float = Field(
        default=1.0, ge=0.5, le=60, description="a card not answering for so long has gone; then it is told anew"
    )

    @field_validator("technologies")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("each technology may be named once")
        return value

    @model_validator(mode="after")
    def _is_called_often_enough(self) -> Self:
        if self.absent_after_s < 2 * self.pause_s + 0.5:
            raise ValueError(
                f"absent_after_s = {self.absent_after_s:g}: must be at least {2 * self.pause_s + 0.5:g}, "
                "two rounds and their pauses, or a card is told again while it lies there"
            )
        return self

    def antenna_ports(self) -> tuple[int, ...] | None:
        """The one antenna."""
        return (ANTENNA_PORT,)


class Pn532Driver:
    """Wakes and sets the module, and calls cards until cancelled."""

    def __init__(self, settings: Pn532Settings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled.

        Raises:
            LinkError: no answer, or the module fell silent.
            DeviceRefusedError: it refuses what it is asked to do.
        """
        session = _Session(self._settings, port, report)
        await session.begin()
        while True:
            await session.round()
            await port.pause(self._settings.pause_s)


class _NoAnswerError(LinkError):
    """The module did not answer a command, however often it was asked."""


class _Session:
    """One conversation with one module."""

    def __init__(self, settings: Pn532Settings, port: Port, report: Report) -> None:
        self._settings = settings
        self._port = port
        self._report = report
        self._decoder = Decoder()
        self._presentations = Presentations(settings.absent_after_s)
        self._watching = False
        self._heard_bytes = 0

    async def begin(self) -> None:
        """Wake the module, learn who it is, and set how often it calls.

        Raises:
            LinkError: it does not answer. DeviceRefusedError: it refuses.
        """
        try:
            await self._ask(Command.SAM_CONFIGURATION, SAM_NORMAL, before=WAKE)
        except _NoAnswerError as error:
            if self._heard_bytes:
                what = f"{self._heard_bytes} bytes came but no answer: another speed or protocol"
            else:
                what = "no byte came: check power, wiring, and that its switches say HSU (mostly both off)"
            line = DRIVER.line
            assert line is not None
            raise LinkError(f"{self._port.description}: {what}; PN532 modules speak {line.baud} 8N1") from error
        firmware = await self._ask(Command.FIRMWARE)
        if len(firmware) != _FIRMWARE_BYTES or firmware[0] != _CHIP:
            raise DeviceRefusedError(
                f"{self._port.description}: the module says it is {firmware.hex().upper() or 'nothing'}, not a PN532 "
                "(32 and three more bytes); another driver may fit it"
            )
        self._report(DeviceInfo("NXP", "PN532", f"{firmware[1]}.{firmware[2]}"))
        await self._ask(Command.RF_CONFIGURATION, RETRIES + bytes([CALLED]))

    async def round(self) -> None:
        """Call the cards of every type once and report those that have come.

        Raises:
            LinkError: the module fell silent. DeviceRefusedError: it refuses.
        """
        cards: list[CardRead] = []
        for technology in self._settings.technologies:
            cards += await self._call(_MODULATIONS[technology])
        await self._ask(Command.RF_CONFIGURATION, FIELD_OFF)
        if not self._watching:
            self._watching = True
            self._report(Watching(frozenset({ANTENNA_PORT})))
        if cards:
            self._report(CardReads(self._port.now_us(), cards))

    async def _call(self, modulation: Modulation) -> list[CardRead]:
        most = self._settings.max_targets if modulation is Modulation.A_106 else 1
        data = await self._ask(Command.LIST_PASSIVE_TARGETS, bytes([most, modulation]) + CALLS[modulation])
        try:
            targets = parse_targets(modulation, data)
        except FrameError as error:
            self._report(Rejected(error.reason, reads_lost=1))
            return []
        now_s = self._port.monotonic_s()
        cards = []
        for target in targets:
            try:
                identity = self._settings.policy.accept(CardIdentity(target.technology, target.uid))
            except FrameError as error:
                # a card with a random UID has another one in every round
                if self._presentations.is_new((target.technology, error.reason), now_s):
                    self._report(Rejected(error.reason))
                continue
            if self._presentations.is_new(identity, now_s):
                cards.append(CardRead(identity, ANTENNA_PORT))
        return cards

    async def _ask(self, command: Command, data: bytes = b"", before: bytes = b"") -> bytes:
        """Send a command until it is answered; the data of the answer.

        Raises:
            _NoAnswerError: it was not. DeviceRefusedError: it was, with an error, each time.
        """
        raw = before + encode(Frame(Kind.COMMAND, command, data))
        refused = False
        for _ in range(TRIES):
            await self._port.send(raw)
            is_acknowledged, answer = False, await self._next(ACK_WITHIN_S, command)
            if answer is not None and answer.kind is Kind.ACK:
                is_acknowledged, answer = True, await self._next(ANSWER_WITHIN_S, command, skip_ack=True)
            if answer is None and is_acknowledged:  # the answer was garbled: it is still there
                await self._port.send(encode(Frame(Kind.NACK)))
                answer = await self._next(ACK_WITHIN_S, command, skip_ack=True)
            if answer is not None and answer.kind is Kind.ANSWER:
                return answer.data
            refused = answer is not None and answer.kind is Kind.ERROR
            if refused:
                self._report(Rejected("error_frame"))
            elif is_acknowledged:
                await self._port.send(encode(Frame(Kind.ACK)))  # whatever it still does, it is to stop
        if refused:
            raise DeviceRefusedError(
                f"{self._port.description}: the module answers command {command:02X} with an error; "
                "it may be no PN532, or its firmware is damaged"
            )
        raise _NoAnswerError(
            f"{self._port.description}: command {command:02X} was sent {TRIES} times without an answer within "
            f"{ANSWER_WITHIN_S:g} s; check power and wiring"
        )

    async def _next(self, within_s: float, command: Command, *, skip_ack: bool = False) -> Frame | None:
        """The next frame that has to do with the command; None when none came in time."""
        deadline_s = self._port.monotonic_s() + within_s
        while (left_s := deadline_s - self._port.monotonic_s()) > 0:
            data = await self._port.receive(min(left_s, GAP_S) if self._decoder.holds else left_s)
            self._heard_bytes += len(data)
            frames = self._decoder.feed(data) if data else self._decoder.gap()
            for reason, count in self._decoder.take_rejects().items():
                self._report(Rejected(reason, count))  # without a sample: it may hold a card's number
            wanted = [frame for frame in frames if _concerns(frame, command, skip_ack=skip_ack)]
            if wanted:
                # acknowledgement and answer may come in one piece
                return wanted[-1] if wanted[-1].kind is not Kind.ACK else wanted[0]
        return None


def _concerns(frame: Frame, command: Command, *, skip_ack: bool) -> bool:
    if frame.kind is Kind.ANSWER:
        return frame.code == command + 1
    return frame.kind is Kind.ERROR or (frame.kind is Kind.ACK and not skip_ack)


DRIVER: Final = DriverSpec(
    "pn532",
    DriverKind.CARD,
    Pn532Settings,
    Pn532Driver,
    "Card readers with the NXP PN532 on a serial line (HSU): ISO 14443 A and B, FeliCa",
    line=LineDefaults(baud=115_200),
    models=("PN532 breakout boards", "Elechouse PN532 V3", "Adafruit PN532"),
)
