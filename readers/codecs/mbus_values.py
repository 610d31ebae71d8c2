"""What the records of an M-Bus meter mean: quantities by type of device, in their one unit, under the code of each.

M-Bus has no OBIS codes; a reading gets the one that the Blue Book gives the quantity (6-0:1.0.0 heat, 8-0:1.0.0 water).
Only values of now are told: not those of earlier days (storage), nor largest and smallest, nor those of another unit in
one case. A value with an extension that is not known here may be anything, a price or a limit: it is listed, not told.

Source: EN 13757-3:2018, tables 10, 12, 14 and 15 (extensions), 13 (device types), 3 (status).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from readers.codecs.mbus_records import Function, Header, Record, time_us
from readers.errors import FrameError
from readers.obis import ObisCode
from readers.observations import Reading
from readers.quantities import Quality, Quantity

Q = Quantity
ELECTRICITY: Final = frozenset({0x02})
GAS: Final = frozenset({0x03})
HEAT: Final = frozenset({0x04, 0x0C, 0x0D})
COOLING: Final = frozenset({0x0A, 0x0B})
COLD_WATER: Final = frozenset({0x07, 0x16, 0x28})
HOT_WATER: Final = frozenset({0x06, 0x15})
_WATER: Final = COLD_WATER | HOT_WATER
DEVICE_TYPES: Final = {
    0x02: "electricity",
    0x03: "gas",
    0x04: "heat",
    0x06: "warm water",
    0x07: "water",
    0x0A: "cooling",
    0x0B: "cooling",
    0x0C: "heat",
    0x0D: "heat and cooling",
    0x15: "hot water",
    0x16: "cold water",
}
_JOULES_PER_WH: Final = Decimal(3_600)
_MINUTES_PER_HOUR: Final = Decimal(60)
_ONE: Final = Decimal(1)
_TIMES: Final = ((_ONE, _JOULES_PER_WH), (_ONE, _MINUTES_PER_HOUR), (_ONE, _ONE), (Decimal(24), _ONE))
_FIRST: Final = 0x7B
_SECOND: Final = 0x7D
_CLOCK: Final = 0x6D
_VOLTS: Final = 0x240
_AMPERES: Final = 0x250
_NO_ERROR: Final = 0x00
_DIGITS_MOST: Final = 19  # of a number before its power of ten; a real number may claim more
_NAMES: Final = frozenset({0x78, 0x79, 0x7A, 0x6C, _CLOCK, 0x7C, 0x7F})
_FLAGS_AND_VERSIONS: Final = range(0x08, 0x20)  # of the second table: access count, maker, versions, error flags ...
_IMPORTED: Final = 0x3B
_EXPORTED: Final = 0x3C
_NO_VALUE: Final = frozenset({0x15, 0x16, 0x17, 0x18})  # none there, above the range, below it, wrong
_STATUS: Final = {0x04: "battery low", 0x08: "permanent error", 0x10: "temporary error"}
_BUSY: Final = {1: "busy", 2: "application error", 3: "abnormal condition"}


@dataclass(frozen=True, slots=True)
class What:
    """What a VIF says: numbers times `factor` by `divisor` are in this unit."""

    unit: str
    factor: Decimal
    divisor: Decimal = _ONE


@dataclass(slots=True)
class Said:
    """What a meter says.

    Attributes:
        unknown: descriptions of values of now that have no meaning here, in hex.
        faults: values that are none.
    """

    at_us: int | None = None
    trouble: str = ""
    readings: list[Reading] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    faults: list[FrameError] = field(default_factory=list)


def said(header: Header, records: list[Record], utc_offset_min: int) -> Said:
    """Read a meter's records; `utc_offset_min` is that of its clock, without summer time."""
    words = [word for bit, word in _STATUS.items() if header.status & bit]
    found = Said(trouble=", ".join([*words, *filter(None, [_BUSY.get(header.status & 3)])]))
    for record in records:
        if record.vif == _CLOCK and _is_of_now(record) and not record.extensions:
            found.at_us = time_us(record.raw, utc_offset_min)
    taken: set[tuple[Quantity, int | None]] = set()
    for record in records:
        if _is_of_now(record):
            _take(found, header, record, taken)
    return found


