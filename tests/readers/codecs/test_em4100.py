from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.em4100 import LONGEST_BYTES, Decoder, Form, Frame, encode
from readers.errors import FrameError

FRAMES = st.builds(Frame, st.binary(min_size=5, max_size=5))
FORMS = st.sampled_from(Form)
SEEED = bytes.fromhex("02 36 32 45 33 30 38 36 43 45 44 30 38 03")


@given(FRAMES, FORMS)
def test_what_is_encoded_is_decoded(frame: Frame, form: Form) -> None:
    for decoder in (Decoder(form), Decoder()):
        assert decoder.feed(encode(frame, form)) == [frame]
        assert decoder.seen is form
        assert not decoder.take_rejects()


@given(st.lists(FRAMES, max_size=4), FORMS, st.binary(max_size=30), st.integers(1, 30))
def test_slicing_never_matters(frames: list[Frame], form: Form, noise: bytes, size: int) -> None:
    stream = noise + b"".join(encode(frame, form) + noise for frame in frames)
    whole, sliced = Decoder(), Decoder()
    found = [frame for at in range(0, len(stream), size) for frame in sliced.feed(stream[at : at + size])]
    assert whole.feed(stream) == found
    assert whole.gap() == sliced.gap()
    assert whole.take_rejects() == sliced.take_rejects()


@given(st.binary(max_size=40), FRAMES, FORMS)
def test_noise_never_hides_the_next_good_frame(noise: bytes, frame: Frame, form: Form) -> None:
    decoder = Decoder()
    decoder.feed(noise)
    assert (decoder.feed(encode(frame, form)) + decoder.gap())[-1:] == [frame]


@given(FRAMES, FORMS, st.data())
def test_a_truncated_frame_is_no_frame(frame: Frame, form: Form, data: st.DataObject) -> None:
    raw = encode(frame, form)
    decoder = Decoder()
    assert decoder.feed(raw[: data.draw(st.integers(0, len(raw) - 1))]) == []
    assert decoder.gap() == []


@given(st.binary(max_size=200))
def test_anything_at_all_raises_nothing_and_holds_little(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert decoder.holds < LONGEST_BYTES


def test_the_published_frame() -> None:
    assert Decoder().feed(SEEED) == [Frame(bytes.fromhex("62E3086CED"))]
    assert encode(Frame(bytes.fromhex("62E3086CED"))) == SEEED
    assert Decoder().feed(SEEED.lower()) == [Frame(bytes.fromhex("62E3086CED"))]


@pytest.mark.parametrize("form", Form)
def test_a_decoder_of_one_form_refuses_the_other(form: Form) -> None:
    other = next(each for each in Form if each is not form)
    decoder = Decoder(form)
    assert decoder.feed(encode(Frame(bytes(5)), other)) == []
    assert decoder.take_rejects()["delimiter"] == 1


def test_a_number_has_five_bytes() -> None:
    with pytest.raises(FrameError, match="a number of 4 bytes, not 5"):
        encode(Frame(bytes(4)))
