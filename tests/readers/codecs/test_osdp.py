from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.osdp import MOST_FRAME_BYTES, Command, Decoder, Frame, RawCard, Reply, encode, parse_raw_card
from readers.errors import FrameError
from tests.support.codec_properties import is_counted_as, noise_hides_no_frame, slicing_never_matters

BLOCKS = st.one_of(
    st.just((b"", b"")),
    st.tuples(st.sampled_from([b"\x11\x01", b"\x12\x00", b"\x14\x01"]), st.just(b"")),
    st.tuples(st.sampled_from([b"\x15", b"\x16", b"\x17", b"\x18"]), st.binary(min_size=4, max_size=4)),
)
FRAMES = st.builds(
    lambda address, code, data, is_reply, sequence, has_crc, block: Frame(
        address, code, data, is_reply, sequence, has_crc, *block
    ),
    st.integers(0, 0x7F),
    st.integers(0, 255),
    st.binary(max_size=100),
    st.booleans(),
    st.integers(0, 3),
    st.booleans(),
    BLOCKS,
)


@given(FRAMES)
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    decoder = Decoder()
    assert decoder.feed(b"\xff" + encode(frame)) == [frame]
    assert not decoder.take_rejects()


@given(st.lists(FRAMES, max_size=4), st.binary(max_size=40), st.integers(1, 40))
def test_slicing_never_matters(frames: list[Frame], noise: bytes, size: int) -> None:
    slicing_never_matters(Decoder, map(encode, frames), noise, size)


@given(st.binary(max_size=60), FRAMES)
def test_noise_never_hides_the_next_good_frame(noise: bytes, frame: Frame) -> None:
    noise_hides_no_frame(Decoder(), noise, encode(frame), frame)


@given(FRAMES, st.data())
def test_a_truncated_frame_is_no_frame(frame: Frame, data: st.DataObject) -> None:
    raw = encode(Frame(frame.address, frame.code, bytes(len(frame.data)), frame.is_reply, has_crc=frame.has_crc))
    decoder = Decoder()
    assert decoder.feed(raw[: data.draw(st.integers(0, len(raw) - 1))]) == []
    assert decoder.holds < MOST_FRAME_BYTES


@given(FRAMES, st.data())
def test_a_wrong_bit_is_noticed(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(encode(Frame(frame.address, frame.code, frame.data, frame.is_reply, frame.sequence)))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    decoder = Decoder()
    assert frame not in decoder.feed(bytes(raw)) + list(decoder.gap())


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("53 65 07 00 04 60 60", "length"),
        ("53 65 81 00 04 60", "length"),
        ("53 65 08 00 44 60 60 90", "control"),
        ("53 65 08 00 04 60 60 91", "checksum"),
        ("53 65 07 00 00 60 E0", "checksum"),
    ],
)
def test_each_check_has_its_counter(raw: str, reason: str) -> None:
    is_counted_as(Decoder(), raw, reason)


@pytest.mark.parametrize("block", [b"\x01\x60", b"\x00\x60", b"\x05\x15\x00", b"\x02\x15\x60\x00\x00"])
def test_a_security_block_that_does_not_fit_is_refused(block: bytes) -> None:
    """Made with a right checksum by the encoder of a packet without a block."""
    decoder = Decoder()
    raw = bytearray(encode(Frame(1, block[0], block[1:] + b"\x00", has_crc=False)))
    raw[4] |= 0x08
    raw[-1] = -sum(raw[:-1]) & 0xFF
    assert decoder.feed(bytes(raw)) == []
    assert decoder.take_rejects()["security"] == 1


def test_a_packet_that_not_every_device_takes_is_refused() -> None:
    with pytest.raises(FrameError, match="129 bytes of packet; at most 128"):
        encode(Frame(0, Command.POLL, bytes(121)))


@given(st.integers(0, 7), st.integers(0, 1), st.integers(1, 512), st.data())
def test_the_bits_of_a_card(reader: int, layout: int, size: int, data: st.DataObject) -> None:
    card = RawCard(reader, layout, size, data.draw(st.binary(min_size=-(-size // 8), max_size=-(-size // 8))))
    assert parse_raw_card(card.data()) == card


@pytest.mark.parametrize("data", ["", "00", "0001", "00011A", "00010000", "00011A009F1B5D", "00011A009F1B5D4000"])
def test_bits_that_contradict_their_number_are_refused(data: str) -> None:
    with pytest.raises(FrameError, match="bits announced"):
        parse_raw_card(bytes.fromhex(data))


def test_a_published_card() -> None:
    [frame] = Decoder().feed(bytes.fromhex("53 E5 10 00 05 50 00 01 1A 00 9F 1B 5D 40 13 C4"))
    assert (frame.address, frame.code, frame.is_reply) == (0x65, Reply.RAW_CARD, True)
    assert parse_raw_card(frame.data) == RawCard(0, 1, 26, bytes.fromhex("9F1B5D40"))
