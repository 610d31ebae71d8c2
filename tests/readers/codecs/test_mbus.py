from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.mbus import Control, Decoder, Done, Frame, Kind, Long, Short, encode
from readers.errors import FrameError
from tests.support.codec_properties import (
    comes_back,
    is_counted_as,
    noise_hides_no_frame,
    slicing_never_matters,
    truncated_is_no_frame,
)

BYTE = st.integers(0, 255)
LONGS = st.builds(Long, BYTE, BYTE, BYTE, st.binary(max_size=252))
FRAMES: st.SearchStrategy[Frame] = st.one_of(st.just(Done()), st.builds(Short, BYTE, BYTE), LONGS)


@given(FRAMES)
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    comes_back(Decoder(), encode(frame), frame)


@given(st.lists(FRAMES, max_size=4), st.binary(max_size=20), st.integers(1, 40))
def test_slicing_never_matters(frames: list[Frame], noise: bytes, size: int) -> None:
    slicing_never_matters(Decoder, [encode(frame) for frame in frames], noise, size)


@given(st.binary(max_size=60), LONGS)
def test_noise_never_hides_the_next_good_frame(noise: bytes, frame: Long) -> None:
    decoder = Decoder()
    decoder.feed(noise)
    decoder.gap()
    assert decoder.feed(encode(frame))[-1:] == [frame]


@given(st.binary(max_size=20).filter(lambda noise: b"\xe5" not in noise), LONGS)
def test_noise_without_a_single_character_is_no_frame(noise: bytes, frame: Long) -> None:
    noise_hides_no_frame(Decoder(), noise.replace(b"\x10", b"").replace(b"\x68", b""), encode(frame), frame)


# a length of E5 would be a single character, which is a frame wherever it stands
@given(st.integers(0, 252).filter(lambda size: size + 3 != 0xE5), st.data())
def test_a_truncated_frame_is_no_frame(size: int, data: st.DataObject) -> None:
    raw = encode(Long(0, 0, 0, bytes(size)))
    truncated_is_no_frame(Decoder(), raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.binary(max_size=600))
def test_anything_at_all_raises_nothing_and_holds_little(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert decoder.holds < 261


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("68 03 04", "length"),
        ("68 02", "length"),
        ("68 03 03 16", "delimiter"),
        ("10 40 01 41 17", "delimiter"),
        ("10 40 01 42 16", "checksum"),
        ("68 03 03 68 08 01 72 7C 16", "checksum"),
    ],
)
def test_each_check_has_its_counter(raw: str, reason: str) -> None:
    is_counted_as(Decoder(), raw, reason, once=False)


def test_more_data_than_a_frame_takes_are_refused() -> None:
    with pytest.raises(FrameError, match="253 bytes of data; at most 252"):
        encode(Long(Control.REPLY, 1, Kind.VARIABLE, bytes(253)))


@pytest.mark.parametrize(
    ("control", "is_reply"), [(0x08, True), (0x18, True), (0x28, True), (0x38, True), (0x53, False)]
)
def test_a_reply_is_one_whatever_else_its_control_says(control: int, is_reply: bool) -> None:  # noqa: FBT001
    assert Long(control, 1, Kind.VARIABLE).is_reply is is_reply
