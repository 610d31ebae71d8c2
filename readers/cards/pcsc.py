"""The driver `pcsc`: contactless readers of the PC/SC daemon, one reader a port `pcsc:READER NAME`.

The UID comes from the reader (GET DATA), what the card speaks from the ATR that the reader makes for it. Where an
application is set, the card's number is read from its file instead, because the UID of a bank or city card is not it.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from readers.codecs.pcsc import GET_UID, Decoder, read_binary, select, technology_of
from readers.driver import DriverSettings, DriverSpec, Port, Report
from readers.driver import Kind as DriverKind
from readers.errors import FrameError, LinkError
from readers.observations import CardRead, CardReads, DeviceInfo, Rejected, Watching
from readers.pcsc_messages import Kind, Message, encode
from readers.presentation import Presentations
from readers.tagdata.card_formats import ByteOrder, CardPolicy
from readers.tagdata.cards import MOST_UID_BYTES, CardIdentity, Technology

ANTENNA_PORT: Final = 1
ANSWER_WITHIN_S: Final = 6.0  # the port gives a card 5 s
FIRST_WORD_WITHIN_S: Final = 5.0
LISTEN_S: Final = 60.0
GAP_S: Final = 0.1
_MOST_SHORT_OFFSET: Final = 0xFF
_MOST_OFFSET: Final = 0x7FFF
_MOST_NAME: Final = 64
_DONE: Final = b"\x90\x00"
_MORE: Final = 0x61  # so many bytes can be fetched
_OTHER_LENGTH: Final = 0x6C  # ask again for so many bytes
_GET_RESPONSE: Final = bytes.fromhex("00C00000")
_MOST_STEPS: Final = 4


class Application(BaseModel):
    """Where a card keeps its number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    aid: Annotated[str, StringConstraints(pattern=r"^(?:[0-9A-Fa-f]{2}){5,16}$")] = Field(
        description="application identifier in hex, 5 to 16 bytes"
    )
    sfi: int | None = Field(
        default=None, ge=1, le=30, description="short identifier of the file; default: the file that SELECT selects"
    )
    offset: int = Field(default=0, ge=0, le=_MOST_OFFSET, description="where the number begins in the file, in bytes")
    length: int = Field(ge=1, le=MOST_UID_BYTES, description="how many bytes the number has")
    otherwise: Literal["refused", "uid"] = Field(
        default="refused", description="what becomes of cards without this application: nothing, or their UID counts"
    )

    @model_validator(mode="after")
    def _offset_fits(self) -> Self:
        if self.sfi is not None and self.offset > _MOST_SHORT_OFFSET:
            raise ValueError(f"offset = {self.offset}: with sfi at most {_MOST_SHORT_OFFSET} can be said")
        return self


class PcscSettings(DriverSettings):
    """Settings of driver `pcsc`."""

    technology: Technology | None = Field(
        default=None, description="what all cards speak; default: as the ATR says, which does not tell A from B always"
    )
    byte_order: ByteOrder = Field(
        default=ByteOrder.AIR, description="`reversed` for readers that turn UIDs round, mostly those of ISO 15693"
    )
    policy: CardPolicy = Field(default=CardPolicy(), description="which identities count")
    application: Application | None = Field(
        default=None, description="read the card's number from a file of its own instead of its UID"
    )
    absent_after_s: float = Field(
        default=1.0, ge=0, le=60, description="a card that comes back within this time was never away"
    )

    def antenna_ports(self) -> tuple[int, ...] | None:
        """The reader is the one antenna."""
        return (ANTENNA_PORT,)


