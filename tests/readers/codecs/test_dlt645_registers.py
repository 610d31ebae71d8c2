from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.codecs.dlt645_registers import BLOCKS, REGISTERS, Register, decode, registers_of
from readers.errors import FrameError
from readers.obis_meanings import meaning_of
from readers.quantities import Phase, Quality, Quantity

REGISTER = st.sampled_from(list(REGISTERS.values()))


@given(REGISTER, st.data())
def test_every_value_a_register_can_hold_comes_back_exactly(register: Register, data: st.DataObject) -> None:
    digits = 2 * register.size
    most = 8 * 10 ** (digits - 1) - 1 if register.signed else 10**digits - 1
    steps = data.draw(st.integers(-most if register.signed else 0, most))
    value = Decimal(steps).scaleb(register.exponent)
    raw = register.encode(value) + bytes(register.wire_bytes - register.size)
    reading = register.decode(raw)
    assert reading.value == value
    assert "E" not in str(reading.value)
    assert (reading.quantity, reading.phase, reading.tariff) == (register.quantity, register.phase, register.tariff)


@given(REGISTER, st.binary(max_size=12))
def test_hostile_registers_are_values_in_range_or_absent(register: Register, raw: bytes) -> None:
    if len(raw) != register.wire_bytes:
        with pytest.raises(FrameError, match="length"):
            register.decode(raw)
        return
    reading = register.decode(raw)
    if reading.value is None:
        assert reading.quality is Quality.ABSENT
    else:
        assert abs(reading.value) < Decimal(10) ** (2 * register.size + register.exponent)


@given(REGISTER)
def test_ff_is_absent_and_never_a_number(register: Register) -> None:
    raw = register.encode(None) + b"\xff" * (register.wire_bytes - register.size)
    reading = register.decode(raw)
    assert (reading.value, reading.quality, reading.meter_time_us) == (None, Quality.ABSENT, None)


def test_a_nibble_that_is_no_digit_is_absent() -> None:
    assert REGISTERS[0x02010100].decode(b"\x0a\x23").quality is Quality.ABSENT


def test_a_power_factor_above_one_is_suspect() -> None:
    reading = REGISTERS[0x02060000].decode(b"\x01\x10")
    assert (reading.value, reading.quality) == (Decimal("1.001"), Quality.SUSPECT)


@pytest.mark.parametrize(
    ("identifier", "value"), [(0x02010100, "1000.0"), (0x02010100, "-1"), (0x02020100, "800"), (0x00010000, "1E9")]
)
def test_a_value_that_does_not_fit_is_refused(identifier: int, value: str) -> None:
    with pytest.raises(FrameError, match="does not fit into register"):
        REGISTERS[identifier].encode(Decimal(value))


def test_a_block_may_end_where_the_meter_ends() -> None:
    readings = decode(0x0201FF00, bytes.fromhex("03 23"))
    assert [(r.phase, r.value) for r in readings] == [(Phase.A, Decimal("230.3"))]


@pytest.mark.parametrize("size", [0, 1, 3, 7, 8])
def test_a_block_of_an_impossible_length_is_refused(size: int) -> None:
    with pytest.raises(FrameError, match="must be 1 to 3 times 2"):
        decode(0x0201FF00, bytes(size))


def test_an_identifier_that_is_not_in_the_table_is_refused() -> None:
    assert registers_of(0x04000101) == ()
    with pytest.raises(FrameError, match="04000101 is not known"):
        decode(0x04000101, bytes(4))


def test_every_block_is_made_of_registers_of_one_size() -> None:
    for block, registers in BLOCKS.items():
        assert registers
        assert len({register.wire_bytes for register in registers}) == 1, f"{block:08X}"


