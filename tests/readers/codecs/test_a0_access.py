from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.a0 import Decoder, Frame, encode
from readers.codecs.a0_access import MATCH_NOTHING, AccessAnswer, ReadRequest, WriteRequest, match
from readers.errors import FrameError

EVEN = st.binary(max_size=62).filter(lambda data: len(data) % 2 == 0)
PASSWORDS = st.integers(0, 0xFFFFFFFF)
EPC = bytes.fromhex("112233445566778899 00AABB")
ANSWERS = st.builds(
    AccessAnswer,
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    EVEN,
    words=EVEN,
    antenna=st.integers(1, 8),
    frequency_index=st.integers(0, 63),
    times=st.integers(0, 127),
) | st.builds(AccessAnswer, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), EVEN, result=st.integers(0, 255))


@given(st.builds(ReadRequest, st.integers(0, 3), st.integers(0, 255), st.integers(0, 255), PASSWORDS))
def test_a_read_request_is_read_as_it_was_written(request: ReadRequest) -> None:
    assert ReadRequest.parse(request.data()) == request


@given(st.builds(WriteRequest, st.integers(0, 3), st.integers(0, 255), EVEN.filter(bool), PASSWORDS))
def test_a_write_request_is_read_as_it_was_written(request: WriteRequest) -> None:
    assert WriteRequest.parse(request.data()) == request


@given(ANSWERS)
def test_an_answer_is_read_as_it_was_written(answer: AccessAnswer) -> None:
    assert AccessAnswer.parse(answer.data(), is_read=answer.result is None) == answer


def test_an_old_read_request_has_no_password() -> None:
    assert ReadRequest.parse(b"\x02\x00\x06") == ReadRequest(2, 0, 6)


def test_published_match_and_write() -> None:
    assert encode(Frame(1, 0x85, match(EPC))) == bytes.fromhex(
        "A0 11 01 85 00 0C 11 22 33 44 55 66 77 88 99 00 AA BB 5B"
    )
    write = WriteRequest(1, 2, b"\xcc\xdd")
    assert encode(Frame(1, 0x94, write.data())) == bytes.fromhex("A0 0C 01 94 00 00 00 00 01 02 01 CC DD 12")
    assert MATCH_NOTHING == b"\x01"


def test_a_published_answer_to_a_read() -> None:
    """From the test of a second implementation (rust-invelion), recorded from a reader."""
    raw = "A0 21 01 81 00 01 18 30 00 30 39 60 62 C3 95 0D 40 00 11 B8 97 CD 0B E2 80 68 90 20 00 50 01 08 0B 01 8D"
    [frame] = Decoder().feed(bytes.fromhex(raw))
    assert AccessAnswer.parse(frame.data, is_read=True) == AccessAnswer(
        1, 0x3000, bytes.fromhex("30396062C3950D400011B897"), bytes.fromhex("E280689020005001"), None, 4, 2, 1
    )


def test_an_rssi_behind_the_words_is_no_word() -> None:
    data = bytearray(AccessAnswer(1, 0x3000, EPC, b"\x12\x34").data())
    data[2] += 1
    data[-3] += 1
    data.insert(-3, 0x45)
    assert AccessAnswer.parse(bytes(data), is_read=True).words == b"\x12\x34"


@given(st.binary(max_size=80), st.booleans())
def test_hostile_data_raise_frame_errors_only(data: bytes, is_read: bool) -> None:  # noqa: FBT001 - drawn
    for parse in (ReadRequest.parse, WriteRequest.parse, lambda data: AccessAnswer.parse(data, is_read=is_read)):
        try:
            parse(data)
        except FrameError as error:
            assert error.reason in ("length", "air_crc")  # noqa: PT017 - either outcome is right


def test_a_garbled_tag_is_caught_by_its_own_crc() -> None:
    data = bytearray(AccessAnswer(1, 0x3000, EPC).data())
    data[6] ^= 1
    with pytest.raises(FrameError, match="air_crc"):
        AccessAnswer.parse(bytes(data), is_read=True)


def test_an_epc_that_is_too_long_to_match() -> None:
    with pytest.raises(FrameError, match="an EPC of 64 bytes; the reader matches at most 62"):
        match(bytes(64))
