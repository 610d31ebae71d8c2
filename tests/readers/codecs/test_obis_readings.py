from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.obis_readings import code_of, exactly, number_of, reading_of
from readers.errors import FrameError
from readers.obis import ObisCode
from readers.observations import Reading
from readers.quantities import Phase, Quantity


@pytest.mark.parametrize(
    ("value", "unit", "quantity", "text"),
    [
        ("000004.426", "kWh", Quantity.ACTIVE_ENERGY_IMPORT, "4426"),
        ("52185.7825309", "kWh", Quantity.ACTIVE_ENERGY_IMPORT, "52185782.5309"),
        ("12", "MWh", Quantity.ACTIVE_ENERGY_IMPORT, "12000000"),
        ("006545766", "Wh", Quantity.ACTIVE_ENERGY_IMPORT, "6545766"),
        ("-0.5", "kW", Quantity.ACTIVE_POWER, "-500"),
        ("230.0", "V", Quantity.VOLTAGE, "230.0"),
        ("0000", "kW", Quantity.ACTIVE_POWER, "0"),
        ("250", "mA", Quantity.CURRENT, "0.250"),
    ],
)
def test_values_keep_the_resolution_of_the_register(value: str, unit: str, quantity: Quantity, text: str) -> None:
    assert str(exactly(Decimal(value), unit, quantity)) == text


def test_joules_have_no_end_in_watt_hours() -> None:
    assert exactly(Decimal("0.036"), "GJ", Quantity.HEAT_ENERGY).quantize(Decimal(1)) == 10_000


def test_a_unit_of_another_kind_is_refused() -> None:
    with pytest.raises(FrameError, match="unit"):
        exactly(Decimal(1), "kWh", Quantity.ACTIVE_POWER)


def test_more_digits_than_a_register_has_are_refused() -> None:
    with pytest.raises(FrameError, match="range"):
        exactly(Decimal(10) ** 20, "Wh", Quantity.ACTIVE_ENERGY_IMPORT)


def test_readings_have_what_their_code_means() -> None:
    code = ObisCode(1, 0, 41, 7, 0)
    wanted = Reading(Quantity.ACTIVE_POWER_IMPORT, code, Decimal(1247), Phase.B, meter_time_us=5)
    assert reading_of(code, Decimal("1.247"), "kW", 5) == wanted
    assert reading_of(ObisCode(1, 0, 32, 32, 0), Decimal(1), "") is None
    assert reading_of(ObisCode(1, 0, 1, 8, 0, 1), Decimal(1), "kWh") is None  # of a period that is over


@pytest.mark.parametrize("text", ["", ".", "1.", "1e3", "1,5", "٣", "0x10", "1" * 13, "--1", "NaN", " 1"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert number_of(text) is None


@given(st.decimals(-(10**9), 10**9, allow_nan=False, places=3))
def test_numbers_come_back(value: Decimal) -> None:
    assert number_of(str(value)) == value


def test_groups_are_bytes() -> None:
    assert code_of(1, 0, 1, 8, 0) == ObisCode(1, 0, 1, 8, 0)
    assert code_of(1, 0, 1, 256, 0) is None
