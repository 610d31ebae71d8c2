"""The energy books of one meter as a page shows them: bars, totals, gaps, demands, and one day by intervals."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.console.metering.known import Limit
from gateway.history import (
    DayFiles,
    DemandRow,
    EnergyBar,
    EnergyGap,
    EnergyRow,
    EnergyTotal,
    SeriesKey,
    curves,
    demands,
    energy_bars,
    energy_gaps,
    energy_rows,
    energy_totals,
)

IMPORT: Final = "active_energy_import"
FORECAST: Final = "active_demand_forecast"
EXCESS: Final = "active_power_excess"
LATELY_US: Final = 15 * 60 * 1_000_000
LATELY_POINTS: Final = 900
DEMANDS_MOST: Final = 10_000
ROWS_MOST: Final = 20_000
BILLED: Final = {"block": "block", "sliding": "sliding_max"}
"""The kind of demand that a kind of limit is held against."""
WORST_LAST: Final = ("measured", "backfilled", "estimated", "gap", "suspect")


class Books(msgspec.Struct):
    """What a meter counted in a time.

    Attributes:
        over: demands above the limit, of the kind by which it is billed.
        more: names of lists that were cut.
    """

    edges_us: list[int]
    bars: list[EnergyBar]
    totals: list[EnergyTotal]
    gaps: list[EnergyGap]
    largest: list[DemandRow]
    over: int
    more: list[str]
    damaged: list[str]


class Interval(msgspec.Struct):
    """One interval: what the total register counted, and how its tariffs divide it.

    Attributes:
        quality: the worst label of its rows; `missing` where there are none.
        cost: of the total, or the sum of its tariffs.
    """

    from_us: int
    to_us: int
    quality: str
    energy: float | None = None
    estimated: float = 0
    tariffs: dict[str, float] = {}
    cost: float | None = None
    currency: str | None = None
    register_start: float | None = None
    register_end: float | None = None


class Intervals(msgspec.Struct):
    """Intervals, oldest first, with those that are missing between them."""

    intervals: list[Interval]
    tariffs: list[str]
    unit: str
    more: bool
    damaged: list[str]


class Forecast(msgspec.Struct):
    """What the rules forecast of one meter last; None where they did not of late."""

    forecast_w: float | None = None
    excess_w: float | None = None
    at_us: int | None = None


class Forecasts(msgspec.Struct):
    """Forecasts by meter."""

    meters: dict[str, Forecast]
    damaged: list[str]


def books(days: DayFiles, meter: str, quantity: str, edges_us: Sequence[int], limit: Limit | None) -> Books:
    """The books between the edges.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    begin, end = edges_us[0], edges_us[-1]
    bars = energy_bars(days, meter, quantity, edges_us)
    totals = energy_totals(days, meter, begin, end)
    gaps = energy_gaps(days, meter, begin, end, quantity)
    most = demands(days, meter, begin, end, limit_w=None if limit is None else limit.limit_w, limit=DEMANDS_MOST)
    cut = [name for name, is_cut in (("gaps", gaps.more), ("demands", most.more)) if is_cut]
    damaged = list(dict.fromkeys([*bars.damaged, *totals.damaged, *gaps.damaged, *most.damaged]))
    billed = BILLED.get("block" if limit is None else limit.kind)
    over = sum(row.is_over and row.kind == billed and not row.tariff for row in most.rows)
    return Books(list(edges_us), bars.bars, totals.totals, gaps.gaps, most.largest, over, cut, damaged)


def intervals(days: DayFiles, meter: str, quantity: str, from_us: int, to_us: int) -> Intervals:
    """The intervals of one quantity that begin in a time, without those of single phases.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    found = energy_rows(days, meter, from_us, to_us, quantity=quantity, limit=ROWS_MOST)
    rows = [row for row in found.rows if not row.phase]
    joined: dict[int, list[EnergyRow]] = {}
    for row in rows:
        joined.setdefault(row.at_us, []).append(row)
    made: list[Interval] = []
    for at_us in sorted(joined):
        interval = _joined(at_us, joined[at_us])
        if made and interval.from_us > made[-1].to_us:
            made.append(Interval(made[-1].to_us, interval.from_us, "missing"))
        made.append(interval)
    tariffs = sorted({row.tariff for row in rows if row.tariff})
    return Intervals(made, tariffs, rows[0].unit if rows else "", found.more, found.damaged)


def forecasts(days: DayFiles, meters: Sequence[str]) -> Forecasts:
    """The newest forecast of each meter, of the last quarter of an hour.

    Raises:
        QuestionTimeoutError: the time is over.
    """
    if not meters:
        return Forecasts({}, [])
    now_us = time.time_ns() // 1_000
    asked = [SeriesKey("reading", meter, name) for meter in meters for name in (FORECAST, EXCESS)]
    found = curves(days, asked, now_us - LATELY_US, now_us + 1, LATELY_POINTS)
    made: dict[str, Forecast] = {meter: Forecast() for meter in meters}
    for curve in found.curves:
        if not curve.step:
            continue
        forecast = made[curve.key.device]
        if curve.key.name == EXCESS:
            forecast.excess_w = curve.last[-1]
        else:
            forecast.forecast_w = curve.last[-1]
            forecast.at_us = found.from_us + curve.step[-1] * found.step_us
    return Forecasts(made, found.damaged)


def _joined(at_us: int, rows: Sequence[EnergyRow]) -> Interval:
    """The rows of one interval; several of one register, where it was changed, are added."""
    begin = min(row.at_us if row.from_us is None else row.from_us for row in rows)
    end = max(row.at_us if row.to_us is None else row.to_us for row in rows)
    made = Interval(begin, max(end, at_us), max((row.quality or "" for row in rows), key=_badness))
    split_cost: float | None = None
    for row in rows:
        made.currency = made.currency or row.currency
        if row.tariff:
            made.tariffs[row.tariff] = made.tariffs.get(row.tariff, 0) + row.energy
            split_cost = split_cost if row.cost is None else (split_cost or 0) + row.cost
            continue
        made.energy = row.energy + (made.energy or 0)
        made.estimated += row.estimated or 0
        made.cost = made.cost if row.cost is None else (made.cost or 0) + row.cost
        made.register_start = row.register_start if made.register_start is None else made.register_start
        made.register_end = row.register_end
    if made.cost is None:
        made.cost = split_cost
    return made


def _badness(quality: str) -> int:
    return WORST_LAST.index(quality) if quality in WORST_LAST else len(WORST_LAST) if quality else -1
