"""Values of DL/T 698.45: A-XDR, a tag of one byte and the content that it says, numbers highest byte first.

    01 05 06 00 00 02 BB 06 ..   array of 5: double-long-unsigned 699, ..
    02 02 06 .. 1C ..            structure of 2: a number and a time
    04 10 08 00                  bit string of 16 bits: bit 0 is the highest bit of the first byte
    1C 07 EA 0A 07 0E 10 1A      date_time_s: year, month, day, hour, minute, second, in the meter's local time
    51 40 00 02 00               OAD: object 4000, attribute 2, index 0

A length or count up to 127 is one byte, above that 81 and one byte, or 82 and two.

Source: DL/T 698.45-2017 by a public ASN.1 module and published frames. That bit 0 of a bit string is the highest of its
first byte is the rule of A-XDR; one public test program for meters reads the relay so, no device of ours was asked.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from typing import Final

from readers.errors import FrameError

MOST_DEPTH: Final = 8
_SHORT_LENGTH: Final = 0x7F
_LENGTH_OF_LENGTH: Final = 0x80
_MOST_LENGTH_BYTES: Final = 2
_OI_BYTES: Final = 2
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Tag(IntEnum):
    """Types of values. The object selections of terminals (88, 90, 92 to 94) are not read here."""

    NULL = 0
    ARRAY = 1
    STRUCTURE = 2
    BOOL = 3
    BIT_STRING = 4
    INT32 = 5
    UINT32 = 6
    OCTET_STRING = 9
    VISIBLE_STRING = 10
    UTF8_STRING = 12
    INT8 = 15
    INT16 = 16
    UINT8 = 17
    UINT16 = 18
    INT64 = 20
    UINT64 = 21
    ENUM = 22
    FLOAT32 = 23
    FLOAT64 = 24
    DATE_TIME = 25
    DATE = 26
    TIME = 27
    DATE_TIME_S = 28
    OI = 80
    OAD = 81
    ROAD = 82
    OMD = 83
    TI = 84
    TSA = 85
    MAC = 86
    RN = 87
    SCALER_UNIT = 89
    CSD = 91
    COMDCB = 95
    RCSD = 96


_INTEGERS: Final = {
    Tag.INT8: (1, True),
    Tag.INT16: (2, True),
    Tag.INT32: (4, True),
    Tag.INT64: (8, True),
    Tag.UINT8: (1, False),
    Tag.UINT16: (2, False),
    Tag.UINT32: (4, False),
    Tag.UINT64: (8, False),
    Tag.ENUM: (1, False),
}
_FLOATS: Final = {Tag.FLOAT32: ">f", Tag.FLOAT64: ">d"}
_FIXED: Final = {
    Tag.DATE_TIME: 10,
    Tag.DATE: 5,
    Tag.TIME: 3,
    Tag.DATE_TIME_S: 7,
    Tag.OI: _OI_BYTES,
    Tag.OMD: 4,
    Tag.TI: 3,
    Tag.SCALER_UNIT: 2,
    Tag.COMDCB: 5,
}
_COUNTED: Final = (Tag.OCTET_STRING, Tag.VISIBLE_STRING, Tag.UTF8_STRING, Tag.TSA, Tag.MAC, Tag.RN)
_LISTS: Final = (Tag.ARRAY, Tag.STRUCTURE)


@dataclass(frozen=True, slots=True)
class Oad:
    """One attribute of an object: the object, the attribute with its features in the upper three bits, the element.

    Index 0 is the whole attribute, 1 the first element of an array or structure.
    """

    oi: int
    attribute: int = 2
    index: int = 0

    def __str__(self) -> str:
        return f"{self.oi:04X}{self.attribute:02X}{self.index:02X}"

    def encode(self) -> bytes:
        """The 4 bytes of it."""
        return self.oi.to_bytes(_OI_BYTES, "big") + bytes([self.attribute, self.index])


@dataclass(frozen=True, slots=True)
class Road:
    """A record's column that is itself a record: its attribute, and those wanted of it."""

    oad: Oad
    columns: tuple[Oad, ...]

    def __str__(self) -> str:
        return f"{self.oad}({' '.join(map(str, self.columns))})"


Column = Oad | Road


