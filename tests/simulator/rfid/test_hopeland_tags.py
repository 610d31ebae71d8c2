from __future__ import annotations

from readers.access import Bank
from readers.codecs.hopeland_access import WriteTag
from readers.codecs.hopeland_tags import ReadTags, Span, Tag
from readers.ports.memory import START_US
from simulator.device import TagMemory
from simulator.rfid.hopeland_tags import code_of_write, parsed, with_memory
from tests.support.shelf import Shelf, memory

EPC, TID = bytes.fromhex("30751FEB705C5904E3D50D70"), bytes.fromhex("E2801105200050D1B8FB0A8C")
PLAIN = Tag(EPC, 0x3000, 1)


def told(memory_: TagMemory, plan: ReadTags) -> Tag:
    shelf = Shelf(memory_)
    return with_memory(PLAIN, plan, shelf, shelf.heard(1, START_US, START_US + 100_000)[0])


def test_memory_that_was_asked_for_is_told_along() -> None:
    tag = memory(EPC, TID, b"\0\1\0\2", access=7)
    assert told(tag, ReadTags((1,))) == PLAIN
    found = told(tag, ReadTags((1,), tid_words=9, user=Span(1, 1), reserved=Span(2, 2), epc_bank=Span(1, 1)))
    assert (found.memory_result, found.tid, found.user_memory) == (0, TID, b"\0\2")
    assert (found.reserved_memory, found.epc_bank) == (b"\0\0\0\7", b"\x30\x00")


def test_why_memory_is_not_told() -> None:
    tag = memory(EPC, TID, bytes(4), access=7, locked={Bank.RESERVED})
    assert told(tag, ReadTags((1,), user=Span(0, 3))).memory_result == 4
    assert told(tag, ReadTags((1,), reserved=Span(0, 2))).memory_result == 3
    assert told(tag, ReadTags((1,), tid_words=1, password=9)).memory_result == 5
    shelf = Shelf(tag)
    shelf.on_memory = lambda _tag: None
    sighting = shelf.heard(1, START_US, START_US + 100_000)[0]
    assert with_memory(PLAIN, ReadTags((1,), tid_words=1), shelf, sighting).memory_result == 1


def code(tag: TagMemory | None, asked: WriteTag, power_dbm: int = 30) -> int:
    shelf = Shelf(tag) if tag is not None else Shelf()
    return code_of_write(shelf, shelf.heard(1, START_US, START_US + 100_000), parsed(asked.data()), power_dbm)


def test_codes_of_writes() -> None:
    tag = memory(EPC, TID, bytes(4), access=7, locked={Bank.USER}, least_write_dbm=20.0)
    assert code(tag, WriteTag(1, EPC, Bank.EPC, 2, b"\0\1", 7)) == 0
    tag = memory(EPC, TID, bytes(4), access=7, locked={Bank.USER}, least_write_dbm=20.0)
    assert code(tag, WriteTag(1, EPC, Bank.EPC, 2, b"\0\1", 9)) == 8
    assert code(tag, WriteTag(1, EPC, Bank.EPC, 2, b"\0\1"), 19) == 5
    assert code(tag, WriteTag(1, EPC, Bank.EPC, 9, b"\0\1")) == 6
    assert code(tag, WriteTag(1, EPC, Bank.USER, 0, b"\0\1")) == 7
    assert code(tag, WriteTag(1, EPC, 4, 0, b"\0\1")) == 3
    assert code(None, WriteTag(1, EPC, Bank.EPC, 2, b"\0\1")) == 10
    assert parsed(b"\x01") is None
