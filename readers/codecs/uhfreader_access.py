"""Reading and writing tags through readers of the UHFReader family: commands 02 and 03, and the antennas they use, 3F.

Parameters. Words have 16 bits, of which the high byte comes first:

    E CCCC.. B W N PPPP                 read
    N E CCCC.. B W DDDD.. PPPP          write
    │ │ │    │ │ │      └ access password; 0 for none
    │ │ │    │ │ └─────── the words
    │ │ │    │ └───────── first word
    │ │ │    └─────────── bank
    │ │ └──────────────── EPC of the tag, complete; used as a mask, which longer EPCs fit too
    │ └────────────────── length of the EPC in words, 0 to 15
    └──────────────────── number of words

    A             antennas 1 to 4, one bit each; bit 7: not kept without power
    01 HH LL      antennas 9 to 16 and 1 to 8, one bit each; 01: not kept without power

The status of the answer is 00, and the words follow; 05 for a wrong access password, FA when a tag is there but the
work failed, FB when none is, FC when the tag refuses: its own error code follows.

Source: UHF RFID Reader Series User Manual V2.20, 5, 6, 8.2.2, 8.2.3 and 8.4.8; for UHFReader18 the same but for the
mask behind (User's Manual V2.0), which is left out here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from readers.access import WORD_BYTES, AccessFault
from readers.codecs.uhfreader import Frame, Status
from readers.errors import FrameError

MOST_EPC_BYTES: Final = 30
MOST_READ_WORDS: Final = 120
MOST_WRITE_WORDS: Final = 32
_PASSWORD_BYTES: Final = 4
_FIXED_BYTES: Final = 4 + _PASSWORD_BYTES  # of a read, but for the EPC
_NOT_KEPT: Final = 0x80
_SHORT_MASK: Final = 4  # antennas that the short form of 3F has room for
_BITS: Final = 8

_TAG_FAULTS: Final[Mapping[int, AccessFault]] = {
    0x03: AccessFault.OVERRUN,
    0x04: AccessFault.LOCKED,
    0x0B: AccessFault.LOW_POWER,
}
_FAULTS: Final[Mapping[int, AccessFault]] = {
    Status.COMPLETE: AccessFault.NO_TAG,
    Status.TIMEOUT: AccessFault.NO_TAG,
    Status.PASSWORD: AccessFault.WRONG_PASSWORD,
    Status.NOT_SUPPORTED: AccessFault.UNSUPPORTED,
    Status.ANTENNA: AccessFault.OTHER,
    Status.EXECUTION: AccessFault.LOST,
    Status.POOR_LINK: AccessFault.LOST,
    Status.NO_TAG: AccessFault.NO_TAG,
    Status.LENGTH: AccessFault.UNSUPPORTED,
    Status.ILLEGAL: AccessFault.UNSUPPORTED,
    Status.PARAMETER: AccessFault.UNSUPPORTED,
}


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What command 02 asks for."""

    epc: bytes
    bank: int
    word: int
    words: int
    password: int = 0

    def parameters(self) -> bytes:
        """As they are sent."""
        head = bytes([len(self.epc) // WORD_BYTES]) + self.epc + bytes([self.bank, self.word, self.words])
        return head + self.password.to_bytes(_PASSWORD_BYTES, "big")

    @classmethod
    def parse(cls, parameters: bytes) -> Self:
        """Read them, as a simulated reader does.

        Raises:
            FrameError: `length`; masks are not understood.
        """
        size = parameters[0] * WORD_BYTES if parameters else 0
        if not parameters or len(parameters) != size + _FIXED_BYTES:
            raise FrameError("length", f"{len(parameters)} bytes ask for a read of an EPC of {size}", parameters)
        bank, word, words = parameters[1 + size : 4 + size]
        return cls(parameters[1 : 1 + size], bank, word, words, int.from_bytes(parameters[4 + size :], "big"))


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """What command 03 asks for."""

    epc: bytes
    bank: int
    word: int
    words: bytes
    password: int = 0

    def parameters(self) -> bytes:
        """As they are sent."""
        sizes = bytes([len(self.words) // WORD_BYTES, len(self.epc) // WORD_BYTES])
        where = bytes([self.bank, self.word])
        return sizes + self.epc + where + self.words + self.password.to_bytes(_PASSWORD_BYTES, "big")

    @classmethod
    def parse(cls, parameters: bytes) -> Self:
        """Read them, as a simulated reader does.

        Raises:
            FrameError: `length`; masks are not understood.
        """
        sizes = [each * WORD_BYTES for each in parameters[:2]]
        if len(sizes) < 2 or len(parameters) != sum(sizes) + _FIXED_BYTES:  # noqa: PLR2004 - of words and EPC
            raise FrameError("length", f"{len(parameters)} bytes ask for a write", parameters)
        size, at = sizes[0], 2 + sizes[1]
        bank, word = parameters[at : at + 2]
        words, password = parameters[at + 2 : at + 2 + size], parameters[at + 2 + size :]
        return cls(parameters[2:at], bank, word, words, int.from_bytes(password, "big"))


def antennas_parameters(antennas: Sequence[int]) -> bytes:
    """The antennas that tags are worked on with, until the reader loses power or is told others."""
    mask = sum(1 << antenna - 1 for antenna in antennas)
    if max(antennas) <= _SHORT_MASK:
        return bytes([_NOT_KEPT | mask])
    return b"\x01" + mask.to_bytes(2, "big")


def antennas_of(parameters: bytes) -> tuple[int, ...]:
    """The antennas that such parameters name.

    Raises:
        FrameError: `length`.
    """
    if len(parameters) not in (1, 3):
        raise FrameError("length", f"{len(parameters)} bytes name antennas; 1 or 3 do", parameters)
    mask = parameters[0] & ~_NOT_KEPT if len(parameters) == 1 else int.from_bytes(parameters[1:], "big")
    return tuple(bit + 1 for bit in range(2 * _BITS) if mask & 1 << bit)


def fault_of(answer: Frame) -> AccessFault:
    """What an answer that is no success says of the tag."""
    if answer.status == Status.TAG_ERROR:
        return _TAG_FAULTS.get(answer.data[0] if answer.data else 0, AccessFault.OTHER)
    return _FAULTS.get(answer.status, AccessFault.OTHER)
