"""What a page may ask of the past: times, days by the site's clocks, series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

from gateway.history import SeriesKey

SERIES_MOST: Final = 60
POINTS_MOST: Final = 2_000
POINTS: Final = 720
DAYS_MOST: Final = 62
US: Final = 1_000_000
TIME_DIGITS: Final = 18
PARTS: Final = 4


def span(query: Mapping[str, str]) -> tuple[int, int]:
    """`from_us` and `to_us`; ValueError says which is wrong."""
    found = []
    for name in ("from_us", "to_us"):
        text = query.get(name, "")
        if not (text.isascii() and text.isdigit() and len(text) <= TIME_DIGITS):
            raise ValueError(f"{name}: {text[:24]!r} must be a time in microseconds since 1970")
        found.append(int(text))
    if found[0] >= found[1]:
        raise ValueError("from_us: must be before to_us")
    return found[0], found[1]


def name_of(query: Mapping[str, str], key: str) -> str:
    """A name that must be there."""
    if not (text := query.get(key, "")):
        raise ValueError(f"{key}: say which")
    return text


def series(texts: Sequence[str]) -> list[SeriesKey]:
    """Series as the registers of the live page are called: `METER/QUANTITY/PHASE/TARIFF`."""
    if not 1 <= len(texts) <= SERIES_MOST:
        raise ValueError(f"series: {len(texts)} of them; ask for 1 to {SERIES_MOST}")
    found = []
    for text in texts:
        parts = text.split("/")
        if len(parts) != PARTS or not parts[0] or not parts[1]:
            raise ValueError(f"series: {text[:80]!r} must be METER/QUANTITY/PHASE/TARIFF")
        found.append(SeriesKey("reading", *parts))
    return found


def first_day(query: Mapping[str, str], key: str = "day") -> date:
    """A day YYYY-MM-DD."""
    text = query.get(key, "")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{key}: {text[:20]!r} must be a day as in 2026-01-31") from None


def day_edges(first: date, days: int, zone: tzinfo) -> list[int]:
    """The beginnings of days by the clocks of a zone, and the end of the last: days of 23 and 25 hours, too."""
    try:
        return [_us(first + timedelta(days=n), zone) for n in range(days + 1)]
    except OverflowError:
        raise ValueError(f"day: {first} is too far away") from None


def hour_edges(day: date, zone: tzinfo) -> list[int]:
    """The hours of one day."""
    begin, end = day_edges(day, 1, zone)
    return [*range(begin, end, 3600 * US), end]


def _us(day: date, zone: tzinfo) -> int:
    seconds = datetime.combine(day, time(), zone).timestamp()
    if seconds < 0:
        raise ValueError(f"day: {day} is before 1970")
    return int(seconds) * US
