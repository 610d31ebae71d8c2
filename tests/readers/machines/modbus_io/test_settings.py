from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from readers.control import Action
from readers.machines.modbus_io.settings import ModbusIoSettings, Module, Output, Request, SetPoint, Table, requests


def test_a_run_is_no_longer_than_a_device_answers() -> None:
    inputs = [{"name": f"r{address}", "table": "holding", "address": address} for address in range(0, 300, 10)]
    found = requests(Module.model_validate({"inputs": inputs}))
    assert found == [Request(Table.HOLDING, 0, 121), Request(Table.HOLDING, 130, 121), Request(Table.HOLDING, 260, 31)]


def test_named_modules_are_sources() -> None:
    modules = [
        {"name": name, "address": number, "inputs": [{"name": "a", "address": 0}]}
        for number, name in ((1, "x"), (2, "y"))
    ]
    assert ModbusIoSettings.model_validate({"modules": modules}).sources() == ("x", "y")
    assert ModbusIoSettings.model_validate({"modules": [{"inputs": [{"name": "a", "address": 0}]}]}).sources() == ()


def test_set_points_are_read_with_the_holding_registers() -> None:
    setpoints = [{"name": "speed", "address": 7, "minimum": 0, "maximum": 50}]
    assert requests(Module.model_validate({"setpoints": setpoints})) == [Request(Table.HOLDING, 7, 1)]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ({"pulse_s": 1.0}, "needs initial = false"),
        ({"pulse_s": 1.0, "initial": True}, "needs initial = false"),
        ({"pulse_by": "module"}, "needs pulse_s"),
        ({"pulse_s": 61}, "less than or equal to 60"),
    ],
)
def test_faults_of_an_output(output: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Output.model_validate({"name": "barrier", "address": 0, **output})


def test_what_may_be_ordered_of_an_output() -> None:
    both = Output.model_validate({"name": "barrier", "address": 0, "pulse_s": 1.0, "initial": False})
    assert both.actions == (Action.ON, Action.OFF, Action.PULSE)


SPEED = {"name": "speed", "address": 1, "minimum": 0, "maximum": 60}


@pytest.mark.parametrize(
    ("setpoint", "message"),
    [
        ({"minimum": 60}, "must be below maximum"),
        ({"scale": 0}, "must not be 0"),
        ({"maximum": 65_536}, "maximum: cannot be written: the register takes 0 to 65535 in steps of 1"),
        ({"minimum": -1}, "minimum: cannot be written"),
        ({"maximum": "59.95", "scale": "0.1", "unit": "Hz"}, "0 to 6553.5 Hz in steps of 0.1 Hz"),
        ({"most_change": 0}, "greater than 0"),
    ],
)
def test_faults_of_a_set_point(setpoint: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SetPoint.model_validate({**SPEED, **setpoint})


@given(
    register=st.integers(0, 0xFFFF),
    scale=st.sampled_from(["1", "0.1", "0.01", "-0.5", "25"]),
    offset=st.sampled_from(["0", "-40", "0.05"]),
    is_signed=st.booleans(),
)
def test_every_register_comes_back(register: int, scale: str, offset: str, is_signed: bool) -> None:  # noqa: FBT001  # drawn
    made = SetPoint.model_construct(
        name="x",
        address=0,
        minimum=Decimal(0),
        maximum=Decimal(1),
        scale=Decimal(scale),
        offset=Decimal(offset),
        signed=is_signed,
    )
    assert made.register_of(made.value_of(register)) == register
    assert made.register_of(made.value_of(register) + Decimal(scale) / 4) is None
