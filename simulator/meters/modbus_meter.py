"""Plays electricity meters on Modbus, by any register map: the twin of the driver `modbus_meter`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from itertools import pairwise
from typing import Final

from readers.codecs.modbus import Frame, Function, Refusal, packed_registers
from readers.codecs.modbus_blocks import Span
from readers.codecs.modbus_map import Form, MapValue, MeterMap, Place, Ratio
from readers.codecs.modbus_values import raw_of_number, registers_of
from readers.driver import Port
from readers.quantities import Phase, Quantity
from simulator.device import Load, MeterState
from simulator.modbus_server import answered, refused
from simulator.modbus_server import serve as serve_units

DEVICE: Final = "modbus_meter"
CHINA_UTC_OFFSET_MIN: Final = 480
_ZERO: Final = Decimal(0)
_TWO: Final = Decimal(2)
_THREE: Final = Decimal(3)
_US: Final = 1_000_000
_NAN: Final = {4: bytes.fromhex("7FC00000"), 8: bytes.fromhex("7FF8000000000000")}
_PHASES: Final = {Phase.A: 0, Phase.B: 1, Phase.C: 2}
_READS: Final = (Function.READ_HOLDING_REGISTERS, Function.READ_INPUT_REGISTERS)
_REGISTER: Final = 0xFFFF


@dataclass(slots=True)
class Meter:
    """One meter; everything may be changed while it is played.

    Attributes:
        map: where its values stand.
        pt_ratio, ct_ratio: what it is set to; it shows the secondary side where its map says so.
        clock_s: how far its clock is ahead.
        moved_by, swapped: its registers lie otherwise than its map says.
        refuses_gaps: registers between values do not exist; else those nearby read as 0.
        missing: names of values that it does not have, `voltage phase b`.
        silent_on: addresses; a request that touches one is not answered.
        busy, mute: it answers that it is busy; it does not answer.
        requests: how many it has heard.
    """

    map: MeterMap
    load: Load
    pt_ratio: Decimal = Decimal(1)
    ct_ratio: Decimal = Decimal(1)
    serial: int = 20_260_101
    utc_offset_min: int = CHINA_UTC_OFFSET_MIN
    clock_s: float = 0.0
    answer_after_s: float = 0.02
    moved_by: int = 0
    swapped: bool = False
    refuses_gaps: bool = False
    missing: frozenset[str] = frozenset()
    silent_on: frozenset[int] = frozenset()
    busy: bool = False
    mute: bool = False
    requests: list[Span] = field(default_factory=list, init=False)

    def answer(self, request: Frame, now_us: int) -> Frame | None:
        """See `Unit`."""
        if request.function not in _READS:
            return refused(request, Refusal.ILLEGAL_FUNCTION)
        address, count = int.from_bytes(request.data[:2], "big"), int.from_bytes(request.data[2:4], "big")
        span = Span(Function(request.function), address, count)
        self.requests.append(span)
        if self.mute or any(address <= each < span.end for each in self.silent_on):
            return None
        if self.busy:
            return refused(request, Refusal.BUSY)
        if not 1 <= count <= self.map.limits.most:
            return refused(request, Refusal.ILLEGAL_VALUE)
        registers = self.registers(now_us)
        found = [registers.get((request.function, each)) for each in range(address, span.end)]
        if any(each is None for each in found):
            return refused(request, Refusal.ILLEGAL_ADDRESS)
        return answered(request, packed_registers([each for each in found if each is not None]))

    def registers(self, now_us: int) -> dict[tuple[int, int], int]:
        """All registers, by function and address on the wire."""
        laid = self.map.moved(self.moved_by, swapped=self.swapped)
        state = self.load.state(now_us)
        spans: dict[Span, list[int]] = {}
        for value in laid.values:
            if value.name not in self.missing:
                spans[value.place.span] = registers_of(self._raw(value, state), value.place.layout)
        ratios = {Ratio.PT: self.pt_ratio, Ratio.CT: self.ct_ratio}
        for ratio, register in laid.ratios.items():
            spans[register.place.span] = _number(ratios[ratio] / register.step, register.place)
        if laid.serial is not None:
            spans[laid.serial.span] = _number(Decimal(self.serial), laid.serial)
        if laid.clock is not None:
            shown_us = now_us + round(self.clock_s * _US)
            spans[laid.clock.span] = laid.clock.registers(shown_us, self.utc_offset_min)
        found: dict[tuple[int, int], int] = {}
        if not self.refuses_gaps:
            lacks = [value.place.span for value in laid.values if value.name in self.missing]
            found |= _gaps(sorted([*spans, *lacks]), laid)
        for span, registers in spans.items():
            found |= {(span.function, span.address + number): each for number, each in enumerate(registers)}
        return found

    def _raw(self, value: MapValue, state: MeterState) -> bytes:
        kind = value.place.layout.type
        shown = shown_of(value, state)
        if shown is None:
            if value.absent:  # all bits set, but for the sign where there is one
                return sorted(value.absent, reverse=not kind.is_signed)[0]
            return _NAN[kind.size] if kind.is_float else bytes(kind.size)
        for ratio in value.times:
            shown /= (self.pt_ratio if ratio is Ratio.PT else self.ct_ratio) or 1  # 0: never set
        number = shown / value.step
        return raw_of_number(number if kind.is_float else number.to_integral_value(ROUND_FLOOR), kind)


def shown_of(value: MapValue, state: MeterState) -> Decimal | None:
    """What the meter measures of a value, on the primary side; None for a phase that is not connected."""
    if value.quantity is Quantity.POWER_FACTOR:
        return _power_factor(value, state)
    phases = {
        Quantity.VOLTAGE: state.voltage_v,
        Quantity.CURRENT: state.current_a,
        Quantity.ACTIVE_POWER: state.active_power_w,
        Quantity.REACTIVE_POWER: state.reactive_power_var,
    }
    if value.quantity in phases:
        by_phase = phases[value.quantity]
        if value.phase is None:
            return _sum(by_phase)
        return _ZERO if value.phase is Phase.NEUTRAL else by_phase[_PHASES[value.phase]]
    if value.quantity is Quantity.APPARENT_POWER:
        return _apparent(value.phase, state)
    imported = state.active_energy_import_by_tariff_wh
    match value.quantity:
        case Quantity.ACTIVE_ENERGY_IMPORT | Quantity.ACTIVE_ENERGY_COMBINED if value.tariff:
            return imported[value.tariff - 1]
        case Quantity.ACTIVE_ENERGY_IMPORT:
            return state.active_energy_import_wh if value.phase is None else state.active_energy_import_wh / _THREE
        case Quantity.ACTIVE_ENERGY_EXPORT:
            return state.active_energy_export_wh if value.phase is None else state.active_energy_export_wh / _THREE
        case Quantity.ACTIVE_ENERGY_COMBINED:
            return state.active_energy_import_wh + state.active_energy_export_wh
        case Quantity.FREQUENCY:
            return state.frequency_hz
        case Quantity.ACTIVE_DEMAND | Quantity.ACTIVE_DEMAND_MAX:
            return state.active_demand_w
        case _:
            return _ZERO  # it has the register, and nothing has happened yet


def _power_factor(value: MapValue, state: MeterState) -> Decimal | None:
    index = 0 if value.phase is None else _PHASES[value.phase]
    factor = state.power_factor[index]
    reactive = state.reactive_power_var[index]
    if factor is None or value.form is Form.PLAIN or not reactive or (factor > 0) == (reactive > 0):
        return factor
    return (_TWO if factor > 0 else -_TWO) - factor


def _apparent(phase: Phase | None, state: MeterState) -> Decimal | None:
    if phase is None:
        return _sum(tuple(_apparent(each, state) for each in _PHASES))
    index = _PHASES[phase]
    active, reactive = state.active_power_w[index], state.reactive_power_var[index]
    return None if active is None or reactive is None else (active * active + reactive * reactive).sqrt()


def _sum(values: tuple[Decimal | None, ...]) -> Decimal:
    return sum((each for each in values if each is not None), _ZERO)


def _number(number: Decimal, place: Place) -> list[int]:
    kind = place.layout.type
    return registers_of(raw_of_number(number if kind.is_float else number // 1, kind), place.layout)


def _gaps(spans: list[Span], laid: MeterMap) -> dict[tuple[int, int], int]:
    """Registers between values that are near to each other."""
    found: dict[tuple[int, int], int] = {}
    for span, after in pairwise(spans):
        if span.function is after.function and after.address - span.end <= laid.limits.gap:
            found |= {(span.function, address): 0 for address in range(span.end, after.address)}
    return found


async def serve(
    port: Port,
    meters: Mapping[int, Meter],
    *,
    is_tcp: bool = False,
    baud: int | None = None,
    is_gateway: bool = False,
) -> None:
    """Speak for all meters of a line, by their unit addresses, until the link ends; see `simulator.modbus_server`.

    Raises:
        LinkError: the link ended.
    """
    await serve_units(port, meters, is_tcp=is_tcp, baud=baud, is_gateway=is_gateway)
