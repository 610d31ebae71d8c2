"""What is where: the newest arrival of each thing that did not depart since."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.history.days import Day, DayFiles, Question, check_count, check_texts, last_days_from
from gateway.rollup_tables import PRESENCE_LATEST

PRESENT_MOST: Final = 100_000
LAST_DAYS_MOST: Final = 90
_LATEST: Final = "SELECT at_us, subject, id, type, name, zone, read_point FROM presence_latest"
# Days that were closed before there was such a table; of two events of one time the departure is the later.
_FROM_EVENTS: Final = """SELECT at_us, subject, id, type, name, zone, read_point FROM (
    SELECT *, row_number() OVER (PARTITION BY subject ORDER BY at_us DESC, type = 'departed' DESC, rowid DESC) AS place
    FROM events WHERE type IN ('arrived', 'moved', 'departed')) WHERE place = 1"""


class Present(msgspec.Struct):
    """One thing that is in a zone since a time; `id` is the event that says so."""

    subject: str
    name: str | None
    zone: str
    since_us: int
    id: str
    read_point: str | None


class Presence(msgspec.Struct):
    """Who is there, the newest first; `more`: there are more than were asked for."""

    present: list[Present]
    more: bool
    damaged: list[str]


class ZoneCount(msgspec.Struct):
    """How many are in a zone, and when the newest of them came."""

    zone: str
    count: int
    newest_us: int


class ZoneCounts(msgspec.Struct):
    """Zones in which something is, by name."""

    zones: list[ZoneCount]
    damaged: list[str]


def present(
    days: DayFiles, now_us: int, *, zone: str | None = None, last_days: int = 7, limit: int = PRESENT_MOST
) -> Presence:
    """What is where, as the newest events say; of what arrived, moved or departed in the last days before `now_us`.

    Raises:
        ValueError: a limit is out of range. QuestionTimeoutError: the time is over.
    """
    check_count("limit", limit, PRESENT_MOST)
    check_texts(zone=zone or "")
    rows, damaged = _newest(days, now_us, last_days)
    there = [row for row in rows if row[3] != "departed" and row[5] and (zone is None or row[5] == zone)]
    there.sort(key=lambda row: (-row[0], row[1]))
    made = [
        Present(subject, name, place, at_us, key, read_point)
        for at_us, subject, key, _, name, place, read_point in there[:limit]
    ]
    return Presence(made, len(there) > limit, damaged)


def zone_counts(days: DayFiles, now_us: int, *, last_days: int = 7) -> ZoneCounts:
    """How many are in each zone.

    Raises:
        ValueError: a limit is out of range. QuestionTimeoutError: the time is over.
    """
    rows, damaged = _newest(days, now_us, last_days)
    zones: dict[str, ZoneCount] = {}
    for at_us, _, _, kind, _, place, _ in rows:
        if kind != "departed" and place:
            count = zones.setdefault(place, ZoneCount(place, 0, 0))
            count.count += 1
            count.newest_us = max(count.newest_us, at_us)
    return ZoneCounts([zones[name] for name in sorted(zones)], damaged)


def _newest(days: DayFiles, now_us: int, last_days: int) -> tuple[list[tuple[Any, ...]], list[str]]:
    from_us = last_days_from(now_us, last_days, LAST_DAYS_MOST)
    question = Question(days)

    def answer(day: Day) -> list[tuple[Any, ...]]:
        statement = _LATEST if PRESENCE_LATEST in day.names else _FROM_EVENTS
        return day.rows(f"SELECT * FROM ({statement}) WHERE at_us >= ?", (from_us,))  # noqa: S608  # our own names

    found: dict[str, tuple[Any, ...]] = {}
    for rows in question.ask(answer, from_us):
        for row in rows:
            found.setdefault(row[1], row)  # newer days come first
    return list(found.values()), question.damaged
