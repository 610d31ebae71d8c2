"""One reader of the line: who it is, how it is set, and which antenna it works with."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from readers.codecs.a0 import ANTENNAS_OF_A_GROUP, Command, Frame, TagReport
from readers.codecs.a0_band import WHOLE, Band, CustomBand, parse_band
from readers.errors import DeviceRefusedError, FrameError
from readers.observations import DeviceInfo, Severity, Signal, Signals, TagRead
from readers.rfid.a0.line import ANSWER_WITHIN_S, TRIES, Line, NoAnswerError, RefusedError
from readers.rfid.a0.settings import REGION_CODES, A0Settings
from readers.rfid.a0.told import Told
from readers.units import Unit

STILL_BUSY_S: Final = 10.0  # how long a round may go on after its time
SAVED_WITHIN_S: Final = 2.0  # settings that the module writes to its flash
CHIPS: Final = {0: "R2000", 2: "E710", 3: "TM670", 4: "FDW"}  # upper three bits of the version, by the vendor's own kit
_VERSION_BYTES: Final = 2
_TEMPERATURE_BYTES: Final = 2
_DEGREES: Final = 360.0


class Reader:
    """Knows one reader and sets it.

    Attributes:
        address: as in the settings; the real one once it has answered.
        reads: tags heard from it so far.
        seen: antennas, 1-based, that tags were heard on since this was last cleared.
    """

    def __init__(self, unit: Unit, settings: A0Settings, told: Told) -> None:
        self.unit = unit
        self.settings = settings
        self.told = told
        self.address = unit.address
        self.reads = 0
        self.seen: set[int] = set()
        self._line: Line | None = None
        self._band: Band | None = None
        self._group = 0
        self._work_antenna: int | None = None
        self._asked_s = 0.0

    @property
    def line(self) -> Line:
        """The line that it is on."""
        assert self._line is not None
        return self._line

    def join(self, line: Line) -> None:
        """The line that it is on, before all else."""
        self._line = line

    def key(self, name: str) -> str:
        """What a condition of this reader is about; its address tells readers of one line apart."""
        return name if len(self.settings.units) == 1 else f"{name} of address {self.address}"

    def take(self, tag: TagReport) -> TagRead | None:
        """A read, as the line counts ports; None when the antenna is not to be read."""
        antenna = tag.antenna + self._group * ANTENNAS_OF_A_GROUP
        if antenna not in self.unit.antennas:
            return None
        self.reads += 1
        self.seen.add(antenna)
        steps = self.settings.phase_steps_per_turn
        is_of_band = self._band is None or self._band.khz(tag.frequency_index) is not None
        return TagRead(
            tag.epc,
            self.unit.port_of(antenna),
            float(tag.rssi_dbm),
            pc_bits=tag.pc_bits,
            phase_deg=None if tag.phase is None or steps is None else tag.phase % steps * _DEGREES / steps,
            channel_index=tag.frequency_index + 1 if is_of_band else None,
        )

    async def ask(
        self, command: Command, data: bytes = b"", *, tries: int = TRIES, within_s: float = ANSWER_WITHIN_S
    ) -> Frame:
        """See `Line.ask`."""
        return await self.line.ask(self.address, command, data, tries=tries, within_s=within_s)

    async def identify(self, tries: int = TRIES) -> DeviceInfo:
        """Find the reader and learn its address.

        Raises:
            NoAnswerError: it does not answer.
        """
        try:
            answer = await self.ask(Command.GET_FIRMWARE, tries=tries)
        except RefusedError as refusal:
            answer = Frame(refusal.frame.address, Command.GET_FIRMWARE)
        self.address = answer.address
        identifier = await self._optional(Command.GET_IDENTIFIER)
        await self.tell_temperature()
        if len(answer.data) != _VERSION_BYTES:
            return DeviceInfo(serial=_text(identifier))
        major, minor = answer.data
        return DeviceInfo(
            model=CHIPS.get(major >> 5, "R2000"), firmware=f"{major & 0x1F}.{minor}", serial=_text(identifier)
        )

    async def tell_temperature(self) -> None:
        """Report the module's temperature where it says it."""
        self._asked_s = self.line.port.monotonic_s()
        data = await self._optional(Command.GET_TEMPERATURE)
        if len(data) == _TEMPERATURE_BYTES and data[0] in (0, 1):
            celsius = Decimal(data[1] if data[0] else -data[1])
            name = "temperature" if len(self.settings.units) == 1 else f"temperature_{self.address}"
            self.told.report(Signals(self.line.port.now_us(), [Signal(name, celsius, "celsius")]))

    async def tell_temperature_when_due(self) -> None:
        """The same, as often as the settings say."""
        if self.line.port.monotonic_s() - self._asked_s >= self.settings.temperature_every_s:
            await self.tell_temperature()

    async def configure(self) -> dict[str, str]:
        """Set band, power and antenna check and read them back; what is in force, by name.

        Raises:
            DeviceRefusedError: the reader keeps another band, so that reading might break the law.
            NoAnswerError: it stopped answering.
        """
        self.forget()
        in_force = {"band": await self._set_band()}
        powers = [await self._set_powers(group) for group in self._groups()]
        in_force["tx_power_dbm"] = ", ".join(dict.fromkeys(power for power in powers if power))
        if self.settings.antenna_check_db is not None:
            for antenna in self.unit.antennas:
                await self._set_check(antenna, self.settings.antenna_check_db)
        return {self.key(name): value for name, value in in_force.items() if value}

    def forget(self) -> None:
        """The reader may have restarted: it works with its own antenna and group until told otherwise."""
        self._work_antenna = None
        self._group = -1 if self.settings.reader_ports > ANTENNAS_OF_A_GROUP else 0

    async def select(self, antenna: int, *, is_group_only: bool = False) -> None:
        """Let the reader work with an antenna, 1-based, or with its group of eight.

        Raises:
            RefusedError: it will not. NoAnswerError: it does not answer.
        """
        group, index = divmod(antenna - 1, ANTENNAS_OF_A_GROUP)
        if group != self._group:
            await self.ask(Command.SET_GROUP, bytes([group]))
            self._group, self._work_antenna = group, None
        if not is_group_only and self._work_antenna != antenna:
            await self.ask(Command.SET_WORK_ANTENNA, bytes([index]))
            self._work_antenna = antenna

    def antenna_of(self, antenna: int) -> int:
        """The reader's own number of an antenna that it named within its group."""
        return antenna + max(0, self._group) * ANTENNAS_OF_A_GROUP

    async def is_alive(self, hear: Callable[[Frame], None]) -> bool:
        """Ask for a sign of life, and wait for the end of a round that is still going on; `hear` gets what comes."""
        monotonic_s = self.line.port.monotonic_s
        was_heard = False
        until_s = monotonic_s() + STILL_BUSY_S
        for _ in range(TRIES):
            await self.line.send(Frame(self.address, Command.GET_FIRMWARE))
            deadline_s = monotonic_s() + ANSWER_WITHIN_S
            while (left_s := min(deadline_s, until_s) - monotonic_s()) > 0:
                before = self.reads
                own = [frame for frame in await self.line.listen(left_s) if frame.address == self.address]
                for frame in own:
                    hear(frame)
                if own:
                    return True
                if self.reads != before:
                    was_heard, deadline_s = True, monotonic_s() + ANSWER_WITHIN_S
        return was_heard

    async def _set_band(self) -> str:
        settings = self.settings
        self._band = await self._get_band()
        if self._band is not None and settings.is_met_by(self._band):
            return str(self._band)
        key = "channels" if settings.channels is not None else "region"
        wanted: Band
        if settings.channels is not None:
            wanted = CustomBand(settings.channels.start_khz, settings.channels.step_khz, settings.channels.count)
        elif settings.region is not None:
            wanted = WHOLE[REGION_CODES[settings.region]]
        else:
            return ""  # the reader keeps its own and does not say which
        try:
            await self.ask(Command.SET_BAND, wanted.data(), within_s=SAVED_WITHIN_S)
        except RefusedError as refusal:
            raise DeviceRefusedError(
                f"{self.line.port.description}: settings.{key}: the reader at address {self.address} refuses {wanted} "
                f"with {refusal.name} ({refusal.code:02X}); leave the key out to keep the reader's own band"
            ) from refusal
        self._band = await self._get_band()
        if self._band is None:
            self._unverified(key)
        elif not settings.is_met_by(self._band):
            raise DeviceRefusedError(
                f"{self.line.port.description}: settings.{key}: {wanted} was asked, the reader at address "
                f"{self.address} keeps {self._band}; choose the band that its antennas and licence are for"
            )
        return str(self._band or wanted)

    async def _get_band(self) -> Band | None:
        data = await self._optional(Command.GET_BAND, tries=TRIES)
        try:
            return parse_band(data)
        except FrameError as error:
            if data:
                self.line.reject(f"band_{error.reason}", sample=data)
            return None

    def _groups(self) -> list[int]:
        return sorted({(antenna - 1) // ANTENNAS_OF_A_GROUP for antenna in self.unit.antennas})

    async def _set_powers(self, group: int) -> str:
        """Set the powers of the antennas of one group of eight, and say which are in force."""
        wanted = {
            (antenna - 1) % ANTENNAS_OF_A_GROUP: self.settings.power_dbm(self.unit.port_of(antenna))
            for antenna in self.unit.antennas
            if (antenna - 1) // ANTENNAS_OF_A_GROUP == group
        }
        try:
            if self._group != group:
                await self.select(group * ANTENNAS_OF_A_GROUP + 1, is_group_only=True)
            found = await self._get_powers()
            if any(found.get(index) != dbm for index, dbm in wanted.items()):
                slots = {
                    index: found.get(index, self.settings.tx_power_dbm) for index in range(self.settings.power_slots)
                }
                data = bytes((slots | wanted).values())
                await self.ask(Command.SET_POWER, data, within_s=SAVED_WITHIN_S)
                found = await self._get_powers()
        except RefusedError as refusal:
            self._differs("tx_power_dbm", f"{self._listed(wanted)} dBm asked; {refusal}")
            return ""
        if not found:
            self._unverified("tx_power_dbm")
            return ""
        for index, dbm in wanted.items():
            if found.get(index) != dbm:
                in_force = f"{found[index]} dBm in force" if index in found else "the reader does not say its power"
                self._differs(f"tx_power_dbm of port {self._port(index)}", f"{dbm} dBm asked, {in_force}")
        return self._listed({index: found[index] for index in wanted if index in found})

    def _listed(self, dbm: dict[int, int]) -> str:
        """`30` where all are alike, else `port 1: 30, port 2: 27`."""
        if len(set(dbm.values())) == 1:
            return str(next(iter(dbm.values())))
        return ", ".join(f"port {self._port(index)}: {power}" for index, power in dbm.items())

    def _port(self, index: int) -> int:
        """The port of the line of an antenna of the group in force, counted from 0."""
        return self.unit.port_of(self.antenna_of(index + 1))

    async def _get_powers(self) -> dict[int, int]:
        """Powers by antenna within the group, counted from 0; empty where the reader does not say."""
        slots = self.settings.power_slots
        is_eight = slots == ANTENNAS_OF_A_GROUP
        data = await self._optional(Command.GET_POWER_EIGHT if is_eight else Command.GET_POWER, tries=TRIES)
        if not data and is_eight:
            data = await self._optional(Command.GET_POWER, tries=TRIES)  # firmware without 97
        return dict.fromkeys(range(slots), data[0]) if len(data) == 1 else dict(enumerate(data))

    async def _set_check(self, antenna: int, wanted_db: int) -> None:
        """The antenna check belongs to the antenna that the reader works with."""
        name = f"antenna_check_db of port {self.unit.port_of(antenna)}"
        try:
            await self.select(antenna)
            if await self._optional(Command.GET_DETECTOR) == bytes([wanted_db]):
                return
            await self.ask(Command.SET_DETECTOR, bytes([wanted_db]), within_s=SAVED_WITHIN_S)
        except RefusedError as refusal:
            self._differs(name, f"{wanted_db} dB asked; {refusal}")
            return
        found = await self._optional(Command.GET_DETECTOR)
        if not found:
            self._unverified(name)
        elif found != bytes([wanted_db]):
            self._differs(name, f"{wanted_db} dB asked, {found[0]} dB in force")

    async def _optional(self, command: Command, tries: int = 1) -> bytes:
        """What the reader answers; empty where it does not or will not."""
        try:
            return (await self.ask(command, tries=tries)).data
        except (RefusedError, NoAnswerError):
            return b""

    def _unverified(self, name: str) -> None:
        self.told.begin("setting_unverified", self.key(name), "the reader does not say what is in force")

    def _differs(self, name: str, detail: str) -> None:
        self.told.begin("setting_differs", self.key(name), detail, Severity.WARNING)


def _text(identifier: bytes) -> str:
    """An identifier as text where it is text, in hex where it is not; nothing where none was ever set."""
    stripped = identifier.strip(b"\x00\xff ")
    if all(0x20 < byte < 0x7F for byte in stripped):  # noqa: PLR2004 - printable ASCII
        return stripped.decode("ascii")
    return identifier.hex().upper()
