from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.modbus import Function
from readers.codecs.modbus_blocks import Span
from readers.codecs.modbus_map import (
    Class,
    ClockRegisters,
    Form,
    MapValue,
    MeterMap,
    Ratio,
    place_of,
    usual_class,
    usual_obis,
)
from readers.codecs.modbus_values import Layout, Order, ValueType, raw_of_number, registers_of
from readers.meters.modbus_meter.shipped import load
from readers.obis import ObisCode
from readers.obis_meanings import meaning_of
from readers.quantities import Phase, Quality, Quantity

D = Decimal
ENERGY = Quantity.ACTIVE_ENERGY_IMPORT
ONES = {Ratio.PT: D(1), Ratio.CT: D(1)}


def value(quantity: Quantity, kind: ValueType, step: str, **more: object) -> MapValue:
    obis = usual_obis(quantity, None, None) or ObisCode(1, 0, 1, 8, 0)
    place = place_of(0, layout=Layout(kind))
    return MapValue(quantity, obis, place, D(step), usual_class(quantity), **more)  # type: ignore[arg-type]  # by name


def published(hexadecimal: str, first: int, meter_map: MeterMap) -> dict[str, Decimal | None]:
    """The values of a map whose registers all are in this run."""
    raw = bytes.fromhex(hexadecimal)
    registers = [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]
    found = {}
    for each in meter_map.values:
        at = each.place.span.address - first
        if at >= 0 and at + each.place.span.count <= len(registers):
            found[each.name] = each.reading(registers[at : at + each.place.span.count], ONES).value
    return found


A43_ENERGIES = """
00 00 00 00 00 03 12 92 00 00 00 00 00 04 98 E1 00 00 00 00 00 05 66 55 00 00 00 00 00 00 92 3A
00 00 00 00 00 01 1C 9B 00 00 00 00 00 01 63 33"""
A43_NOW = """
00 00 00 65 00 00 00 C9 00 00 01 2E 00 00 00 86 00 01 E8 E4 00 00 5A E2 00 00 B0 97 00 00 DD 6B 00 00 75 41 00 00 00 1C
FF FF D0 4A 00 00 A4 DB 00 02 25 C3 00 00 5A E2 00 00 B6 DF 00 01 14 02 13 83 00 87 00 00 FF 6A 01 6F 00 00 04 AF FB 4E
FF FF FF FF FF FF FF F3 04 09 FC AE 03 CC 03 E8 03 C6 03 22"""


def test_the_readouts_in_the_manual_of_the_abb_a43() -> None:
    """User manual 2CMC48001M0201, pages 169 and 170: registers from 5460 and from 5B0C on, and what they mean."""
    abb = load("abb_b23")
    assert published(A43_ENERGIES, 0x5460, abb) == {
        "active_energy_import phase a": D("2013620"),
        "active_energy_import phase b": D("3012810"),
        "active_energy_import phase c": D("3538770"),
        "active_energy_export phase a": D("374340"),
        "active_energy_export phase b": D("728590"),
        "active_energy_export phase c": D("909310"),
    }
    assert published(A43_NOW, 0x5B0C, abb) == {
        "current phase a": D("1.01"),
        "current phase b": D("2.01"),
        "current phase c": D("3.02"),
        "current phase n": D("1.34"),
        "active_power": D("1251.56"),
        "active_power phase a": D("232.66"),
        "active_power phase b": D("452.07"),
        "active_power phase c": D("566.83"),
        "reactive_power": D("300.17"),
        "reactive_power phase a": D("0.28"),
        "reactive_power phase b": D("-122.14"),
        "reactive_power phase c": D("422.03"),
        "apparent_power": D("1407.39"),
        "apparent_power phase a": D("232.66"),
        "apparent_power phase b": D("468.15"),
        "apparent_power phase c": D("706.58"),
        "frequency": D("49.95"),
        "power_factor": D("0.972"),
        "power_factor phase a": D("1"),
        "power_factor phase b": D("0.966"),
        "power_factor phase c": D("0.802"),
    }


