"""Values of COSEM attributes: the type `Data` in A-XDR.

    TT V..V            types of one length: 05 00 00 13 91 is the double-long 5009
    TT LL V..V         strings: 09 06 01 00 01 08 00 FF; from 128 on the length is 81 LL or 82 LL LL
    TT NN (TT ..)..    arrays and structures of N values

A decoder takes what a meter sends, so depth and count are bounded before anything is kept: each value takes at least
one byte, so no array has more of them than bytes follow.

Source: IEC 61334-6:2000; DLMS UA Blue Book Ed. 12.2, section 4.1.5; Green Book Ed. 8.1, section 9.5.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Final

from readers.errors import FrameError

DEPTH_MOST: Final = 12
_LONG_FORM: Final = 0x80
_LENGTH_BYTES_MOST: Final = 4
_BITS: Final = 8
_LARGEST_FLOAT32: Final = (2 - 2**-23) * 2.0**127


class Tag(IntEnum):
    """The types that are understood."""

    NULL = 0
    ARRAY = 1
    STRUCTURE = 2
    BOOLEAN = 3
    BIT_STRING = 4
    DOUBLE_LONG = 5
    DOUBLE_LONG_UNSIGNED = 6
    OCTET_STRING = 9
    VISIBLE_STRING = 10
    UTF8_STRING = 12
    BCD = 13
    INTEGER = 15
    LONG = 16
    UNSIGNED = 17
    LONG_UNSIGNED = 18
    LONG64 = 20
    LONG64_UNSIGNED = 21
    ENUM = 22
    FLOAT32 = 23
    FLOAT64 = 24
    DATE_TIME = 25
    DATE = 26
    TIME = 27
    DO_NOT_CARE = 255


@dataclass(frozen=True, slots=True)
class Structure:
    """Values that belong together; an array is a list instead."""

    values: tuple[Value, ...]


Value = None | bool | int | Decimal | bytes | str | list["Value"] | Structure
"""Octet strings and the three kinds of time are bytes, bit strings are text of 0 and 1."""


@dataclass(frozen=True, slots=True)
class Denied:
    """Instead of a value: the Data-Access-Result."""

    result: int


Result = Value | Denied

_WHOLE: Final[dict[int, tuple[int, bool]]] = {
    Tag.DOUBLE_LONG: (4, True),
    Tag.DOUBLE_LONG_UNSIGNED: (4, False),
    Tag.BCD: (1, True),
    Tag.INTEGER: (1, True),
    Tag.LONG: (2, True),
    Tag.UNSIGNED: (1, False),
    Tag.LONG_UNSIGNED: (2, False),
    Tag.LONG64: (8, True),
    Tag.LONG64_UNSIGNED: (8, False),
    Tag.ENUM: (1, False),
}
_TIMES: Final[dict[int, int]] = {Tag.DATE_TIME: 12, Tag.DATE: 5, Tag.TIME: 4}
_FLOATS: Final[dict[int, tuple[str, int]]] = {Tag.FLOAT32: (">f", 4), Tag.FLOAT64: (">d", 8)}


def decode(data: bytes) -> Value:
    """The one value that `data` holds.

    Raises:
        FrameError: it holds none, or more.
    """
    reader = Reader(data)
    value = reader.value()
    reader.end()
    return value


class Reader:
    """Takes values from the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """The next bytes.

        Raises:
            FrameError: there are not so many.
        """
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            left = len(taken)
            raise FrameError("truncated", f"{count} bytes are announced and {left} are there", self._data)
        self._at += count
        return taken

    def length(self) -> int:
        """A length or a count.

        Raises:
            FrameError: it is none, or more than what follows can hold.
        """
        (first,) = self.take(1)
        if first < _LONG_FORM:
            length = first
        else:
            size = first - _LONG_FORM
            if not 0 < size <= _LENGTH_BYTES_MOST:
                raise FrameError("length", f"a length of {size} bytes; must be 1 to {_LENGTH_BYTES_MOST}", self._data)
            length = int.from_bytes(self.take(size), "big")
        left = len(self._data) - self._at
        if length > left * _BITS:  # of a bit string; of all else each item takes at least a byte, see below
            raise FrameError("truncated", f"{length} are announced and {left} bytes are there", self._data)
        return length

    def value(self, depth: int = 0) -> Value:
        """The next value.

        Raises:
            FrameError: there is none that is whole and of a known type.
        """
        (tag,) = self.take(1)
        if tag in _WHOLE:
            size, is_signed = _WHOLE[tag]
            return int.from_bytes(self.take(size), "big", signed=is_signed)
        if tag in (Tag.ARRAY, Tag.STRUCTURE):
            return self._values(tag, depth)
        if tag in _TIMES:
            return self.take(_TIMES[tag])
        if tag in _FLOATS:
            form, size = _FLOATS[tag]
            return _decimal(struct.unpack(form, self.take(size))[0], size)
        reads: dict[int, Callable[[], Value]] = {
            Tag.NULL: lambda: None,
            Tag.DO_NOT_CARE: lambda: None,
            Tag.BOOLEAN: lambda: self.take(1) != b"\0",
            Tag.OCTET_STRING: lambda: self.take(self.length()),
            Tag.VISIBLE_STRING: lambda: self.take(self.length()).decode("latin-1"),
            Tag.UTF8_STRING: lambda: self.take(self.length()).decode("utf-8", "replace"),
            Tag.BIT_STRING: self._bits,
        }
        if tag not in reads:
            raise FrameError("type", f"a value of type {tag}, which is not known here", self._data)
        return reads[tag]()

    def results(self) -> list[Result]:
        """The list in the answer to a request for several attributes.

        Raises:
            FrameError: it is none.
        """
        found: list[Result] = []
        for _ in range(self._count()):
            (choice,) = self.take(1)
            if choice > 1:
                raise FrameError("choice", f"{choice} where 0 for data or 1 for a result should be", self._data)
            found.append(Denied(self.take(1)[0]) if choice else self.value())
        self.end()
        return found

    def end(self) -> None:
        """Nothing more follows.

        Raises:
            FrameError: something does.
        """
        left = len(self._data) - self._at
        if left:
            raise FrameError("length", f"{left} bytes follow the last value", self._data)

    def _count(self) -> int:
        count = self.length()
        left = len(self._data) - self._at
        if count > left:
            raise FrameError("truncated", f"{count} values are announced and {left} bytes are there", self._data)
        return count

    def _values(self, tag: int, depth: int) -> Value:
        if depth >= DEPTH_MOST:
            raise FrameError("depth", f"values inside values, more than {DEPTH_MOST} deep", self._data)
        values = [self.value(depth + 1) for _ in range(self._count())]
        return values if tag == Tag.ARRAY else Structure(tuple(values))

    def _bits(self) -> str:
        count = self.length()
        raw = self.take(-(-count // _BITS))
        return "".join(f"{byte:08b}" for byte in raw)[:count]


def _decimal(number: float, size: int) -> Decimal | None:
    """The shortest decimal that is this float; None of what is no number."""
    if not math.isfinite(number):
        return None
    if size == struct.calcsize(">d"):
        return Decimal(repr(number))
    for digits in range(1, 9):
        text = f"{number:.{digits}g}"
        if abs(float(text)) <= _LARGEST_FLOAT32 and struct.pack(">f", float(text)) == struct.pack(">f", number):
            return Decimal(text)
    return Decimal(f"{number:.9g}")
