from __future__ import annotations

from readers.access import Bank
from readers.codecs.cf import Status
from readers.codecs.cf_access import Answer, TagStatus, Work
from readers.ports.memory import START_US
from simulator.device import TagMemory
from simulator.rfid.cf_tags import answers_of
from tests.support.shelf import Shelf, memory

EPC, OTHER = bytes.fromhex("30751FEB705C5904E3D50D70"), b"\x12\x34"


def done(*tags: TagMemory, asked: Work | bytes, power_dbm: int = 30) -> list[tuple[int, Answer | None]]:
    shelf = Shelf(*tags)
    parameters = asked if isinstance(asked, bytes) else asked.parameters()
    is_write = isinstance(asked, Work) and bool(asked.data)
    heard = shelf.heard(1, START_US, START_US + 100_000)
    found = answers_of(shelf, heard, parameters, power_dbm, is_write=is_write)
    return [(status, Answer.parse(data) if data else None) for status, data in found]


def tag_status(tag: TagMemory, asked: Work, power_dbm: int = 30) -> int:
    [(status, answer)] = done(tag, asked=asked, power_dbm=power_dbm)
    assert status == Status.DONE
    assert answer is not None
    return answer.tag_status


def test_every_tag_answers_for_itself() -> None:
    tags = [memory(EPC, user=b"\0\1"), memory(OTHER, user=b"\0\2")]
    answers = [answer for _, answer in done(*tags, asked=Work(Bank.USER, 0, 1)) if answer]
    assert [(each.epc, each.pc_bits, each.words) for each in answers] == [
        (EPC, 0x3000, b"\0\1"),
        (OTHER, 0x0800, b"\0\2"),
    ]
    done(*tags, asked=Work(Bank.USER, 0, 1, 0, b"\0\3"))
    assert [tag.user for tag in tags] == [b"\0\3", b"\0\3"]


def test_what_a_tag_refuses() -> None:
    tag = memory(EPC, user=bytes(4), access=7, locked={Bank.USER}, least_write_dbm=20.0)
    assert tag_status(tag, Work(Bank.USER, 1, 2)) == TagStatus.OVERRUN
    assert tag_status(tag, Work(Bank.USER, 0, 1, 0, b"\0\1")) == TagStatus.LOCKED
    assert tag_status(tag, Work(Bank.EPC, 2, 1, 0, b"\0\1"), 19) == TagStatus.LOW_POWER
    assert done(tag, asked=Work(Bank.USER, 0, 1, 9)) == [(Status.WRONG_PASSWORD, None)]


def test_no_tag_and_no_command() -> None:
    assert done(asked=Work(Bank.USER, 0, 1)) == []
    assert done(memory(EPC), asked=Work(4, 0, 1)) == [(Status.PARAMETER, None)]
    assert done(memory(EPC), asked=b"\x00") == [(Status.PARAMETER, None)]
    assert done(memory(EPC), asked=Work(Bank.USER, 0, 1, 0, b"\0\1").parameters()) == [(Status.PARAMETER, None)]
