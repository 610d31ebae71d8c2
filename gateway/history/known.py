"""Which series there are: what a page may offer as curves."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.history.curves import RATES, Kind, SeriesKey
from gateway.history.days import Day, DayFiles, Question, check_span, check_texts
from gateway.rollup_tables import SIGNAL_MINUTES

SERIES_MOST: Final = 10_000
DAYS_MOST: Final = 92
NS_PER_US: Final = 1_000


class KnownSeries(msgspec.Struct):
    """A series that has a value, and when it had the last."""

    key: SeriesKey
    unit: str
    last_us: int


class SeriesList(msgspec.Struct):
    """Series in the order of their kinds and names; `more`: there are more."""

    series: list[KnownSeries]
    more: bool
    damaged: list[str]


_READINGS: Final = """SELECT meter, quantity, phase, tariff, '', unit, at_ns / 1000 FROM reading_latest
    WHERE (:device = '' OR meter = :device) LIMIT :limit"""
_SIGNALS: Final = """SELECT k.device, k.signal, '', '', '', s.unit, s.at_ns / 1000
    FROM (SELECT DISTINCT device, signal FROM {table} WHERE :device = '' OR device = :device LIMIT :limit) AS k
    JOIN signals AS s ON s.device = k.device AND s.signal = k.signal
        AND s.at_ns = (SELECT at_ns FROM signals AS t WHERE t.device = k.device AND t.signal = k.signal
            AND coalesce(t.value, t.state) IS NOT NULL ORDER BY at_ns DESC LIMIT 1)"""
_RATES: Final = """SELECT device, '', '', '', antenna_port, '', max(at_ns) / 1000 FROM read_rates
    WHERE (:device = '' OR device = :device) AND at_ns >= :from_ns AND at_ns < :to_ns
    GROUP BY device, antenna_port LIMIT :limit"""


def known_series(
    days: DayFiles, from_us: int, to_us: int, kind: Kind | None = None, device: str | None = None
) -> SeriesList:
    """The series that have a value on one of the UTC days of `[from_us, to_us)`.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    check_span(from_us, to_us, days_most=DAYS_MOST)
    check_texts(device=device or "")
    question = Question(days)
    values = {
        "device": device or "",
        "from_ns": from_us * NS_PER_US,
        "to_ns": to_us * NS_PER_US,
        "limit": SERIES_MOST + 1,
    }

    def answer(day: Day) -> list[tuple[Kind, list[tuple[Any, ...]]]]:
        table = SIGNAL_MINUTES if SIGNAL_MINUTES in day.names else "signals"
        asked: dict[Kind, str] = {"reading": _READINGS, "signal": _SIGNALS.format(table=table), "read_rate": _RATES}
        return [(name, day.rows(statement, values)) for name, statement in asked.items() if kind in (None, name)]

    found: dict[SeriesKey, KnownSeries] = {}
    for made in question.ask(answer, from_us, to_us):
        for name, rows in made:
            for row in rows:
                for each in _series(name, row):
                    found.setdefault(each.key, each)  # newer days come first
    series = sorted(found.values(), key=lambda each: msgspec.structs.astuple(each.key))
    return SeriesList(series[:SERIES_MOST], len(series) > SERIES_MOST, question.damaged)


def _series(kind: Kind, row: tuple[Any, ...]) -> list[KnownSeries]:
    device, name, phase, tariff, antenna_port, unit, last_us = row
    if kind == "read_rate":
        return [
            KnownSeries(SeriesKey(kind, device, column, antenna_port=antenna_port), of, last_us)
            for column, (_, of) in RATES.items()
        ]
    return [KnownSeries(SeriesKey(kind, device, name, phase, tariff), unit, last_us)]
