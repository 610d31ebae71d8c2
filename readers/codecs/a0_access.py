"""Reading and writing tags through R2000 reader modules: commands 81, 82 and 94, and the EPC match of 85.

Requests. Words have 16 bits:

    B A N WWWW            read: bank, first word, number of words, access password
    WWWW B A N DDDD..     write: access password, bank, first word, number of words, the words
    00 L EEEE..           match: the commands work on the tag with this EPC; 01 alone: on any tag

Answers, one for each tag; an answer of one byte is a result code:

    CC L PP EEEE.. KK DDDD.. M F N    read
    CC L PP EEEE.. KK R F N           written
    │  │ │  │      │  │    │ │ └ bits 6-0: how often it was done; bit 7: add 4 to the antenna
    │  │ │  │      │  │    │ └── as in a tag frame: frequency index, antenna - 1
    │  │ │  │      │  │    └──── length of the words in bytes; an odd one counts an RSSI byte behind them
    │  │ │  │      │  └───────── the words; R: result code
    │  │ │  │      └──────────── the tag's own CRC-16 over PC and EPC
    │  │ │  └─────────────────── EPC
    │  │ └────────────────────── PC word
    │  └──────────────────────── length of PC, EPC, CRC and words
    └─────────────────────────── how many tags answer in all

Source: UHF RFID Reader Serial Interface Protocol V3.7; three public implementations, one with a recorded answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from readers.codecs.checksums import gen2_crc16
from readers.errors import FrameError

MATCH_NOTHING: Final = b"\x01"
MOST_MATCH_BYTES: Final = 62
MOST_WORDS: Final = 120  # an answer of 252 bytes has room for an EPC of 12 bytes beside them; firmware takes 32 or more
PASSWORD_BYTES: Final = 4
_WORD_BYTES: Final = 2
_FRAME_BYTES: Final = 3  # before the tag's words; as many behind them
_TAG_BYTES: Final = 4  # PC, CRC
_ANTENNA_BITS: Final = 0x03
_LOW_ANTENNAS: Final = 4
_SECOND_FOUR: Final = 0x80


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What command 81 asks for."""

    bank: int
    word: int
    words: int
    password: int = 0

    def data(self) -> bytes:
        """As the command holds it."""
        return bytes([self.bank, self.word, self.words]) + self.password.to_bytes(PASSWORD_BYTES, "big")

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the data of command 81; an old form has no password.

        Raises:
            FrameError: `length`.
        """
        if len(data) not in (_FRAME_BYTES, _FRAME_BYTES + PASSWORD_BYTES):
            raise FrameError("length", f"{len(data)} bytes; 3 or 7 ask for a read", data)
        return cls(data[0], data[1], data[2], int.from_bytes(data[3:], "big"))


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """What commands 82 and 94 ask for."""

    bank: int
    word: int
    words: bytes
    password: int = 0

    def data(self) -> bytes:
        """As the command holds it."""
        head = bytes([self.bank, self.word, len(self.words) // _WORD_BYTES])
        return self.password.to_bytes(PASSWORD_BYTES, "big") + head + self.words

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the data of command 82 or 94.

        Raises:
            FrameError: `length`.
        """
        words = data[PASSWORD_BYTES + _FRAME_BYTES :]
        if not words or len(words) != data[PASSWORD_BYTES + 2] * _WORD_BYTES:
            raise FrameError("length", "the number of words is not that of the words", data)
        return cls(data[4], data[5], words, int.from_bytes(data[:PASSWORD_BYTES], "big"))


def match(epc: bytes) -> bytes:
    """The data of command 85 for one EPC.

    Raises:
        FrameError: `length` when it is longer than the command takes.
    """
    if len(epc) > MOST_MATCH_BYTES:
        raise FrameError("length", f"an EPC of {len(epc)} bytes; the reader matches at most {MOST_MATCH_BYTES}", epc)
    return bytes([0, len(epc)]) + epc


@dataclass(frozen=True, slots=True)
class AccessAnswer:
    """The answer of one tag.

    Attributes:
        tags: how many tags answer in all.
        words: what was read; empty after a write.
        result: after a write; None after a read, which has none.
        antenna: 1 to 8, within its group.
    """

    tags: int
    pc_bits: int
    epc: bytes
    words: bytes = b""
    result: int | None = None
    antenna: int = 1
    frequency_index: int = 0
    times: int = 1

    @classmethod
    def parse(cls, data: bytes, *, is_read: bool) -> Self:
        """Read an answer of more than one byte.

        Raises:
            FrameError: `length`, or `air_crc` when the tag's own CRC is wrong.
        """
        size = data[2] if len(data) > _FRAME_BYTES else 0
        words_bytes = data[-3] if is_read and size else 0
        epc_bytes = size - _TAG_BYTES - words_bytes
        if epc_bytes < 0 or size + 2 * _FRAME_BYTES != len(data):
            raise FrameError("length", f"{len(data)} bytes that announce {size} and {words_bytes}", data)
        air = data[_FRAME_BYTES : _FRAME_BYTES + _WORD_BYTES + epc_bytes]
        words = data[_FRAME_BYTES + _TAG_BYTES + epc_bytes : -_FRAME_BYTES]
        found, right = int.from_bytes(data[3 + len(air) : 5 + len(air)], "big"), gen2_crc16(air)
        if found != right:
            raise FrameError("air_crc", f"the tag's CRC is {found:04X}, {right:04X} would be right", data)
        return cls(
            tags=int.from_bytes(data[:2], "big"),
            pc_bits=int.from_bytes(air[:2], "big"),
            epc=air[2:],
            words=words[: len(words) // _WORD_BYTES * _WORD_BYTES],
            result=None if is_read else data[-3],
            antenna=(data[-2] & _ANTENNA_BITS) + 1 + (_LOW_ANTENNAS if data[-1] & _SECOND_FOUR else 0),
            frequency_index=data[-2] >> 2,
            times=data[-1] % _SECOND_FOUR,
        )

    def data(self) -> bytes:
        """As a reader sends it."""
        air = self.pc_bits.to_bytes(2, "big") + self.epc
        tag = air + gen2_crc16(air).to_bytes(2, "big") + self.words
        status = len(self.words) if self.result is None else self.result
        where = self.frequency_index << 2 | (self.antenna - 1) & _ANTENNA_BITS
        times = self.times | (_SECOND_FOUR if self.antenna > _LOW_ANTENNAS else 0)
        return self.tags.to_bytes(2, "big") + bytes([len(tag)]) + tag + bytes([status, where, times])
