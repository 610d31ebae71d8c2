from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.access import AccessFault, Bank
from readers.codecs.hopeland_access import WriteTag, read_fault, reading, words_of, write_fault
from readers.codecs.hopeland_tags import ReadTags, Span, Tag
from readers.errors import FrameError

EPC = bytes.fromhex("30751FEB705C5904E3D50D70")
WORDS = st.integers(1, 32).flatmap(lambda words: st.binary(min_size=2 * words, max_size=2 * words))


@given(
    st.builds(
        WriteTag,
        st.integers(1, 8),
        st.binary(max_size=30),
        st.integers(0, 255),
        st.integers(0, 65_535),
        WORDS,
        st.integers(0, 2**32 - 1),
    )
)
def test_a_write_comes_back(asked: WriteTag) -> None:
    assert WriteTag.parse(asked.data()) == asked


def test_a_write_by_the_rules_of_the_makers_library() -> None:
    asked = WriteTag(2, b"\x12\x34", Bank.USER, 1, b"\xab\xcd", 0x11223344)
    assert asked.data() == bytes.fromhex("02 03 0001 0002 ABCD 01 0006 01 0020 10 1234 02 11223344")


@pytest.mark.parametrize(
    "raw",
    [
        "02 03 0001 0002 AB",
        "02 03 0001 0001 AB 01 0006 01 0020 10 1234",
        "02 03 0001 0000 01 0006 01 0020 10 1234",
        "03 03 0001 0002 ABCD 01 0006 01 0020 10 1234",
        "02 03 0001 0002 ABCD",
        "02 03 0001 0002 ABCD 01 0006 01 0020 10 1234 03",
    ],
)
def test_writes_that_are_not_played_are_refused(raw: str) -> None:
    with pytest.raises(FrameError):
        WriteTag.parse(bytes.fromhex(raw))


def test_each_bank_is_asked_for_in_its_own_way() -> None:
    plain = ReadTags((1,), is_continuous=False, epc=EPC)
    assert reading(1, EPC, Bank.TID, 2, 4) == plain.with_memory(tid_words=6)
    assert reading(1, EPC, Bank.USER, 2, 4) == plain.with_memory(user=Span(2, 4))
    assert reading(1, EPC, Bank.RESERVED, 2, 2) == plain.with_memory(reserved=Span(2, 2))
    assert reading(1, EPC, Bank.EPC, 1, 7) == plain
    assert reading(1, EPC, Bank.EPC, 0, 8) == plain.with_memory(epc_bank=Span(0, 8))
    assert reading(1, EPC, Bank.EPC, 1, 1, 9) == ReadTags((1,), is_continuous=False, epc=EPC, password=9, tid_words=1)


def test_words_that_were_told() -> None:
    tag = Tag(EPC, 0x3000, 1, tid=b"\1\2\3\4", user_memory=b"\5\6", reserved_memory=b"\7\x08", epc_bank=b"\x09\x0a")
    assert words_of(tag, Bank.EPC, 1, 2) == b"\x30\x00" + EPC[:2]
    assert words_of(tag, Bank.EPC, 0, 1) == b"\x09\x0a"
    assert words_of(tag, Bank.TID, 1, 1) == b"\3\4"
    assert words_of(tag, Bank.TID, 1, 2) == b"\3\4"  # as far as it goes
    assert words_of(tag, Bank.USER, 0, 1) == b"\5\6"
    assert words_of(tag, Bank.RESERVED, 0, 1) == b"\7\x08"
    assert words_of(Tag(EPC, 0x3000, 1), Bank.TID, 0, 1) is None
    assert words_of(Tag(EPC, 0x3000, 1), Bank.USER, 0, 1) is None


def test_what_results_and_codes_say_of_the_tag() -> None:
    assert [read_fault(result) for result in (1, 3, 4, 5, 6)] == [
        AccessFault.NO_TAG,
        AccessFault.LOCKED,
        AccessFault.OVERRUN,
        AccessFault.WRONG_PASSWORD,
        AccessFault.OTHER,
    ]
    assert [write_fault(bytes([code])) for code in (3, 4, 5, 6, 7, 8, 9, 10)] == [
        AccessFault.UNSUPPORTED,
        AccessFault.LOST,
        AccessFault.LOW_POWER,
        AccessFault.OVERRUN,
        AccessFault.LOCKED,
        AccessFault.WRONG_PASSWORD,
        AccessFault.OTHER,
        AccessFault.LOST,
    ]
    assert write_fault(b"") is AccessFault.LOST


@given(st.binary(max_size=60))
def test_hostile_data_raise_frame_errors_only(data: bytes) -> None:
    try:
        WriteTag.parse(data)
    except FrameError as error:
        assert error.reason in ("length", "range")  # noqa: PT017 - either outcome is right
