"""Which events and alarms a sink sends, and what a condition may ask of an alarm."""

from __future__ import annotations

from typing import Final

from gateway.config.sinks import ALL, OF_EVENTS, Format, Sending
from gateway.contract.events import Alarm, Event
from rules.alarms import CLEARED, RAISED
from rules.language.expressions import Expression
from rules.language.operations import Test
from rules.language.vocabulary import Fields, event_fields

ACKNOWLEDGED: Final = "acknowledged"
ALARM_FIELDS: Final = {
    "id": "string",
    "rule": "string",
    "severity": "string",
    "subject": "string",
    "state": "string",
    "message": "string",
    "gateway": "string",
    "since_us": "int",
    "at_us": "int",
    "ended": "bool",
    "escalated": "bool",
    "acknowledged_by": "string",
    "comment": "string",
    "comment_by": "string",
}
"""What a condition on alarms may ask for, beside the fields of its rule. `state`: see `state_of`."""


class Selection:
    """What one sink wants.

    Raises:
        ExpressionError: a condition cannot be used.
    """

    def __init__(self, settings: Sending) -> None:
        self._events = frozenset(settings.events)
        self._alarms = frozenset[str]() if settings.format in OF_EVENTS else frozenset(settings.alarms)
        self._event_test = _test(settings.when)
        self._alarm_test = _test(settings.alarm_when)
        if settings.format is Format.CASE:
            self._events = frozenset()

    def wants_event(self, event: Event) -> bool:
        """Whether this event is sent."""
        if event.type not in self._events and ALL not in self._events:
            return False
        return self._event_test is None or self._event_test(event_fields(event))

    def wants_alarm(self, alarm: Alarm) -> bool:
        """Whether this state of an alarm is sent."""
        if alarm.rule not in self._alarms and ALL not in self._alarms:
            return False
        return self._alarm_test is None or self._alarm_test(alarm_fields(alarm))


def state_of(alarm: Alarm) -> str:
    """`raised`, `acknowledged` or `cleared`."""
    if alarm.state == CLEARED:
        return CLEARED
    return RAISED if alarm.acknowledged_by is None else ACKNOWLEDGED


def alarm_fields(alarm: Alarm) -> Fields:
    """An alarm as an item; its own fields go before those of its rule."""
    fields: Fields = {name: value for name, value in alarm.fields.items() if value is not None}
    for name in ("acknowledged_by", "comment", "comment_by"):
        if (value := getattr(alarm, name)) is not None:
            fields[name] = value
    return fields | {
        "id": alarm.id,
        "rule": alarm.rule,
        "severity": alarm.severity,
        "subject": alarm.subject,
        "state": state_of(alarm),
        "message": alarm.message,
        "gateway": alarm.evidence.gateway,
        "since_us": alarm.since_us,
        "at_us": alarm.at_us,
        "ended": alarm.ended,
        "escalated": alarm.escalated,
    }


def _test(when: str) -> Test | None:
    """A condition, compiled; None for one that is always true. Its faults were told when the file was checked."""
    expression = Expression(when, {}, is_open=True)
    return None if expression.constant is True else expression.test