def _is_of_now(record: Record) -> bool:
    return record.function is Function.NOW and record.storage == 0 and record.unit == 0


def _take(found: Said, header: Header, record: Record, taken: set[tuple[Quantity, int | None]]) -> None:
    if record.vif in _NAMES or (record.vif == _SECOND and record.extensions[:1] and _is_flag(record.extensions[0])):
        return
    vif, *more = _key(record)
    is_absent = any(code in _NO_VALUE for code in more)
    direction = next((code for code in more if code in (_IMPORTED, _EXPORTED)), None)
    what = what_of(vif)
    meaning = None
    if what is not None and not set(more) - _NO_VALUE - {_NO_ERROR, _IMPORTED, _EXPORTED}:
        meaning = _meaning(vif, header.device_type, direction)
    if meaning is None or what is None:
        found.unknown.append(" ".join(f"{code:02X}" for code in (record.vif, *record.extensions)))
        return
    quantity, code = meaning
    tariff = record.tariff or None
    if (quantity, tariff) in taken:
        found.unknown.append(" ".join(f"{code:02X}" for code in (record.vif, *record.extensions)))
        return
    taken.add((quantity, tariff))
    named = ObisCode(code.a, code.b, code.c, code.d, record.tariff or code.e)
    number = None if is_absent else record.number
    if number is None:
        found.readings.append(Reading(quantity, named, None, tariff=tariff, quality=Quality.ABSENT))
        return
    if number.adjusted() > _DIGITS_MOST:
        found.faults.append(FrameError("range", f"{number} is more than any register holds", record.raw))
        return
    value = _scaled(number, what)
    found.readings.append(Reading(quantity, named, value, tariff=tariff, meter_time_us=found.at_us))


def _is_flag(code: int) -> bool:
    return code in _FLAGS_AND_VERSIONS or code in (0x60, 0x61, 0x67)


def _key(record: Record) -> tuple[int, ...]:
    """The VIF with its table in the hundreds, and the extensions behind it."""
    if record.vif in (_FIRST, _SECOND) and record.extensions:
        table = 0x100 if record.vif == _FIRST else 0x200
        return (table | record.extensions[0], *record.extensions[1:])
    return (record.vif, *record.extensions)


def _ten(exponent: int) -> Decimal:
    return Decimal(1).scaleb(exponent)


def what_of(vif: int) -> What | None:
    """What a VIF says; the codes of the first table plus 100, of the second plus 200 (hex). None: nothing is known."""
    low3, low2, low1 = vif & 7, vif & 3, vif & 1
    group3, group2, group1 = vif & ~7, vif & ~3, vif & ~1
    if vif & ~0xF == _VOLTS:
        return What("V", _ten((vif & 0xF) - 9))
    if vif & ~0xF == _AMPERES:
        return What("A", _ten((vif & 0xF) - 12))
    by_group3 = {
        0x00: What("Wh", _ten(low3 - 3)),
        0x08: What("Wh", _ten(low3), _JOULES_PER_WH),
        0x10: What("m3", _ten(low3 - 6)),
        0x28: What("W", _ten(low3 - 3)),
        0x30: What("W", _ten(low3), _JOULES_PER_WH),
        0x38: What("m3/h", _ten(low3 - 6)),
        0x40: What("m3/h", _ten(low3 - 7) * _MINUTES_PER_HOUR),
        0x48: What("m3/h", _ten(low3 - 9) * _JOULES_PER_WH),
    }
    by_group2 = {
        0x24: What("h", *_TIMES[low2]),
        0x58: What("flow °C", _ten(low2 - 3)),
        0x5C: What("return °C", _ten(low2 - 3)),
        0x60: What("K", _ten(low2 - 3)),
        0x64: What("°C", _ten(low2 - 3)),
    }
    by_group1 = {
        0x100: What("Wh", _ten(low1 + 5)),
        0x108: What("Wh", _ten(low1 + 8), _JOULES_PER_WH),
        0x110: What("m3", _ten(low1 + 2)),
        0x128: What("W", _ten(low1 + 5)),
        0x130: What("W", _ten(low1 + 8), _JOULES_PER_WH),
    }
    return by_group3.get(group3) or by_group2.get(group2) or by_group1.get(group1)


