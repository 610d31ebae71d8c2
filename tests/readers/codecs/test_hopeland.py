from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.hopeland import (
    MAX_DATA_BYTES,
    MAX_FRAME_BYTES,
    Ability,
    Decoder,
    Frame,
    Kind,
    ReaderInfo,
    crc16,
    encode,
    time_data,
    time_us,
)
from readers.errors import FrameError
from tests.support.codec_properties import (
    comes_back,
    is_counted_as,
    noise_hides_no_frame,
    slicing_never_matters,
    truncated_is_no_frame,
)

FRAMES = st.builds(
    Frame, st.sampled_from(list(Kind)), st.integers(0, 255), st.binary(max_size=MAX_DATA_BYTES), st.booleans()
)
SHORT = st.builds(Frame, st.sampled_from(list(Kind)), st.integers(0, 255), st.binary(max_size=40), st.booleans())
LOGGED_INFO = bytes.fromhex("00 01 00 13 00 10 43 4C 37 32 30 36 43 5F 32 30 31 37 30 36 30 32 23 EF AF DF")


def crc_by_bits(data: bytes) -> int:
    """The checksum from its definition."""
    value = 0
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = value << 1 ^ 0x18005 if value & 0x8000 else value << 1
    return value


@given(st.binary(max_size=100))
def test_the_checksum_is_that_of_its_definition(data: bytes) -> None:
    assert crc16(data) == crc_by_bits(data)


@given(FRAMES)
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    comes_back(Decoder(), encode(frame), frame)


@given(st.lists(SHORT, max_size=4), st.binary(max_size=40), st.integers(1, 40))
def test_slicing_never_matters(frames: list[Frame], noise: bytes, size: int) -> None:
    slicing_never_matters(Decoder, map(encode, frames), noise, size)


@given(st.binary(max_size=60), SHORT)
def test_noise_never_hides_the_next_good_frame(noise: bytes, frame: Frame) -> None:
    noise_hides_no_frame(Decoder(), noise, encode(frame), frame)


@given(SHORT, st.data())
def test_a_truncated_frame_is_no_frame(frame: Frame, data: st.DataObject) -> None:
    raw = encode(Frame(frame.kind, 0, bytes(len(frame.data))))
    truncated_is_no_frame(Decoder(), raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.binary(max_size=2_000))
def test_anything_at_all_raises_nothing_and_holds_little(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert decoder.holds < MAX_FRAME_BYTES


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("AA 06", "kind"),
        ("AA 22", "kind"),
        ("AA 02 10 04 01", "length"),
        ("AA 02 FF 00 00 A4 0E", "checksum"),
    ],
)
def test_each_check_has_its_counter_and_comes_as_early_as_it_can(raw: str, reason: str) -> None:
    is_counted_as(Decoder(), raw, reason)


def test_data_that_no_reader_takes_are_refused() -> None:
    with pytest.raises(FrameError, match="1025 bytes of data; at most 1024"):
        encode(Frame(Kind.RFID, 1, bytes(1025)))


@given(st.binary(max_size=80))
def test_hostile_data_raise_frame_errors_only(data: bytes) -> None:
    for parse in (ReaderInfo.parse, Ability.parse, time_us):
        try:
            parse(data)
        except FrameError as error:
            assert error.reason in ("length", "range")  # noqa: PT017 - either outcome is right


def test_the_logged_answer_about_the_reader() -> None:
    info = ReaderInfo.parse(LOGGED_INFO)
    assert (info.hardware, info.firmware, info.name) == ((0, 1), (0, 19), b"CL7206C_20170602")
    assert info.data() == LOGGED_INFO
    with pytest.raises(FrameError, match="a name of 16 bytes is announced, 25 bytes came"):
        ReaderInfo.parse(LOGGED_INFO[:-1])


def test_abilities_that_cannot_be_are_refused() -> None:
    assert Ability.parse(bytes.fromhex("00 24 04 00 05")) == Ability(0, 36, 4)
    assert Ability.parse(bytes.fromhex("00 24 04 00 02 03 04 00 01 00")) == Ability(0, 36, 4, (3, 4))
    assert Ability.parse(Ability(5, 33, 4, (0, 3)).data()) == Ability(5, 33, 4, (0, 3))
    with pytest.raises(FrameError, match="3 bytes at least, 2 came"):
        Ability.parse(b"\x00\x24")
    for wrong in ("24 00 04", "00 24 00", "00 24 09"):
        with pytest.raises(FrameError, match="cannot be"):
            Ability.parse(bytes.fromhex(wrong))


def test_times() -> None:
    assert time_us(bytes.fromhex("69 87 FE F5 00 0A B5 98")) == 1_770_520_309_701_848
    assert time_data(1_770_520_309_701_848) == bytes.fromhex("69 87 FE F5 00 0A B5 98")
    with pytest.raises(FrameError, match="a time has 8 bytes, 4 came"):
        time_us(bytes(4))
