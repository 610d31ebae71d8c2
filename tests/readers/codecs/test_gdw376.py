from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.gdw376 import Decoder
from readers.gdw376_messages import MAX_FRAME_BYTES, Frame, encode
from tests.support.codec_properties import (
    comes_back,
    noise_hides_no_frame,
    slicing_never_matters,
    truncated_is_no_frame,
)

BYTES = st.integers(0, 255)
TERMINALS = st.builds(lambda region, number: f"{region:04d}{number:04X}", st.integers(0, 9999), st.integers(0, 0xFFFF))
FRAMES = st.builds(Frame, TERMINALS, BYTES, BYTES, BYTES, st.binary(max_size=200), BYTES, st.integers(0, 3))


@given(FRAMES)
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    comes_back(Decoder(), encode(frame), frame)


@given(st.lists(FRAMES, max_size=3), st.binary(max_size=40), st.integers(1, 60))
def test_slicing_never_matters(frames: list[Frame], noise: bytes, size: int) -> None:
    slicing_never_matters(Decoder, [encode(frame) for frame in frames], noise, size)


@given(st.binary(max_size=200), FRAMES)
def test_noise_hides_no_frame(noise: bytes, frame: Frame) -> None:
    noise_hides_no_frame(Decoder(), noise, encode(frame), frame)


@given(FRAMES, st.data())
def test_a_truncated_frame_is_none(frame: Frame, data: st.DataObject) -> None:
    raw = encode(frame)
    truncated_is_no_frame(Decoder(), raw[: data.draw(st.integers(0, len(raw) - 1))])


def test_a_false_start_holds_no_more_than_a_frame() -> None:
    decoder = Decoder()
    decoder.feed(bytes.fromhex("68 02 40 02 40 68"))
    for _ in range(10):
        decoder.feed(bytes(1000))
        assert decoder.holds <= MAX_FRAME_BYTES
    assert decoder.take_rejects()["delimiter"] == 1
