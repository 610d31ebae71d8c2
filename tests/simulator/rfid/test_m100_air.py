from __future__ import annotations

from collections.abc import Sequence

import pytest

from readers.access import Bank
from readers.codecs.m100_access import Access, Action, Flag, Query, Select
from simulator.device import Sighting
from simulator.gen2_memory import TagError, TagRefusalError, WrongPasswordError, epc_of
from simulator.rfid.m100_air import Air, fits, kept_by_the_module, read, write
from tests.support.m100_scenes import EPCS, TID_96, tag
from tests.support.shelf import Shelf

A, B = EPCS[0], EPCS[1]
ROUND_US = 20_000


class Plain:
    """A world that keeps no memory."""

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        del until_us
        return [Sighting(start_us, antenna_port, B, -50.0, tid=TID_96, user_memory=b"\x01\x02")]


def rounds(air: Air, count: int, start_us: int = 0, *, is_selecting: bool = False) -> list[set[bytes]]:
    """Who answers in rounds that follow each other."""
    found = []
    for number in range(count):
        begin_us = start_us + number * ROUND_US
        answering = air.round(begin_us, begin_us + ROUND_US, is_selecting=is_selecting)
        found.append({sighting.epc for sighting in answering})
    return found


def air(query: Query, *epcs: bytes) -> Air:
    return Air(Shelf(*(tag(epc) for epc in epcs or (A, B))), 1, query)


def test_in_s0_all_answer_in_every_round() -> None:
    assert rounds(air(Query()), 3) == [{A, B}] * 3


def test_in_s1_a_tag_is_still_for_a_second() -> None:
    found = rounds(air(Query(session=1), A), 60)
    assert found[0] == {A}
    assert found[1:40] == [set()] * 39
    assert {A} in found[49:53]


@pytest.mark.parametrize("session", [2, 3])
def test_in_s2_and_s3_a_tag_answers_once_while_it_has_power(session: int) -> None:
    world = air(Query(session=session), A)
    assert rounds(world, 400) == [{A}] + [set()] * 399
    later_us = 400 * ROUND_US + 3_000_000  # without power
    assert rounds(world, 2, later_us) == [{A}, set()]


def test_target_b_asks_those_that_have_answered() -> None:
    world = air(Query(session=2), A)
    rounds(world, 1)
    world.query = Query(session=2, target=1)
    assert rounds(world, 2, ROUND_US) == [{A}, set()]


@pytest.mark.parametrize("flag", [Flag.S0, Flag.S1, Flag.S2, Flag.S3, Flag.SL])
@pytest.mark.parametrize("action", [Action.MATCHING_A, Action.MATCHING_B])
def test_select_separates_tags(flag: Flag, action: Action) -> None:
    query = Query(sel=3) if flag is Flag.SL else Query(session=flag)
    world = air(query)
    world.select = Select(Bank.EPC, 32, B[:2], 16, flag, action)
    assert rounds(world, 1, is_selecting=True) == [{B} if action is Action.MATCHING_A else {A}]
    assert rounds(air(query), 1) == [set() if flag is Flag.SL else {A, B}]


def test_those_that_are_not_selected_can_be_asked_for() -> None:
    world = air(Query(sel=2))
    world.select = Select(Bank.EPC, 32, B[:2], 16, Flag.SL)
    assert rounds(world, 1, is_selecting=True) == [{A}]


def test_a_mask_fits_bit_by_bit_and_never_beyond_the_bank() -> None:
    memory = tag(B, TID_96)
    assert fits(Select(Bank.TID, 0, TID_96, 96), memory)
    assert fits(Select(Bank.TID, 4, b"\x28\x00", 9), memory)
    assert not fits(Select(Bank.TID, 4, b"\x28\x80", 9), memory)
    assert fits(Select(Bank.TID, 8, b"", 0), memory)
    assert not fits(Select(Bank.TID, 90, TID_96[:1], 8), memory)
    assert not fits(Select(Bank.USER, 0, b"\x00", 1), memory)


def test_memory_is_read_within_its_bounds() -> None:
    memory = tag(B, TID_96, b"\x01\x02\x03\x04", locked={Bank.RESERVED})
    assert read(memory, Access(Bank.USER, 1, 1)) == b"\x03\x04"
    for asked, code in ((Access(Bank.USER, 1, 2), TagError.OVERRUN), (Access(Bank.RESERVED, 0, 2), TagError.LOCKED)):
        with pytest.raises(TagRefusalError) as caught:
            read(memory, asked)
        assert caught.value.code == code


def test_memory_is_written_and_the_stored_crc_follows() -> None:
    memory, same = tag(A, user=b"\x00" * 4), tag(B)
    write(memory, Access(Bank.EPC, 2, 6, data=B))
    assert epc_of(memory) == B
    assert memory.epc_bank == same.epc_bank
    write(memory, Access(Bank.EPC, 1, 1, data=b"\x10\x00"))
    assert epc_of(memory) == B[:4]
    write(memory, Access(Bank.USER, 1, 1, data=b"\xff\xee"))
    assert memory.user == b"\x00\x00\xff\xee"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (Access(Bank.TID, 0, 1, data=b"\x00\x00"), TagError.LOCKED),
        (Access(Bank.USER, 0, 1, data=b"\x00\x00"), TagError.LOCKED),
        (Access(Bank.RESERVED, 4, 1, data=b"\x00\x00"), TagError.OVERRUN),
    ],
)
def test_what_cannot_be_written_stays(asked: Access, code: int) -> None:
    memory = tag(B, user=b"\x00" * 4, locked={Bank.USER})
    with pytest.raises(TagRefusalError) as caught:
        write(memory, asked)
    assert caught.value.code == code


def test_the_password_must_be_the_tags() -> None:
    memory = tag(B, access=7)
    assert read(memory, Access(Bank.TID, 0, 6, password=7)) == TID_96
    with pytest.raises(WrongPasswordError):
        read(memory, Access(Bank.TID, 0, 6, password=8))
    with pytest.raises(WrongPasswordError):
        write(memory, Access(Bank.EPC, 2, 1, password=8, data=b"\x00\x00"))


def test_a_world_without_memory_shows_what_it_shows_and_cannot_be_changed() -> None:
    world = Air(Plain(), 1, Query())
    [sighting] = world.round(0, ROUND_US, is_selecting=False)
    memory = world.memory_of(sighting)
    assert read(memory, Access(Bank.TID, 0, 6)) == TID_96
    assert read(memory, Access(Bank.USER, 0, 1)) == b"\x01\x02"
    assert epc_of(memory) == B
    with pytest.raises(TagRefusalError):
        write(memory, Access(Bank.USER, 0, 1, data=b"\x00\x00"))


def test_a_tag_that_the_world_has_forgotten_is_as_it_was_heard() -> None:
    world = Air(Shelf(tag(A)), 1, Query())
    assert epc_of(world.memory_of(Sighting(0, 1, B, -50.0, pc_bits=0x3000))) == B


def test_the_module_keeps_its_air_link() -> None:
    asked = Query(session=1, target=1, q=9, sel=3, divide_ratio=1, miller=3, is_pilot=False)
    assert kept_by_the_module(asked) == Query(session=1, target=1, q=9, sel=3)
