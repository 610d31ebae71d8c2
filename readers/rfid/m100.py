"""The driver `m100`: MagicRF M100 and QM100 modules and the readers built on them, on a serial line.

The module inventories by itself for a number of rounds and then stops without a word, so rounds are counted and asked
for again. An empty round is reported as error 15, which is how silence of the tags differs from silence of the reader.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from pydantic import Field

from readers.codecs.m100 import (
    AA_DD,
    ALL_DELIMITERS,
    BB_7E,
    DBM_STEPS,
    DONE,
    MULTI_POLL_RESERVED,
    Command,
    Decoder,
    ErrorCode,
    Frame,
    FrameType,
    Info,
    TagNotice,
    encode,
)
from readers.driver import DriverSettings, DriverSpec, Kind, LineDefaults, Port, Report
from readers.errors import DeviceRefusedError, FrameError, LinkError
from readers.observations import Condition, DeviceInfo, Rejected, Severity, TagRead, TagReads, Watching

ANSWER_WITHIN_S: Final = 0.5
TRIES: Final = 3
# A module sends a frame in one go, so a pause inside one means that it is none; but behind a device server a frame may
# come in two segments, and a lost segment is sent again after 0.2 s.
GAP_S: Final = 0.25
ROUND_WITHIN_S: Final = 1.0  # several times the longest round
SILENT_ROUNDS: Final = 3  # starts of the inventory without any sign of a round
ANTENNA_PORT: Final = 1  # these modules have one
_TEXT_BYTES: Final = 64


class Region(StrEnum):
    """The bands that the module knows."""

    CN_920 = "cn_920"
    CN_840 = "cn_840"
    US = "us"
    EU = "eu"
    KR = "kr"


_REGION_CODES: Final = {Region.CN_920: 1, Region.US: 2, Region.EU: 3, Region.CN_840: 4, Region.KR: 6}
_DELIMITERS: Final = {"auto": ALL_DELIMITERS, "bb_7e": (BB_7E,), "aa_dd": (AA_DD,)}


class M100Settings(DriverSettings):
    """Settings of driver `m100`."""

    tx_power_dbm: float = Field(
        default=20.0, ge=0, le=33, description="set and read back; modules round to their own steps, many end at 26"
    )
    region: Region | None = Field(
        default=None, description="the band, set and read back; default: the module keeps its own"
    )
    delimiters: Literal["auto", "bb_7e", "aa_dd"] = Field(
        default="auto", description="the frame form; `auto` asks in both who is there"
    )
    air_crc: Literal["required", "ignored"] = Field(
        default="required", description="`ignored` for modules that do not pass the tag's own CRC-16 on"
    )
    rounds: int = Field(default=10_000, ge=1, le=65_535, description="inventory rounds that are asked for at once")

    def antenna_ports(self) -> tuple[int, ...] | None:
        """The one antenna."""
        return (ANTENNA_PORT,)


class M100Driver:
    """Identifies the module, sets it, and inventories until cancelled."""

    def __init__(self, settings: M100Settings) -> None:
        self._settings = settings

    async def run(self, port: Port, report: Report) -> None:
        """Talk until cancelled.

        Raises:
            LinkError: no answer in either frame form, or the module fell silent.
            DeviceRefusedError: it refuses the region or the inventory.
        """
        session = _Session(self._settings, port, report)
        await session.identify()
        await session.configure()
        while True:
            await session.inventory()


class _Refused(Exception):  # noqa: N818 - an answer, not an error
    """The module answered a command with an error code."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


class _NoAnswerError(LinkError):
    """The module did not answer a command, however often it was asked."""


