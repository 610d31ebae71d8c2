from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.driver import Parity
from readers.errors import FrameError
from readers.gdw376_messages import (
    MOST_USER_BYTES,
    Afn,
    Forward,
    Forwarded,
    Frame,
    SerialLine,
    confirmation,
    cut,
    encode,
    forward,
    forwarded,
    kind,
    parse,
    read_forward,
    read_forwarded,
)

LOGIN = bytes.fromhex("68 32 00 32 00 68 C9 00 02 34 12 00 02 71 00 00 01 00 85 16")
CONFIRMED = bytes.fromhex("68 32 00 32 00 68 0B 00 02 34 12 00 00 61 00 00 01 00 B5 16")
LINES = st.builds(
    SerialLine,
    st.sampled_from([300, 600, 1200, 2400, 4800, 7200, 9600, 19_200]),
    st.sampled_from(Parity),
    st.sampled_from([1, 2]),
)
FORWARDS = st.builds(
    Forward,
    st.integers(1, 31),
    LINES,
    st.integers(1, 127),
    st.integers(1, 255).map(lambda tens: tens * 10),
    st.binary(max_size=300),
)


def frame_of(raw: bytes) -> Frame:
    found = parse(bytearray(raw), 0)
    assert found is not None
    return found[0]


def test_a_published_login_is_confirmed_as_published() -> None:
    login = frame_of(LOGIN)
    assert (login.terminal, login.afn, login.fn, login.wants_confirmation) == ("02001234", Afn.LINK, 1, True)
    assert encode(confirmation(login)) == CONFIRMED


@given(st.lists(st.sampled_from([LOGIN, CONFIRMED]), max_size=4), st.binary(max_size=30))
def test_frames_are_cut_out_of_a_stream(raws: list[bytes], noise: bytes) -> None:
    noise = noise.replace(b"\x68", b"\x67")
    buffer = bytearray(noise + b"".join(raw + noise for raw in raws) + LOGIN[:9])
    assert [encode(frame) for frame in cut(buffer)] == raws
    assert bytes(buffer) == LOGIN[:9]
    buffer += LOGIN[9:]
    assert len(list(cut(buffer))) == 1
    assert not buffer


@pytest.mark.parametrize(
    ("at", "reason"), [(3, "length"), (5, "start"), (8, "checksum"), (-1, "delimiter"), (-2, "checksum")]
)
def test_what_is_no_frame(at: int, reason: str) -> None:
    raw = bytearray(LOGIN)
    raw[at] ^= 1
    with pytest.raises(FrameError) as caught:
        parse(raw, 0)
    assert caught.value.reason == reason


def test_a_false_start_costs_one_byte() -> None:
    buffer = bytearray(b"\x68\x32\x00" + LOGIN)
    assert len(list(cut(buffer))) == 1


@given(FORWARDS, st.integers(0, 40), st.binary(min_size=16, max_size=16))
def test_what_is_to_be_forwarded_is_understood(what: Forward, number: int, password: bytes) -> None:
    frame = frame_of(encode(forward("44030004", number, what, password)))
    assert read_forward(frame) == what
    assert frame.number == number % 16
    assert not frame.is_from_terminal


@given(FORWARDS, st.binary(max_size=300), st.sampled_from([None, b"\x4f\0"]))
def test_what_came_back_is_understood(what: Forward, content: bytes, events: bytes | None) -> None:
    request = forward("44030004", 5, what)
    frame = frame_of(encode(forwarded(request, Forwarded(what.port, content), events=events)))
    assert read_forwarded(frame) == Forwarded(what.port, content)
    assert frame.number == request.number
    assert frame.is_from_terminal


@given(LINES)
def test_line_words_come_back(line: SerialLine) -> None:
    assert SerialLine.decode(line.encode()) == line


def test_the_line_words_of_published_frames() -> None:
    assert SerialLine(2400).encode() == 0x6B
    assert SerialLine(9600).encode() == 0xCB


@pytest.mark.parametrize(("word", "bits"), [(0x68, 5), (0x69, 6), (0x6A, 7)])
def test_a_line_word_of_other_data_bits_is_refused(word: int, bits: int) -> None:
    with pytest.raises(FrameError, match=f"line word {word:02X}: {bits} data bits; allowed: 8"):
        SerialLine.decode(word)


def test_the_kind_of_parity_does_not_matter_where_there_is_none() -> None:
    assert SerialLine.decode(0x67) == SerialLine.decode(0x63) == SerialLine(2400, Parity.NONE)


@given(st.integers(1, 248))
def test_kinds_have_names(fn: int) -> None:
    assert Frame("44030004", 0, 0, 0, kind(fn)).fn == fn


def test_what_has_no_kind() -> None:
    assert Frame("44030004", 0, 0, 0, b"\0\0\0").fn is None
    assert Frame("44030004", 0, 0, 0, b"\0\0\3\0").fn is None


@pytest.mark.parametrize(
    ("data", "control", "sequence", "afn", "units"),
    [
        (b"unit" + bytes(16), 0x4B, 0x60, 0x10, b"unit"),
        (b"unit" + bytes(22), 0x4B, 0xE0, 0x10, b"unit"),
        (b"unit", 0x4B, 0x60, 0x0C, b"unit"),
        (b"unit" + bytes(2), 0xA8, 0x60, 0x10, b"unit"),
        (b"unit" + bytes(8), 0xA8, 0xE0, 0x10, b"unit"),
        (b"unit" + bytes(6), 0x88, 0xE0, 0x10, b"unit"),
    ],
)
def test_auxiliary_fields_are_taken_off(data: bytes, control: int, sequence: int, afn: int, units: bytes) -> None:
    assert Frame("44030004", control, afn, sequence, data).units == units


def test_what_cannot_be() -> None:
    good = Forward(2, SerialLine(2400), 20, 500, b"")
    for wrong in (
        Forward(0, SerialLine(2400), 20, 500, b""),
        Forward(2, SerialLine(2400), 128, 500, b""),
        Forward(2, SerialLine(2400), 20, 5, b""),
        Forward(2, SerialLine(115_200), 20, 500, b""),
    ):
        with pytest.raises(FrameError):
            forward("44030004", 1, wrong)
    for terminal in ("4403", "44A30004", "4403000g"):
        with pytest.raises(FrameError, match="4 digits and 4 hexadecimal"):
            encode(forward(terminal, 1, good))
    with pytest.raises(FrameError, match="at most"):
        encode(Frame("44030004", 0, 0, 0, bytes(MOST_USER_BYTES)))


@pytest.mark.parametrize("data", [b"", kind(1) + b"\2", kind(1) + b"\2\5\0abc", kind(1) + b"\2\1\0abc"])
def test_what_was_not_forwarded(data: bytes) -> None:
    with pytest.raises(FrameError):
        read_forwarded(Frame("44030004", 0x88, 0x10, 0x60, data))
    with pytest.raises(FrameError):
        read_forward(Frame("44030004", 0x4B, 0x10, 0x60, data + bytes(16)))
    with pytest.raises(FrameError, match="auxiliary"):
        read_forward(Frame("44030004", 0x4B, 0x10, 0x60, b"x"))
