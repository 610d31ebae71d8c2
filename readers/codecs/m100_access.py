"""Parameters of the commands of M100 modules that choose tags and work on their memory. Numbers are big-endian.

    Select (0C, answer to 0B)       T AAA.. P P P P  B R MMMMM..
                                    │       │        │ │ └ mask, B bits, padded to whole bytes with 0
                                    │       │        │ └── truncate, 1 byte: 00, or 80
                                    │       │        └──── length of the mask in bits, 1 byte
                                    │       └───────────── pointer into the bank in bits, 4 bytes
                                    └───────────────────── target (3 bits), action (3 bits), bank (2 bits)
    Query (0E, answer to 0D)        D MM T SS EE G QQQQ 000, 16 bits: DR, M, TRext, Sel, session, target, Q
    Read (39)                       WWWW K AA LL       password 4, bank 1, first word 2, number of words 2
    Write (49)                      WWWW K AA LL DDDD.. and the data
    answer to both                  U PP EEEE.. DDDD..  length of PC and EPC 1, PC 2, EPC; data, or 00 for written
    error (FF)                      C [U PP EEEE..]    code 1; PC and EPC when a tag was singulated

Source: Unit RFID-UHF protocol (M5Stack), R200 manual V2.3.3. That document gives an error as code, PC, EPC; its
published lengths leave room for U as in all other answers, and either is understood.
Seen on: published frames and captures only (`tests/vectors/rfid/m100.toml`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from readers.access import WORD_BYTES, AccessFault, Bank
from readers.codecs.m100 import ErrorCode, without_xpc
from readers.errors import FrameError

MOST_MASK_BITS: Final = 255
MOST_ACCESS_WORDS: Final = 32
"""Words that one command writes; reads are kept to the same."""
_BITS: Final = 8
_SELECT_HEAD_BYTES: Final = 7
_QUERY_BYTES: Final = 2
_ACCESS_HEAD_BYTES: Final = 9
_TRUNCATE: Final = 0x80
_LENGTH_SHIFT: Final = 11

_TAG_ERRORS: Final = range(0xA0, 0xF0)
_TAG_FAULTS: Final = {
    0x3: AccessFault.OVERRUN,
    0x4: AccessFault.LOCKED,
    0xB: AccessFault.LOW_POWER,
}
"""The tag's own error codes, by their low half (Gen2 annex I)."""


class SelectMode(IntEnum):
    """When the module sends Select: parameter of `Command.SELECT_MODE`. Setting a Select also sets BEFORE_ACCESS."""

    ALWAYS = 0x00
    NEVER = 0x01
    BEFORE_ACCESS = 0x02


class Flag(IntEnum):
    """The flag of a tag that Select sets: inventoried in sessions S0 to S3, or selected."""

    S0 = 0
    S1 = 1
    S2 = 2
    S3 = 3
    SL = 4


class Action(IntEnum):
    """The two of Select's eight actions that separate tags."""

    MATCHING_A = 0
    """Matching tags: inventoried A, or SL asserted; others: B, or SL deasserted."""
    MATCHING_B = 4


