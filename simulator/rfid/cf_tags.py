"""Work on tags in front of a simulated CF reader: commands 0003 and 0004."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from readers.access import Bank
from readers.codecs.cf import Status
from readers.codecs.cf_access import Answer, TagStatus, Work
from readers.codecs.checksums import gen2_crc16
from readers.errors import FrameError
from simulator import gen2_memory
from simulator.device import Radio, Sighting, TagMemory
from simulator.gen2_memory import TagError

Answered = tuple[int, bytes]
_TAG_STATUSES: Final[Mapping[int, TagStatus]] = {
    TagError.OVERRUN: TagStatus.OVERRUN,
    TagError.LOCKED: TagStatus.LOCKED,
    TagError.LOW_POWER: TagStatus.LOW_POWER,
}


def answers_of(
    radio: Radio, heard: Sequence[Sighting], parameters: bytes, power_dbm: int, *, is_write: bool
) -> list[Answered]:
    """Status and data of one answer for each tag; none when no tag is there."""
    try:
        asked = Work.parse(parameters)
        bank = Bank(asked.bank)
    except (FrameError, ValueError):
        return [(Status.PARAMETER, b"")]
    if is_write != bool(asked.data):
        return [(Status.PARAMETER, b"")]
    answers = []
    for sighting in gen2_memory.matching(heard, b""):
        memory = gen2_memory.memory_of(radio, sighting)
        if memory is not None:
            answers.append(_answer_of(sighting, memory, bank, asked, power_dbm))
    return answers


def _answer_of(sighting: Sighting, memory: TagMemory, bank: Bank, asked: Work, power_dbm: int) -> Answered:
    pc_bits = gen2_memory.pc_bits_of(memory)
    crc = gen2_crc16(pc_bits.to_bytes(2, "big") + sighting.epc)
    status, words = TagStatus.DONE, b""
    try:
        if asked.data:
            gen2_memory.write(memory, bank, asked.word, asked.data, asked.password, power_dbm)
        else:
            words = gen2_memory.read(memory, bank, asked.word, asked.words, asked.password)
    except gen2_memory.WrongPasswordError:
        return Status.WRONG_PASSWORD, b""
    except gen2_memory.TagRefusalError as refusal:
        status = _TAG_STATUSES.get(refusal.code, TagStatus.OTHER)
    return Status.DONE, Answer(status, sighting.antenna_port, crc, pc_bits, sighting.epc, words).data()
