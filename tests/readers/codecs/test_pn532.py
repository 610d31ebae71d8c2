from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.pn532 import (
    MOST_BYTES,
    Decoder,
    Frame,
    Kind,
    Modulation,
    Target,
    encode,
    encode_targets,
    parse_targets,
)
from readers.errors import FrameError
from readers.tagdata.cards import Technology
from tests.support.codec_properties import is_counted_as, noise_hides_no_frame, slicing_never_matters
from tests.support.codecs.pn532 import target_a

FRAMES = st.one_of(
    st.sampled_from([Frame(Kind.ACK), Frame(Kind.NACK), Frame(Kind.ERROR)]),
    st.builds(
        Frame,
        st.sampled_from([Kind.COMMAND, Kind.ANSWER]),
        st.integers(0, 255),
        st.binary(max_size=MOST_BYTES - 2),
    ),
)


@given(FRAMES, st.booleans())
def test_what_is_encoded_is_decoded(frame: Frame, extended: bool) -> None:  # noqa: FBT001 - drawn
    decoder = Decoder()
    assert decoder.feed(encode(frame, extended=extended)) == [frame]
    assert not decoder.take_rejects()
    assert decoder.holds == 0


@given(st.lists(FRAMES, max_size=4), st.binary(max_size=40), st.integers(1, 40))
def test_slicing_never_matters(frames: list[Frame], noise: bytes, size: int) -> None:
    slicing_never_matters(Decoder, map(encode, frames), noise, size)


@given(st.binary(max_size=60), FRAMES)
def test_noise_never_hides_the_next_good_frame(noise: bytes, frame: Frame) -> None:
    noise_hides_no_frame(Decoder(), noise, encode(frame), frame)


@given(st.integers(0, 255), st.integers(0, MOST_BYTES - 2), st.booleans(), st.data())
def test_a_truncated_frame_is_no_frame(code: int, size: int, extended: bool, data: st.DataObject) -> None:  # noqa: FBT001 - drawn
    raw = encode(Frame(Kind.ANSWER, code, bytes(size)), extended=extended)
    decoder = Decoder()
    assert decoder.feed(raw[: data.draw(st.integers(0, len(raw) - 1))]) == []
    assert decoder.holds < MOST_BYTES + 8


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("00 00 FF 02 FD D5 15 16 00", "length"),
        ("00 00 FF FF FF 01 0A F5 D5", "length"),
        ("00 00 FF FF FF 01 09 F7 D5", "length"),
        ("00 00 FF 00 00 D5 00", "length"),
        ("00 00 FF 02 FE D5 15 17 00", "checksum"),
        ("00 00 FF 02 FE D5 15 16 01", "delimiter"),
        ("00 00 FF 00 FF 01", "delimiter"),
        ("00 00 FF 01 FF D5 2B 00", "direction"),
        ("00 00 FF 02 FE 7F 15 6C 00", "direction"),
        ("00 00 FF 02 FE 00 15 EB 00", "direction"),
    ],
)
def test_each_check_has_its_counter(raw: str, reason: str) -> None:
    is_counted_as(Decoder(), raw, reason)


def test_an_acknowledgement_without_its_last_byte_waits_for_it() -> None:
    decoder = Decoder()
    assert decoder.feed(bytes.fromhex("00 00 FF 00 FF")) == []
    assert decoder.feed(b"\x00") == [Frame(Kind.ACK)]
    assert decoder.feed(bytes.fromhex("00 00 FF FF FF")) == []
    assert decoder.feed(bytes.fromhex("00 02 FE D5 15 16 00")) == [Frame(Kind.ANSWER, 0x15)]


def test_a_lost_zero_does_not_make_another_uid() -> None:
    raw = bytes.fromhex("00 00 FF 0F F1 D5 4B 01 01 00 44 00 07 04 63 00 0A 4F 53 81 FF 00")
    decoder = Decoder()
    assert decoder.feed(raw)[0].data.hex().endswith("0463000a4f5381")
    assert decoder.feed(raw.replace(b"\x63\x00", b"\x63")) == []
    assert decoder.gap() == []


def test_more_than_the_chip_takes_is_refused() -> None:
    with pytest.raises(FrameError, match="266 bytes; at most 265"):
        encode(Frame(Kind.COMMAND, 0x40, bytes(264)))


@given(st.integers(0, 10_000), st.integers(0, 2))
def test_type_a_cards_are_read_back(seed: int, count: int) -> None:
    rng = Random(seed)
    targets = [target_a(rng, number) for number in range(1, count + 1)]
    assert parse_targets(Modulation.A_106, encode_targets(targets)) == targets


@given(st.binary(min_size=4, max_size=4), st.binary(min_size=7, max_size=7), st.binary(max_size=20))
def test_type_b_cards_are_read_back(pupi: bytes, rest: bytes, attrib: bytes) -> None:
    target = Target(1, Technology.NFC_B, pupi, extra=rest + bytes([len(attrib)]) + attrib)
    assert parse_targets(Modulation.B_106, encode_targets([target])) == [target]


@given(st.binary(min_size=8, max_size=8), st.sampled_from([8, 10]))
def test_felica_cards_are_read_back(idm: bytes, rest: int) -> None:
    target = Target(1, Technology.NFC_F, idm, extra=bytes(rest))
    assert parse_targets(Modulation.F_212, encode_targets([target])) == [target]


def test_a_published_card() -> None:
    target = parse_targets(Modulation.A_106, bytes.fromhex("01 01 00 44 00 07 04 63 F8 0A 4F 53 81"))
    assert target == [Target(1, Technology.NFC_A, bytes.fromhex("0463F80A4F5381"), b"\x00\x44", 0)]


@pytest.mark.parametrize(
    ("modulation", "data", "reason"),
    [
        (Modulation.A_106, "", "length"),
        (Modulation.A_106, "01", "length"),
        (Modulation.A_106, "01 01 00 44 00", "length"),
        (Modulation.A_106, "01 01 00 44 00 07 04 63", "length"),
        (Modulation.A_106, "01 01 00 44 00 05 04 63 F8 0A 4F", "target"),
        (Modulation.A_106, "01 01 00 04 20 04 01 02 03 04 09 78", "length"),
        (Modulation.A_106, "01 01 00 04 08 04 01 02 03 04 FF", "length"),
        (Modulation.A_106, "02 01 00 04 08 04 01 02 03 04", "length"),
        (Modulation.B_106, "01 01 50 11 22", "length"),
        (Modulation.B_106, "01 01 51 11223344 00000000 338185 01 00", "target"),
        (Modulation.B_106, "01 01 50 11223344 00000000 338185 05 00", "length"),
        (Modulation.F_212, "01 01", "length"),
        (Modulation.F_212, "01 01 12 01", "length"),
        (Modulation.F_212, "01 01 02 01", "target"),
        (Modulation.F_212, "01 01 12 02" + "00" * 16, "target"),
    ],
)
def test_answers_of_no_card_are_refused(modulation: Modulation, data: str, reason: str) -> None:
    with pytest.raises(FrameError) as refused:
        parse_targets(modulation, bytes.fromhex(data))
    assert refused.value.reason == reason


@given(st.sampled_from(list(Modulation)), st.binary(max_size=60))
def test_hostile_answers_raise_frame_errors_only(modulation: Modulation, data: bytes) -> None:
    try:
        targets = parse_targets(modulation, data)
    except FrameError as error:
        assert error.reason in ("length", "target")  # noqa: PT017 - either outcome is right
    else:
        assert len(targets) == data[0]
