"""EPCs of fixed length that hold a GS1 key, as they have been since TDS 1.

    HHHHHHHH FFF PPP | company prefix | reference | serial | fill

H header, 8 bits. F filter, 3. P partition, 3: where between prefix and reference the border is. Each field is a binary
number or, for a serial of any characters, text of seven bits a character that ends with zeros. The fill is zero.

Source: GS1 TDS 2.3, section 14.6 (formats of the schemes) and its partition tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from readers.tagdata.bits import BITS_A_WORD, BitWriter, TagDataError
from readers.tagdata.characters import SET_82, digits, number, only, seven_bit_text, to_urn, write_seven_bit
from readers.tagdata.gs1_keys import Parts

PREFIX_BITS: Final = (40, 37, 34, 30, 27, 24, 20)
"""By partition; the prefix has 12 digits less the partition."""
MOST_PREFIX_DIGITS: Final = 12
LEAST_PREFIX_DIGITS: Final = 6
_HEAD_BITS: Final = 14
_PIECE_BITS: Final = 7
_GIAI_CHARACTERS: Final = 30

Decoded = tuple[str, str, int | None]
"""Scheme, pure identity URI, filter."""


class Serial(Enum):
    """How the serial number is written."""

    NONE = auto()
    NUMBER = auto()
    """A number; leading zeros cannot be kept."""
    DIGITS = auto()
    """Digits after a 1, which keeps leading zeros."""
    TEXT = auto()
    """Characters of seven bits."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One scheme.

    Attributes:
        key_bits: prefix and reference together.
        key_digits: likewise; None when there is no reference.
        serial_most: characters or digits that a serial number can have.
        pieces: whether piece and total stand between reference and serial.
    """

    name: str
    header: int
    kind: str
    bits: int
    key_bits: int
    key_digits: int | None
    serial: Serial
    serial_most: int = 0
    pieces: bool = False

    @property
    def memory_bytes(self) -> int:
        """What it takes in whole words."""
        return -(-self.bits // BITS_A_WORD) * 2

    def serial_bits(self, prefix_bits: int) -> int:
        """Bits of the serial number (where there is a reference, the same for each partition)."""
        key = prefix_bits if self.key_digits is None else self.key_bits
        return self.bits - _HEAD_BITS - key - 2 * _PIECE_BITS * self.pieces

    def most_characters(self, prefix_digits: int) -> int:
        """Characters or digits of the longest serial number."""
        return self.serial_most or _GIAI_CHARACTERS - prefix_digits


LAYOUTS: Final = (
    Layout("sgtin-96", 0x30, "sgtin", 96, 44, 13, Serial.NUMBER, 12),
    Layout("sgtin-198", 0x36, "sgtin", 198, 44, 13, Serial.TEXT, 20),
    Layout("sscc-96", 0x31, "sscc", 96, 58, 17, Serial.NONE),
    Layout("sgln-96", 0x32, "sgln", 96, 41, 12, Serial.NUMBER, 13),
    Layout("sgln-195", 0x39, "sgln", 195, 41, 12, Serial.TEXT, 20),
    Layout("grai-96", 0x33, "grai", 96, 44, 12, Serial.NUMBER, 12),
    Layout("grai-170", 0x37, "grai", 170, 44, 12, Serial.TEXT, 16),
    Layout("giai-96", 0x34, "giai", 96, 0, None, Serial.NUMBER),
    Layout("giai-202", 0x38, "giai", 202, 0, None, Serial.TEXT),
    Layout("gsrn-96", 0x2D, "gsrn", 96, 58, 17, Serial.NONE),
    Layout("gsrnp-96", 0x2E, "gsrnp", 96, 58, 17, Serial.NONE),
    Layout("gdti-96", 0x2C, "gdti", 96, 41, 12, Serial.NUMBER, 13),
    Layout("gdti-113", 0x3A, "gdti", 113, 41, 12, Serial.DIGITS, 17),
    Layout("gdti-174", 0x3E, "gdti", 174, 41, 12, Serial.TEXT, 17),
    Layout("sgcn-96", 0x3F, "sgcn", 96, 41, 12, Serial.DIGITS, 12),
    Layout("itip-110", 0x40, "itip", 110, 44, 13, Serial.NUMBER, 12, pieces=True),
    Layout("itip-212", 0x41, "itip", 212, 44, 13, Serial.TEXT, 20, pieces=True),
)


def decoder(layout: Layout) -> Callable[[bytes], Decoded]:
    """A function that decodes an EPC of this layout; it raises TagDataError."""
    plain = not layout.pieces and layout.bits % BITS_A_WORD == 0
    if plain and layout.key_digits is not None and layout.serial in {Serial.NUMBER, Serial.NONE}:
        return _plain_decoder(layout)
    return _general_decoder(layout)


def encode(layout: Layout, filter_value: int, parts: Parts) -> bytes:
    """The EPC memory for these parts of a pure identity.

    Raises:
        ValueError: a part does not fit into the scheme.
    """
    prefix = parts[0]
    if not LEAST_PREFIX_DIGITS <= len(prefix) <= MOST_PREFIX_DIGITS:
        raise ValueError(f"company prefix {prefix!r}: must have {LEAST_PREFIX_DIGITS} to {MOST_PREFIX_DIGITS} digits")
    partition = MOST_PREFIX_DIGITS - len(prefix)
    prefix_bits = PREFIX_BITS[partition]
    writer = BitWriter()
    writer.write(layout.header, 8)
    writer.write(filter_value, 3)
    writer.write(partition, 3)
    writer.write(digits(prefix, "company prefix", len(prefix)), prefix_bits)
    rest = list(parts[1:])
    if layout.key_digits is not None:
        reference_digits = layout.key_digits - len(prefix)
        writer.write(digits(rest.pop(0), "reference", reference_digits), layout.key_bits - prefix_bits)
    if layout.pieces:
        for what in ("piece", "total"):
            writer.write(digits(rest.pop(0), what, 2), _PIECE_BITS)
    width = layout.serial_bits(prefix_bits)
    if layout.serial is Serial.NONE:
        writer.write(0, width)
    else:
        _write_serial(writer, layout, rest.pop(0), width, layout.most_characters(len(prefix)))
    return writer.memory()


def _write_serial(writer: BitWriter, layout: Layout, serial: str, width: int, most: int) -> None:
    what = f"serial number of {layout.name}"
    if layout.serial is Serial.NUMBER:
        writer.write(number(serial, what, most=(1 << width) - 1), width)
        return
    if not 1 <= len(serial) <= most:
        raise ValueError(f"{what} {serial!r}: must have 1 to {most} characters")
    if layout.serial is Serial.DIGITS:
        digits(serial, what, len(serial))
        writer.write(int("1" + serial), width)
    else:
        only(serial, SET_82, what)
        write_seven_bit(writer, serial, width)


def _wrong_length(layout: Layout, epc: bytes) -> TagDataError:
    return TagDataError(f"{layout.name} takes {layout.memory_bytes} bytes, here are {len(epc)}")


def _rows(layout: Layout, digits_in_all: int) -> list[tuple[int, int, int, int, int, int, str] | None]:
    """For each partition: shift, mask and limit of the prefix, the same of the reference, and the URI to fill in."""
    rows: list[tuple[int, int, int, int, int, int, str] | None] = []
    prefix_end = layout.memory_bytes * 8 - _HEAD_BITS
    for partition, prefix_bits in enumerate(PREFIX_BITS):
        prefix_digits = MOST_PREFIX_DIGITS - partition
        reference_digits = digits_in_all - prefix_digits
        reference_bits = layout.key_bits - prefix_bits
        reference_form = f"%0{reference_digits}d" if reference_digits else "%.0s"
        serial_form = "" if layout.serial is Serial.NONE else ".%d"
        rows.append(
            (
                prefix_end - prefix_bits,
                (1 << prefix_bits) - 1,
                10**prefix_digits,
                prefix_end - layout.key_bits,
                (1 << reference_bits) - 1,
                10**reference_digits,
                f"urn:epc:id:{layout.kind}:%0{prefix_digits}d.{reference_form}{serial_form}",
            )
        )
    return [*rows, None]


def _plain_decoder(layout: Layout) -> Callable[[bytes], Decoded]:
    """Whole words, numbers only: one number taken apart by shifts, for this is what most tags carry."""
    assert layout.key_digits is not None
    rows = _rows(layout, layout.key_digits)
    name, size = layout.name, layout.memory_bytes
    head_shift = layout.bits - _HEAD_BITS
    serial_mask = (1 << layout.serial_bits(PREFIX_BITS[0])) - 1
    has_serial = layout.serial is Serial.NUMBER
    number_of = int.from_bytes

    def decode(epc: bytes) -> Decoded:
        if len(epc) != size:
            raise _wrong_length(layout, epc)
        value = number_of(epc, "big")
        row = rows[value >> head_shift & 7]
        if row is None:
            raise TagDataError(f"{name}: partition 7 is reserved")
        prefix_shift, prefix_mask, prefix_limit, reference_shift, reference_mask, reference_limit, form = row
        prefix = value >> prefix_shift & prefix_mask
        reference = value >> reference_shift & reference_mask
        if prefix >= prefix_limit or reference >= reference_limit:
            raise TagDataError(f"{name}: company prefix or reference has more digits than its partition says")
        serial = value & serial_mask
        filter_value = value >> head_shift + 3 & 7
        if has_serial:
            return name, form % (prefix, reference, serial), filter_value
        if serial:
            raise TagDataError(f"{name}: the fill at the end is not zero")
        return name, form % (prefix, reference), filter_value

    return decode


def _general_decoder(layout: Layout) -> Callable[[bytes], Decoded]:
    name, size = layout.name, layout.memory_bytes
    fill = size * 8 - layout.bits

    def decode(epc: bytes) -> Decoded:
        if len(epc) != size:
            raise _wrong_length(layout, epc)
        memory = int.from_bytes(epc, "big")
        if memory & (1 << fill) - 1:
            raise TagDataError(f"{name}: the fill at the end is not zero")
        left = layout.bits - _HEAD_BITS
        value = memory >> fill
        partition = value >> left & 7
        if partition == len(PREFIX_BITS):
            raise TagDataError(f"{name}: partition 7 is reserved")
        prefix_bits, prefix_digits = PREFIX_BITS[partition], MOST_PREFIX_DIGITS - partition
        fields = [(prefix_bits, prefix_digits)]
        if layout.key_digits is not None:
            fields.append((layout.key_bits - prefix_bits, layout.key_digits - prefix_digits))
        if layout.pieces:
            fields += [(_PIECE_BITS, 2), (_PIECE_BITS, 2)]
        parts = []
        for width, count in fields:
            left -= width
            field = value >> left & (1 << width) - 1
            if field >= 10**count:
                raise TagDataError(f"{name}: the number {field} has more than {count} digits")
            parts.append(f"{field:0{count}d}" if count else "")
        serial = value & (1 << left) - 1
        parts.append(_serial(layout, serial, left, layout.most_characters(prefix_digits)))
        return name, f"urn:epc:id:{layout.kind}:{'.'.join(parts)}", value >> layout.bits - 11 & 7

    return decode


def _serial(layout: Layout, serial: int, width: int, most: int) -> str:
    if layout.serial is Serial.NUMBER:
        return str(serial)
    if layout.serial is Serial.DIGITS:
        text = str(serial)
        if text[0] != "1" or not 1 < len(text) <= most + 1:
            raise TagDataError(f"{layout.name}: the serial number is not written as a 1 and 1 to {most} digits")
        return text[1:]
    text = seven_bit_text(serial, width)
    if len(text) > most:
        raise TagDataError(f"{layout.name}: the serial number has more than {most} characters")
    return to_urn(text)
