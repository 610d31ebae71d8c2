from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.access import AccessFault, Bank
from readers.codecs.m100 import pc_bits_for
from readers.codecs.m100_access import Access, Query, Select, TagAnswer, fault_of
from readers.errors import FrameError

EPC = bytes.fromhex("30751FEB705C5904E3D50D70")
BANKS = st.sampled_from(Bank)


@st.composite
def selects(draw: st.DrawFn) -> Select:
    bits = draw(st.integers(0, 255))
    mask = draw(st.binary(min_size=-(-bits // 8), max_size=-(-bits // 8)))
    pointer_bits = draw(st.integers(0, 0xFFFFFFFF))
    flag, action = draw(st.integers(0, 7)), draw(st.integers(0, 7))
    return Select(draw(BANKS), pointer_bits, mask, bits, flag, action, draw(st.booleans()))


@given(selects())
def test_a_select_is_read_as_it_was_written(select: Select) -> None:
    assert Select.parse(select.parameters()) == select


@given(st.integers(0, 0xFFFF))
def test_every_query_word_is_read_as_it_was_written(word: int) -> None:
    raw = (word & 0xFFF8).to_bytes(2, "big")  # the last three bits mean nothing
    assert Query.parse(raw).parameters() == raw


@given(
    BANKS, st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.binary(max_size=64).filter(lambda d: not len(d) % 2)
)
def test_memory_commands_are_read_as_they_were_written(bank: Bank, word: int, password: int, data: bytes) -> None:
    write = Access(bank, word, len(data) // 2, password, data)
    assert Access.parse(write.parameters(), is_write=True) == write
    read = Access(bank, word, 0xFFFF, password)
    assert Access.parse(read.parameters(), is_write=False) == read


@given(st.binary(max_size=62).filter(lambda epc: not len(epc) % 2), st.binary(max_size=64))
def test_answers_are_read_as_they_were_written(epc: bytes, data: bytes) -> None:
    answer = TagAnswer(pc_bits_for(epc), epc, data)
    if data:
        assert TagAnswer.parse(answer.parameters()) == answer
    xpc = TagAnswer(pc_bits_for(b"\x00\x04" + epc) & 0xFFFF | 0x0200, epc, b"\x00", b"\x00\x04")
    if len(epc) < 62:
        assert TagAnswer.parse(xpc.parameters()) == xpc


@given(st.binary(max_size=80))
def test_hostile_parameters_raise_frame_errors_only(parameters: bytes) -> None:
    def parse_write(data: bytes) -> Access:
        return Access.parse(data, is_write=True)

    def parse_read(data: bytes) -> Access:
        return Access.parse(data, is_write=False)

    for parse in (Select.parse, Query.parse, TagAnswer.parse, parse_write, parse_read):
        try:
            parse(parameters)
        except FrameError as error:
            assert error.reason in ("length", "range")  # noqa: PT017 - either outcome is right
    assert fault_of(parameters) in AccessFault


def test_published_parameters() -> None:
    """Unit RFID-UHF protocol (M5Stack): Select 2.5, Query 2.13, read 2.8, write 2.9."""
    select = Select.parse(bytes.fromhex("01 00 00 00 20 60 00") + EPC)
    assert select == Select(Bank.EPC, 32, EPC, 96)
    assert Query.parse(bytes.fromhex("1020")) == Query(session=0, target=0, q=4)
    assert Access(Bank.USER, 0, 2, 0xFFFF).parameters() == bytes.fromhex("00 00 FF FF 03 00 00 00 02")
    write = Access(Bank.USER, 0, 2, 0xFFFF, bytes.fromhex("12345678"))
    assert write.parameters() == bytes.fromhex("00 00 FF FF 03 00 00 00 02 12 34 56 78")
    answer = TagAnswer.parse(bytes.fromhex("0E 34 00") + EPC + bytes.fromhex("12 34 56 78"))
    assert answer == TagAnswer(0x3400, EPC, bytes.fromhex("12345678"))


def test_captured_answers_of_tags_with_other_lengths() -> None:
    """Captures in public repositories: an EPC of 8 bytes with its TID, and one of 28 bytes that was written."""
    short = TagAnswer.parse(bytes.fromhex("0A 24 00 11 11 00 00 00 02 11 22 E2 80 11 0C 20 00 33 46 35 A8 00 00"))
    assert (short.epc.hex(), short.data.hex()) == ("1111000000021122", "e280110c2000334635a80000")
    long = TagAnswer.parse(bytes.fromhex("1E 70 70 70 00 89 88 99 95 31 10 00 62 20 90") + bytes(17))
    assert (len(long.epc), long.data) == (28, b"\x00")


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ("09", AccessFault.NO_TAG),
        ("10", AccessFault.NO_TAG),
        ("15", AccessFault.NO_TAG),
        ("09 04 08 00 12 34", AccessFault.LOST),
        ("10 04 08 00 12 34", AccessFault.LOST),
        ("16 04 08 00 12 34", AccessFault.WRONG_PASSWORD),
        ("A3 04 08 00 12 34", AccessFault.OVERRUN),
        ("B4", AccessFault.LOCKED),
        ("BB", AccessFault.LOW_POWER),
        ("E3", AccessFault.OVERRUN),
        ("AF", AccessFault.OTHER),
        ("17", AccessFault.UNSUPPORTED),
        ("20", AccessFault.OTHER),
        ("", AccessFault.OTHER),
    ],
)
def test_errors_say_why(error: str, fault: AccessFault) -> None:
    assert fault_of(bytes.fromhex(error)) is fault


def test_a_bank_that_does_not_exist_is_refused() -> None:
    with pytest.raises(FrameError, match="range: bank 4"):
        Access.parse(bytes.fromhex("00 00 00 00 04 00 00 00 02"), is_write=False)