def _scaled(number: Decimal, what: What) -> Decimal:
    """Exact, in the resolution of the register; where a division has no end, as many digits as a Decimal has."""
    scaled = number * what.factor if what.divisor == _ONE else number * what.factor / what.divisor
    exponent = scaled.as_tuple().exponent
    return scaled.quantize(_ONE) if isinstance(exponent, int) and exponent > 0 else scaled


_OF_ALL: Final = {
    "h": (Q.OPERATING_TIME, ObisCode(0, 0, 96, 8, 0)),
    "°C": (Q.TEMPERATURE, ObisCode(0, 0, 96, 9, 0)),
}
_OF_WATER: Final = {
    "m3/h": (Q.VOLUME_FLOW, ObisCode(8, 0, 2, 0, 0)),
    "flow °C": (Q.TEMPERATURE, ObisCode(0, 0, 96, 9, 0)),
}
_OF_THERMAL: Final = {
    "m3": (Q.VOLUME, ObisCode(6, 0, 2, 0, 0)),
    "W": (Q.THERMAL_POWER, ObisCode(6, 0, 8, 0, 0)),
    "m3/h": (Q.VOLUME_FLOW, ObisCode(6, 0, 9, 0, 0)),
    "flow °C": (Q.FLOW_TEMPERATURE, ObisCode(6, 0, 10, 0, 0)),
    "return °C": (Q.RETURN_TEMPERATURE, ObisCode(6, 0, 11, 0, 0)),
    "K": (Q.TEMPERATURE_DIFFERENCE, ObisCode(6, 0, 12, 0, 0)),
}
_ELECTRIC: Final = {
    "W": (Q.ACTIVE_POWER, ObisCode(1, 0, 16, 7, 0)),
    "V": (Q.VOLTAGE, ObisCode(1, 0, 12, 7, 0)),
    "A": (Q.CURRENT, ObisCode(1, 0, 11, 7, 0)),
}


def _meaning(vif: int, device_type: int, direction: int | None) -> tuple[Quantity, ObisCode] | None:
    what = what_of(vif)
    assert what is not None
    unit = what.unit
    if device_type in ELECTRICITY:
        if unit == "Wh":
            if direction == _EXPORTED:
                return Q.ACTIVE_ENERGY_EXPORT, ObisCode(1, 0, 2, 8, 0)
            return Q.ACTIVE_ENERGY_IMPORT, ObisCode(1, 0, 1, 8, 0)
        return (_ELECTRIC.get(unit) or _OF_ALL.get(unit)) if direction is None else None
    if direction is not None and device_type not in HEAT:
        return None
    if device_type in HEAT | COOLING:
        if unit == "Wh":
            cools = device_type in COOLING or direction == _EXPORTED
            return (Q.COOLING_ENERGY, ObisCode(5, 0, 1, 0, 0)) if cools else (Q.HEAT_ENERGY, ObisCode(6, 0, 1, 0, 0))
        return (_OF_THERMAL.get(unit) or _OF_ALL.get(unit)) if direction is None else None
    if device_type in GAS:
        return (Q.GAS_VOLUME, ObisCode(7, 0, 3, 0, 0)) if unit == "m3" else _OF_ALL.get(unit)
    if device_type in _WATER:
        if unit == "m3":
            return Q.WATER_VOLUME, ObisCode(9 if device_type in HOT_WATER else 8, 0, 1, 0, 0)
        return _OF_WATER.get(unit) or _OF_ALL.get(unit)
    return _OF_ALL.get(unit)