def test_an_integer_keeps_the_resolution_of_its_register() -> None:
    reading = value(ENERGY, ValueType.U32, "10").reading([0x0001, 0xE240], {})
    assert str(reading.value) == "1234560"
    assert reading.quality is Quality.GOOD


def test_a_float_is_rounded_to_the_resolution_of_the_map() -> None:
    voltage = value(Quantity.VOLTAGE, ValueType.F32, "1", resolution=D("0.01"))
    assert str(voltage.secondary([0x4366, 0x3334])) == "230.20"


@pytest.mark.parametrize(
    ("kind", "absent", "registers"),
    [
        (ValueType.U16, "FFFF", [0xFFFF]),
        (ValueType.I32, "7FFFFFFF", [0x7FFF, 0xFFFF]),
        (ValueType.I64, "8000000000000000", [0x8000, 0, 0, 0]),
    ],
)
def test_a_pattern_is_no_value(kind: ValueType, absent: str, registers: list[int]) -> None:
    reading = value(Quantity.FREQUENCY, kind, "0.01", absent=frozenset({bytes.fromhex(absent)})).reading(registers, {})
    assert (reading.value, reading.quality) == (None, Quality.ABSENT)


@pytest.mark.parametrize("registers", [[0x7FC0, 0], [0x7F80, 0], [0x7F7F, 0xFFFF]])
def test_a_float_beyond_all_measure_is_no_value(registers: list[int]) -> None:
    reading = value(Quantity.VOLTAGE, ValueType.F32, "1", resolution=D("0.01")).reading(registers, {})
    assert reading.quality is Quality.ABSENT


def test_ratios_multiply_what_they_are_for() -> None:
    """Acrel: E = data x PT x CT x 0.01 kWh."""
    ratios = {Ratio.PT: D(100), Ratio.CT: D(40)}
    energy = value(ENERGY, ValueType.U32, "10", times=(Ratio.PT, Ratio.CT))
    assert energy.reading([0, 12_345], ratios).value == D(12_345) * 10 * 4000
    assert value(Quantity.CURRENT, ValueType.U16, "0.01", times=(Ratio.CT,)).reading([512], ratios).value == D("204.8")


@pytest.mark.parametrize(
    ("raw", "wanted"), [("0.8", "0.800"), ("-0.8", "-0.800"), ("1.2", "0.800"), ("-1.2", "-0.800"), ("1", "1.000")]
)
def test_a_power_factor_of_four_quadrants(raw: str, wanted: str) -> None:
    factor = value(Quantity.POWER_FACTOR, ValueType.F32, "1", resolution=D("0.001"), form=Form.FOUR_QUADRANT)
    registers = registers_of(raw_of_number(D(raw), ValueType.F32), Layout(ValueType.F32))
    assert str(factor.reading(registers, {}).value) == wanted


def test_a_power_factor_above_one_is_suspect() -> None:
    factor = value(Quantity.POWER_FACTOR, ValueType.I16, "0.001")
    assert factor.reading([1001], {}).quality is Quality.SUSPECT
    assert factor.reading([1000], {}).quality is Quality.GOOD


def test_a_float_register_is_coarse_when_it_cannot_tell_the_resolution_apart() -> None:
    energy = value(ENERGY, ValueType.F32, "1000", resolution=D(10))
    small, large = (
        registers_of(raw_of_number(D(kwh), ValueType.F32), Layout(ValueType.F32)) for kwh in (131_000, 132_000)
    )
    assert not energy.is_coarse(small)
    assert energy.is_coarse(large)
    assert not energy.is_coarse([0x7FC0, 0])
    assert not value(ENERGY, ValueType.U32, "10").is_coarse(large)


def test_schneiders_date_and_time() -> None:
    clock = ClockRegisters(Span(Function.READ_HOLDING_REGISTERS, 0, 4), "-YMDhmLL")
    # 2026-11-23 13:37:08.250, a Monday (2) in bits 5 to 7 of the day, summer time in bit 7 of the hour
    registers = [0x001A, 0x0B00 | 2 << 5 | 23, 0x8000 | 13 << 8 | 37, 8_250]
    assert clock.at_us(registers, 0) == 1_795_441_028_250_000


