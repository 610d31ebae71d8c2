from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from readers.cards.osdp import DRIVER
from readers.cards.osdp.settings import OsdpSettings


def test_the_shortest_file_is_one_reader_at_the_factory_address() -> None:
    settings = OsdpSettings()
    assert [unit.address for unit in settings.units] == [0]
    assert settings.antenna_ports() == (1,)
    assert DRIVER.extra == "osdp"


def test_the_readers_of_all_devices_are_antenna_ports() -> None:
    settings = OsdpSettings.model_validate(
        {"units": [{"address": 1, "antennas": [1, 2]}, {"address": 126, "first_port": 3}]}
    )
    assert settings.antenna_ports() == (1, 2, 3)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"units": []}, "at least 1 item"),
        ({"units": [{"address": 127}]}, "less than or equal to 126"),
        ({"units": [{"address": 1}, {"address": 1, "first_port": 2}]}, "address 1 is given to two readers"),
        ({"units": [{"address": 1}, {"address": 2}]}, "antenna port 1 belongs to address 1 and to address 2"),
        ({"units": [{"address": n, "first_port": n + 1} for n in range(17)]}, "at most 16 items"),
        ({"units": [{"scbk_credential": "../etc/passwd"}]}, "should match pattern"),
        ({"units": [{"scbk": "00" * 16}]}, "Extra inputs are not permitted"),
        ({"units": [{"default_key": True}]}, "'refused' or 'allowed'"),
        ({"keypad": "pin"}, "'ignored' or 'with_card'"),
        ({"keys_within_s": 0}, "greater than or equal to 1"),
        ({"card": {"base": "dec"}}, "does not say how long"),
    ],
)
def test_settings_are_checked(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        OsdpSettings.model_validate(wrong)
