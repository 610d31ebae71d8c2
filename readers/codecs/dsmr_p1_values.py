"""What a P1 telegram says: readings of the meter and of the meters behind it, who they are, what has no meaning here.

Meters behind it (gas, water, heat) are on channels 1 to 4 of its M-Bus, group B of their codes; their kind is in
0-n:24.1.0, as M-Bus numbers device types, and their reading in 0-n:24.2.1 (or 24.2.3, gas not corrected for its
temperature, in Belgium) with the time when it was taken.

Source: DSMR P1 Companion Standard 5.0.2, table 6-4; 2.2, chapter 5 for 24.3.0; e-MUCS P1 Ed. 1.7.1; EN 13757-3 for
device types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from readers.codecs.dsmr_p1 import VERSION, Line, Telegram, time_us
from readers.codecs.obis_readings import code_of, exactly, number_of, reading_of
from readers.errors import FrameError
from readers.obis import NO_BILLING_PERIOD, ObisCode
from readers.obis_meanings import meaning_of
from readers.observations import Reading
from readers.quantities import Quality, Quantity

CLOCK: Final = ObisCode(0, 0, 1, 0, 0)
SERIALS: Final = (ObisCode(0, 0, 96, 1, 1), ObisCode(0, 0, 96, 1, 255), ObisCode(1, 0, 0, 0, 0))
CHANNELS: Final = range(1, 5)
_TYPE: Final = (24, 1, 0)
_SUB_SERIALS: Final = ((96, 1, 0), (96, 1, 1))
_SUB_VALUES: Final = ((24, 2, 1), (24, 2, 3))
_SUB_VALUE_OLD: Final = (24, 3, 0)
_OLD_FIELDS: Final = 7  # time, status, period, number of values, code, unit, value
_SAYS_NO_VALUE: Final = frozenset({(96, 1), (96, 5), (96, 13), (96, 14), (96, 3), (24, 1), (24, 4), (94, 32)})
"""Groups C and D of names, texts, the tariff in force, and the positions of switch and valve."""
_TIMED: Final = re.compile(r"\d{12}[SW]?", re.ASCII)
_CODE: Final = re.compile(r"(\d{1,3})-(\d{1,3}):(\d{1,3})\.(\d{1,3})\.(\d{1,3})", re.ASCII)

_ELECTRICITY: Final = 2
_KINDS: Final[dict[int, dict[str, Quantity]]] = {
    _ELECTRICITY: {"kWh": Quantity.ACTIVE_ENERGY_IMPORT, "Wh": Quantity.ACTIVE_ENERGY_IMPORT},
    3: {"m3": Quantity.GAS_VOLUME},
    4: {"GJ": Quantity.HEAT_ENERGY, "kWh": Quantity.HEAT_ENERGY, "m3": Quantity.VOLUME},
    6: {"m3": Quantity.WATER_VOLUME},
    7: {"m3": Quantity.WATER_VOLUME},
    10: {"GJ": Quantity.COOLING_ENERGY, "kWh": Quantity.COOLING_ENERGY, "m3": Quantity.VOLUME},
    11: {"GJ": Quantity.COOLING_ENERGY, "kWh": Quantity.COOLING_ENERGY, "m3": Quantity.VOLUME},
    12: {"GJ": Quantity.HEAT_ENERGY, "kWh": Quantity.HEAT_ENERGY, "m3": Quantity.VOLUME},
    21: {"m3": Quantity.WATER_VOLUME},
    22: {"m3": Quantity.WATER_VOLUME},
}
"""By M-Bus device type and unit."""


@dataclass(slots=True)
class Said:
    """What one telegram says.

    Attributes:
        sub_readings: of the meters behind it, by channel.
        unknown: codes of values that have no meaning here.
        faults: values that are none.
    """

    at_us: int | None
    serial: str
    version: str
    readings: list[Reading] = field(default_factory=list)
    sub_readings: dict[int, list[Reading]] = field(default_factory=dict)
    sub_serials: dict[int, str] = field(default_factory=dict)
    unknown: list[ObisCode] = field(default_factory=list)
    faults: list[FrameError] = field(default_factory=list)


def said(telegram: Telegram, utc_offset_min: int) -> Said:
    """Read a telegram; `utc_offset_min` is that of the meter's winter time."""
    at = telegram.values(CLOCK)
    found = Said(
        at_us=time_us(at[0], utc_offset_min) if at else None,
        serial=next((_name(values[0]) for code in SERIALS if (values := telegram.values(code))), ""),
        version=next((values[0] for code in VERSION if (values := telegram.values(code))), ""),
    )
    kinds = {line.code.b: _number(line.values[0]) for line in telegram.lines if _groups(line.code) == _TYPE}
    for line in telegram.lines:
        try:
            if line.code.a == 0 and line.code.b in CHANNELS:
                _sub_line(found, line, kinds, utc_offset_min)
            else:
                _line(found, line, utc_offset_min)
        except FrameError as error:
            found.faults.append(error)
    return found


