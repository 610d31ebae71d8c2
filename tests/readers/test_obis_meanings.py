from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.errors import FrameError
from readers.obis import ObisCode
from readers.obis_meanings import Meaning, in_unit, meaning_of
from readers.quantities import Phase, Quantity


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("1-0:1.8.0", Meaning(Quantity.ACTIVE_ENERGY_IMPORT)),
        ("1-0:1.8.4", Meaning(Quantity.ACTIVE_ENERGY_IMPORT, tariff=4)),
        ("1-0:1.8.2*3", Meaning(Quantity.ACTIVE_ENERGY_IMPORT, tariff=2)),
        ("1-0:2.8.0", Meaning(Quantity.ACTIVE_ENERGY_EXPORT)),
        ("1-0:21.8.0", Meaning(Quantity.ACTIVE_ENERGY_IMPORT, Phase.A)),
        ("1-0:5.8.0", Meaning(Quantity.REACTIVE_ENERGY_Q1)),
        ("1-0:1.6.0", Meaning(Quantity.ACTIVE_DEMAND_MAX)),
        ("1-0:1.4.0", Meaning(Quantity.ACTIVE_DEMAND)),
        ("1-0:16.7.0", Meaning(Quantity.ACTIVE_POWER)),
        ("1-0:1.7.0", Meaning(Quantity.ACTIVE_POWER_IMPORT)),
        ("1-0:41.7.0", Meaning(Quantity.ACTIVE_POWER_IMPORT, Phase.B)),
        ("1-0:32.7.0", Meaning(Quantity.VOLTAGE, Phase.A)),
        ("1-0:71.7.0", Meaning(Quantity.CURRENT, Phase.C)),
        ("1-0:91.7.0", Meaning(Quantity.CURRENT, Phase.NEUTRAL)),
        ("1-0:52.7.124", Meaning(Quantity.VOLTAGE_THD, Phase.B)),
        ("1-0:31.7.5", Meaning(Quantity.CURRENT_HARMONIC, Phase.A, order=5)),
        ("1-0:13.7.0", Meaning(Quantity.POWER_FACTOR)),
        ("1-0:14.7.0", Meaning(Quantity.FREQUENCY)),
        ("1-0:4.7.0", Meaning(Quantity.REACTIVE_POWER_EXPORT)),
        ("1-0:64.7.0", Meaning(Quantity.REACTIVE_POWER_EXPORT, Phase.C)),
        ("1-0:81.7.4", Meaning(Quantity.PHASE_ANGLE, Phase.A)),
        ("1-0:81.7.26", Meaning(Quantity.PHASE_ANGLE, Phase.C)),
        ("0-0:96.7.21", Meaning(Quantity.POWER_FAILURES)),
        ("7-0:3.0.0", Meaning(Quantity.GAS_VOLUME)),
        ("6-0:1.0.0", Meaning(Quantity.HEAT_ENERGY)),
    ],
)
def test_a_code_means_what_the_blue_book_says(code: str, meaning: Meaning) -> None:
    assert meaning_of(ObisCode.parse(code)) == meaning


@pytest.mark.parametrize(
    "code", ["1-0:99.1.0", "0-0:1.0.0", "1-0:12.8.0", "1-0:32.7.121", "9-0:2.0.0", "1-0:5.7.0", "1-0:81.7.1"]
)
def test_other_codes_mean_nothing_here(code: str) -> None:
    assert meaning_of(ObisCode.parse(code)) is None


@given(st.tuples(*[st.integers(0, 255)] * 6))
def test_no_code_is_misread_as_another_unit_of_harmonics(groups: tuple[int, int, int, int, int, int]) -> None:
    meaning = meaning_of(ObisCode(*groups))

    if meaning is not None and meaning.order is not None:
        assert meaning.quantity.unit == "%"
        assert meaning.order == groups[4]


@pytest.mark.parametrize(
    ("value", "unit", "quantity", "expected"),
    [
        ("123456.789", "kWh", Quantity.ACTIVE_ENERGY_IMPORT, "123456789"),
        ("0.5", "MWh", Quantity.ACTIVE_ENERGY_IMPORT, "500000"),
        ("1.5", "kvarh", Quantity.REACTIVE_ENERGY_Q1, "1500"),
        ("231.4", "V", Quantity.VOLTAGE, "231.4"),
        ("250", "mA", Quantity.CURRENT, "0.250"),
        ("36", "GJ", Quantity.HEAT_ENERGY, "10000000"),
        ("12", "l", Quantity.WATER_VOLUME, "0.012"),
        ("0.98", "", Quantity.POWER_FACTOR, "0.98"),
    ],
)
def test_units_are_converted_exactly(value: str, unit: str, quantity: Quantity, expected: str) -> None:
    assert abs(in_unit(Decimal(value), unit, quantity) - Decimal(expected)) < Decimal("1e-18")


@pytest.mark.parametrize("unit", ["kW", "horses", "kvarh"])
def test_a_unit_of_another_kind_is_refused(unit: str) -> None:
    with pytest.raises(FrameError, match="should be in Wh or a multiple"):
        in_unit(Decimal(1), unit, Quantity.ACTIVE_ENERGY_IMPORT)
