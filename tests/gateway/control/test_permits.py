from decimal import Decimal

import pytest

from gateway.control.permits import RefusedError, built_in, check_times, check_value
from readers.control import Action, ControlPoint
from tests.gateway.control.scenes import NOW_US, POINTS, S, order

SPEED = POINTS["io", "speed"]


@pytest.mark.parametrize(
    ("issued_s", "life_s", "code"),
    [
        (0, 60, ""),
        (5, 10, ""),
        (-59.9, 60, ""),
        (0, 60.1, "life"),
        (0, 0, "life"),
        (0, -5, "life"),
        (5.1, 10, "sender_clock"),
        (-60, 60, "expired"),
        (-3_600, 60, "expired"),
    ],
)
def test_times(issued_s: float, life_s: float, code: str) -> None:
    issued_us = NOW_US + round(issued_s * S)
    sent = order("arm", issued_at_us=issued_us, expires_at_us=issued_us + round(life_s * S))
    found = ""
    try:
        check_times(sent, NOW_US, NOW_US + 5 * S)
    except RefusedError as why:
        found = why.code
    assert found == code


def test_a_gateway_whose_clock_went_back_believes_nothing() -> None:
    with pytest.raises(RefusedError, match="60 s behind what it was before"):
        check_times(order("arm"), NOW_US, NOW_US + 60 * S)


@pytest.mark.parametrize(
    ("action", "value", "message"),
    [
        (Action.SET, None, "set needs a value"),
        (Action.SET, "60.001", "out of bounds; allowed: 0 to 60 Hz"),
        (Action.SET, "-0.1", "out of bounds"),
        (Action.ON, "1", "on takes no value"),
    ],
)
def test_values(action: Action, value: str | None, message: str) -> None:
    check_value(order("arm", value="60"), Action.SET, SPEED)
    with pytest.raises(RefusedError, match=message):
        check_value(order("arm", value=value), action, SPEED)


def test_a_point_without_bounds_cannot_be_set() -> None:
    with pytest.raises(RefusedError, match="no minimum and maximum"):
        check_value(order("arm", value="1"), Action.SET, ControlPoint("x", None, (Action.SET,)))


def test_interlocks_that_nobody_can_take_out() -> None:
    bare = ControlPoint("x", None, (Action.TRIP, Action.START))
    built_in(Action.TRIP, bare, {}, None)
    built_in(Action.START, bare, {"is_remote_enabled": True}, None)
    for shown in ({}, {"is_remote_enabled": False}, {"is_remote_enabled": "true"}):
        with pytest.raises(RefusedError, match="enable it at the machine"):
            built_in(Action.START, bare, shown, None)
    relay = POINTS["m-1", "relay"]
    built_in(Action.TRIP, relay, {"is_protected": False}, None)
    built_in(Action.PERMIT_CLOSE, relay, {"is_protected": True}, None)
    with pytest.raises(RefusedError, match="is protected, and is not tripped"):
        built_in(Action.TRIP, relay, {"is_protected": True}, None)
    with pytest.raises(RefusedError, match="does not say whether"):
        built_in(Action.TRIP, relay, {}, None)


def test_a_set_point_moves_so_far_at_once() -> None:
    built_in(Action.SET, SPEED, {"value": Decimal(30)}, Decimal(50))
    with pytest.raises(RefusedError, match="it is 30 Hz; one order may change it by 20 Hz"):
        built_in(Action.SET, SPEED, {"value": Decimal(30)}, Decimal("50.1"))
    with pytest.raises(RefusedError, match="does not tell the present value"):
        built_in(Action.SET, SPEED, {}, Decimal(1))