def _line(found: Said, line: Line, utc_offset_min: int) -> None:
    code = line.code
    if _is_no_value(code) or code == CLOCK or code in VERSION or code in SERIALS:
        return
    meaning = meaning_of(_plain(code)) if code.f == NO_BILLING_PERIOD else None
    if meaning is None:
        found.unknown.append(code)
        return
    value, unit, at_us = _value(line.values, utc_offset_min)
    if value is None:
        found.readings.append(Reading(meaning.quantity, code, None, meaning.phase, meaning.tariff, Quality.ABSENT))
        return
    reading = reading_of(code, value, unit, at_us or found.at_us)
    assert reading is not None
    found.readings.append(reading)


def _sub_line(found: Said, line: Line, kinds: dict[int, int | None], utc_offset_min: int) -> None:
    code, values = line.code, line.values
    groups = _groups(code)
    if groups in _SUB_SERIALS:
        found.sub_serials[code.b] = _name(values[0])
        return
    if groups == _SUB_VALUE_OLD and len(values) == _OLD_FIELDS and (inner := _CODE.fullmatch(values[4])):
        named = code_of(*(int(group) for group in inner.groups()))
        code = code if named is None else named
        values = (values[0], f"{values[6]}*{values[5]}")
    if _groups(code) not in _SUB_VALUES:
        if not _is_no_value(code):
            found.unknown.append(line.code)
        return
    value, unit, at_us = _value(values, utc_offset_min)
    units = _KINDS.get(kinds.get(line.code.b) or 0, {})
    quantity = units.get(unit) if value is not None else next(iter(units.values()), None)
    if quantity is None:
        found.unknown.append(code)
        return
    quality = Quality.GOOD if value is not None else Quality.ABSENT
    exact = None if value is None else exactly(value, unit, quantity)
    reading = Reading(quantity, code, exact, quality=quality, meter_time_us=at_us)
    found.sub_readings.setdefault(line.code.b, []).append(reading)


def _value(values: tuple[str, ...], utc_offset_min: int) -> tuple[Decimal | None, str, int | None]:
    """A value with its unit and its own time; None when the meter has none yet.

    Raises:
        FrameError: `number` when it is none.
    """
    *before, text = values
    at_us = None
    if before and _TIMED.fullmatch(before[0]):
        at_us = time_us(before[0], utc_offset_min)
        if at_us is None and not before[0].isdecimal():
            return None, "", None  # 632525252525W: the meter behind has not been heard
    digits, _, unit = text.partition("*")
    if not digits:
        return None, unit, at_us
    value = number_of(digits)
    if value is None:
        raise FrameError("number", f"{text[:40]!r} is no number with a unit")
    return value, unit, at_us


def _name(text: str) -> str:
    """A name that is sent as the hex of its characters, or as it is."""
    try:
        name = bytes.fromhex(text).decode("ascii")
    except ValueError:
        return text
    return name.strip() if name and name.isprintable() else text


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None


def _plain(code: ObisCode) -> ObisCode:
    return ObisCode(code.a, code.b, code.c, code.d, code.e)


def _groups(code: ObisCode) -> tuple[int, int, int]:
    return code.c, code.d, code.e


def _is_no_value(code: ObisCode) -> bool:
    return (code.c, code.d) in _SAYS_NO_VALUE
