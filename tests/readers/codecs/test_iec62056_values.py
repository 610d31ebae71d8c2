from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.iec62056 import Data, DataSet
from readers.codecs.iec62056_values import Said, said
from readers.quantities import Quality, Quantity


def says(*sets: Sequence[str], offset_min: int = 60) -> Said:
    return said(Data(tuple((DataSet(each[0], tuple(each[1:])),) for each in sets)), offset_min)


@pytest.mark.parametrize("name", ["1.8.0", "1-0:1.8.0", "1-0:1.8.0*255", "1-1:1.8.0"])
def test_a_register_may_be_named_in_short_or_in_full(name: str) -> None:
    (reading,) = says((name, "001234.567*kWh")).readings
    assert (reading.quantity, str(reading.value)) == (Quantity.ACTIVE_ENERGY_IMPORT, "1234567")


@pytest.mark.parametrize("name", ["1.8.0*01", "1.8.0&12", "1-0:1.8.0*00"])
def test_periods_that_are_over_are_not_told(name: str) -> None:
    found = says((name, "001234.567*kWh"))
    assert (found.readings, found.unknown, found.faults) == ([], [], [])


@pytest.mark.parametrize(
    ("date", "time", "at_us"),
    [
        ("130103", "101415", 1_357_204_455_000_000),
        ("13-01-03", "10:14:15", 1_357_204_455_000_000),
        ("0130103", "0101415", 1_357_204_455_000_000),
        ("1130103", "1101415", 1_357_200_855_000_000),
        ("130103", "1101415", 1_357_200_855_000_000),
        ("5130103", "101415", None),
        ("131303", "101415", None),
        ("130103", "", None),
        ("", "101415", None),
    ],
)
def test_the_meter_s_clock(date: str, time: str, at_us: int | None) -> None:
    found = says(("0.9.1", time), ("0.9.2", date), ("1.8.0", "1*kWh"))
    assert found.at_us == at_us
    assert [r.meter_time_us for r in found.readings] == [at_us]


@pytest.mark.parametrize("stamp", ["1301031014", "13-01-03 10:14", "130103101400"])
def test_a_demand_has_its_own_time(stamp: str) -> None:
    (reading,) = says(("1.6.1", "01.234*kW", stamp), ("0.9.1", "235959"), ("0.9.2", "130131")).readings
    assert (reading.quantity, reading.tariff, reading.value) == (Quantity.ACTIVE_DEMAND_MAX, 1, Decimal(1234))
    assert reading.meter_time_us == 1_357_204_440_000_000


def test_who_it_is_and_how_it_fares() -> None:
    found = says(("C.1.0", "70831205"), ("0.2.0", "B32"), ("F.F", "00000000"))
    assert (found.serial, found.firmware, found.error_register) == ("70831205", "B32", "")
    assert says(("0-0:F.F.0*255", "00000400")).error_register == "00000400"
    assert says(("", "ER01")).refusal == "ER01"


def test_a_value_of_dashes_is_absent() -> None:
    for text in ("", "---.-*V", "*V"):
        (reading,) = says(("32.7.0", text)).readings
        assert (reading.quantity, reading.value, reading.quality) == (Quantity.VOLTAGE, None, Quality.ABSENT)


@pytest.mark.parametrize(("text", "reason"), [("lots*kWh", "number"), ("1.0*V", "unit"), ("1.0", "unit")])
def test_values_that_are_none_are_faults(text: str, reason: str) -> None:
    found = says(("1.8.0", text))
    assert [fault.reason for fault in found.faults] == [reason]
    assert not found.readings


def test_numbers_without_meaning_are_listed_and_settings_are_not() -> None:
    found = says(
        ("31.6.0", "012.5*A"), ("6.8", "0.123*MWh"), ("0.3.0", "500*Imp/kWh"), ("C.7.0", "12*1"), ("300.8.0", "1*V")
    )
    assert found.unknown == ["31.6.0", "6.8", "300.8.0"]
    assert (found.readings, found.faults) == ([], [])


@given(
    st.lists(
        st.builds(
            DataSet,
            st.sampled_from(["1.8.0", "0.9.1", "0.9.2", "1.6.1", "", "999.9.9", "F.F"]),
            st.lists(st.text("0123456789.*-kWhER", max_size=14), min_size=1, max_size=3).map(tuple),
        ),
        max_size=6,
    )
)
def test_nothing_that_a_meter_says_raises(sets: list[DataSet]) -> None:
    said(Data(tuple((each,) for each in sets)), 60)
