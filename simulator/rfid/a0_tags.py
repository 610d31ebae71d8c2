"""The tags in front of a simulated R2000 reader: their inventoried flags, and work on their memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from readers.access import EPC_FIRST_WORD, WORD_BYTES, Bank
from readers.codecs.a0 import Command, Frame, Result
from readers.codecs.a0_access import AccessAnswer, ReadRequest, WriteRequest
from readers.codecs.checksums import gen2_crc16
from readers.errors import FrameError
from simulator.device import Radio, Sighting, TagMemory, WritableRadio

_US_PER_S: Final = 1_000_000
_PERSISTENCE_S: Final = (
    0.0,
    2.0,
    10.0,
    10.0,
)  # S0 to S3; a powered tag keeps S2 and S3, one that left keeps them a while
_ACCESS_PASSWORD_AT: Final = 4
_MOST_WORDS: Final = 32


class Flags:
    """Which tags were inventoried in which session: they answer to the other target until their flag decays."""

    def __init__(self) -> None:
        self._turned_us: dict[tuple[int, bytes], int] = {}

    def answering(self, heard: Sequence[Sighting], session: int, target: int) -> list[Sighting]:
        """The sightings of tags whose flag is that of the target; each turns its tag's flag over."""
        if session == 0:
            return list(heard) if target == 0 else []  # S0 is A whenever a round begins
        answering = []
        for sighting in heard:
            key = (session, sighting.epc)
            since_us = self._turned_us.get(key)
            is_b = since_us is not None and sighting.at_us - since_us < _PERSISTENCE_S[session & 3] * _US_PER_S
            if is_b != bool(target):
                continue
            answering.append(sighting)
            if is_b:
                del self._turned_us[key]
            else:
                self._turned_us[key] = sighting.at_us
        return answering


def carry_out(
    frame: Frame, radio: Radio, heard: Sequence[Sighting], match: bytes | None, antenna: int, *, is_missing: bool
) -> list[bytes]:
    """The data of the answers to a command that reads or writes tags.

    Args:
        frame: the command.
        radio: knows the tags' memory.
        heard: what the antenna hears meanwhile.
        match: the only EPC that is worked on; None for any.
        antenna: counted from 0, within its group.
        is_missing: nothing is plugged in there.
    """
    if is_missing:
        return [bytes([Result.ANTENNA_MISSING])]
    epcs = [epc for epc in dict.fromkeys(sighting.epc for sighting in heard) if match in (None, epc)]
    tags = [(epc, memory) for epc in epcs if isinstance(radio, WritableRadio) and (memory := radio.memory(epc))]
    if not tags:
        return [bytes([Result.NO_TAG])]
    answers = []
    for epc, memory in tags:
        try:
            words, result = _work(frame, memory)
        except FrameError:
            return [bytes([Result.PARAMETER_INVALID])]
        if result is not Result.SUCCESS and frame.command == Command.READ:
            return [bytes([result])]
        pc_bits = len(epc) // WORD_BYTES << 11
        status = None if frame.command == Command.READ else int(result)
        answers.append(AccessAnswer(len(tags), pc_bits, epc, words, status, antenna % 8 + 1).data())
    return answers


def _work(frame: Frame, memory: TagMemory) -> tuple[bytes, Result]:
    """The words that were read, and how it went."""
    request: ReadRequest | WriteRequest
    if frame.command == Command.READ:
        request = ReadRequest.parse(frame.data)
        size = request.words * WORD_BYTES
    else:
        request = WriteRequest.parse(frame.data)
        size = len(request.words)
    if size > _MOST_WORDS * WORD_BYTES or not size:
        return b"", Result.WORD_COUNT_TOO_LONG
    if request.bank not in tuple(Bank):
        return b"", Result.MEMORY_BANK_OUT_OF_RANGE
    set_password = int.from_bytes(memory.reserved[_ACCESS_PASSWORD_AT:8], "big")
    if request.password and request.password != set_password:
        return b"", Result.ACCESS_OR_PASSWORD_ERROR
    bank = _bank(memory, Bank(request.bank))
    at = request.word * WORD_BYTES
    is_read = isinstance(request, ReadRequest)
    if at + size > len(bank):
        return b"", Result.TAG_READ_ERROR if is_read else Result.TAG_WRITE_ERROR
    if isinstance(request, ReadRequest):
        return bytes(bank[at : at + size]), Result.SUCCESS
    if request.bank in memory.locked_banks or request.bank == Bank.TID:
        return b"", Result.TAG_WRITE_ERROR
    bank[at : at + size] = request.words
    if request.bank == Bank.EPC:
        epc_bytes = (bank[WORD_BYTES] >> 3) * WORD_BYTES
        bank[:WORD_BYTES] = gen2_crc16(bytes(bank[WORD_BYTES : EPC_FIRST_WORD * WORD_BYTES + epc_bytes])).to_bytes(
            2, "big"
        )
    return b"", Result.SUCCESS


def _bank(memory: TagMemory, bank: Bank) -> bytearray:
    """The bank, to be changed in place; of the TID a copy, since nothing can write it."""
    banks = {Bank.RESERVED: memory.reserved, Bank.EPC: memory.epc_bank, Bank.USER: memory.user}
    return banks[bank] if bank in banks else bytearray(memory.tid)
