"""Plays a reader of the CF family, "UHF Prime": the twin of the driver `cf`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from readers.codecs.cf import (
    BROADCAST,
    BY_ROUNDS,
    Command,
    Decoder,
    Frame,
    Info,
    Parameters,
    Status,
    Tag,
    WorkMode,
    encode,
)
from readers.codecs.cf_access import mask_of
from readers.driver import Port
from readers.errors import FrameError
from simulator.device import Radio, Sighting
from simulator.rfid.cf_tags import Answered, answers_of

DEVICE: Final = "cf"
FACTORY: Final = bytes.fromhex("00 00 00 80 04 00 01 01 03 86 02 EE 01 F4 31 1E 01 04 00 00 0C 00 03 01 05")
"""The parameters of a published capture, but in answer mode and with 30 dBm."""

_IDLE_S: Final = 1.0
_GAP_S: Final = 0.1  # a command that was not whole by then never will be
_US_PER_S: Final = 1_000_000
_ALWAYS: Final = 1 << 32
_TAG_WITHIN_US: Final = 100_000  # a tag that was here so long ago is found


@dataclass(slots=True)
class Reader:
    """One reader, and what its flash memory keeps from one connection to the next.

    Attributes:
        ports: how many antennas it has.
        max_power_dbm: more is refused.
        round_s: length of one inventory round of all antennas.
        reports_empty_rounds: status 12 after a round without tags, in an inventory without end.
        stops_at_empty: such a round ends the inventory.
        greeting: what it says to a new connection.
        is_locked: it keeps its work mode, whatever is set.
        mask: tags whose EPC begins otherwise are left out, of inventories too.
        ends_work: status 12 after the tags that were worked on.
        unknown, mute: commands that are answered with status 02, and not at all.
    """

    address: int = 0
    hardware: str = "CP-202910_V1.13"
    firmware: str = "UHF Prime Reader V1.0"
    serial: str = "202911230001"
    parameters: Parameters = field(default_factory=lambda: Parameters(FACTORY))
    ports: int = 4
    max_power_dbm: int = 33
    round_s: float = 0.05
    reports_empty_rounds: bool = True
    stops_at_empty: bool = False
    greeting: bytes = b""
    is_locked: bool = False
    mask: bytes = b""
    ends_work: bool = True
    unknown: frozenset[int] = frozenset()
    mute: frozenset[int] = frozenset()


async def serve(port: Port, radio: Radio, reader: Reader | None = None) -> None:
    """Speak the reader's side until the link ends.

    Raises:
        LinkError: the link ended.
    """
    twin = _Twin(port, radio, reader or Reader())
    await twin.greet()
    while True:
        await twin.step()


class _Twin:
    def __init__(self, port: Port, radio: Radio, reader: Reader) -> None:
        self._port = port
        self._radio = radio
        self._reader = reader
        self._decoder = Decoder()
        self._rounds_left = _ALWAYS if reader.parameters.work_mode == WorkMode.ACTIVE else 0
        self._is_limited = False
        self._round_began_us = port.now_us()

    async def greet(self) -> None:
        """What it says before it is asked."""
        if self._reader.greeting:
            await self._port.send(self._reader.greeting)

    async def step(self) -> None:
        """Serve commands until the round in progress ends, then report it."""
        if not self._rounds_left:
            await self._obey(_IDLE_S)
            return
        end_us = self._round_began_us + round(self._reader.round_s * _US_PER_S)
        while self._rounds_left and (left_us := end_us - self._port.now_us()) > 0:
            await self._obey(left_us / _US_PER_S)
        if self._rounds_left:
            await self._end_round(end_us)

    async def _obey(self, within_s: float) -> None:
        data = await self._port.receive(min(within_s, _GAP_S) if self._decoder.holds else within_s)
        for frame in self._decoder.feed(data) if data else self._decoder.gap():
            is_mine = frame.address in (self._reader.address, BROADCAST)
            if is_mine and frame.command not in self._reader.mute:
                await self._answer(frame)

    async def _answer(self, frame: Frame) -> None:
        answer: tuple[int, bytes] | None = (Status.FAILED, b"")
        if frame.command not in self._reader.unknown:
            if frame.command in (Command.READ, Command.WRITE):
                for each in self._work_on_tags(frame):
                    await self._say(frame.command, *each)
                return
            answer = self._carry_out(frame.command, frame.body)
        if answer is not None:
            await self._say(frame.command, answer[0], answer[1])

    def _work_on_tags(self, frame: Frame) -> list[Answered]:
        """The answers of all tags that the mask leaves."""
        reader, now_us = self._reader, self._port.now_us()
        heard = [
            sighting
            for antenna in reader.parameters.antennas
            for sighting in self._radio.heard(antenna, now_us - _TAG_WITHIN_US, now_us)
            if sighting.epc.startswith(reader.mask)
        ]
        is_write = frame.command == Command.WRITE
        found = answers_of(self._radio, heard, frame.body, reader.parameters.power_dbm, is_write=is_write)
        return [*found, (Status.ROUND_END, b"")] if reader.ends_work or not found else found

    async def _say(self, command: int, status: int, data: bytes = b"") -> None:
        await self._port.send(encode(Frame(self._reader.address, command, bytes([status]) + data)))

    def _carry_out(self, command: int, parameters: bytes) -> tuple[int, bytes] | None:
        """Status and data of the answer; None for an inventory, whose tags are the answer."""
        reader = self._reader
        if command == Command.START:
            if len(parameters) != 5 or parameters[0] > BY_ROUNDS:  # noqa: PLR2004 - kind and number
                return Status.PARAMETER, b""
            number = int.from_bytes(parameters[1:], "big")
            self._is_limited = bool(number)
            by_rounds = parameters[0] == BY_ROUNDS
            self._rounds_left = (number if by_rounds else max(1, round(number / reader.round_s))) if number else _ALWAYS
            self._round_began_us = self._port.now_us()
            return None
        if command == Command.STOP:
            self._rounds_left = 0
            return Status.DONE, b""
        if command == Command.INFO:
            return Status.DONE, Info(reader.hardware, reader.firmware, reader.serial).data()
        if command == Command.GET_PARAMETERS:
            return Status.DONE, reader.parameters.raw
        if command == Command.SET_POWER and len(parameters) == 2:  # noqa: PLR2004 - power and a reserved byte
            if not 1 <= parameters[0] <= reader.max_power_dbm:
                return Status.PARAMETER, b""
            reader.parameters = reader.parameters.changed(power_dbm=parameters[0])
            return Status.DONE, b""
        if command == Command.SELECT:
            try:
                reader.mask = mask_of(parameters)
            except FrameError:
                return Status.PARAMETER, b""
            return Status.DONE, b""
        if command == Command.SET_PARAMETERS and len(parameters) == len(FACTORY):
            return self._set_parameters(Parameters(parameters)), b""
        return Status.PARAMETER, b""

    def _set_parameters(self, wanted: Parameters) -> int:
        reader = self._reader
        if wanted.power_dbm > reader.max_power_dbm or any(antenna > reader.ports for antenna in wanted.antennas):
            return Status.PARAMETER
        if reader.is_locked:
            wanted = wanted.changed(work_mode=reader.parameters.work_mode)
        was, reader.parameters = reader.parameters.work_mode, wanted
        if wanted.work_mode != was:
            self._rounds_left = _ALWAYS if wanted.work_mode == WorkMode.ACTIVE else 0
            self._is_limited = False
            self._round_began_us = self._port.now_us()
        return Status.DONE

    async def _end_round(self, end_us: int) -> None:
        reader = self._reader
        began_us, self._round_began_us = self._round_began_us, end_us
        self._rounds_left -= 1
        count = 0
        for antenna in reader.parameters.antennas:
            for sighting in self._radio.heard(antenna, began_us, end_us):
                if not sighting.epc.startswith(reader.mask):
                    continue
                await self._say(Command.START, Status.DONE, self._tag(sighting).data())
                count += 1
        if self._is_limited:
            if not self._rounds_left:
                await self._say(Command.START, Status.ROUND_END)
        elif not count and reader.reports_empty_rounds:
            await self._say(Command.START, Status.ROUND_END)
            if reader.stops_at_empty and reader.parameters.work_mode == WorkMode.ANSWER:
                self._rounds_left = 0

    @staticmethod
    def _tag(sighting: Sighting) -> Tag:
        return Tag(sighting.epc, round(sighting.rssi_dbm, 1), sighting.antenna_port, sighting.channel_index - 1)
