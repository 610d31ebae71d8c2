"""What a reader delivers, and which card that is: base, byte order, width and parity are settings of the reader.

One and the same UID 1E A6 86 71 appears as `1EA68671`, `7186A61E`, `514229873`, `1904649758`, `166,34417` (the last 24
bits) and `134,42526` (the first 24 bits, reversed). Nothing in such a text says which form it is, so the reader's
settings must. Messages never show a UID: they may reach a log.

Wiegand frames, most significant bit first; e is even parity over the first half of the data, o odd over the second:

    26   e DDDDDDDDDDDD DDDDDDDDDDDD o      facility 8 bits, number 16 bits (H10301)
    34   e D x 16       D x 16       o
    37   e D x 17     D     D x 17   o      the middle bit belongs to both halves (H10302, H10304)
    66   e D x 32       D x 32       o

Source: HID Global, Understanding Card Data Formats (26, 37 bits); 34 and 66 bits from memory: makers differ in their
parity, see `parity`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from readers.errors import FrameError
from readers.tagdata.cards import MOST_UID_BYTES, PART_BYTES, UID_BYTES, CardIdentity, Part, Technology

RANDOM_UID: Final = 0x08  # first byte of a 4-byte UID that is drawn anew each time (ISO/IEC 14443-3, 6.5.4)
CASCADE_TAG: Final = 0x88  # stands before the first 3 bytes of a longer UID, never in a UID of its own
NFC_V_LAST: Final = 0xE0  # the UID's most significant byte, which comes last on the air (ISO/IEC 15693-3, 4.1)
MOST_TEXT: Final = 64
_SHORT_UID_BYTES: Final = 4
_FIRST: Final = (Part.WHOLE, Part.FIRST_32, Part.FIRST_24)
_BITS_PER_BYTE: Final = 8
_HEX: Final = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{2}(?:[ :-][0-9A-Fa-f]{2})+|[0-9A-Fa-f]+)")
_DECIMAL: Final = re.compile(r"[0-9]+")
_FACILITY: Final = re.compile(r"([0-9]{1,5})[,:/ -]([0-9]{1,5})")
_FACILITY_DIGITS: Final = {3: 3, 4: 5}  # digits of the facility by bytes of the number; 5 more of the number follow
_NUMBER_BITS: Final = 16


class Base(StrEnum):
    """How a number is written."""

    HEX = "hex"
    DECIMAL = "dec"
    FACILITY_NUMBER = "facility_number"
    """`213,02000`: the highest bits (8 of 24, 16 of 32) and the lower 16 bits, each decimal."""


class ByteOrder(StrEnum):
    """Which byte of the UID is written first, or is the most significant of a number."""

    AIR = "air"
    REVERSED = "reversed"


class Bits(NamedTuple):
    """What a reader delivers as bits: the first bit is the most significant of `value`."""

    value: int
    size: int


class _Parity(NamedTuple):
    """Which bits of the data (first bit is 0) each parity bit guards."""

    even: range
    odd: range


WIEGAND: Final[Mapping[int, _Parity]] = {
    26: _Parity(range(12), range(12, 24)),
    34: _Parity(range(16), range(16, 32)),
    37: _Parity(range(18), range(17, 35)),
    66: _Parity(range(32), range(32, 64)),
}
"""Frames with parity, by their number of bits."""


class CardPolicy(BaseModel):
    """Which identities count. For readers that say the UID in air order and what the card speaks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    random_uids: Literal["refused", "allowed"] = Field(
        default="refused", description="4-byte UIDs that begin with 08 are drawn anew each time: phones, many CPU cards"
    )
    pupi: Literal["refused", "allowed"] = Field(
        default="refused",
        description="the PUPI of type B cards is mostly drawn anew each time; `allowed` where the cards' keeps still",
    )

    def accept(self, identity: CardIdentity) -> CardIdentity:
        """The same identity, when it can tell one card from others.

        Raises:
            FrameError: `length`, `blank_uid`, `cascade_tag`, `random_uid`, `pupi` or `byte_order`.
        """
        technology, uid, part = identity.technology, identity.uid, identity.part
        sizes = UID_BYTES.get(technology)
        if part is Part.WHOLE and sizes is not None and len(uid) not in sizes:
            allowed = " or ".join(map(str, sizes))
            raise FrameError(
                "length",
                f"a UID of {len(uid)} bytes; {technology} has {allowed}. If the reader passes on a part, set width",
            )
        if uid in (bytes(len(uid)), b"\xff" * len(uid)):
            raise FrameError("blank_uid", f"a UID of nothing but {uid[0]:02X}: the reader did not read the card")
        if technology is Technology.NFC_V and part is Part.WHOLE and uid[-1] != NFC_V_LAST:
            raise FrameError("byte_order", "the last byte of an nfcv UID in air order is E0; turn byte_order round")
        if technology is Technology.NFC_B and self.pupi == "refused":
            raise FrameError("pupi", "a type B card's PUPI is mostly random; set pupi = allowed where it is not")
        if technology in (Technology.NFC_A, Technology.WIEGAND):
            self._accept_first_byte(technology, uid, part)
        return identity

    def _accept_first_byte(self, technology: Technology, uid: bytes, part: Part) -> None:
        """Behind Wiegand only a number of 4 bytes looks like a UID: the others are made of facility and number."""
        is_start = part in _FIRST and (technology is Technology.NFC_A or len(uid) == _SHORT_UID_BYTES)
        if is_start and uid[0] == CASCADE_TAG and len(uid) <= _SHORT_UID_BYTES:
            raise FrameError(
                "cascade_tag", "the UID begins with 88, the mark of a longer one: the reader reads its beginning only"
            )
        if is_start and uid[0] == RANDOM_UID and len(uid) <= _SHORT_UID_BYTES and self.random_uids == "refused":
            raise FrameError("random_uid", "a UID that begins with 08 is drawn anew each time; it names no card")


