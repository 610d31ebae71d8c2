"""Work on tags in front of a simulated ThingMagic module: commands 28 and 24."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from readers.access import Bank
from readers.codecs.thingmagic import DBM_STEPS, Opcode, Status
from readers.codecs.thingmagic_access import ReadTag, WriteTag, read_answer
from readers.errors import FrameError
from simulator import gen2_memory
from simulator.device import Radio, Sighting
from simulator.gen2_memory import TagError

_STATUSES: Final[Mapping[int, Status]] = {
    TagError.OVERRUN: Status.OVERRUN,
    TagError.LOCKED: Status.LOCKED,
    TagError.LOW_POWER: Status.LOW_POWER,
}


def work_on_tag(
    radio: Radio, heard: Sequence[Sighting], opcode: int, data: bytes, write_power: int
) -> tuple[Status, bytes]:
    """Status and data of the answer; `heard` is what is there now, `write_power` in steps of 0.01 dBm.

    That a password was wrong is not said: the tag falls silent.
    """
    try:
        asked = (ReadTag if opcode == Opcode.READ_TAG_DATA else WriteTag).parse(data)
        bank = Bank(asked.bank)
    except FrameError as error:
        return Status.WRONG_DATA if error.reason == "length" else Status.BAD_PARAMETER, b""
    except ValueError:
        return Status.BAD_PARAMETER, b""
    found = gen2_memory.matching(heard, asked.epc)
    memory = gen2_memory.memory_of(radio, found[0]) if found else None
    if memory is None:
        return Status.NO_TAGS, b""
    try:
        if isinstance(asked, ReadTag):
            words = gen2_memory.read(memory, bank, asked.word, asked.words, asked.password)
            return Status.SUCCESS, read_answer(asked, words)
        gen2_memory.write(memory, bank, asked.word, asked.words, asked.password, write_power / DBM_STEPS)
    except gen2_memory.WrongPasswordError:
        return Status.TAG_ERROR, b""
    except gen2_memory.TagRefusalError as refusal:
        return _STATUSES.get(refusal.code, Status.TAG_ERROR), b""
    return Status.SUCCESS, b""