class PcscDriver:
    """Waits for cards and asks each who it is."""

    def __init__(self, settings: PcscSettings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled.

        Raises:
            LinkError: the reader or the daemon is gone, or the port said nothing at first.
        """
        session = _Session(self._settings, port, report)
        await session.begin()
        while True:
            await session.wait()


class _Unanswered(Exception):  # noqa: N818 - an outcome, not an error
    """The card did not carry out a command; `reason` is what is counted."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class _Session:
    """One conversation with one reader."""

    def __init__(self, settings: PcscSettings, port: Port, report: Report) -> None:
        self._settings = settings
        self._port = port
        self._report = report
        self._decoder = Decoder()
        self._presentations = Presentations(settings.absent_after_s)
        self._here: CardIdentity | None = None
        self._inserted: bytes | None = None
        self._waiting: list[Message] = []

    async def begin(self) -> None:
        """Wait until the port says which reader it is and whether a card is there.

        Raises:
            LinkError: it says nothing.
        """
        deadline_s = self._port.monotonic_s() + FIRST_WORD_WITHIN_S
        while (left_s := deadline_s - self._port.monotonic_s()) > 0:
            message = await self._next(left_s)
            if message is not None and message.kind in (Kind.INSERTED, Kind.REMOVED):
                self._report(Watching(frozenset({ANTENNA_PORT})))
                await self._take(message)
                return
            if message is not None:
                await self._take(message)
        raise LinkError(f"{self._port.description}: the reader said nothing within {FIRST_WORD_WITHIN_S:g} s")

    async def wait(self) -> None:
        """Take what the reader says next."""
        message = await self._next(LISTEN_S)
        if message is not None:
            await self._take(message)

    async def _take(self, message: Message) -> None:
        if message.kind is Kind.READER:
            name = message.data.decode("utf-8", errors="replace")
            self._report(DeviceInfo(model=re.sub(r"[^\x20-\x7e]", "", name)[:_MOST_NAME]))
        elif message.kind is Kind.REMOVED:
            if self._here is not None:  # it lay there until now
                self._presentations.is_new(self._here, self._port.monotonic_s())
            self._here = None
        elif message.kind is Kind.INSERTED:
            await self._identify(message.data)
        else:
            self._report(Rejected("unasked"))

    async def _identify(self, atr: bytes) -> None:
        """Ask the card who it is, and report it when it has just come."""
        try:
            identity = await self._identity(atr)
        except _Unanswered as unanswered:
            self._report(Rejected(unanswered.reason, reads_lost=1))
            return
        except FrameError as error:
            self._report(Rejected(error.reason, reads_lost=1))
            return
        self._here = identity
        if self._presentations.is_new(identity, self._port.monotonic_s()):
            self._report(CardReads(self._port.now_us(), [CardRead(identity, ANTENNA_PORT)]))

    async def _identity(self, atr: bytes) -> CardIdentity:
        application = self._settings.application
        if application is not None:
            try:
                return await self._from_application(application)
            except _Unanswered as unanswered:
                if application.otherwise == "refused" or unanswered.reason == "card_gone":
                    raise
        try:
            uid = await self._ask(GET_UID)
        except _Unanswered as unanswered:
            raise _Unanswered(unanswered.reason if unanswered.reason == "card_gone" else "no_uid") from unanswered
        if not 0 < len(uid) <= MOST_UID_BYTES:
            raise FrameError("length", f"a UID of {len(uid)} bytes")
        technology = self._settings.technology or technology_of(atr, uid)
        if technology is None:
            raise FrameError("technology", "the ATR is not that of a contactless card; set technology if it is one")
        air = uid if self._settings.byte_order is ByteOrder.AIR else uid[::-1]
        return self._settings.policy.accept(CardIdentity(technology, air))

    async def _from_application(self, application: Application) -> CardIdentity:
        await self._ask(select(bytes.fromhex(application.aid)))
        number = await self._ask(read_binary(application.sfi, application.offset, application.length))
        if len(number) != application.length:
            raise _Unanswered("length")
        return self._settings.policy.accept(CardIdentity(Technology.APPLICATION, number))

    async def _ask(self, command: bytes) -> bytes:
        """The data of the card's answer.

        Raises:
            _Unanswered: `card_gone`, `no_answer`, `endless`, or `status_XXXX` as the card says.
        """
        data = b""
        for _ in range(_MOST_STEPS):
            answer = await self._exchange(command)
            if len(answer) < len(_DONE):
                raise _Unanswered("length")
            data, status = data + answer[:-2], answer[-2:]
            if status == _DONE:
                return data
            if status[0] == _MORE:
                command = _GET_RESPONSE + status[1:]
            elif status[0] == _OTHER_LENGTH:
                command = command[:4] + status[1:] if len(command) <= 5 else command[:-1] + status[1:]  # noqa: PLR2004 - Le
            else:
                raise _Unanswered(f"status_{status.hex()}")
        raise _Unanswered("endless")

    async def _exchange(self, command: bytes) -> bytes:
        await self._port.send(encode(Message(Kind.COMMAND, command)))
        deadline_s = self._port.monotonic_s() + ANSWER_WITHIN_S
        kept: list[Message] = []
        try:
            while (left_s := deadline_s - self._port.monotonic_s()) > 0:
                message = await self._next(left_s)
                if message is None:
                    continue
                if message.kind is Kind.ANSWER:
                    return message.data
                if message.kind is Kind.FAILED:
                    raise _Unanswered("card_gone")
                kept.append(message)
                if message.kind is Kind.REMOVED:
                    raise _Unanswered("card_gone")
        finally:
            self._waiting = kept + self._waiting
        raise _Unanswered("no_answer")

    async def _next(self, within_s: float) -> Message | None:
        """The next message; None when none came in time."""
        if self._waiting:
            return self._waiting.pop(0)
        data = await self._port.receive(min(within_s, GAP_S) if self._decoder.holds else within_s)
        self._waiting += self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self._report(Rejected(reason, count))  # without a sample: it may hold a card's number
        return self._waiting.pop(0) if self._waiting else None


DRIVER: Final = DriverSpec(
    "pcsc",
    DriverKind.CARD,
    PcscSettings,
    PcscDriver,
    "Contactless USB readers of the PC/SC daemon; cards by UID or by the number in an application's file",
    schemes=("pcsc",),
    models=("ACS ACR122U", "ACS ACR1252U", "HID Omnikey 5022", "other PC/SC readers"),
    extra="pcsc",
)
