"""Times and dates as DL/T 645 meters write them: BCD, lowest unit first, in the meter's local time, years from 2000.

    mm hh DD MM YY      5 bytes: of a maximum demand, of a freeze, of a load record
    ss mm hh DD MM YY   6 bytes: of an event, of a time sync, of the expiry of an order
    WW DD MM YY         4 bytes: the meter's date (04000101), WW from 00 for Sunday
    ss mm hh            3 bytes: the meter's time (04000102)

Source: DL/T 645-2007 annex A by public descriptions; the order of the time sync by three published frames.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from readers.errors import FrameError

MINUTE_TIME_BYTES: Final = 5
SECOND_TIME_BYTES: Final = 6
DATE_BYTES: Final = 4
TIME_BYTES: Final = 3
CENTURY: Final = 2000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SUNDAY: Final = 7  # of isoweekday


def digits_of(raw: bytes) -> str | None:
    """The digits of BCD with its low byte first, highest first; None when a nibble is none."""
    text = raw[::-1].hex()
    return text if text.isdecimal() else None


def meter_time_us(raw: bytes, utc_offset_min: int) -> int | None:
    """The UTC time of a meter's `mm hh DD MM YY` or `ss mm hh DD MM YY`; None when it is none, as before the first."""
    if len(raw) not in (MINUTE_TIME_BYTES, SECOND_TIME_BYTES):
        return None
    text = digits_of(raw if len(raw) == SECOND_TIME_BYTES else b"\0" + raw)
    if text is None:
        return None
    year, month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(0, 2 * SECOND_TIME_BYTES, 2))
    try:
        at = datetime(CENTURY + year, month, day, hour, minute, second, tzinfo=_zone(utc_offset_min))
    except ValueError:
        return None
    return (at - _EPOCH) // _MICROSECOND


def clock_us(date: bytes, time: bytes, utc_offset_min: int) -> int:
    """The meter's clock, of its date (04000101) and its time (04000102), which are two replies: mind midnight.

    Raises:
        FrameError: `length`, or `range` when they are no date and time.
    """
    if len(date) != DATE_BYTES or len(time) != TIME_BYTES:
        detail = f"a date of {len(date)} and a time of {len(time)} bytes: must be {DATE_BYTES} and {TIME_BYTES}"
        raise FrameError("length", detail, date + time)
    at_us = meter_time_us(time + date[1:], utc_offset_min)
    if at_us is None:
        raise FrameError("range", "the meter's clock shows no date and time", date + time)
    return at_us


def encode_minute_time(at_us: int, utc_offset_min: int) -> bytes:
    """`mm hh DD MM YY` of a UTC time.

    Raises:
        FrameError: `range`: the year is not from 2000 to 2099.
    """
    return _encoded(at_us, utc_offset_min)[1:]


def encode_second_time(at_us: int, utc_offset_min: int) -> bytes:
    """`ss mm hh DD MM YY` of a UTC time.

    Raises:
        FrameError: `range`: the year is not from 2000 to 2099.
    """
    return _encoded(at_us, utc_offset_min)


def encode_date(at_us: int, utc_offset_min: int) -> bytes:
    """`WW DD MM YY` of a UTC time, for 04000101.

    Raises:
        FrameError: `range`: the year is not from 2000 to 2099.
    """
    return bytes([local_time(at_us, utc_offset_min).isoweekday() % _SUNDAY]) + _encoded(at_us, utc_offset_min)[3:]


def encode_time(at_us: int, utc_offset_min: int) -> bytes:
    """`ss mm hh` of a UTC time, for 04000102.

    Raises:
        FrameError: `range`: the year is not from 2000 to 2099.
    """
    return _encoded(at_us, utc_offset_min)[:TIME_BYTES]


def local_time(at_us: int, utc_offset_min: int) -> datetime:
    """The meter's local time of a UTC time."""
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(_zone(utc_offset_min))


def _encoded(at_us: int, utc_offset_min: int) -> bytes:
    local = local_time(at_us, utc_offset_min)
    if not CENTURY <= local.year < CENTURY + 100:
        raise FrameError("range", f"the year {local.year} does not fit: must be {CENTURY} to {CENTURY + 99}")
    return bytes.fromhex(f"{local:%S%M%H%d%m%y}")


def _zone(utc_offset_min: int) -> timezone:
    return timezone(timedelta(minutes=utc_offset_min))
