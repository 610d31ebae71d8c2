from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dsmr_p1 import Line, Telegram
from readers.codecs.dsmr_p1_values import said
from readers.obis import ObisCode
from readers.quantities import Phase, Quality, Quantity


def telegram(*lines: str) -> Telegram:
    rows = []
    for line in lines:
        code, _, rest = line.partition("(")
        rows.append(Line(ObisCode.parse(code), tuple(rest[:-1].split(")("))))
    return Telegram("ISk5\\2MT382-1000", tuple(rows))


def test_values_take_the_time_of_the_telegram_unless_they_have_their_own() -> None:
    found = said(
        telegram("0-0:1.0.0(200512135409S)", "1-0:1.7.0(02.027*kW)", "1-0:1.6.0(200509134558S)(02.589*kW)"), 60
    )
    now, largest = found.readings
    assert (now.value, now.meter_time_us) == (Decimal(2027), 1_589_284_449_000_000)
    assert (largest.quantity, largest.meter_time_us) == (Quantity.ACTIVE_DEMAND_MAX, 1_589_024_758_000_000)


@pytest.mark.parametrize(
    ("kind", "text", "quantity", "value"),
    [
        ("003", "00981.443*m3", Quantity.GAS_VOLUME, "981.443"),
        ("3", "00981.443*m3", Quantity.GAS_VOLUME, "981.443"),
        ("007", "00872.234*m3", Quantity.WATER_VOLUME, "872.234"),
        ("006", "00872.234*m3", Quantity.WATER_VOLUME, "872.234"),
        ("002", "00012.345*kWh", Quantity.ACTIVE_ENERGY_IMPORT, "12345"),
        ("004", "00001.000*m3", Quantity.VOLUME, "1.000"),
        ("012", "00000.036*GJ", Quantity.HEAT_ENERGY, "10000"),
        ("010", "00000.036*GJ", Quantity.COOLING_ENERGY, "10000"),
    ],
)
def test_a_meter_behind_it_is_what_its_type_says(kind: str, text: str, quantity: Quantity, value: str) -> None:
    found = said(telegram(f"0-2:24.1.0({kind})", f"0-2:24.2.1(161129200000W)({text})", "0-2:96.1.0(4730)"), 60)
    ((channel, (reading,)),) = found.sub_readings.items()
    assert (channel, reading.quantity) == (2, quantity)
    assert reading.value is not None
    assert reading.value == Decimal(value) or abs(reading.value - Decimal(value)) < Decimal("1e-20")
    assert reading.meter_time_us == 1_480_446_000_000_000
    assert found.sub_serials == {2: "G0"}


@pytest.mark.parametrize(
    "lines",
    [
        ("0-1:24.2.1(161129200000W)(00981.443*m3)",),  # of what kind?
        ("0-1:24.1.0(003)", "0-1:24.2.1(161129200000W)(00981.443*kWh)"),
        ("0-1:24.1.0(099)", "0-1:24.2.1(161129200000W)(00981.443*m3)"),
    ],
)
def test_nothing_is_guessed_of_a_meter_behind_it(lines: tuple[str, ...]) -> None:
    found = said(telegram(*lines), 60)
    assert found.sub_readings == {}
    assert found.unknown == [ObisCode(0, 1, 24, 2, 1)]


def test_a_meter_that_was_not_heard_yet_has_no_value() -> None:
    for line in ("0-1:24.2.1(632525252525W)(00000.000)", "0-1:24.2.1(161129200000W)()"):
        (reading,) = said(telegram("0-1:24.1.0(003)", line), 60).sub_readings[1]
        assert (reading.quantity, reading.value, reading.quality) == (Quantity.GAS_VOLUME, None, Quality.ABSENT)


def test_an_empty_register_is_absent() -> None:
    (reading,) = said(telegram("1-0:32.7.0()"), 60).readings
    assert (reading.quantity, reading.phase, reading.quality) == (Quantity.VOLTAGE, Phase.A, Quality.ABSENT)


@pytest.mark.parametrize(("line", "reason"), [("1-0:1.7.0(lots*kW)", "number"), ("1-0:1.7.0(1.0*kWh)", "unit")])
def test_values_that_are_none_are_faults(line: str, reason: str) -> None:
    found = said(telegram(line), 60)
    assert found.readings == []
    assert [fault.reason for fault in found.faults] == [reason]


def test_codes_without_meaning_and_of_past_periods_are_listed_not_guessed() -> None:
    found = said(telegram("1-0:32.32.0(00002)", "1-0:1.8.0*01(000001.000*kWh)", "0-0:96.13.0()", "0-3:96.7.0(1)"), 60)
    assert [str(code) for code in found.unknown] == ["1-0:32.32.0", "1-0:1.8.0*1", "0-3:96.7.0"]
    assert not found.readings
    assert not found.faults


def test_names_are_text_or_the_hex_of_text() -> None:
    assert said(telegram("0-0:96.1.1(4B384547)"), 60).serial == "K8EG"
    assert said(telegram("0-0:96.1.1(0001FF)"), 60).serial == "0001FF"
    assert said(telegram("0-0:96.1.255(1ESY1313002565)"), 60).serial == "1ESY1313002565"


SAYINGS = st.tuples(
    st.sampled_from(["0-1:24.1.0", "0-1:24.2.1", "0-1:24.3.0", "1-0:1.8.0", "0-0:1.0.0"]),
    st.lists(st.text("0123456789.*mW3kS", max_size=13), min_size=1, max_size=8),
)


@given(st.lists(SAYINGS, max_size=6))
def test_nothing_that_a_meter_says_raises(lines: list[tuple[str, list[str]]]) -> None:
    said(Telegram("XMX5", tuple(Line(ObisCode.parse(code), tuple(values)) for code, values in lines)), 60)
