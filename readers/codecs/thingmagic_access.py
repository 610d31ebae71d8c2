"""Reading and writing single tags through ThingMagic modules: commands 28 and 24, with the EPC as the filter.

    TTTT O MMMM B AAAA n PPPP L EE..            read (28); the answer: O MMMM WWWW..
    TTTT O AAAA B PPPP L EE.. WWWW..            write (24)
    │    │      │ │    │ │    └ the words
    │    │      │ │    │ └───── EPC of the tag, which longer EPCs that begin alike fit too
    │    │      │ │    └─────── its length in bits: 1 byte, or 2 with option bit 5
    │    │      │ └──────────── access password, 4 bytes; 0 for none
    │    │      └────────────── bank, 1 byte; AAAA its first word, 4 bytes; n the number of words, 1 byte
    │    └───────────────────── options, 1 byte: 01 filter by EPC, 10 metadata follow, 20 long filter
    └────────────────────────── how long the module may try, 2 bytes, in ms

MMMM are the metadata asked for, 2 bytes, 0000 here. The module works with the antenna that `SET_ANTENNA` named last as
one pair of transmitter and receiver, and writes with the power of `SET_WRITE_POWER`.

Source: ThingMagic Mercury API 1.37 (C, open source), serial reader; a published table of the commands, with examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from readers.access import WORD_BYTES, AccessFault
from readers.codecs.thingmagic import Status
from readers.errors import FrameError

MOST_READ_WORDS: Final = 64
MOST_WRITE_WORDS: Final = 32
MOST_EPC_BYTES: Final = 62
_BITS: Final = 8
_BY_EPC: Final = 0x01
_METADATA: Final = 0x10
_LONG: Final = 0x20
_NO_METADATA: Final = bytes(2)
_HEAD_BYTES: Final = 3  # of an answer to a read: options and metadata
_READ_BYTES: Final = 15
_WRITE_BYTES: Final = 12
_MOST_SHORT_BITS: Final = 0xFF


_FAULTS: Final[Mapping[int, AccessFault]] = {
    Status.NO_TAGS: AccessFault.NO_TAG,
    Status.READ_FAILED: AccessFault.LOST,
    Status.WRITE_FAILED: AccessFault.LOST,
    Status.TAG_ERROR: AccessFault.LOST,
    Status.NOT_IMPLEMENTED: AccessFault.UNSUPPORTED,
    Status.TOO_MUCH_DATA: AccessFault.UNSUPPORTED,
    Status.BAD_LENGTH: AccessFault.UNSUPPORTED,
    Status.UNKNOWN_OPCODE: AccessFault.UNSUPPORTED,
    Status.UNIMPLEMENTED: AccessFault.UNSUPPORTED,
    Status.BAD_PARAMETER: AccessFault.UNSUPPORTED,
    Status.NO_SUCH_ADDRESS: AccessFault.OVERRUN,
    Status.OVERRUN: AccessFault.OVERRUN,
    Status.LOCKED: AccessFault.LOCKED,
    Status.LOW_POWER: AccessFault.LOW_POWER,
    Status.NOT_AUTHENTICATED: AccessFault.WRONG_PASSWORD,
    Status.BAD_PASSWORD: AccessFault.WRONG_PASSWORD,
}


@dataclass(frozen=True, slots=True)
class ReadTag:
    """What command 28 asks for."""

    epc: bytes
    bank: int
    word: int
    words: int
    password: int = 0
    within_ms: int = 1_000

    def data(self) -> bytes:
        """The data of the command."""
        options, chosen = _chosen(self.epc, self.password)
        place = bytes([self.bank]) + self.word.to_bytes(4, "big") + bytes([self.words])
        return self.within_ms.to_bytes(2, "big") + bytes([options | _METADATA]) + _NO_METADATA + place + chosen

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read that data, as a simulated module does.

        Raises:
            FrameError: `length`, or `range` for another filter, or for metadata.
        """
        if len(data) < _READ_BYTES:
            raise FrameError("length", f"{len(data)} bytes ask for a read", data)
        options = data[2]
        if options & ~_LONG != _BY_EPC | _METADATA or data[3:5] != _NO_METADATA:
            raise FrameError("range", f"options {options:02X}: only a filter by EPC is played, and no metadata", data)
        password, epc, rest = _filter(data[11:], is_long=bool(options & _LONG))
        if rest:
            raise FrameError("length", f"{len(rest)} bytes are left over", data)
        return cls(epc, data[5], int.from_bytes(data[6:10], "big"), data[10], password, int.from_bytes(data[:2], "big"))


@dataclass(frozen=True, slots=True)
class WriteTag:
    """What command 24 asks for."""

    epc: bytes
    bank: int
    word: int
    words: bytes
    password: int = 0
    within_ms: int = 1_000

    def data(self) -> bytes:
        """The data of the command."""
        options, chosen = _chosen(self.epc, self.password)
        place = self.word.to_bytes(4, "big") + bytes([self.bank])
        return self.within_ms.to_bytes(2, "big") + bytes([options]) + place + chosen + self.words

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read that data, as a simulated module does.

        Raises:
            FrameError: `length`, or `range` for another filter.
        """
        if len(data) < _WRITE_BYTES:
            raise FrameError("length", f"{len(data)} bytes ask for a write", data)
        options = data[2]
        if options & ~_LONG != _BY_EPC:
            raise FrameError("range", f"options {options:02X}: only a filter by EPC is played", data)
        password, epc, words = _filter(data[8:], is_long=bool(options & _LONG))
        if not words or len(words) % WORD_BYTES:
            raise FrameError("length", f"{len(words)} bytes are to be written", data)
        return cls(epc, data[7], int.from_bytes(data[3:7], "big"), words, password, int.from_bytes(data[:2], "big"))


def words_in(answer: bytes) -> bytes:
    """What an answer to command 28 read.

    Raises:
        FrameError: `length`.
    """
    if len(answer) < _HEAD_BYTES:
        raise FrameError("length", f"{len(answer)} bytes answer a read", answer)
    return answer[_HEAD_BYTES:]


def read_answer(asked: ReadTag, words: bytes) -> bytes:
    """The data of the answer to such a read."""
    return asked.data()[2:3] + _NO_METADATA + words


def fault_of(status: int) -> AccessFault:
    """What a status says of the tag."""
    return _FAULTS.get(status, AccessFault.OTHER)


def _chosen(epc: bytes, password: int) -> tuple[int, bytes]:
    """Options, and the password and filter that go with them."""
    bits = len(epc) * _BITS
    size, options = (2, _BY_EPC | _LONG) if bits > _MOST_SHORT_BITS else (1, _BY_EPC)
    return options, password.to_bytes(4, "big") + bits.to_bytes(size, "big") + epc


def _filter(data: bytes, *, is_long: bool) -> tuple[int, bytes, bytes]:
    """Password, EPC and what follows.

    Raises:
        FrameError: `length`.
    """
    at = 6 if is_long else 5
    bits = int.from_bytes(data[4:at], "big")
    end = at + bits // _BITS
    if bits % _BITS or end > len(data):
        raise FrameError("length", f"a filter of {bits} bits in {len(data)} bytes", data)
    return int.from_bytes(data[:4], "big"), data[at:end], data[end:]
