"""Frames of 134.2 kHz readers for ISO 11784/11785 FDX-B transponders: the WL-134 class.

    S IIIIIIIIII CCCC D A RRRR XXXXXX K N E
    │ │          │    │ │ │    │      │ │ └ end, 1 byte: 03
    │ │          │    │ │ │    │      │ └── checksum inverted, 1 byte
    │ │          │    │ │ │    │      └──── checksum, 1 byte: XOR of the 26 characters
    │ │          │    │ │ │    └─────────── extra data, 6 hex digits
    │ │          │    │ │ └──────────────── reserved, 4 hex digits
    │ │          │    │ └────────────────── 1: the transponder is in an animal
    │ │          │    └──────────────────── 1: extra data follow
    │ │          └───────────────────────── country or maker, 4 hex digits
    │ └──────────────────────────────────── national number, 10 hex digits
    └────────────────────────────────────── start, 1 byte: 02

Numbers are written least significant digit first. The checksum bytes may be any byte, 02 and 03 too.

Source: manual of the WL-134A module as quoted in public questions (the example of country 900); from memory the rest.
Seen on: that example and one reading that somebody published, no module in our hands.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

from readers.codecs.framing import Scanner
from readers.errors import FrameError
from readers.tagdata.cards import CardIdentity, Technology

STX: Final = 0x02
ETX: Final = 0x03
FRAME_BYTES: Final = 30
MOST_COUNTRY: Final = 999
"""ISO 3166 numbers; from 900 on makers and tests."""
MOST_NATIONAL: Final = (1 << 38) - 1
_NATIONAL_BITS: Final = 38
_UID_BYTES: Final = 6
_DIGITS: Final = 26
_BYTE: Final = 0xFF
_HEX: Final = frozenset(b"0123456789ABCDEFabcdef")
_FLAGS: Final = frozenset(b"01")
_PRINTED_DIGITS: Final = 15
_COUNTRY_DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """What one transponder says."""

    country: int
    national: int
    is_animal: bool = True
    has_extra: bool = False
    reserved: int = 0
    extra: int = 0

    @property
    def identity(self) -> CardIdentity:
        """Country in 10 bits and national number in 38, the most significant first: the number as it is printed."""
        return identity(self.country, self.national)


def identity(country: int, national: int) -> CardIdentity:
    """The identity of a transponder.

    Raises:
        FrameError: `range`.
    """
    if not 0 <= country <= MOST_COUNTRY or not 0 <= national <= MOST_NATIONAL:
        raise FrameError("range", f"a country code is at most {MOST_COUNTRY}, a national number below 2^38")
    return CardIdentity(Technology.FDX_B, (country << _NATIONAL_BITS | national).to_bytes(_UID_BYTES, "big"))


def printed_identity(text: str) -> CardIdentity | None:
    """The identity of a number as it is printed: 15 digits, the country first, with spaces or without; else None.

    Raises:
        FrameError: `range`.
    """
    digits = text.replace(" ", "").replace("_", "")
    if len(digits) != _PRINTED_DIGITS or not (digits.isascii() and digits.isdecimal()):
        return None
    return identity(int(digits[:_COUNTRY_DIGITS]), int(digits[_COUNTRY_DIGITS:]))


def encode(frame: Frame) -> bytes:
    """The frame on the wire."""
    flags = f"{frame.has_extra:d}{frame.is_animal:d}"
    text = f"{_turned(frame.national, 10)}{_turned(frame.country, 4)}{flags}"
    body = f"{text}{_turned(frame.reserved, 4)}{_turned(frame.extra, 6)}".encode("ascii")
    checksum = reduce(xor, body)
    return bytes([STX]) + body + bytes([checksum, checksum ^ _BYTE, ETX])


class Decoder(Scanner[Frame]):
    """Finds frames. Reject reasons: noise_bytes, digits, delimiter, checksum, range, truncated."""

    def __init__(self) -> None:
        super().__init__(bytes([STX]), self._read)

    @staticmethod
    def _read(buffer: bytearray, start: int) -> tuple[Frame, int] | None:
        body = bytes(buffer[start + 1 : start + 1 + _DIGITS])
        if not _HEX.issuperset(body) or not _FLAGS.issuperset(body[14:16]):
            raise FrameError("digits", "a character that is no hex digit, or a flag that is neither 0 nor 1")
        end = buffer[start + 1 + _DIGITS : start + FRAME_BYTES]
        if len(end) < FRAME_BYTES - 1 - _DIGITS:
            return None
        if end[2] != ETX:
            raise FrameError("delimiter", f"end mark {end[2]:02X}, not 03")
        checksum = reduce(xor, body)
        if end[0] != checksum or end[1] != checksum ^ _BYTE:
            raise FrameError("checksum", f"checksum {end[0]:02X} {end[1]:02X} is wrong")
        frame = Frame(
            country=_value(body[10:14]),
            national=_value(body[:10]),
            is_animal=body[15:16] == b"1",
            has_extra=body[14:15] == b"1",
            reserved=_value(body[16:20]),
            extra=_value(body[20:26]),
        )
        identity(frame.country, frame.national)
        return frame, FRAME_BYTES


def _turned(value: int, digits: int) -> str:
    return f"{value:0{digits}X}"[::-1]


def _value(digits: bytes) -> int:
    return int(digits[::-1], 16)
