from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlms_data import Structure, Value, decode
from simulator.meters import dlms_axdr as axdr


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (axdr.NULL, None),
        (axdr.boolean(value=True), True),
        (axdr.int32(-5), -5),
        (axdr.uint32(5009), 5009),
        (axdr.octets(b"abc"), b"abc"),
        (axdr.octets(bytes(200)), bytes(200)),
        (axdr.octets(bytes(300)), bytes(300)),
        (axdr.int8(-1), -1),
        (axdr.int16(-300), -300),
        (axdr.uint8(200), 200),
        (axdr.uint16(60_000), 60_000),
        (axdr.enum(30), 30),
        (axdr.array([axdr.uint8(1), axdr.uint8(2)]), [1, 2]),
        (axdr.scaler_unit(-1, 35), Structure((-1, 35))),
    ],
)
def test_what_is_written_is_what_the_drivers_side_reads(raw: bytes, value: Value) -> None:
    assert decode(raw) == value


def test_the_published_answer_is_written() -> None:
    """The tests of dlms-cosem: C401C100 06 00001391."""
    assert axdr.uint32(5009) == bytes.fromhex("0600001391")


def test_a_date_and_time_are_written_as_published() -> None:
    """The tests of dlms-cosem, test_selective_access.py and test_time.py: 2020-01-06 00:03 at -60, Monday."""
    at_us = 1_578_265_380_000_000
    assert axdr.date_time(at_us, 60).hex().upper() == "090C" + "07E40106" + "01" + "00030000" + "FFC4" + "00"
    unsaid = axdr.date_time(at_us, 60, says_deviation=False, status=0x80)
    assert unsaid.hex().upper() == "090C" + "07E40106" + "01" + "00030000" + "8000" + "80"


@given(st.integers(0, 4_000_000_000_00), st.integers(-720, 840), st.booleans())
def test_a_moment_comes_back(hundredths: int, offset_min: int, says: bool) -> None:  # noqa: FBT001
    raw = axdr.date_time(hundredths * 10_000, offset_min, says_deviation=says)
    assert axdr.moment(raw[2:], offset_min) == hundredths * 10_000
