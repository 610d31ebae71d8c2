from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.errors import FrameError
from readers.rfid.llrp.framing import (
    LARGEST_MESSAGE_BYTES,
    TV_BYTES,
    Framer,
    Message,
    Parameter,
    encode,
    encode_custom,
    encode_tlv,
    parameters,
)

MESSAGES = st.lists(
    st.tuples(st.integers(0, 1023), st.integers(0, 0xFFFFFFFF), st.binary(max_size=200), st.sampled_from((1, 2))),
    max_size=8,
)


def cut(data: bytes, seed: int) -> list[bytes]:
    rng = random.Random(seed)
    pieces = []
    while data:
        size = rng.randint(1, 40)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


@given(MESSAGES, st.integers(0, 1000))
def test_slicing_never_matters(messages: list[tuple[int, int, bytes, int]], seed: int) -> None:
    expected = [Message(kind, number, body, version) for kind, number, body, version in messages]
    stream = b"".join(encode(*message[:3], version=message[3]) for message in messages)
    for pieces in ([stream], cut(stream, seed), [stream[i : i + 1] for i in range(len(stream))]):
        framer = Framer()
        assert [message for piece in pieces for message in framer.feed(piece)] == expected
        assert framer.held_bytes == 0


@given(st.binary(max_size=200), st.integers(0, 1000))
def test_noise_raises_only_frame_errors(noise: bytes, seed: int) -> None:
    framer = Framer()
    with contextlib.suppress(FrameError):
        for piece in cut(noise, seed):
            list(framer.feed(piece))
    assert framer.held_bytes <= len(noise)


def test_a_header_is_as_the_standard_draws_it() -> None:
    assert encode(62, 7) == bytes.fromhex("043E 0000000A 00000007")
    assert encode(46, 1, version=2) == bytes.fromhex("082E 0000000A 00000001")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("0C3D 0000000A 00000001", "header"),  # version 3
        ("003D 0000000A 00000001", "header"),  # version 0
        ("243D 0000000A 00000001", "header"),  # a reserved bit
        ("043D 00000009 00000001", "length"),
        ("043D 00400001 00000001", "length"),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1, 3, 100])
def test_what_came_before_a_bad_header_is_kept(header: str, reason: str, piece_bytes: int) -> None:
    good = encode(62, 1)
    stream = good + bytes.fromhex(header)
    framer = Framer()
    seen: list[Message] = []

    def feed() -> None:
        for start in range(0, len(stream), piece_bytes):
            seen.extend(framer.feed(stream[start : start + piece_bytes]))

    with pytest.raises(FrameError) as caught:
        feed()
    assert caught.value.reason == reason
    assert caught.value.frame.startswith(bytes.fromhex(header)[:10])
    assert [message.type for message in seen] == [62]


def test_the_largest_message_is_taken() -> None:
    body = bytes(LARGEST_MESSAGE_BYTES - 10)
    framer = Framer()
    stream = encode(61, 1, body)
    (message,) = [m for start in range(0, len(stream), 65536) for m in framer.feed(stream[start : start + 65536])]
    assert len(message.payload) == len(body)


def test_parameters_of_all_three_forms() -> None:
    payload = b"\x81\x00\x02" + encode_tlv(241, b"\x00\x08\xaa") + encode_custom(25882, 56, b"\x01\x02")
    assert list(parameters(payload)) == [
        Parameter(1, b"\x00\x02"),
        Parameter(241, b"\x00\x08\xaa"),
        Parameter(1023, b"\x01\x02", 25882, 56),
    ]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("00F0 0003", "length"),  # shorter than its own header
        ("00F0 0000", "length"),  # no length: must not loop
        ("00F0 0005", "length"),  # longer than what is there
        ("00F0", "truncated"),
        ("81 00", "length"),
        ("C0 00 00", "parameter"),  # a TV type that nobody knows has no length
        ("03FF 0008 0000651A", "length"),  # custom without subtype
        ("03FF 000C 0000651A", "length"),
    ],
)
def test_damaged_parameters(payload: str, reason: str) -> None:
    with pytest.raises(FrameError) as caught:
        list(parameters(bytes.fromhex(payload)))
    assert caught.value.reason == reason


@given(st.binary(max_size=100))
def test_parameters_of_noise_end(noise: bytes) -> None:
    try:
        found = list(parameters(noise))
    except FrameError:
        return
    heads = sum(12 if p.type == 1023 else 1 if p.type in TV_BYTES else 4 for p in found)
    assert heads + sum(len(p.value) for p in found) <= len(noise) + 3 * len(found)
