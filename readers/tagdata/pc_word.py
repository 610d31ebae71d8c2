"""The protocol control word, which says how the EPC memory of a Gen2 tag is to be read.

    15    11 10  9  8  7                    0
    | L L L L L | U | X | T | A A A A A A A A |

L: length of the EPC in words of 16 bits. U: user memory holds data (UMI). X: an extended word follows (XPC_W1).
T: toggle, 0 for an EPC of GS1, 1 for a code of ISO. A: for T = 1 the application family identifier (AFI); for T = 0
attributes, of which bit 0 says hazardous material.

Source: GS1 TDS 2.3, sections 9 and 11; GS1 Gen2 air interface 2.1, section 6.3.2.1.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

UMI: Final = 1 << 10
XPC: Final = 1 << 9
TOGGLE: Final = 1 << 8
LOW_BYTE: Final = 0xFF
LENGTH_SHIFT: Final = 11
MOST_WORDS: Final = 31
MOST_XPC_WORDS: Final = 2
HAZARDOUS_ATTRIBUTE: Final = 1
MOST_PC: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class PcWord:
    """A protocol control word, taken apart.

    Attributes:
        low_byte: the AFI of an ISO code, the attribute bits of an EPC.
    """

    words: int
    toggle: bool
    low_byte: int = 0
    user_memory: bool = False
    extended: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.words <= MOST_WORDS:
            raise ValueError(
                f"words = {self.words}: an EPC has 0 to {MOST_WORDS} words of 16 bits; choose a shorter scheme"
            )
        if not 0 <= self.low_byte <= LOW_BYTE:
            raise ValueError(f"low_byte = {self.low_byte}: must be from 0 to {LOW_BYTE}")

    @classmethod
    def of(cls, pc_bits: int) -> PcWord:
        """The word that a reader reports.

        Raises:
            ValueError: it has more than 16 bits.
        """
        if not 0 <= pc_bits <= MOST_PC:
            raise ValueError(f"pc_bits = {pc_bits:#x}: must be from 0 to {MOST_PC:#x}")
        return cls(
            words=pc_bits >> LENGTH_SHIFT,
            toggle=bool(pc_bits & TOGGLE),
            low_byte=pc_bits & LOW_BYTE,
            user_memory=bool(pc_bits & UMI),
            extended=bool(pc_bits & XPC),
        )

    @property
    def bits(self) -> int:
        """The word as a number."""
        flags = self.user_memory * UMI | self.extended * XPC | self.toggle * TOGGLE
        return self.words << LENGTH_SHIFT | flags | self.low_byte

    @property
    def afi(self) -> int | None:
        """The application family identifier; None for an EPC."""
        return self.low_byte if self.toggle else None

    def fits(self, epc_words: int) -> bool:
        """Whether an EPC of so many words can have come with this word: extended words may be counted in it."""
        spare = self.words - epc_words
        return spare == 0 or (self.extended and 0 < spare <= MOST_XPC_WORDS)
