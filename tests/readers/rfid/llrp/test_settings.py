from __future__ import annotations

import pytest
from pydantic import ValidationError

from readers.rfid.llrp.settings import LlrpSettings, Profile


def test_nothing_need_be_set() -> None:
    settings = LlrpSettings()
    assert settings.profile is Profile.GATE
    assert settings.antenna_ports() is None


def test_the_antennas_are_the_ports_that_will_be_read() -> None:
    assert LlrpSettings.model_validate({"antennas": [3, 1]}).antenna_ports() == (3, 1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"profile": "portal"}, "'gate', 'lane', 'yard', 'station' or 'shelf'"),
        ({"tx_power_dbm": 45}, "less than or equal to 36"),
        ({"antennas": []}, "at least 1 item"),
        ({"antennas": [0]}, "greater than or equal to 1"),
        ({"antennas": [1, 1]}, "each port may be named once"),
        ({"session": 4}, "less than or equal to 3"),
        ({"keepalive_s": 0}, "greater than or equal to 0.5"),
        ({"report_within_s": 0.001}, "greater than or equal to 0.02"),
        ({"report_within_s": "nan"}, "less than or equal to 60"),
        ({"rospec": {}}, "Extra inputs"),
    ],
)
def test_each_fault_is_named(given: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        LlrpSettings.model_validate(given)
