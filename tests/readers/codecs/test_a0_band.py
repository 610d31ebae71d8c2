from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.a0_band import (
    HIGHEST_KHZ,
    LOWEST_KHZ,
    TABLE_KHZ,
    WHOLE,
    CustomBand,
    RegionCode,
    TableBand,
    parse_band,
)
from readers.errors import FrameError

CUSTOM = st.builds(
    CustomBand, st.integers(LOWEST_KHZ, HIGHEST_KHZ), st.integers(1, 255).map(lambda n: n * 10), st.integers(1, 255)
)
TABLE = st.tuples(st.sampled_from(sorted(WHOLE)), st.integers(0, 59), st.integers(0, 59)).map(
    lambda t: TableBand(t[0], min(t[1:]), max(t[1:]))
)


@given(CUSTOM | TABLE)
def test_a_band_is_read_as_it_was_written(band: CustomBand | TableBand) -> None:
    assert parse_band(band.data()) == band


@pytest.mark.parametrize(
    ("index", "khz"),
    [
        (0, 865_000),
        (5, 867_500),
        (6, 868_000),
        (7, 902_000),
        (14, 905_500),
        (22, 909_500),
        (48, 922_500),
        (59, 928_000),
    ],
)
def test_frequencies_of_the_table(index: int, khz: int) -> None:
    """The values of a second implementation's own test (rust-invelion)."""
    assert TABLE_KHZ[index] == khz
    assert TableBand(RegionCode.FCC, 0, 59).khz(index) == khz


def test_regions_begin_and_end_where_they_should() -> None:
    ends = {code: (TABLE_KHZ[band.first_index], TABLE_KHZ[band.last_index]) for code, band in WHOLE.items()}
    assert ends == {
        RegionCode.FCC: (902_000, 928_000),
        RegionCode.ETSI: (865_000, 868_000),
        RegionCode.CHN: (920_000, 925_000),
    }


def test_a_band_of_the_users_own_counts_from_its_start() -> None:
    band = CustomBand(920_625, 250, 16)
    assert band.data() == bytes.fromhex("04 19 10 0E 0C 31")
    assert (band.khz(0), band.khz(15), band.khz(16), band.khz(-1)) == (920_625, 924_375, None, None)
    assert str(band) == "16 frequencies from 920625 kHz in steps of 250 kHz"


def test_an_index_outside_the_band_has_no_frequency() -> None:
    band = WHOLE[RegionCode.ETSI]
    assert band.khz(7) is None
    assert str(band) == "865000 to 868000 kHz (region code 02)"


@given(st.binary(max_size=10))
def test_hostile_data_raise_frame_errors_only(data: bytes) -> None:
    try:
        assert parse_band(data).data() == data
    except FrameError as error:
        assert error.reason in ("length", "range")  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("04 19 00 0E 0C 31", "range"),
        ("04 19 10 00 00 01", "range"),
        ("01 07 3C", "range"),
        ("01 08 07", "range"),
        ("05 00 01", "length"),
        ("41", "length"),
    ],
)
def test_bands_that_are_none(data: str, reason: str) -> None:
    with pytest.raises(FrameError, match=reason):
        parse_band(bytes.fromhex(data))
