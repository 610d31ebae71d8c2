from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.fdxb import (
    FRAME_BYTES,
    MOST_COUNTRY,
    MOST_NATIONAL,
    Decoder,
    Frame,
    encode,
    identity,
    printed_identity,
)
from readers.errors import FrameError
from tests.support.codec_properties import comes_back, slicing_never_matters

FRAMES = st.builds(
    Frame,
    st.integers(0, MOST_COUNTRY),
    st.integers(0, MOST_NATIONAL),
    st.booleans(),
    st.booleans(),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFF),
)


@given(FRAMES)
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    comes_back(Decoder(), encode(frame), frame)


@given(st.lists(FRAMES, max_size=4), st.binary(max_size=40), st.integers(1, 40))
def test_slicing_never_matters(frames: list[Frame], noise: bytes, size: int) -> None:
    slicing_never_matters(Decoder, map(encode, frames), noise, size)


@given(st.binary(max_size=60), FRAMES)
def test_noise_never_hides_the_next_good_frame(noise: bytes, frame: Frame) -> None:
    decoder = Decoder()
    decoder.feed(noise)
    assert (decoder.feed(encode(frame)) + decoder.gap())[-1:] == [frame]


@given(FRAMES, st.data())
def test_a_truncated_frame_is_no_frame(frame: Frame, data: st.DataObject) -> None:
    decoder = Decoder()
    assert decoder.feed(encode(frame)[: data.draw(st.integers(0, FRAME_BYTES - 1))]) == []
    assert decoder.gap() == []


@given(st.binary(max_size=300))
def test_anything_at_all_raises_nothing_and_holds_little(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert decoder.holds < FRAME_BYTES


def test_checksums_that_look_like_start_and_end_are_no_matter() -> None:
    """The checksum of a frame may be 02 or 03, and so may its inverse."""
    seen = set()
    for national in range(2_000):
        raw = encode(Frame(156, national))
        seen.add(raw[27])
        assert Decoder().feed(raw + raw) == [Frame(156, national)] * 2
    assert {2, 3} <= seen


def test_one_identity_whether_read_from_a_frame_or_from_print() -> None:
    frame = Frame(country=900, national=250_000_023_921, is_animal=False)
    assert frame.identity.text == "fdxb:E13A3529A171"
    for text in ("900250000023921", "900 250000023921", "900_250000023921"):
        assert printed_identity(text) == frame.identity


@pytest.mark.parametrize("text", ["", "90025000002392", "9002500000239210", "90025000002392A", "٩00250000023921"])
def test_other_texts_are_no_printed_number(text: str) -> None:
    assert printed_identity(text) is None


@pytest.mark.parametrize(("country", "national"), [(1000, 0), (0, 1 << 38), (-1, 0), (0, -1)])
def test_numbers_beyond_their_bits_are_refused(country: int, national: int) -> None:
    with pytest.raises(FrameError, match="range"):
        identity(country, national)


def test_a_printed_number_beyond_its_bits_is_refused() -> None:
    with pytest.raises(FrameError, match="range"):
        printed_identity("900999999999999")
