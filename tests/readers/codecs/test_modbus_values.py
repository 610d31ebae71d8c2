from __future__ import annotations

import struct
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pymodbus.client import ModbusTcpClient

from readers.codecs.modbus_values import (
    Layout,
    Order,
    ValueType,
    float_step,
    integer_bounds,
    number_of,
    raw_of,
    raw_of_number,
    registers_of,
    rounded,
)

D = Decimal
LAYOUTS = st.builds(Layout, st.sampled_from(ValueType), st.sampled_from(Order), st.sampled_from(Order))
FLOATS = st.builds(
    Layout, st.sampled_from([ValueType.F32, ValueType.F64]), st.sampled_from(Order), st.sampled_from(Order)
)
INTEGERS = [kind for kind in ValueType if not kind.is_float]


def number(registers: list[int], layout: Layout) -> Decimal | None:
    return number_of(raw_of(registers, layout), layout.type)


@pytest.mark.parametrize(
    ("registers", "wanted"),
    [
        ([0x436B, 0x5AB4], "235.354"),  # KBR multicomp F144 manual, V2.01, page 62: 235.35 V
        ([0x42DC, 0x6720], "110.201"),  # 110.20 A
        ([0x4248, 0x0C63], "50.012"),  # 50.012 Hz
        ([0x4366, 0x3334], "230.200"),  # an SDM630, by wiki.marcluerssen.de
    ],
)
def test_published_floats(registers: list[int], wanted: str) -> None:
    found = number(registers, Layout(ValueType.F32))
    assert found is not None
    assert found.quantize(D("0.001")) == D(wanted)


@pytest.mark.parametrize(
    ("kind", "registers", "wanted"),
    [
        (ValueType.I32, [0xFFFF, 0xD04A], "-12214"),  # ABB A43 user manual, page 170
        (ValueType.U64, [0, 0, 0x0003, 0x1292], "201362"),  # page 169
        (ValueType.I16, [0xFF6A], "-150"),
        (ValueType.BCD32, [0x1234, 0x5678], "12345678"),
    ],
)
def test_published_and_plain_integers(kind: ValueType, registers: list[int], wanted: str) -> None:
    assert number(registers, Layout(kind)) == D(wanted)


def test_orders_of_one_number() -> None:
    raw = bytes.fromhex("43660000")
    for word_order, byte_order, wanted in (
        (Order.BIG, Order.BIG, [0x4366, 0]),
        (Order.LITTLE, Order.BIG, [0, 0x4366]),
        (Order.BIG, Order.LITTLE, [0x6643, 0]),
        (Order.LITTLE, Order.LITTLE, [0, 0x6643]),
    ):
        layout = Layout(ValueType.F32, word_order, byte_order)
        assert registers_of(raw, layout) == wanted
        assert raw_of(wanted, layout) == raw


@pytest.mark.parametrize("raw", ["7FC00000", "FFC00000", "7F800000", "FF800000"])
def test_what_is_no_float_is_no_number(raw: str) -> None:
    assert number_of(bytes.fromhex(raw), ValueType.F32) is None


def test_bcd_with_other_digits_is_no_number() -> None:
    assert number_of(b"\x12\x3a", ValueType.BCD16) is None


def test_a_negative_zero_is_zero() -> None:
    assert str(number_of(bytes.fromhex("80000000"), ValueType.F32)) == "0"


@given(st.data(), st.builds(Layout, st.sampled_from(INTEGERS), st.sampled_from(Order), st.sampled_from(Order)))
def test_integers_survive(data: st.DataObject, layout: Layout) -> None:
    bounds = integer_bounds(layout.type)
    assert bounds is not None
    value = D(data.draw(st.integers(int(bounds[0]), int(bounds[1]))))
    assert number(registers_of(raw_of_number(value, layout.type), layout), layout) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), FLOATS)
def test_floats_are_exact(value: float, layout: Layout) -> None:
    assert number(registers_of(raw_of_number(D(value), layout.type), layout), layout) == D(value)


@given(st.data(), LAYOUTS)
def test_any_registers_are_a_number_or_none(data: st.DataObject, layout: Layout) -> None:
    registers = data.draw(st.lists(st.integers(0, 0xFFFF), min_size=layout.registers, max_size=layout.registers))
    assert registers_of(raw_of(registers, layout), layout) == registers
    found = number(registers, layout)
    assert found is None or found.is_finite()


@pytest.mark.parametrize("kind", INTEGERS)
def test_what_does_not_fit_is_refused(kind: ValueType) -> None:
    bounds = integer_bounds(kind)
    assert bounds is not None
    for value in (bounds[0] - 1, bounds[1] + 1, D("0.5")):
        with pytest.raises(ValueError, match=r"fit|whole"):
            raw_of_number(value, kind)
    assert integer_bounds(ValueType.F32) is None


def test_a_float_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit into f32"):
        raw_of_number(D("1e39"), ValueType.F32)


def test_another_number_of_registers_is_refused() -> None:
    with pytest.raises(ValueError, match="1 registers; u32 takes 2"):
        raw_of([1], Layout(ValueType.U32))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=2.0**-100, max_value=2.0**100))
def test_the_step_of_a_float_leads_to_the_next_one(value: float) -> None:
    raw = struct.pack(">f", value)
    (after,) = struct.unpack(">f", (int.from_bytes(raw, "big") + 1).to_bytes(4, "big"))
    assert Fraction(after) - Fraction(value) == Fraction(float_step(raw, ValueType.F32))


@pytest.mark.parametrize(
    ("value", "resolution", "wanted"),
    [
        ("1234564.9", "10", "1234560"),
        ("230.196", "0.01", "230.20"),
        ("-0.001", "0.01", "0.00"),
        ("0.125", "0.05", "0.10"),
    ],
)
def test_a_value_is_rounded_to_whole_steps(value: str, resolution: str, wanted: str) -> None:
    assert str(rounded(D(value), D(resolution))) == wanted


def test_hundredths_of_a_kwh_are_lost_above_131_mwh() -> None:
    below, above = struct.pack(">f", 131_071.9), struct.pack(">f", 131_072.0)
    assert float_step(below, ValueType.F32) < D("0.01") < float_step(above, ValueType.F32)
    assert float_step(bytes(4), ValueType.F32) == D(2.0**-149)


TYPES = {
    ValueType.U16: ModbusTcpClient.DATATYPE.UINT16,
    ValueType.I16: ModbusTcpClient.DATATYPE.INT16,
    ValueType.U32: ModbusTcpClient.DATATYPE.UINT32,
    ValueType.I32: ModbusTcpClient.DATATYPE.INT32,
    ValueType.U64: ModbusTcpClient.DATATYPE.UINT64,
    ValueType.I64: ModbusTcpClient.DATATYPE.INT64,
    ValueType.F32: ModbusTcpClient.DATATYPE.FLOAT32,
    ValueType.F64: ModbusTcpClient.DATATYPE.FLOAT64,
}


@given(st.data(), st.sampled_from(sorted(TYPES)), st.sampled_from(Order))
def test_pymodbus_reads_the_same(data: st.DataObject, kind: ValueType, word_order: Order) -> None:
    registers = data.draw(st.lists(st.integers(0, 0xFFFF), min_size=kind.registers, max_size=kind.registers))
    ours = number(registers, Layout(kind, word_order))
    assume(ours is not None)
    theirs = ModbusTcpClient.convert_from_registers(registers, TYPES[kind], word_order=word_order.value)
    assert isinstance(theirs, int | float)
    assert ours == D(theirs)
