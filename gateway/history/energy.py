"""The energy books of one meter: intervals, totals, bars, gaps, and demands."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec

from gateway.history.days import Day, DayFiles, Question, check_count, check_span, check_texts

ROWS_MOST: Final = 100_000
EDGES_MOST: Final = 1_000
GAPS_MOST: Final = 5_000
DAYS_MOST: Final = 366
WORST_LAST: Final = ("measured", "backfilled", "estimated", "gap", "suspect")
BAD: Final = ("gap", "suspect")
MISSING: Final = "missing"
NS_PER_US: Final = 1_000
_BEFORE_COST: Final = ("cost", "currency")


class EnergyRow(msgspec.Struct):
    """What one register counted in one interval, as in the measurement `energy`; `at_us` begins the interval."""

    at_us: int
    quantity: str
    unit: str
    phase: str
    tariff: str
    source: str
    segment: str
    energy: float
    estimated: float | None
    quality: str | None
    register_start: float | None
    register_end: float | None
    multiplier: float | None
    from_us: int | None
    to_us: int | None
    calendar: str | None
    cost: float | None
    currency: str | None


class EnergyRows(msgspec.Struct):
    """Intervals, oldest first; `more`: there are more than were asked for."""

    rows: list[EnergyRow]
    more: bool
    damaged: list[str]


class EnergyTotal(msgspec.Struct):
    """The sum of one register. Rows with a tariff divide those without: never add both."""

    quantity: str
    unit: str
    phase: str
    tariff: str
    source: str
    energy: float = 0
    estimated: float = 0
    intervals: int = 0
    qualities: dict[str, int] = {}
    cost: float | None = None
    currency: str | None = None


class EnergyTotals(msgspec.Struct):
    """Sums by register."""

    totals: list[EnergyTotal]
    damaged: list[str]


class EnergyBar(msgspec.Struct):
    """The energy of a tariff between two edges; `quality` is the worst label in it. A bar without rows is left out."""

    from_us: int
    to_us: int
    tariff: str
    energy: float = 0
    estimated: float = 0
    cost: float | None = None
    currency: str | None = None
    quality: str = ""


class EnergyBars(msgspec.Struct):
    """Bars by time and tariff."""

    bars: list[EnergyBar]
    damaged: list[str]


class EnergyGap(msgspec.Struct):
    """A time of which the books do not know well: `gap`, `suspect`, or `missing` (no interval at all)."""

    from_us: int
    to_us: int
    quality: str
    energy: float | None


class EnergyGaps(msgspec.Struct):
    """Gaps, oldest first."""

    gaps: list[EnergyGap]
    more: bool
    damaged: list[str]


def energy_rows(
    days: DayFiles,
    meter: str,
    from_us: int,
    to_us: int,
    *,
    quantity: str = "",
    tariff: str | None = None,
    limit: int = 20_000,
) -> EnergyRows:
    """The intervals that begin in `[from_us, to_us)`; `tariff`: None for all, the empty text for totals.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    check_span(from_us, to_us, days_most=DAYS_MOST)
    check_count("limit", limit, ROWS_MOST)
    check_texts(meter=meter, quantity=quantity, tariff=tariff or "")
    where, values = "meter = :meter AND at_ns >= :from_ns AND at_ns < :to_ns", _values(meter, from_us, to_us)
    if quantity:
        where, values["quantity"] = f"{where} AND quantity = :quantity", quantity
    if tariff is not None:
        where, values["tariff"] = f"{where} AND tariff = :tariff", tariff
    rows, damaged = _rows(days, EnergyRow, "energy", where, values, (from_us, to_us), limit)
    return EnergyRows(rows[:limit], len(rows) > limit, damaged)


