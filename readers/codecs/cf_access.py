"""Reading and writing tags through CF readers: commands 0003 and 0004, and 0007, which says what tags are meant.

    O PPPP B WW N               read
    O PPPP B WW N DDDD..        write
    │ │    │ │  │ └ the words
    │ │    │ │  └── number of words
    │ │    │ └───── first word, 2 bytes
    │ │    └─────── bank
    │ └──────────── access password, 4 bytes; 0 for none
    └────────────── 00

    T A CC UU L EE.. [N DDDD..]         data of an answer with status 00
    │ │ │  │  │ │     └ what was read, N words
    │ │ │  │  │ └────── EPC of the tag
    │ │ │  │  └──────── its length in bytes
    │ │ │  └─────────── PC word
    │ │ └────────────── CRC of the tag's answer
    │ └──────────────── antenna
    └────────────────── what the tag says: 00 done, or an error

    0000 L MM..                 mask: bits of an EPC that tags must begin with; L 0: all tags

The reader keeps the mask after the work, and applies it to inventories too.

Source: UHF Prime Reader User manual V1.3, 2.3.3, 2.3.4, 2.3.7 and appendix A; the maker's header file CFApi.h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from readers.access import WORD_BYTES, AccessFault
from readers.codecs.cf import Status
from readers.errors import FrameError

MOST_READ_WORDS: Final = 64
MOST_WRITE_WORDS: Final = 32
MOST_EPC_BYTES: Final = 30  # the length of a mask counts bits and has one byte
_OPTION: Final = b"\x00"
_FIXED_BYTES: Final = 9
_BITS: Final = 8
_MASK_AT: Final = 3
_EPC_AT: Final = 7


class TagStatus(IntEnum):
    """What the tag says."""

    DONE = 0x00
    OTHER = 0x81
    OVERRUN = 0x82
    LOCKED = 0x83
    LOW_POWER = 0x84
    NON_SPECIFIC = 0x85


_TAG_FAULTS: Final[Mapping[int, AccessFault]] = {
    TagStatus.OVERRUN: AccessFault.OVERRUN,
    TagStatus.LOCKED: AccessFault.LOCKED,
    TagStatus.LOW_POWER: AccessFault.LOW_POWER,
}
_FAULTS: Final[Mapping[int, AccessFault]] = {
    Status.PARAMETER: AccessFault.UNSUPPORTED,
    Status.FAILED: AccessFault.UNSUPPORTED,
    Status.ROUND_END: AccessFault.NO_TAG,
    Status.TAG_TIMEOUT: AccessFault.LOST,
    Status.TAG_GARBLED: AccessFault.LOST,
    Status.NOT_AUTHENTICATED: AccessFault.WRONG_PASSWORD,
    Status.WRONG_PASSWORD: AccessFault.WRONG_PASSWORD,
}


@dataclass(frozen=True, slots=True)
class Work:
    """What commands 0003 and 0004 ask for; `data` only of a write."""

    bank: int
    word: int
    words: int
    password: int = 0
    data: bytes = b""

    def parameters(self) -> bytes:
        """As they are sent."""
        place = bytes([self.bank]) + self.word.to_bytes(2, "big") + bytes([self.words])
        return _OPTION + self.password.to_bytes(4, "big") + place + self.data

    @classmethod
    def parse(cls, parameters: bytes) -> Self:
        """Read them, as a simulated reader does.

        Raises:
            FrameError: `length`.
        """
        data = parameters[_FIXED_BYTES:]
        if len(parameters) < _FIXED_BYTES or (data and len(data) != parameters[8] * WORD_BYTES):
            raise FrameError("length", f"{len(parameters)} bytes ask for work on a tag", parameters)
        word, password = int.from_bytes(parameters[6:8], "big"), int.from_bytes(parameters[1:5], "big")
        return cls(parameters[5], word, parameters[8], password, data)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tag made of it; `words` only of a read."""

    tag_status: int
    antenna: int
    crc: int
    pc_bits: int
    epc: bytes
    words: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the data of an answer.

        Raises:
            FrameError: `length`.
        """
        end = _EPC_AT + (data[_EPC_AT - 1] if len(data) >= _EPC_AT else 0)
        words = data[end + 1 :]
        if not _EPC_AT <= end <= len(data) or (data[end:] and data[end] * WORD_BYTES != len(words)):
            raise FrameError("length", f"{len(data)} bytes answer for a tag", data)
        crc, pc_bits = int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:6], "big")
        return cls(data[0], data[1], crc, pc_bits, data[_EPC_AT:end], words)

    def data(self) -> bytes:
        """As a reader sends it."""
        head = bytes([self.tag_status, self.antenna]) + self.crc.to_bytes(2, "big") + self.pc_bits.to_bytes(2, "big")
        tail = bytes([len(self.words) // WORD_BYTES]) + self.words if self.words else b""
        return head + bytes([len(self.epc)]) + self.epc + tail


def mask_parameters(epc: bytes) -> bytes:
    """Work on, and inventory, only tags whose EPC begins so; b"" for all."""
    return bytes([0, 0, len(epc) * _BITS]) + epc


def mask_of(parameters: bytes) -> bytes:
    """The mask in such parameters.

    Raises:
        FrameError: `length`, or `range` for a mask that is no whole bytes from the beginning.
    """
    if len(parameters) < _MASK_AT or -(-parameters[2] // _BITS) != len(parameters) - _MASK_AT:
        raise FrameError("length", f"{len(parameters)} bytes are no mask", parameters)
    if parameters[:2] != bytes(2) or parameters[2] % _BITS:
        raise FrameError("range", "a mask within an EPC, or of single bits, is not played", parameters)
    return parameters[_MASK_AT:]


def fault_of(status: int | None, tag_status: int = TagStatus.DONE) -> AccessFault:
    """What the statuses of an answer say of the tag."""
    if tag_status:
        return _TAG_FAULTS.get(tag_status, AccessFault.OTHER)
    return _FAULTS.get(-1 if status is None else status, AccessFault.OTHER)