class _Session:
    """One conversation with one module."""

    def __init__(self, settings: M100Settings, port: Port, report: Report) -> None:
        self._settings = settings
        self._port = port
        self._report = report
        self._decoder = Decoder()
        self._delimiters = BB_7E
        self._watching = False
        self._conditions: set[str] = set()
        self._silent_rounds = 0
        self._heard_bytes = 0

    async def identify(self) -> None:
        """Find the frame form and say who the module is. An inventory of a former client is stopped first."""
        candidates = _DELIMITERS[self._settings.delimiters]
        for _ in range(TRIES):
            for delimiters in candidates:
                self._delimiters = delimiters
                await self._send(Command.STOP)
                hardware = await self._info(Info.HARDWARE)
                if hardware is not None and self._decoder.seen == delimiters:
                    self._decoder.delimiters = delimiters
                    firmware = await self._info(Info.SOFTWARE) or ""
                    maker = await self._info(Info.MANUFACTURER) or ""
                    self._report(DeviceInfo(manufacturer=maker, model=hardware, firmware=firmware))
                    return
        line = DRIVER.line
        assert line is not None
        if self._heard_bytes:
            what = f"{self._heard_bytes} bytes came but no answer to 'get information': another speed or protocol"
        else:
            what = "no byte came in answer to 'get information': check power, wiring and the name of the line"
        raise LinkError(f"{self._port.description}: {what}; M100 modules leave the factory at {line.baud} 8N1")

    async def configure(self) -> None:
        """Set region and power and read both back.

        Raises:
            DeviceRefusedError: the module does not take the region, so that reading might break the law.
        """
        if self._settings.region is not None:
            await self._set_region(self._settings.region)
        wanted = round(self._settings.tx_power_dbm * DBM_STEPS)
        parameters = wanted.to_bytes(2, "big")
        try:
            await self._ask(Command.SET_POWER, parameters)
        except _Refused as refusal:
            detail = f"{wanted / DBM_STEPS:g} dBm asked, the module answered error {refusal.code:02X}"
            self._condition("setting_differs", "tx_power_dbm", detail)
            return
        answer = await self._read_back(Command.GET_POWER, "tx_power_dbm")
        found = int.from_bytes(answer, "big") if answer is not None else wanted
        if found != wanted:
            detail = f"{wanted / DBM_STEPS:g} dBm asked, {found / DBM_STEPS:g} dBm in force"
            self._condition("setting_differs", "tx_power_dbm", detail)

    async def inventory(self) -> None:
        """Ask for rounds once, and report until they are used up.

        Raises:
            LinkError: the module fell silent. DeviceRefusedError: it cannot inventory.
        """
        rounds = self._settings.rounds
        await self._send(Command.MULTI_POLL, bytes([MULTI_POLL_RESERVED]) + rounds.to_bytes(2, "big"))
        signs = 0
        last_sign_s = self._port.monotonic_s()
        while signs < rounds:
            new = sum([self._round_sign(frame) for frame in await self._listen(ROUND_WITHIN_S)])
            now_s = self._port.monotonic_s()
            if new:
                signs += new
                last_sign_s = now_s
                self._inventory_runs()
            elif now_s - last_sign_s >= ROUND_WITHIN_S:
                break
        if not signs:
            self._inventory_silent()
        try:  # also the proof of life of a module that reports no empty rounds
            await self._ask(Command.STOP)
        except _Refused as refusal:
            self._report(Rejected(f"error_{refusal.code:02x}"))

    def _round_sign(self, frame: Frame) -> int:
        """1 when a frame shows that a round took place: a tag, or the report of an empty round."""
        if frame.type is FrameType.NOTICE:
            return 1
        if frame.type is not FrameType.RESPONSE or frame.command != Command.ERROR:
            return 0
        code = frame.parameters[:1]
        if code == bytes([ErrorCode.NO_TAG]):
            return 1
        if code == bytes([ErrorCode.NO_FREE_CHANNEL]):
            self._condition("no_free_channel", "", "the band is busy: the hop to another channel timed out")
            return 0
        if code == bytes([ErrorCode.UNKNOWN_COMMAND]):
            raise DeviceRefusedError(
                f"{self._port.description}: the module does not know the command 'multiple poll' (27); "
                "another driver may fit it"
            )
        self._report(Rejected(f"error_{code.hex() or 'none'}"))
        return 0

    def _inventory_runs(self) -> None:
        self._silent_rounds = 0
        for name in ("rounds_unconfirmed", "no_free_channel"):
            if name in self._conditions:
                self._conditions.remove(name)
                self._report(Condition(name, active=False))
        if not self._watching:
            self._watching = True
            self._report(Watching(frozenset({ANTENNA_PORT})))

    def _inventory_silent(self) -> None:
        """The module lives, but nothing shows that it reads."""
        self._silent_rounds += 1
        if self._silent_rounds < SILENT_ROUNDS:
            return
        self._condition("rounds_unconfirmed", "", "the module answers, but reports neither tags nor empty rounds")
        if self._watching:
            self._watching = False
            self._report(Watching())

    async def _set_region(self, region: Region) -> None:
        code = _REGION_CODES[region]
        try:
            answer = await self._ask(Command.SET_REGION, bytes([code]))
        except _Refused as refusal:
            raise DeviceRefusedError(
                f"{self._port.description}: settings.region = {region}: the module refuses it with error "
                f"{refusal.code:02X}; leave the key out to keep the module's own region"
            ) from refusal
        found = await self._read_back(Command.GET_REGION, "region")
        if answer.parameters != DONE or found not in (None, bytes([code])):
            in_force = (found or answer.parameters).hex().upper()
            raise DeviceRefusedError(
                f"{self._port.description}: settings.region = {region} (code {code:02X}) was asked, the module keeps "
                f"code {in_force}; choose the region that its antenna and licence are for"
            )

    async def _read_back(self, command: Command, key: str) -> bytes | None:
        """What is in force, or None where the module cannot say."""
        try:
            return (await self._ask(command)).parameters
        except _Refused as refusal:
            self._condition("setting_unverified", key, f"command {command:02X} got error {refusal.code:02X}")
        except _NoAnswerError:
            self._condition("setting_unverified", key, f"command {command:02X} got no answer")
        return None

    async def _info(self, what: Info) -> str | None:
        """Cleaned text, or None when the module does not say."""
        try:
            answer = await self._ask(Command.INFO, bytes([what]), tries=1)
        except _Refused:
            return ""
        except _NoAnswerError:
            return None
        text = answer.parameters[1 : 1 + _TEXT_BYTES].decode("ascii", errors="replace")
        return "".join(character for character in text if character.isprintable()).strip()

    async def _ask(self, command: Command, parameters: bytes = b"", *, tries: int = TRIES) -> Frame:
        """Send a command until it is answered.

        Raises:
            _NoAnswerError: it was not. _Refused: it was, with an error code.
        """
        for _ in range(tries):
            await self._send(command, parameters)
            deadline_s = self._port.monotonic_s() + ANSWER_WITHIN_S
            while (left_s := deadline_s - self._port.monotonic_s()) > 0:
                for frame in await self._listen(left_s):
                    if frame.type is not FrameType.RESPONSE:
                        continue
                    if frame.command == command:
                        return frame
                    # the last empty round may still be on its way
                    if frame.command == Command.ERROR and frame.parameters[:1] != bytes([ErrorCode.NO_TAG]):
                        raise _Refused(int.from_bytes(frame.parameters[:1], "big"))
        raise _NoAnswerError(
            f"{self._port.description}: command {command:02X} was sent {tries} times without an answer within "
            f"{ANSWER_WITHIN_S:g} s; check power and wiring"
        )

    async def _send(self, command: Command, parameters: bytes = b"") -> None:
        await self._port.send(encode(Frame(FrameType.COMMAND, command, parameters), self._delimiters))

    async def _listen(self, within_s: float) -> list[Frame]:
        """The frames that come next; tags are reported on the way, and so is what had to be thrown away."""
        data = await self._port.receive(min(within_s, GAP_S) if self._decoder.holds else within_s)
        self._heard_bytes += len(data)
        frames = self._decoder.feed(data) if data else self._decoder.gap()
        for reason, count in self._decoder.take_rejects().items():
            self._report(Rejected(reason, count, sample=self._decoder.reject_sample))
        notices = [frame for frame in frames if frame.type is FrameType.NOTICE]
        if notices:
            self._report_tags(notices)
        return frames

    def _report_tags(self, notices: list[Frame]) -> None:
        reads = []
        for frame in notices:
            # the vendor's manual numbers notifications 22 under both poll commands; some documents say 27
            if frame.command not in (Command.POLL, Command.MULTI_POLL):
                self._report(Rejected("notification", sample=frame.parameters))
                continue
            try:
                notice = TagNotice.parse(frame.parameters, check_crc=self._settings.air_crc == "required")
            except FrameError as error:
                self._report(Rejected(error.reason, reads_lost=1, sample=frame.parameters))
                continue
            reads.append(TagRead(notice.epc, ANTENNA_PORT, float(notice.rssi_dbm), pc_bits=notice.pc_bits))
        if reads:
            self._report(TagReads.of(self._port.now_us(), *reads))

    def _condition(self, name: str, key: str, detail: str) -> None:
        if name not in self._conditions:
            if not key:  # settings differ until the next connection
                self._conditions.add(name)
            self._report(Condition(name, active=True, severity=Severity.WARNING, key=key, detail=detail))


DRIVER: Final = DriverSpec(
    "m100",
    Kind.RFID,
    M100Settings,
    M100Driver,
    "UHF modules of the MagicRF M100 family (YRM100, JRD-4035, R200, M5Stack Unit UHF) on a serial line",
    line=LineDefaults(baud=115_200),
)
