from __future__ import annotations

from readers.access import Bank
from readers.codecs.thingmagic import Opcode, Status
from readers.codecs.thingmagic_access import ReadTag, WriteTag
from readers.ports.memory import START_US
from simulator.device import TagMemory
from simulator.rfid.thingmagic_tags import work_on_tag
from tests.support.shelf import Shelf, memory

EPC = bytes.fromhex("30751FEB705C5904E3D50D70")


def done(tag: TagMemory | None, asked: ReadTag | WriteTag | bytes, write_power: int = 3_000) -> tuple[Status, bytes]:
    shelf = Shelf(tag) if tag is not None else Shelf()
    opcode = Opcode.WRITE_TAG_DATA if isinstance(asked, WriteTag) else Opcode.READ_TAG_DATA
    data = asked if isinstance(asked, bytes) else asked.data()
    return work_on_tag(shelf, shelf.heard(1, START_US, START_US + 100_000), opcode, data, write_power)


def test_words_are_read_and_written() -> None:
    tag = memory(EPC, user=bytes(4))
    assert done(tag, WriteTag(EPC, Bank.USER, 1, b"\x12\x34")) == (Status.SUCCESS, b"")
    assert done(tag, ReadTag(EPC, Bank.USER, 0, 2)) == (Status.SUCCESS, bytes.fromhex("11 0000 0000 1234"))


def test_what_a_tag_refuses() -> None:
    tag = memory(EPC, user=bytes(4), access=7, locked={Bank.USER}, least_write_dbm=20.0)
    assert done(tag, ReadTag(EPC, Bank.USER, 1, 2)) == (Status.OVERRUN, b"")
    assert done(tag, ReadTag(EPC, Bank.USER, 0, 1, 9)) == (Status.TAG_ERROR, b"")
    assert done(tag, WriteTag(EPC, Bank.USER, 0, b"\x12\x34")) == (Status.LOCKED, b"")
    assert done(tag, WriteTag(EPC, Bank.EPC, 2, b"\x12\x34"), 1_999) == (Status.LOW_POWER, b"")


def test_no_tag_and_no_command() -> None:
    assert done(None, ReadTag(EPC, Bank.USER, 0, 1)) == (Status.NO_TAGS, b"")
    assert done(memory(EPC), ReadTag(EPC, 4, 0, 1)) == (Status.BAD_PARAMETER, b"")
    assert done(memory(EPC), b"\x03\xe8") == (Status.WRONG_DATA, b"")
    assert done(memory(EPC), b"\x03\xe8\x00" + bytes(20)) == (Status.BAD_PARAMETER, b"")
