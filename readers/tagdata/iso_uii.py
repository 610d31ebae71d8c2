"""Codes of ISO on a Gen2 tag: an application family identifier (AFI) in the PC word, and what it says of the memory.

    37 B C S Q U 3 0 5 4 3 8 3      six bits a character: the low six of ASCII, so A is 000001 and 0 is 110000
    DI | data        [EOT] fill     EOT, 100001, ends the text; the fill is 100000 repeated, cut to whole words

DI: the data identifier, up to three digits and a letter (7B a container, 25S a licence plate of ISO/IEC 15459 ...).

Source: ISO 17363 to 17367 (ISO/IEC 17360:2023), ISO/IEC 15961-3 (AFIs), ISO/IEC 15962 (six-bit table). The standards
are not public: the AFIs, the table, and that EOT is left out when fewer than six bits remain, are from public code and
its tests, as is the data identifier 7B of a container.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from typing import Final

from readers.tagdata.bits import BITS_A_WORD, BitReader, BitWriter, TagDataError
from readers.tagdata.characters import SIX_BITS
from readers.tagdata.container_code import ContainerCode, container_code

CONTAINER: Final = 0xA9
CONTAINER_HAZARDOUS: Final = 0xAA
TOLL: Final = 0xB0
TOLL_DSFID: Final = 0x3E
"""First byte of the memory of a tag of the 6C Toll Operators Committee."""
AFIS: Final[dict[int, tuple[str, bool]]] = {
    0xA1: ("iso-17367", False),
    0xA2: ("iso-17365", False),
    0xA3: ("iso-17364", False),
    0xA4: ("iso-17367", True),
    0xA5: ("iso-17366", False),
    0xA6: ("iso-17366", True),
    0xA7: ("iso-17365", True),
    0xA8: ("iso-17364", True),
    CONTAINER: ("iso-17363", False),
    CONTAINER_HAZARDOUS: ("iso-17363", True),
}
"""By AFI: the standard, and whether the content is hazardous."""
SUBJECTS: Final = {
    "iso-17363": "freight container",
    "iso-17364": "returnable transport item",
    "iso-17365": "transport unit",
    "iso-17366": "product packaging",
    "iso-17367": "product",
}
CONTAINER_DI: Final = "7B"

_EOT: Final = 0b100001
_FILL: Final = 0b100000
_FILL_TEXT: Final = " @"
"""What fill of 100000 and of zeros looks like."""
_CONTROLS: Final = {0b011110: "<GS>", 0b011111: "<RS>", 0b100011: "<FS>", 0b100100: "<US>"}
_CHARACTERS: Final = (
    {code: chr(code | 0x40) for code in range(0b011110)}
    | {code: chr(code) for code in range(0b101000, 0b1000000)}
    | {_FILL: " "}
    | _CONTROLS
)
"""What is missing here is reserved."""
_CODES: Final = {character: code for code, character in _CHARACTERS.items()}
_PIECE: Final = re.compile(r"<(?:GS|RS|FS|US)>|.", re.DOTALL)
_DATA_IDENTIFIER: Final = re.compile(r"([0-9]{0,3}[A-Z])(.+)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class IsoUii:
    """A code of ISO, read.

    Attributes:
        text: all characters; separators are written as <GS>, <RS>, <FS>, <US>.
        data_identifier, data: the text taken apart; the identifier is empty when the text begins with none.
        container: the container that it names, when its check digit is right.
    """

    standard: str
    hazardous: bool
    text: str
    data_identifier: str
    data: str
    container: ContainerCode | None = None


def decode(afi: int, memory: bytes) -> IsoUii:
    """What the memory says under this AFI; TagDataError when it is not text."""
    standard, hazardous = AFIS[afi]
    text = six_bit_text(memory)
    parts = _DATA_IDENTIFIER.fullmatch(text)
    identifier, data = (parts[1], parts[2]) if parts else ("", text)
    container = None
    if standard == AFIS[CONTAINER][0]:
        if identifier == CONTAINER_DI:
            container = _container(data)
        elif container := _container(text):  # a bare number, whose first letter only looks like a data identifier
            identifier, data = "", text
    return IsoUii(standard, hazardous, text, identifier, data, container)


def _container(text: str) -> ContainerCode | None:
    try:
        container = container_code(text)
    except ValueError:
        return None  # text all the same, but it names no container
    return container if str(container) == text else None


def encode(afi: int, text: str) -> bytes:
    """The EPC memory that says `text`.

    Raises:
        ValueError: the AFI is not one of this module, or a character has no six bits.
    """
    if afi not in AFIS:
        allowed = " ".join(f"{each:02X}" for each in AFIS)
        raise ValueError(f"afi = {afi:02X}: no text of six bits is known for it; allowed: {allowed}")
    if not text or text[-1] in _FILL_TEXT:
        raise ValueError(
            f"text {text[:60]!r}: is empty or ends as fill does; give identifier and data, as 7BCSQU3054383"
        )
    writer = BitWriter()
    for piece in _PIECE.findall(text):
        code = _CODES.get(piece)
        if code is None:
            allowed = f"A-Z 0-9 {''.join(c for c in string.punctuation if c in _CODES)} and space"
            raise ValueError(f"text {text[:60]!r}: {piece!r} has no six bits; allowed: {allowed}")
        writer.write(code, SIX_BITS)
    if -writer.width % BITS_A_WORD >= SIX_BITS:
        writer.write(_EOT, SIX_BITS)
    while left := -writer.width % BITS_A_WORD:
        width = min(left, SIX_BITS)
        writer.write(_FILL >> SIX_BITS - width, width)
    return writer.memory()


def six_bit_text(memory: bytes) -> str:
    """The characters up to EOT, or to the end without the fill."""
    reader = BitReader(memory)
    characters = []
    while reader.left >= SIX_BITS:
        code = reader.read(SIX_BITS)
        if code == _EOT:
            break
        character = _CHARACTERS.get(code)
        if character is None:
            raise TagDataError(f"the six bits {code:06b} are reserved, so this is no text of ISO/IEC 15962")
        characters.append(character)
    else:
        # Without EOT, whole characters of fill look like spaces, and a tag filled with zeros has @ at its end.
        while characters and characters[-1] in _FILL_TEXT:
            characters.pop()
    text = "".join(characters)
    if not text.strip(_FILL_TEXT):
        raise TagDataError("the text is empty")
    return text
