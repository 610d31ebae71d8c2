from __future__ import annotations

from readers.bus import Rank
from readers.codecs.dlt698_objects import ITEMS as OBJECTS
from readers.meters.dlt698.items import IN_DAILY_FREEZES, IN_MINUTE_FREEZES, ITEMS, RANKS, Read


def test_every_object_to_be_read_is_known_to_the_codec() -> None:
    oads = [oad for found in ITEMS.values() for oad in found]
    assert set(oads) <= set(OBJECTS)
    assert len(oads) == len(set(oads))


def test_powers_go_before_energies_and_energies_before_the_rest() -> None:
    assert RANKS[Read.STATUS] < RANKS[Read.VOLTAGE] == Rank.POWER < RANKS[Read.ENERGY] < RANKS[Read.DEMAND]


def test_what_is_frozen_is_something_that_is_read() -> None:
    assert set(IN_DAILY_FREEZES) <= set(ITEMS)
    assert set(IN_MINUTE_FREEZES) <= set(ITEMS)
