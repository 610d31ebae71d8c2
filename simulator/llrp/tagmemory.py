"""What Gen2 operations do to the memory of one tag, and what the reader says of them.

Source: LLRP 1.0.1 sections 15.2.1.5 (results), 15.2.1.3 (targets); LLRP 1.1 section 16.3.1.5 for the results that it
added, which a reader of 1.0.1 calls a nonspecific error of the tag.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from simulator.device import Sighting, TagMemory
from simulator.llrp.codec import Bits, Node, node
from simulator.llrp.reports import gen2_crc, pc_bits

RESERVED, EPC, TID, USER = range(4)
_WORD: Final = 2
_EPC_AT: Final = 4  # bytes of CRC and PC before the EPC
_LENGTH_SHIFT: Final = 11
_ACCESS_PASSWORD: Final = slice(4, 8)


class ReadResult(IntEnum):
    """Result of C1G2ReadOpSpecResult; those from 4 on are of LLRP 1.1."""

    SUCCESS = 0
    TAG_ERROR = 1
    NO_RESPONSE = 2
    READER_ERROR = 3
    OVERRUN = 4
    LOCKED = 5
    PASSWORD = 6


class WriteResult(IntEnum):
    """Result of C1G2WriteOpSpecResult and C1G2BlockWriteOpSpecResult; the last one is of LLRP 1.1."""

    SUCCESS = 0
    OVERRUN = 1
    LOCKED = 2
    LOW_POWER = 3
    TAG_ERROR = 4
    NO_RESPONSE = 5
    READER_ERROR = 6
    PASSWORD = 7


def of_sighting(sighting: Sighting) -> TagMemory:
    """The memory of a tag of which the radio knows no more than a read shows; nothing of it can be written."""
    words = sighting.pc_bits if sighting.pc_bits is not None else pc_bits(len(sighting.epc))
    body = words.to_bytes(_WORD) + sighting.epc
    bank = bytearray(gen2_crc(body).to_bytes(_WORD) + body)
    every = frozenset({RESERVED, EPC, TID, USER})
    return TagMemory(bank, sighting.tid, bytearray(sighting.user_memory), locked_banks=every)


def epc_of(memory: TagMemory) -> bytes:
    """The EPC, as long as the PC word says."""
    length = memory.epc_bank[_WORD] >> (_LENGTH_SHIFT - 8)
    return bytes(memory.epc_bank[_EPC_AT : _EPC_AT + length * _WORD])


def bank_of(memory: TagMemory, bank: int) -> bytes | bytearray:
    """One bank by its number on the air."""
    return (memory.reserved, memory.epc_bank, memory.tid, memory.user)[bank]


def fits(memory: TagMemory, bank: int, bit: int, mask: Bits, data: Bits) -> bool:
    """Whether the bits of a bank from `bit` on are those of `data`, wherever `mask` has a one."""
    content = bank_of(memory, bank)
    end = bit + data.length
    if end > 8 * len(content):
        return False
    window = int.from_bytes(content) >> (8 * len(content) - end) & (1 << data.length) - 1
    return not (window ^ _number(data)) & _number(mask)


def _number(bits: Bits) -> int:
    return int.from_bytes(bits.data) >> (8 * len(bits.data) - bits.length)


def carry_out(memory: TagMemory | None, operation: Node, *, speaks_1_1: bool) -> Node:
    """Do one OpSpec; `memory` is None when the tag has gone. Returns its result parameter."""
    kind = operation.name
    if kind == "C1G2Read":
        code, words = _read(memory, operation, speaks_1_1=speaks_1_1)
        return node("C1G2ReadOpSpecResult", Result=int(code), OpSpecID=operation.number("OpSpecID"), ReadData=words)
    result, written = _write(memory, operation, speaks_1_1=speaks_1_1)
    return node(
        f"{kind}OpSpecResult", Result=int(result), OpSpecID=operation.number("OpSpecID"), NumWordsWritten=written
    )


def _read(memory: TagMemory | None, operation: Node, *, speaks_1_1: bool) -> tuple[ReadResult, tuple[int, ...]]:
    if memory is None:
        return ReadResult.NO_RESPONSE, ()
    bank, word, count = operation.number("MB"), operation.number("WordPointer"), operation.number("WordCount")
    content = bank_of(memory, bank)
    fault = None
    if not _opens(memory, operation.number("AccessPassword")):
        fault = ReadResult.PASSWORD
    elif bank == RESERVED and RESERVED in memory.locked_banks:
        fault = ReadResult.LOCKED
    elif (word + count) * _WORD > len(content):
        fault = ReadResult.OVERRUN
    if fault is not None:
        return (fault if speaks_1_1 else ReadResult.TAG_ERROR), ()
    end = (word + count) * _WORD if count else len(content)
    found = range(word * _WORD, end, _WORD)
    return ReadResult.SUCCESS, tuple(int.from_bytes(content[at : at + _WORD]) for at in found)


def _write(memory: TagMemory | None, operation: Node, *, speaks_1_1: bool) -> tuple[WriteResult, int]:
    if memory is None:
        return WriteResult.NO_RESPONSE, 0
    bank, word, words = operation.number("MB"), operation.number("WordPointer"), operation.numbers("WriteData")
    content = bank_of(memory, bank)
    if not _opens(memory, operation.number("AccessPassword")):
        return (WriteResult.PASSWORD if speaks_1_1 else WriteResult.TAG_ERROR), 0
    if (word + len(words)) * _WORD > len(content):
        return WriteResult.OVERRUN, 0
    if bank in memory.locked_banks or not isinstance(content, bytearray):
        return WriteResult.LOCKED, 0
    content[word * _WORD : (word + len(words)) * _WORD] = b"".join(each.to_bytes(_WORD) for each in words)
    return WriteResult.SUCCESS, len(words)


def _opens(memory: TagMemory, password: int) -> bool:
    """Whether the tag accepts the password; without one it stays open, and refuses what is locked."""
    return not password or password == int.from_bytes(memory.reserved[_ACCESS_PASSWORD])
