"""Numbers in Modbus registers: integers, floats and BCD of one to four registers, in either order.

    F32 230.0 = 43 66 00 00    word order big     43 66 | 00 00     little    00 00 | 43 66
                               byte order little  66 43 | 00 00               00 00 | 66 43

Modbus orders the bytes of one register (high byte first) and says nothing of numbers that take several: makers chose.
`raw` is always the number's own bytes, highest first, whatever their order was.

Source: MODBUS Application Protocol Specification V1.1b3, section 4.2; IEEE 754 binary32 and binary64.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Final

WORD_BYTES: Final = 2
_FORMS: Final = {2: ">e", 4: ">f", 8: ">d"}
_MANTISSA_BITS: Final = {4: 23, 8: 52}
_LEAST_EXPONENT: Final = {4: -126, 8: -1022}


class ValueType(StrEnum):
    """What stands in the registers."""

    U16 = "u16"
    I16 = "i16"
    U32 = "u32"
    I32 = "i32"
    U64 = "u64"
    I64 = "i64"
    F32 = "f32"
    F64 = "f64"
    BCD16 = "bcd16"
    BCD32 = "bcd32"

    @property
    def size(self) -> int:
        """In bytes."""
        return int(self.value.lstrip("uifbcd")) // 8

    @property
    def registers(self) -> int:
        """How many registers it takes."""
        return self.size // WORD_BYTES

    @property
    def is_float(self) -> bool:
        """It has no resolution of its own."""
        return self.value.startswith("f")

    @property
    def is_signed(self) -> bool:
        """It may be negative."""
        return self.value[0] in "if"


class Order(StrEnum):
    """Which end comes first."""

    BIG = "big"
    LITTLE = "little"


@dataclass(frozen=True, slots=True)
class Layout:
    """How a number lies in its registers."""

    type: ValueType = ValueType.U16
    word_order: Order = Order.BIG
    byte_order: Order = Order.BIG

    @property
    def registers(self) -> int:
        """How many registers it takes."""
        return self.type.registers


def raw_of(registers: Sequence[int], layout: Layout) -> bytes:
    """The number's bytes, highest first.

    Raises:
        ValueError: another number of registers than its type takes.
    """
    if len(registers) != layout.registers:
        raise ValueError(f"{len(registers)} registers; {layout.type.value} takes {layout.registers}")
    words = registers if layout.word_order is Order.BIG else registers[::-1]
    return b"".join(word.to_bytes(WORD_BYTES, layout.byte_order.value) for word in words)


def registers_of(raw: bytes, layout: Layout) -> list[int]:
    """The registers that hold these bytes; the inverse of `raw_of`."""
    words = [
        int.from_bytes(raw[at : at + WORD_BYTES], layout.byte_order.value) for at in range(0, len(raw), WORD_BYTES)
    ]
    return words if layout.word_order is Order.BIG else words[::-1]


def number_of(raw: bytes, kind: ValueType) -> Decimal | None:
    """The number exactly, of a float too; None when it is none: NaN, infinite, a BCD digit above 9."""
    if kind.is_float:
        (number,) = struct.unpack(_FORMS[kind.size], raw)
        return Decimal(number or 0) if math.isfinite(number) else None
    if kind in (ValueType.BCD16, ValueType.BCD32):
        return Decimal(raw.hex()) if raw.hex().isdecimal() else None
    return Decimal(int.from_bytes(raw, "big", signed=kind.is_signed))


def raw_of_number(number: Decimal, kind: ValueType) -> bytes:
    """The bytes of a number; the nearest there is for a float.

    Raises:
        ValueError: the number has decimals that an integer cannot hold, or is too large.
    """
    try:
        if kind.is_float:
            return struct.pack(_FORMS[kind.size], float(number))
        if number != number.to_integral_value():
            raise ValueError(f"{number} is no whole number; {kind.value} holds nothing else")
        if kind in (ValueType.BCD16, ValueType.BCD32):
            digits = str(int(number)).zfill(2 * kind.size)
            if number < 0 or len(digits) > 2 * kind.size:
                raise ValueError(f"{number} does not fit into {kind.value}")
            return bytes.fromhex(digits)
        return int(number).to_bytes(kind.size, "big", signed=kind.is_signed)
    except OverflowError as error:
        raise ValueError(f"{number} does not fit into {kind.value}") from error


def rounded(value: Decimal, resolution: Decimal) -> Decimal:
    """The nearest whole number of steps of `resolution`; half a step goes to the even one."""
    return int((value / resolution).to_integral_value(ROUND_HALF_EVEN)) * resolution  # an int: never -0


def float_step(raw: bytes, kind: ValueType) -> Decimal:
    """How far the next float is from this finite one: what it cannot tell apart."""
    (number,) = struct.unpack(_FORMS[kind.size], raw)
    exponent = max(math.frexp(number)[1] - 1, _LEAST_EXPONENT[kind.size]) if number else _LEAST_EXPONENT[kind.size]
    return Decimal(2.0 ** (exponent - _MANTISSA_BITS[kind.size]))


def integer_bounds(kind: ValueType) -> tuple[Decimal, Decimal] | None:
    """The least and the greatest number that it holds; None for floats."""
    if kind.is_float:
        return None
    if kind in (ValueType.BCD16, ValueType.BCD32):
        return Decimal(0), Decimal(10 ** (2 * kind.size) - 1)
    bits = 8 * kind.size
    if kind.is_signed:
        return Decimal(-(1 << (bits - 1))), Decimal((1 << (bits - 1)) - 1)
    return Decimal(0), Decimal((1 << bits) - 1)
