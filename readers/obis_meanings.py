"""What OBIS codes mean: the quantity, phase and tariff of a code, for meters that name their values by OBIS.

DL/T 698.45, DLMS/COSEM, IEC 62056-21, DSMR P1 and SML share it. A code that is not here has no meaning to this product;
a driver says so once and goes on.

Source: DLMS UA Blue Book Ed. 12.2, sections 7.5 (electricity, groups C, D and E), 7.6 to 7.9 (other media).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

from readers.errors import FrameError
from readers.obis import ObisCode
from readers.quantities import Phase, Quantity

_ABSTRACT: Final = 0
_ELECTRICITY: Final = 1
_HEAT: Final = 6
_GAS: Final = 7
_WATER: Final = (8, 9)

_SUM: Final[dict[int, tuple[Quantity, Quantity, Quantity]]] = {
    # group C without phase: power now, energy, largest demand
    1: (Quantity.ACTIVE_POWER_IMPORT, Quantity.ACTIVE_ENERGY_IMPORT, Quantity.ACTIVE_DEMAND_MAX),
    2: (Quantity.ACTIVE_POWER_EXPORT, Quantity.ACTIVE_ENERGY_EXPORT, Quantity.ACTIVE_DEMAND_EXPORT_MAX),
    3: (Quantity.REACTIVE_POWER, Quantity.REACTIVE_ENERGY_IMPORT, Quantity.REACTIVE_DEMAND_MAX),
    9: (Quantity.APPARENT_POWER, Quantity.APPARENT_ENERGY_IMPORT, Quantity.APPARENT_DEMAND),
    15: (Quantity.ACTIVE_POWER, Quantity.ACTIVE_ENERGY_COMBINED, Quantity.ACTIVE_DEMAND_MAX),
    16: (Quantity.ACTIVE_POWER, Quantity.ACTIVE_ENERGY_COMBINED, Quantity.ACTIVE_DEMAND_MAX),
}
_ENERGY_ONLY: Final[dict[int, Quantity]] = {
    4: Quantity.REACTIVE_ENERGY_EXPORT,
    5: Quantity.REACTIVE_ENERGY_Q1,
    6: Quantity.REACTIVE_ENERGY_Q2,
    7: Quantity.REACTIVE_ENERGY_Q3,
    8: Quantity.REACTIVE_ENERGY_Q4,
    10: Quantity.APPARENT_ENERGY_EXPORT,
}
_INSTANT: Final[dict[int, Quantity]] = {
    4: Quantity.REACTIVE_POWER_EXPORT,
    11: Quantity.CURRENT,
    12: Quantity.VOLTAGE,
    13: Quantity.POWER_FACTOR,
    14: Quantity.FREQUENCY,
}
_PHASES: Final = {20: Phase.A, 40: Phase.B, 60: Phase.C}
_NEUTRAL_CURRENT: Final = 91
_ANGLES: Final = 81
_CURRENT_TO_VOLTAGE: Final = {4: Phase.A, 15: Phase.B, 26: Phase.C}  # group E: of which angle, from which
_NOW: Final = 7
_ENERGY: Final = 8
_DEMAND_NOW: Final = 4
_DEMAND_MAX: Final = 6
_THD: Final = 124
_HARMONICS_MOST: Final = 120

_EXACT: Final[dict[tuple[int, int, int, int], Quantity]] = {
    (0, 96, 7, 0): Quantity.POWER_FAILURES,
    (0, 96, 7, 21): Quantity.POWER_FAILURES,
    (0, 96, 2, 0): Quantity.PROGRAMMINGS,
    (0, 96, 6, 3): Quantity.BATTERY_VOLTAGE,
    (0, 96, 9, 0): Quantity.TEMPERATURE,
    (6, 1, 0, 0): Quantity.HEAT_ENERGY,
    (6, 2, 0, 0): Quantity.VOLUME,
    (6, 8, 0, 0): Quantity.THERMAL_POWER,
    (6, 9, 0, 0): Quantity.VOLUME_FLOW,
    (6, 10, 0, 0): Quantity.FLOW_TEMPERATURE,
    (6, 11, 0, 0): Quantity.RETURN_TEMPERATURE,
    (6, 12, 0, 0): Quantity.TEMPERATURE_DIFFERENCE,
    (7, 1, 0, 0): Quantity.GAS_VOLUME,
    (7, 3, 0, 0): Quantity.GAS_VOLUME,
    (8, 1, 0, 0): Quantity.WATER_VOLUME,
    (9, 1, 0, 0): Quantity.WATER_VOLUME,
}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a value with this code is. `order` is the harmonic of a harmonic's value."""

    quantity: Quantity
    phase: Phase | None = None
    tariff: int | None = None
    order: int | None = None


