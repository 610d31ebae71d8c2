"""The books of one machine: what it did with intervals and shifts, and why it stood."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.book_tables import BOOK_COLUMNS
from gateway.history.days import Day, DayFiles, Question, check_count, check_span, check_texts

ROWS_MOST: Final = 50_000
DAYS_MOST: Final = 366
NS_PER_US: Final = 1_000
PERIODS: Final = ("interval", "shift")


class ProductionRow(msgspec.Struct):
    """An interval or a shift of a machine, as in the measurement `production`; None is not known."""

    at_us: int
    machine: str
    period: str
    shift: str
    unit: str
    from_us: int | None
    to_us: int | None
    planned_s: float | None
    execute_s: float | None
    idle_s: float | None
    held_s: float | None
    stopped_s: float | None
    aborted_s: float | None
    unknown_s: float | None
    no_data_s: float | None
    unplanned_s: float | None
    unplanned_execute_s: float | None
    unplanned_no_data_s: float | None
    stops: int | None
    total: float | None
    good: float | None
    bad: float | None
    unplanned_total: float | None
    no_data_total: float | None
    counter_resets: int | None
    ideal_rate_per_min: float | None
    availability: float | None
    performance: float | None
    quality: float | None
    oee: float | None
    energy_wh: float | None
    energy_covered_s: float | None
    energy_per_unit_wh: float | None


class Production(msgspec.Struct):
    """Rows, oldest first; `more`: there are more than were asked for."""

    rows: list[ProductionRow]
    more: bool
    damaged: list[str]


class StopTotal(msgspec.Struct):
    """How long a machine stood for a reason, and how often it began to."""

    reason: str
    stood_s: float = 0
    stops: int = 0


class StopTotals(msgspec.Struct):
    """Reasons, the longest time first."""

    stops: list[StopTotal]
    damaged: list[str]


_WHERE: Final = "WHERE machine = ? AND period = ? AND at_ns >= ? AND at_ns < ?"
_ROWS: Final = (
    f"SELECT at_ns / 1000, {', '.join(BOOK_COLUMNS['production'][1:])} FROM production {_WHERE} ORDER BY at_ns LIMIT ?"  # noqa: S608  # our own names
)
_STOPS: Final = f"SELECT reason, total(stood_s), coalesce(sum(stops), 0) FROM machine_stop {_WHERE} GROUP BY reason"  # noqa: S608  # our own names


def production(
    days: DayFiles, machine: str, from_us: int, to_us: int, *, period: str = "interval", limit: int = 10_000
) -> Production:
    """The intervals, or shifts, that begin in `[from_us, to_us)`.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    check_count("limit", limit, ROWS_MOST)
    values = _values(machine, from_us, to_us, period)
    question = Question(days)
    found: list[ProductionRow] = []

    def answer(day: Day) -> list[tuple[Any, ...]]:
        return day.rows(_ROWS, (*values, limit + 1 - len(found))) if "production" in day.names else []

    for rows in question.ask(answer, from_us, to_us, newest_first=False):
        found += [ProductionRow(*row) for row in rows]
        if len(found) > limit:
            break
    return Production(found[:limit], len(found) > limit, question.damaged)


def stop_totals(days: DayFiles, machine: str, from_us: int, to_us: int, *, period: str = "interval") -> StopTotals:
    """How long the machine stood, by reason, in the intervals, or shifts, that begin in `[from_us, to_us)`.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    values = _values(machine, from_us, to_us, period)
    question = Question(days)

    def answer(day: Day) -> list[tuple[Any, ...]]:
        return day.rows(_STOPS, values) if "machine_stop" in day.names else []

    stops: dict[str, StopTotal] = {}
    for rows in question.ask(answer, from_us, to_us):
        for reason, stood_s, count in rows:
            total = stops.setdefault(reason, StopTotal(reason))
            total.stood_s += stood_s
            total.stops += count
    return StopTotals(sorted(stops.values(), key=lambda stop: (-stop.stood_s, stop.reason)), question.damaged)


def _values(machine: str, from_us: int, to_us: int, period: str) -> tuple[str, str, int, int]:
    check_span(from_us, to_us, days_most=DAYS_MOST)
    check_texts(machine=machine)
    if period not in PERIODS:
        raise ValueError(f"period = {period!r}: must be one of {', '.join(PERIODS)}")
    return machine, period, from_us * NS_PER_US, to_us * NS_PER_US
