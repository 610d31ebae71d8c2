from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlt645 import (
    BROADCAST,
    MAX_DATA_BYTES,
    MAX_FRAME_BYTES,
    WILDCARD,
    Decoder,
    Frame,
    Function,
    address_bytes,
    encode,
    identifier_bytes,
    matches,
)
from readers.errors import FrameError

ADDRESSES = st.integers(0, 10**12 - 1).map(lambda n: f"{n:012d}") | st.sampled_from(
    [WILDCARD, BROADCAST, "AAAAAAAAAA09", "A" * 11 + "1"]
)
FRAMES = st.builds(Frame, ADDRESSES, st.integers(0, 255), st.binary(max_size=MAX_DATA_BYTES))


@given(FRAMES, st.integers(0, 16))
def test_what_is_encoded_is_decoded_behind_any_number_of_wake_up_bytes(frame: Frame, wake_up_bytes: int) -> None:
    decoder = Decoder()
    assert decoder.feed(encode(frame, wake_up_bytes)) == [frame]
    assert not decoder.take_rejects()


@given(st.lists(FRAMES, max_size=4), st.binary(max_size=40), st.integers(1, 40))
def test_slicing_never_matters(frames: list[Frame], noise: bytes, size: int) -> None:
    stream = noise + b"".join(encode(frame) + noise for frame in frames)
    whole, sliced = Decoder(), Decoder()
    found = [frame for at in range(0, len(stream), size) for frame in sliced.feed(stream[at : at + size])]
    assert whole.feed(stream) == found
    assert whole.gap() == sliced.gap()
    assert whole.take_rejects() == sliced.take_rejects()


@given(st.binary(max_size=60), FRAMES)
def test_noise_never_hides_the_next_good_frame(noise: bytes, frame: Frame) -> None:
    decoder = Decoder()
    found = decoder.feed(noise + encode(frame)) + decoder.gap()
    assert frame in found


@given(st.binary(max_size=700))
def test_anything_at_all_raises_nothing_and_holds_little(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert decoder.holds < MAX_FRAME_BYTES


@given(FRAMES, st.data())
def test_a_truncated_frame_is_no_frame(frame: Frame, data: st.DataObject) -> None:
    raw = encode(Frame(frame.address, frame.control, bytes(len(frame.data))))
    decoder = Decoder()
    assert decoder.feed(raw[: data.draw(st.integers(0, len(raw) - 1))]) == []
    assert decoder.gap() == []


def test_the_parts_of_the_control_byte() -> None:
    more = Frame("000000000161", 0xB1, identifier_bytes(0x0001FF00))
    assert (more.is_reply, more.is_error, more.has_more, more.function) == (True, False, True, Function.READ)
    assert more.identifier == 0x0001FF00
    refusal = Frame("000000000161", 0xD1, b"\x02")
    assert (refusal.is_error, refusal.has_more, refusal.identifier) == (True, False, None)


@pytest.mark.parametrize("address", ["161", "00000000016X", "1AAAAAAAAAAA", "", "00000000016１"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(FrameError, match="must be 12 decimal digits"):
        address_bytes(address)


def test_more_data_than_a_frame_holds_are_refused() -> None:
    with pytest.raises(FrameError, match="201 bytes of data; at most 200"):
        encode(Frame("000000000161", 0x11, bytes(201)))


def test_wildcards_match_the_end_of_an_address() -> None:
    assert matches(WILDCARD, "123456789012")
    assert matches("AAAAAAAAAA12", "123456789012")
    assert not matches("AAAAAAAAAA13", "123456789012")
    assert not matches("123456789011", "123456789012")
