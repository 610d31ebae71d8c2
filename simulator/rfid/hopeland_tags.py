"""Work on tags in front of a simulated Hopeland reader: memory that is read along, and message 02 11."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from readers.access import Bank
from readers.codecs.hopeland_access import WriteTag
from readers.codecs.hopeland_tags import ReadTags, Tag
from readers.errors import FrameError
from simulator import gen2_memory
from simulator.device import Radio, Sighting
from simulator.gen2_memory import TagError

_WORD_BYTES: Final = 2
_READ, _NO_ANSWER, _WRONG_PASSWORD, _OTHER = 0x00, 0x01, 0x05, 0x06
_RESULTS: Final[Mapping[int, int]] = {TagError.LOCKED: 0x03, TagError.OVERRUN: 0x04}
_CODES: Final[Mapping[int, int]] = {TagError.LOW_POWER: 0x05, TagError.OVERRUN: 0x06, TagError.LOCKED: 0x07}
_BAD_PARAMETER, _REFUSED_PASSWORD, _OTHER_CODE, _TAG_GONE = 0x03, 0x08, 0x09, 0x0A


def with_memory(tag: Tag, plan: ReadTags, radio: Radio, sighting: Sighting) -> Tag:
    """The tag as it is told, with the memory that was asked for, or why not; a TID as far as it goes."""
    asked = {Bank.USER: plan.user, Bank.RESERVED: plan.reserved, Bank.EPC: plan.epc_bank}
    if not plan.tid_words and not any(asked.values()):
        return tag
    memory = gen2_memory.memory_of(radio, sighting)
    if memory is None:
        return replace(tag, memory_result=_NO_ANSWER)
    found: dict[Bank, bytes] = {}
    try:
        if plan.tid_words:
            words = min(plan.tid_words, len(memory.tid) // _WORD_BYTES)
            found[Bank.TID] = gen2_memory.read(memory, Bank.TID, 0, words, plan.password)
        for bank, span in asked.items():
            if span is not None:
                found[bank] = gen2_memory.read(memory, bank, span.word, span.words, plan.password)
    except gen2_memory.WrongPasswordError:
        return replace(tag, memory_result=_WRONG_PASSWORD)
    except gen2_memory.TagRefusalError as refusal:
        return replace(tag, memory_result=_RESULTS.get(refusal.code, _OTHER))
    return replace(
        tag,
        memory_result=_READ,
        tid=found.get(Bank.TID),
        user_memory=found.get(Bank.USER),
        reserved_memory=found.get(Bank.RESERVED),
        epc_bank=found.get(Bank.EPC),
    )


def parsed(data: bytes) -> WriteTag | None:
    """What a write asks for; None for what is not played."""
    try:
        asked = WriteTag.parse(data)
    except FrameError:
        return None
    return asked if asked.bank in tuple(Bank) else None


def code_of_write(radio: Radio, heard: Sequence[Sighting], asked: WriteTag | None, power_dbm: int) -> int:
    """What a write is answered with; `heard` is what is there now."""
    if asked is None:
        return _BAD_PARAMETER
    found = gen2_memory.matching(heard, asked.epc)
    memory = gen2_memory.memory_of(radio, found[0]) if found else None
    if memory is None:
        return _TAG_GONE
    try:
        gen2_memory.write(memory, Bank(asked.bank), asked.word, asked.words, asked.password, power_dbm)
    except gen2_memory.WrongPasswordError:
        return _REFUSED_PASSWORD
    except gen2_memory.TagRefusalError as refusal:
        return _CODES.get(refusal.code, _OTHER_CODE)
    return _READ
