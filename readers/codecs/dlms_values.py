"""What COSEM values mean: numbers with their scaler and unit, and the twelve bytes of a date-time.

    YYYY MM DD WW hh mm ss cc dddd SS
    │    │  │  │  │  │  │  │  │    └ clock status: 01 invalid, 02 doubtful, 04 other base, 08 bad status, 80 summer time
    │    │  │  │  │  │  │  │  └ deviation in minutes, signed: UTC less local time; 8000 undefined
    │    │  │  │  │  │  │  └ hundredths; FF undefined, as in all that stand left of it
    │    │  │  └ day of the week, 1 is Monday
    └ year; FFFF undefined

Source: DLMS UA Blue Book Ed. 12.2, sections 4.1.6.1 (date and time), 4.3.2 (scaler and unit), table 4 (units).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntFlag
from typing import Final

from readers.codecs.dlms_data import Structure, Value
from readers.errors import FrameError
from readers.obis_meanings import in_unit
from readers.quantities import Quantity

DATE_TIME_BYTES: Final = 12
UNITS: Final[dict[int, str]] = {
    5: "h",
    7: "s",
    8: "deg",
    9: "°C",
    13: "m3",
    14: "m3",  # corrected to normal conditions
    15: "m3/h",
    16: "m3/h",
    27: "W",
    28: "VA",
    29: "var",
    30: "Wh",
    31: "VAh",
    32: "varh",
    33: "A",
    35: "V",
    44: "Hz",
    52: "K",
    56: "%",
    255: "1",
}
_MOST_EXPONENT: Final = 18
_PAIR: Final = 2
_UNDEFINED: Final = 0xFF
_UNDEFINED_YEAR: Final = 0xFFFF
_UNDEFINED_DEVIATION: Final = -0x8000
_MOST_DEVIATION_MIN: Final = 840
_UNDEFINED_STATUS: Final = 0xFF
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HUNDREDTH_US: Final = 10_000
_US: Final = timedelta(microseconds=1)


class ClockStatus(IntFlag):
    """The last byte of a date-time."""

    INVALID = 0x01
    DOUBTFUL = 0x02
    DIFFERENT_BASE = 0x04
    INVALID_STATUS = 0x08
    SUMMER_TIME = 0x80


NO_STATUS: Final = ClockStatus(0)


@dataclass(frozen=True, slots=True)
class ScalerUnit:
    """The attribute `scaler_unit`: a value is its raw number times ten to the scaler, in the unit of that code."""

    scaler: int
    unit: int

    @classmethod
    def of(cls, value: Value) -> ScalerUnit:
        """Take it from the attribute.

        Raises:
            FrameError: the attribute is something else.
        """
        match value:
            case Structure((int(scaler), int(unit))) if abs(scaler) <= _MOST_EXPONENT:
                return cls(scaler, unit)
            case _:
                raise FrameError("scaler", f"{str(value)[:80]} is no scaler and unit")

    def value(self, raw: Value, quantity: Quantity) -> Decimal | None:
        """The value in the one unit of `quantity`, exactly; None where the meter has none.

        Raises:
            FrameError: it is no number, or of a unit of another kind.
        """
        if raw is None:
            return None
        if isinstance(raw, bool) or not isinstance(raw, int | Decimal):
            raise FrameError("value", f"{str(raw)[:80]} is no number")
        unit = UNITS.get(self.unit)
        if unit is None:
            raise FrameError("unit", f"{quantity.value} came in unit code {self.unit}, which is not known here")
        return in_unit(Decimal(raw).scaleb(self.scaler) + 0, unit, quantity)  # + 0: no exponent above the last digit


@dataclass(frozen=True, slots=True)
class MeterTime:
    """A date-time.

    Attributes:
        at_us: UTC; None where the meter leaves it undefined or calls it invalid.
        status: 0 where the meter leaves it undefined.
    """

    at_us: int | None
    status: ClockStatus = NO_STATUS

    @property
    def is_doubtful(self) -> bool:
        """The meter itself does not stand by it."""
        return bool(self.status & (ClockStatus.INVALID | ClockStatus.DOUBTFUL | ClockStatus.INVALID_STATUS))


def meter_time(value: Value, utc_offset_min: int, *, is_deviation_inverted: bool = False) -> MeterTime:
    """Read a date-time.

    Args:
        value: the attribute, 12 bytes.
        utc_offset_min: the meter's local time, where it does not say it.
        is_deviation_inverted: some meters count the deviation from UTC to local time.

    Raises:
        FrameError: it is none, or no such time exists.
    """
    if not isinstance(value, bytes) or len(value) != DATE_TIME_BYTES:
        raise FrameError("date_time", f"{str(value)[:80]} is no date and time of {DATE_TIME_BYTES} bytes")
    status = ClockStatus(0 if value[11] == _UNDEFINED_STATUS else value[11])
    year = int.from_bytes(value[:2], "big")
    month, day, _, hour, minute, second, hundredths = value[2:9]
    is_undefined = _UNDEFINED in (month, day, hour, minute) or year == _UNDEFINED_YEAR
    if is_undefined or status & ClockStatus.INVALID:
        return MeterTime(None, status)
    deviation_min = int.from_bytes(value[9:11], "big", signed=True)
    if deviation_min == _UNDEFINED_DEVIATION:
        deviation_min = -utc_offset_min
    elif abs(deviation_min) > _MOST_DEVIATION_MIN:
        raise FrameError("date_time", f"a deviation of {deviation_min} min; at most {_MOST_DEVIATION_MIN}", value)
    elif is_deviation_inverted:
        deviation_min = -deviation_min
    second, hundredths = (0 if part == _UNDEFINED else part for part in (second, hundredths))
    try:
        local = datetime(year, month, day, hour, minute, second, hundredths * _HUNDREDTH_US, tzinfo=UTC)
        at_us = (local + timedelta(minutes=deviation_min) - _EPOCH) // _US
    except (ValueError, OverflowError) as error:
        raise FrameError("date_time", f"no such time: {error}", value) from error
    return MeterTime(at_us, status)
