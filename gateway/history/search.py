"""Search by the beginning of a subject or name, or of a plate, container, card ... that an event of a gate names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from gateway.history.days import Day, DayFiles, Question, check_count, check_span, check_texts, last_days_from
from gateway.history.pages import escaped

HITS_MOST: Final = 500
PREFIX_LEAST: Final = 2
PREFIX_MOST: Final = 128
LAST_DAYS_MOST: Final = 366
TYPES: Final = ("gate-decision", "gate-transaction", "access-decision", "access-closed")
FIELDS: Final = ("truck", "plate", "container", "seal", "driver", "card", "holder")


class Hit(msgspec.Struct):
    """A text that begins so, with the newest event that holds it. `kind`: `subject`, `name`, or the field."""

    kind: str
    text: str
    subject: str
    name: str | None
    at_us: int
    type: str
    zone: str | None
    id: str


class Hits(msgspec.Struct):
    """The newest first; `more`: there are more than were asked for."""

    hits: list[Hit]
    more: bool
    damaged: list[str]


_EVENT: Final = "subject, name, at_us, type, zone, id"
# From one distinct text to the next by the index; all rows of a prefix may be millions.
_DISTINCT: Final = """WITH RECURSIVE found(text) AS (
    SELECT min({column} COLLATE {order}) FROM events
        WHERE {column} >= :low COLLATE {order} AND {column} < :high COLLATE {order}
    UNION ALL
    SELECT (SELECT min({column} COLLATE {order}) FROM events
        WHERE {column} > found.text COLLATE {order} AND {column} < :high COLLATE {order})
        FROM found WHERE found.text IS NOT NULL LIMIT :limit)
    SELECT (SELECT id FROM events WHERE {column} = found.text COLLATE {order} AND at_us >= :from_us AND at_us < :to_us
        ORDER BY at_us DESC LIMIT 1) AS newest FROM found WHERE found.text IS NOT NULL"""
_SUBJECTS: Final = f"SELECT 'subject', subject, {_EVENT} FROM events WHERE id IN ({{distinct}})".format(  # noqa: S608  # our own names; values are bound
    distinct=_DISTINCT.format(column="subject", order="BINARY")
)
_NAMES: Final = f"SELECT 'name', name, {_EVENT} FROM events WHERE id IN ({{distinct}})".format(  # noqa: S608  # our own names; values are bound
    distinct=_DISTINCT.format(column="name", order="NOCASE")
)
_MARKS: Final = (", ".join("?" * len(TYPES)), ", ".join("?" * len(FIELDS)))
_NAMED: Final = (
    f"SELECT f.key, f.atom, {', '.join(f'e.{name}' for name in _EVENT.split(', '))}"  # noqa: S608  # our own names
    " FROM events AS e, json_each(CAST(e.body AS TEXT), '$.fields') AS f"
    f" WHERE e.type IN ({_MARKS[0]}) AND e.at_us >= ? AND e.at_us < ? AND f.key IN ({_MARKS[1]})"
    " AND f.atom LIKE ? ESCAPE '\\' ORDER BY e.at_us DESC LIMIT ?"
)
_NAMED_ROWS: Final = 20  # a truck that comes often shall not hide the others


def search(days: DayFiles, prefix: str, now_us: int, *, last_days: int = 30, limit: int = 50) -> Hits:
    """What begins so, of the last days: names and fields in any case, subjects as written, all small or all large.

    Raises:
        ValueError: the prefix or a limit is out of range. QuestionTimeoutError: the time is over.
    """
    wanted = prefix.strip()
    check_texts(prefix=wanted)
    if not PREFIX_LEAST <= len(wanted) <= PREFIX_MOST:
        raise ValueError(f"prefix: must be {PREFIX_LEAST} to {PREFIX_MOST} characters, has {len(wanted)}")
    check_count("limit", limit, HITS_MOST)
    from_us, to_us = last_days_from(now_us, last_days, LAST_DAYS_MOST), now_us + 1
    check_span(from_us, to_us)
    question = Question(days)

    def answer(day: Day) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for statement, spellings in (
            (_SUBJECTS, sorted({wanted, wanted.upper(), wanted.lower()})),
            (_NAMES, [wanted]),
        ):
            for text in spellings:
                values = {"low": text, "high": text + "\U0010ffff", "from_us": from_us, "to_us": to_us}
                rows += day.rows(statement, {**values, "limit": limit + 1})
        values_of_fields = (*TYPES, from_us, to_us, *FIELDS, f"{escaped(wanted)}%", (limit + 1) * _NAMED_ROWS)
        return rows + day.rows(_NAMED, values_of_fields)

    newest: dict[tuple[str, str], Hit] = {}
    for rows in question.ask(answer, from_us, to_us):
        _take(newest, rows)
        if len(newest) > limit:
            break
    hits = sorted(newest.values(), key=lambda hit: (-hit.at_us, hit.kind, hit.text))
    return Hits(hits[:limit], len(hits) > limit, question.damaged)


def _take(newest: dict[tuple[str, str], Hit], rows: Iterable[tuple[Any, ...]]) -> None:
    for row in rows:
        hit = Hit(row[0], str(row[1]), *row[2:])
        key = (hit.kind, hit.text)
        if key not in newest or newest[key].at_us < hit.at_us:
            newest[key] = hit
