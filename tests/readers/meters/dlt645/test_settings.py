from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from readers.meters.dlt645.items import Read
from readers.meters.dlt645.settings import Dlt645Settings
from tests.readers.meters.dlt645.scenes import A1, A2, settings


def of(**more: Any) -> Dlt645Settings:
    return Dlt645Settings.model_validate({"meters": [{"name": "a"}], **more})


def test_what_changes_fast_is_read_more_often() -> None:
    given = of()
    assert [given.period_s(what) for what in (Read.POWER, Read.VOLTAGE, Read.ENERGY, Read.MAX_DEMAND, Read.THD)] == [
        15,
        15,
        60,
        900,
        900,
    ]
    assert [given.period_s(what) for what in (Read.STATUS, Read.EVENTS, Read.CLOCK)] == [60, 3600, 86_400]


def test_one_period_may_stand_for_all_registers_and_the_nearer_one_wins() -> None:
    given = of(poll_s=30, energy_s=5, status_s=7)
    assert [given.period_s(what) for what in (Read.POWER, Read.ENERGY, Read.DEMAND)] == [30, 5, 30]
    assert [given.period_s(what) for what in (Read.STATUS, Read.EVENTS, Read.CLOCK)] == [7, 3600, 86_400]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"meters": []}, "at least 1 item"),
        ({"meters": [{"name": "a", "address": "12x"}]}, "must be the 1 to 12 decimal digits"),
        ({"meters": [{"name": "a", "address": "1234567890123"}]}, "must be the 1 to 12 decimal digits"),
        ({"meters": [{"name": "A b", "address": "1"}]}, "should match pattern"),
        ({"meters": [{"name": "a", "address": "1"}, {"name": "a", "address": "2"}]}, "name a is given twice"),
        ({"meters": [{"name": "a", "address": "1"}, {"name": "b", "address": "01"}]}, "address 000000000001 is given"),
        ({"meters": [{"name": "a", "address": "1"}, {"name": "b"}]}, "b has no address"),
        ({"meters": [{"name": "a"}], "poll_s": 0.5}, "greater than or equal to 1"),
        ({"meters": [{"name": "a"}], "read": ["volts"]}, "Input should be"),
        ({"meters": [{"name": "a"}], "password": "000000"}, "Extra inputs"),
        ({"meters": [{"name": "a", "protocol": "1997"}]}, "a has no address; only meters of the edition of 2007"),
        ({"meters": [{"name": "a"}], "backfill_days": 63}, "less than or equal to 62"),
        ({"meters": [{"name": "a"}], "clock_sync": "always"}, "Input should be"),
        ({"meters": [{"name": "a"}], "control_level": 98}, "level 98 and 99 are encrypted by a security module"),
        ({"meters": [{"name": "a"}], "control_level": 10}, "must be 0 to 9"),
        ({"meters": [{"name": "a"}], "control_credential": "../etc/passwd"}, "should match pattern"),
    ],
)
def test_wrong_settings_say_what_is_wrong(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Dlt645Settings.model_validate(wrong)


def test_a_level_of_a_plain_password_is_taken() -> None:
    assert of(control_level=4).control_level == 4


def test_the_meters_are_the_sources() -> None:
    assert settings([A1, A2]).sources() == ("m0", "m1")
    assert settings(["161"]).meters[0].address == A1
    assert Dlt645Settings.model_validate({"meters": [{"name": "a", "address": None}]}).meters[0].address is None