def energy_totals(days: DayFiles, meter: str, from_us: int, to_us: int) -> EnergyTotals:
    """Sums of the intervals that begin in `[from_us, to_us)`.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    check_span(from_us, to_us, days_most=DAYS_MOST)
    check_texts(meter=meter)
    question = Question(days)

    def answer(day: Day) -> list[tuple[Any, ...]]:
        return _sums(day, _values(meter, from_us, to_us), "quantity, unit, phase, tariff, source, quality")

    totals: dict[tuple[str, ...], EnergyTotal] = {}
    for rows in question.ask(answer, from_us, to_us, newest_first=False):
        for *key, quality, energy, estimated, intervals, cost, currency in rows:
            total = totals.setdefault(tuple(key), EnergyTotal(*key))
            total.intervals += intervals
            total.qualities = {**total.qualities, quality or "": total.qualities.get(quality or "", 0) + intervals}
            _add(total, energy, estimated, cost, currency)
    return EnergyTotals([totals[key] for key in sorted(totals)], question.damaged)


def energy_bars(days: DayFiles, meter: str, quantity: str, edges_us: Sequence[int]) -> EnergyBars:
    """Sums between neighbours of `edges_us`, which rise: local days, hours. All phases together have no phase.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    check_count("edges_us", len(edges_us), EDGES_MOST)
    if len(edges_us) < 2 or any(later <= edge for edge, later in pairwise(edges_us)):  # noqa: PLR2004  # a bar has two
        raise ValueError("edges_us: must be two or more times, each later than the one before")
    check_span(edges_us[0], edges_us[-1], days_most=DAYS_MOST)
    check_texts(meter=meter, quantity=quantity)
    question = Question(days)
    spans = list(pairwise(edges_us))

    def answer(day: Day) -> list[tuple[int, int, list[tuple[Any, ...]]]]:
        return [
            (*span, _sums(day, {**_values(meter, *span), "quantity": quantity}, "tariff, quality", one=True))
            for span in spans
        ]

    bars: dict[tuple[int, str], EnergyBar] = {}
    for made in question.ask(answer, edges_us[0], edges_us[-1], newest_first=False):
        for from_us, to_us, rows in made:
            for tariff, quality, energy, estimated, _, cost, currency in rows:
                bar = bars.setdefault((from_us, tariff), EnergyBar(from_us, to_us, tariff))
                bar.quality = max(bar.quality, quality or "", key=_badness)
                _add(bar, energy, estimated, cost, currency)
    return EnergyBars([bars[key] for key in sorted(bars)], question.damaged)


def energy_gaps(
    days: DayFiles, meter: str, from_us: int, to_us: int, quantity: str = "active_energy_import"
) -> EnergyGaps:
    """Where the total register of a quantity is not known well, between its first and last interval of that time.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    found = energy_rows(days, meter, from_us, to_us, quantity=quantity, tariff="", limit=ROWS_MOST)
    gaps: list[EnergyGap] = []
    known_to_us: int | None = None
    for row in sorted((row for row in found.rows if not row.phase), key=lambda row: row.from_us or row.at_us):
        begin_us = row.at_us if row.from_us is None else row.from_us
        if known_to_us is not None and begin_us > known_to_us:
            gaps.append(EnergyGap(known_to_us, begin_us, MISSING, None))
        end_us = begin_us if row.to_us is None else row.to_us
        if row.quality in BAD:
            last = gaps[-1] if gaps else None
            if last is not None and last.quality == row.quality and last.to_us == begin_us and last.energy is not None:
                last.to_us, last.energy = end_us, last.energy + row.energy
            else:
                gaps.append(EnergyGap(begin_us, end_us, row.quality, row.energy))
        known_to_us = max(known_to_us or 0, end_us)
    return EnergyGaps(gaps[:GAPS_MOST], found.more or len(gaps) > GAPS_MOST, found.damaged)


def _values(meter: str, from_us: int, to_us: int) -> dict[str, Any]:
    return {"meter": meter, "from_ns": from_us * NS_PER_US, "to_ns": to_us * NS_PER_US}


def _sums(day: Day, values: dict[str, Any], by: str, *, one: bool = False) -> list[tuple[Any, ...]]:
    if "energy" not in day.names:
        return []
    cost, currency = ("sum(cost)", "max(currency)") if "cost" in day.columns("energy") else ("NULL", "NULL")
    more = " AND quantity = :quantity AND phase = ''" if one else ""
    return day.rows(
        f"SELECT {by}, sum(energy), coalesce(sum(estimated), 0), count(*), {cost}, {currency} FROM energy"  # noqa: S608  # our own names
        f" WHERE meter = :meter AND at_ns >= :from_ns AND at_ns < :to_ns{more} GROUP BY {by}",
        values,
    )


def _rows(
    days: DayFiles,
    kind: type[EnergyRow],
    table: str,
    where: str,
    values: dict[str, Any],
    span: tuple[int, int],
    limit: int,
) -> tuple[list[EnergyRow], list[str]]:
    question = Question(days)
    found: list[EnergyRow] = []

    def answer(day: Day) -> list[tuple[Any, ...]]:
        if table not in day.names:
            return []
        known = day.columns(table)
        columns = [name if name in known else "NULL" for name in kind.__struct_fields__[1:]]
        statement = f"SELECT at_ns / 1000, {', '.join(columns)} FROM {table} WHERE {where}"  # noqa: S608  # our own names
        return day.rows(f"{statement} ORDER BY at_ns LIMIT :limit", {**values, "limit": limit + 1 - len(found)})

    for rows in question.ask(answer, *span, newest_first=False):
        found += [kind(*row) for row in rows]
        if len(found) > limit:
            break
    return found, question.damaged


def _add(
    total: EnergyTotal | EnergyBar, energy: float, estimated: float, cost: float | None, currency: str | None
) -> None:
    total.energy += energy
    total.estimated += estimated
    if cost is not None:
        total.cost = cost + (total.cost or 0)
        total.currency = currency


def _badness(quality: str) -> int:
    return WORST_LAST.index(quality) if quality in WORST_LAST else len(WORST_LAST) if quality else -1
