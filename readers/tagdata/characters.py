"""The character sets of the EPC Tag Data Standard, their compaction, and their escapes in URIs.

Source: GS1 TDS 2.3, sections 6.2 and 14.3, appendices A (set 82), F and G (six bits).
"""

from __future__ import annotations

import re
import string
from typing import Final
from urllib.parse import unquote

from readers.tagdata.bits import BitReader, BitWriter, TagDataError

SET_82: Final = frozenset(string.ascii_letters + string.digits + "!\"%&'()*+,-./:;<=>?_")
"""What a serial number and the like may hold."""
SET_39: Final = frozenset(string.ascii_uppercase + string.digits + "#-/")
"""What a component or part identifier and an aerospace serial number may hold."""
SEVEN_BITS: Final = 7
SIX_BITS: Final = 6

_ESCAPED: Final = '"%&/<>?#'
_TO_URN: Final = str.maketrans({character: f"%{ord(character):02X}" for character in _ESCAPED})
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_SIX_BIT_CHARACTER: Final = {ord(character) & 0x3F: character for character in SET_39}
_SEVEN_BIT_CHARACTER: Final = [chr(code) if chr(code) in SET_82 else None for code in range(1 << SEVEN_BITS)]


def to_urn(text: str) -> str:
    """The text as it stands in an EPC URI."""
    return text.translate(_TO_URN)


def from_urn(text: str) -> str:
    """The text that an EPC URI holds; a ValueError names an escape that is none."""
    if "%" in _ESCAPE.sub("", text):
        raise ValueError(f"{text!r}: % must be followed by two hexadecimal digits")
    return unquote(text)


def only(text: str, allowed: frozenset[str], what: str) -> None:
    """Raise ValueError when a character of `text` is not allowed."""
    wrong = sorted(set(text) - allowed)
    if wrong:
        raise ValueError(f"{what} {text!r}: has {' '.join(map(repr, wrong))}; allowed: {''.join(sorted(allowed))}")


def seven_bit_text(value: int, width: int) -> str:
    """The characters at the front of `width` bits, the rest of which must be zero."""
    characters = []
    left = width
    while left >= SEVEN_BITS:
        left -= SEVEN_BITS
        code = value >> left & 0x7F
        if not code:
            break
        character = _SEVEN_BIT_CHARACTER[code]
        if character is None:
            raise TagDataError(f"a serial number has the character {code:02X}, which GS1 does not allow")
        characters.append(character)
    if value & (1 << left) - 1:
        raise TagDataError("the fill after a serial number is not zero")
    if not characters:
        raise TagDataError("a serial number is empty")
    return "".join(characters)


def write_seven_bit(writer: BitWriter, text: str, width: int) -> None:
    """Append the text, filled up with zeros to `width` bits."""
    value = 0
    for character in text:
        value = value << SEVEN_BITS | ord(character)
    writer.write(value << width - SEVEN_BITS * len(text), width)


def six_bit_text(reader: BitReader, most: int) -> str:
    """Characters up to the zeros that end them; `most` of them at most."""
    characters = []
    while code := reader.read(SIX_BITS):
        character = _SIX_BIT_CHARACTER.get(code)
        if character is None:
            raise TagDataError(f"the six bits {code:06b} are no character")
        characters.append(character)
        if len(characters) > most:
            raise TagDataError(f"a text is longer than {most} characters")
    return "".join(characters)


def write_six_bit(writer: BitWriter, text: str) -> None:
    """Append the text and the zeros that end it."""
    for character in text:
        writer.write(ord(character) & 0x3F, SIX_BITS)
    writer.write(0, SIX_BITS)


def number(text: str, what: str, *, most: int) -> int:
    """The number that the digits are; leading zeros would be lost on the tag, so they are refused."""
    if not text.isascii() or not text.isdigit() or (text[0] == "0" and text != "0") or int(text) > most:
        raise ValueError(f"{what} {text!r}: must be a number from 0 to {most} without leading zeros")
    return int(text)


def digits(text: str, what: str, count: int) -> int:
    """The number that exactly `count` digits are."""
    if len(text) != count or (text and not (text.isascii() and text.isdigit())):
        raise ValueError(f"{what} {text!r}: must have {count} digits")
    return int(text or "0")
