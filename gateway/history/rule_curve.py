"""How often one rule fired, step by step."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.history.days import Day, DayFiles, Question, check_count, check_span, check_texts

STEPS_MOST: Final = 2_000
STEP_MOST_US: Final = 86_400_000_000


class RuleCurve(msgspec.Struct):
    """Events, and alarms that were told as raised, in each step of `[from_us, to_us)`; also the steps without any."""

    from_us: int
    step_us: int
    events: list[int]
    alarms: list[int]
    damaged: list[str]


_EVENTS: Final = "SELECT at_us / ?, count(*) FROM events WHERE rule = ? AND at_us >= ? AND at_us < ? GROUP BY 1"
_ALARMS: Final = (
    "SELECT at_us / ?, count(*) FROM alarms WHERE rule = ? AND at_us >= ? AND at_us < ? AND state = 'raised' GROUP BY 1"
)


def rule_curve(days: DayFiles, rule: str, from_us: int, to_us: int, *, step_us: int) -> RuleCurve:
    """How often a rule fired; `from_us` is brought down, and `to_us` up, to a whole step.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    check_texts(rule=rule)
    check_span(from_us, to_us)
    check_count("step_us", step_us, STEP_MOST_US)
    first, end = from_us // step_us, -(-to_us // step_us)
    if end - first > STEPS_MOST:
        raise ValueError(f"from_us = {from_us}, to_us = {to_us}: must be at most {STEPS_MOST} steps of {step_us} us")
    question = Question(days)
    bounds = (first * step_us, end * step_us)

    def answer(day: Day) -> list[list[tuple[Any, ...]]]:
        return [day.rows(statement, (step_us, rule, *bounds)) for statement in (_EVENTS, _ALARMS)]

    events, alarms = [0] * (end - first), [0] * (end - first)
    for found in question.ask(answer, *bounds):
        for counts, rows in zip((events, alarms), found, strict=True):
            for step, count in rows:
                counts[step - first] += count
    return RuleCurve(bounds[0], step_us, events, alarms, question.damaged)
