from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.cf_band import BANDS, Band, Region
from readers.errors import FrameError

KHZ = st.integers(0, 65_535)


@given(st.builds(Band, st.integers(0, 255), st.integers(0, 65_535_999), KHZ, st.integers(0, 255)))
def test_a_band_comes_back(band: Band) -> None:
    assert Band.parse(band.data()) == band


def test_the_band_of_a_published_capture() -> None:
    assert Band.parse(bytes.fromhex("01 0386 02EE 01F4 31")) == BANDS[Region.US]


@pytest.mark.parametrize(
    ("region", "last_khz"),
    [
        (Region.US, 927_250),
        (Region.KR, 923_300),
        (Region.EU, 867_900),
        (Region.EU_HIGH, 867_500),
        (Region.CN_840, 844_875),
        (Region.CN_920, 924_875),
    ],
)
def test_bands_end_where_the_manuals_formula_does(region: Region, last_khz: int) -> None:
    band = BANDS[region]
    assert band.first_khz + band.last * band.step_khz == last_khz


def test_a_band_by_name_or_by_its_numbers() -> None:
    assert str(BANDS[Region.EU]) == "eu"
    assert str(Band(0, 865_100, 200, 3)) == "865100 to 865700 kHz in steps of 200 kHz (region code 00)"


def test_a_band_of_another_length_is_none() -> None:
    with pytest.raises(FrameError, match="7 bytes of band; 8 are due"):
        Band.parse(bytes(7))
