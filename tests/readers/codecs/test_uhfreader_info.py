from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.uhfreader_info import BANDS, TYPES, ReaderInfo, Region, band_bytes
from readers.errors import FrameError

SHORT = bytes.fromhex("01 23 09 03 31 80 1E 14")
LONG = bytes.fromhex("02 14 20 02 31 80 1E 03 0F 00 00 01")


def test_a_short_and_a_long_answer() -> None:
    short = ReaderInfo.parse(SHORT)
    assert (short.version, TYPES[short.type], short.region) == ((1, 35), "UHFReader18", Region.US)
    assert (short.lowest, short.highest, short.power_dbm, short.scan_ds) == (0, 49, 30, 20)
    assert short.antennas is None
    long = ReaderInfo.parse(LONG)
    assert (long.antennas, long.checks_antennas, TYPES[long.type]) == (0b1111, True, "UHFReader288MP")
    assert (short.data(), long.data()) == (SHORT, LONG)


@given(st.integers(0, 15), st.integers(0, 63), st.integers(0, 63))
def test_a_band_is_split_over_two_bytes(code: int, lowest: int, highest: int) -> None:
    info = ReaderInfo.parse(SHORT[:4] + band_bytes(code, lowest, highest) + SHORT[6:])
    assert (info.band, info.lowest, info.highest) == (code, lowest, highest)


def test_the_table_of_the_manual() -> None:
    assert len({band.code for band in BANDS.values()}) == len(BANDS) == len(Region)
    ends = {region: (band.first_khz, band.first_khz + band.step_khz * band.last) for region, band in BANDS.items()}
    assert ends[Region.CN_920] == (920_125, 924_875)
    assert ends[Region.US] == (902_750, 927_250)
    assert ends[Region.EU] == (865_100, 867_900)
    assert ends[Region.CN_840] == (840_125, 844_875)


@given(st.sampled_from(list(Region)), st.data())
def test_a_frequency_is_an_entry_of_the_points_in_force(region: Region, data: st.DataObject) -> None:
    band = BANDS[region]
    lowest = data.draw(st.integers(0, band.last))
    point = data.draw(st.integers(lowest, band.last))
    info = ReaderInfo.parse(SHORT[:4] + band_bytes(band.code, lowest, band.last) + SHORT[6:])
    assert info.region is region
    assert info.channel_index(band.first_khz + point * band.step_khz) == point - lowest + 1
    assert info.channel_index(band.first_khz + point * band.step_khz + 1) is None
    assert info.channel_index(band.first_khz + (lowest - 1) * band.step_khz) is None


def test_a_band_that_is_not_listed_has_no_channels() -> None:
    info = ReaderInfo.parse(SHORT[:4] + band_bytes(0b0101, 0, 5) + SHORT[6:])
    assert info.region is None
    assert info.channel_index(920_125) is None


@given(st.binary(max_size=7))
def test_less_than_every_model_tells_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError, match="at least 8 are due"):
        ReaderInfo.parse(data)
