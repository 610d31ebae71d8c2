from __future__ import annotations

from pathlib import Path

import pytest

from readers.codecs.modbus_map import Ratio
from readers.codecs.modbus_map_file import MapError, parse
from readers.meters.modbus_meter.shipped import load, names, template
from readers.quantities import Quantity

ESSENTIAL = {Quantity.VOLTAGE, Quantity.CURRENT, Quantity.ACTIVE_POWER, Quantity.FREQUENCY}


def test_the_maps_that_come_with_the_product() -> None:
    assert names() == ("abb_b23", "acrel_adl3000", "schneider_iem3000", "schneider_pm5000", "sdm630")


@pytest.mark.parametrize("name", names())
def test_a_map_says_where_it_is_from_and_has_the_essential(name: str) -> None:
    found = load(name)
    assert len(found.source) > 60
    assert {value.quantity for value in found.values} >= {*ESSENTIAL, Quantity.ACTIVE_ENERGY_IMPORT}
    assert load(name) is found


def test_registers_that_others_got_wrong() -> None:
    """Acrel's are single, Schneider's PM5000 counts from 1, and its energies must not be the floats."""
    voltage = load("acrel_adl3000").values[0]
    assert (voltage.place.span.address, voltage.place.span.count) == (0x61, 1)
    pm5000 = load("schneider_pm5000")
    assert pm5000.values[0].place.span.address == 2999
    assert load("schneider_iem3000").values[0].place.span.address == 0x0BB7
    energy = next(value for value in pm5000.values if value.quantity is Quantity.ACTIVE_ENERGY_IMPORT)
    assert (energy.place.span.address, energy.place.layout.type.value) == (3203, "i64")


def test_the_template_is_a_map_without_faults() -> None:
    found = parse(template(), "template.toml")
    assert found.ratios.keys() == set(Ratio)
    assert found.clock is not None
    assert found.serial is not None


def test_a_map_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(template())
    assert load(str(path)).name == "Template"


def test_a_file_that_is_no_map(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(MapError, match="is not UTF-8 text"):
        load(str(path))
    path.write_bytes(b"#" * 1_000_001)
    with pytest.raises(MapError, match="larger than 1000000 bytes"):
        load(str(path))
