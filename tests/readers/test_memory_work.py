from __future__ import annotations

import asyncio
import copy
from pathlib import Path

import pytest

from gateway.commissioning.tag_work import Result, WriteJournal, Written, write_epc
from readers.access import EPC_FIRST_WORD, AccessError, AccessFault, Bank, Station
from readers.errors import LinkError
from readers.memory_work import MemoryWork, TagsHeard, epc_after
from readers.observations import Rejected, TagRead, TagReads
from readers.ports.memory import START_US, run
from simulator.gen2_memory import epc_of, pc_bits_of
from tests.support.shelf import Shelf
from tests.support.stations import (
    BENCHES,
    EPC,
    MUCH_POWER_DBM,
    NEW_EPC,
    OTHER_EPC,
    PASSWORD,
    TID,
    Bench,
    at_station,
    reading_fails,
    tag,
    writing_fails,
)
from tests.support.talk import linked

every_station = pytest.mark.parametrize("bench", BENCHES, ids=lambda bench: bench.spec.name)


@every_station
def test_tags_are_inventoried_each_once(bench: Bench) -> None:
    async def work(station: Station) -> None:
        for _ in range(2):
            found = await station.inventory(1.0)
            assert sorted(read.epc for read in found) == [EPC, OTHER_EPC]

    at_station(bench, Shelf(tag(), tag(OTHER_EPC)), work)


@every_station
def test_every_bank_is_read(bench: Bench) -> None:
    user = bytes(range(256))
    one = tag(user=user, access=PASSWORD)

    async def work(station: Station) -> None:
        await station.inventory(0.5)
        assert await station.read(EPC, Bank.TID, 0, 6) == TID
        assert await station.read(EPC, Bank.TID, 2, 1) == TID[4:6]
        assert await station.read(EPC, Bank.EPC, 0, 8) == bytes(one.epc_bank[:16])
        assert await station.read(EPC, Bank.EPC, EPC_FIRST_WORD, 6) == EPC
        assert await station.read(EPC, Bank.RESERVED, 2, 2) == PASSWORD.to_bytes(4, "big")
        assert await station.read(EPC, Bank.USER, 1, 120) == user[2:242]
        assert await station.read(EPC, Bank.USER, 0, 128, PASSWORD) == user

    at_station(bench, Shelf(one, tag(OTHER_EPC)), work)


@every_station
def test_memory_is_written_and_read_back(bench: Bench) -> None:
    one, other = tag(access=PASSWORD), tag(OTHER_EPC)
    shelf = Shelf(one, other)

    async def work(station: Station) -> None:
        await station.inventory(0.5)
        await station.write(EPC, Bank.USER, 2, b"\xbb\x7e\xff\xdd", PASSWORD)
        await station.write(EPC, Bank.RESERVED, 2, b"\x00\x00\x00\x09", PASSWORD)
        await station.write(EPC, Bank.EPC, EPC_FIRST_WORD, NEW_EPC)
        assert {read.epc for read in await station.inventory(1.0)} == {NEW_EPC, OTHER_EPC}
        assert await station.read(NEW_EPC, Bank.USER, 2, 2) == b"\xbb\x7e\xff\xdd"

    at_station(bench, shelf, work)
    assert epc_of(one) == NEW_EPC
    assert one.user[4:8] == b"\xbb\x7e\xff\xdd"
    assert one.reserved == bytes(7) + b"\x09"
    assert epc_of(other) == OTHER_EPC
    assert other.user == bytes(16)


@every_station
def test_an_epc_may_become_longer_and_shorter(bench: Bench) -> None:
    one = tag()

    async def work(station: Station) -> None:
        await station.inventory(0.5)
        await station.write(EPC, Bank.EPC, 1, b"\x40\x00" + bytes(range(16)))
        await station.write(bytes(range(16)), Bank.EPC, 1, b"\x10\x00\x12\x34\x56\x78")
        assert [read.epc for read in await station.inventory(0.5)] == [b"\x12\x34\x56\x78"]

    at_station(bench, Shelf(one), work)
    assert pc_bits_of(one) == 0x1000


