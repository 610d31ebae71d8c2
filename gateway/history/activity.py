"""What the rules did in a time: events and alarms by rule, and events by type."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.history.days import Day, DayFiles, Question, check_span

DAYS_MOST: Final = 92


class RuleActivity(msgspec.Struct):
    """One rule: its events and alarms that were raised, and the last of each. Events of no rule have the rule ""."""

    rule: str
    events: int = 0
    alarms: int = 0
    last_event_us: int | None = None
    last_alarm_us: int | None = None


class TypeCount(msgspec.Struct):
    """How many events of a type, and the last."""

    type: str
    events: int = 0
    last_us: int = 0


class Activity(msgspec.Struct):
    """By rule, and by type, in the order of their names."""

    rules: list[RuleActivity]
    types: list[TypeCount]
    damaged: list[str]


# The plus keeps SQLite from the index by time, by which it would fetch each row: another has all that is asked.
_TIME: Final = "WHERE +at_us >= ? AND +at_us < ?"
_RULES: Final = f"SELECT coalesce(rule, ''), count(*), max(at_us) FROM events {_TIME} GROUP BY rule"  # noqa: S608  # our own names; values are bound
_TYPES: Final = f"SELECT type, count(*), max(at_us) FROM events {_TIME} GROUP BY type"  # noqa: S608  # our own names; values are bound
_ALARMS: Final = f"SELECT rule, count(*), max(at_us) FROM alarms {_TIME} AND state = 'raised' GROUP BY rule"  # noqa: S608  # our own names; values are bound


def activity(days: DayFiles, from_us: int, to_us: int) -> Activity:
    """What the rules did in `[from_us, to_us)`.

    An alarm counts each time that it is told as raised: when it is acknowledged or escalated, too.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    check_span(from_us, to_us, days_most=DAYS_MOST)
    question = Question(days)

    def answer(day: Day) -> list[list[tuple[Any, ...]]]:
        return [day.rows(statement, (from_us, to_us)) for statement in (_RULES, _TYPES, _ALARMS)]

    rules: dict[str, RuleActivity] = {}
    types: dict[str, TypeCount] = {}
    for by_rule, by_type, alarms in question.ask(answer, from_us, to_us):
        for rule, count, last_us in by_rule:
            row = rules.setdefault(rule, RuleActivity(rule))
            row.events += count
            row.last_event_us = max(last_us, row.last_event_us or 0)
        for rule, count, last_us in alarms:
            row = rules.setdefault(rule, RuleActivity(rule))
            row.alarms += count
            row.last_alarm_us = max(last_us, row.last_alarm_us or 0)
        for kind, count, last_us in by_type:
            told = types.setdefault(kind, TypeCount(kind))
            told.events += count
            told.last_us = max(told.last_us, last_us)
    return Activity([rules[name] for name in sorted(rules)], [types[name] for name in sorted(types)], question.damaged)