def test_the_clock_of_an_acrel_meter() -> None:
    """The time in the event record of the DTSD1352 manual, page 34: 12 01 08 0A 01 01 is 2018-01-08 10:01:01."""
    clock = load("acrel_adl3000").clock
    assert clock is not None
    assert clock.at_us([0x1201, 0x080A, 0x0101], 0) == 1_515_405_661_000_000


@pytest.mark.parametrize("registers", [[0x1A0D, 0x0101, 0], [0, 0, 0], [0x1A02, 0x1E00, 0]])
def test_no_date_is_no_time(registers: list[int]) -> None:
    clock = ClockRegisters(Span(Function.READ_HOLDING_REGISTERS, 0, 3), "YMDhms")
    assert clock.at_us(registers, 480) is None


def test_bcd_with_other_digits_is_no_time() -> None:
    clock = ClockRegisters(Span(Function.READ_HOLDING_REGISTERS, 0, 3), "YMDhms", is_bcd=True)
    assert clock.at_us([0x2611, 0x2313, 0x370A], 0) is None
    assert clock.at_us([0x2611, 0x2313, 0x3708], 0) == 1_795_441_028_000_000


@given(
    st.integers(946_684_800, 4_000_000_000),
    st.sampled_from(["YMDhms", "-YMDhmLL", "YMDhms--"]),
    st.booleans(),
    st.integers(-720, 840),
)
def test_clocks_survive(seconds: int, form: str, is_bcd: bool, offset_min: int) -> None:  # noqa: FBT001 - drawn
    clock = ClockRegisters(Span(Function.READ_HOLDING_REGISTERS, 0, len(form) // 2), form, is_bcd and "L" not in form)
    seconds += 86_400  # not before 2000 anywhere
    assert clock.at_us(clock.registers(seconds * 1_000_000, offset_min), offset_min) == seconds * 1_000_000


@pytest.mark.parametrize("name", ["sdm630", "acrel_adl3000", "schneider_iem3000", "schneider_pm5000", "abb_b23"])
def test_usual_codes_mean_the_quantity(name: str) -> None:
    """The two tables of OBIS codes agree."""
    for each in load(name).values:
        meaning = meaning_of(each.obis)
        assert meaning is not None, each.name
        assert (meaning.phase, meaning.tariff) == (each.phase, each.tariff)
        assert meaning.quantity is each.quantity


def test_what_has_no_usual_code() -> None:
    assert usual_obis(Quantity.VOLTAGE_LINE, Phase.A, None) is None
    assert usual_obis(Quantity.VOLTAGE, Phase.A, 1) is None
    assert usual_obis(Quantity.VOLTAGE, Phase.NEUTRAL, None) is None
    assert usual_obis(Quantity.CURRENT, Phase.NEUTRAL, None) == ObisCode(1, 0, 91, 7, 0)


def test_classes() -> None:
    assert usual_class(Quantity.REACTIVE_ENERGY_Q1) is Class.ENERGY
    assert usual_class(Quantity.VOLTAGE_LINE) is Class.POWER
    assert usual_class(Quantity.FREQUENCY) is Class.POWER
    assert usual_class(Quantity.ACTIVE_DEMAND_MAX) is Class.DEMAND
    assert usual_class(Quantity.VOLTAGE_THD) is Class.DEMAND


def test_a_map_moved_and_swapped() -> None:
    pm5000 = load("schneider_pm5000")
    moved = pm5000.moved(1, swapped=True)
    assert moved.values[0].place.span.address == pm5000.values[0].place.span.address + 1 == 3000
    assert {each.place.layout.word_order for each in moved.values} == {Order.LITTLE}
    assert moved.serial is not None
    assert moved.serial.span.address == 130
    assert pm5000.moved(0, swapped=False) is pm5000
    acrel = load("acrel_adl3000").moved(-1, swapped=False)
    assert acrel.clock is not None
    assert acrel.clock.span.address == 0x3B


def test_a_ratio_register() -> None:
    template = load("acrel_adl3000")
    assert template.ratios_used == (Ratio.PT, Ratio.CT)
    assert load("sdm630").ratios_used == ()
