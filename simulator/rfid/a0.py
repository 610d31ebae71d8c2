"""Plays readers with the R2000 chip on one line: the twin of the driver `a0`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from readers.codecs.a0 import (
    ANTENNAS_OF_A_GROUP,
    BROADCAST,
    FREQUENCY_INDICES,
    INVENTORIES,
    RSSI_CODES,
    RSSI_OFFSET_DBM,
    Command,
    Decoder,
    Frame,
    Result,
    RoundEnd,
    TagReport,
    encode,
    pc_bits_for,
)
from readers.codecs.a0_band import WHOLE, Band, CustomBand, RegionCode, parse_band
from readers.driver import Port
from readers.errors import FrameError
from simulator.device import Radio, Sighting
from simulator.rfid.a0_tags import Flags, carry_out

DEVICE: Final = "a0"
_IDLE_S: Final = 1.0
_GAP_S: Final = 0.1  # a command that was not whole by then never will be
_US_PER_S: Final = 1_000_000
_SHORTEST: Final = 0xFF
_SHORT_SLOTS: Final = 4
_LONG_BYTES: Final = 29
_LONG_SESSION_AT: Final = 22
_LONG_PHASE_AT: Final = 27
_SESSION_PHASE_AT: Final = 3
_PHASE_STEPS: Final = 4096
_MOST_EPC_BYTES: Final = 62


@dataclass
class Module:
    """One reader. What its flash keeps stays from one connection to the next: serve the same object again.

    Attributes:
        first_port: the radio's antenna port of its antenna 1.
        powers_dbm: by antenna.
        max_power_dbm: a higher one is refused.
        cuts_power: a higher one is cut down instead.
        detector_db: 0 turns the check for missing antennas off.
        unplugged: antennas, 1-based, without a cable.
        pass_s: one pass on one antenna.
        empty_round: how a round without tags ends.
        failing: result codes of rounds, by antenna.
        loses_ends: how many ends of rounds are still to be lost.
        says_power_once: one byte when all powers are equal.
        keeps_band: commands for the band are confirmed, and nothing happens.
        unknown: commands that fail; mute: commands that are not answered.
        interrupted: commands that came while a round was under way.
        is_on: without power it hears nothing.
    """

    address: int = 1
    version: tuple[int, int] = (1, 9)
    identifier: bytes = b"\xff" * 12
    ports: int = 4
    first_port: int = 1
    powers_dbm: list[int] = field(default_factory=list)
    max_power_dbm: int = 33
    cuts_power: bool = False
    band: Band = WHOLE[RegionCode.FCC]
    celsius: int = 32
    detector_db: int = 3
    unplugged: set[int] = field(default_factory=set)
    pass_s: float = 0.02
    empty_round: str = "end"
    failing: Mapping[int, int] = field(default_factory=dict)
    loses_ends: int = 0
    says_power_once: bool = False
    keeps_band: bool = False
    unknown: frozenset[int] = frozenset()
    mute: frozenset[int] = frozenset()
    is_on: bool = True
    interrupted: int = 0
    restarts: int = 0
    flash_writes: int = 0

    def __post_init__(self) -> None:
        if not self.powers_dbm:
            self.powers_dbm = [30] * self.ports

    def restart(self) -> None:
        """Lose what is in no flash: the working antenna, its group, the EPC match, rounds under way."""
        self.restarts += 1


async def serve(port: Port, radio: Radio, *modules: Module) -> None:
    """Speak the readers' side of one line until the link ends.

    Raises:
        LinkError: the link ended.
    """
    twins = [_Twin(port, radio, module) for module in modules or (Module(),)]
    decoder = Decoder()
    heard_s = port.monotonic_s()
    while True:
        waits = [wait for twin in twins if (wait := twin.wait_us()) is not None]
        wait_s = max(0, min(waits)) / _US_PER_S if waits else _IDLE_S
        data = await port.receive(min(wait_s, _GAP_S) if decoder.holds else wait_s)
        frames = decoder.feed(data)
        if data:
            heard_s = port.monotonic_s()
        elif decoder.holds and port.monotonic_s() - heard_s >= _GAP_S:
            frames = decoder.gap()
        for frame in frames:
            for twin in twins:
                await twin.hear(frame)
        for twin in twins:
            await twin.work()


@dataclass
class _Pass:
    """One pass that is still to be made on an antenna, counted from 0 within the group."""

    index: int
    length_us: int


@dataclass
class _Inventory:
    """What a command asked for, and how far it is."""

    command: int
    passes: list[_Pass]
    began_us: int
    pass_began_us: int
    session: int = 0
    target: int = 0
    with_phase: bool = False
    reads: int = 0
    heard_missing: set[int] = field(default_factory=set)


class _Twin:
    def __init__(self, port: Port, radio: Radio, module: Module) -> None:
        self._port = port
        self._radio = radio
        self._module = module
        self._flags = Flags()
        self._restarts = module.restarts
        self._reset()

    def _reset(self) -> None:
        self._antenna = 0
        self._group = 0
        self._match: bytes | None = None
        self._inventory: _Inventory | None = None
        self._waiting: list[Frame] = []

    def wait_us(self) -> int | None:
        """How long until the pass under way is over; None when there is none."""
        run = self._inventory
        if run is None or not self._module.is_on:
            return None
        return run.pass_began_us + run.passes[0].length_us - self._port.now_us()

    async def hear(self, frame: Frame) -> None:
        """Take a command; while a round is under way it has to wait."""
        module = self._module
        if not module.is_on or frame.address not in (module.address, BROADCAST):
            return
        if self._inventory is not None:
            module.interrupted += 1
            self._waiting.append(frame)
        else:
            await self._obey(frame)

    async def work(self) -> None:
        """End the passes that are over."""
        if self._restarts != self._module.restarts or not self._module.is_on:
            self._restarts = self._module.restarts
            self._reset()
        while (wait_us := self.wait_us()) is not None and wait_us <= 0:
            await self._end_pass()
        while self._inventory is None and self._waiting:
            await self._obey(self._waiting.pop(0))

    async def _obey(self, frame: Frame) -> None:
        module = self._module
        if frame.command in module.mute:
            return
        if frame.command in module.unknown:
            await self._say(frame.command, bytes([Result.COMMAND_FAIL]))
        elif frame.command in INVENTORIES:
            await self._start(frame)
        elif frame.command in (Command.READ, Command.WRITE, Command.BLOCK_WRITE):
            now_us = self._port.now_us()
            heard = self._radio.heard(self._radio_port(self._antenna), now_us - self._pass_us(), now_us + 1)
            missing = self._is_missing(self._antenna)
            for data in carry_out(frame, self._radio, heard, self._match, self._antenna, is_missing=missing):
                await self._say(frame.command, data)
        elif frame.command == Command.RESET:
            self._reset()
        else:
            await self._say(frame.command, self._carry_out(frame.command, frame.data))

    async def _say(self, command: int, data: bytes) -> None:
        await self._port.send(encode(Frame(self._module.address, command, data)))

    def _pass_us(self) -> int:
        return round(self._module.pass_s * _US_PER_S)

    def _radio_port(self, index: int) -> int:
        return self._module.first_port + self._group * ANTENNAS_OF_A_GROUP + index

    def _is_missing(self, index: int) -> bool:
        antenna = self._group * ANTENNAS_OF_A_GROUP + index + 1
        return bool(self._module.detector_db) and antenna in self._module.unplugged

    def _carry_out(self, command: int, data: bytes) -> bytes:
        """The data of the answer to a command that sets or gets something."""
        module = self._module
        getters = {
            Command.GET_FIRMWARE: bytes(module.version),
            Command.GET_IDENTIFIER: module.identifier,
            Command.GET_TEMPERATURE: bytes([module.celsius >= 0, abs(module.celsius)]),
            Command.GET_WORK_ANTENNA: bytes([self._antenna]),
            Command.GET_GROUP: bytes([self._group]),
            Command.GET_DETECTOR: bytes([module.detector_db]),
            Command.GET_BAND: module.band.data(),
            Command.GET_MATCH: b"\x01" if self._match is None else bytes([0, len(self._match)]) + self._match,
        }
        if command in getters:
            return getters[Command(command)]
        if command in (Command.GET_POWER, Command.GET_POWER_EIGHT):
            return self._powers(command)
        return bytes([self._set(command, data)])

    def _set(self, command: int, data: bytes) -> Result:
        module = self._module
        if command == Command.SET_POWER:
            return self._set_powers(data)
        if command == Command.SET_BAND:
            try:
                band = parse_band(data)
            except FrameError:
                return Result.FREQUENCY_REGION_OUT_OF_RANGE
            if not module.keeps_band:
                module.band = band
                module.flash_writes += 1
            return Result.SUCCESS
        if command == Command.SET_MATCH:
            is_set = data[:1] == b"\x00"
            if is_set and (len(data) < 2 or data[1] != len(data) - 2 or data[1] > _MOST_EPC_BYTES):  # noqa: PLR2004 - mode, length
                return Result.EPC_MATCH_LENGTH_ERROR
            self._match = data[2:] if is_set else None
            return Result.SUCCESS
        if len(data) != 1:
            return Result.COMMAND_FAIL
        if command == Command.SET_WORK_ANTENNA:
            if data[0] >= min(module.ports, ANTENNAS_OF_A_GROUP):
                return Result.ANTENNA_OUT_OF_RANGE
            self._antenna = data[0]
        elif command == Command.SET_GROUP and module.ports > ANTENNAS_OF_A_GROUP and data[0] in (0, 1):
            self._group = data[0]
        elif command == Command.SET_DETECTOR:
            module.detector_db = data[0]
            module.flash_writes += 1
        else:
            return Result.COMMAND_FAIL
        return Result.SUCCESS

    def _slots(self) -> range:
        first = self._group * ANTENNAS_OF_A_GROUP
        return range(first, first + min(self._module.ports, ANTENNAS_OF_A_GROUP))

    def _powers(self, command: int) -> bytes:
        if command == Command.GET_POWER_EIGHT and self._module.ports < ANTENNAS_OF_A_GROUP:
            return bytes([Result.COMMAND_FAIL])
        powers = [self._module.powers_dbm[slot] for slot in self._slots()]
        return bytes(powers[:1] if self._module.says_power_once and len(set(powers)) == 1 else powers)

    def _set_powers(self, data: bytes) -> Result:
        module, slots = self._module, self._slots()
        if len(data) not in (1, len(slots)):
            return Result.PARAMETER_INVALID
        if max(data) > module.max_power_dbm and not module.cuts_power:
            return Result.OUTPUT_POWER_OUT_OF_RANGE
        for slot, dbm in zip(slots, data * (len(slots) // len(data)), strict=True):
            module.powers_dbm[slot] = min(dbm, module.max_power_dbm)
        module.flash_writes += 1
        return Result.SUCCESS

    async def _start(self, frame: Frame) -> None:
        run = self._asked(frame.command, frame.data)
        if run is None:
            await self._say(frame.command, bytes([Result.PARAMETER_INVALID]))
            return
        index = run.passes[0].index
        code = self._module.failing.get(self._group * ANTENNAS_OF_A_GROUP + index + 1)
        if frame.command != Command.FAST_SWITCH and self._is_missing(index):
            code = Result.ANTENNA_MISSING
        if code is not None:
            await self._say(frame.command, bytes([code]))
            return
        self._inventory = run

    def _asked(self, command: int, data: bytes) -> _Inventory | None:
        """What an inventory command asks for; None when its data make no sense."""
        now_us, pass_us = self._port.now_us(), self._pass_us()
        if not data:
            return None
        run = _Inventory(command, [], now_us, now_us)
        repeat = data[-1]
        if command == Command.FAST_SWITCH:
            slots = _SHORT_SLOTS if len(data) < 2 * ANTENNAS_OF_A_GROUP else ANTENNAS_OF_A_GROUP
            if len(data) == _LONG_BYTES:
                run.session, run.target = data[_LONG_SESSION_AT : _LONG_SESSION_AT + 2]
                run.with_phase = data[_LONG_PHASE_AT] == 1
            elif len(data) != 2 * slots + 2:
                return None
            pairs = [data[at : at + 2] for at in range(0, 2 * slots, 2)]
            rest_us = data[2 * slots] * 1000
            there = [pair for pair in pairs if pair[0] < min(self._module.ports, ANTENNAS_OF_A_GROUP)]
            once = [_Pass(pair[0], pass_us + rest_us) for pair in there for _ in range(pair[1])]
            run.passes = once * repeat
        elif command == Command.SESSION and len(data) >= 3:  # noqa: PLR2004 - session, target, repeat
            run.session, run.target = data[:2]
            run.with_phase = len(data) > _SESSION_PHASE_AT + 1 and data[_SESSION_PHASE_AT] == 1
            run.passes = [_Pass(self._antenna, pass_us)] * repeat
        elif command == Command.REAL_TIME:
            passes = 1 if repeat == _SHORTEST else repeat
            run.passes = [_Pass(self._antenna, pass_us // 2 if repeat == _SHORTEST else pass_us)] * passes
        return run if run.passes else None

    async def _end_pass(self) -> None:
        """Tell what a pass has heard, and at last that the round is over."""
        run = self._inventory
        assert run is not None
        done = run.passes.pop(0)
        began_us, run.pass_began_us = run.pass_began_us, run.pass_began_us + done.length_us
        if run.command == Command.FAST_SWITCH and self._is_missing(done.index):
            if done.index not in run.heard_missing:
                run.heard_missing.add(done.index)
                await self._say(run.command, bytes([done.index, Result.ANTENNA_MISSING]))
        else:
            await self._tell_tags(run, done.index, began_us)
        if not run.passes:
            self._inventory = None
            await self._tell_end(run, done.index)

    async def _tell_tags(self, run: _Inventory, index: int, began_us: int) -> None:
        heard = self._radio.heard(self._radio_port(index), began_us, run.pass_began_us)
        answering = self._flags.answering(heard, run.session, run.target)
        run.reads += len(answering)
        reports = [self._report(sighting, index, with_phase=run.with_phase) for sighting in answering]
        if reports:
            frames = [encode(Frame(self._module.address, run.command, report.data())) for report in reports]
            await self._port.send(b"".join(frames))

    async def _tell_end(self, run: _Inventory, index: int) -> None:
        if self._module.loses_ends:
            self._module.loses_ends -= 1
            return
        took_us = run.pass_began_us - run.began_us
        if run.command == Command.FAST_SWITCH:
            data = RoundEnd(run.reads, duration_ms=took_us // 1000).data()
        elif not run.reads and self._module.empty_round == "no_tag":
            data = bytes([Result.NO_TAG])
        else:
            data = RoundEnd(run.reads, index + 1, run.reads * _US_PER_S // max(1, took_us)).data()
        await self._say(run.command, data)

    def _report(self, sighting: Sighting, index: int, *, with_phase: bool) -> TagReport:
        band = self._module.band
        if isinstance(band, CustomBand):
            frequency = (sighting.channel_index - 1) % min(band.count, FREQUENCY_INDICES)
        else:
            frequency = band.first_index + (sighting.channel_index - 1) % (band.last_index - band.first_index + 1)
        rssi = max(RSSI_OFFSET_DBM + 1, min(RSSI_OFFSET_DBM + RSSI_CODES - 1, round(sighting.rssi_dbm)))
        return TagReport(
            frequency_index=frequency,
            antenna=index + 1,
            pc_bits=pc_bits_for(sighting.epc) if sighting.pc_bits is None else sighting.pc_bits,
            epc=sighting.epc,
            rssi_dbm=rssi,
            phase=round(sighting.phase_deg / 360 * _PHASE_STEPS) % _PHASE_STEPS if with_phase else None,
        )
