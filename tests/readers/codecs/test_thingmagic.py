from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.thingmagic import (
    MAX_DATA_BYTES,
    MAX_FRAME_BYTES,
    Decoder,
    Frame,
    Opcode,
    Speaker,
    Status,
    Version,
    crc16,
    encode,
    explained,
    runs_boot_loader,
)
from readers.errors import FrameError

STATUSES = st.one_of(st.integers(0, 0x7FF), st.integers(0x7F00, 0x7FFF))
DATA = st.binary(max_size=MAX_DATA_BYTES)
ANSWERS = st.builds(Frame, st.sampled_from(list(Opcode)), DATA, STATUSES)
COMMANDS = st.builds(Frame, st.sampled_from(list(Opcode)), DATA)
VERSION = bytes.fromhex("1412080030000002201503100103014700000010")


def decoder_for(frame: Frame) -> Decoder:
    return Decoder(Speaker.HOST if frame.status is None else Speaker.MODULE)


def shifted_crc(data: bytes) -> int:
    """The checksum as the module's maker describes it: data shifted into the register, bit by bit."""
    register = 0xFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            carry = register & 0x8000
            register = (register << 1 & 0xFFFF) | (byte >> bit & 1)
            register ^= 0x1021 if carry else 0
    return register


@given(st.binary(min_size=2, max_size=300))
def test_the_checksum_is_the_shifted_one(data: bytes) -> None:
    assert crc16(data) == shifted_crc(data)


@given(st.one_of(ANSWERS, COMMANDS))
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    decoder = decoder_for(frame)
    assert decoder.feed(encode(frame)) == [frame]
    assert not decoder.take_rejects()


@given(st.lists(ANSWERS, max_size=4), st.binary(max_size=40), st.integers(1, 40))
def test_slicing_never_matters(frames: list[Frame], noise: bytes, size: int) -> None:
    stream = noise + b"".join(encode(frame) + noise for frame in frames)
    whole, sliced = Decoder(), Decoder()
    found = [frame for at in range(0, len(stream), size) for frame in sliced.feed(stream[at : at + size])]
    assert whole.feed(stream) == found
    assert whole.gap() == sliced.gap()
    assert whole.take_rejects() == sliced.take_rejects()


@given(st.binary(max_size=60), st.one_of(ANSWERS, COMMANDS))
def test_noise_never_hides_the_next_good_frame(noise: bytes, frame: Frame) -> None:
    decoder = decoder_for(frame)
    decoder.feed(noise)
    decoder.gap()  # the line fell silent, then the frame comes
    assert decoder.feed(encode(frame))[-1:] == [frame]


@given(st.integers(1, 300), COMMANDS)
def test_a_run_that_wakes_a_module_is_skipped(length: int, frame: Frame) -> None:
    decoder = Decoder(Speaker.HOST)
    found = decoder.feed(b"\xff" * length + encode(frame))
    assert [*found, *decoder.gap()] == [frame]


@given(st.one_of(ANSWERS, COMMANDS), st.data())
def test_a_truncated_frame_is_no_frame(frame: Frame, data: st.DataObject) -> None:
    raw = encode(Frame(frame.opcode, bytes(len(frame.data)), frame.status))
    decoder = decoder_for(frame)
    assert decoder.feed(raw[: data.draw(st.integers(0, len(raw) - 1))]) == []
    assert decoder.gap() == []


@given(st.binary(max_size=600), st.sampled_from(Speaker))
def test_anything_at_all_raises_nothing_and_holds_little(stream: bytes, speaker: Speaker) -> None:
    decoder = Decoder(speaker)
    decoder.feed(stream)
    assert decoder.holds < MAX_FRAME_BYTES


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("FF F9", "length"),
        ("FF 00 77", "opcode"),
        ("FF 00 22 08", "status"),
        ("FF 00 22 04 00 84 E1", "checksum"),
    ],
)
def test_each_check_has_its_counter_and_comes_as_early_as_it_can(raw: str, reason: str) -> None:
    decoder = Decoder()
    assert decoder.feed(bytes.fromhex(raw)) == []
    assert decoder.take_rejects()[reason] == 1


def test_what_no_module_takes_is_refused() -> None:
    with pytest.raises(FrameError, match="249 bytes of data; at most 248"):
        encode(Frame(Opcode.VERSION, bytes(249)))
    with pytest.raises(FrameError, match="status 0900 exists nowhere"):
        encode(Frame(Opcode.VERSION, b"", 0x0900))


def test_the_version_of_a_logged_module() -> None:
    version = Version.parse(VERSION)
    assert version.hardware == bytes.fromhex("30000002")
    assert version.firmware == bytes.fromhex("01030147")
    assert version.protocols == 0x10
    assert version.data() == VERSION
    with pytest.raises(FrameError, match="a version has 20 bytes, 19 came"):
        Version.parse(VERSION[:-1])


def test_the_boot_loader_is_told_by_two_bits() -> None:
    assert [program for program in (0x11, 0x12, 0x51, 0x52) if runs_boot_loader(program)] == [0x11, 0x51]


def test_statuses_are_explained() -> None:
    assert explained(Status.BAD_PARAMETER) == "0105 (parameter out of range)"
    assert explained(0x0123) == "0123"
    assert explained(Status.NO_TAGS) == "0400 (no tag found)"
