from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.access import AccessFault
from readers.codecs.thingmagic import Decoder, Frame, Opcode, Speaker, Status, encode
from readers.codecs.thingmagic_access import ReadTag, WriteTag, fault_of, read_answer, words_in
from readers.errors import FrameError

EPCS = st.binary(max_size=62)
WORDS = st.integers(1, 32).flatmap(lambda words: st.binary(min_size=2 * words, max_size=2 * words))
BYTE, LONG, TIMES = st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(0, 65_535)
# From a published table of this protocol's commands: reserved memory of one tag, chosen by its EPC.
PUBLISHED = "FF 1C 28 03 E8 11 00 00 00 00 00 00 00 00 00 00 00 00 60 98 12 AB 32 FF 00 02 06 05 E4 01 F6 BA 85"


@given(st.builds(ReadTag, EPCS, BYTE, LONG, BYTE, LONG, TIMES))
def test_a_read_comes_back(asked: ReadTag) -> None:
    assert ReadTag.parse(asked.data()) == asked


@given(st.builds(WriteTag, EPCS, BYTE, LONG, WORDS, LONG, TIMES))
def test_a_write_comes_back_and_fits_into_a_frame(asked: WriteTag) -> None:
    assert WriteTag.parse(asked.data()) == asked
    assert encode(Frame(Opcode.WRITE_TAG_DATA, asked.data()))


def test_the_published_read() -> None:
    asked = ReadTag(bytes.fromhex("9812AB32FF00020605E401F6"), 0, 0, 0)
    assert encode(Frame(Opcode.READ_TAG_DATA, asked.data())) == bytes.fromhex(PUBLISHED)
    [frame] = Decoder(Speaker.HOST).feed(bytes.fromhex(PUBLISHED))
    assert ReadTag.parse(frame.data) == asked


def test_a_write_by_the_rules_of_the_makers_library() -> None:
    asked = WriteTag(b"\x12\x34", 3, 1, b"\xab\xcd", 0x11223344)
    assert asked.data() == bytes.fromhex("03E8 01 00000001 03 11223344 10 1234 ABCD")
    assert WriteTag(bytes(32), 3, 1, b"\xab\xcd").data()[2] == 0x21  # the length has two bytes


def test_the_answer_to_a_read() -> None:
    answer = read_answer(ReadTag(b"\x12\x34", 1, 1, 1), b"\x30\x00")
    assert answer == bytes.fromhex("11 0000 3000")
    assert words_in(answer) == b"\x30\x00"
    with pytest.raises(FrameError, match="2 bytes answer a read"):
        words_in(b"\x11\x00")


@given(st.binary(max_size=60))
def test_hostile_data_raise_frame_errors_only(data: bytes) -> None:
    for parse in (ReadTag.parse, WriteTag.parse, words_in):
        try:
            parse(data)
        except FrameError as error:
            assert error.reason in ("length", "range")  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    "raw",
    [
        "03E8 00 00000000 03 00000000 10 1234 ABCD",
        "03E8 01 00000000 03 00000000 09 1234 ABCD",
        "03E8 01 00000000 03 00000000 10 1234 AB",
        "03E8 01 00000000 03 00000000 10 1234",
    ],
)
def test_writes_that_are_not_played_are_refused(raw: str) -> None:
    with pytest.raises(FrameError):
        WriteTag.parse(bytes.fromhex(raw))


@pytest.mark.parametrize(
    "raw", ["03E8 00 0000 03 00000000 01 00000000 10 1234", "03E8 11 0000 03 00000000 01 00000000 10 123456"]
)
def test_reads_that_are_not_played_are_refused(raw: str) -> None:
    with pytest.raises(FrameError):
        ReadTag.parse(bytes.fromhex(raw))


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (Status.NO_TAGS, AccessFault.NO_TAG),
        (Status.WRITE_FAILED, AccessFault.LOST),
        (Status.OVERRUN, AccessFault.OVERRUN),
        (Status.LOCKED, AccessFault.LOCKED),
        (Status.LOW_POWER, AccessFault.LOW_POWER),
        (Status.UNKNOWN_OPCODE, AccessFault.UNSUPPORTED),
        (Status.BAD_PASSWORD, AccessFault.WRONG_PASSWORD),
        (0x0420, AccessFault.OTHER),
    ],
)
def test_what_a_status_says_of_the_tag(status: int, fault: AccessFault) -> None:
    assert fault_of(status) is fault
