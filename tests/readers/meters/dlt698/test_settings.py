from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from readers.meters.dlt698.items import ITEMS, RANKS, USUAL, Read
from readers.meters.dlt698.settings import Dlt698Settings


def made(**more: Any) -> Dlt698Settings:
    return Dlt698Settings.model_validate({"meters": [{"name": "a", "address": "161"}], **more})


def test_the_shortest_is_enough() -> None:
    settings = made()
    assert settings.meters[0].address == "000000000161"
    assert settings.client_address == 16
    assert settings.read == USUAL
    assert settings.sources() == ("a",)
    assert 12 <= len([oad for what in settings.read for oad in ITEMS.get(what, ())]) + 3 <= 20


@pytest.mark.parametrize(("given", "meant"), [("1", "000000000001"), ("1" * 13, "0" + "1" * 13), ("2" * 32, "2" * 32)])
def test_addresses_are_whole_bytes(given: str, meant: str) -> None:
    assert made(meters=[{"name": "a", "address": given}]).meters[0].address == meant


def test_a_meter_alone_needs_no_address() -> None:
    assert made(meters=[{"name": "a"}]).meters[0].address is None
    assert made(meters=[{"name": "a", "address": None}]).meters[0].address is None


def test_periods() -> None:
    settings = made()
    assert [settings.period_s(what) for what in (Read.VOLTAGE, Read.ENERGY, Read.DEMAND)] == [15, 60, 900]
    assert [settings.period_s(what) for what in (Read.STATUS, Read.EVENTS, Read.CLOCK)] == [60, 3600, 86_400]
    assert made(poll_s=7).period_s(Read.ENERGY) == 7
    assert made(poll_s=7, energy_s=9).period_s(Read.ENERGY) == 9


@pytest.mark.parametrize(
    ("meters", "fault"),
    [
        ([], "at least 1"),
        ([{"name": "a", "address": "16A"}], "1 to 32 decimal digits"),
        ([{"name": "a", "address": "1" * 33}], "1 to 32 decimal digits"),
        ([{"name": "A", "address": "1"}], "should match pattern"),
        ([{"name": "a", "address": "1"}, {"name": "a", "address": "2"}], "name a is given twice"),
        ([{"name": "a", "address": "1"}, {"name": "b", "address": "01"}], "address 000000000001 is given twice"),
        ([{"name": "a"}, {"name": "b", "address": "1"}], "a has no address; only a meter alone"),
    ],
)
def test_what_cannot_be(meters: list[dict[str, str]], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        made(meters=meters)


def test_everything_that_may_be_read_has_a_rank() -> None:
    assert set(RANKS) == set(Read)
    assert set(Read) - set(ITEMS) == {Read.STATUS, Read.EVENTS, Read.CLOCK}
