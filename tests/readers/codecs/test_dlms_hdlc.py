from __future__ import annotations

import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlms_hdlc import (
    MAX_FRAME_BYTES,
    Address,
    Decoder,
    Frame,
    Kind,
    encode,
    information,
    supervisory,
)
from readers.errors import FrameError
from tests.support import codec_properties as holds

METER, CLIENT = Address(1, 17, 2), Address(16)
meters = st.one_of(
    st.builds(Address, st.integers(0, 0x7F)),
    st.builds(Address, st.integers(0, 0x7F), st.integers(0, 0x7F), st.just(2)),
    st.builds(Address, st.integers(0, 0x3FFF), st.integers(0, 0x3FFF), st.just(4)),
)
contents = st.one_of(st.just(b""), st.binary(min_size=1, max_size=140), st.just(b"\x7e" * 20))
frames = st.builds(
    Frame, meters, st.builds(Address, st.integers(0, 0x7F)), st.integers(0, 255), contents, st.booleans()
)


@given(frames)
def test_a_frame_comes_back(frame: Frame) -> None:
    holds.comes_back(Decoder(), encode(frame), frame)


@given(st.lists(frames, max_size=4), st.binary(max_size=12), st.integers(1, 9))
def test_slicing_never_matters(sent: list[Frame], noise: bytes, size: int) -> None:
    holds.slicing_never_matters(Decoder, [encode(frame) for frame in sent], noise, size)


@given(st.binary(max_size=60), frames)
def test_noise_hides_no_frame(noise: bytes, frame: Frame) -> None:
    holds.noise_hides_no_frame(Decoder(), noise, encode(frame), frame)


@given(frames, st.data())
def test_a_truncated_frame_is_none(frame: Frame, data: st.DataObject) -> None:
    raw = encode(frame)
    holds.truncated_is_no_frame(Decoder(), raw[: data.draw(st.integers(0, len(raw) - 1))])


def test_two_frames_may_share_a_flag() -> None:
    one, two = Frame(CLIENT, METER, 0x73), Frame(CLIENT, METER, information(0, 1), b"\xe6\xe7\x00\xc4")
    decoder = Decoder()
    assert decoder.feed(encode(one)[:-1] + encode(two)) == [one, two]
    assert decoder.gap() == []
    assert decoder.take_rejects() == {}


def test_flags_alone_are_nothing() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x7e\x7e\x7e") == []
    assert decoder.holds == 0
    assert decoder.gap() == []
    assert decoder.take_rejects() == {}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("7E B0 0A 00 02 00 23 21 93 18 71 7E", "format"),
        ("7E B0", "format"),
        ("7E A0 05 03 21 93 18 71 7E", "length"),
        ("7E A0 0A 00 02 00 02 21 93 18 71 7E", "address"),
        ("7E A0 07 02 02 02 02 18 7E", "address"),
        ("7E A0 0A 00 02 01 21 93 18 71 99 7E", "address"),
        ("7E A0 08 03 21 93 18 71 99 7E", "length"),
        ("7E A0 07 02 02 02 03 18 00 7E", "address"),
        ("7E A0 07 02 02 02 03 03", "address"),
        ("7E A0 09 02 02 02 03 03 93 18 00", "length"),
    ],
)
def test_what_can_be_no_frame_is_counted(raw: str, reason: str) -> None:
    holds.is_counted_as(Decoder(), raw, reason, once=False)


def test_a_frame_is_no_longer_than_its_length_can_say() -> None:
    with pytest.raises(FrameError, match="2047"):
        encode(Frame(METER, CLIENT, 0, bytes(2047)))
    longest = encode(Frame(METER, CLIENT, 0, bytes(2047 - 2 - 3 - 1 - 2 - 2)))
    assert len(longest) == MAX_FRAME_BYTES


@pytest.mark.parametrize(
    ("control", "kind", "numbers"),
    [
        (information(5, 3), Kind.INFORMATION, (5, 3)),
        (supervisory(Kind.RECEIVE_READY, 6), Kind.RECEIVE_READY, (0, 6)),
        (supervisory(Kind.RECEIVE_NOT_READY, 1), Kind.RECEIVE_NOT_READY, (2, 1)),
        (0x93, Kind.SET_NORMAL_RESPONSE_MODE, (1, 4)),
        (0x1F, Kind.DISCONNECTED_MODE, (7, 0)),
    ],
)
def test_the_control_byte_says_what_a_frame_is(control: int, kind: Kind, numbers: tuple[int, int]) -> None:
    frame = Frame(CLIENT, METER, control)
    assert frame.kind == kind
    assert (frame.send_number, frame.receive_number) == numbers
    assert frame.is_final


@given(st.integers(1, 0x7F), st.integers(1, 0x7F), st.binary(min_size=1, max_size=120), st.integers(0, 7))
def test_it_agrees_with_an_independent_library(upper: int, lower: int, content: bytes, number: int) -> None:
    """dlms-cosem writes these frames with code of its own; it has no others without faults of its own."""
    theirs = importlib.import_module("dlms_cosem.hdlc.frames")
    address = importlib.import_module("dlms_cosem.hdlc.address").HdlcAddress
    meter, client = address(upper, lower, "server"), address(16, None, "client")
    ours = Address(upper, lower, 2)
    assert encode(Frame(ours, CLIENT, 0x93)) == theirs.SetNormalResponseModeFrame(meter, client).to_bytes()
    assert encode(Frame(ours, CLIENT, 0x53)) == theirs.DisconnectFrame(meter, client).to_bytes()
    ready = theirs.ReceiveReadyFrame(meter, client, receive_sequence_number=number).to_bytes()
    assert encode(Frame(ours, CLIENT, supervisory(Kind.RECEIVE_READY, number))) == ready
    frame = Frame(ours, CLIENT, information(number, 7 - number), content, is_segmented=True)
    made = theirs.InformationFrame(
        meter, client, content, send_sequence_number=number, receive_sequence_number=7 - number, segmented=True
    )
    assert encode(frame) == made.to_bytes()
