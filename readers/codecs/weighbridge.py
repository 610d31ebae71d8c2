"""Continuous output of weighing indicators: what the display shows, several times a second, without being asked.

    Yaohua XK3190-A9, -A1, -DS3 ... (`xk3190`), 12 bytes of ASCII
        S + DDDDDD P HL E
        │ │ │      │ │  └ 03
        │ │ │      │ └ XOR of + to P, as two digits 0-9 A-F
        │ │ │      └ decimals, 0 to 4
        │ │ └ the displayed value, 6 digits
        │ └ sign, + or -
        └ 02

    The same makers' short form (`xk3190_reversed`), 9 bytes, without any check
        = DDDDDDD Z
        │ │       └ 0, or - for a negative value
        │ └ digits and at most one point, lowest first
        └ 3D

    Mettler Toledo standard continuous output (`toledo`), 17 bytes, or 18 with checksum
        S A B C WWWWWW TTTTTT R K
        │ │ │ │ │      │      │ └ two's complement of the sum of the 7 lower bits of all before it; may be absent
        │ │ │ │ │      │      └ 0D
        │ │ │ │ │      └ tare, 6 digits
        │ │ │ │ └ displayed value, 6 digits, leading zeros may be spaces
        │ │ │ └ status: bit 0 grams, 3 print request, 4 expanded display, 5 always 1
        │ │ └ status: bit 0 net, 1 negative, 2 out of range, 3 motion, 4 kg, 5 always 1, 6 not zeroed since power up
        │ └ status: bits 0-2 place of the point, 3-4 increment, 5 always 1, 6 always 0
        └ 02
      Bit 7 of each character may be a parity bit; it is ignored.

Source: Yaohua XK3190-A26 manual, communication formats 0 and 1, and XK3190-A9+ manual p. 10; Mettler Toledo Wildcat
technical manual (12/00), tables 6-8 to 6-11. Some Toledo compatibles keep bit 5 of status B at 0 (Fairbanks FB6002).
Seen on: published manuals only.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import reduce
from operator import xor
from typing import Final

from readers.codecs.framing import Scanner
from readers.errors import FrameError

STX: Final = 0x02
ETX: Final = 0x03
CR: Final = 0x0D
EQUALS: Final = 0x3D
XK3190_BYTES: Final = 12
REVERSED_BYTES: Final = 9
TOLEDO_BYTES: Final = 17
DIGITS: Final = 6
MOST_DECIMALS: Final = 4
_TOLEDO_POINT: Final = (2, 1, 0, -1, -2, -3, -4, -5)
"""Power of ten of the last digit, by bits 0 to 2 of status A."""
_INCREMENTS: Final = {1: 1, 2: 2, 3: 5}
_SEVEN_BITS: Final = 0x7F


class Form(StrEnum):
    """The forms of continuous output."""

    XK3190 = "xk3190"
    XK3190_REVERSED = "xk3190_reversed"
    TOLEDO = "toledo"


class Unit(StrEnum):
    """The unit that a frame names."""

    KG = "kg"
    LB = "lb"
    G = "g"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the display shows; None where the form does not say.

    Attributes:
        value: in the indicator's unit, with its own resolution.
        is_net: the tare has been taken off already.
        increment: the scale's step, in units of the last digit: 1, 2 or 5.
    """

    value: Decimal
    unit: Unit | None = None
    is_net: bool | None = None
    tare: Decimal | None = None
    is_moving: bool | None = None
    is_out_of_range: bool | None = None
    is_not_zeroed: bool | None = None
    increment: int | None = None


def encode(shown: Shown, form: Form, *, has_checksum: bool = True) -> bytes:
    """A frame as the indicator sends it.

    Raises:
        ValueError: the value has more digits than the form.
    """
    if form is Form.XK3190:
        return _encode_xk3190(shown.value)
    if form is Form.XK3190_REVERSED:
        return _encode_reversed(shown.value)
    return _encode_toledo(shown, has_checksum=has_checksum)


