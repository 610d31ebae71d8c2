"""Values between the OPC UA library and `readers.opcua_messages`."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final

from readers.opcua_messages import MOST_TEXT, Sample

UNKNOWN: Final = Sample(status="BadUnexpectedError", level=2)
NOT_SCALAR: Final = "NotScalar"
BAD: Final = 2
_INFO_TYPE: Final = 0x0C00
_IS_DATA_VALUE: Final = 0x0400
_OVERFLOW: Final = 0x0080
_US_PER_S: Final = 1_000_000
_OLDEST: Final = datetime(1980, 1, 1, tzinfo=UTC)  # a server without a clock says 1601, or its own beginning
_FLOAT: Final = struct.Struct("<f")
_FLOAT_DIGITS: Final = range(6, 10)
_INTEGERS: Final = {
    "SByte": (-(1 << 7), (1 << 7) - 1),
    "Byte": (0, (1 << 8) - 1),
    "Int16": (-(1 << 15), (1 << 15) - 1),
    "UInt16": (0, (1 << 16) - 1),
    "Int32": (-(1 << 31), (1 << 31) - 1),
    "UInt32": (0, (1 << 32) - 1),
    "Int64": (-(1 << 63), (1 << 63) - 1),
    "UInt64": (0, (1 << 64) - 1),
}
_LARGEST_FLOAT: Final = 3.4028234663852886e38


def sample_of(data: Any) -> Sample:
    """What a `DataValue` says."""
    code = int(data.StatusCode.value) if data.StatusCode is not None else 0
    level = min(code >> 30, BAD)
    status = status_word(data.StatusCode)
    value, is_number = None, False
    if level < BAD:
        value, is_number, is_scalar = _plain(data.Value)
        if not is_scalar:
            status, level = NOT_SCALAR, BAD
    overflowed = code & _INFO_TYPE == _IS_DATA_VALUE and bool(code & _OVERFLOW)
    return Sample(
        value=value,
        is_number=is_number,
        status=status,
        level=level,
        source_us=microseconds(data.SourceTimestamp),
        server_us=microseconds(data.ServerTimestamp),
        overflowed=overflowed,
    )


def status_word(status: Any) -> str:
    """The word of a status code: `Good`, `BadNodeIdUnknown`."""
    if status is None:
        return "Good"
    return str(status.name)


def microseconds(moment: datetime | None) -> int | None:
    """Microseconds since 1970; None for no time, or one that cannot be true."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if aware < _OLDEST:
        return None
    return round(aware.timestamp() * _US_PER_S)


def float_text(value: float, *, is_single: bool) -> str | None:
    """The shortest number that is this float, of 32 bits where `is_single`; None for NaN and infinities."""
    if not math.isfinite(value):
        return None
    if is_single:
        packed = _FLOAT.pack(value)
        for digits in _FLOAT_DIGITS:
            text = f"{value:.{digits}g}"
            if abs(float(text)) <= _LARGEST_FLOAT and _FLOAT.pack(float(text)) == packed:
                return f"{Decimal(text):f}"
    return f"{Decimal(repr(value)):f}"


def native(value: bool | str, kind: str) -> Any:  # noqa: FBT001 - the value itself
    """A value as a variant of this kind takes it.

    Raises:
        ValueError: it does not fit; the message says what would.
    """
    if kind == "Boolean":
        if isinstance(value, bool):
            return value
        raise ValueError(f"the node is a Boolean; {value!r} is none")
    if isinstance(value, bool):
        raise ValueError(f"the node is a {kind}, and takes no truth")  # noqa: TRY004 - one error for all that cannot be
    if kind == "String":
        return value
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"the node is a {kind}, and {value!r} is no number") from None
    if kind in _INTEGERS:
        least, most = _INTEGERS[kind]
        if number != number.to_integral_value() or not least <= number <= most:
            raise ValueError(f"the node is a {kind}: whole numbers from {least} to {most}, and {value} is none")
        return int(number)
    if kind == "Double":
        return float(number)
    if kind == "Float":
        if abs(number) > Decimal(_LARGEST_FLOAT):
            raise ValueError(f"the node is a Float, and {value} is too large")
        return float(number)
    raise ValueError(f"the node is a {kind}, which is not written; allowed: Boolean, String, integers, Float, Double")


def _plain(variant: Any) -> tuple[bool | str | None, bool, bool]:
    """A value, whether it is a number, and whether it is one value at all."""
    value = None if variant is None else variant.Value
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool):
        return value, False, True
    if isinstance(value, int):
        return str(value), True, True
    if isinstance(value, float):
        text = float_text(value, is_single=variant.VariantType.name == "Float")
        return text, text is not None, True
    if isinstance(value, str):
        return value[:MOST_TEXT], False, True
    if isinstance(value, datetime):
        return value.isoformat(), False, True
    if (text := getattr(value, "Text", None)) is not None or hasattr(value, "Text"):  # LocalizedText
        return str(text or "")[:MOST_TEXT], False, True
    if (name := getattr(value, "Name", None)) is not None:  # QualifiedName
        return str(name)[:MOST_TEXT], False, True
    return None, False, False
