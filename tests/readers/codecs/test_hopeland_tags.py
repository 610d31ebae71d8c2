from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.hopeland_tags import (
    ReadTags,
    Span,
    Tag,
    epc_filter,
    filtered_epc,
    ports_of,
    rssi_dbm_of,
    rssi_raw_of,
)
from readers.errors import FrameError
from tests.support.codecs.hopeland import tag as any_tag

PUBLISHED = bytes.fromhex("00 0A AA AA BB BB CC CC 20 18 04 11 28 00 01 01 00")
SPANS = st.none() | st.builds(Span, st.integers(0, 0xFFFF), st.integers(0, 255))
READS = st.builds(
    ReadTags,
    st.lists(st.integers(1, 8), min_size=1, unique=True).map(lambda ports: tuple(sorted(ports))),
    st.booleans(),
    st.integers(0, 255),
    st.binary(max_size=30),
    SPANS,
    SPANS,
    SPANS,
    st.integers(0, 2**32 - 1),
)


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
    tag = Tag.parse(PUBLISHED + b"\x15\x00\x0e\x08\x30")
    assert tag.rest == b"\x15\x00\x0e\x08\x30"
    assert tag.rssi == 0
    assert Tag.parse(PUBLISHED + b"\x01\x05").rest == b"\x01\x05"  # said before


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


@pytest.mark.parametrize(
    ("request_", "raw"),
    [
        (ReadTags((1,)), "01 01"),
        (ReadTags((1, 2), is_continuous=False), "03 00"),
        (ReadTags((1,), is_continuous=False, tid_words=6), "01 00 02 00 06"),
        (ReadTags((1, 3, 8)), "85 01"),
    ],
)
def test_requests_as_published_come_back(request_: ReadTags, raw: str) -> None:
    assert request_.data() == bytes.fromhex(raw)
    assert ReadTags.parse(bytes.fromhex(raw)) == request_


@pytest.mark.parametrize("raw", ["01", "00 01", "01 02", "01 01 03 00 06", "01 01 06 00", "01 01 02 00 06 02 00 06"])
def test_requests_that_are_not_played_are_refused(raw: str) -> None:
    with pytest.raises(FrameError):
        ReadTags.parse(bytes.fromhex(raw))


@given(READS)
def test_requests_come_back(request_: ReadTags) -> None:
    assert ReadTags.parse(request_.data()) == request_


def test_a_request_for_memory() -> None:
    """By the maker's library: filter, user memory, password."""
    asked = ReadTags((2,), is_continuous=False, epc=b"\x12\x34", user=Span(1, 4), password=0x11223344)
    assert asked.data() == bytes.fromhex("02 00 01 0006 01 0020 10 1234 03 0001 04 05 11223344")


@pytest.mark.parametrize(
    "raw", ["", "0006", "000601002010 12", "0002 0100", "0006 02 0020 10 1234", "0006 01 0020 0F 1234"]
)
def test_filters_that_are_not_played_are_refused(raw: str) -> None:
    with pytest.raises(FrameError):
        filtered_epc(bytes.fromhex(raw))


def test_a_filter_and_what_follows_it() -> None:
    assert filtered_epc(epc_filter(b"\x12\x34") + b"\x02") == (b"\x12\x34", b"\x02")
    assert ports_of(0x85) == (1, 3, 8)


@pytest.mark.parametrize(("raw", "dbm"), [(98, -30.8), (1, -104.0), (0x20, -80.9), (0x58, -38.8), (255, 87.1)])
def test_strength_by_the_makers_formula(raw: int, dbm: float) -> None:
    assert rssi_dbm_of(raw) == dbm
    assert rssi_raw_of(dbm) == raw


def test_no_strength() -> None:
    assert rssi_dbm_of(0) is None
    assert Tag.parse(PUBLISHED).rssi_dbm is None
    assert Tag(b"", 0, 1).rssi_dbm is None


def test_strength_in_dbm_goes_before_the_formula() -> None:
    tag = Tag.parse(PUBLISHED[:-1] + b"\x62\x11\xc9")
    assert (tag.rssi, tag.exact_rssi_dbm, tag.rssi_dbm) == (0x62, -55, -55.0)


@given(st.binary(max_size=80), st.sampled_from([b"", PUBLISHED, b"\x01\x01"]))
def test_hostile_data_raise_frame_errors_only(data: bytes, head: bytes) -> None:
    for parse in (Tag.parse, ReadTags.parse):
        try:
            parse(head + data)
        except FrameError as error:
            assert error.reason in ("length", "range")  # noqa: PT017 - either outcome is right
