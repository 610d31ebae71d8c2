"""The data of M-Bus meters: a header that says who speaks, and records, each a value with its own description.

    N N N N M M V T A S G G R..          variable data: number (8 BCD digits), maker, version, type of device,
                                         access count, status, signature; then records

    record: DIF DIFE.. VIF VIFE.. data   DIF: bits 3-0 form of the data, 5-4 function, 6 storage, 7 more follow
                                         DIFE: bits 3-0 storage, 5-4 tariff, 6 unit, 7 more follow
                                         VIF, VIFE: bits 6-0 what and how large, 7 more follow

Values are exact: integers and BCD with a power of ten. A real number of four bytes is the shortest decimal that makes
it.

Source: EN 13757-3:2018, 6 (forms of data, annex A), 7 (VIF tables 10 to 14), annex B for the maker. Times of 6 bytes
(type I) from memory.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Final

from readers.errors import FrameError

HEADER_BYTES: Final = 12
FILLER: Final = 0x2F
MAKERS_OWN: Final = 0x0F
MAKERS_OWN_AND_MORE: Final = 0x1F
_MORE: Final = 0x80
_SEVEN_BITS: Final = 0x7F
MOST_EXTENSIONS: Final = 10
_PLAIN_TEXT: Final = (0x7C, 0xFC)
_VARIABLE: Final = 0x0D
_LETTERS: Final = 64
_REAL: Final = 0x05
_SIZES: Final = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 6, 7: 8, 8: 0, 9: 1, 10: 2, 11: 3, 12: 4, 14: 6}
_BCD: Final = frozenset({9, 10, 11, 12, 14})
_NEGATIVE: Final = 0xF
_US_PER_S: Final = 1_000_000


class Function(IntEnum):
    """Which of the values of a span a record is."""

    NOW = 0
    LARGEST = 1
    SMALLEST = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Header:
    """Who speaks."""

    number: str
    maker: str
    version: int
    device_type: int
    access: int = 0
    status: int = 0
    signature: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One record.

    Attributes:
        form: the low half of its DIF.
        vif: without the bit that says that more follow; with it come the extensions.
        raw: its data; of a text, without its length.
    """

    form: int
    vif: int
    extensions: tuple[int, ...] = ()
    raw: bytes = b""
    function: Function = Function.NOW
    storage: int = 0
    tariff: int = 0
    unit: int = 0
    text_unit: str = ""
    length_code: int = 0

    @property
    def number(self) -> Decimal | None:
        """The number before scaling; None when it is none, or says that it has no value."""
        if self.form == _REAL:
            return _real(self.raw)
        if self.form in _BCD:
            return _bcd(self.raw)
        if self.form == _VARIABLE:
            return _variable_number(self.length_code, self.raw)
        if not self.raw:
            return None
        least = -(1 << 8 * len(self.raw) - 1)
        found = int.from_bytes(self.raw, "little", signed=True)
        return None if found == least and len(self.raw) > 1 else Decimal(found)


def read_header(data: bytes) -> Header:
    """The header.

    Raises:
        FrameError: `length` when there is not enough of it.
    """
    if len(data) < HEADER_BYTES:
        raise FrameError("length", f"{len(data)} bytes; a header has {HEADER_BYTES}", data)
    number, maker, version, kind, access, status, signature = struct.unpack_from("<4sHBBBBH", data)
    letters = "".join(chr((maker >> shift & 0x1F) + _LETTERS) for shift in (10, 5, 0))
    return Header(number[::-1].hex().upper(), letters, version, kind, access, status, signature)


def encode_header(header: Header) -> bytes:
    """The header on the wire."""
    maker = 0
    for letter in header.maker:
        maker = maker << 5 | ord(letter) - _LETTERS
    number = bytes.fromhex(header.number)[::-1]
    return struct.pack(
        "<4sHBBBBH", number, maker, header.version, header.device_type, header.access, header.status, header.signature
    )


def read_records(data: bytes) -> tuple[list[Record], bool]:
    """The records behind the header, and whether more come in the next frame.

    Raises:
        FrameError: `record` when one has another form: what follows it cannot be found.
    """
    found: list[Record] = []
    at = 0
    while at < len(data):
        if data[at] in (MAKERS_OWN, MAKERS_OWN_AND_MORE):
            return found, data[at] == MAKERS_OWN_AND_MORE
        if data[at] == FILLER:
            at += 1
            continue
        record, at = _record(data, at)
        found.append(record)
    return found, False


def _record(data: bytes, start: int) -> tuple[Record, int]:
    dif, *difes = _chain(data, start)
    at = start + 1 + len(difes)
    storage, tariff, unit = dif >> 6 & 1, 0, 0
    for place, dife in enumerate(difes):
        storage |= (dife & 0xF) << 1 + 4 * place
        tariff |= (dife >> 4 & 3) << 2 * place
        unit |= (dife >> 6 & 1) << place
    text_unit = ""
    vif, *vifes = _chain(data, at)
    if vif in _PLAIN_TEXT:  # the text stands between the VIF and its extensions
        text_unit, after = _text(data, at + 1)
        vifes = list(_chain(data, after)) if vif & _MORE else []
        at = after + len(vifes)
    else:
        at += 1 + len(vifes)
    form, length_code = dif & 0xF, 0
    if form == _VARIABLE:
        length_code, size = _variable_size(data, at)
        at += 1
    elif form in _SIZES:
        size = _SIZES[form]
    else:
        raise FrameError("record", f"DIF {dif:02X} is none", data[start:])
    if at + size > len(data):
        raise FrameError("record", "a record goes beyond the data", data[start:])
    extensions = tuple(vife & _SEVEN_BITS for vife in vifes)
    raw = bytes(data[at : at + size])
    function = Function(dif >> 4 & 3)
    record = Record(form, vif & _SEVEN_BITS, extensions, raw, function, storage, tariff, unit, text_unit, length_code)
    return record, at + size


