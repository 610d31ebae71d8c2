"""Reading and writing single tags through Hopeland readers: messages 02 10 and 02 11, with the EPC as the filter.

A read of one round that asks for memory along; the words come with the tag. A write is:

    A B SSSS LLLL DDDD.. 01 NNNN 01 0020 b EE.. [02 PPPP]
    │ │ │    │    │      │                       └ access password, 4 bytes
    │ │ │    │    │      └───────────────────────── filter, as in `hopeland_tags`
    │ │ │    │    └ the words
    │ │ │    └───── their length in bytes, 2 bytes
    │ │ └────────── first word, 2 bytes
    │ └──────────── bank
    └────────────── antenna ports, one bit each

Its answer is one byte: 00 done, or a code, see `write_fault`.

Source: the maker's own libraries for Python (com.rfid, Frame_0010_10 and 11, Tag_Model) and C# (ClouReaderDemo).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from readers.access import EPC_FIRST_WORD, WORD_BYTES, AccessFault, Bank
from readers.codecs.hopeland_tags import MOST_EPC_BYTES, ReadTags, Span, Tag, epc_filter, filtered_epc, ports_of
from readers.errors import FrameError

MOST_READ_WORDS: Final = 64
MOST_WRITE_WORDS: Final = 32
_PC_WORD: Final = 1
_FILTER: Final = 0x01
_PASSWORD: Final = 0x02
_HEAD_BYTES: Final = 6

_READ_FAULTS: Final[Mapping[int, AccessFault]] = {
    0x01: AccessFault.NO_TAG,
    0x03: AccessFault.LOCKED,
    0x04: AccessFault.OVERRUN,
    0x05: AccessFault.WRONG_PASSWORD,
}
_WRITE_FAULTS: Final[Mapping[int, AccessFault]] = {
    0x01: AccessFault.UNSUPPORTED,
    0x02: AccessFault.UNSUPPORTED,
    0x03: AccessFault.UNSUPPORTED,
    0x04: AccessFault.LOST,
    0x05: AccessFault.LOW_POWER,
    0x06: AccessFault.OVERRUN,
    0x07: AccessFault.LOCKED,
    0x08: AccessFault.WRONG_PASSWORD,
    0x0A: AccessFault.LOST,
    0x0B: AccessFault.UNSUPPORTED,
}


def reading(antenna_port: int, epc: bytes, bank: Bank, word: int, words: int, password: int = 0) -> ReadTags:
    """One round that reads these words of a tag along.

    PC word and EPC come with every tag: they need no more. But only a read of memory tries the password.
    """
    plan = ReadTags((antenna_port,), is_continuous=False, epc=epc, password=password)
    match bank:
        case Bank.TID:
            return plan.with_memory(tid_words=word + words)
        case Bank.USER:
            return plan.with_memory(user=Span(word, words))
        case Bank.RESERVED:
            return plan.with_memory(reserved=Span(word, words))
    if _comes_along(epc, word, words):
        return plan.with_memory(tid_words=1) if password else plan
    return plan.with_memory(epc_bank=Span(word, words))


def words_of(tag: Tag, bank: Bank, word: int, words: int) -> bytes | None:
    """The words that such a round told; None where it told none. A TID may be shorter than asked for."""
    match bank:
        case Bank.TID:
            return None if tag.tid is None else tag.tid[word * WORD_BYTES : (word + words) * WORD_BYTES]
        case Bank.USER:
            return tag.user_memory
        case Bank.RESERVED:
            return tag.reserved_memory
    if _comes_along(tag.epc, word, words):
        start = (word - _PC_WORD) * WORD_BYTES
        return (tag.pc_bits.to_bytes(WORD_BYTES, "big") + tag.epc)[start : start + words * WORD_BYTES]
    return tag.epc_bank


def _comes_along(epc: bytes, word: int, words: int) -> bool:
    return word >= _PC_WORD and word + words <= EPC_FIRST_WORD + len(epc) // WORD_BYTES


def read_fault(result: int) -> AccessFault:
    """What the result of a read of memory says of the tag."""
    return _READ_FAULTS.get(result, AccessFault.OTHER)


def write_fault(answer: bytes) -> AccessFault:
    """What the answer to a write says of the tag; without a code it is not known whether it was written."""
    return _WRITE_FAULTS.get(answer[0], AccessFault.OTHER) if answer else AccessFault.LOST


@dataclass(frozen=True, slots=True)
class WriteTag:
    """What message 02 11 asks for."""

    antenna_port: int
    epc: bytes
    bank: int
    word: int
    words: bytes
    password: int = 0

    def data(self) -> bytes:
        """The data of the request."""
        head = bytes([1 << self.antenna_port - 1, self.bank])
        numbers = self.word.to_bytes(2, "big") + len(self.words).to_bytes(2, "big")
        password = bytes([_PASSWORD]) + self.password.to_bytes(4, "big") if self.password else b""
        return head + numbers + self.words + bytes([_FILTER]) + epc_filter(self.epc) + password

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the request, as a simulated reader does.

        Raises:
            FrameError: `length`, or `range` for what is not played: several antennas, no filter, block writes.
        """
        size = int.from_bytes(data[4:_HEAD_BYTES], "big")
        at = _HEAD_BYTES + size
        if len(data) < at or size % WORD_BYTES or not size:
            raise FrameError("length", f"{size} bytes are to be written, of {len(data)} in all", data)
        ports = ports_of(data[0])
        if len(ports) != 1 or data[at : at + 1] != bytes([_FILTER]):
            raise FrameError("range", "not one antenna, or no filter", data)
        epc, rest = filtered_epc(data[at + 1 :])
        if rest and (rest[0] != _PASSWORD or len(rest) != 5):  # noqa: PLR2004 - its number and itself
            raise FrameError("range", "another parameter than a password", data)
        word = int.from_bytes(data[2:4], "big")
        return cls(ports[0], epc, data[1], word, data[_HEAD_BYTES:at], int.from_bytes(rest[1:], "big"))


__all__ = [
    "MOST_EPC_BYTES",
    "MOST_READ_WORDS",
    "MOST_WRITE_WORDS",
    "WriteTag",
    "read_fault",
    "reading",
    "words_of",
    "write_fault",
]
