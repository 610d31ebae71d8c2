from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.cf import (
    HEAD,
    MAX_BODY_BYTES,
    MAX_FRAME_BYTES,
    Decoder,
    Frame,
    Info,
    Parameters,
    Tag,
    encode,
    start_parameters,
)
from readers.errors import FrameError
from tests.support.codec_properties import (
    comes_back,
    is_counted_as,
    noise_hides_no_frame,
    slicing_never_matters,
    truncated_is_no_frame,
)

FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=MAX_BODY_BYTES))
CAPTURED = bytes.fromhex("00 00 01 80 04 00 01 01 03 86 02 EE 01 F4 31 21 01 04 00 00 0C 00 03 01 05")


@given(FRAMES)
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    comes_back(Decoder(), encode(frame), frame)


@given(st.lists(FRAMES, max_size=4), st.binary(max_size=40), st.integers(1, 40))
def test_slicing_never_matters(frames: list[Frame], noise: bytes, size: int) -> None:
    slicing_never_matters(Decoder, map(encode, frames), noise, size)


@given(st.lists(st.sampled_from([HEAD, 0x00, 0x01, 0x12, 0xFF]), max_size=60), FRAMES)
def test_noise_never_hides_the_next_good_frame(noise: list[int], frame: Frame) -> None:
    noise_hides_no_frame(Decoder(), bytes(noise), encode(frame), frame)


@given(st.integers(0, MAX_BODY_BYTES), st.data())
def test_a_truncated_frame_is_no_frame(size: int, data: st.DataObject) -> None:
    raw = encode(Frame(0, 1, bytes(size)))
    truncated_is_no_frame(Decoder(), raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.binary(max_size=700))
def test_anything_at_all_raises_nothing_and_holds_little(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert decoder.holds < MAX_FRAME_BYTES


@pytest.mark.parametrize(
    ("raw", "reason"),
    [("11", "noise_bytes"), ("CF 00 01 01 00", "command"), ("CF 00 00 01 01 12 42 1E", "checksum")],
)
def test_each_check_has_its_counter(raw: str, reason: str) -> None:
    is_counted_as(Decoder(), raw, reason)


def test_a_greeting_of_zeros_is_no_noise() -> None:
    decoder = Decoder()
    assert decoder.feed(bytes.fromhex("00 00 CF 00 00 01 01 12 42 1D")) == [Frame(0, 1, b"\x12")]
    assert not decoder.take_rejects()


def test_bodies_that_no_length_can_say_are_refused() -> None:
    with pytest.raises(FrameError, match="256 bytes of body; at most 255"):
        encode(Frame(0, 1, bytes(256)))


def test_a_frame_without_a_status() -> None:
    assert Frame(0, 1).status is None
    assert Frame(0, 1).data == b""


@pytest.mark.parametrize(
    ("rounds", "published"),
    [
        (0, "CF FF 00 01 05 00 00 00 00 00 F5 B5"),
        (1, "CF FF 00 01 05 01 00 00 00 01 EF 78"),
        (3, "CF FF 00 01 05 01 00 00 00 03 CC 6A"),
    ],
)
def test_published_starts(rounds: int, published: str) -> None:
    assert encode(Frame(0xFF, 1, start_parameters(rounds))) == bytes.fromhex(published)


@given(st.binary(max_size=62), st.integers(-1200, 300), st.integers(0, 255), st.integers(0, 255))
def test_a_tag_of_any_epc_length(epc: bytes, tenths_dbm: int, antenna: int, channel: int) -> None:
    tag = Tag(epc, tenths_dbm / 10, antenna, channel)
    assert Tag.parse(tag.data()) == tag


def test_what_a_hand_held_says_of_a_barcode() -> None:
    assert Tag.parse(bytes.fromhex("00 00 00 00 06 02 34 39 30 03 0D")).is_barcode
    assert not Tag.parse(bytes.fromhex("FE C0 01 00 06 02 34 39 30 03 0D")).is_barcode


@given(st.binary(max_size=80))
def test_hostile_data_raise_frame_errors_only(data: bytes) -> None:
    for parse in (Tag.parse, Info.parse, Parameters.parse):
        try:
            parse(data)
        except FrameError as error:
            assert error.reason == "length"  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("data", ["", "FE C0 01 00", "FE C0 01 00 02 11", "FE C0 01 00 02 11 22 33"])
def test_an_epc_of_another_length_than_announced_is_refused(data: str) -> None:
    with pytest.raises(FrameError, match="length"):
        Tag.parse(bytes.fromhex(data))


def test_who_a_reader_is() -> None:
    info = Info("CP-202910", "UHF Prime V1", "202911")
    assert Info.parse(info.data()) == info
    assert len(info.data()) == 152
    binary = info.data()[:64] + bytes(range(1, 13)) + info.data()[76:]
    assert Info.parse(binary).serial == "0102030405060708090A0B0C"
    assert Info.parse(b"\x1b[2J" + info.data()[4:]).hardware == "[2J02910"


def test_captured_parameters() -> None:
    found = Parameters.parse(CAPTURED)
    assert (found.work_mode, found.antennas, found.power_dbm, found.area) == (1, (1,), 33, 1)
    assert (found.q, found.session) == (4, 0)


@given(st.binary(min_size=25, max_size=25), st.integers(0, 2), st.integers(1, 33), st.integers(0, 15))
def test_a_change_leaves_the_rest_alone(raw: bytes, mode: int, power_dbm: int, q: int) -> None:
    before = Parameters.parse(raw)
    after = before.changed(work_mode=mode, power_dbm=power_dbm, q=q, antennas=(1, 3, 8), session=2, area=1)
    assert (after.work_mode, after.power_dbm, after.q, after.antennas) == (mode, power_dbm, q, (1, 3, 8))
    assert (after.session, after.area) == (2, 1)
    touched = {2, 6, 15, 16, 17, 18}
    assert all(after.raw[at] == raw[at] for at in range(25) if at not in touched)
    assert before.changed() == before
