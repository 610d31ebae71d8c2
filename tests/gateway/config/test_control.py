from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config.control import TWO_STEPS, Control, ControlledPoint
from gateway.config.models import SiteFile
from gateway.control.interlocks import parse
from readers.control import Action

POINT: dict[str, Any] = {"device": "m-1", "point": "relay", "actions": ["trip"], "roles": ["operator"]}


def test_control_is_off_and_allows_nothing() -> None:
    control = SiteFile.model_validate({"site": {"name": "quay"}}).control
    assert control == Control()
    assert (control.enabled, control.point, control.person, control.arm_s) == (False, [], [], 45)


def test_a_point_is_armed_and_confirmed_unless_the_file_says_else() -> None:
    point = ControlledPoint.model_validate(POINT)
    assert (point.two_steps, point.second_person, point.close_roles) == (True, False, [])
    light = ControlledPoint.model_validate({**POINT, "actions": ["on", "off", "pulse"], "two_steps": False})
    assert not light.two_steps


@pytest.mark.parametrize("action", sorted(TWO_STEPS))
def test_dangerous_actions_take_two_steps_whatever_the_file_says(action: Action) -> None:
    roles = {"close_roles": ["chief"]} if action is Action.CLOSE else {}
    ControlledPoint.model_validate({**POINT, "actions": [action], **roles})
    with pytest.raises(ValidationError, match=f"must not be false with {action}"):
        ControlledPoint.model_validate({**POINT, "actions": [action], **roles, "two_steps": False})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"actions": []}, "at least 1 item"),
        ({"actions": ["explode"]}, "Input should be 'trip'"),
        ({"roles": []}, "at least 1 item"),
        ({"actions": ["close"]}, "close_roles is missing"),
        ({"close_roles": ["chief"]}, 'goes with the action "close"'),
        ({"actions": ["on"], "two_steps": False, "second_person": True}, "goes with two_steps = true"),
        ({"interlocks": ["current"]}, "must be NAME OPERATOR VALUE"),
        ({"most_per_hour": 0}, "greater than or equal to 1"),
        ({"further": 1}, "Extra inputs"),
    ],
)
def test_faults_of_a_point(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ControlledPoint.model_validate({**POINT, **wrong})


@pytest.mark.parametrize("arm_s", [29, 61, 3_600])
def test_an_order_is_armed_for_half_a_minute_to_a_minute(arm_s: float) -> None:
    with pytest.raises(ValidationError):
        Control.model_validate({"arm_s": arm_s})


def test_interlocks_are_parsed() -> None:
    point = ControlledPoint.model_validate({**POINT, "interlocks": ["current_a < 5"]})
    assert point.parsed_interlocks() == (parse("current_a < 5"),)
