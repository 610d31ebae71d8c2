"""Events and alarms by pages, the newest first: a cursor names the last that was shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from gateway.contract.events import Alarm, Event, decode_alarm, decode_event
from gateway.history.days import MOST_US, Day, DayFiles, Question, check_count, check_span, check_texts

T = TypeVar("T", bound=Event | Alarm)
PAGE_MOST: Final = 1_000
HISTORY_MOST: Final = 10_000
TYPES_MOST: Final = 50


class Cursor(msgspec.Struct, frozen=True):
    """The last event of a page."""

    at_us: int
    id: str

    def text(self) -> str:
        """As it stands in an address."""
        return f"{self.at_us}-{self.id}"

    @staticmethod
    def parse(text: str) -> Cursor:
        """Read `text()` again; raises ValueError."""
        at, dash, key = text.partition("-")
        return Cursor(_time(at, dash, text), _key(key))


class AlarmCursor(msgspec.Struct, frozen=True):
    """The last change of an alarm on a page."""

    at_us: int
    id: str
    state: str

    def text(self) -> str:
        """As it stands in an address."""
        return f"{self.at_us}-{self.state}-{self.id}"

    @staticmethod
    def parse(text: str) -> AlarmCursor:
        """Read `text()` again; raises ValueError."""
        at, _, rest = text.partition("-")
        state, dash, key = rest.partition("-")
        return AlarmCursor(_time(at, dash, text), _key(key), _key(state))


class EventPage(msgspec.Struct):
    """Events, the newest first; `next` is where the page after it begins, None after the last."""

    events: list[Event]
    next: Cursor | None
    damaged: list[str]


class FoundEvent(msgspec.Struct):
    """One event, if it is there."""

    event: Event | None
    damaged: list[str]


class AlarmPage(msgspec.Struct):
    """Changes of alarms, the newest first."""

    alarms: list[Alarm]
    next: AlarmCursor | None
    damaged: list[str]


class AlarmHistory(msgspec.Struct):
    """Every change of one alarm, oldest first; with `more` only the newest of them."""

    alarms: list[Alarm]
    more: bool
    damaged: list[str]


class Conditions:
    """What a row must be: clauses and their values, all bound."""

    def __init__(self) -> None:
        self.clauses: list[str] = []
        self.values: list[str | int] = []

    def add(self, clause: str, *values: str | int) -> None:
        """All of the clauses must hold."""
        self.clauses.append(clause)
        self.values += values

    def given(self, column: str, value: str) -> None:
        """A column is equal to a value, if one is given."""
        if value:
            self.add(f"{column} = ?", value)

    def __str__(self) -> str:
        return " AND ".join(self.clauses)


def event_page(
    days: DayFiles,
    *,
    types: Sequence[str] = (),
    subject: str = "",
    name: str = "",
    verdict: str = "",
    rule: str = "",
    place: str = "",
    text: str = "",
    from_us: int = 0,
    to_us: int | None = None,
    before: Cursor | None = None,
    limit: int = 50,
) -> EventPage:
    """Events that are all that is given; what is empty is not asked for.

    Args:
        days: the event journal.
        types: one of these.
        subject: the subject, exactly.
        name: the name, in any case.
        verdict: the field `verdict`.
        rule: the rule that made it.
        place: its zone, the zone that it came from, or its read point.
        text: stands in the subject, the name or a field, in any case of a Latin letter.
        from_us: not earlier.
        to_us: earlier.
        before: only what comes behind it.
        limit: so many at most.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    check_count("limit", limit, PAGE_MOST)
    check_texts(subject=subject, name=name, verdict=verdict, rule=rule, place=place, text=text)
    check_texts(**{f"types[{number}]": kind for number, kind in enumerate(types)})
    if len(types) > TYPES_MOST:
        raise ValueError(f"types: must be at most {TYPES_MOST}, are {len(types)}")
    where = Conditions()
    until_us = _time_bounds(where, from_us, to_us, before.at_us if before else None)
    if before is not None:
        where.add("(at_us < ? OR id > ?)", before.at_us, before.id)
    where.given("subject", subject)
    if name:
        where.add("name = ? COLLATE NOCASE", name)
    where.given("rule", rule)
    if place:
        where.add("? IN (zone, from_zone, read_point)", place)
    if verdict:
        where.add("json_extract(CAST(body AS TEXT), '$.fields.verdict') = ?", verdict)
    if text:
        like = f"%{escaped(text)}%"
        fields = "EXISTS (SELECT 1 FROM json_each(CAST(body AS TEXT), '$.fields') WHERE atom LIKE ? ESCAPE '\\')"
        where.add(f"(subject LIKE ? ESCAPE '\\' OR name LIKE ? ESCAPE '\\' OR {fields})", like, like, like)
    of_type = " AND type = ?" if types else ""
    statement = f"SELECT body FROM events WHERE {where}{of_type} ORDER BY at_us DESC, id"  # noqa: S608  # values are bound
    # Each type apart, by its index: for several together SQLite would sort all that there are.
    asked = [(statement, (*where.values, kind)) for kind in sorted(set(types))] or [(statement, tuple(where.values))]
    rows, damaged = _page(days, decode_event, asked, (from_us, until_us), limit)
    events = rows[:limit]
    following = Cursor(events[-1].at_us, events[-1].id) if len(rows) > limit else None
    return EventPage(events, following, damaged)


