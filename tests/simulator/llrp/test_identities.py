from __future__ import annotations

import pytest

from simulator.llrp.identities import FCC, IDENTITIES, REGIONS, Identity, Region, impinj_r420

BANDS_KHZ = {"fcc": (902_000, 928_000), "etsi": (865_600, 867_600), "china": (920_500, 924_500)}


@pytest.mark.parametrize("name", REGIONS)
def test_a_region_stays_inside_its_band_and_names_each_channel_once(name: str) -> None:
    region: Region = REGIONS[name]
    low, high = BANDS_KHZ[name]
    assert all(low < frequency < high for frequency in region.frequencies_khz)
    assert len(set(region.frequencies_khz)) == len(region.frequencies_khz)


@pytest.mark.parametrize("name", IDENTITIES)
def test_the_tables_of_an_identity_rise_and_its_modes_differ(name: str) -> None:
    identity: Identity = IDENTITIES[name]
    for table in (identity.tx_power_centi_dbm, identity.sensitivity_db):
        assert list(table) == sorted(set(table))
    modes = [mode.identifier for mode in identity.modes]
    assert len(set(modes)) == len(modes)
    assert 0 < identity.warn_percent <= 100
    assert min(identity.versions) == 1


def test_the_speedway_has_the_tables_that_were_recorded_from_one() -> None:
    speedway = impinj_r420()
    assert (len(speedway.tx_power_centi_dbm), speedway.tx_power_centi_dbm[0], speedway.tx_power_centi_dbm[-1]) == (
        81,
        1_000,
        3_000,
    )
    assert (len(speedway.sensitivity_db), len(speedway.modes)) == (42, 10)
    assert (speedway.manufacturer, speedway.model, speedway.max_rospecs) == (25_882, 2_001_002, 1)
    assert (len(FCC.frequencies_khz), min(FCC.frequencies_khz), max(FCC.frequencies_khz)) == (50, 902_750, 927_250)
    assert speedway.is_impinj
    assert not IDENTITIES["zebra"].is_impinj
