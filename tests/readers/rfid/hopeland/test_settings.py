from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from readers.codecs.hopeland_band import Region
from readers.rfid.hopeland import HopelandSettings


def test_a_region_by_its_name() -> None:
    assert HopelandSettings.model_validate({"region": "eu_high"}).region is Region.EU_HIGH


def test_settings_are_checked() -> None:
    assert HopelandSettings().antenna_ports() is None
    assert HopelandSettings(antennas=(2, 1)).antenna_ports() == (2, 1)
    wrongs: list[dict[str, Any]] = [
        {"tx_power_dbm": 45},
        {"tx_power_dbm": 20.5},
        {"antennas": []},
        {"antennas": [9]},
        {"antennas": [1, 1]},
        {"read_tid": 33},
        {"region": "atlantis"},
        {"x": 1},
    ]
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            HopelandSettings.model_validate(wrong)
