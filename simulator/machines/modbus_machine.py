"""Plays a warping machine whose PLC speaks Modbus: the twin of the driver `modbus_machine`.

It winds yarns from a creel onto a beam: runs up to its set speed, counts metres, holds when a yarn breaks, and takes
orders from afar only while its own switch permits it and its watchdog register is toggled.

    holding  0 state (PackML number)   1 mode (1 automatic, 2 manual, 3 maintenance)   2 speed, 0.1 m/min
             3-4 length, m, u32        5 stop reason     6 broken yarns     7 status word: bit 0 runs, bit 15 fault
             10 set speed, 0.1 m/min   11-12 set tension, cN, f32           20 command  21 watchdog
    discrete 0 remote switch           1 emergency stop pressed
    coil     0 reset of the counters
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from readers.codecs.modbus import Frame, Function, Refusal, packed_bits, packed_registers
from readers.driver import Port
from simulator.modbus_server import answered, refused
from simulator.modbus_server import serve as serve_units

DEVICE: Final = "modbus_machine"
WATCHDOG_WITHIN_US: Final = 3_000_000
"""Without a change of the watchdog register for so long, remote operation is over."""
_US: Final = 1_000_000
_MOST_SPEED: Final = 6_000
_ACCELERATION: Final = 400.0  # 0.1 m/min in a second
_HOLDING: Final = 30
_START, _STOP, _RESET = 1, 2, 4
_SPEED_AT, _TENSION_AT, _COMMAND_AT, _WATCHDOG_AT = 10, 11, 20, 21
_ON: Final = b"\xff\x00"
_WRITABLE: Final = frozenset({_SPEED_AT, _TENSION_AT, _TENSION_AT + 1, _COMMAND_AT, _WATCHDOG_AT})


class State(IntEnum):
    """States by their PackML numbers."""

    STOPPED = 2
    IDLE = 4
    EXECUTE = 6
    ABORTED = 9
    HELD = 11


class StopReason(IntEnum):
    """Why it does not run."""

    NONE = 0
    OPERATOR = 1
    REMOTE = 2
    YARN_BROKEN = 7
    BEAM_FULL = 8
    EMERGENCY_STOP = 99


@dataclass(slots=True)
class WarpingMachine:
    """One machine. Its operator's deeds are methods; how it answers may be changed while it is played.

    Attributes:
        beam_m: length of yarn that fills the beam.
        is_remote: its own switch permits remote operation.
        busy, mute: it answers that it is busy; it does not answer.
        deaf_writes: so many writes are lost on their way. silent_writes: so many are done, and their answer is lost.
        stuck: it confirms orders and does not follow them.
        writes: every write that arrived, address and value.
    """

    beam_m: float = 20_000.0
    is_remote: bool = False
    answer_after_s: float = 0.01
    busy: bool = False
    mute: bool = False
    deaf_writes: int = 0
    silent_writes: int = 0
    stuck: bool = False
    state: State = State.IDLE
    mode: int = 1
    stop_reason: StopReason = StopReason.NONE
    broken_yarns: int = 0
    length_m: float = 0.0
    speed: float = 0.0
    set_speed: int = 3_000
    tension: list[int] = field(default_factory=lambda: list(struct.unpack(">HH", struct.pack(">f", 250.0))))
    is_emergency: bool = False
    writes: list[tuple[int, int]] = field(default_factory=list, init=False)
    _watchdog: int = field(default=0, init=False)
    _watchdog_us: int = field(default=-WATCHDOG_WITHIN_US, init=False)
    _now_us: int | None = field(default=None, init=False)

    def advance(self, now_us: int) -> None:
        """Let time pass up to now."""
        if self._now_us is None or now_us <= self._now_us:
            self._now_us = self._now_us or now_us
            return
        seconds = (now_us - self._now_us) / _US
        self._now_us = now_us
        target = float(self.set_speed) if self.state is State.EXECUTE else 0.0
        step = _ACCELERATION * seconds
        before = self.speed
        self.speed = min(target, before + step) if target > before else max(target, before - step)
        self.length_m += (before + self.speed) / 2 / 10 / 60 * seconds
        if self.state is State.EXECUTE and self.length_m >= self.beam_m:
            self.state, self.stop_reason = State.IDLE, StopReason.BEAM_FULL

    def start(self) -> None:
        """The operator presses start."""
        if self.state in (State.IDLE, State.HELD, State.STOPPED) and not self.is_emergency:
            self.state, self.stop_reason = State.EXECUTE, StopReason.NONE

    def stop(self, why: StopReason = StopReason.OPERATOR) -> None:
        """The operator presses stop."""
        if self.state is not State.ABORTED:
            self.state, self.stop_reason = State.STOPPED, why

    def break_yarn(self) -> None:
        """A yarn breaks: the machine holds until it is started again."""
        if self.state is State.EXECUTE:
            self.state, self.stop_reason = State.HELD, StopReason.YARN_BROKEN
            self.broken_yarns += 1

    def press_emergency_stop(self) -> None:
        """Somebody presses the red button."""
        self.is_emergency = True
        self.state, self.stop_reason, self.speed = State.ABORTED, StopReason.EMERGENCY_STOP, 0.0

    def release_emergency_stop(self) -> None:
        """The red button is pulled out; the fault stays until it is reset."""
        self.is_emergency = False

    def reset(self) -> None:
        """The operator presses reset."""
        if self.state is State.ABORTED and not self.is_emergency:
            self.state, self.stop_reason = State.IDLE, StopReason.NONE

    def holding(self) -> list[int]:
        """The holding registers."""
        registers = [0] * _HOLDING
        metres = int(self.length_m)
        status = int(self.state is State.EXECUTE) | int(self.state is State.ABORTED) << 15
        first = (self.state, self.mode, round(self.speed), metres >> 16 & 0xFFFF, metres & 0xFFFF)
        registers[: len(first) + 3] = [*map(int, first), int(self.stop_reason), self.broken_yarns, status]
        registers[_SPEED_AT] = self.set_speed
        registers[_TENSION_AT : _TENSION_AT + 2] = self.tension
        registers[_WATCHDOG_AT] = self._watchdog
        return registers

    def answer(self, request: Frame, now_us: int) -> Frame | None:
        """See `Unit`."""
        self.advance(now_us)
        if self.mute:
            return None
        if self.busy:
            return refused(request, Refusal.BUSY)
        if request.function in (Function.WRITE_COIL, Function.WRITE_REGISTER, Function.WRITE_REGISTERS):
            return self._written(request, now_us)
        address, count = int.from_bytes(request.data[:2], "big"), int.from_bytes(request.data[2:4], "big")
        if request.function == Function.READ_HOLDING_REGISTERS:
            registers = self.holding()[address : address + count]
            is_whole = len(registers) == count and count
            return (
                answered(request, packed_registers(registers))
                if is_whole
                else refused(request, Refusal.ILLEGAL_ADDRESS)
            )
        if request.function in (Function.READ_DISCRETE_INPUTS, Function.READ_COILS):
            there = (
                [self.is_remote, self.is_emergency] if request.function == Function.READ_DISCRETE_INPUTS else [False]
            )
            bits = there[address : address + count]
            is_whole = len(bits) == count and count
            return answered(request, packed_bits(bits)) if is_whole else refused(request, Refusal.ILLEGAL_ADDRESS)
        return refused(request, Refusal.ILLEGAL_FUNCTION)

    def _written(self, request: Frame, now_us: int) -> Frame | None:
        if self.deaf_writes:
            self.deaf_writes -= 1
            return None
        address = int.from_bytes(request.data[:2], "big")
        if request.function == Function.WRITE_COIL:
            if address:
                return refused(request, Refusal.ILLEGAL_ADDRESS)
            values = [int(request.data[2:4] == _ON)]
        elif request.function == Function.WRITE_REGISTER:
            values = [int.from_bytes(request.data[2:4], "big")]
        else:
            packed = request.data[5:]
            values = [int.from_bytes(packed[at : at + 2], "big") for at in range(0, len(packed), 2)]
        is_coil = request.function == Function.WRITE_COIL
        if not is_coil and not _WRITABLE.issuperset(range(address, address + len(values))):
            return refused(request, Refusal.ILLEGAL_ADDRESS)
        if address == _SPEED_AT and not is_coil and values[0] > _MOST_SPEED:
            return refused(request, Refusal.ILLEGAL_VALUE)
        for number, value in enumerate(values):
            self.writes.append((-1 if is_coil else address + number, value))
            if is_coil:
                self._reset_counters(value)
            else:
                self._set(address + number, value, now_us)
        if self.silent_writes:
            self.silent_writes -= 1
            return None
        return answered(request, request.data[:4])

    def _set(self, address: int, value: int, now_us: int) -> None:
        if address == _WATCHDOG_AT:
            if value != self._watchdog:
                self._watchdog, self._watchdog_us = value, now_us
        elif self.stuck:
            return
        elif address == _COMMAND_AT:
            self._command(value, now_us)
        elif address == _SPEED_AT:
            self.set_speed = value
        else:
            self.tension[address - _TENSION_AT] = value

    def _command(self, value: int, now_us: int) -> None:
        """An order from afar, which the PLC confirms in any case and follows only where it may."""
        if value == _STOP:
            self.stop(StopReason.REMOTE)
        elif self.is_remote and now_us - self._watchdog_us < WATCHDOG_WITHIN_US:
            if value == _START:
                self.start()
            elif value == _RESET:
                self.reset()

    def _reset_counters(self, value: int) -> None:
        if value and not self.stuck:
            self.length_m, self.broken_yarns = 0.0, 0


async def serve(
    port: Port,
    machines: Mapping[int, WarpingMachine],
    *,
    is_tcp: bool = False,
    baud: int | None = None,
    is_gateway: bool = False,
) -> None:
    """Speak for all machines, by their unit addresses, until the link ends; see `simulator.modbus_server`.

    Raises:
        LinkError: the link ended.
    """
    await serve_units(port, machines, is_tcp=is_tcp, baud=baud, is_gateway=is_gateway)
