from typing import Any

import msgspec
import pytest

from gateway.contract.alarm_orders import (
    ACTIONS,
    AlarmOrder,
    AlarmOutcome,
    as_alarm_order,
    as_alarm_outcome,
)
from gateway.contract.commands import fields_of, is_signed, signed

KEY = b"0123456789abcdef" * 4
TOPIC = "tagwharf/1/quay/order/0123456789abcdef0123"
ORDER = AlarmOrder(
    id="01J0000000000000000000000A",
    alarm="0123456789abcdef0123",
    action="acknowledge",
    by="anna",
    at_us=1,
    expires_at_us=2,
    comment="Lüfter getauscht",
)


def test_an_order_comes_back_as_it_was_signed_and_nothing_of_it_can_be_changed() -> None:
    fields = fields_of(signed(ORDER, KEY, TOPIC))
    assert is_signed(fields, KEY, TOPIC)
    assert msgspec.structs.replace(as_alarm_order(fields), signature="") == ORDER
    for name in ("id", "alarm", "action", "by", "at_us", "expires_at_us", "comment"):
        assert not is_signed({**fields, name: "x"}, KEY, TOPIC)
    assert not is_signed(fields, KEY, TOPIC.replace("3", "4"))


@pytest.mark.parametrize("action", ACTIONS)
def test_what_a_person_can_do(action: str) -> None:
    assert as_alarm_order({**msgspec.to_builtins(ORDER), "action": action}).action == action


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "short"},
        {"alarm": "0123"},
        {"alarm": "0123456789ABCDEF0123"},
        {"alarm": "0123456789abcdef0123\n"},
        {"action": "explode"},
        {"by": "Anna"},
        {"at_us": "1"},
        {"expires_at_us": None},
        {"comment": "x" * 501},
        {"comment": "two\nlines"},
        {"comment": "a bell \x07"},
        {"comment": "ends\n"},
        {"more": 1},
    ],
)
def test_an_order_with_a_wrong_field_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        as_alarm_order({**msgspec.to_builtins(ORDER), **wrong})


def test_an_outcome_comes_back_as_it_was_signed() -> None:
    outcome = AlarmOutcome(id=ORDER.id, alarm=ORDER.alarm, state="refused", at_us=5, by="anna", code="standing")
    fields = fields_of(signed(outcome, KEY, "topic"))
    assert is_signed(fields, KEY, "topic")
    assert msgspec.structs.replace(as_alarm_outcome(fields), signature="") == outcome
    with pytest.raises(msgspec.ValidationError):
        as_alarm_outcome({**fields, "state": "perhaps"})
