from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from readers.codecs.modbus_map import Class
from readers.meters.modbus_meter.settings import ModbusMeterSettings


def made(**settings: Any) -> ModbusMeterSettings:
    return ModbusMeterSettings.model_validate({"meters": [{"name": "m1", "map": "sdm630"}], **settings})


def test_the_shortest_settings_are_enough() -> None:
    settings = made()
    assert settings.sources() == ("m1",)
    assert [settings.period_s(wanted) for wanted in Class] == [15, 60, 900]


@pytest.mark.parametrize(
    ("meter", "wanted"),
    [
        ({"map": "sdm"}, "there is no map 'sdm'; there are abb_b23, acrel_adl3000"),
        ({"map": "template"}, "there is no map 'template'"),
        ({"map": "maps/ours.toml"}, "must be named by its whole path"),
        ({"map": "/nowhere/ours.toml"}, "/nowhere/ours.toml: cannot be read: No such file"),
        ({"map": "acrel_adl3000", "pt_ratio": 1}, "ct_ratio: is missing: map acrel_adl3000 reads the secondary side"),
        ({"map": "sdm630", "ct_ratio": 40}, "ct_ratio: values of map sdm630 are of the primary side already"),
        ({"map": "acrel_adl3000", "pt_ratio": 0, "ct_ratio": 1}, "greater than 0"),
        ({"address": 0}, "greater than or equal to 1"),
        ({"address": 255}, "must be 1 to 247 on a line"),
    ],
)
def test_a_meter_that_cannot_be(meter: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError) as caught:
        made(meters=[{"name": "m1", "map": "sdm630", **meter}])
    assert wanted in str(caught.value)


@pytest.mark.parametrize(
    ("second", "wanted"),
    [({"name": "m1", "address": 2}, "name m1 is given twice"), ({"name": "m2"}, "address 1 is given twice")],
)
def test_meters_must_differ(second: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError, match=wanted):
        made(meters=[{"name": "m1", "map": "sdm630"}, {"map": "sdm630", **second}])


def test_what_is_read_must_be_in_the_map() -> None:
    assert made(read=["voltage", "temperature"]).read
    with pytest.raises(ValidationError, match="map sdm630 of meter m1 has none of this; it has active_demand"):
        made(read=["temperature"])


def test_unit_255_is_for_tcp() -> None:
    assert made(framing="tcp", meters=[{"name": "m1", "map": "sdm630", "address": 255}]).meters[0].address == 255


def test_a_fault_in_a_map_of_ones_own_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(
        'name = "x"\nsource = "x"\naddress_base = 0\nvalues = [\n  { quantity = "volts", address = 1 },\n]\n'
    )
    with pytest.raises(ValidationError, match=r"ours\.toml:5: values\[1\]\.quantity: there is no quantity 'volts'"):
        made(meters=[{"name": "m1", "map": str(path)}])