def event(days: DayFiles, event_id: str) -> FoundEvent:
    """The event of this id.

    Raises:
        ValueError: the id is too long. QuestionTimeoutError: the time is over.
    """
    check_texts(event_id=event_id)
    question = Question(days)

    def answer(day: Day) -> list[Event]:
        return [decode_event(body) for (body,) in day.rows("SELECT body FROM events WHERE id = ?", (event_id,))]

    for found in question.ask(answer):
        if found:
            return FoundEvent(found[0], question.damaged)
    return FoundEvent(None, question.damaged)


def alarm_page(
    days: DayFiles,
    *,
    state: str = "",
    severity: str = "",
    rule: str = "",
    subject: str = "",
    from_us: int = 0,
    to_us: int | None = None,
    before: AlarmCursor | None = None,
    limit: int = 50,
) -> AlarmPage:
    """Changes of alarms that are all that is given; what is empty is not asked for.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    check_count("limit", limit, PAGE_MOST)
    check_texts(state=state, severity=severity, rule=rule, subject=subject)
    where = Conditions()
    until_us = _time_bounds(where, from_us, to_us, before.at_us if before else None)
    if before is not None:
        where.add("(at_us < ? OR (id, state) > (?, ?))", before.at_us, before.id, before.state)
    for column, value in (("state", state), ("severity", severity), ("rule", rule), ("subject", subject)):
        where.given(column, value)
    statement = f"SELECT body FROM alarms WHERE {where} ORDER BY at_us DESC, id, state"  # noqa: S608  # values are bound
    rows, damaged = _page(days, decode_alarm, [(statement, tuple(where.values))], (from_us, until_us), limit)
    alarms = rows[:limit]
    last = alarms[-1] if len(rows) > limit else None
    return AlarmPage(alarms, AlarmCursor(last.at_us, last.id, last.state) if last else None, damaged)


def alarm_history(days: DayFiles, alarm_id: str, *, limit: int = 1_000) -> AlarmHistory:
    """Every change of one alarm.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    check_count("limit", limit, HISTORY_MOST)
    check_texts(alarm_id=alarm_id)
    statement = "SELECT body FROM alarms WHERE id = ? ORDER BY at_us DESC, state"
    rows, damaged = _page(days, decode_alarm, [(statement, (alarm_id,))], (0, MOST_US), limit)
    return AlarmHistory(rows[:limit][::-1], len(rows) > limit, damaged)


def escaped(text: str) -> str:
    """A text for LIKE with a backslash as its ESCAPE, so that it stands for itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _page(
    days: DayFiles,
    decode: Callable[[bytes], T],
    asked: Sequence[tuple[str, tuple[str | int, ...]]],
    span: tuple[int, int],
    limit: int,
) -> tuple[list[T], list[str]]:
    """What the bodies hold, from the newest day on, one more than the limit if there are so many."""
    question = Question(days)
    rows: list[T] = []

    def answer(day: Day) -> list[T]:
        most = limit + 1 - len(rows)
        found: list[T] = []
        for statement, bound in asked:
            found += [decode(body) for (body,) in day.rows(f"{statement} LIMIT ?", (*bound, most))]
        if len(asked) > 1:
            found.sort(key=lambda row: (-row.at_us, row.id))
        return found[:most]

    for found in question.ask(answer, *span):
        rows += found
        if len(rows) > limit:
            break
    return rows, question.damaged


def _time_bounds(where: Conditions, from_us: int, to_us: int | None, before_us: int | None) -> int:
    """Bound the time; returns where it ends."""
    until_us = MOST_US if to_us is None else to_us
    check_span(from_us, until_us)
    if before_us is not None:
        until_us = max(from_us, min(until_us, before_us + 1))
    where.add("at_us >= ? AND at_us < ?", from_us, until_us)
    return until_us


def _time(at: str, dash: str, text: str) -> int:
    if not (dash and at.isascii() and at.isdigit() and len(at) <= len(str(MOST_US))):
        raise ValueError(f"{text[:64]!r} is no cursor")
    return min(int(at), MOST_US - 1)


def _key(text: str) -> str:
    check_texts(cursor=text)
    return text
