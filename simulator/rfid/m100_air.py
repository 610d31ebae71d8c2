"""The air interface of a simulated M100 module: Select, inventoried flags, and the memory of tags.

Flags last as long as Gen2 says, roughly: in S0 while the carrier is on, here one round; in S1 for a second; in S2 and
S3 for as long as the tag has power, and two seconds more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from readers.codecs.m100_access import Access, Action, Flag, Query, Select
from simulator import gen2_memory
from simulator.device import Radio, Sighting, TagMemory, WritableRadio

S1_US: Final = 1_000_000
S2_US: Final = 2_000_000
_SESSION_S1: Final = 1
_LAST_SEL: Final = 0b11


class Air:
    """What a module meets on the air.

    Attributes:
        select: sent before a round when `is_selecting`; None when none was set.
        query: opens each round.
    """

    def __init__(self, radio: Radio, antenna_port: int, query: Query) -> None:
        self._radio = radio
        self._antenna_port = antenna_port
        self.select: Select | None = None
        self.query = query
        self._b_until_us: dict[tuple[int, bytes], int] = {}
        self._selected: set[bytes] = set()

    def round(self, start_us: int, until_us: int, *, is_selecting: bool) -> list[Sighting]:
        """The tags that answer in one round, each once."""
        here: dict[bytes, Sighting] = {}
        for sighting in self._radio.heard(self._antenna_port, start_us, until_us):
            here.setdefault(sighting.epc, sighting)
        if is_selecting and self.select is not None:
            for sighting in here.values():
                self._apply(self.select, sighting, until_us)
        answering = [sighting for sighting in here.values() if self._answers(sighting.epc, start_us)]
        session, turned = self.query.session, 1 - self.query.target
        if session:
            for sighting in here.values():  # power keeps the flags of S2 and S3 alive
                if session > _SESSION_S1 and self._is_b(session, sighting.epc, start_us):
                    self._set(session, sighting.epc, until_us, is_b=True)
            for sighting in answering:
                self._set(session, sighting.epc, until_us, is_b=bool(turned))
        return answering

    def memory_of(self, sighting: Sighting) -> TagMemory:
        """The memory of a tag in the field; of one whose world keeps none, what it shows, which refuses to change."""
        if isinstance(self._radio, WritableRadio):
            kept = self._radio.memory(sighting.epc)
            if kept is not None:
                return kept
        return gen2_memory.shown(sighting)

    def _apply(self, select: Select, sighting: Sighting, now_us: int) -> None:
        matches = fits(select, self.memory_of(sighting))
        is_first_side = matches == (select.action == Action.MATCHING_A)
        if select.flag == Flag.SL:
            (self._selected.add if is_first_side else self._selected.discard)(sighting.epc)
        else:
            self._set(select.flag, sighting.epc, now_us, is_b=not is_first_side)

    def _answers(self, epc: bytes, now_us: int) -> bool:
        if self.query.sel & 0b10 and (epc in self._selected) != (self.query.sel == _LAST_SEL):
            return False
        return self._is_b(self.query.session, epc, now_us) == bool(self.query.target)

    def _is_b(self, session: int, epc: bytes, now_us: int) -> bool:
        return self._b_until_us.get((session, epc), 0) > now_us

    def _set(self, session: int, epc: bytes, now_us: int, *, is_b: bool) -> None:
        lasts_us = {0: 1, _SESSION_S1: S1_US}.get(session, S2_US)
        if is_b:
            self._b_until_us[session, epc] = now_us + lasts_us
        else:
            self._b_until_us.pop((session, epc), None)


def fits(select: Select, memory: TagMemory) -> bool:
    """Whether a tag's memory holds the mask at that place."""
    bank = gen2_memory.bank_of(memory, select.bank)
    size = len(bank) * 8
    if select.pointer_bits + select.mask_bits > size:
        return False
    held = int.from_bytes(bank, "big") >> (size - select.pointer_bits - select.mask_bits)
    wanted = int.from_bytes(select.mask, "big") >> (len(select.mask) * 8 - select.mask_bits)
    return held & ((1 << select.mask_bits) - 1) == wanted


def read(memory: TagMemory, asked: Access) -> bytes:
    """What the tag gives.

    Raises:
        TagRefusalError, WrongPasswordError: it gives nothing.
    """
    return gen2_memory.read(memory, asked.bank, asked.word, asked.words, asked.password)


def write(memory: TagMemory, asked: Access) -> None:
    """Change the tag's memory in place; its stored CRC follows its EPC bank.

    Raises:
        TagRefusalError, WrongPasswordError: it is as it was.
    """
    gen2_memory.write(memory, asked.bank, asked.word, asked.data, asked.password)


def kept_by_the_module(query: Query) -> Query:
    """What a module makes of a Query that it is asked for: DR 8, M 1 and TRext stay."""
    return replace(query, divide_ratio=0, miller=0, is_pilot=True)
