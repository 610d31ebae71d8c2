from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.m100 import (
    AA_DD,
    ALL_DELIMITERS,
    BB_7E,
    MAX_PARAMETER_BYTES,
    Decoder,
    Delimiters,
    Frame,
    FrameType,
    TagNotice,
    encode,
    pc_bits_for,
)
from readers.errors import FrameError
from tests.support.codec_properties import is_counted_as, truncated_is_no_frame

FRAMES = st.builds(
    Frame, st.sampled_from(list(FrameType)), st.integers(0, 255), st.binary(max_size=MAX_PARAMETER_BYTES)
)
PAIRS = st.sampled_from(ALL_DELIMITERS)
TAG = bytes.fromhex("C9 34 00 30 75 1F EB 70 5C 59 04 E3 D5 0D 70 3A 76")


@given(FRAMES, PAIRS)
def test_what_is_encoded_is_decoded(frame: Frame, pair: Delimiters) -> None:
    decoder = Decoder()
    assert decoder.feed(encode(frame, pair)) == [frame]
    assert decoder.seen == pair
    assert not decoder.take_rejects()


@given(st.lists(FRAMES, max_size=4), PAIRS, st.binary(max_size=40), st.integers(1, 40))
def test_slicing_never_matters(frames: list[Frame], pair: Delimiters, noise: bytes, size: int) -> None:
    stream = noise + b"".join(encode(frame, pair) + noise for frame in frames)
    whole, sliced = Decoder(), Decoder()
    found = [frame for at in range(0, len(stream), size) for frame in sliced.feed(stream[at : at + size])]
    assert whole.feed(stream) == found
    assert whole.gap() == sliced.gap()
    assert whole.take_rejects() == sliced.take_rejects()


@given(st.binary(max_size=60), FRAMES)
def test_noise_never_hides_the_next_good_frame(noise: bytes, frame: Frame) -> None:
    decoder = Decoder(BB_7E)
    decoder.feed(noise)
    held = decoder.gap()  # the line fell silent, then the frame comes
    assert decoder.feed(encode(frame))[-1:] == [frame]
    assert all(isinstance(found, Frame) for found in held)


@given(FRAMES, PAIRS, st.data())
def test_a_truncated_frame_is_no_frame(frame: Frame, pair: Delimiters, data: st.DataObject) -> None:
    raw = encode(Frame(frame.type, frame.command, b"\x00" * len(frame.parameters)), pair)
    truncated_is_no_frame(Decoder(), raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.binary(max_size=600))
def test_anything_at_all_raises_nothing_and_holds_little(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert decoder.holds < MAX_PARAMETER_BYTES + 7


def test_a_locked_decoder_refuses_the_other_form() -> None:
    decoder = Decoder(BB_7E)
    assert decoder.feed(encode(Frame(FrameType.RESPONSE, 3), AA_DD)) == []
    assert decoder.take_rejects()["delimiter"] == 1


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("BB 03 22 00 00 25 7E", "type"),
        ("BB 01 22 01 00 24 7E", "length"),
        ("BB 01 22 00 00 23 7D", "delimiter"),
        ("BB 01 22 00 00 24 7E", "checksum"),
    ],
)
def test_each_check_has_its_counter(raw: str, reason: str) -> None:
    is_counted_as(Decoder(), raw, reason)


def test_parameters_that_no_reader_takes_are_refused() -> None:
    with pytest.raises(FrameError, match="256 bytes of parameters; at most 255"):
        encode(Frame(FrameType.COMMAND, 3, bytes(256)))


@given(st.integers(-128, 127), st.binary(max_size=62).filter(lambda epc: len(epc) % 2 == 0))
def test_a_notification_of_any_epc_length(rssi_dbm: int, epc: bytes) -> None:
    notice = TagNotice(rssi_dbm, pc_bits_for(epc), epc)
    assert TagNotice.parse(notice.parameters()) == notice


@pytest.mark.parametrize("xpc", ["0004", "80040001"])
def test_xpc_words_are_no_part_of_the_epc(xpc: str) -> None:
    words = bytes.fromhex(xpc)
    epc = bytes.fromhex("30751FEB705C5904E3D50D70")
    notice = TagNotice(-55, pc_bits_for(words + epc) | 0x0200, epc, words)
    assert TagNotice.parse(notice.parameters()) == notice


@given(st.binary(max_size=80))
def test_hostile_parameters_raise_frame_errors_only(parameters: bytes) -> None:
    for check_crc in (True, False):
        try:
            TagNotice.parse(parameters, check_crc=check_crc)
        except FrameError as error:
            assert error.reason in ("length", "air_crc")  # noqa: PT017 - either outcome is right


def test_a_wrong_air_crc_is_refused_unless_the_module_passes_none_on() -> None:
    wrong = TAG[:-1] + b"\x00"
    with pytest.raises(FrameError, match="air_crc: the tag's CRC is 3A00, 3A76 would be right"):
        TagNotice.parse(wrong)
    assert TagNotice.parse(wrong, check_crc=False).epc == TAG[3:-2]


def test_an_epc_that_contradicts_its_pc_is_refused() -> None:
    with pytest.raises(FrameError, match="PC 3400 announces 12 bytes of EPC, 10 came"):
        TagNotice.parse(TAG[:5] + TAG[7:])


def test_an_xpc_word_that_did_not_come_is_refused() -> None:
    notice = TagNotice(-55, 0x0200, b"")
    with pytest.raises(FrameError, match="XPC"):
        TagNotice.parse(notice.parameters())
