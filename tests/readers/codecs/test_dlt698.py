from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlt698 import (
    MAX_FRAME_BYTES,
    MOST_APDU_BYTES,
    MOST_FRAGMENTS,
    MOST_LENGTH,
    REPLY,
    REQUEST,
    AddressKind,
    Control,
    Decoder,
    Fragment,
    FragmentKind,
    Frame,
    Reassembly,
    acknowledgement,
    crc,
    encode,
)
from readers.errors import FrameError
from simulator.meters import dlt698_wire as wire
from tests.support.codec_properties import (
    comes_back,
    is_counted_as,
    noise_hides_no_frame,
    slicing_never_matters,
    truncated_is_no_frame,
)

ADDRESSES = st.binary(min_size=1, max_size=16).map(lambda raw: raw.hex().upper())
FRAMES = st.builds(
    Frame,
    ADDRESSES,
    st.integers(0, 255),
    st.integers(0, 255),
    st.binary(max_size=200),
    st.sampled_from(AddressKind),
    st.integers(0, 3),
)
USUAL = Frame("000000000161", 16, REQUEST, bytes.fromhex("0501010010020000"))


def reason(frame: Frame) -> str:
    with pytest.raises(FrameError) as caught:
        encode(frame)
    return caught.value.reason


@given(FRAMES, st.integers(0, 8))
def test_what_is_encoded_is_decoded(frame: Frame, wake_up_bytes: int) -> None:
    comes_back(Decoder(), encode(frame, wake_up_bytes), frame)


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


@given(FRAMES.map(lambda frame: replace(frame, kind=AddressKind.SINGLE)))
def test_it_is_the_frame_that_the_twin_writes(frame: Frame) -> None:
    assert wire.framed(frame.address, frame.logical, frame.client, frame.control, frame.payload) == encode(frame)


@given(FRAMES)
def test_the_twin_hears_what_is_sent(frame: Frame) -> None:
    (heard,) = wire.Ears().listen(encode(frame, 4))
    assert (heard.address, heard.kind, heard.logical) == (frame.address, frame.kind, frame.logical)
    assert (heard.client, heard.control, heard.payload) == (frame.client, frame.control, frame.payload)


def test_the_checksum_is_that_of_the_catalogue() -> None:
    assert crc(b"123456789") == 0x906E
    assert wire.crc16(b"123456789") == 0x906E


@given(st.binary(max_size=64))
def test_both_checksums_agree(data: bytes) -> None:
    assert crc(data) == wire.crc16(data)


def test_a_false_start_holds_no_more_than_a_frame() -> None:
    decoder = Decoder()
    head = (MOST_LENGTH).to_bytes(2, "little") + bytes.fromhex("43 05 61 01 00 00 00 00 10")
    decoder.feed(b"\x68" + head + crc(head).to_bytes(2, "little"))
    for _ in range(20):
        decoder.feed(bytes(1000))
        assert decoder.holds <= MAX_FRAME_BYTES + 1000
    assert decoder.take_rejects()["delimiter"] == 1


def test_a_false_header_costs_no_waiting() -> None:
    decoder = Decoder()
    decoder.feed(b"\x68" + (MOST_LENGTH).to_bytes(2, "little") + bytes.fromhex("43 05 61 01 00 00 00 00 10 00 00"))
    assert decoder.feed(encode(USUAL)) == [USUAL]
    assert decoder.take_rejects()["header_checksum"] == 1


def test_a_length_too_small_for_its_address() -> None:
    is_counted_as(Decoder(), "68 0B 00 43 0F 01 02 03 04 05 06 07 08", "length")


def test_what_cannot_be_sent() -> None:
    assert reason(Frame("123", 0, REQUEST)) == "address"
    assert reason(Frame("", 0, REQUEST)) == "address"
    assert reason(Frame("12" * 17, 0, REQUEST)) == "address"
    assert reason(Frame("1G", 0, REQUEST)) == "address"
    assert reason(Frame("0161", 0, REQUEST, logical=4)) == "address"
    assert reason(Frame("0161", 0, REQUEST, bytes(MOST_LENGTH))) == "length"


def test_who_speaks() -> None:
    assert not USUAL.is_reply
    assert Frame("01", 0, REPLY).is_reply
    assert not Frame("01", 0, 0x83).is_reply  # what a meter says by itself
    assert USUAL.function == 3
    assert not USUAL.is_fragment


@given(st.sampled_from(FragmentKind), st.integers(0, 4095), st.binary(max_size=40))
def test_fragments_come_back(kind: FragmentKind, number: int, data: bytes) -> None:
    fragment = Fragment(kind, number, data)
    assert Fragment.decode(fragment.encode()) == fragment


def test_a_fragment_without_its_head_is_none() -> None:
    with pytest.raises(FrameError, match="begins with 2 bytes"):
        Fragment.decode(b"\1")


def parts_of(apdu: bytes, size: int, first: int) -> list[Fragment]:
    pieces = [apdu[at : at + size] for at in range(0, len(apdu), size)]
    kinds = [FragmentKind.FIRST] + [FragmentKind.MIDDLE] * (len(pieces) - 2) + [FragmentKind.LAST]
    return [Fragment(kind, (first + at) % 4096, piece) for at, (kind, piece) in enumerate(zip(kinds, pieces))]  # noqa: B905 - of two pieces or more


@given(st.binary(min_size=2, max_size=300), st.integers(1, 60), st.integers(0, 4095))
def test_fragments_are_put_together(apdu: bytes, size: int, first: int) -> None:
    size = max(-(-len(apdu) // MOST_FRAGMENTS), min(size, len(apdu) - 1))
    together = Reassembly()
    *most, last = parts_of(apdu, size, first)
    for fragment in most:
        assert together.add(fragment) is None
        if fragment.kind is FragmentKind.MIDDLE:
            assert together.add(fragment) is None  # its acknowledgement was lost
    assert together.add(last) == apdu


@pytest.mark.parametrize(
    "fragments",
    [
        [Fragment(FragmentKind.MIDDLE, 1, b"x")],
        [Fragment(FragmentKind.FIRST, 0, b"x"), Fragment(FragmentKind.MIDDLE, 2, b"x")],
        [Fragment(FragmentKind.ACKNOWLEDGEMENT, 0)],
        [Fragment(FragmentKind.FIRST, 0, bytes(MOST_APDU_BYTES + 1))],
        [Fragment(FragmentKind.FIRST, 0)] + [Fragment(FragmentKind.MIDDLE, n + 1) for n in range(MOST_FRAGMENTS)],
    ],
)
def test_fragments_that_do_not_belong_together(fragments: list[Fragment]) -> None:
    together = Reassembly()
    *good, bad = fragments
    for fragment in good:
        together.add(fragment)
    with pytest.raises(FrameError) as caught:
        together.add(bad)
    assert caught.value.reason == "fragment"
    assert together.add(Fragment(FragmentKind.FIRST, 7, b"a")) is None
    assert together.add(Fragment(FragmentKind.LAST, 8, b"b")) == b"ab"


def test_a_fragment_is_acknowledged_by_the_client() -> None:
    frame = Frame("000000000161", 16, REPLY | Control.FRAGMENT, Fragment(FragmentKind.FIRST, 5, b"x").encode())
    answer = acknowledgement(frame, 5)
    assert answer.control == 0x63
    assert Fragment.decode(answer.payload) == Fragment(FragmentKind.ACKNOWLEDGEMENT, 5)
    assert (answer.address, answer.client) == ("000000000161", 16)
