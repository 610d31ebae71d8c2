from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from readers.rfid.thingmagic import ThingMagicSettings
from readers.rfid.thingmagic.settings import REGION_CODES, REGIONS, Region


def test_regions_have_the_makers_numbers() -> None:
    assert set(REGION_CODES) == set(Region)
    some = ("na", "eu", "prc", "eu3", "prc2", "na2", "jp3", "eu4", "is2", "na4", "open")
    assert [REGION_CODES[Region(name)] for name in some] == [1, 2, 6, 8, 10, 13, 24, 30, 32, 33, 255]
    assert len(REGIONS) == len(Region)


def test_settings_are_checked() -> None:
    assert ThingMagicSettings().antenna_ports() is None
    assert ThingMagicSettings(antennas=(2, 1)).antenna_ports() == (2, 1)
    wrongs: list[dict[str, Any]] = [
        {"tx_power_dbm": 45},
        {"antennas": []},
        {"antennas": [17]},
        {"antennas": [1, 1]},
        {"session": 4},
        {"target": "c"},
        {"q": 16},
        {"read_tid": 33},
        {"region": "mars"},
        {"x": 1},
    ]
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            ThingMagicSettings.model_validate(wrong)
