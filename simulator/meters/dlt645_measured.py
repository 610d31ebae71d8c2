"""What the measuring part of a simulated meter shows now: of the load, with the relay and missing phases in mind.

A load tells voltage, current, power and energy. What it does not tell is made up here from a meter's own number, so
that it is the same in every run: distortion, harmonics, temperature, batteries.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from readers.codecs.dlt645_registers import Register
from readers.quantities import Phase, Quantity
from simulator.device import MeterState
from simulator.world import noise

Measured = tuple[Decimal | None, Decimal | None, Decimal | None]

_PHASES: Final = (Phase.A, Phase.B, Phase.C)
_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)
_SLOT_US: Final = 60_000_000
_HUNDREDTH: Final = Decimal("0.01")
_TENTH: Final = Decimal("0.1")
_BATTERIES: Final = {0x02800008: Decimal("3.62"), 0x02800009: Decimal("5.98")}
LOW_BATTERY_V: Final = Decimal("2.10")
CLOCK_BATTERY: Final = 0x02800008
_VOLTAGE_THD_PERCENT: Final = 1.6
_CURRENT_THD_PERCENT: Final = 7.5


def cut_off(state: MeterState) -> MeterState:
    """The same with the relay open: voltage is there, current is not. A meter at rest shows a power factor of 1."""

    def nothing(values: Measured, value: Decimal) -> Measured:
        a, b, c = (None if each is None else value for each in values)
        return (a, b, c)

    return replace(
        state,
        current_a=nothing(state.current_a, _ZERO),
        active_power_w=nothing(state.active_power_w, _ZERO),
        reactive_power_var=nothing(state.reactive_power_var, _ZERO),
        power_factor=nothing(state.power_factor, _ONE),
    )


def total(values: Measured) -> Decimal:
    """Of the phases that are connected."""
    return sum((value for value in values if value is not None), _ZERO)


def powers(state: MeterState) -> tuple[Decimal | None, ...]:
    """P and then Q: total, A, B, C."""
    active, reactive = state.active_power_w, state.reactive_power_var
    return (total(active), *active, total(reactive), *reactive)


def instantaneous(
    register: Register, state: MeterState, demands: Mapping[int, Decimal], seed: int, now_us: int
) -> Decimal | None:
    """What stands in an instantaneous register, by the demands of the present window, by DI2 of what they are of.

    None: this phase is not connected.

    Raises:
        KeyError: this meter has no such register.
    """
    quantity = register.quantity
    if register.phase in _PHASES:
        return _of_phase(register, state, _PHASES.index(register.phase), seed, now_us)
    if quantity in _TOTALS:
        return _TOTALS[quantity](state)
    if quantity is Quantity.TEMPERATURE:
        return (Decimal(28) + _drawn(3.0, seed, now_us, 90)).quantize(_TENTH)
    if quantity is Quantity.BATTERY_VOLTAGE:
        return _BATTERIES[register.identifier]
    if quantity is Quantity.ACTIVE_DEMAND:
        return demands[1] - demands[2]
    if quantity is Quantity.REACTIVE_DEMAND:
        return demands[3] - demands[4]
    if quantity is Quantity.APPARENT_DEMAND:
        return _apparent(demands[1] + demands[2], demands[3] + demands[4])
    raise KeyError(register.identifier)


def _of_phase(register: Register, state: MeterState, index: int, seed: int, now_us: int) -> Decimal | None:
    voltage, current = state.voltage_v[index], state.current_a[index]
    active, reactive = state.active_power_w[index], state.reactive_power_var[index]
    if voltage is None:
        return None
    quantity, order = register.quantity, register.obis.e
    if quantity is Quantity.APPARENT_POWER:
        return None if active is None or reactive is None else _apparent(active, reactive)
    if quantity is Quantity.PHASE_ANGLE:
        return None if active is None or reactive is None else _angle(active, reactive)
    if quantity in (Quantity.VOLTAGE_THD, Quantity.VOLTAGE_HARMONIC):
        return _distortion(_VOLTAGE_THD_PERCENT, quantity is Quantity.VOLTAGE_THD, order, seed, now_us, 60 + index)
    if quantity in (Quantity.CURRENT_THD, Quantity.CURRENT_HARMONIC):
        if not current:
            return _ZERO
        return _distortion(_CURRENT_THD_PERCENT, quantity is Quantity.CURRENT_THD, order, seed, now_us, 70 + index)
    return {
        Quantity.VOLTAGE: voltage,
        Quantity.CURRENT: current,
        Quantity.ACTIVE_POWER: active,
        Quantity.REACTIVE_POWER: reactive,
        Quantity.POWER_FACTOR: state.power_factor[index],
    }[quantity]


def _apparent(active: Decimal, reactive: Decimal) -> Decimal:
    return (active * active + reactive * reactive).sqrt()


def _angle(active: Decimal, reactive: Decimal) -> Decimal:
    degrees = math.degrees(math.atan2(float(reactive), float(active))) % 360.0
    return Decimal(f"{degrees:.1f}") % 360


def _neutral(state: MeterState) -> Decimal:
    a, b, c = (float(value or 0) for value in state.current_a)
    return Decimal(f"{math.sqrt(max(0.0, a * a + b * b + c * c - a * b - b * c - c * a)):.3f}")


def _drawn(deviation: float, seed: int, now_us: int, what: int) -> Decimal:
    return Decimal(f"{deviation * noise.normal(seed, now_us // _SLOT_US, what):.4f}")


def _distortion(
    percent: float,
    is_whole: bool,  # noqa: FBT001 - of a private function: the sum, or one harmonic
    order: int,
    seed: int,
    now_us: int,
    what: int,
) -> Decimal:
    """The whole distortion, or the part of one harmonic in it: odd ones fade with their order, even ones are not."""
    whole = abs(Decimal(f"{percent:.4f}") + _drawn(percent / 10, seed, now_us, what))
    if is_whole:
        return whole.quantize(_HUNDREDTH)
    if order == 1:
        return Decimal("99.99")  # 100 % does not fit
    return (whole / order * 2).quantize(_HUNDREDTH) if order % 2 else _ZERO


def _total_power_factor(state: MeterState) -> Decimal:
    active = total(state.active_power_w)
    apparent = _apparent(active, total(state.reactive_power_var))
    return active / apparent if apparent else _ONE


_TOTALS: Final[dict[Quantity, Callable[[MeterState], Decimal]]] = {
    Quantity.CURRENT: _neutral,  # what three currents at 120 degrees leave
    Quantity.ACTIVE_POWER: lambda state: total(state.active_power_w),
    Quantity.REACTIVE_POWER: lambda state: total(state.reactive_power_var),
    Quantity.APPARENT_POWER: lambda state: _apparent(total(state.active_power_w), total(state.reactive_power_var)),
    Quantity.POWER_FACTOR: _total_power_factor,
    Quantity.FREQUENCY: lambda state: state.frequency_hz,
}