@dataclass(frozen=True, slots=True)
class Select:
    """Which tags are meant. `mask` is left-aligned; bits behind `mask_bits` are 0."""

    bank: Bank
    pointer_bits: int
    mask: bytes
    mask_bits: int
    flag: int = Flag.S0
    action: int = Action.MATCHING_A
    is_truncated: bool = False

    @classmethod
    def parse(cls, parameters: bytes) -> Self:
        """Read the parameters.

        Raises:
            FrameError: `length` when the mask is not as long as it says.
        """
        head = parameters[:_SELECT_HEAD_BYTES]
        mask = parameters[_SELECT_HEAD_BYTES:]
        if len(head) < _SELECT_HEAD_BYTES or len(mask) != -(-head[5] // _BITS):
            raise FrameError("length", f"a Select of {len(parameters)} bytes", parameters)
        return cls(
            bank=Bank(head[0] & 0b11),
            pointer_bits=int.from_bytes(head[1:5], "big"),
            mask=mask,
            mask_bits=head[5],
            flag=head[0] >> 5,
            action=head[0] >> 2 & 0b111,
            is_truncated=bool(head[6] & _TRUNCATE),
        )

    def parameters(self) -> bytes:
        """The parameters on the wire."""
        head = bytes([self.flag << 5 | self.action << 2 | self.bank]) + self.pointer_bits.to_bytes(4, "big")
        return head + bytes([self.mask_bits, _TRUNCATE if self.is_truncated else 0]) + self.mask


@dataclass(frozen=True, slots=True)
class Query:
    """How a round of inventory is opened; modules know DR 8, M 1 and TRext only, and keep them."""

    session: int = 0
    target: int = 0
    q: int = 4
    sel: int = 0
    divide_ratio: int = 0
    miller: int = 0
    is_pilot: bool = True

    @classmethod
    def parse(cls, parameters: bytes) -> Self:
        """Read the parameters.

        Raises:
            FrameError: `length` when they are not 2 bytes.
        """
        if len(parameters) != _QUERY_BYTES:
            raise FrameError("length", f"Query parameters of {len(parameters)} bytes, not {_QUERY_BYTES}", parameters)
        word = int.from_bytes(parameters, "big")
        return cls(
            session=word >> 8 & 0b11,
            target=word >> 7 & 1,
            q=word >> 3 & 0b1111,
            sel=word >> 10 & 0b11,
            divide_ratio=word >> 15,
            miller=word >> 13 & 0b11,
            is_pilot=bool(word >> 12 & 1),
        )

    def parameters(self) -> bytes:
        """The parameters on the wire."""
        word = self.divide_ratio << 15 | self.miller << 13 | self.is_pilot << 12 | self.sel << 10
        return (word | self.session << 8 | self.target << 7 | self.q << 3).to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class Access:
    """What is asked of one tag; `data` is empty for a read."""

    bank: Bank
    word: int
    words: int
    password: int = 0
    data: bytes = b""

    @classmethod
    def parse(cls, parameters: bytes, *, is_write: bool) -> Self:
        """Read the parameters.

        Raises:
            FrameError: `length` or `range`.
        """
        data = parameters[_ACCESS_HEAD_BYTES:]
        if len(parameters) < _ACCESS_HEAD_BYTES:
            raise FrameError("length", f"a memory command of {len(parameters)} bytes", parameters)
        words = int.from_bytes(parameters[7:9], "big")
        if len(data) != (words * WORD_BYTES if is_write else 0):
            raise FrameError("length", f"{len(data)} bytes of data for {words} words", parameters)
        if parameters[4] > Bank.USER:
            raise FrameError("range", f"bank {parameters[4]}; 0 to 3 exist", parameters)
        return cls(
            bank=Bank(parameters[4]),
            word=int.from_bytes(parameters[5:7], "big"),
            words=words,
            password=int.from_bytes(parameters[:4], "big"),
            data=data,
        )

    def parameters(self) -> bytes:
        """The parameters on the wire."""
        head = self.password.to_bytes(4, "big") + bytes([self.bank])
        return head + self.word.to_bytes(2, "big") + self.words.to_bytes(2, "big") + self.data


@dataclass(frozen=True, slots=True)
class TagAnswer:
    """What came of a memory command: the tag that was worked on, and its data, or 00 for written."""

    pc_bits: int
    epc: bytes
    data: bytes = b""
    xpc: bytes = b""

    @classmethod
    def parse(cls, parameters: bytes) -> Self:
        """Read the parameters.

        Raises:
            FrameError: `length` when PC and EPC are not as long as they say.
        """
        size = parameters[0] if parameters else 0
        if size < WORD_BYTES or len(parameters) <= size:
            raise FrameError("length", f"{len(parameters)} bytes that announce {size} of PC and EPC", parameters)
        pc_bits = int.from_bytes(parameters[1:3], "big")
        announced = (pc_bits >> _LENGTH_SHIFT) * WORD_BYTES
        if size - WORD_BYTES != announced:
            raise FrameError(
                "length", f"PC {pc_bits:04X} announces {announced} bytes of EPC, {size - 2} came", parameters
            )
        xpc, epc = without_xpc(pc_bits, parameters[3 : size + 1])
        return cls(pc_bits, epc, parameters[size + 1 :], xpc)

    def parameters(self) -> bytes:
        """The parameters on the wire."""
        tag = self.pc_bits.to_bytes(2, "big") + self.xpc + self.epc
        return bytes([len(tag)]) + tag + self.data


def fault_of(error: bytes) -> AccessFault:
    """Why a memory command failed, by the parameters of the error response.

    An error with PC and EPC came after the tag was singulated: with 09 and 10 it then fell silent on the way.
    """
    code = error[0] if error else 0
    if code in _TAG_ERRORS:
        return _TAG_FAULTS.get(code & 0x0F, AccessFault.OTHER)
    if code == ErrorCode.WRONG_PASSWORD:
        return AccessFault.WRONG_PASSWORD
    if code in (ErrorCode.READ_FAILED, ErrorCode.WRITE_FAILED):
        return AccessFault.LOST if len(error) > 1 else AccessFault.NO_TAG
    if code == ErrorCode.NO_TAG:
        return AccessFault.NO_TAG
    return AccessFault.UNSUPPORTED if code == ErrorCode.UNKNOWN_COMMAND else AccessFault.OTHER