def _chain(data: bytes, start: int) -> Iterator[int]:
    """A byte and its extensions."""
    for place in range(MOST_EXTENSIONS + 1):
        if start + place >= len(data):
            raise FrameError("record", "a record goes beyond the data", data)
        yield data[start + place]
        if not data[start + place] & _MORE:
            return
    raise FrameError("record", f"more than {MOST_EXTENSIONS} extensions", data)


def _text(data: bytes, start: int) -> tuple[str, int]:
    """A unit in words, which is sent backwards, and where it is over."""
    end = start + 1 + (data[start] if start < len(data) else 0)
    if end > len(data):
        raise FrameError("record", "a text goes beyond the data", data)
    return bytes(data[start + 1 : end])[::-1].decode("latin-1"), end


def _variable_size(data: bytes, at: int) -> tuple[int, int]:
    """The code of a length, and the bytes that it means."""
    if at >= len(data):
        raise FrameError("record", "a record goes beyond the data", data)
    code = data[at]
    if code < 0xC0:  # noqa: PLR2004 - a text
        return code, code
    if code < 0xF0:  # noqa: PLR2004 - C0 BCD, D0 negative BCD, E0 binary
        return code, code & 0xF
    raise FrameError("record", f"length {code:02X} is none", data)


def _variable_number(code: int, raw: bytes) -> Decimal | None:
    if code < 0xC0 or not raw:  # noqa: PLR2004 - a text
        return None
    if code < 0xE0:  # noqa: PLR2004 - BCD
        found = _bcd(raw)
        return -found if found is not None and code >= 0xD0 else found  # noqa: PLR2004 - negative
    return Decimal(int.from_bytes(raw, "little", signed=True))


def _bcd(raw: bytes) -> Decimal | None:
    digits = raw[::-1].hex()
    if int(digits[0], 16) == _NEGATIVE and digits[1:].isdecimal():
        return -Decimal(digits[1:])
    return Decimal(digits) if digits.isdecimal() else None


def _real(raw: bytes) -> Decimal | None:
    (found,) = struct.unpack("<f", raw)
    if not math.isfinite(found):
        return None
    for digits in range(6, 10):
        text = f"{found:.{digits}g}"
        if struct.pack("<f", float(text)) == raw:
            break
    return Decimal(text)


def encode_record(record: Record) -> bytes:
    """One record on the wire, with as few extensions as it needs."""
    storage, tariff, unit = record.storage >> 1, record.tariff, record.unit
    difes = []
    while storage or tariff or unit:
        difes.append(storage & 0xF | (tariff & 3) << 4 | (unit & 1) << 6)
        storage, tariff, unit = storage >> 4, tariff >> 2, unit >> 1
    dif = record.form | record.function << 4 | (record.storage & 1) << 6
    head = _joined([dif, *difes])
    if record.vif == _PLAIN_TEXT[0]:
        text = record.text_unit.encode("latin-1")[::-1]
        more = _MORE if record.extensions else 0
        head += bytes([record.vif | more, len(text)]) + text + _joined(list(record.extensions))
    else:
        head += _joined([record.vif, *record.extensions])
    return head + (bytes([record.length_code]) if record.form == _VARIABLE else b"") + record.raw


def _joined(chain: list[int]) -> bytes:
    return bytes(byte | (_MORE if place < len(chain) - 1 else 0) for place, byte in enumerate(chain))


def time_us(raw: bytes, utc_offset_min: int) -> int | None:
    """UTC of a date with time, type F (4 bytes) or I (6); None when it says that it is none."""
    second, at = 0, 0
    if len(raw) == 6:  # noqa: PLR2004 - type I
        second, at = raw[0] & 0x3F, 1
    elif len(raw) != 4:  # noqa: PLR2004 - type F
        return None
    minute, hour, day, month = raw[at : at + 4]
    if minute & 0x80:  # the clock says that it is wrong
        return None
    year = 2000 + (day >> 5 | month >> 1 & 0x78)
    is_summer = raw[0] & 0x40 if at else hour & 0x80
    try:
        local = datetime(year, month & 0xF, day & 0x1F, hour & 0x1F, minute & 0x3F, second, tzinfo=UTC)
    except ValueError:
        return None
    offset = timedelta(minutes=utc_offset_min + (60 if is_summer else 0))
    return round((local - offset).timestamp()) * _US_PER_S


def encode_time(at_us: int, utc_offset_min: int) -> bytes:
    """A date with time of type F, to the minute."""
    local = datetime.fromtimestamp(at_us // _US_PER_S, UTC) + timedelta(minutes=utc_offset_min)
    year = local.year - 2000
    return bytes([local.minute, local.hour, local.day | (year & 7) << 5, local.month | (year & 0x78) << 1])
