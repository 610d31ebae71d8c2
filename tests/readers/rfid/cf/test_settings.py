from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from readers.rfid.cf.settings import CfSettings


def test_the_shortest_file() -> None:
    assert CfSettings().antenna_ports() is None
    assert CfSettings(antennas=(1, 4)).antenna_ports() == (1, 4)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"antennas": [0]}, "antenna 0: these readers have antennas 1 to 8"),
        ({"antennas": [9]}, "antenna 9: these readers"),
        ({"antennas": [2, 2]}, "an antenna is named twice"),
        ({"antennas": []}, "at least 1 item"),
        ({"tx_power_dbm": 0}, "greater than or equal to 1"),
        ({"tx_power_dbm": 34}, "less than or equal to 33"),
        ({"q": 16}, "less than or equal to 15"),
        ({"session": 4}, "Input should be"),
        ({"mode": "trigger"}, "Input should be"),
        ({"rounds": 65_536}, "less than or equal to 65535"),
        ({"x": 1}, "Extra inputs"),
    ],
)
def test_settings_are_checked(wrong: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        CfSettings.model_validate(wrong)
