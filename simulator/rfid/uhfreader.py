"""Plays readers of the UHFReader family on one line: the twin of the driver `uhfreader`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from readers.codecs.checksums import mcrf4xx_crc16
from readers.codecs.uhfreader import (
    BROADCAST,
    BYTE_GAP_S,
    LEAST_COMMAND,
    AntennaState,
    Command,
    Form,
    Frame,
    Heartbeat,
    Inventory,
    Status,
    Tag,
    antenna_byte,
    encode,
    tag_block,
    tag_data,
)
from readers.codecs.uhfreader_info import BANDS, ReaderInfo, Region
from readers.driver import Port
from readers.errors import FrameError
from simulator.device import Radio, Sighting
from simulator.rfid.uhfreader_tags import Answer, TagsInReach, chosen

DEVICE: Final = "uhfreader"
RR18_TYPE: Final = 0x09
RR18_WORK_MODE: Final = bytes([0, 30, 10, 15, 0, 2, 4, 0, 1, 5, 8, 0])
_IDLE_S: Final = 1.0
_REPORT_EVERY_S: Final = 0.05
_US_PER_S: Final = 1_000_000
_TAG_WITHIN_US: Final = 100_000  # a tag that was here so long ago is found
_RAW_ZERO_DBM: Final = -170  # a made-up scale: no manual gives one
_BYTE_MOST: Final = 255
_POINTS: Final = {band.code: band for band in BANDS.values()}
_ALWAYS_ANSWERED: Final = frozenset(
    {Command.INFO, Command.SET_READ_MODE, Command.GET_READ_MODE, Command.SET_WORK_MODE, Command.GET_WORK_MODE}
)


@dataclass(slots=True)
class Reader:
    """One reader, and what its flash memory keeps from one connection to the next.

    Attributes:
        first_port: its antenna n hears what the radio has at antenna port first_port + n - 1.
        ports: how many antennas it has.
        disconnected: antennas that are not there; told only when `checks_antennas`.
        round_s: how long an inventory takes that finds all; None for one that always takes the whole scan time.
        tags_per_frame: how many tags it puts into one frame.
        empty_status: how it ends an inventory without tags: 01, or FB.
        read_mode: 0 answers, 1 reports by itself, 2 does so while triggered.
        work_mode: the same of UHFReader18, with what is told along with it.
        heartbeat_s: 0 for none.
        unknown, mute: commands that are answered with FE, and not at all.
        refused: commands that are answered with this status.
    """

    address: int = 0
    type: int = 0x20
    form: Form = Form.MASK
    version: tuple[int, int] = (2, 20)
    serial: bytes = bytes.fromhex("12345678")
    first_port: int = 1
    ports: int = 4
    disconnected: frozenset[int] = frozenset()
    checks_antennas: bool = False
    max_power_dbm: int = 30
    power_dbm: int = 30
    band: int = BANDS[Region.US].code
    lowest: int = 0
    highest: int = BANDS[Region.US].last
    scan_ds: int = 20
    round_s: float | None = 0.05
    tags_per_frame: int = 1
    empty_status: Status = Status.COMPLETE
    read_mode: int = 0
    work_mode: bytes = RR18_WORK_MODE
    heartbeat_s: float = 0.0
    unknown: frozenset[int] = frozenset()
    mute: frozenset[int] = frozenset()
    refused: dict[int, Status] = field(default_factory=dict)

    @property
    def is_rr18(self) -> bool:
        """Whether it is a UHFReader18."""
        return self.form is Form.PLAIN

    @property
    def reports(self) -> bool:
        """Whether it reports by itself; its trigger input is off."""
        return (self.work_mode[4] & 0b11 if self.is_rr18 else self.read_mode) == 1

    def info(self) -> ReaderInfo:
        """What it answers to command 21."""
        mask = None if self.is_rr18 else (1 << min(self.ports, 8)) - 1
        return ReaderInfo(
            self.version,
            self.type,
            self.band,
            self.lowest,
            self.highest,
            self.power_dbm,
            self.scan_ds,
            antennas=mask,
            checks_antennas=self.checks_antennas,
        )


def rr18(address: int = 0) -> Reader:
    """A UHFReader18."""
    return Reader(address=address, type=RR18_TYPE, form=Form.PLAIN, version=(1, 35), ports=1)


async def serve(port: Port, radio: Radio, *readers: Reader) -> None:
    """Speak the readers' side until the link ends.

    Raises:
        LinkError: the link ended.
    """
    twins = [_Twin(port, radio, reader) for reader in readers or (Reader(),)]
    while True:
        until_us = min(twin.next_us for twin in twins)
        data = await port.receive(max(0.0, (until_us - port.now_us()) / _US_PER_S))
        for twin in twins:
            if data:
                await twin.hear(data)
            await twin.work()


class _Twin:
    def __init__(self, port: Port, radio: Radio, reader: Reader) -> None:
        self._port = port
        self._radio = radio
        self._reader = reader
        self._buffer = bytearray()
        self._last_byte_s = 0.0
        self._round: tuple[Inventory, int, int] | None = None
        self._reported_us = port.now_us()
        self._spoke_us = port.now_us()
        self._heartbeats = 0
        self._tags_in_all = 0
        self._antennas = tuple(range(1, reader.ports + 1))  # of its own setting, for all but inventories

    @property
    def next_us(self) -> int:
        """When it has something to do by itself."""
        if self._round is not None:
            return self._round[2]
        if self._reader.reports:
            return self._reported_us + round(_REPORT_EVERY_S * _US_PER_S)
        return self._port.now_us() + round(_IDLE_S * _US_PER_S)

    async def hear(self, data: bytes) -> None:
        """Bytes from the line; a pause of 15 ms voids what came before, and commands during an inventory are lost."""
        now_s = self._port.monotonic_s()
        if now_s - self._last_byte_s > BYTE_GAP_S:
            self._buffer.clear()
        self._last_byte_s = now_s
        self._buffer += data
        while self._buffer and len(self._buffer) > self._buffer[0]:
            size = self._buffer[0] + 1
            raw = bytes(self._buffer[:size])
            del self._buffer[:size]
            if size <= LEAST_COMMAND:
                self._buffer.clear()
            elif self._round is None and raw[1] in (self._reader.address, BROADCAST):
                await self._obey(raw)

    async def work(self) -> None:
        """End the inventory, or report, when it is time."""
        now_us = self._port.now_us()
        if self._round is not None and now_us >= self._round[2]:
            await self._end_round(*self._round)
        elif self._reader.reports and now_us >= self.next_us:
            await self._report(now_us)

    async def _obey(self, raw: bytes) -> None:
        command = raw[2]
        if mcrf4xx_crc16(raw) or command in self._reader.unknown:
            await self._say(Command.NOT_UNDERSTOOD, Status.ILLEGAL)
        elif command in self._reader.mute or (self._reader.reports and command not in _ALWAYS_ANSWERED):
            return
        elif command in self._reader.refused:
            await self._say(command, self._reader.refused[command])
        elif command == Command.INVENTORY:
            await self._begin_round(raw[3:-2])
        else:
            answer = self._carry_out(command, raw[3:-2])
            if answer is None:
                await self._say(Command.NOT_UNDERSTOOD, Status.ILLEGAL)
            else:
                await self._say(command, answer[0], answer[1], answer[2])

    async def _say(self, command: int, status: int, data: bytes = b"", address: int | None = None) -> None:
        sender = self._reader.address if address is None else address
        await self._port.send(encode(Frame(sender, command, bytes([status]) + data)))

    def _carry_out(self, command: int, parameters: bytes) -> tuple[Status, bytes, int | None] | None:
        """Status, data and sender of the answer; None for a command that is not known."""
        reader = self._reader
        sender: int | None = None
        if command == Command.INFO:
            return Status.DONE, reader.info().data(), None
        if command == Command.SERIAL and not reader.is_rr18:
            return Status.DONE, reader.serial, None
        if command == Command.GET_READ_MODE and not reader.is_rr18:
            return Status.DONE, bytes([reader.read_mode]) + bytes(9), None
        if command == Command.GET_WORK_MODE and reader.is_rr18:
            return Status.DONE, reader.work_mode, None
        if command in (Command.READ, Command.WRITE):
            return (*self._work_on_tag(command, parameters), None)
        if command == Command.SET_ANTENNAS and not reader.is_rr18:
            found = chosen(parameters, reader.ports)
            self._antennas = found or self._antennas
            return Status.DONE if found else Status.PARAMETER, b"", None
        if command == Command.SET_BAND and len(parameters) == 2:  # noqa: PLR2004 - highest and lowest
            status = self._set_band(parameters[0], parameters[1])
        elif command == Command.SET_WORK_MODE and reader.is_rr18 and len(parameters) == 6:  # noqa: PLR2004 - see codec
            reader.work_mode = reader.work_mode[:4] + parameters + reader.work_mode[10:]
            self._reported_us = self._spoke_us = self._port.now_us()
            status = Status.DONE
        elif command in _SETTERS and len(parameters) != 1:
            status = Status.LENGTH
        elif command == Command.SET_ADDRESS:
            sender, reader.address = reader.address, parameters[0]  # it confirms with the old one
            status = Status.DONE
        elif command == Command.SET_SCAN_TIME:
            reader.scan_ds = parameters[0]
            status = Status.DONE
        elif command == Command.SET_POWER:
            status = self._set_power(parameters[0])
        elif command == Command.SET_READ_MODE and not reader.is_rr18:
            status = self._set_read_mode(parameters[0])
        else:
            return None
        return status, b"", sender

    def _work_on_tag(self, command: int, parameters: bytes) -> Answer:
        now_us = self._port.now_us()
        heard = [
            sighting for antenna in self._antennas for sighting in self._heard(antenna, now_us - _TAG_WITHIN_US, now_us)
        ]
        return TagsInReach(self._radio, heard, self._reader.power_dbm).answer(command, parameters)

    def _set_power(self, value: int) -> Status:
        power_dbm = value if self._reader.is_rr18 else value & 0x7F
        if power_dbm > self._reader.max_power_dbm:
            return Status.PARAMETER
        self._reader.power_dbm = power_dbm
        return Status.DONE

    def _set_read_mode(self, mode: int) -> Status:
        if mode > 2:  # noqa: PLR2004 - the modes that exist
            return Status.PARAMETER
        self._reader.read_mode = mode
        self._reported_us = self._spoke_us = self._port.now_us()
        return Status.DONE

    def _set_band(self, highest: int, lowest: int) -> Status:
        code = highest >> 6 << 2 | lowest >> 6
        highest, lowest = highest & 0x3F, lowest & 0x3F
        band = _POINTS.get(code)
        if band is None or not lowest <= highest <= band.last:
            return Status.PARAMETER
        self._reader.band, self._reader.lowest, self._reader.highest = code, lowest, highest
        return Status.DONE

    async def _begin_round(self, parameters: bytes) -> None:
        reader = self._reader
        inventory = Inventory(1, reader.scan_ds)
        if not reader.is_rr18:
            try:
                inventory = Inventory.parse(parameters)
            except FrameError as error:
                await self._say(Command.INVENTORY, Status.LENGTH if error.reason == "length" else Status.PARAMETER)
                return
        if inventory.antenna > reader.ports:
            await self._say(Command.INVENTORY, Status.PARAMETER)
        elif reader.checks_antennas and inventory.antenna in reader.disconnected:
            await self._say(Command.INVENTORY, Status.ANTENNA)
        else:
            scan_s = inventory.scan_ds / 10
            round_s = scan_s if reader.round_s is None else min(reader.round_s, scan_s)
            now_us = self._port.now_us()
            self._round = inventory, now_us, now_us + round(round_s * _US_PER_S)

    async def _end_round(self, inventory: Inventory, began_us: int, ended_us: int) -> None:
        reader = self._reader
        self._round = None
        tags = [self._tag(sighting, inventory) for sighting in self._heard(inventory.antenna, began_us, ended_us)]
        for at in range(0, len(tags), reader.tags_per_frame):
            data = tag_data(tags[at : at + reader.tags_per_frame], reader.form, inventory.antenna)
            await self._say(Command.INVENTORY, Status.MORE, data)
        if reader.round_s is None:
            await self._say(Command.INVENTORY, Status.TIMEOUT, tag_data([], reader.form, inventory.antenna))
        elif not tags and reader.empty_status is Status.NO_TAG:
            await self._say(Command.INVENTORY, Status.NO_TAG)
        else:
            await self._say(Command.INVENTORY, Status.COMPLETE, tag_data([], reader.form, inventory.antenna))

    def _heard(self, antenna: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        if antenna in self._reader.disconnected:
            return ()
        return self._radio.heard(self._reader.first_port + antenna - 1, start_us, until_us)

    def _tag(self, sighting: Sighting, inventory: Inventory) -> Tag:
        raw = max(0, min(_BYTE_MOST, round(sighting.rssi_dbm) - _RAW_ZERO_DBM))
        tid = sighting.tid if inventory.fast_id and len(sighting.tid) == 12 else None  # noqa: PLR2004 - as FastID sends
        frequency_khz = None
        if inventory.with_phase:
            band = _POINTS[self._reader.band]
            frequency_khz = band.first_khz + (self._reader.lowest + sighting.channel_index - 1) * band.step_khz
        return Tag(sighting.epc, (), raw, tid, b"", frequency_khz)

    async def _report(self, now_us: int) -> None:
        """What it heard since it reported last, or a heartbeat."""
        reader = self._reader
        since_us, self._reported_us = self._reported_us, now_us
        plain = Inventory(1, reader.scan_ds)
        for antenna in range(1, reader.ports + 1):
            for sighting in self._heard(antenna, since_us, now_us):
                data = antenna_byte(antenna, Form.NUMBER if reader.form is Form.NUMBER else Form.MASK)
                await self._say(Command.REPORT, Status.DONE, data + tag_block(self._tag(sighting, plain), Form.MASK))
                self._tags_in_all += 1
                self._spoke_us = now_us
        if reader.heartbeat_s and now_us - self._spoke_us >= reader.heartbeat_s * _US_PER_S:
            self._spoke_us = now_us
            states = tuple(
                AntennaState.DISCONNECTED if antenna in reader.disconnected else AntennaState.WORKING
                for antenna in range(1, reader.ports + 1)
            )
            beat = Heartbeat(self._heartbeats, states, self._tags_in_all)
            self._heartbeats += 1
            await self._say(Command.REPORT, Status.HEARTBEAT, beat.data())


_SETTERS: Final = frozenset({Command.SET_ADDRESS, Command.SET_SCAN_TIME, Command.SET_POWER, Command.SET_READ_MODE})
