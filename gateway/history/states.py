"""States over a time: of a signal, as spans, and of a device, as it told them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.history.days import Day, DayFiles, Question, check_count, check_span, check_texts

STATES_MOST: Final = 50_000
DAYS_MOST: Final = 92
NS_PER_US: Final = 1_000


class StateSpan(msgspec.Struct):
    """One state: a text, or `true` and `false`."""

    from_us: int
    to_us: int
    state: str


class States(msgspec.Struct):
    """Spans, oldest first: each lasts until another state is told, the last to the end. Nothing says it was watched."""

    spans: list[StateSpan]
    more: bool
    damaged: list[str]


class DeviceState(msgspec.Struct):
    """What a device was from a time on."""

    at_us: int
    device: str
    driver: str
    state: str | None
    reason: str | None
    reconnects: int | None
    clock_offset_us: int | None


class DeviceStates(msgspec.Struct):
    """States, oldest first."""

    states: list[DeviceState]
    more: bool
    damaged: list[str]


# Changes alone: a state that is told each second is one row. The value before the time is looked up apart.
_CHANGES: Final = """SELECT at_ns / 1000, state FROM (
    SELECT at_ns, said AS state, lag(said) OVER (ORDER BY at_ns) AS before FROM (
        SELECT at_ns, coalesce(text, iif(state, 'true', 'false')) AS said FROM signals
        WHERE device = :device AND signal = :signal AND at_ns >= :from_ns AND at_ns < :to_ns
            AND (text IS NOT NULL OR state IS NOT NULL)))
    WHERE before IS NULL OR before <> state ORDER BY at_ns LIMIT :limit"""
_BEFORE: Final = """SELECT coalesce(text, iif(state, 'true', 'false')) FROM signals
    WHERE device = :device AND signal = :signal AND at_ns < :from_ns AND (text IS NOT NULL OR state IS NOT NULL)
    ORDER BY at_ns DESC LIMIT 1"""
_DEVICE: Final = """SELECT at_ns / 1000, device, driver, state, reason, reconnects, clock_offset_us FROM device_status
    WHERE device = ? AND at_ns >= ? AND at_ns < ? ORDER BY at_ns LIMIT ?"""


def states(days: DayFiles, device: str, signal: str, from_us: int, to_us: int, limit: int = 5_000) -> States:
    """The states of a signal in `[from_us, to_us)`; what it was before counts if it was told on the same UTC day.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    check_span(from_us, to_us, days_most=DAYS_MOST)
    check_count("limit", limit, STATES_MOST)
    check_texts(device=device, signal=signal)
    question = Question(days)
    changes: list[tuple[int, str]] = []
    values = {"device": device, "signal": signal, "from_ns": from_us * NS_PER_US, "to_ns": to_us * NS_PER_US}

    def answer(day: Day) -> list[tuple[Any, ...]]:
        earlier = [] if changes else [(from_us, state) for (state,) in day.rows(_BEFORE, values)]
        return earlier + day.rows(_CHANGES, {**values, "limit": limit + 1})

    for rows in question.ask(answer, from_us, to_us, newest_first=False):
        for at_us, state in rows:
            if not changes or changes[-1][1] != state:
                changes.append((at_us, state))
        if len(changes) > limit:
            break
    more, ends = len(changes) > limit, [*(at_us for at_us, _ in changes[1:]), to_us]
    spans = [StateSpan(at_us, end_us, state) for (at_us, state), end_us in zip(changes, ends, strict=False)]
    return States(spans[:limit], more, question.damaged)


def device_states(days: DayFiles, device: str, from_us: int, to_us: int, limit: int = 5_000) -> DeviceStates:
    """What a device told of its state in `[from_us, to_us)`.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    check_span(from_us, to_us, days_most=DAYS_MOST)
    check_count("limit", limit, STATES_MOST)
    check_texts(device=device)
    question = Question(days)
    found: list[DeviceState] = []

    def answer(day: Day) -> list[tuple[Any, ...]]:
        return day.rows(_DEVICE, (device, from_us * NS_PER_US, to_us * NS_PER_US, limit + 1 - len(found)))

    for rows in question.ask(answer, from_us, to_us, newest_first=False):
        found += [DeviceState(*row) for row in rows]
        if len(found) > limit:
            break
    return DeviceStates(found[:limit], len(found) > limit, question.damaged)
