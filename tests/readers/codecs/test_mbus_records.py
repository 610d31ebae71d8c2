"""The records, also against pyMeterBus, which shares no line with ours; its numbers come by way of floats."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

import meterbus  # type: ignore[import-untyped]  # it has none
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.mbus import Control, Kind, Long, encode
from readers.codecs.mbus_records import (
    Function,
    Header,
    Record,
    encode_header,
    encode_record,
    encode_time,
    read_header,
    read_records,
    time_us,
)
from readers.codecs.mbus_values import what_of
from readers.errors import FrameError
from tests.support.vectors import load

HEADERS = st.builds(
    Header,
    st.from_regex(r"[0-9A-F]{8}", fullmatch=True),
    st.from_regex(r"[A-Z]{3}", fullmatch=True),
    *[st.integers(0, 255)] * 4,
    st.integers(0, 65_535),
)
SIZES = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8, 9: 1, 10: 2, 11: 3, 12: 4, 14: 6, 0: 0}
KAMSTRUP = Header("06855817", "KAM", 8, 4)


@st.composite
def records(draw: st.DrawFn) -> Record:
    form = draw(st.sampled_from([*SIZES, 5, 13]))
    code = 0
    if form == 13:
        code = draw(st.integers(0, 0xBF) | st.integers(0xC0, 0xC9) | st.integers(0xD0, 0xD9) | st.integers(0xE0, 0xEF))
    size = SIZES.get(form, 4 if form == 5 else (code if code < 0xC0 else code & 0xF))
    vif = draw(st.integers(0, 0x7F).filter(lambda vif: vif != 0x7F))
    extensions = tuple(draw(st.lists(st.integers(0, 0x7F), max_size=4)))
    text = draw(st.text("abcWh/3", max_size=8)) if vif == 0x7C else ""
    return Record(
        form,
        vif,
        extensions,
        draw(st.binary(min_size=size, max_size=size)),
        draw(st.sampled_from(list(Function))),
        draw(st.integers(0, 1 << 9)),
        draw(st.integers(0, 15)),
        draw(st.integers(0, 3)),
        text,
        code,
    )


@given(HEADERS)
def test_a_header_comes_back(header: Header) -> None:
    assert read_header(encode_header(header)) == header


@given(st.lists(records(), max_size=5), st.sampled_from([b"", b"\x2f", b"\x0f\x01\x02", b"\x1f"]))
def test_records_come_back(made: list[Record], end: bytes) -> None:
    found, more = read_records(b"".join(encode_record(record) for record in made) + end)
    assert found == made
    assert more is (end == b"\x1f")


@given(records(), st.data())
def test_a_truncated_record_is_a_fault(record: Record, data: st.DataObject) -> None:
    raw = encode_record(record)
    part = raw[: data.draw(st.integers(1, len(raw) - 1))]
    try:
        read_records(part)
    except FrameError as error:
        assert error.reason == "record"  # noqa: PT017 - the filler 2F alone is none
    else:
        assert part[0] in (0x0F, 0x1F, 0x2F)


@given(st.binary(max_size=120))
def test_hostile_records_raise_frame_errors_only(raw: bytes) -> None:
    try:
        found, _ = read_records(raw)
    except FrameError as error:
        assert error.reason == "record"  # noqa: PT017 - either outcome is right
        return
    for record in found:
        assert record.number is None or record.number.is_finite()


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("01 06 FF", "-1"),
        ("01 06 80", "-128"),
        ("02 06 00 80", None),
        ("04 06 00 00 00 80", None),
        ("07 06 FF FF FF FF FF FF FF 7F", "9223372036854775807"),
        ("0C 06 78 56 34 12", "12345678"),
        ("0C 06 21 43 65 F7", "-7654321"),
        ("0A 06 AA AA", None),
        ("0E 06 99 99 99 99 99 99", "999999999999"),
        ("05 5B B8 2D F9 41", "31.147324"),
        ("05 06 00 00 00 3F", "0.5"),
        ("05 06 00 00 C0 7F", None),
        ("0D 06 C2 34 12", "1234"),
        ("0D 06 D2 34 12", "-1234"),
        ("0D 06 E3 FF FF FF", "-1"),
        ("0D 06 03 41 42 43", None),
        ("0D 06 C1 AA", None),
        ("0D 06 E0", None),
        ("00 06", None),
    ],
)
def test_numbers_are_exact_and_none_where_there_is_none(raw: str, number: str | None) -> None:
    ((record,), _) = read_records(bytes.fromhex(raw))
    assert record.number == (None if number is None else Decimal(number))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_real_number_is_the_shortest_that_makes_it(value: float) -> None:
    found = Record(5, 6, raw=struct.pack("<f", value)).number
    assert found is not None
    assert struct.pack("<f", float(found)) == struct.pack("<f", value) or value == 0


@pytest.mark.parametrize(
    "raw",
    ["04", "84", "04 86", "04 06 00", "0D 06", "0D 06 FF", "04 7C 05 41", "04 7C", "3E 06 00", *["84" + " 80" * 12]],
)
def test_what_is_no_record_is_a_fault(raw: str) -> None:
    if raw == "3E 06 00":
        with pytest.raises(FrameError, match="goes beyond"):
            read_records(bytes.fromhex(raw))
        return
    with pytest.raises(FrameError) as caught:
        read_records(bytes.fromhex(raw))
    assert caught.value.reason == "record"


def test_a_header_that_is_short_is_a_fault() -> None:
    with pytest.raises(FrameError, match="a header has 12"):
        read_header(bytes(11))


@pytest.mark.parametrize(
    ("raw", "at_us"),
    [
        ("0A 0C CD 13", 1_394_709_000_000_000),
        ("0A 8C CD 13", 1_394_705_400_000_000),
        ("8A 0C CD 13", None),
        ("0A 0C CD 1D", None),
        ("0F 0A 0C CD 13 00", 1_394_709_015_000_000),
        ("00 00 00", None),
    ],
)
def test_a_time_is_that_of_the_meter_s_clock(raw: str, at_us: int | None) -> None:
    data = bytes.fromhex(raw)
    assert time_us(data, 60) == at_us
    if at_us is not None and len(data) == 4 and not data[1] & 0x80:
        assert encode_time(at_us, 60) == data


def peer_records(header: Header, made: list[Record]) -> list[Any]:
    """What pyMeterBus reads."""
    data = encode_header(header) + b"".join(encode_record(record) for record in made)
    telegram = meterbus.load(encode(Long(Control.REPLY, 1, Kind.VARIABLE, data)))
    assert telegram.body.bodyHeader.interpreted["manufacturer"] == header.maker
    return list(telegram.records)


# the codes of energy, volume, power, flow and temperatures: what is read as a number with a power of ten
CODES = st.sampled_from([*range(0x08), *range(0x10, 0x18), *range(0x28, 0x30), *range(0x38, 0x40), *range(0x58, 0x64)])
PEER_SIZES = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8}


@given(CODES, st.sampled_from(list(PEER_SIZES)), st.data())
def test_a_foreign_parser_reads_the_same_numbers(vif: int, form: int, data: st.DataObject) -> None:
    bits = 8 * PEER_SIZES[form]
    number = data.draw(st.integers(-(1 << bits - 1) + 1, (1 << bits - 1) - 1))
    storage, tariff = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 3))
    record = Record(
        form, vif, raw=number.to_bytes(PEER_SIZES[form], "little", signed=True), storage=storage, tariff=tariff
    )
    (theirs,) = peer_records(KAMSTRUP, [record])
    what = what_of(vif)
    assert what is not None
    assert record.number == number
    assert float(theirs.parsed_value) == pytest.approx(float(number * what.factor / what.divisor), rel=1e-12)
    assert theirs.interpreted["storage_number"] == storage
    assert theirs.interpreted.get("tariff", 0) == tariff


@given(CODES, st.integers(0, 99_999_999))
def test_a_foreign_parser_reads_the_same_bcd_digits(vif: int, number: int) -> None:
    record = Record(12, vif, raw=bytes.fromhex(f"{number:08}")[::-1])
    (theirs,) = peer_records(KAMSTRUP, [record])
    what = what_of(vif)
    assert what is not None
    assert record.number == number
    assert float(theirs.parsed_value) == pytest.approx(float(number * what.factor / what.divisor), rel=1e-12)


PUBLISHED = [v for v in load("frame") if v.driver == "mbus" and v.table.get("readings")]


@pytest.mark.parametrize("vector", PUBLISHED, ids=str)
def test_a_foreign_parser_finds_the_same_values_in_published_frames(vector: Any) -> None:
    theirs = [
        record.parsed_value
        for record in meterbus.load(bytes.fromhex(vector.table["hex"])).records
        if isinstance(record.parsed_value, Decimal | int | float)
    ]
    hours = [value / 3600 for value in theirs]  # the peer tells times in seconds
    for reading in vector.table["readings"]:
        value = float(reading.split()[2])
        assert any(float(each) == pytest.approx(value, rel=1e-6, abs=1e-12) for each in [*theirs, *hours]), reading
