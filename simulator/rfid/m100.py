"""Plays a reader of the MagicRF M100 family: the twin of the driver `m100`."""

from __future__ import annotations

from dataclasses import dataclass
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
from readers.driver import Port
from simulator.device import Radio, Sighting

DEVICE: Final = "m100"
ANTENNA_PORT: Final = 1
_IDLE_S: Final = 1.0
_US_PER_S: Final = 1_000_000
_LOWEST_DBM: Final = -128
_HIGHEST_DBM: Final = 127
_REGIONS: Final = (1, 2, 3, 4, 6)


@dataclass(frozen=True, slots=True)
class Module:
    """What kind of module is played.

    Attributes:
        max_power_dbm: more is cut down to this, as real modules do.
        round_s: length of one inventory round.
        reports_empty_rounds: error 15 after a round without tags.
        notice_command: 22 by the vendor's manual, 27 by some documents.
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
        self._radio = radio
        self._module = module
        self._decoder = Decoder(module.delimiters)
        self._power = round(min(20.0, module.max_power_dbm) * DBM_STEPS)
        self._region = module.region
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
        for frame in self._decoder.feed(await self._port.receive(within_s)):
            if frame.type is FrameType.COMMAND and frame.command not in self._module.mute:
                await self._answer(frame)

    async def _end_round(self, end_us: int) -> None:
        sightings = self._radio.heard(ANTENNA_PORT, self._round_began_us, end_us)
        self._round_began_us = end_us
        self._rounds_left -= 1
        notices = [self._notice(sighting) for sighting in sightings]
        if not notices and self._module.reports_empty_rounds:
            notices = [Frame(FrameType.RESPONSE, Command.ERROR, bytes([ErrorCode.NO_TAG]))]
        if notices:
            await self._port.send(b"".join(encode(notice, self._module.delimiters) for notice in notices))

    def _notice(self, sighting: Sighting) -> Frame:
        rssi = max(_LOWEST_DBM, min(_HIGHEST_DBM, round(sighting.rssi_dbm)))
        notice = TagNotice(rssi, pc_bits_for(sighting.epc), sighting.epc)
        return Frame(FrameType.NOTICE, self._module.notice_command, notice.parameters())

    async def _answer(self, frame: Frame) -> None:
        if frame.command in self._module.unknown:
            answer: bytes | None = None
        else:
            answer = self._carry_out(frame.command, frame.parameters)
        if frame.command == Command.MULTI_POLL and answer is not None:
            return  # the notifications are the answer
        command = frame.command if answer is not None else Command.ERROR
        parameters = answer if answer is not None else bytes([ErrorCode.UNKNOWN_COMMAND])
        await self._port.send(encode(Frame(FrameType.RESPONSE, command, parameters), self._module.delimiters))

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
        if command == Command.MULTI_POLL and parameters[:1] == bytes([MULTI_POLL_RESERVED]):
            self._rounds_left = int.from_bytes(parameters[1:3], "big")
            self._round_began_us = self._port.now_us()
            return DONE
        if command == Command.SET_POWER:
            self._power = min(int.from_bytes(parameters, "big"), round(module.max_power_dbm * DBM_STEPS))
            return DONE
        if command == Command.GET_POWER:
            return self._power.to_bytes(2, "big")
        if command == Command.SET_REGION and parameters and parameters[0] in _REGIONS:
            self._region = parameters[0]
            return DONE
        if command == Command.GET_REGION:
            return bytes([self._region])
        return None
