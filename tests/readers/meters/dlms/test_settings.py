from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from readers.bus import Rank
from readers.control import Action
from readers.meters.dlms.settings import Authentication, DlmsSettings, Framing, Meter
from tests.readers.meters.dlms.scenes import GMAC, LOW, settings


def test_a_name_is_enough() -> None:
    given = DlmsSettings.model_validate({"meters": [{"name": "m1"}]})
    assert given.framing is Framing.HDLC
    assert given.sources() == ("m1",)
    (meter,) = given.meters
    assert (meter.logical, meter.client, meter.authentication) == (1, 16, Authentication.NONE)
    assert given.control_points() == ()
    assert [given.period_s(rank) for rank in (Rank.ALARM, Rank.POWER, Rank.ENERGY, Rank.DEMAND)] == [60, 15, 60, 900]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"meters": []}, "at least 1"),
        ({"meters": [{"name": "a"}, {"name": "a", "logical": 2}]}, "name a is given twice"),
        ({"meters": [{"name": "a"}, {"name": "b"}]}, "address logical 1, physical None is given twice"),
        ({"meters": [{"name": "a", "authentication": "low"}]}, "password_credential: is needed"),
        ({"meters": [{"name": "a", "password_credential": "x"}]}, "password_credential: is of no use"),
        ({"meters": [{"name": "a", "authentication": "hls_gmac"}]}, "encryption_key_credential: is needed"),
        ({"meters": [{"name": "a", **GMAC, "client": 16}]}, "16 is the public client"),
        ({"meters": [{"name": "a", "counter": "nothing"}]}, "must look like"),
        ({"meters": [{"name": "a", "system_title": "12"}]}, "pattern"),
        ({"read": ["1-0:99.99.99"]}, "has no meaning here"),
        ({"read": ["1.8.0"]}, "must look like"),
        ({"profile": "x"}, "must look like"),
        ({"meters": [{"name": "a", "physical": 17}]}, "the wrapper does not know"),
        ({"meters": [{"name": "a", "address_bytes": 4}]}, "the wrapper does not know"),
        ({"framing": "hdlc", "meters": [{"name": "a", "client": 200}]}, "at most 127"),
        ({"framing": "hdlc", "meters": [{"name": "a", "logical": 200}]}, "does not fit"),
        ({"framing": "hdlc", "meters": [{"name": "a", "physical": 200, "address_bytes": 2}]}, "does not fit"),
        ({"framing": "hdlc", "meters": [{"name": "a", "physical": 1, "address_bytes": 1}]}, "does not fit"),
        ({"framing": "hdlc", "meters": [{"name": "a", "address_bytes": 4}]}, "does not fit"),
        ({"relay_orders": True}, "orders to its relay need more"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_what_cannot_be_is_told(change: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match):
        DlmsSettings.model_validate({"framing": "wrapper", "meters": [{"name": "a"}], **change})


@pytest.mark.parametrize(
    "meter",
    [
        {"logical": 127, "counter": "0-0:43.1.1"},
        {"logical": 16383, "physical": 16383},
        {"physical": 17, "address_bytes": 4},
        {"physical": 0},
    ],
)
def test_addresses_that_fit(meter: dict[str, Any]) -> None:
    assert Meter.model_validate({"name": "a", **meter}).fits


def test_a_relay_can_be_controlled_where_orders_may_be_given() -> None:
    (point,) = settings(LOW, relay_orders=True).control_points()
    assert (point.name, point.source) == ("relay", "m0")
    assert point.actions == (Action.TRIP, Action.PERMIT_CLOSE, Action.CLOSE)
