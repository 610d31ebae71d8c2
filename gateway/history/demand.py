"""The demands of one meter against a limit."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.history.days import Day, DayFiles, Question, check_count, check_span, check_texts

ROWS_MOST: Final = 100_000
DAYS_MOST: Final = 366
NS_PER_US: Final = 1_000


class DemandRow(msgspec.Struct):
    """One demand; `kind`: `block`, `sliding_max`, or `max` as the meter tells it."""

    at_us: int
    tariff: str
    source: str
    kind: str
    demand_w: float
    quality: str | None
    ended_at_us: int | None
    window_min: int | None
    is_over: bool = False


class Demands(msgspec.Struct):
    """Demands, oldest first; the largest of each source, kind and tariff; and how many are over the limit."""

    rows: list[DemandRow]
    largest: list[DemandRow]
    over: int
    more: bool
    damaged: list[str]


_DEMANDS: Final = """SELECT at_ns / 1000, tariff, source, kind, demand, quality, ended_at_us, window_min FROM demand
    WHERE meter = ? AND at_ns >= ? AND at_ns < ? ORDER BY at_ns LIMIT ?"""


def demands(
    days: DayFiles, meter: str, from_us: int, to_us: int, *, limit_w: float | None = None, limit: int = 20_000
) -> Demands:
    """The demands of a meter in `[from_us, to_us)`; over is what is above `limit_w`.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    check_span(from_us, to_us, days_most=DAYS_MOST)
    check_count("limit", limit, ROWS_MOST)
    check_texts(meter=meter)
    question = Question(days)
    found: list[DemandRow] = []

    def answer(day: Day) -> list[tuple[Any, ...]]:
        values = (meter, from_us * NS_PER_US, to_us * NS_PER_US, limit + 1 - len(found))
        return day.rows(_DEMANDS, values) if "demand" in day.names else []

    for rows in question.ask(answer, from_us, to_us, newest_first=False):
        found += [_row(*row, over_w=limit_w) for row in rows]
        if len(found) > limit:
            break
    shown = found[:limit]
    largest: dict[tuple[str, str, str], DemandRow] = {}
    for row in shown:
        key = (row.source, row.kind, row.tariff)
        if key not in largest or largest[key].demand_w < row.demand_w:
            largest[key] = row
    over = sum(row.is_over for row in shown)
    return Demands(shown, [largest[key] for key in sorted(largest)], over, len(found) > limit, question.damaged)


def _row(
    at_us: int,
    tariff: str,
    source: str,
    kind: str,
    demand_w: float,
    quality: str | None,
    ended_at_us: int | None,
    window_min: int | None,
    *,
    over_w: float | None,
) -> DemandRow:
    is_over = over_w is not None and demand_w > over_w
    return DemandRow(at_us, tariff, source, kind, demand_w, quality, ended_at_us, window_min, is_over)
