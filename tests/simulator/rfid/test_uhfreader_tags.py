from __future__ import annotations

import pytest

from readers.access import Bank
from readers.codecs.uhfreader import Command, Status
from readers.codecs.uhfreader_access import ReadRequest, WriteRequest
from readers.ports.memory import START_US
from simulator.device import TagMemory
from simulator.rfid.uhfreader_tags import Answer, TagsInReach, chosen
from tests.support.shelf import Shelf, memory

EPC = bytes.fromhex("30751FEB705C5904E3D50D70")


def answer(tag: TagMemory | None, command: Command, parameters: bytes, power_dbm: int = 30) -> Answer:
    shelf = Shelf(tag) if tag is not None else Shelf()
    return TagsInReach(shelf, shelf.heard(1, START_US, START_US + 100_000), power_dbm).answer(command, parameters)


def reads(tag: TagMemory | None, bank: int, word: int, words: int, password: int = 0) -> Answer:
    return answer(tag, Command.READ, ReadRequest(EPC[:4], bank, word, words, password).parameters())


def test_words_are_read_and_written() -> None:
    tag = memory(EPC, user=bytes(4))
    assert answer(tag, Command.WRITE, WriteRequest(EPC, Bank.USER, 1, b"\x12\x34").parameters()) == (Status.DONE, b"")
    assert reads(tag, Bank.USER, 0, 2) == (Status.DONE, b"\0\0\x12\x34")


def test_what_a_tag_refuses() -> None:
    tag = memory(EPC, user=bytes(4), access=7, locked={Bank.USER}, least_write_dbm=20.0)
    assert reads(tag, Bank.USER, 1, 2) == (Status.TAG_ERROR, b"\x03")
    assert reads(tag, Bank.USER, 0, 1, 9) == (Status.PASSWORD, b"")
    write = WriteRequest(EPC, Bank.USER, 0, b"\x12\x34").parameters()
    assert answer(tag, Command.WRITE, write) == (Status.TAG_ERROR, b"\x04")
    write = WriteRequest(EPC, Bank.EPC, 2, b"\x12\x34").parameters()
    assert answer(tag, Command.WRITE, write, 19) == (Status.TAG_ERROR, b"\x0b")


def test_no_tag_and_no_command() -> None:
    assert reads(None, Bank.USER, 0, 1) == (Status.NO_TAG, b"")
    assert reads(memory(EPC), 4, 0, 1) == (Status.PARAMETER, b"")
    assert reads(memory(EPC), Bank.EPC, 0, 0) == (Status.PARAMETER, b"")
    assert reads(memory(EPC), Bank.EPC, 0, 121) == (Status.PARAMETER, b"")
    assert answer(memory(EPC), Command.READ, b"\x01") == (Status.LENGTH, b"")
    too_much = WriteRequest(EPC, Bank.USER, 0, bytes(66)).parameters()
    assert answer(memory(EPC), Command.WRITE, too_much) == (Status.PARAMETER, b"")


@pytest.mark.parametrize(("raw", "antennas"), [("8A", (2, 4)), ("01 01 00", ()), ("80", ()), ("01 02", ())])
def test_antennas_that_are_there(raw: str, antennas: tuple[int, ...]) -> None:
    assert chosen(bytes.fromhex(raw), 4) == antennas