class CardFormat(CardPolicy):
    """How one reader writes what it reads."""

    technology: Technology = Field(default=Technology.WIEGAND, description="what the cards at this reader speak")
    base: Base = Field(default=Base.HEX, description="how the number is written")
    byte_order: ByteOrder = Field(
        default=ByteOrder.AIR, description="`air`: the UID's first byte comes first; `reversed`: its last"
    )
    width: Part = Field(
        default=Part.WHOLE, description="what the reader passes on: the whole UID, or one end of it in air order"
    )
    uid_bytes: int | None = Field(
        default=None, ge=1, le=MOST_UID_BYTES, description="size of a whole UID, where the number alone does not say it"
    )
    wiegand: Literal[26, 34, 37, 66] | None = Field(
        default=None, description="the number is a Wiegand frame of so many bits, parity included"
    )
    parity: Literal["checked", "ignored"] = Field(
        default="checked", description="`ignored` for readers whose Wiegand parity follows no rule"
    )

    @model_validator(mode="after")
    def _is_decidable(self) -> Self:
        sizes_known = self.width is not Part.WHOLE or self.uid_bytes is not None or self.wiegand is not None
        if self.base is Base.DECIMAL and not sizes_known and self.technology not in UID_BYTES:
            raise ValueError(
                f"base = dec does not say how long a {self.technology} number is; set width, uid_bytes or wiegand"
            )
        if self.base is Base.FACILITY_NUMBER and self.wiegand is not None:
            raise ValueError("wiegand has no parity bits left in base = facility_number; remove it")
        if self.base is Base.FACILITY_NUMBER and self.uid_bytes not in (None, *_FACILITY_DIGITS):
            raise ValueError(f"uid_bytes = {self.uid_bytes}: a facility and its number have 3 or 4 bytes together")
        size = PART_BYTES.get(self.width)
        if size is not None and self.uid_bytes is not None:
            raise ValueError(f"uid_bytes is of use with width = whole only; {self.width} has {size} bytes")
        return self

    def identity(self, delivered: str | Bits) -> CardIdentity:
        """The card that the reader has read.

        Args:
            delivered: the number as text, without terminators; or bits, of which 26, 34, 37 and 66 are Wiegand frames
                with parity and multiples of 8 are bytes, unless `wiegand` says that only one frame is right.

        Raises:
            FrameError: `text`, `length`, `width`, `bit_count` or `parity`, or a reason of `CardPolicy.accept`.
        """
        number = self._bits_of(delivered) if isinstance(delivered, Bits) else self._text_of(delivered)
        uid = number if self.byte_order is ByteOrder.AIR else number[::-1]
        return self.accept(CardIdentity(self.technology, uid, self.width))

    def _bits_of(self, bits: Bits) -> bytes:
        wanted = self.wiegand or bits.size
        if bits.size != wanted:
            raise FrameError("bit_count", f"{bits.size} bits came; the reader is set to Wiegand {wanted}")
        if wanted in WIEGAND:
            return self._sized(*self._without_parity(bits))
        if bits.size % _BITS_PER_BYTE or not 0 < bits.size <= MOST_UID_BYTES * _BITS_PER_BYTE:
            known = ", ".join(map(str, WIEGAND))
            raise FrameError("bit_count", f"{bits.size} bits came; {known} or whole bytes are understood")
        return self._sized(bits.value, bits.size // _BITS_PER_BYTE)

    def _text_of(self, text: str) -> bytes:
        text = text.strip()
        if len(text) > MOST_TEXT:
            raise FrameError("length", f"{len(text)} characters; no number is longer than {MOST_TEXT}")
        if self.base is Base.FACILITY_NUMBER:
            size = PART_BYTES.get(self.width) or self.uid_bytes or PART_BYTES[Part.LAST_24]
            return self._sized(_facility_number(text, size), size)
        match = (_HEX if self.base is Base.HEX else _DECIMAL).fullmatch(text)
        if match is None:
            raise FrameError("text", f"{len(text)} characters that are no number in base {self.base}")
        if self.base is Base.DECIMAL:
            value, digits_bytes = int(text), None
        else:
            digits = re.sub("[ :-]", "", match[1])
            value, digits_bytes = int(digits, 16), (len(digits) + 1) // 2
        if self.wiegand is not None:
            if value >> self.wiegand:
                raise FrameError("bit_count", f"the number has more than the {self.wiegand} bits of its Wiegand frame")
            return self._sized(*self._without_parity(Bits(value, self.wiegand)))
        return self._sized(value, digits_bytes)

    def _without_parity(self, bits: Bits) -> tuple[int, int]:
        """The data of a Wiegand frame and its size in bytes."""
        guard = WIEGAND[bits.size]
        size = bits.size - 2
        data = (bits.value >> 1) & ((1 << size) - 1)
        if self.parity == "checked":
            ones = [data >> (size - 1 - index) & 1 for index in range(size)]
            even = sum(ones[index] for index in guard.even) + (bits.value >> (bits.size - 1) & 1)
            odd = sum(ones[index] for index in guard.odd) + (bits.value & 1)
            if even % 2 or not odd % 2:
                raise FrameError("parity", f"the parity of a Wiegand frame of {bits.size} bits is wrong")
        return data, -(-size // _BITS_PER_BYTE)

    def _sized(self, value: int, came_bytes: int | None) -> bytes:
        """The number in as many bytes as the identity has; `came_bytes`: as many as the reader wrote, where known."""
        size = PART_BYTES.get(self.width) or self.uid_bytes or came_bytes or self._smallest(value)
        if value >> (size * _BITS_PER_BYTE):
            raise FrameError("width", f"the number does not go into {size} bytes; look at width and uid_bytes")
        if came_bytes is not None and came_bytes < size:
            raise FrameError("width", f"{came_bytes} bytes came, {size} are set; look at width and uid_bytes")
        return value.to_bytes(size, "big")

    def _smallest(self, value: int) -> int:
        sizes = UID_BYTES.get(self.technology, ())
        for size in sizes:
            if not value >> (size * _BITS_PER_BYTE):
                return size
        raise FrameError("width", f"the number is larger than any {self.technology} UID")


def _facility_number(text: str, size: int) -> int:
    """`213,02000`, or without a separator `21302000`."""
    facility_digits = _FACILITY_DIGITS.get(size, 0)
    match = _FACILITY.fullmatch(text)
    if match:
        facility, number = int(match[1]), int(match[2])
    elif facility_digits and _DECIMAL.fullmatch(text) and len(text) == facility_digits + 5:
        facility, number = int(text[:facility_digits]), int(text[facility_digits:])
    else:
        raise FrameError("text", f"{len(text)} characters that are no facility and number, such as 213,02000")
    if number >> _NUMBER_BITS or facility >> (size * _BITS_PER_BYTE - _NUMBER_BITS):
        raise FrameError("width", f"facility or number does not go into {size} bytes; look at width")
    return facility << _NUMBER_BITS | number