def test_the_obis_names_of_the_table_are_unique_within_a_reply() -> None:
    names = [(register.obis, register.quantity) for register in REGISTERS.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("identifier", "quantity", "obis"),
    [
        (0x00010000, Quantity.ACTIVE_ENERGY_IMPORT, "1-0:1.8.0"),
        (0x00010400, Quantity.ACTIVE_ENERGY_IMPORT, "1-0:1.8.4"),
        (0x00010001, Quantity.ACTIVE_ENERGY_IMPORT, "1-0:1.8.0*1"),
        (0x00020000, Quantity.ACTIVE_ENERGY_EXPORT, "1-0:2.8.0"),
        (0x02010200, Quantity.VOLTAGE, "1-0:52.7.0"),
        (0x02020300, Quantity.CURRENT, "1-0:71.7.0"),
        (0x02030000, Quantity.ACTIVE_POWER, "1-0:16.7.0"),
        (0x02060100, Quantity.POWER_FACTOR, "1-0:33.7.0"),
        (0x02800002, Quantity.FREQUENCY, "1-0:14.7.0"),
        (0x02800004, Quantity.ACTIVE_DEMAND, "1-0:1.4.0"),
        (0x01010000, Quantity.ACTIVE_DEMAND_MAX, "1-0:1.6.0"),
        (0x01020302, Quantity.ACTIVE_DEMAND_EXPORT_MAX, "1-0:2.6.3*2"),
        (0x01040000, Quantity.REACTIVE_DEMAND_MAX, "1-0:4.6.0"),
        (0x0008000C, Quantity.REACTIVE_ENERGY_Q4, "1-0:8.8.0*12"),
        (0x00090000, Quantity.APPARENT_ENERGY_IMPORT, "1-0:9.8.0"),
        (0x002A0000, Quantity.ACTIVE_ENERGY_EXPORT, "1-0:42.8.0"),
        (0x02070200, Quantity.PHASE_ANGLE, "1-0:81.7.15"),
        (0x02080100, Quantity.VOLTAGE_THD, "1-0:32.7.124"),
        (0x020A0305, Quantity.VOLTAGE_HARMONIC, "1-0:72.7.5"),
        (0x020B0115, Quantity.CURRENT_HARMONIC, "1-0:31.7.21"),
        (0x02800001, Quantity.CURRENT, "1-0:91.7.0"),
        (0x02800005, Quantity.REACTIVE_DEMAND, "1-0:3.4.0"),
        (0x02800007, Quantity.TEMPERATURE, "0-0:96.9.0"),
        (0x02800009, Quantity.BATTERY_VOLTAGE, "0-1:96.6.3"),
    ],
)
def test_obis_names(identifier: int, quantity: Quantity, obis: str) -> None:
    register = REGISTERS[identifier]
    assert (register.quantity, str(register.obis)) == (quantity, obis)


def test_the_names_mean_what_the_registers_are() -> None:
    """Where `obis_meanings` knows a code, other drivers report the same quantity by it."""
    signed = {Quantity.ACTIVE_POWER, Quantity.ACTIVE_DEMAND_MAX, Quantity.REACTIVE_DEMAND_MAX}
    for register in REGISTERS.values():
        meaning = meaning_of(register.obis)
        if meaning is None or register.quantity in signed:
            continue
        assert (meaning.quantity, meaning.phase, meaning.tariff) == (
            register.quantity,
            register.phase,
            register.tariff,
        ), register.obis


def test_a_block_of_demands_has_a_time_for_each() -> None:
    raw = bytes.fromhex("56 34 12 15 10 02 11 2600 00 00 00 00 00 00 00FF FF FF FF FF FF FF FF")
    total, first, second = decode(0x0101FF00, raw, 480)
    assert (str(total.value), total.meter_time_us) == ("12345.6", 1_793_585_700_000_000)
    assert (str(first.value), first.tariff, first.meter_time_us) == ("0.0", 1, None)
    assert (second.value, second.quality) == (None, Quality.ABSENT)


def test_harmonics_of_a_phase() -> None:
    readings = decode(0x020A02FF, bytes.fromhex("99 99 00 00 50 01"))
    assert [str(r.obis) for r in readings] == ["1-0:52.7.1", "1-0:52.7.2", "1-0:52.7.3"]
    assert [str(r.value) for r in readings] == ["99.99", "0.00", "1.50"]


def test_a_temperature_below_zero_and_one_that_cannot_be() -> None:
    assert decode(0x02800007, b"\x55\x80")[0].value == Decimal("-5.5")
    assert decode(0x02800007, b"\x00\x20")[0].quality is Quality.SUSPECT
    assert decode(0x02070100, b"\x05\x36")[0].quality is Quality.SUSPECT
