"""What a Gen2 tag does with its memory when a reader asks: the same whatever the reader's own protocol is.

Source: EPC Gen2 (ISO/IEC 18000-63): memory banks, access password, error codes of a tag's reply (annex I).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from readers.access import EPC_FIRST_WORD, WORD_BYTES, Bank
from readers.codecs.checksums import gen2_crc16
from simulator.device import Radio, Sighting, TagMemory, WritableRadio

_ALL_BANKS: Final = frozenset(Bank)
_ACCESS_PASSWORD: Final = slice(4, 8)
_PC_AT: Final = 2
_EPC_AT: Final = EPC_FIRST_WORD * WORD_BYTES
_LENGTH_SHIFT: Final = 11


class TagError(IntEnum):
    """The error codes that a tag replies with."""

    OTHER = 0x0
    OVERRUN = 0x3
    LOCKED = 0x4
    LOW_POWER = 0xB
    NON_SPECIFIC = 0xF


class TagRefusalError(Exception):
    """The tag answered with an error of its own."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


class WrongPasswordError(Exception):
    """The tag did not open for this password: it falls silent, which is all that a reader sees of it."""


def epc_of(memory: TagMemory) -> bytes:
    """The EPC, as long as the PC word says."""
    words = memory.epc_bank[_PC_AT] >> (_LENGTH_SHIFT - 8)
    return bytes(memory.epc_bank[_EPC_AT : _EPC_AT + words * WORD_BYTES])


def pc_bits_of(memory: TagMemory) -> int:
    """The PC word."""
    return int.from_bytes(memory.epc_bank[_PC_AT:_EPC_AT], "big")


def memory_of(radio: Radio, sighting: Sighting) -> TagMemory | None:
    """The memory of a tag in the field, None when it has just gone; where the world keeps none, what the tag shows.

    What it only shows refuses to change.
    """
    if isinstance(radio, WritableRadio):
        return radio.memory(sighting.epc)
    return shown(sighting)


def shown(sighting: Sighting) -> TagMemory:
    """The memory as far as a read shows it, which refuses to change."""
    pc_bits = len(sighting.epc) // WORD_BYTES << _LENGTH_SHIFT if sighting.pc_bits is None else sighting.pc_bits
    air = pc_bits.to_bytes(WORD_BYTES, "big") + sighting.epc
    return TagMemory(
        epc_bank=bytearray(gen2_crc16(air).to_bytes(WORD_BYTES, "big") + air),
        tid=sighting.tid,
        user=bytearray(sighting.user_memory),
        locked_banks=_ALL_BANKS,
    )


def matching(heard: Sequence[Sighting], mask: bytes) -> list[Sighting]:
    """The tags whose EPC begins with the mask, each once; a mask tells no end, so that longer EPCs fit too."""
    found = {sighting.epc: sighting for sighting in heard if sighting.epc.startswith(mask)}
    return list(found.values())


def bank_of(memory: TagMemory, bank: Bank) -> bytes:
    """The content of one bank."""
    banks = {Bank.RESERVED: memory.reserved, Bank.EPC: memory.epc_bank, Bank.TID: memory.tid, Bank.USER: memory.user}
    return bytes(banks[bank])


def read(memory: TagMemory, bank: Bank, word: int, words: int, password: int = 0) -> bytes:
    """What the tag gives; 0 words for all from `word` on.

    Raises:
        TagRefusalError, WrongPasswordError: it gives nothing.
    """
    _open(memory, password)
    if bank is Bank.RESERVED and Bank.RESERVED in memory.locked_banks:
        raise TagRefusalError(TagError.LOCKED)
    content = bank_of(memory, bank)
    start = word * WORD_BYTES
    end = start + words * WORD_BYTES if words else len(content)
    if end > len(content) or start >= len(content):
        raise TagRefusalError(TagError.OVERRUN)
    return content[start:end]


def write(memory: TagMemory, bank: Bank, word: int, data: bytes, password: int = 0, power_dbm: float = 30.0) -> None:
    """Change the tag's memory in place; its stored CRC follows its EPC bank. `power_dbm` is what the reader sends.

    Raises:
        TagRefusalError, WrongPasswordError: it is as it was.
    """
    _open(memory, password)
    if bank is Bank.TID or bank in memory.locked_banks:
        raise TagRefusalError(TagError.LOCKED)
    content = {Bank.RESERVED: memory.reserved, Bank.EPC: memory.epc_bank, Bank.USER: memory.user}[bank]
    start = word * WORD_BYTES
    if start + len(data) > len(content):
        raise TagRefusalError(TagError.OVERRUN)
    if power_dbm < memory.least_write_dbm:
        raise TagRefusalError(TagError.LOW_POWER)
    content[start : start + len(data)] = data
    if bank is Bank.EPC:
        body = content[_PC_AT : _EPC_AT + len(epc_of(memory))]
        content[:_PC_AT] = gen2_crc16(bytes(body)).to_bytes(WORD_BYTES, "big")


def _open(memory: TagMemory, password: int) -> None:
    """A password of 0 asks for nothing; any other must be the tag's access password."""
    if password and password != int.from_bytes(memory.reserved[_ACCESS_PASSWORD], "big"):
        raise WrongPasswordError
