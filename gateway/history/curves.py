"""Curves of readings, signals and read rates: low, high, mean and last by steps, for many series at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec

from gateway.history.days import Day, DayFiles, Question, check_count, check_span, check_texts
from gateway.history.steps import US_PER_MINUTE, US_PER_QUARTER, choose_step
from gateway.rollup_tables import READING_QUARTERS, SIGNAL_MINUTES

SERIES_MOST: Final = 200
POINTS_MOST: Final = 10_000
ALL_POINTS_MOST: Final = 1_000_000
DAYS_MOST: Final = 366
RATES: Final = {
    "reads": ("sum", ""),
    "unique_tags": ("", ""),
    "rssi_mean_dbm": ("", "dBm"),
    "rssi_max_dbm": ("max", "dBm"),
    "watched_s": ("max", "s"),
}
"""Columns of read rates: how those of several antennas make one, if they can, and the unit."""

Kind = Literal["reading", "signal", "read_rate"]


class SeriesKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """One series.

    Attributes:
        device: a meter, or a device.
        name: a quantity, a signal, or a column of the read rates.
        phase, tariff: of readings; the empty text where a series has none.
        antenna_port: of read rates; the empty text for all antennas of the device together.
    """

    kind: Kind
    device: str
    name: str
    phase: str = ""
    tariff: str = ""
    antenna_port: str = ""


class Curve(msgspec.Struct):
    """One series in columns of one length; a step without a value is left out.

    Attributes:
        step: which step: it begins at `from_us + step * step_us` of the answer.
    """

    key: SeriesKey
    unit: str = ""
    step: list[int] = []
    low: list[float] = []
    high: list[float] = []
    mean: list[float] = []
    last: list[float] = []


class Curves(msgspec.Struct):
    """The curves in the order in which they were asked for; `from_us` is that of a whole step."""

    from_us: int
    to_us: int
    step_us: int
    curves: list[Curve]
    damaged: list[str]


class _Source(NamedTuple):
    """Where a series stands in one day: columns and condition. `per_us`: units of its time in a microsecond."""

    table: str
    at: str
    per_us: int
    n: str
    total: str
    low: str
    high: str
    last: str
    where: str
    is_ready: bool = False  # its rows are the steps


def curves(days: DayFiles, series: Sequence[SeriesKey], from_us: int, to_us: int, points_most: int = 1_000) -> Curves:
    """The series in `[from_us, to_us)`, in at most `points_most` steps each; one more if `from_us` is within a step.

    Raises:
        ValueError: too many, too long, or no such column. QuestionTimeoutError: the time is over.
    """
    check_span(from_us, to_us, days_most=DAYS_MOST)
    check_count("series", len(series), SERIES_MOST)
    check_count("points_most", points_most, POINTS_MOST)
    check_count("series x points_most", len(series) * points_most, ALL_POINTS_MOST)
    for key in series:
        _check(key)
    step_us = choose_step(from_us, to_us, points_most, len(series))
    begin_us = from_us // step_us * step_us
    question = Question(days)
    found = [Curve(key) for key in series]

    def answer(day: Day) -> list[tuple[str, list[tuple[Any, ...]]]]:
        return [_ask(day, key, begin_us, to_us, step_us) for key in series]

    for made in question.ask(answer, from_us, to_us, newest_first=False):
        for curve, (unit, rows) in zip(found, made, strict=True):
            curve.unit = unit or curve.unit
            if rows:
                step, low, high, mean, last = zip(*rows, strict=True)
                curve.step += step
                curve.low += low
                curve.high += high
                curve.mean += mean
                curve.last += last
    return Curves(begin_us, to_us, step_us, found, question.damaged)


def _check(key: SeriesKey) -> None:
    texts = {"device": key.device, "name": key.name, "phase": key.phase, "tariff": key.tariff}
    check_texts(**texts, antenna_port=key.antenna_port)
    if key.kind == "read_rate":
        if key.name not in RATES:
            raise ValueError(f"name = {key.name!r}: read rates have {', '.join(RATES)}")
        if not key.antenna_port and not RATES[key.name][0]:
            raise ValueError(f"antenna_port: {key.name} is of one antenna; name it")


def _ask(day: Day, key: SeriesKey, from_us: int, to_us: int, step_us: int) -> tuple[str, list[tuple[Any, ...]]]:
    source = _source(day, key, step_us)
    values = {
        "device": key.device,
        "name": key.name,
        "phase": key.phase,
        "tariff": key.tariff,
        "antenna": key.antenna_port,
        "from_at": from_us * source.per_us,
        "to_at": to_us * source.per_us,
        "step": step_us * source.per_us,
    }
    rows = day.rows(
        _READY.format(**source._asdict()) if source.is_ready else _SUMMED.format(**source._asdict()), values
    )
    return _unit(day, key, values) if rows else "", rows


_READY: Final = """SELECT ({at} - :from_at) / :step, low, high, total / n, last FROM {table}
    WHERE {where} AND {at} >= :from_at AND {at} < :to_at ORDER BY {at}"""
_SUMMED: Final = """SELECT step, low, high, mean, (SELECT {last} FROM {table} WHERE {where} AND {at} = newest) FROM (
    SELECT ({at} - :from_at) / :step AS step, min({low}) AS low, max({high}) AS high,
        CAST(sum({total}) AS REAL) / {n} AS mean, max({at}) AS newest FROM {table}
    WHERE {where} AND {at} >= :from_at AND {at} < :to_at GROUP BY step) ORDER BY step"""
_METER: Final = "meter = :device AND quantity = :name AND phase = :phase AND tariff = :tariff"


def _source(day: Day, key: SeriesKey, step_us: int) -> _Source:
    match key.kind:
        case "reading" if step_us % US_PER_QUARTER == 0 and READING_QUARTERS in day.names:
            return _rollup(READING_QUARTERS, "quarter_us", _METER, is_ready=step_us == US_PER_QUARTER)
        case "reading" if step_us % US_PER_MINUTE == 0:
            return _rollup("reading_minutes", "minute_us", _METER, is_ready=step_us == US_PER_MINUTE)
        case "reading":
            return _single("readings", "value", _METER + " AND value IS NOT NULL")
        case "signal":
            where = "device = :device AND signal = :name"
            if step_us % US_PER_MINUTE == 0 and SIGNAL_MINUTES in day.names:
                return _rollup(SIGNAL_MINUTES, "minute_us", where, is_ready=step_us == US_PER_MINUTE)
            value = "CAST(coalesce(value, state) AS REAL)"
            return _single("signals", value, where + " AND coalesce(value, state) IS NOT NULL")
        case _:
            return _rates(key)


def _rollup(table: str, at: str, where: str, *, is_ready: bool) -> _Source:
    return _Source(table, at, 1, "sum(n)", "total", "low", "high", "last", where, is_ready)


def _single(table: str, value: str, where: str) -> _Source:
    return _Source(table, "at_ns", 1_000, "count(*)", value, value, value, value, where)


def _rates(key: SeriesKey) -> _Source:
    value = key.name  # one of RATES
    if key.antenna_port:
        return _single("read_rates", value, f"device = :device AND antenna_port = :antenna AND {value} IS NOT NULL")
    table = (
        f"(SELECT at_ns, {RATES[value][0]}({value}) AS {value} FROM read_rates"  # noqa: S608  # our own names
        f" WHERE device = :device AND {value} IS NOT NULL AND at_ns >= :from_at AND at_ns < :to_at GROUP BY at_ns)"
    )
    return _single(table, value, "true")


def _unit(day: Day, key: SeriesKey, values: dict[str, Any]) -> str:
    match key.kind:
        case "reading":
            found = day.rows(f"SELECT unit FROM reading_latest WHERE {_METER}", values)  # noqa: S608  # our own names
        case "signal":
            statement = "SELECT unit FROM signals WHERE device = :device AND signal = :name ORDER BY at_ns DESC LIMIT 1"
            found = day.rows(statement, values)
        case _:
            return RATES[key.name][1]
    return str(found[0][0]) if found else ""
