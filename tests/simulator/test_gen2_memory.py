from __future__ import annotations

from collections.abc import Sequence

import pytest

from readers.access import Bank
from simulator.device import Radio, Sighting, TagMemory
from simulator.gen2_memory import (
    TagError,
    TagRefusalError,
    WrongPasswordError,
    epc_of,
    matching,
    memory_of,
    pc_bits_of,
    read,
    shown,
    write,
)
from tests.support.shelf import Shelf, memory

EPC, OTHER = bytes.fromhex("30751FEB705C5904E3D50D70"), bytes.fromhex("E2801160600002094C4C8B1A")
TID = bytes.fromhex("E2801160600002054A3B1C2D")


def refusal(tag: TagMemory, bank: Bank, word: int, what: bytes | int, **more: float) -> int:
    """The code of the tag's refusal to a write, or, for a number of words, to a read."""
    try:
        if isinstance(what, bytes):
            write(tag, bank, word, what, **more)  # type: ignore[arg-type]  # the power alone is given so
        else:
            read(tag, bank, word, what)
    except TagRefusalError as refused:
        return refused.code
    pytest.fail("the tag did not refuse")


def test_memory_is_read_within_its_bounds() -> None:
    tag = memory(EPC, TID, b"\x01\x02\x03\x04", locked={Bank.RESERVED})
    assert read(tag, Bank.USER, 1, 1) == b"\x03\x04"
    assert read(tag, Bank.TID, 2, 0) == TID[4:]
    assert read(tag, Bank.EPC, 1, 7) == b"\x30\x00" + EPC
    assert refusal(tag, Bank.USER, 1, 2) == TagError.OVERRUN
    assert refusal(tag, Bank.USER, 2, 0) == TagError.OVERRUN
    assert refusal(tag, Bank.RESERVED, 0, 2) == TagError.LOCKED


def test_what_is_written_is_kept_and_the_stored_crc_follows() -> None:
    tag = memory(EPC, user=bytes(4))
    write(tag, Bank.EPC, 2, OTHER)
    assert tag.epc_bank == memory(OTHER).epc_bank
    write(tag, Bank.EPC, 1, b"\x10\x00")
    assert (epc_of(tag), pc_bits_of(tag)) == (OTHER[:4], 0x1000)
    write(tag, Bank.USER, 1, b"\xff\xee")
    assert tag.user == b"\x00\x00\xff\xee"


def test_what_cannot_be_written_stays_as_it_was() -> None:
    tag = memory(EPC, TID, bytes(4), locked={Bank.USER}, least_write_dbm=20.0)
    assert refusal(tag, Bank.TID, 0, bytes(2)) == TagError.LOCKED
    assert refusal(tag, Bank.USER, 0, bytes(2)) == TagError.LOCKED
    assert refusal(tag, Bank.EPC, 7, bytes(4)) == TagError.OVERRUN
    assert refusal(tag, Bank.EPC, 2, bytes(12), power_dbm=19.5) == TagError.LOW_POWER
    assert epc_of(tag) == EPC


def test_the_password_must_be_the_tags() -> None:
    tag = memory(EPC, TID, access=7)
    assert read(tag, Bank.TID, 0, 6, 7) == TID
    with pytest.raises(WrongPasswordError):
        read(tag, Bank.TID, 0, 6, 8)
    with pytest.raises(WrongPasswordError):
        write(tag, Bank.EPC, 2, OTHER, 8)


def test_a_mask_tells_no_end() -> None:
    heard = [Sighting(at, 1, epc, -50.0) for at, epc in enumerate((EPC, EPC[:4], OTHER, EPC))]
    assert [sighting.epc for sighting in matching(heard, EPC[:4])] == [EPC, EPC[:4]]
    assert [sighting.epc for sighting in matching(heard, EPC)] == [EPC]
    assert len(matching(heard, b"")) == 3


class Plain:
    """A world that keeps no memory."""

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        del until_us
        return [Sighting(start_us, antenna_port, EPC, -50.0, tid=TID, user_memory=b"\x01\x02")]


def test_a_world_without_memory_shows_what_it_shows_and_cannot_be_changed() -> None:
    radio: Radio = Plain()
    tag = memory_of(radio, radio.heard(1, 0, 1)[0])
    assert tag is not None
    assert (epc_of(tag), read(tag, Bank.TID, 0, 6), read(tag, Bank.USER, 0, 1)) == (EPC, TID, b"\x01\x02")
    for bank in Bank:
        assert refusal(tag, bank, 0, bytes(2)) == TagError.LOCKED
    assert pc_bits_of(shown(Sighting(0, 1, EPC[:4], -50.0, pc_bits=0x10C3))) == 0x10C3


def test_a_tag_that_has_gone_has_no_memory() -> None:
    assert memory_of(Shelf(memory(OTHER)), Sighting(0, 1, EPC, -50.0)) is None
