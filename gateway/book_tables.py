"""The energy books in the event journal: intervals of registers, and demands. What is corrected replaces what was."""

from __future__ import annotations

from typing import Final

BOOK_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "energy": (
        *("at_ns", "meter", "quantity", "unit", "phase", "tariff", "source", "segment", "energy", "estimated"),
        *("quality", "register_start", "register_end", "multiplier", "from_us", "to_us", "calendar"),
    ),
    "demand": (
        *("at_ns", "meter", "quantity", "unit", "tariff", "source", "kind", "demand", "quality", "ended_at_us"),
        "window_min",
    ),
}
BOOK_KEYS: Final[dict[str, frozenset[str]]] = {
    "energy": frozenset({"meter", "quantity", "unit", "phase", "tariff", "source", "segment"}),
    "demand": frozenset({"meter", "quantity", "unit", "tariff", "source", "kind"}),
}
"""Columns that make the key beside the time; the empty text where a series has none."""

# NUMERIC keeps whole numbers as integers, so that sums of Wh are exact.
BOOK_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS energy (
    at_ns INTEGER NOT NULL, meter TEXT NOT NULL, quantity TEXT NOT NULL, unit TEXT NOT NULL, phase TEXT NOT NULL,
    tariff TEXT NOT NULL, source TEXT NOT NULL, segment TEXT NOT NULL, energy NUMERIC NOT NULL, estimated NUMERIC,
    quality TEXT, register_start NUMERIC, register_end NUMERIC, multiplier NUMERIC, from_us INTEGER, to_us INTEGER,
    calendar TEXT, PRIMARY KEY (meter, quantity, phase, tariff, source, segment, at_ns)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS demand (
    at_ns INTEGER NOT NULL, meter TEXT NOT NULL, quantity TEXT NOT NULL, unit TEXT NOT NULL, tariff TEXT NOT NULL,
    source TEXT NOT NULL, kind TEXT NOT NULL, demand NUMERIC NOT NULL, quality TEXT, ended_at_us INTEGER,
    window_min INTEGER, PRIMARY KEY (meter, quantity, tariff, source, kind, at_ns)) WITHOUT ROWID;
"""
