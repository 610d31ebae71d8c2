from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.access import AccessFault
from readers.codecs.cf import Status
from readers.codecs.cf_access import Answer, TagStatus, Work, fault_of, mask_of, mask_parameters
from readers.errors import FrameError

BYTE, WORD, PASSWORDS = st.integers(0, 255), st.integers(0, 65_535), st.integers(0, 2**32 - 1)
WORDS = st.integers(0, 60).flatmap(lambda words: st.binary(min_size=2 * words, max_size=2 * words))
ANSWERS = st.builds(Answer, BYTE, BYTE, WORD, WORD, st.binary(max_size=62), WORDS)


@given(st.builds(Work, BYTE, WORD, BYTE, PASSWORDS))
def test_a_read_comes_back(asked: Work) -> None:
    assert Work.parse(asked.parameters()) == asked


@given(BYTE, WORD, PASSWORDS, WORDS)
def test_a_write_comes_back(bank: int, word: int, password: int, data: bytes) -> None:
    asked = Work(bank, word, len(data) // 2, password, data)
    assert Work.parse(asked.parameters()) == asked


@given(ANSWERS)
def test_an_answer_comes_back(answer: Answer) -> None:
    assert Answer.parse(answer.data()) == answer


def test_requests_as_the_manual_draws_them() -> None:
    assert Work(3, 1, 4, 0x11223344).parameters() == bytes.fromhex("00 11223344 03 0001 04")
    assert Work(1, 2, 1, 0, b"\xab\xcd").parameters() == bytes.fromhex("00 00000000 01 0002 01 ABCD")
    assert mask_parameters(b"\x12\x34") == bytes.fromhex("0000 10 1234")
    assert mask_parameters(b"") == bytes(3)
    answer = Answer.parse(bytes.fromhex("00 01 ABCD 0800 02 1234 01 5678"))
    assert answer == Answer(TagStatus.DONE, 1, 0xABCD, 0x0800, b"\x12\x34", b"\x56\x78")


@given(st.binary(max_size=31))
def test_a_mask_comes_back(epc: bytes) -> None:
    assert mask_of(mask_parameters(epc)) == epc


@pytest.mark.parametrize("raw", ["", "0000 10 12", "0001 08 12", "0000 07 12", "0000 00 12"])
def test_masks_that_are_not_played_are_refused(raw: str) -> None:
    with pytest.raises(FrameError):
        mask_of(bytes.fromhex(raw))


@given(st.binary(max_size=60))
def test_hostile_data_raise_frame_errors_only(data: bytes) -> None:
    for parse in (Work.parse, Answer.parse, mask_of):
        try:
            parse(data)
        except FrameError as error:
            assert error.reason in ("length", "range")  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("status", "tag_status", "fault"),
    [
        (Status.ROUND_END, 0, AccessFault.NO_TAG),
        (Status.WRONG_PASSWORD, 0, AccessFault.WRONG_PASSWORD),
        (Status.TAG_TIMEOUT, 0, AccessFault.LOST),
        (Status.PARAMETER, 0, AccessFault.UNSUPPORTED),
        (Status.DONE, 0x82, AccessFault.OVERRUN),
        (Status.DONE, 0x83, AccessFault.LOCKED),
        (Status.DONE, 0x84, AccessFault.LOW_POWER),
        (Status.DONE, 0x85, AccessFault.OTHER),
        (0x99, 0, AccessFault.OTHER),
        (None, 0, AccessFault.OTHER),
    ],
)
def test_what_the_statuses_say_of_the_tag(status: int | None, tag_status: int, fault: AccessFault) -> None:
    assert fault_of(status, tag_status) is fault
