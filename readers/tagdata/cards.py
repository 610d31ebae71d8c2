"""The identity of a contactless card: one canonical form, however a reader writes it.

A UID is kept in the order in which the card sends it on the air. A reader that passes on a part of it only (a Wiegand
reader of 26 bits) gives a partial identity, which names a card no more than a house number names a town.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

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

    @property
    def text(self) -> str:
        """`nfca:04A1B2C3D4E5F6`, of a partial identity `nfca~last24:D4E5F6`."""
        part = "" if self.part is Part.WHOLE else f"~{self.part}"
        return f"{self.technology}{part}:{self.uid.hex().upper()}"