class Decoder(Scanner[Shown]):
    """Finds frames of one form.

    Reject reasons: noise_bytes, sign, digits, point, status, checksum, end, truncated.
    """

    def __init__(self, form: Form, *, has_checksum: bool = True) -> None:
        if form is Form.TOLEDO:
            super().__init__(bytes([STX, STX | 0x80]), self._toledo)
        elif form is Form.XK3190:
            super().__init__(bytes([STX]), _xk3190)
        else:
            super().__init__(bytes([EQUALS]), _reversed)
        self._has_checksum = has_checksum

    def _toledo(self, buffer: bytearray, start: int) -> tuple[Shown, int] | None:
        size = TOLEDO_BYTES + self._has_checksum
        frame = bytes(byte & _SEVEN_BITS for byte in buffer[start : start + size])
        _toledo_status(frame[1:4])
        if len(frame) >= TOLEDO_BYTES and frame[TOLEDO_BYTES - 1] != CR:
            raise FrameError("end", f"byte 17 is {frame[TOLEDO_BYTES - 1]:02X}, not the carriage return 0D")
        if len(frame) < size:
            return None
        if self._has_checksum and frame[-1] != -sum(frame[:-1]) & _SEVEN_BITS:
            raise FrameError(
                "checksum", f"checksum {frame[-1]:02X}; {-sum(frame[:-1]) & _SEVEN_BITS:02X} would be right"
            )
        status_a, status_b, status_c = frame[1:4]
        exponent = _TOLEDO_POINT[status_a & 7]
        value, tare = (_scaled(_digits(frame[at : at + DIGITS]), exponent) for at in (4, 10))
        pounds_or_kg = Unit.KG if status_b & 0x10 else Unit.LB
        shown = Shown(
            value=-value if status_b & 0x02 else value,
            unit=Unit.G if status_c & 0x01 else pounds_or_kg,
            is_net=bool(status_b & 0x01),
            tare=tare,
            is_moving=bool(status_b & 0x08),
            is_out_of_range=bool(status_b & 0x04),
            is_not_zeroed=bool(status_b & 0x40),
            increment=_INCREMENTS.get(status_a >> 3 & 3),
        )
        return shown, size


def _xk3190(buffer: bytearray, start: int) -> tuple[Shown, int] | None:
    frame = bytes(buffer[start : start + XK3190_BYTES])
    if len(frame) > 1 and frame[1] not in b"+-":
        raise FrameError("sign", f"sign {frame[1]:02X}, not + or -")
    _digits(frame[2 : 2 + DIGITS])
    if len(frame) < XK3190_BYTES:
        return None
    if frame[-1] != ETX:
        raise FrameError("end", f"byte 12 is {frame[-1]:02X}, not 03")
    if frame[9:11] != _xor(frame[1:9]):
        raise FrameError("checksum", f"XOR {frame[9:11]!r}; {_xor(frame[1:9])!r} would be right")
    decimals = frame[8] - ord("0")
    if not 0 <= decimals <= MOST_DECIMALS:
        raise FrameError("point", f"{frame[8]:02X} for the decimals; 30 to 34 exist")
    value = _scaled(_digits(frame[2:8]), -decimals)
    return Shown(-value if frame[1] == ord("-") else value), XK3190_BYTES


def _reversed(buffer: bytearray, start: int) -> tuple[Shown, int] | None:
    frame = bytes(buffer[start : start + REVERSED_BYTES])
    body = frame[1:8]
    if any(byte not in b"0123456789. " for byte in body):
        raise FrameError("digits", f"{body!r}: digits and a point were expected")
    if body.count(b".") > 1:
        raise FrameError("point", f"{body!r}: more than one point")
    if len(frame) < REVERSED_BYTES:
        return None
    if frame[8] not in b"0-":
        raise FrameError("sign", f"sign {frame[8]:02X}, not 0 or -")
    text = body[::-1].decode("ascii").strip().replace(" ", "0")
    whole, _, fraction = text.partition(".")
    if not whole + fraction:
        raise FrameError("digits", f"{body!r}: no digit")
    if len(fraction) > MOST_DECIMALS:
        raise FrameError("point", f"{body!r}: {len(fraction)} decimals; at most {MOST_DECIMALS} exist")
    number = int(whole + fraction)
    if number >= 10**DIGITS:
        raise FrameError("digits", f"{body!r}: more than {DIGITS} digits")
    value = _scaled(number, -len(fraction))
    return Shown(-value if frame[8] == ord("-") else value), REVERSED_BYTES


