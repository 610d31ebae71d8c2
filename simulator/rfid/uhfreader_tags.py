"""Work on tags in front of a simulated reader of the UHFReader family: commands 02 and 03, and the antennas for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from readers.access import Bank
from readers.codecs.uhfreader import Command, Status
from readers.codecs.uhfreader_access import (
    MOST_READ_WORDS,
    MOST_WRITE_WORDS,
    ReadRequest,
    WriteRequest,
    antennas_of,
)
from readers.errors import FrameError
from simulator import gen2_memory
from simulator.device import Radio, Sighting

Answer = tuple[Status, bytes]
_BANKS: Final = frozenset(Bank)


def chosen(parameters: bytes, ports: int) -> tuple[int, ...]:
    """The antennas that command 3F names; none where the reader has not got one of them."""
    try:
        antennas = antennas_of(parameters)
    except FrameError:
        return ()
    return antennas if antennas and max(antennas) <= ports else ()


class TagsInReach:
    """What was heard just now, and can be worked on with this power."""

    def __init__(self, radio: Radio, heard: Sequence[Sighting], power_dbm: int) -> None:
        self._radio = radio
        self._heard = heard
        self._power_dbm = power_dbm

    def answer(self, command: int, parameters: bytes) -> Answer:
        """Status and data; of several tags that fit, one answers, and nobody learns which."""
        try:
            asked = (ReadRequest if command == Command.READ else WriteRequest).parse(parameters)
        except FrameError:
            return Status.LENGTH, b""
        if asked.bank not in _BANKS or not _fits(asked):
            return Status.PARAMETER, b""
        found = gen2_memory.matching(self._heard, asked.epc)
        memory = gen2_memory.memory_of(self._radio, found[0]) if found else None
        if memory is None:
            return Status.NO_TAG, b""
        bank = Bank(asked.bank)
        try:
            if isinstance(asked, ReadRequest):
                return Status.DONE, gen2_memory.read(memory, bank, asked.word, asked.words, asked.password)
            gen2_memory.write(memory, bank, asked.word, asked.words, asked.password, self._power_dbm)
        except gen2_memory.WrongPasswordError:
            return Status.PASSWORD, b""
        except gen2_memory.TagRefusalError as refusal:
            return Status.TAG_ERROR, bytes([refusal.code])
        return Status.DONE, b""


def _fits(asked: ReadRequest | WriteRequest) -> bool:
    if isinstance(asked, ReadRequest):
        return 1 <= asked.words <= MOST_READ_WORDS
    return 1 <= len(asked.words) // 2 <= MOST_WRITE_WORDS
