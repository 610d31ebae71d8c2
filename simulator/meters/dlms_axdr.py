"""Writes values as the type `Data` in A-XDR, for the twin of the driver `dlms`. The driver reads with other code."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

NULL: Final = b"\x00"
UNDEFINED_DEVIATION: Final = b"\x80\x00"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SHORT: Final = 0x7F
_BYTE: Final = 0xFF


def size(count: int) -> bytes:
    """A length or a count."""
    if count <= _SHORT:
        return bytes([count])
    if count <= _BYTE:
        return bytes([0x81, count])
    return b"\x82" + count.to_bytes(2, "big")


def array(items: Sequence[bytes]) -> bytes:
    """An array of values that are written already."""
    return b"\x01" + size(len(items)) + b"".join(items)


def structure(*items: bytes) -> bytes:
    """A structure of values that are written already."""
    return b"\x02" + size(len(items)) + b"".join(items)


def boolean(value: bool) -> bytes:  # noqa: FBT001 - it is what is written
    """A boolean."""
    return b"\x03" + bytes([value])


def int32(value: int) -> bytes:
    """A double-long."""
    return b"\x05" + value.to_bytes(4, "big", signed=True)


def uint32(value: int) -> bytes:
    """A double-long-unsigned."""
    return b"\x06" + value.to_bytes(4, "big")


def octets(value: bytes) -> bytes:
    """An octet-string."""
    return b"\x09" + size(len(value)) + value


def int8(value: int) -> bytes:
    """An integer."""
    return b"\x0f" + value.to_bytes(1, "big", signed=True)


def int16(value: int) -> bytes:
    """A long."""
    return b"\x10" + value.to_bytes(2, "big", signed=True)


def uint8(value: int) -> bytes:
    """An unsigned."""
    return b"\x11" + bytes([value])


def uint16(value: int) -> bytes:
    """A long-unsigned."""
    return b"\x12" + value.to_bytes(2, "big")


def enum(value: int) -> bytes:
    """An enum."""
    return b"\x16" + bytes([value])


def scaler_unit(scaler: int, unit: int) -> bytes:
    """The attribute scaler_unit."""
    return structure(int8(scaler), enum(unit))


def date_time(at_us: int, utc_offset_min: int, *, says_deviation: bool = True, status: int = 0) -> bytes:
    """An octet-string with a date and time of 12 bytes."""
    local = _EPOCH + timedelta(microseconds=at_us, minutes=utc_offset_min)
    date = local.year.to_bytes(2, "big") + bytes([local.month, local.day, local.isoweekday()])
    time = bytes([local.hour, local.minute, local.second, local.microsecond // 10_000])
    deviation = (-utc_offset_min).to_bytes(2, "big", signed=True) if says_deviation else UNDEFINED_DEVIATION
    return octets(date + time + deviation + bytes([status]))


def moment(written: bytes, utc_offset_min: int) -> int:
    """The time in the 12 bytes that a client sent; UTC in microseconds."""
    year, month, day = int.from_bytes(written[:2], "big"), written[2], written[3]
    hour, minute, second, hundredths = written[5:9]
    deviation_min = -utc_offset_min
    if written[9:11] != UNDEFINED_DEVIATION:
        deviation_min = int.from_bytes(written[9:11], "big", signed=True)
    local = datetime(year, month, day, hour, minute, second, hundredths % 100 * 10_000, tzinfo=UTC)
    return (local + timedelta(minutes=deviation_min) - _EPOCH) // timedelta(microseconds=1)