@dataclass(frozen=True, slots=True)
class Bits:
    """A bit string: `size` bits from the highest bit of the first byte on."""

    size: int
    raw: bytes

    def value(self) -> int:
        """As a number in which bit 0 is the lowest."""
        return sum(1 << number for number in range(self.size) if self.raw[number // 8] & 0x80 >> number % 8)


Content = None | int | float | bytes | Bits | Column | tuple["Data", ...] | tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """One value.

    Attributes:
        content: None, an integer (bool and enum too), a float, a tuple of `Data` (array, structure) or of columns
            (RCSD), `Bits`, an `Oad` or `Road`, or the bytes of strings, times and all else.
    """

    tag: Tag
    content: Content = None

    @property
    def is_null(self) -> bool:
        """Whether the meter says that there is none."""
        return self.tag is Tag.NULL

    @property
    def items(self) -> tuple[Data, ...]:
        """The elements of an array or structure; none of anything else."""
        if self.tag in _LISTS and isinstance(self.content, tuple):
            return tuple(each for each in self.content if isinstance(each, Data))
        return ()

    @property
    def integer(self) -> int | None:
        """The number, where it is one without a fraction."""
        return self.content if self.tag in _INTEGERS and isinstance(self.content, int) else None

    @property
    def raw(self) -> bytes:
        """The bytes of a string or a time; none of anything else."""
        return self.content if isinstance(self.content, bytes) else b""


NULL: Final = Data(Tag.NULL)


class Reader:
    """Takes one thing after the other from an APDU.

    Every method raises FrameError: `truncated` when it ends too early, `type` for tags that are not read here.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    @property
    def rest(self) -> int:
        """How many bytes are left."""
        return len(self._raw) - self._at

    def take(self, size: int) -> bytes:
        """The next bytes."""
        if size > self.rest:
            raise FrameError("truncated", f"{size} bytes should follow, {self.rest} do", self._raw)
        found = self._raw[self._at : self._at + size]
        self._at += size
        return found

    def byte(self) -> int:
        """One byte."""
        return self.take(1)[0]

    def length(self) -> int:
        """A length or a count."""
        first = self.byte()
        if first <= _SHORT_LENGTH:
            return first
        size = first & ~_LENGTH_OF_LENGTH
        if not 1 <= size <= _MOST_LENGTH_BYTES:
            raise FrameError("length", f"a length of {size} bytes; 1 or 2 are possible", self._raw)
        return int.from_bytes(self.take(size), "big")

    def count(self) -> int:
        """A count of things of at least one byte each."""
        count = self.length()
        if count > self.rest:
            raise FrameError("truncated", f"{count} things should follow in {self.rest} bytes", self._raw)
        return count

    def octets(self) -> bytes:
        """Bytes after their length."""
        return self.take(self.length())

    def oad(self) -> Oad:
        """An OAD."""
        raw = self.take(4)
        return Oad(int.from_bytes(raw[:_OI_BYTES], "big"), raw[2], raw[3])

    def road(self) -> Road:
        """A ROAD."""
        oad = self.oad()
        return Road(oad, tuple(self.oad() for _ in range(self.count())))

    def column(self) -> Column:
        """A CSD."""
        choice = self.byte()
        if choice > 1:
            raise FrameError("type", f"choice {choice} of a column; 0 and 1 exist", self._raw)
        return self.road() if choice else self.oad()

    def columns(self) -> tuple[Column, ...]:
        """An RCSD."""
        return tuple(self.column() for _ in range(self.count()))

    def data(self, depth: int = 0) -> Data:
        """A value with its tag."""
        try:
            tag = Tag(number := self.byte())
        except ValueError as error:
            raise FrameError("type", f"a value of type {number} is not read here", self._raw) from error
        if depth > MOST_DEPTH:
            raise FrameError("type", f"values are nested deeper than {MOST_DEPTH}", self._raw)
        return Data(tag, self._content(tag, depth))

    def _content(self, tag: Tag, depth: int) -> Content:
        if tag in _INTEGERS:
            size, signed = _INTEGERS[tag]
            return int.from_bytes(self.take(size), "big", signed=signed)
        if tag in _FLOATS:
            (number,) = struct.unpack(_FLOATS[tag], self.take(struct.calcsize(_FLOATS[tag])))
            return float(number)
        if tag in _LISTS:
            return tuple(self.data(depth + 1) for _ in range(self.count()))
        if tag in _FIXED:
            return self.take(_FIXED[tag])
        if tag in _COUNTED:
            return self.octets()
        match tag:
            case Tag.NULL:
                return None
            case Tag.BOOL:
                return int(self.byte() != 0)
            case Tag.BIT_STRING:
                size = self.length()
                return Bits(size, self.take((size + 7) // 8))
            case Tag.OAD:
                return self.oad()
            case Tag.ROAD:
                return self.road()
            case Tag.CSD:
                return self.column()
        return self.columns()


def encode_length(length: int) -> bytes:
    """A length or a count.

    Raises:
        FrameError: `length`: above 65535.
    """
    if length <= _SHORT_LENGTH:
        return bytes([length])
    size = (length.bit_length() + 7) // 8
    if size > _MOST_LENGTH_BYTES:
        raise FrameError("length", f"a length of {length}; must be at most 65535")
    return bytes([_LENGTH_OF_LENGTH | size]) + length.to_bytes(size, "big")


def encode_columns(columns: Sequence[Column]) -> bytes:
    """An RCSD."""
    return encode_length(len(columns)) + b"".join(_encode_column(each) for each in columns)


def encode_data(data: Data) -> bytes:
    """A value with its tag.

    Raises:
        FrameError: `range`: the content does not fit the tag.
    """
    tag, content = data.tag, data.content
    head = bytes([tag])
    try:
        match content:
            case None if tag is Tag.NULL:
                return head
            case int() if tag in _INTEGERS:
                size, signed = _INTEGERS[tag]
                return head + content.to_bytes(size, "big", signed=signed)
            case int() if tag is Tag.BOOL:
                return head + bytes([content])
            case float() if tag in _FLOATS:
                return head + struct.pack(_FLOATS[tag], content)
            case bytes() if len(content) == _FIXED.get(tag):
                return head + content
            case bytes() if tag in _COUNTED:
                return head + encode_length(len(content)) + content
            case tuple() if tag in _LISTS:
                return head + encode_length(len(content)) + b"".join(encode_data(each) for each in data.items)
            case tuple() if tag is Tag.RCSD:
                return head + encode_columns([each for each in content if not isinstance(each, Data)])
            case Bits() if tag is Tag.BIT_STRING and len(content.raw) == (content.size + 7) // 8:
                return head + encode_length(content.size) + content.raw
            case Oad() if tag is Tag.OAD:
                return head + content.encode()
            case Road() if tag is Tag.ROAD:
                return head + _encode_road(content)
            case Oad() | Road() if tag is Tag.CSD:
                return head + _encode_column(content)
    except (OverflowError, ValueError, struct.error) as error:
        raise FrameError("range", f"{content!r} does not fit into {tag.name}") from error
    raise FrameError("range", f"{content!r} is no {tag.name}")


def _encode_road(road: Road) -> bytes:
    return road.oad.encode() + encode_length(len(road.columns)) + b"".join(each.encode() for each in road.columns)


def _encode_column(column: Column) -> bytes:
    return b"\0" + column.encode() if isinstance(column, Oad) else b"\1" + _encode_road(column)


def time_us(data: Data, utc_offset_min: int) -> int | None:
    """The UTC time of a date_time_s or a date_time; None when it is none, as before the first event."""
    raw = data.raw
    if data.tag is Tag.DATE_TIME_S:
        fields = (*raw[2:7],)
    elif data.tag is Tag.DATE_TIME:
        fields = (*raw[2:4], *raw[5:8])  # the day of the week lies between
    else:
        return None
    try:
        zone = timezone(timedelta(minutes=utc_offset_min))
        at = datetime(int.from_bytes(raw[:2], "big"), *fields, tzinfo=zone)  # type: ignore[misc]  # five fields
    except ValueError:
        return None
    return (at - _EPOCH) // _MICROSECOND


def encode_time(at_us: int, utc_offset_min: int) -> Data:
    """A UTC time as date_time_s in the meter's local time, cut to the second."""
    at = (_EPOCH + timedelta(microseconds=at_us)).astimezone(timezone(timedelta(minutes=utc_offset_min)))
    raw = at.year.to_bytes(2, "big") + bytes([at.month, at.day, at.hour, at.minute, at.second])
    return Data(Tag.DATE_TIME_S, raw)
