from __future__ import annotations

import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlms_wrapper import MAX_APDU_BYTES, Decoder, Frame, encode
from tests.support import codec_properties as holds

ports = st.integers(0, 0xFFFF)
frames = st.builds(Frame, ports, ports, st.binary(min_size=1, max_size=60))


@given(frames)
def test_a_frame_comes_back(frame: Frame) -> None:
    holds.comes_back(Decoder(), encode(frame), frame)


@given(st.lists(frames, max_size=4), st.integers(1, 9))
def test_slicing_never_matters(sent: list[Frame], size: int) -> None:
    holds.slicing_never_matters(Decoder, [encode(frame) for frame in sent], b"", size)


@given(st.binary(max_size=40), frames)
def test_noise_hides_no_frame(noise: bytes, frame: Frame) -> None:
    holds.noise_hides_no_frame(Decoder(), noise, encode(frame), frame)


@given(frames, st.data())
def test_a_truncated_frame_is_none(frame: Frame, data: st.DataObject) -> None:
    raw = encode(Frame(frame.source | 0x101, frame.destination | 0x101, b"\xc4" * len(frame.apdu)))
    holds.truncated_is_no_frame(Decoder(), raw[: data.draw(st.integers(0, len(raw) - 1))])


@pytest.mark.parametrize(
    ("raw", "reason"),
    [("00 02", "version"), ("00 01 00 01 00 10 00 00", "length"), ("00 01 00 01 00 10 10 01", "length")],
)
def test_what_can_be_no_frame_is_counted(raw: str, reason: str) -> None:
    holds.is_counted_as(Decoder(), raw, reason)


def test_an_apdu_has_a_most() -> None:
    raw = encode(Frame(1, 16, bytes(MAX_APDU_BYTES)))
    assert Decoder().feed(raw) == [Frame(1, 16, bytes(MAX_APDU_BYTES))]


@given(frames)
def test_it_agrees_with_an_independent_library(frame: Frame) -> None:
    theirs = importlib.import_module("dlms_cosem.protocol.wrappers")
    header = theirs.WrapperHeader(frame.source, frame.destination, len(frame.apdu))
    assert encode(frame) == theirs.WrapperProtocolDataUnit(frame.apdu, header).to_bytes()
