from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlt698_data import (
    MOST_DEPTH,
    NULL,
    Bits,
    Data,
    Oad,
    Reader,
    Road,
    Tag,
    encode_data,
    encode_length,
    encode_time,
    time_us,
)
from readers.errors import FrameError
from simulator.meters import dlt698_wire as wire

CHINA_MIN = 480
AT_US = 1_791_353_786_000_000  # 2026-10-07 14:16:26 in China


def decoded(raw: bytes) -> Data:
    reader = Reader(raw)
    data = reader.data()
    assert not reader.rest
    return data


def integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) if signed else st.integers(0, (1 << bits) - 1)


OADS = st.builds(Oad, st.integers(0, 0xFFFF), st.integers(0, 255), st.integers(0, 255))
ROADS = st.builds(Road, OADS, st.lists(OADS, max_size=3).map(tuple))
COLUMNS = st.one_of(OADS, ROADS)
BITS = st.binary(max_size=20).map(lambda raw: Bits(len(raw) * 8, raw))
SIMPLE = st.one_of(
    st.just(NULL),
    st.builds(Data, st.just(Tag.BOOL), st.integers(0, 1)),
    st.builds(Data, st.just(Tag.BIT_STRING), BITS),
    *(st.builds(Data, st.just(tag), integers(bits, signed=True)) for tag, bits in ((Tag.INT8, 8), (Tag.INT16, 16))),
    *(st.builds(Data, st.just(tag), integers(bits, signed=True)) for tag, bits in ((Tag.INT32, 32), (Tag.INT64, 64))),
    *(st.builds(Data, st.just(tag), integers(bits, signed=False)) for tag, bits in ((Tag.UINT8, 8), (Tag.ENUM, 8))),
    *(
        st.builds(Data, st.just(tag), integers(bits, signed=False))
        for tag, bits in ((Tag.UINT32, 32), (Tag.UINT64, 64))
    ),
    st.builds(Data, st.just(Tag.UINT16), integers(16, signed=False)),
    st.builds(Data, st.just(Tag.FLOAT32), st.floats(width=32, allow_nan=False)),
    st.builds(Data, st.just(Tag.FLOAT64), st.floats(allow_nan=False)),
    st.builds(Data, st.sampled_from([Tag.OCTET_STRING, Tag.VISIBLE_STRING, Tag.TSA, Tag.RN]), st.binary(max_size=200)),
    st.builds(Data, st.just(Tag.DATE_TIME_S), st.binary(min_size=7, max_size=7)),
    st.builds(Data, st.just(Tag.DATE_TIME), st.binary(min_size=10, max_size=10)),
    st.builds(Data, st.just(Tag.TI), st.binary(min_size=3, max_size=3)),
    st.builds(Data, st.just(Tag.SCALER_UNIT), st.binary(min_size=2, max_size=2)),
    st.builds(Data, st.just(Tag.OAD), OADS),
    st.builds(Data, st.just(Tag.ROAD), ROADS),
    st.builds(Data, st.just(Tag.CSD), COLUMNS),
    st.builds(Data, st.just(Tag.RCSD), st.lists(COLUMNS, max_size=3).map(tuple)),
)
VALUES = st.recursive(
    SIMPLE,
    lambda inner: st.builds(Data, st.sampled_from([Tag.ARRAY, Tag.STRUCTURE]), st.lists(inner, max_size=3).map(tuple)),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_encoded_is_decoded(data: Data) -> None:
    assert decoded(encode_data(data)) == data


@given(VALUES, st.data())
def test_a_value_that_ends_early_is_none(value: Data, data: st.DataObject) -> None:
    raw = encode_data(value)
    with pytest.raises(FrameError):
        Reader(raw[: data.draw(st.integers(0, len(raw) - 1))]).data()


@given(st.binary(max_size=80))
def test_noise_raises_nothing_but_frame_errors(noise: bytes) -> None:
    with contextlib.suppress(FrameError):
        Reader(noise).data()


@given(st.lists(st.integers(0, (1 << 32) - 1), max_size=6), st.integers(-(1 << 15), (1 << 15) - 1))
def test_the_values_of_the_twin_are_understood(numbers: list[int], small: int) -> None:
    data = decoded(wire.structure(wire.array([wire.uint32(n) for n in numbers]), wire.int16(small), wire.NULL))
    array, number, null = data.items
    assert [each.integer for each in array.items] == numbers
    assert number.integer == small
    assert null.is_null


@given(st.integers(0, 0xFFFF))
def test_bits_are_counted_from_the_highest_of_the_first_byte(word: int) -> None:
    bits = decoded(wire.bits16(word)).content
    assert isinstance(bits, Bits)
    assert bits.value() == word


def test_bit_4_and_6_of_a_word() -> None:
    bits = decoded(bytes.fromhex("04 10 0A 00")).content
    assert isinstance(bits, Bits)
    assert bits.value() == 1 << 4 | 1 << 6


@given(st.integers(0, 4_000_000_000).map(lambda seconds: seconds * 1_000_000), st.integers(-720, 840))
def test_times_come_back(at_us: int, utc_offset_min: int) -> None:
    assert time_us(encode_time(at_us, utc_offset_min), utc_offset_min) == at_us
    assert encode_data(encode_time(at_us, utc_offset_min)) == wire.time(at_us, utc_offset_min)


def test_times_are_the_meters_local_time() -> None:
    assert time_us(decoded(bytes.fromhex("1C 07 EA 0A 07 0E 10 1A")), CHINA_MIN) == AT_US
    assert time_us(decoded(bytes.fromhex("19 07 EA 0A 07 03 0E 10 1A 00 00")), CHINA_MIN) == AT_US


@pytest.mark.parametrize("raw", ["1C FF FF FF FF FF FF FF", "1C 07 EA 0D 01 00 00 00", "1C 07 EA 02 1E 00 00 00", "00"])
def test_what_is_no_time(raw: str) -> None:
    assert time_us(decoded(bytes.fromhex(raw)), CHINA_MIN) is None


@pytest.mark.parametrize(("length", "raw"), [(0, "00"), (127, "7F"), (128, "8180"), (255, "81FF"), (256, "820100")])
def test_lengths(length: int, raw: str) -> None:
    assert encode_length(length).hex().upper() == raw
    assert Reader(bytes.fromhex(raw)).length() == length
    assert wire.counted(length).hex().upper() == raw


def test_lengths_that_are_none() -> None:
    with pytest.raises(FrameError, match="at most 65535"):
        encode_length(1 << 16)
    for raw in ("80", "83010000"):
        with pytest.raises(FrameError, match="1 or 2 are possible"):
            Reader(bytes.fromhex(raw)).length()


@pytest.mark.parametrize(
    "data",
    [
        Data(Tag.UINT8, 256),
        Data(Tag.UINT8, None),
        Data(Tag.INT8, -129),
        Data(Tag.BOOL, 300),
        Data(Tag.FLOAT32, 1e300),
        Data(Tag.DATE_TIME_S, b"1"),
        Data(Tag.OCTET_STRING, 1),
        Data(Tag.BIT_STRING, Bits(9, b"1")),
        Data(Tag.OAD, Road(Oad(1), ())),
        Data(Tag.ARRAY, 1.0),
    ],
)
def test_contents_that_do_not_fit(data: Data) -> None:
    with pytest.raises(FrameError) as caught:
        encode_data(data)
    assert caught.value.reason in {"range", "length"}


def test_values_are_not_nested_without_end() -> None:
    data = NULL
    for _ in range(MOST_DEPTH + 2):
        data = Data(Tag.ARRAY, (data,))
    with pytest.raises(FrameError, match="nested deeper"):
        Reader(encode_data(data)).data()


def test_types_that_are_not_read_here() -> None:
    for tag in (7, 8, 88, 90, 92, 200):
        with pytest.raises(FrameError, match="is not read here"):
            Reader(bytes([tag, 0, 0, 0])).data()
    with pytest.raises(FrameError, match="choice 2 of a column"):
        Reader(bytes([Tag.CSD, 2, 0, 0, 0, 0])).data()


def test_what_is_asked_of_the_wrong_type_is_empty() -> None:
    assert Data(Tag.UINT8, 1).items == ()
    assert Data(Tag.UINT8, 1).raw == b""
    assert Data(Tag.OCTET_STRING, b"1").integer is None
    assert str(Oad(0x10, 2, 1)) == "00100201"
    assert str(Road(Oad(0x5004), (Oad(0x10),))) == "50040200(00100200)"
