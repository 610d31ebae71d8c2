from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlt645_clock import (
    clock_us,
    digits_of,
    encode_date,
    encode_minute_time,
    encode_second_time,
    encode_time,
    local_time,
    meter_time_us,
)
from readers.errors import FrameError

SECOND_US = 1_000_000
IN_THIS_CENTURY = st.integers(946_900_800, 4_102_300_800).map(lambda seconds: seconds * SECOND_US)
OFFSETS = st.integers(-720, 840)


@given(IN_THIS_CENTURY, OFFSETS)
def test_every_second_of_the_century_comes_back(at_us: int, offset_min: int) -> None:
    assert meter_time_us(encode_second_time(at_us, offset_min), offset_min) == at_us
    assert clock_us(encode_date(at_us, offset_min), encode_time(at_us, offset_min), offset_min) == at_us
    minute_us = at_us // (60 * SECOND_US) * 60 * SECOND_US
    assert meter_time_us(encode_minute_time(at_us, offset_min), offset_min) == minute_us


@given(st.binary(max_size=8), OFFSETS)
def test_anything_at_all_is_a_time_or_none(raw: bytes, offset_min: int) -> None:
    at_us = meter_time_us(raw, offset_min)
    if at_us is not None:
        assert local_time(at_us, offset_min).year in range(2000, 2100)
        encoded = encode_second_time(at_us, offset_min)
        assert encoded.endswith(raw)


@pytest.mark.parametrize(
    ("raw", "offset_min", "expected"),
    [
        ("15 10 02 11 26", 480, 1_793_585_700_000_000),
        ("15 10 02 11 26", 0, 1_793_614_500_000_000),
        ("59 15 10 02 11 26", 480, 1_793_585_759_000_000),
        ("00 00 00 00 00", 480, None),
        ("61 10 02 11 26", 480, None),
        ("60 15 10 02 11 26", 480, None),
        ("0A 10 02 11 26", 480, None),
        ("15 10 02 11", 480, None),
    ],
)
def test_a_meters_own_time(raw: str, offset_min: int, expected: int | None) -> None:
    assert meter_time_us(bytes.fromhex(raw), offset_min) == expected


def test_sunday_is_the_zeroth_day() -> None:
    sunday_us = meter_time_us(bytes.fromhex("00 12 10 01 16"), 480)
    assert sunday_us is not None
    assert encode_date(sunday_us, 480) == bytes.fromhex("00 10 01 16")
    assert encode_date(sunday_us + 86_400 * SECOND_US, 480) == bytes.fromhex("01 11 01 16")  # as published


def test_a_clock_that_shows_no_time_is_refused() -> None:
    with pytest.raises(FrameError, match="no date and time"):
        clock_us(bytes(4), bytes(3), 480)
    with pytest.raises(FrameError, match="a date of 3 and a time of 3 bytes: must be 4 and 3"):
        clock_us(bytes(3), bytes(3), 480)


@pytest.mark.parametrize("year", [-1, 5_000_000_000])
def test_a_year_that_does_not_fit_is_refused(year: int) -> None:
    with pytest.raises(FrameError, match="does not fit: must be 2000 to 2099"):
        encode_minute_time(year * SECOND_US, 0)


def test_digits() -> None:
    assert digits_of(b"\x34\x12") == "1234"
    assert digits_of(b"\x3a\x12") is None
