"""The identity of a contactless card: one canonical form, however a reader writes it.

A UID is kept in the order in which the card sends it on the air. A reader that passes on a part of it only (a Wiegand
reader of 26 bits) gives a partial identity, which names a card no more than a house number names a town.
`readers.tagdata.card_formats` turns what a reader delivers into an identity.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

MOST_UID_BYTES: Final = 16


class Technology(StrEnum):
    """What the card speaks; it is a part of its identity, because number spaces overlap."""

    NFC_A = "nfca"
    NFC_B = "nfcb"
    NFC_F = "nfcf"
    NFC_V = "nfcv"
    EM4100 = "em4100"
    FDX_B = "fdxb"
    WIEGAND = "wiegand"
    """A number behind a controller that does not say what the card speaks."""
    APPLICATION = "app"
    """A number read from the card's own file, not its UID."""


class Part(StrEnum):
    """How much of the UID is known: all of it, or so many bits of one end in air order."""

    WHOLE = "whole"
    FIRST_32 = "first32"
    FIRST_24 = "first24"
    LAST_32 = "last32"
    LAST_24 = "last24"


PART_BYTES: Final[Mapping[Part, int]] = {Part.FIRST_32: 4, Part.FIRST_24: 3, Part.LAST_32: 4, Part.LAST_24: 3}
"""How many bytes each partial form has."""

UID_BYTES: Final[Mapping[Technology, tuple[int, ...]]] = {
    Technology.NFC_A: (4, 7, 10),  # ISO/IEC 14443-3, 6.5.4
    Technology.NFC_B: (4,),  # the PUPI, ISO/IEC 14443-3, 7.9.2
    Technology.NFC_F: (8,),  # the IDm, JIS X 6319-4
    Technology.NFC_V: (8,),  # ISO/IEC 15693-3, 4.1
    Technology.EM4100: (5,),  # version 1 byte, number 4 bytes
}
"""The sizes that a whole UID can have; technologies that are not named have none of their own."""

_TEXT: Final = re.compile(r"(?P<technology>[a-z0-9]+)(?:~(?P<part>[a-z0-9]+))?:(?P<uid>(?:[0-9A-Fa-f]{2})+)")


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """Who a card says it is.

    Attributes:
        uid: the UID in air order; of a partial identity the bytes that are known.
    """

    technology: Technology
    uid: bytes
    part: Part = Part.WHOLE

    def __post_init__(self) -> None:
        if not 0 < len(self.uid) <= MOST_UID_BYTES:
            raise ValueError(f"uid = {self.uid.hex().upper()!r}: must have 1 to {MOST_UID_BYTES} bytes")
        wanted = PART_BYTES.get(self.part)
        if wanted is not None and len(self.uid) != wanted:
            raise ValueError(f"uid = {self.uid.hex().upper()!r}: part {self.part} has {wanted} bytes")

    @property
    def text(self) -> str:
        """`nfca:04A1B2C3D4E5F6`, of a partial identity `nfca~last24:D4E5F6`."""
        part = "" if self.part is Part.WHOLE else f"~{self.part}"
        return f"{self.technology}{part}:{self.uid.hex().upper()}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The identity that `text` stands for, as `CardIdentity.text` writes it; hex digits of either case.

        Raises:
            ValueError: it is none; the message says what would be.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(
                f"card {text[:64]!r}: must be TECHNOLOGY:HEX or TECHNOLOGY~PART:HEX, such as nfca:04A1B2C3D4E5F6"
            )
        technology, part = match["technology"], match["part"] or Part.WHOLE
        if technology not in tuple(Technology):
            raise ValueError(f"card {text[:64]!r}: technology must be one of {', '.join(Technology)}")
        if part not in tuple(Part):
            raise ValueError(f"card {text[:64]!r}: part must be one of {', '.join(Part)}")
        return cls(Technology(technology), bytes.fromhex(match["uid"]), Part(part))


def partial_of(whole: CardIdentity, part: Part, *, technology: Technology | None = None) -> CardIdentity | None:
    """What a reader that passes on `part` says of a card; None when the UID is shorter than that.

    Args:
        whole: of an enrolled card.
        part: `whole` gives the whole UID back.
        technology: what the reader believes the card to speak, where it does not know: `wiegand`.

    Raises:
        ValueError: `whole` is itself a partial identity, of which no other part can be made.
    """
    if whole.part is not Part.WHOLE:
        raise ValueError(f"card part {whole.part}: only a whole UID has parts")
    told = technology or whole.technology
    size = PART_BYTES.get(part)
    if size is None:
        return CardIdentity(told, whole.uid)
    if len(whole.uid) < size:
        return None
    is_first = part in (Part.FIRST_32, Part.FIRST_24)
    return CardIdentity(told, whole.uid[:size] if is_first else whole.uid[-size:], part)
