from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.commissioning.tag_work import Result, WriteJournal, Written, choose, read_memory, read_tid, write_epc
from readers.access import WORD_BYTES, AccessError, AccessFault, Bank
from readers.observations import TagRead
from readers.ports.memory import run

OLD, NEW = bytes.fromhex("E20000000000000000000001"), bytes.fromhex("3074257BF7194E4000001A85")


class Field:
    """A station in front of real tag memory: what the protocol asks for, with faults on request."""

    def __init__(self, *epcs: bytes, tid: bytes = bytes.fromhex("E2801160200000AA11223344")) -> None:
        self.tags = [
            {
                Bank.EPC: bytearray(2) + (len(epc) // 2 << 11).to_bytes(2, "big") + epc + bytes(20),
                Bank.TID: bytearray(tid),
            }
            for epc in epcs
        ]
        self.writes = 0
        self.fault: AccessFault | None = None
        self.writes_all_the_same = False
        self.goes_away = False
        self.forgets_a_word = False

    def epc(self, tag: dict[Bank, bytearray]) -> bytes:
        return bytes(tag[Bank.EPC][4 : 4 + 2 * (tag[Bank.EPC][2] >> 3)])

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def inventory(self, within_s: float) -> Sequence[TagRead]:
        assert within_s > 0
        return [TagRead(self.epc(tag)) for tag in self.tags]

    def find(self, epc: bytes) -> dict[Bank, bytearray]:
        for tag in self.tags:
            if self.epc(tag) == epc:
                return tag
        raise AccessError(AccessFault.NO_TAG, "no tag answered")

    async def read(self, epc: bytes, bank: Bank, word: int, words: int, password: int = 0) -> bytes:
        assert not password
        memory = self.find(epc).get(bank, bytearray())
        end = WORD_BYTES * (word + words)
        if end > len(memory):
            raise AccessError(AccessFault.OVERRUN, f"the bank has {len(memory)} bytes")
        return bytes(memory[WORD_BYTES * word : end])

    async def write(self, epc: bytes, bank: Bank, word: int, data: bytes, password: int = 0) -> None:
        assert not password
        self.writes += 1
        tag = self.find(epc)
        if self.fault is None or self.writes_all_the_same:
            kept = data[:-2] + b"\0\0" if self.forgets_a_word else data
            tag[bank][2 * word : 2 * word + len(data)] = kept
        if self.goes_away:
            self.tags.clear()
        if self.fault is not None:
            raise AccessError(self.fault, "as asked for")


def write(
    field: Field, journal: Path, *, epc: bytes | None = None, new: bytes = NEW, low: int | None = None
) -> Written:
    return run(
        write_epc(field, epc, new, journal=WriteJournal(journal), now_us=lambda: 7, reader="desk", pc_low_bits=low)
    )


def entries(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_tag_gets_its_epc_and_it_is_read_back(tmp_path: Path) -> None:
    journal = tmp_path / "state" / "writes.jsonl"
    field = Field(OLD)
    written = write(field, journal)
    assert written.result is Result.VERIFIED
    assert field.epc(field.tags[0]) == NEW
    meant, outcome = entries(journal)
    assert (meant["step"], meant["old_epc"], meant["new_epc"]) == ("meant", OLD.hex().upper(), NEW.hex().upper())
    assert (outcome["step"], outcome["result"], outcome["tid"]) == ("outcome", "verified", "E2801160200000AA11223344")


@pytest.mark.parametrize("size", [2, 8, 16, 30])
def test_an_epc_of_another_length_changes_the_pc_word(tmp_path: Path, size: int) -> None:
    field = Field(OLD)
    new = bytes(range(1, size + 1))
    written = write(field, tmp_path / "j", new=new, low=0x1A9)
    assert written.result is Result.VERIFIED
    assert written.pc == f"{size // 2 << 11 | 0x1A9:04X}"
    assert field.epc(field.tags[0]) == new


def test_several_tags_are_a_question_not_a_guess(tmp_path: Path) -> None:
    field = Field(OLD, b"\x12\x34")
    with pytest.raises(AccessError, match="2 tags are here: 1234, E2") as error:
        write(field, tmp_path / "j")
    assert error.value.fault is AccessFault.SEVERAL_TAGS
    assert not field.writes
    assert not (tmp_path / "j").exists()
    assert write(field, tmp_path / "j", epc=OLD).result is Result.VERIFIED


def test_nothing_is_written_when_another_tag_has_that_epc(tmp_path: Path) -> None:
    field = Field(OLD, NEW)
    with pytest.raises(AccessError, match="another tag with EPC 3074"):
        write(field, tmp_path / "j", epc=OLD)
    assert not field.writes


def test_an_absent_tag(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="no tag is here; hold one"):
        write(Field(), tmp_path / "j")
    with pytest.raises(AccessError, match="no tag with EPC 3074257BF7194E4000001A85 is here; there is: E2"):
        run(choose(Field(OLD), NEW))


@pytest.mark.parametrize("new", [b"", b"\x01", bytes(64)])
def test_what_cannot_be_an_epc(tmp_path: Path, new: bytes) -> None:
    with pytest.raises(ValueError, match="1 to 31 whole words"):
        write(Field(OLD), tmp_path / "j", new=new)


@pytest.mark.parametrize(
    ("fault", "all_the_same", "away", "result"),
    [
        (AccessFault.LOCKED, False, False, Result.FAILED),
        (AccessFault.LOST, True, False, Result.VERIFIED),
        (AccessFault.LOST, False, False, Result.FAILED),
        (AccessFault.LOST, True, True, Result.UNKNOWN),
    ],
)
def test_what_became_of_a_write_that_was_not_confirmed(
    tmp_path: Path, *, fault: AccessFault, all_the_same: bool, away: bool, result: Result
) -> None:
    field = Field(OLD)
    field.fault, field.writes_all_the_same, field.goes_away = fault, all_the_same, away
    written = write(field, tmp_path / "j")
    assert (written.result, field.writes) == (result, 1)
    assert written.detail.startswith(f"{fault}: ")
    assert entries(tmp_path / "j")[-1]["result"] == result


def test_a_tag_that_keeps_only_a_part_is_not_taken_for_verified(tmp_path: Path) -> None:
    field = Field(OLD)
    field.forgets_a_word = True
    assert write(field, tmp_path / "j").result is Result.UNKNOWN


def test_no_record_no_write(tmp_path: Path) -> None:
    field = Field(OLD)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        write(field, tmp_path / "file" / "j")
    assert not field.writes


def test_memory_that_cannot_be_read_says_why() -> None:
    field = Field(OLD)
    good, bad = run(read_memory(field, OLD, [(Bank.TID, 0, 2), (Bank.USER, 0, 4)]))
    assert (good.data, good.trouble) == ("E2801160", "")
    assert (bad.data, bad.trouble) == (None, "overrun: the bank has 0 bytes")


def test_a_short_tid_is_taken_as_it_is() -> None:
    assert run(read_tid(Field(OLD, tid=bytes.fromhex("E2003412")), OLD)) == bytes.fromhex("E2003412")
    assert run(read_tid(Field(OLD, tid=b""), OLD)) is None
