from __future__ import annotations

from readers.codecs.hopeland_band import REGION_CODES, REGIONS, Region


def test_numbers_are_those_of_the_library() -> None:
    assert [REGION_CODES[region] for region in (Region.CN_920, Region.US, Region.EU, Region.RU)] == [0, 3, 4, 8]
    assert [REGION_CODES[region] for region in (Region.CN_GB, Region.US_LOW, Region.EU_HIGH, Region.ZA)] == [
        9,
        14,
        16,
        20,
    ]
    assert {REGIONS[code] for code in REGION_CODES.values()} == set(Region)
