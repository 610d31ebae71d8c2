from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.hopeland import (
    MAX_DATA_BYTES,
    MAX_FRAME_BYTES,
    Ability,
    Decoder,
    Frame,
    Kind,
    ReadEpc,
    ReaderInfo,
    Tag,
    crc16,
    encode,
    time_data,
    time_us,
)
from readers.errors import FrameError
from tests.support.codecs.hopeland import tag as any_tag

FRAMES = st.builds(
    Frame, st.sampled_from(list(Kind)), st.integers(0, 255), st.binary(max_size=MAX_DATA_BYTES), st.booleans()
)
SHORT = st.builds(Frame, st.sampled_from(list(Kind)), st.integers(0, 255), st.binary(max_size=40), st.booleans())
PUBLISHED = bytes.fromhex("00 0A AA AA BB BB CC CC 20 18 04 11 28 00 01 01 00")
LOGGED_INFO = bytes.fromhex("00 01 00 13 00 10 43 4C 37 32 30 36 43 5F 32 30 31 37 30 36 30 32 23 EF AF DF")


def crc_by_bits(data: bytes) -> int:
    """The checksum from its definition."""
    value = 0
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = value << 1 ^ 0x18005 if value & 0x8000 else value << 1
    return value


@given(st.binary(max_size=100))
def test_the_checksum_is_that_of_its_definition(data: bytes) -> None:
    assert crc16(data) == crc_by_bits(data)


@given(FRAMES)
def test_what_is_encoded_is_decoded(frame: Frame) -> None:
    decoder = Decoder()
    assert decoder.feed(encode(frame)) == [frame]
    assert not decoder.take_rejects()


@given(st.lists(SHORT, max_size=4), st.binary(max_size=40), st.integers(1, 40))
def test_slicing_never_matters(frames: list[Frame], noise: bytes, size: int) -> None:
    stream = noise + b"".join(encode(frame) + noise for frame in frames)
    whole, sliced = Decoder(), Decoder()
    found = [frame for at in range(0, len(stream), size) for frame in sliced.feed(stream[at : at + size])]
    assert whole.feed(stream) == found
    assert whole.gap() == sliced.gap()
    assert whole.take_rejects() == sliced.take_rejects()


@given(st.binary(max_size=60), SHORT)
def test_noise_never_hides_the_next_good_frame(noise: bytes, frame: Frame) -> None:
    decoder = Decoder()
    decoder.feed(noise)
    decoder.gap()  # the line fell silent, then the frame comes
    assert decoder.feed(encode(frame))[-1:] == [frame]


@given(SHORT, st.data())
def test_a_truncated_frame_is_no_frame(frame: Frame, data: st.DataObject) -> None:
    raw = encode(Frame(frame.kind, 0, bytes(len(frame.data))))
    decoder = Decoder()
    assert decoder.feed(raw[: data.draw(st.integers(0, len(raw) - 1))]) == []
    assert decoder.gap() == []


@given(st.binary(max_size=2_000))
def test_anything_at_all_raises_nothing_and_holds_little(stream: bytes) -> None:
    decoder = Decoder()
    decoder.feed(stream)
    assert decoder.holds < MAX_FRAME_BYTES


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("AA 06", "kind"),
        ("AA 22", "kind"),
        ("AA 02 10 04 01", "length"),
        ("AA 02 FF 00 00 A4 0E", "checksum"),
    ],
)
def test_each_check_has_its_counter_and_comes_as_early_as_it_can(raw: str, reason: str) -> None:
    decoder = Decoder()
    assert decoder.feed(bytes.fromhex(raw)) == []
    assert decoder.take_rejects()[reason] == 1


def test_data_that_no_reader_takes_are_refused() -> None:
    with pytest.raises(FrameError, match="1025 bytes of data; at most 1024"):
        encode(Frame(Kind.RFID, 1, bytes(1025)))


def test_the_published_tag() -> None:
    tag = Tag.parse(PUBLISHED)
    assert (tag.epc.hex(), tag.pc_bits, tag.antenna_port, tag.rssi) == ("aaaabbbbcccc20180411", 0x2800, 1, 0)
    assert tag.data() == PUBLISHED


@given(st.integers(0, 2**32))
def test_what_is_told_is_read(seed: int) -> None:
    tag = any_tag(Random(seed))
    assert Tag.parse(tag.data()) == tag


