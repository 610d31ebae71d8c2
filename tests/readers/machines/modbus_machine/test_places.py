from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from readers.codecs.modbus import Function
from readers.codecs.modbus_blocks import Span
from readers.machine_states import MachineMode, MachineState
from readers.machines.modbus_machine.places import (
    Bit,
    Mode,
    SetPointPlace,
    SignalPlace,
    StateByBits,
    StateByNumber,
    scaled,
)

D = Decimal
H = Function.READ_HOLDING_REGISTERS
LIMITS = {"minimum": 0, "maximum": 100}


def signal(**given: Any) -> SignalPlace:
    return SignalPlace.model_validate({"name": "s", "address": 5, **given})


def setpoint(**given: Any) -> SetPointPlace:
    return SetPointPlace.model_validate({"name": "s", "address": 5, **LIMITS, **given})


@pytest.mark.parametrize(
    ("given", "registers", "wanted"),
    [
        ({}, [7], D(7)),
        ({"type": "i16", "scale": "0.1", "offset": 2}, [0xFFF6], D("1.0")),
        ({"type": "u32", "word_order": "little"}, [1, 2], D(0x20001)),
        ({"type": "f32", "resolution": "0.01"}, [0x4366, 0x3334], D("230.20")),
        ({"type": "f32", "resolution": "0.01"}, [0x7FC0, 0], None),
        ({"type": "bcd16"}, [0x1A00], None),
        ({"bit": 3}, [8], True),
        ({"bit": 3, "inverted": True}, [8], False),
        ({"table": "coil"}, [1], True),
        ({"texts": {"7": "yarn", "0x10": "beam"}}, [16], "beam"),
        ({"texts": {"7": "yarn"}}, [8], "code 8"),
    ],
)
def test_what_a_signal_says(given: dict[str, Any], registers: list[int], wanted: object) -> None:
    place = signal(**given)
    assert place.value({place.span: registers}) == wanted
    assert place.value({}) is None


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"bit": 1, "scale": 2}, "scale: is for numbers, not for bits"),
        ({"table": "coil", "bit": 1}, "bit: is for registers; table 'coil' holds bits already"),
        ({"inverted": True}, "inverted: is for bits"),
        ({"texts": {"1": "x"}, "unit": "m"}, "texts: stand for the number itself"),
        ({"texts": {"1": "x", "0x1": "y"}}, "two keys are the same number"),
        ({"texts": {"one": "x"}}, "String should match pattern"),
        ({"type": "f32"}, "resolution: must be given for f32"),
        ({"resolution": 1}, "resolution: is for f32 and f64"),
    ],
)
def test_signals_that_cannot_be(given: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError) as caught:
        signal(**given)
    assert wanted in str(caught.value)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"scale": 0}, "scale: must not be 0"),
        ({"minimum": 100}, "minimum: must be below maximum"),
        ({"type": "f32"}, "resolution: must be given for f32 and f64"),
        ({"resolution": 1}, "and only there"),
        ({"maximum": 70_000}, "70000 cannot be written to s: it takes 0 to 65535 in steps of 1"),
        ({"scale": "0.3", "unit": "m"}, "100 cannot be written to s: it takes 0.0 to 19660.5 m in steps of 0.3 m"),
    ],
)
def test_set_points_that_cannot_be(given: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError) as caught:
        setpoint(**given)
    assert wanted in str(caught.value)


@given(
    st.integers(0, 1000),
    st.sampled_from(["u16", "i16", "u32", "i32", "f32", "f64"]),
    st.sampled_from(["big", "little"]),
    st.sampled_from(["big", "little"]),
)
def test_what_is_set_reads_the_same(tenths: int, kind: str, word_order: str, byte_order: str) -> None:
    resolution = {"resolution": "0.1"} if kind.startswith("f") else {"scale": "0.1"}
    place = setpoint(type=kind, word_order=word_order, byte_order=byte_order, **resolution)
    value = D(tenths) / 10
    assert place.value({place.span: place.registers(value)}) == value


def test_a_set_point_that_was_not_read_or_is_no_number() -> None:
    place = setpoint(type="f32", resolution=1)
    assert place.value({}) is None
    assert place.value({place.span: [0x7FC0, 0]}) is None


def test_a_float_is_rounded_to_steps_of_its_resolution() -> None:
    assert str(scaled(D("1234.4"), D(1), D(0), D(50))) == "1250"
    assert str(scaled(D("-0.01"), D(1), D(0), D("0.1"))) == "0.0"
    assert scaled(D("1e30"), D(1), D(0), D("0.001")) == D("1e30")


def test_one_bit() -> None:
    bit = Bit(address=4, bit=2)
    assert bit.is_set({}) is None
    assert bit.is_set({Span(H, 4): [4]}) is True
    with pytest.raises(ValidationError, match="bit: is needed for a register, and only there"):
        Bit(address=4)


def test_states_and_modes() -> None:
    by_number = StateByNumber.model_validate({"address": 1, "states": {"6": "execute", "0x0B": "held"}})
    assert by_number.state({Span(H, 1): [11]}) == (MachineState.HELD, "")
    assert by_number.state({Span(H, 1): [1]}) == (None, "1 stands for no state in the site file")
    assert by_number.state({}) == (None, "")
    by_bits = StateByBits.model_validate({"bits": [{"address": 1, "bit": 0, "state": "execute"}]})
    assert by_bits.state({Span(H, 1): [0]}) == (None, "none of its bits is set")
    assert by_bits.state({}) == (None, "")
    mode = Mode.model_validate({"address": 1, "modes": {"1": "manual"}})
    assert mode.mode({Span(H, 1): [1]}) is MachineMode.MANUAL
    assert mode.mode({Span(H, 1): [2]}) is None
    with pytest.raises(ValidationError, match="must be input or holding"):
        Mode.model_validate({"table": "coil", "address": 1, "modes": {"1": "manual"}})
    with pytest.raises(ValidationError, match="two keys are the same number"):
        StateByNumber.model_validate({"address": 1, "states": {"6": "execute", "0x6": "held"}})
    with pytest.raises(ValidationError, match="two keys are the same number"):
        Mode.model_validate({"address": 1, "modes": {"1": "manual", "0x1": "automatic"}})
