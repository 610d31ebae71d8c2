from __future__ import annotations

import pytest
from pydantic import ValidationError

from readers.rfid.m100 import DRIVER, M100Settings


def test_settings_are_checked() -> None:
    assert DRIVER.settings().antenna_ports() == (1,)
    for wrong in (
        {"tx_power_dbm": 45},
        {"rounds": 0},
        {"rounds": 65_536},
        {"delimiters": "7e"},
        {"region": "mars"},
        {"x": 1},
    ):
        with pytest.raises(ValidationError):
            M100Settings.model_validate(wrong)
