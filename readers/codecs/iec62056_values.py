"""What a readout by IEC 62056-21 says: readings, the meter's clock, who it is, and its error register.

Names are OBIS codes in full (`1-0:1.8.0*255`) or in short, without groups A and B (electricity then) and F. Letters
stand in place of numbers: C.1.0 is the serial number, F.F the error register. Values of billing periods that are over
(`1.8.1*05`, `1.8.1&05`) are not told. A demand has the time when it was reached behind it.

Source: IEC 62056-21:2002, 6.3; IEC 62056-61:2006 and DIN 43863-3 for names; the season digit before a time from memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from readers.codecs.iec62056 import Data, DataSet
from readers.codecs.obis_readings import code_of, number_of, reading_of
from readers.errors import FrameError
from readers.obis import NO_BILLING_PERIOD, ObisCode
from readers.obis_meanings import meaning_of
from readers.observations import Reading
from readers.quantities import Quality

_NAME: Final = re.compile(
    r"(?:(\d{1,3})-(\d{1,3}):)?([0-9A-Z]{1,3})\.([0-9A-Z]{1,3})(?:\.([0-9]{1,3}))?(?:[*&](\d{1,3}))?", re.ASCII
)
_ERROR: Final = re.compile(r"\(?(ER\d{2}|ERROR)", re.ASCII)
_DIGITS: Final = re.compile(r"\D")
_TIME_DIGITS: Final = 6
_STAMP_DIGITS: Final = (10, 12)  # YYMMDDhhmm and YYMMDDhhmmss
_ELECTRICITY: Final = 1
_SERIALS: Final = ("C.1.0", "0.0.0", "96.1.0")
_FIRMWARE: Final = ("0.2.0", "C.2.0")
_ERRORS: Final = ("F.F", "F.F.0", "97.97.0")
_TIME: Final = "0.9.1"
_DATE: Final = "0.9.2"
_SAYS_NO_VALUE: Final = re.compile(r"(?:[A-Z]+[.]|0\.|96\.|97\.|98\.|99\.)")
_US_PER_S: Final = 1_000_000
_SECONDS_PER_HOUR: Final = 3_600


@dataclass(slots=True)
class Said:
    """What one readout says.

    Attributes:
        at_us: the meter's clock.
        error_register: its digits; "" where the meter does not tell it, or it is all zeros.
        refusal: the error that came in place of data.
        unknown: names of numbers that have no meaning here.
        faults: values that are none.
    """

    at_us: int | None = None
    serial: str = ""
    firmware: str = ""
    error_register: str = ""
    refusal: str = ""
    readings: list[Reading] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    faults: list[FrameError] = field(default_factory=list)


def said(data: Data, utc_offset_min: int) -> Said:
    """Read a readout; `utc_offset_min` is that of the meter's clock."""
    found = Said()
    texts: dict[str, str] = {}
    for each in data.sets:
        texts.setdefault(_short(each.name), each.values[0])
    found.serial = next((texts[name] for name in _SERIALS if texts.get(name)), "")
    found.firmware = next((texts[name] for name in _FIRMWARE if texts.get(name)), "")
    register = next((texts[name] for name in _ERRORS if texts.get(name)), "")
    found.error_register = register if register.strip("0") else ""
    found.at_us = _clock_us(texts.get(_DATE, ""), texts.get(_TIME, ""), utc_offset_min)
    for each in data.sets:
        if not each.name and (match := _ERROR.match(each.values[0])):
            found.refusal = match[1]
            continue
        try:
            _set(found, each, utc_offset_min)
        except FrameError as error:
            found.faults.append(error)
    return found


def _set(found: Said, each: DataSet, utc_offset_min: int) -> None:
    code = _code(each.name)
    digits, _, unit = each.values[0].partition("*")
    if code is not None and code.f != NO_BILLING_PERIOD:
        return
    meaning = None if code is None else meaning_of(code)
    if code is None or meaning is None:
        if number_of(digits) is not None and unit and not _SAYS_NO_VALUE.match(_short(each.name)):
            found.unknown.append(each.name)
        return
    if not digits.strip("-. "):
        found.readings.append(Reading(meaning.quantity, code, None, meaning.phase, meaning.tariff, Quality.ABSENT))
        return
    value = number_of(digits)
    if value is None:
        raise FrameError("number", f"{each.name}({each.values[0][:40]}) is no number with a unit")
    at_us = next((us for text in each.values[1:] if (us := _stamp_us(text, utc_offset_min)) is not None), found.at_us)
    reading = reading_of(code, value, unit, at_us)
    assert reading is not None
    found.readings.append(reading)


def _code(name: str) -> ObisCode | None:
    """The code of a name of numbers; electricity where it does not say."""
    match = _NAME.fullmatch(name)
    if match is None or match[5] is None or not (match[3].isdecimal() and match[4].isdecimal()):
        return None
    medium = (int(match[1]), int(match[2])) if match[1] else (_ELECTRICITY, 0)
    period = int(match[6]) if match[6] else NO_BILLING_PERIOD
    return code_of(*medium, int(match[3]), int(match[4]), int(match[5]), period)


def _short(name: str) -> str:
    """Groups C to E of a name, or the name itself."""
    match = _NAME.fullmatch(name)
    if match is None:
        return name
    return ".".join(group for group in match.group(3, 4, 5) if group is not None)


def _clock_us(date: str, time: str, utc_offset_min: int) -> int | None:
    """UTC of YYMMDD and hhmmss, with or without signs between; a seventh digit in front is 1 in summer time."""
    day, moment = _DIGITS.sub("", date), _DIGITS.sub("", time)
    seasons = {day[:-_TIME_DIGITS], moment[:-_TIME_DIGITS]} - {"", "0"}
    if len(day) < _TIME_DIGITS or len(moment) < _TIME_DIGITS or not seasons <= {"1"}:
        return None
    stamp = day[-_TIME_DIGITS:] + moment[-_TIME_DIGITS:]
    at_us = _stamp_us(stamp, utc_offset_min)
    return at_us if at_us is None or not seasons else at_us - _SECONDS_PER_HOUR * _US_PER_S


def _stamp_us(text: str, utc_offset_min: int) -> int | None:
    """UTC of YYMMDDhhmm or YYMMDDhhmmss, with or without signs between."""
    digits = _DIGITS.sub("", text)
    if len(digits) not in _STAMP_DIGITS or "*" in text:
        return None
    year, month, day, hour, minute, second = (int(f"{digits}00"[at : at + 2]) for at in range(0, 12, 2))
    try:
        local = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return round((local - timedelta(minutes=utc_offset_min)).timestamp()) * _US_PER_S
