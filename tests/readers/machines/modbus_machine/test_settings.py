from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from readers.control import Action
from readers.machines.modbus_machine.settings import ModbusMachineSettings
from tests.readers.machines.modbus_machine.scenes import WARPER


def made(*machines: dict[str, Any], **more: Any) -> ModbusMachineSettings:
    return ModbusMachineSettings.model_validate({"machines": machines or [WARPER], **more})


def test_what_can_be_controlled() -> None:
    points = {point.name: point for point in made().control_points()}
    assert set(points) == {"set-speed", "tension", "machine"}
    speed = points["set-speed"]
    bounds = (speed.minimum, speed.maximum, speed.most_change)
    assert bounds == (Decimal(10), Decimal(500), Decimal(100))
    assert speed.unit == "m/min"
    assert speed.shows == ("value", "machine_state", "is_remote_enabled")
    machine = points["machine"]
    assert machine.actions == (Action.STOP, Action.RESET, Action.START)
    assert {"machine_state", "is_remote_enabled", "good_count"} <= set(machine.shows)


def test_a_machine_without_commands_has_no_point_of_that_name() -> None:
    settings = made({"signals": [{"name": "speed", "address": 1}]})
    assert settings.control_points() == ()
    assert settings.sources() == ()


@pytest.mark.parametrize(
    ("machine", "wanted"),
    [
        ({**WARPER, "watchdog": None}, "commands.start: needs remote_enabled and watchdog"),
        ({**WARPER, "remote_enabled": None}, "commands.start: needs remote_enabled and watchdog"),
        ({"commands": {"stop": {"address": 1}}}, "a machine needs a state, a signal or a set-point"),
        ({"signals": [{"name": "a", "address": 1}] * 2}, "two signals of a machine are named a"),
        ({"signals": [{"name": "machine_state", "address": 1}]}, "machine_state: has a table of its own"),
        ({**WARPER, "commands": {"stop": {"table": "coil", "address": 1, "value": 2}}}, "of a coil must be 0 or 1"),
    ],
)
def test_machines_that_cannot_be(machine: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError) as caught:
        made(machine)
    assert wanted in str(caught.value)


@pytest.mark.parametrize(
    ("machines", "more", "wanted"),
    [
        ([WARPER, WARPER], {}, "several on one line need a name each"),
        ([{"name": "a", **WARPER}, {"name": "b", **WARPER}], {}, "two have the same address"),
        ([{"name": "a", **WARPER}, {"name": "a", "address": 2, **WARPER}], {}, "two have the same name"),
        ([{"address": 255, **WARPER}], {"framing": "rtu"}, "must be 1 to 247 on a line"),
    ],
)
def test_machines_must_differ(machines: list[dict[str, Any]], more: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError) as caught:
        made(*machines, **more)
    assert wanted in str(caught.value)


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ({"address": 0, "states": {"4": "asleep"}}, "state.number.states.4"),
        ({"bits": [{"address": 0, "bit": 0, "state": "asleep"}]}, "state.bits.bits.0.state"),
    ],
)
def test_faults_of_a_state_are_told_of_the_form_that_it_has(state: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError) as caught:
        made({"state": state})
    told = [".".join(map(str, each["loc"])) for each in caught.value.errors() if each["type"] != "too_short"]
    assert told == [f"machines.0.{wanted}"]  # and that nothing is left then


def test_settings_of_settings_are_the_same() -> None:
    settings = made({"state": {"bits": [{"address": 0, "bit": 0, "state": "idle"}]}})
    assert ModbusMachineSettings.model_validate({"machines": settings.machines}) == settings


def test_named_machines_are_sources() -> None:
    assert made({"name": "w1", **WARPER}, {"name": "w2", "address": 2, **WARPER}).sources() == ("w1", "w2")
