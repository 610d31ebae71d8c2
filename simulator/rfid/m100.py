"""Plays a reader of the MagicRF M100 family: the twin of the driver `m100`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from readers.codecs.m100 import (
    BB_7E,
    DBM_STEPS,
    DONE,
    MULTI_POLL_RESERVED,
    Command,
    Decoder,
    Delimiters,
    ErrorCode,
    Frame,
    FrameType,
    Info,
    TagNotice,
    encode,
    pc_bits_for,
)
from readers.codecs.m100_access import (
    MOST_ACCESS_WORDS,
    MOST_MASK_BITS,
    Access,
    Query,
    Select,
    SelectMode,
    TagAnswer,
)
from readers.driver import Port
from readers.errors import FrameError
from simulator.device import Radio, Sighting
from simulator.gen2_memory import TagRefusalError, WrongPasswordError
from simulator.rfid import m100_air
from simulator.rfid.m100_air import Air

DEVICE: Final = "m100"
ANTENNA_PORT: Final = 1
_IDLE_S: Final = 1.0
_GAP_S: Final = 0.1  # a command that was not whole by then never will be
_US_PER_S: Final = 1_000_000
_LOWEST_DBM: Final = -128
_HIGHEST_DBM: Final = 127
_REGIONS: Final = (1, 2, 3, 4, 6)
_CHANNELS: Final = {1: 20, 2: 52, 3: 15, 4: 20, 6: 32}
"""Channels of each region; the number of the American and Korean ones from memory."""
_READ_ERROR: Final = 0xA0
_WRITE_ERROR: Final = 0xB0


@dataclass(frozen=True, slots=True)
class Module:
    """What kind of module is played.

    Attributes:
        max_power_dbm: more is cut down to this, as real modules do.
        round_s: length of one inventory round.
        reports_empty_rounds: error 15 after a round without tags.
        notice_command: 22 by the vendor's manual, 27 by some documents.
        select_mode_answer: 12, or 0C as the manuals print it.
        query: as a former client has left it.
        access_s: how long a tag is sought for work on its memory.
        most_mask_bits: longer Selects are refused.
        unknown: commands that are answered with error 17.
        mute: commands that are not answered.
    """

    delimiters: Delimiters = BB_7E
    hardware: str = "M100 V1.00"
    firmware: str = "V2.3.5"
    manufacturer: str = "MagicRF"
    max_power_dbm: float = 26.0
    region: int = 1
    round_s: float = 0.02
    reports_empty_rounds: bool = True
    notice_command: int = Command.POLL
    select_mode_answer: int = Command.SELECT_MODE
    query: Query = field(default_factory=Query)
    access_s: float = 0.05
    most_mask_bits: int = MOST_MASK_BITS
    unknown: frozenset[int] = frozenset()
    mute: frozenset[int] = frozenset()


async def serve(port: Port, radio: Radio, module: Module | None = None) -> None:
    """Speak the module's side until the link ends.

    Raises:
        LinkError: the link ended.
    """
    twin = _Twin(port, radio, module or Module())
    while True:
        await twin.step()


class _Twin:
    def __init__(self, port: Port, radio: Radio, module: Module) -> None:
        self._port = port
        self._air = Air(radio, ANTENNA_PORT, module.query)
        self._module = module
        self._decoder = Decoder(module.delimiters)
        self._power = round(min(20.0, module.max_power_dbm) * DBM_STEPS)
        self._region = module.region
        self._channel = 0
        self._select_mode = SelectMode.BEFORE_ACCESS
        self._rounds_left = 0
        self._round_began_us = 0

    async def step(self) -> None:
        """Serve commands until the round in progress ends, then report it."""
        if not self._rounds_left:
            await self._obey(_IDLE_S)
            return
        end_us = self._round_began_us + round(self._module.round_s * _US_PER_S)
        while self._rounds_left and (left_us := end_us - self._port.now_us()) > 0:
            await self._obey(left_us / _US_PER_S)
        if self._rounds_left:
            await self._end_round(end_us)

    async def _obey(self, within_s: float) -> None:
        data = await self._port.receive(min(within_s, _GAP_S) if self._decoder.holds else within_s)
        for frame in self._decoder.feed(data) if data else self._decoder.gap():
            if frame.type is FrameType.COMMAND and frame.command not in self._module.mute:
                await self._answer(frame)

    async def _end_round(self, end_us: int) -> None:
        is_selecting = self._select_mode is SelectMode.ALWAYS
        sightings = self._air.round(self._round_began_us, end_us, is_selecting=is_selecting)
        self._round_began_us = end_us
        self._rounds_left -= 1
        notices = [self._notice(sighting) for sighting in sightings]
        if not notices and self._module.reports_empty_rounds:
            notices = [_error(ErrorCode.NO_TAG)]
        if notices:
            await self._port.send(b"".join(encode(notice, self._module.delimiters) for notice in notices))

    def _notice(self, sighting: Sighting) -> Frame:
        rssi = max(_LOWEST_DBM, min(_HIGHEST_DBM, round(sighting.rssi_dbm)))
        notice = TagNotice(rssi, _pc_bits(sighting), sighting.epc)
        return Frame(FrameType.NOTICE, self._module.notice_command, notice.parameters())

    async def _answer(self, frame: Frame) -> None:
        if frame.command in self._module.unknown:
            answer: Frame | None = _error(ErrorCode.UNKNOWN_COMMAND)
        elif frame.command in (Command.READ, Command.WRITE):
            answer = await self._work_on_a_tag(frame)
        elif frame.command == Command.MULTI_POLL and frame.parameters[:1] == bytes([MULTI_POLL_RESERVED]):
            self._rounds_left = int.from_bytes(frame.parameters[1:3], "big")
            self._round_began_us = self._port.now_us()
            answer = None  # the notifications are the answer
        else:
            parameters = self._carry_out(frame.command, frame.parameters)
            answer = _error(ErrorCode.UNKNOWN_COMMAND)
            if parameters is not None:
                is_mode = frame.command == Command.SELECT_MODE
                number = self._module.select_mode_answer if is_mode else frame.command
                answer = Frame(FrameType.RESPONSE, number, parameters)
        if answer is not None:
            await self._port.send(encode(answer, self._module.delimiters))

    async def _work_on_a_tag(self, frame: Frame) -> Frame:
        """Seek the tag that is meant, and read or write its memory."""
        is_write = frame.command == Command.WRITE
        try:
            asked = Access.parse(frame.parameters, is_write=is_write)
        except FrameError:
            return _error(ErrorCode.UNKNOWN_COMMAND)
        if not 0 < asked.words <= MOST_ACCESS_WORDS:
            return _error(ErrorCode.UNKNOWN_COMMAND)
        began_us = self._port.now_us()
        await self._port.pause(self._module.access_s)
        is_selecting = self._select_mode is not SelectMode.NEVER
        found = self._air.round(began_us, self._port.now_us(), is_selecting=is_selecting)
        if not found:
            return _error(ErrorCode.WRITE_FAILED if is_write else ErrorCode.READ_FAILED)
        tag = found[0]
        memory = self._air.memory_of(tag)
        answer = TagAnswer(_pc_bits(tag), tag.epc)
        try:
            if is_write:
                m100_air.write(memory, asked)
            data = DONE if is_write else m100_air.read(memory, asked)
        except TagRefusalError as refusal:
            return _error((_WRITE_ERROR if is_write else _READ_ERROR) | refusal.code, answer.parameters())
        except WrongPasswordError:
            return _error(ErrorCode.WRONG_PASSWORD, answer.parameters())
        return Frame(FrameType.RESPONSE, frame.command, answer.parameters() + data)

    def _carry_out(self, command: int, parameters: bytes) -> bytes | None:
        """The parameters of the answer; None for an error."""
        module = self._module
        if command == Command.INFO and parameters:
            texts = {Info.HARDWARE: module.hardware, Info.SOFTWARE: module.firmware}
            text = texts.get(Info(parameters[0]) if parameters[0] in tuple(Info) else Info.MANUFACTURER)
            return parameters[:1] + (text or module.manufacturer).encode("ascii")
        if command == Command.STOP:
            self._rounds_left = 0
            return DONE
        if command == Command.SET_POWER:
            self._power = min(int.from_bytes(parameters, "big"), round(module.max_power_dbm * DBM_STEPS))
            return DONE
        if command == Command.GET_POWER:
            return self._power.to_bytes(2, "big")
        if command in (Command.SET_SELECT, Command.GET_SELECT, Command.SELECT_MODE):
            return self._select(command, parameters)
        if command == Command.GET_QUERY:
            return self._air.query.parameters()
        if command == Command.SET_QUERY and len(parameters) == len(self._air.query.parameters()):
            self._air.query = m100_air.kept_by_the_module(Query.parse(parameters))
            return DONE
        return self._band(command, parameters)

    def _band(self, command: int, parameters: bytes) -> bytes | None:
        if command == Command.SET_REGION and parameters and parameters[0] in _REGIONS:
            self._region, self._channel = parameters[0], 0
            return DONE
        if command == Command.GET_REGION:
            return bytes([self._region])
        channels = range(_CHANNELS[self._region])
        if command == Command.SET_CHANNEL and len(parameters) == 1 and parameters[0] in channels:
            self._channel = parameters[0]
            return DONE
        if command == Command.GET_CHANNEL:
            return bytes([self._channel])
        if command == Command.SET_HOPPING and parameters in (b"\x00", b"\xff"):
            return DONE
        if command == Command.HOP_CHANNELS and parameters[:1] == bytes([len(parameters) - 1]):
            return DONE if set(parameters[1:]) <= set(channels) else None
        return None

    def _select(self, command: int, parameters: bytes) -> bytes | None:
        if command == Command.GET_SELECT:
            return self._air.select.parameters() if self._air.select is not None else bytes(7)
        if command == Command.SELECT_MODE:
            if len(parameters) != 1 or parameters[0] not in tuple(SelectMode):
                return None
            self._select_mode = SelectMode(parameters[0])
            return DONE
        try:
            select = Select.parse(parameters)
        except FrameError:
            return None
        if select.mask_bits > self._module.most_mask_bits:
            return None
        self._air.select, self._select_mode = select, SelectMode.BEFORE_ACCESS
        return DONE


def _pc_bits(sighting: Sighting) -> int:
    return sighting.pc_bits if sighting.pc_bits is not None else pc_bits_for(sighting.epc)


def _error(code: int, tag: bytes = b"") -> Frame:
    return Frame(FrameType.RESPONSE, Command.ERROR, bytes([code]) + tag)