@given(st.integers(0, 2**32), st.data())
def test_a_truncated_tag_is_refused_or_lacks_parameters(seed: int, data: st.DataObject) -> None:
    whole = any_tag(Random(seed))
    raw = whole.data()
    try:
        tag = Tag.parse(raw[: data.draw(st.integers(0, len(raw)))])
    except FrameError as error:
        assert error.reason == "length"  # noqa: PT017 - either outcome is right
    else:
        assert (tag.epc, tag.pc_bits, tag.antenna_port) == (whole.epc, whole.pc_bits, whole.antenna_port)


def test_parameters_from_the_first_unknown_one_on_are_kept_as_they_are() -> None:
    tag = Tag.parse(PUBLISHED + b"\x09\x00\x0e\x08\x30")
    assert tag.rest == b"\x09\x00\x0e\x08\x30"
    assert tag.rssi == 0
    assert Tag.parse(PUBLISHED + b"\x01\x05").rest == b"\x01\x05"  # said before


@given(st.binary(max_size=80), st.sampled_from([b"", PUBLISHED]))
def test_hostile_data_raise_frame_errors_only(data: bytes, head: bytes) -> None:
    for parse in (Tag.parse, ReaderInfo.parse, Ability.parse, ReadEpc.parse, time_us):
        try:
            parse(head + data)
        except FrameError as error:
            assert error.reason in ("length", "range")  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("00 0A AA", "an EPC of 10 bytes is announced, 3 bytes came"),
        ("00 02 AA AA 28 00 01", "PC 2800 announces 10 bytes of EPC, 2 came"),
        ("00 02 AA AA 08 00 00", "antenna port 0"),
        ("00 02 AA AA 08 00 01 03 00 04 01 02", "a parameter ends 2 bytes behind the data"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(raw: str, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        Tag.parse(bytes.fromhex(raw))


def test_a_pc_word_with_xpc_may_announce_another_length() -> None:
    assert Tag.parse(bytes.fromhex("00 02 AA AA 12 00 01")).epc == b"\xaa\xaa"


def test_the_logged_answer_about_the_reader() -> None:
    info = ReaderInfo.parse(LOGGED_INFO)
    assert (info.hardware, info.firmware, info.name) == ((0, 1), (0, 19), b"CL7206C_20170602")
    assert info.data() == LOGGED_INFO
    with pytest.raises(FrameError, match="a name of 16 bytes is announced, 25 bytes came"):
        ReaderInfo.parse(LOGGED_INFO[:-1])


def test_abilities_that_cannot_be_are_refused() -> None:
    assert Ability.parse(bytes.fromhex("00 24 04 00 05")) == Ability(0, 36, 4)
    with pytest.raises(FrameError, match="3 bytes at least, 2 came"):
        Ability.parse(b"\x00\x24")
    for wrong in ("24 00 04", "00 24 00", "00 24 09"):
        with pytest.raises(FrameError, match="cannot be"):
            Ability.parse(bytes.fromhex(wrong))


def test_times() -> None:
    assert time_us(bytes.fromhex("69 87 FE F5 00 0A B5 98")) == 1_770_520_309_701_848
    assert time_data(1_770_520_309_701_848) == bytes.fromhex("69 87 FE F5 00 0A B5 98")
    with pytest.raises(FrameError, match="a time has 8 bytes, 4 came"):
        time_us(bytes(4))


@pytest.mark.parametrize(
    ("request_", "raw"),
    [
        (ReadEpc((1,)), "01 01"),
        (ReadEpc((1, 2), is_continuous=False), "03 00"),
        (ReadEpc((1,), is_continuous=False, tid_words=6), "01 00 02 00 06"),
        (ReadEpc((1, 3, 8)), "85 01"),
    ],
)
def test_requests_as_published_come_back(request_: ReadEpc, raw: str) -> None:
    assert request_.data() == bytes.fromhex(raw)
    assert ReadEpc.parse(bytes.fromhex(raw)) == request_


@pytest.mark.parametrize("raw", ["01", "00 01", "01 02", "01 01 03 00 06"])
def test_requests_that_are_not_played_are_refused(raw: str) -> None:
    with pytest.raises(FrameError):
        ReadEpc.parse(bytes.fromhex(raw))
