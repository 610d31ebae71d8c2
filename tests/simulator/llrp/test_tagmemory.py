from __future__ import annotations

import pytest

from simulator.device import Sighting, TagMemory
from simulator.llrp.codec import Bits, Node, node
from simulator.llrp.reports import gen2_crc
from simulator.llrp.tagmemory import EPC, RESERVED, USER, ReadResult, WriteResult, carry_out, epc_of, fits, of_sighting
from tests.simulator.llrp.client import read_op

ONE = bytes.fromhex("3034257BF7194E4000001A85")
BODY = b"\x30\x00" + ONE


def tag(access: int = 0, locked: tuple[int, ...] = ()) -> TagMemory:
    reserved = bytearray(4) + access.to_bytes(4)
    bank = bytearray(gen2_crc(BODY).to_bytes(2) + BODY)
    return TagMemory(bank, bytes(range(8)), bytearray(range(16)), reserved, frozenset(locked))


def write_op(
    bank: int = USER, word: int = 0, words: tuple[int, ...] = (0xCAFE,), password: int = 0, kind: str = "C1G2Write"
) -> Node:
    return node(kind, OpSpecID=7, AccessPassword=password, MB=bank, WordPointer=word, WriteData=words)


def result(memory: TagMemory | None, operation: Node, *, speaks_1_1: bool = True) -> int:
    made = carry_out(memory, operation, speaks_1_1=speaks_1_1)
    assert made.number("OpSpecID") == operation.number("OpSpecID")
    return made.number("Result")


def test_a_tag_of_which_only_reads_are_known() -> None:
    memory = of_sighting(Sighting(0, 1, ONE, -50.0, bytes(range(4)), user_memory=b"\x01\x02"))
    assert (bytes(memory.epc_bank[2:]), epc_of(memory), memory.tid, bytes(memory.user)) == (
        BODY,
        ONE,
        bytes(range(4)),
        b"\x01\x02",
    )
    assert result(memory, write_op()) == WriteResult.LOCKED
    assert of_sighting(Sighting(0, 1, ONE, -50.0, pc_bits=0x3400)).epc_bank[2:4] == b"\x34\x00"


def test_reading() -> None:
    made = carry_out(tag(), read_op(7, USER, 1, 2), speaks_1_1=False)
    assert (made.name, made.number("Result"), made.numbers("ReadData")) == (
        "C1G2ReadOpSpecResult",
        ReadResult.SUCCESS,
        (0x0203, 0x0405),
    )
    everything = carry_out(tag(), read_op(7, USER, 6, 0), speaks_1_1=False)  # 0 words: to the end of the bank
    assert everything.numbers("ReadData") == (0x0C0D, 0x0E0F)


@pytest.mark.parametrize(
    ("memory", "operation", "code"),
    [
        (None, read_op(), ReadResult.NO_RESPONSE),
        (tag(), read_op(words=5), ReadResult.OVERRUN),
        (tag(access=9), read_op(password=8), ReadResult.PASSWORD),
        (tag(locked=(RESERVED,)), read_op(bank=RESERVED), ReadResult.LOCKED),
        (tag(access=9), read_op(password=9), ReadResult.SUCCESS),
    ],
)
def test_reads_that_fail(memory: TagMemory | None, operation: Node, code: ReadResult) -> None:
    assert result(memory, operation) == code
    older = code if code < ReadResult.OVERRUN else ReadResult.TAG_ERROR
    assert result(memory, operation, speaks_1_1=False) == older


@pytest.mark.parametrize("kind", ["C1G2Write", "C1G2BlockWrite"])
def test_writing(kind: str) -> None:
    memory = tag()
    made = carry_out(memory, write_op(EPC, 2, (0xE200, 0x1122), kind=kind), speaks_1_1=False)
    assert (made.name, made.number("Result"), made.number("NumWordsWritten")) == (f"{kind}OpSpecResult", 0, 2)
    assert epc_of(memory) == bytes.fromhex("E2001122") + ONE[4:]


@pytest.mark.parametrize(
    ("memory", "operation", "code"),
    [
        (None, write_op(), WriteResult.NO_RESPONSE),
        (tag(), write_op(word=8), WriteResult.OVERRUN),
        (tag(locked=(USER,)), write_op(), WriteResult.LOCKED),
        (tag(), write_op(bank=2), WriteResult.LOCKED),
        (tag(access=9), write_op(password=8), WriteResult.PASSWORD),
    ],
)
def test_writes_that_fail_change_nothing(memory: TagMemory | None, operation: Node, code: WriteResult) -> None:
    before = bytes(memory.user) if memory else b""
    assert result(memory, operation) == code
    older = WriteResult.TAG_ERROR if code is WriteResult.PASSWORD else code
    assert result(memory, operation, speaks_1_1=False) == older
    assert (bytes(memory.user) if memory else b"") == before


@pytest.mark.parametrize(
    ("bit", "mask", "data", "expected"),
    [
        (32, "FFFF", "3034", True),
        (32, "FFFF", "3035", False),
        (32, "FFFE", "3035", True),
        (16, "F800", "3000", True),
        (16, "F800", "3800", False),
        (32, "", "", True),
        (112, "FFFFFFFF", "00001A85", False),  # beyond the end of the bank
        (96, "FFFFFFFF", "00001A85", True),
    ],
)
def test_patterns(bit: int, mask: str, data: str, expected: bool) -> None:  # noqa: FBT001  # a parameter of the test
    ones, bits = bytes.fromhex(mask), bytes.fromhex(data)
    assert fits(tag(), EPC, bit, Bits(8 * len(ones), ones), Bits(8 * len(bits), bits)) is expected


def test_a_pattern_may_end_inside_a_byte() -> None:
    assert fits(tag(), EPC, 33, Bits(3, b"\xe0"), Bits(3, b"\x60"))  # 0x30 from its second bit on: 011