def written(bench: Bench, shelf: Shelf, journal: Path, password: int = 0) -> Written:
    """What the command for writing EPCs makes of it."""
    made: list[Written] = []

    async def work(station: Station) -> None:
        made.append(
            await write_epc(
                station,
                EPC,
                NEW_EPC,
                journal=WriteJournal(journal),
                now_us=lambda: START_US,
                reader="desk",
                password=password,
            )
        )

    at_station(bench, shelf, work)
    return made[0]


@every_station
def test_the_command_writes_an_epc(bench: Bench, tmp_path: Path) -> None:
    one = tag(access=PASSWORD)
    made = written(bench, Shelf(one, tag(OTHER_EPC)), tmp_path / "journal", PASSWORD)
    assert (made.result, made.tid) == (Result.VERIFIED, TID.hex().upper())
    assert epc_of(one) == NEW_EPC


@every_station
def test_the_command_says_why_an_epc_was_not_written(bench: Bench, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    assert written(bench, Shelf(tag(locked=(Bank.EPC,))), journal).result is Result.FAILED
    assert written(bench, Shelf(tag(least_dbm=MUCH_POWER_DBM)), journal).result is Result.FAILED
    with pytest.raises(AccessError) as caught:
        written(bench, Shelf(tag(access=PASSWORD)), journal, 0x99)
    assert caught.value.fault is AccessFault.WRONG_PASSWORD


@every_station
def test_the_command_finds_out_what_became_of_an_open_write(bench: Bench, tmp_path: Path) -> None:
    shelf = Shelf(tag())
    shelf.on_memory = copy.deepcopy  # the tag says that it was written, and was not
    assert written(bench, shelf, tmp_path / "journal").result is Result.FAILED
    assert epc_of(shelf.tags[0]) == EPC


@every_station
def test_a_tag_that_is_not_there(bench: Bench) -> None:
    shelf = Shelf(tag(OTHER_EPC))
    assert reading_fails(bench, shelf, EPC, Bank.TID, 0, 2).fault is AccessFault.NO_TAG
    assert writing_fails(bench, shelf, EPC, Bank.USER, 0, b"\x12\x34").fault is AccessFault.NO_TAG
    assert reading_fails(bench, Shelf(), EPC, Bank.TID, 0, 2).fault is AccessFault.NO_TAG
    assert shelf.tags[0].user == bytes(16)


@every_station
def test_a_wrong_password(bench: Bench) -> None:
    one = tag(access=PASSWORD)
    for error in (
        reading_fails(bench, Shelf(one), EPC, Bank.USER, 0, 2, 0x99),
        writing_fails(bench, Shelf(one), EPC, Bank.USER, 0, b"\x12\x34", 0x99),
        writing_fails(bench, Shelf(one), EPC, Bank.EPC, EPC_FIRST_WORD, NEW_EPC, 0x99),
    ):
        assert error.fault is AccessFault.WRONG_PASSWORD, error
    assert epc_of(one) == EPC
    assert one.user == bytes(16)


@every_station
def test_memory_that_is_locked(bench: Bench) -> None:
    one = tag(locked=(Bank.EPC, Bank.USER, Bank.RESERVED))
    for error in (
        writing_fails(bench, Shelf(one), EPC, Bank.USER, 0, b"\x12\x34"),
        writing_fails(bench, Shelf(one), EPC, Bank.EPC, EPC_FIRST_WORD, NEW_EPC),
        reading_fails(bench, Shelf(one), EPC, Bank.RESERVED, 0, 2),
    ):
        assert error.fault is AccessFault.LOCKED, error
    assert epc_of(one) == EPC
    assert one.user == bytes(16)


@every_station
def test_memory_that_is_not_there(bench: Bench) -> None:
    for error in (
        reading_fails(bench, Shelf(tag()), EPC, Bank.USER, 6, 4),
        reading_fails(bench, Shelf(tag()), EPC, Bank.TID, 0, 12),
        reading_fails(bench, Shelf(tag()), EPC, Bank.USER, 200, 1),
        writing_fails(bench, Shelf(tag()), EPC, Bank.USER, 7, b"\x12\x34\x56\x78"),
    ):
        assert error.fault is AccessFault.OVERRUN, error


@every_station
def test_too_little_power_for_writing(bench: Bench) -> None:
    one = tag(least_dbm=MUCH_POWER_DBM)
    error = writing_fails(bench, Shelf(one), EPC, Bank.EPC, EPC_FIRST_WORD, NEW_EPC)
    assert error.fault is AccessFault.LOW_POWER, error
    assert epc_of(one) == EPC


@every_station
def test_a_tag_that_keeps_what_it_had_was_not_written(bench: Bench) -> None:
    shelf = Shelf(tag())
    shelf.on_memory = copy.deepcopy
    user = writing_fails(bench, shelf, EPC, Bank.USER, 0, b"\x12\x34")
    assert user.fault is AccessFault.LOST
    assert str(user).endswith("2 bytes were written, but it reads back as 0000")
    epc = writing_fails(bench, shelf, EPC, Bank.EPC, EPC_FIRST_WORD, NEW_EPC)
    assert epc.fault is AccessFault.LOST
    assert "12 bytes were written, but they cannot be read back: " in str(epc)


@every_station
def test_a_longer_epc_that_begins_alike_is_neither_read_nor_written(bench: Bench) -> None:
    longer = tag()
    for shelf in (Shelf(longer), Shelf(tag(EPC[:4]), longer)):
        assert reading_fails(bench, shelf, EPC[:4], Bank.USER, 0, 1).fault is AccessFault.SEVERAL_TAGS
        assert writing_fails(bench, shelf, EPC[:4], Bank.USER, 0, b"\x12\x34").fault is AccessFault.SEVERAL_TAGS
    assert longer.user == bytes(16)


@every_station
@pytest.mark.parametrize("data", [b"", b"\x01", bytes(66)])
def test_what_cannot_be_written_at_once_is_refused(bench: Bench, data: bytes) -> None:
    error = writing_fails(bench, Shelf(tag(user=bytes(128))), EPC, Bank.USER, 0, data)
    assert error.fault is AccessFault.UNSUPPORTED
    assert "whole words" in str(error)


@every_station
def test_an_epc_that_no_mask_can_hold(bench: Bench) -> None:
    for epc in (b"", bytes(64)):
        assert reading_fails(bench, Shelf(tag()), epc, Bank.TID, 0, 2).fault is AccessFault.UNSUPPORTED


@every_station
def test_a_tag_of_the_second_antenna(bench: Bench) -> None:
    one = tag()

    async def work(station: Station) -> None:
        [read] = await station.inventory(3.0)
        assert read.antenna_port == 2
        await station.write(EPC, Bank.USER, 0, b"\x12\x34")

    at_station(bench.of(antennas=[1, 2]), Shelf(one, antennas=[2]), work)
    assert one.user[:2] == b"\x12\x34"


@every_station
def test_the_link_may_go_and_closing_is_harmless(bench: Bench) -> None:
    async def scene() -> None:
        ours, theirs = linked()
        assert bench.spec.station is not None
        station = bench.spec.station(bench.spec.settings.model_validate(bench.settings), ours)
        await theirs.close()
        with pytest.raises(LinkError):
            await station.open()
        await station.close()

    run(scene())


@every_station
def test_a_reader_that_goes_away_meanwhile(bench: Bench) -> None:
    async def scene() -> None:
        ours, theirs = linked()
        twin = asyncio.create_task(bench.serve(theirs, Shelf(tag())))
        assert bench.spec.station is not None
        station = bench.spec.station(bench.spec.settings.model_validate(bench.settings), ours)
        await station.open()
        await station.inventory(0.5)
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        with pytest.raises(LinkError):
            await station.read(EPC, Bank.TID, 0, 2)
        with pytest.raises(LinkError):
            await station.inventory(60.0)
        await station.close()

    run(scene())


@pytest.mark.parametrize(
    ("word", "data", "after"),
    [
        (2, NEW_EPC, NEW_EPC),
        (2, b"\x12\x34", b"\x12\x34" + EPC[2:]),
        (1, b"\x10\x00\x12\x34\x56\x78", b"\x12\x34\x56\x78"),
        (1, b"\x08\x00", EPC[:2]),
        (1, b"\x40\x00", None),  # longer, by words that nobody told
        (8, b"\x12\x34", EPC),  # behind its EPC
        (20, b"\x12\x34", EPC),
        (0, b"\x00\x00\x00\x00", b""),
    ],
)
def test_the_epc_after_a_write(word: int, data: bytes, after: bytes | None) -> None:
    assert epc_after(EPC, word, data) == after


def test_the_strongest_read_of_a_tag_counts() -> None:
    heard = TagsHeard()
    for port, rssi_dbm in ((1, None), (2, -60.0), (3, -50.0), (1, -70.0), (4, None)):
        heard(TagReads.of(START_US, TagRead(EPC, port, rssi_dbm=rssi_dbm)))
    heard(Rejected("noise"))
    assert heard.tags == {EPC: TagRead(EPC, 3, rssi_dbm=-50.0)}


class Scripted:
    """Has the PC word of a tag, and then this; keeps what was written."""

    most_read_words, most_write_words, most_epc_bytes = 4, 2, 30

    def __init__(self, *answers: bytes | Exception, pc_bits: int = 0x3000) -> None:
        self.answers = list(answers)
        self.looked = 0
        self.kept: list[bytes] = []
        self._pc_bits = pc_bits

    async def read_once(self, tag: TagRead, bank: Bank, word: int, words: int, password: int) -> bytes:
        assert (tag.epc, password) == (EPC, 0)
        if (bank, word, words) == (Bank.EPC, 1, 1):
            self.looked += 1
            return self._pc_bits.to_bytes(2, "big")
        answer = self.answers.pop(0)
        await asyncio.sleep(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def write_once(self, tag: TagRead, bank: Bank, word: int, data: bytes, password: int) -> None:
        assert (tag.epc, password) == (EPC, 0)
        assert (bank is Bank.EPC) == (data == b"\0\0")
        assert word < len(EPC)
        self.kept.append(data)
        await asyncio.sleep(0)


def test_the_length_of_an_epc_is_looked_at_once() -> None:
    access = Scripted(b"\1\2\3\4\5\6\7\x08", b"\x09\x0a", b"\1\2")
    work = MemoryWork(access, TagsHeard())

    async def scene() -> None:
        assert await work.read(EPC, Bank.USER, 0, 5) == bytes(range(1, 11))
        assert await work.read(EPC, Bank.USER, 0, 1) == b"\1\2"
        assert access.looked == 1
        work.forget()
        access.answers.append(b"\3\4")
        assert await work.read(EPC, Bank.USER, 0, 1) == b"\3\4"
        assert access.looked == 2

    run(scene())


def test_a_tag_with_extended_protocol_words_is_taken_at_its_epc() -> None:
    access = Scripted(b"\1\2", pc_bits=0x3A00)
    assert run(MemoryWork(access, TagsHeard()).read(EPC, Bank.USER, 0, 1)) == b"\1\2"


def test_a_read_of_another_length_is_no_read() -> None:
    with pytest.raises(AccessError, match="2 words were asked, 2 bytes came: try again"):
        run(MemoryWork(Scripted(b"\1\2"), TagsHeard()).read(EPC, Bank.USER, 0, 2))


def test_a_read_leaves_nothing_open() -> None:
    access = Scripted(AccessError(AccessFault.LOST, "the tag fell silent"))
    with pytest.raises(AccessError, match="the tag fell silent") as caught:
        run(MemoryWork(access, TagsHeard()).read(EPC, Bank.USER, 0, 1))
    assert (caught.value.fault, caught.value.is_unknown) == (AccessFault.OTHER, False)


def test_a_write_that_nobody_could_read_back_is_open() -> None:
    access = Scripted(LinkError("gone"))
    with pytest.raises(AccessError, match="2 bytes were written, but they cannot be read back: gone") as caught:
        run(MemoryWork(access, TagsHeard()).write(EPC, Bank.USER, 0, b"\1\2"))
    assert caught.value.is_unknown
    assert access.kept == [b"\1\2"]


def test_an_empty_epc_and_a_stored_crc_are_not_read_back() -> None:
    access = Scripted()
    run(MemoryWork(access, TagsHeard()).write(EPC, Bank.EPC, 1, b"\0\0"))
    run(MemoryWork(access, TagsHeard()).write(EPC, Bank.EPC, 0, b"\0\0"))
    assert access.kept == [b"\0\0"] * 2


@every_station
def test_a_tag_that_has_just_gone(bench: Bench) -> None:
    shelf = Shelf(tag())
    shelf.on_memory = lambda _tag: None
    assert reading_fails(bench, shelf, EPC, Bank.USER, 0, 1).fault is AccessFault.NO_TAG
