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
        ({"filter": [{"mask": "xyz"}]}, "String should match pattern"),
        ({"trigger": {"gpi": 1, "until": "timeout"}}, "needs timeout_s"),
        ({"gpi": [1, 2, 1]}, r"gpi = \[1, 2, 1\]: each port may be named once"),
        ({"antennas": [1], "antenna_tx_power_dbm": {"2": 20}}, r"ports \[2\] are not among antennas = \[1\]"),
        ({"antenna_rx_attenuation_db": {"2": 20}, "antennas": [1]}, r"antenna_rx_attenuation_db: ports \[2\]"),
        ({"channel_index": 1, "channels": [1]}, "set one of them"),
        ({"search_mode": "tag_focus", "session": 2}, "works in session 1 only, not 2"),
        ({"access_password": "0000ABCD"}, "Extra inputs"),
        ({"access_password_credential": "a/b"}, "String should match pattern"),
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


def test_what_a_site_file_says_of_inputs_and_outputs() -> None:
    settings = LlrpSettings.model_validate(
        {
            "gpo": {"1": False, "2": True},
            "gpi": [3],
            "trigger": {"gpi": 1, "state": "low"},
            "access_password_credential": "tag-password",
        }
    )
    assert settings.gpo == {1: False, 2: True}
    assert settings.trigger is not None
    assert (settings.trigger.is_high, settings.trigger.until) == (False, "left")
    assert settings.access_password_credential == "tag-password"