def _toledo_status(status: bytes) -> None:
    if status and (status[0] & 0x40 or not status[0] & 0x20):
        raise FrameError("status", f"status A {status[0]:02X}: bit 5 is always 1 and bit 6 always 0")
    if len(status) > 2 and not status[2] & 0x20:  # noqa: PLR2004 - all three came
        raise FrameError("status", f"status C {status[2]:02X}: bit 5 is always 1")


def _digits(text: bytes) -> int:
    """The number in a field that may begin with spaces; 0 for an empty one."""
    digits = text.lstrip(b" ")
    if not digits:
        return 0
    if not digits.isdigit():
        raise FrameError("digits", f"{text!r}: digits were expected")
    return int(digits)


def _scaled(number: int, exponent: int) -> Decimal:
    return Decimal(number).scaleb(exponent) if exponent <= 0 else Decimal(number * 10**exponent)


def _xor(body: bytes) -> bytes:
    return b"%02X" % reduce(xor, body)


def _number(value: Decimal, digits: int) -> tuple[int, int]:
    """The digits of a value without its point, and the decimals."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    decimals = max(0, -exponent)
    number = int(abs(value).scaleb(decimals))
    if number >= 10**digits or decimals > MOST_DECIMALS:
        raise ValueError(f"{value} does not fit into {digits} digits with at most {MOST_DECIMALS} decimals")
    return number, decimals


def _encode_xk3190(value: Decimal) -> bytes:
    number, decimals = _number(value, DIGITS)
    body = b"%c%06d%d" % (b"-" if value < 0 else b"+", number, decimals)
    return bytes([STX]) + body + _xor(body) + bytes([ETX])


def _encode_reversed(value: Decimal) -> bytes:
    number, decimals = _number(value, DIGITS)
    text = f"{number:0{DIGITS}d}"
    text = f"{text[:-decimals]}.{text[-decimals:]}" if decimals else f"0{text}"
    return b"=" + text[::-1].encode("ascii") + (b"-" if value < 0 else b"0")


def _encode_toledo(shown: Shown, *, has_checksum: bool) -> bytes:
    tare = shown.tare or Decimal(0)
    exponent = _exponent(shown.value, tare)
    number, tare = abs(shown.value).scaleb(-exponent), tare.scaleb(-exponent)
    increment = next((code for code, step in _INCREMENTS.items() if step == shown.increment), 1)
    status_a = 0x20 | increment << 3 | _TOLEDO_POINT.index(exponent)
    flags = (shown.is_net, shown.value < 0, shown.is_out_of_range, shown.is_moving, shown.unit is Unit.KG)
    status_b = 0x20 | sum(1 << bit for bit, flag in enumerate(flags) if flag) | (0x40 if shown.is_not_zeroed else 0)
    status_c = 0x20 | (shown.unit is Unit.G)
    frame = bytes([STX, status_a, status_b, status_c]) + b"%06d%06d\r" % (int(number), int(tare))
    return frame + (bytes([-sum(frame) & _SEVEN_BITS]) if has_checksum else b"")


def _exponent(value: Decimal, tare: Decimal) -> int:
    """The power of ten of the last digit of a Toledo frame, for which both numbers fit; the value's own if it does."""
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    candidates: list[int] = [min(exponent, 0), *range(1, max(_TOLEDO_POINT) + 1)]
    for candidate in candidates:
        numbers = (value.scaleb(-candidate), tare.scaleb(-candidate))
        whole = all(number == number.to_integral_value() for number in numbers)
        if candidate in _TOLEDO_POINT and whole and abs(value) < 10 ** (DIGITS + candidate) > tare >= 0:
            return candidate
    raise ValueError(f"{value} with tare {tare} does not fit into two fields of {DIGITS} digits with one decimal point")