@lru_cache(maxsize=1024)
def meaning_of(code: ObisCode) -> Meaning | None:
    """The meaning of a code; None when it has none here. Billing periods (group F) do not change it."""
    exact = _EXACT.get((code.a, code.c, code.d, code.e))
    if exact is not None:
        return Meaning(exact)
    if code.a != _ELECTRICITY:
        return None
    phase = None
    group = code.c
    for first, candidate in _PHASES.items():
        if first < code.c <= first + 20:
            phase, group = candidate, code.c - first
    if code.d == _NOW and code.c == _NEUTRAL_CURRENT and code.e == 0:
        return Meaning(Quantity.CURRENT, Phase.NEUTRAL)
    if code.d == _NOW and code.c == _ANGLES:
        return Meaning(Quantity.PHASE_ANGLE, of) if (of := _CURRENT_TO_VOLTAGE.get(code.e)) else None
    if code.d == _NOW and code.e:
        return _distorted(group, phase, code.e)
    return _plain(group, phase, code)


def _distorted(group: int, phase: Phase | None, number: int) -> Meaning | None:
    """Group E of a value now is the harmonic, or 124 for the total harmonic distortion."""
    kinds = {
        11: (Quantity.CURRENT_THD, Quantity.CURRENT_HARMONIC),
        12: (Quantity.VOLTAGE_THD, Quantity.VOLTAGE_HARMONIC),
    }.get(group)
    if kinds is None:
        return None
    if number == _THD:
        return Meaning(kinds[0], phase)
    return Meaning(kinds[1], phase, order=number) if number <= _HARMONICS_MOST else None


def _plain(group: int, phase: Phase | None, code: ObisCode) -> Meaning | None:
    tariff = code.e or None
    if code.d == _NOW:
        if group in _INSTANT:
            return Meaning(_INSTANT[group], phase)
        return Meaning(_SUM[group][0], phase) if group in _SUM else None
    if code.d == _ENERGY:
        quantity = _SUM[group][1] if group in _SUM else _ENERGY_ONLY.get(group)
        return None if quantity is None else Meaning(quantity, phase, tariff)
    if code.d == _DEMAND_MAX and group in _SUM:
        return Meaning(_SUM[group][2], phase, tariff)
    if code.d == _DEMAND_NOW:
        demand = {1: Quantity.ACTIVE_DEMAND, 3: Quantity.REACTIVE_DEMAND, 9: Quantity.APPARENT_DEMAND}.get(group)
        return None if demand is None else Meaning(demand, phase)
    return None


_FACTORS: Final[dict[str, tuple[str, Decimal]]] = {
    **{
        f"{prefix}{unit}": (unit, Decimal(factor))
        for unit in ("Wh", "varh", "VAh", "W", "var", "VA", "V", "A", "Hz")
        for prefix, factor in (("", 1), ("k", 1_000), ("M", 1_000_000))
    },
    "mA": ("A", Decimal("0.001")),
    "mV": ("V", Decimal("0.001")),
    "GJ": ("Wh", Decimal(1_000_000_000) / Decimal(3_600)),
    "m3": ("m3", Decimal(1)),
    "l": ("m3", Decimal("0.001")),
    "m3/h": ("m3/h", Decimal(1)),
    "l/h": ("m3/h", Decimal("0.001")),
    "°C": ("°C", Decimal(1)),
    "K": ("K", Decimal(1)),
    "deg": ("deg", Decimal(1)),
    "°": ("deg", Decimal(1)),
    "%": ("%", Decimal(1)),
    "h": ("h", Decimal(1)),
    "s": ("s", Decimal(1)),
    "1": ("1", Decimal(1)),
    "": ("1", Decimal(1)),
}


def in_unit(value: Decimal, unit: str, quantity: Quantity) -> Decimal:
    """`value` in the one unit of `quantity`, exactly; of joules to 28 digits, for their Wh have no end.

    Raises:
        FrameError: `unit` is unknown, or of another kind than the quantity.
    """
    found = _FACTORS.get(unit)
    if found is None or found[0] != quantity.unit:
        raise FrameError("unit", f"{quantity.value} came in {unit!r}; it should be in {quantity.unit} or a multiple")
    return value * found[1]
