from __future__ import annotations

from readers.bus import Rank
from readers.codecs.dlt645_registers import BLOCKS, registers_of
from readers.meters.dlt645.items import ITEMS, RANKS, USUAL, Read


def test_every_word_has_a_rank_and_every_register_a_meaning() -> None:
    assert set(RANKS) == set(Read)
    assert set(Read) - set(ITEMS) == {Read.STATUS, Read.EVENTS, Read.CLOCK}
    for items in ITEMS.values():
        for item in items:
            assert item.block is None or item.block in BLOCKS
            assert item.singles
            assert all(registers_of(single) for single in item.singles)


def test_a_block_holds_what_stands_in_for_it() -> None:
    for items in ITEMS.values():
        for item in items:
            if item.block is not None:
                assert [register.identifier for register in BLOCKS[item.block]] == list(item.singles)


def test_alarms_go_before_powers_and_powers_before_energies() -> None:
    assert [RANKS[what] for what in (Read.STATUS, Read.POWER, Read.ENERGY, Read.MAX_DEMAND)] == [
        Rank.ALARM,
        Rank.POWER,
        Rank.ENERGY,
        Rank.DEMAND,
    ]
    assert set(USUAL) <= set(Read)
