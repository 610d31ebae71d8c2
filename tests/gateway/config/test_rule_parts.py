from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config.rule_parts import AlarmSettings, Input, LookUpTable, Order, Severity

ORDER: dict[str, Any] = {
    "name": "open-lane-1",
    "on": "gate-decision",
    "device": "barriers",
    "point": "lane-1",
    "action": "pulse",
    "person": "gate-rules",
}


def test_an_order_is_given_soon_or_never() -> None:
    assert Order.model_validate(ORDER).within_s == 5
    for within_s in (0.5, 61):
        with pytest.raises(ValidationError, match="within_s"):
            Order.model_validate({**ORDER, "within_s": within_s})


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"action": "explode"}, "action"),
        ({"value": "1e3"}, "value"),
        ({"on": "Gate Decision"}, "on"),
        ({"unless": "x"}, "unless"),
    ],
)
def test_an_order_of_a_wrong_form_is_refused(changed: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        Order.model_validate({**ORDER, **changed})


def test_an_alarm_escalates_to_critical_when_it_escalates() -> None:
    settings = AlarmSettings(acknowledge_within_s=60)
    assert (settings.severity, settings.escalate_to) == (Severity.WARNING, Severity.CRITICAL)
    with pytest.raises(ValidationError, match="acknowledge_within_s"):
        AlarmSettings(acknowledge_within_s=0)


def test_a_table_has_columns_with_types() -> None:
    table = {"name": "appointments", "file": "a.csv", "key": "container", "columns": {"slot": "time"}}
    assert LookUpTable.model_validate(table).columns == {"slot": "time"}
    for columns in ({}, {"slot": "date"}, {"Slot": "time"}):
        with pytest.raises(ValidationError, match="columns"):
            LookUpTable.model_validate({**table, "columns": columns})


def test_an_input_takes_everything_of_its_kind_unless_it_says_which() -> None:
    assert Input(on="card").when == "true"
    with pytest.raises(ValidationError, match="when"):
        Input(on="card", when="e.card == 'x' || " * 400)
