"""The books in the event journal: energy, demand, production, stops, and the figures of events.

What is corrected replaces what was.
"""

from __future__ import annotations

import sqlite3
from typing import Final

BOOK_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "energy": (
        *("at_ns", "meter", "quantity", "unit", "phase", "tariff", "source", "segment", "energy", "estimated"),
        *("quality", "register_start", "register_end", "multiplier", "from_us", "to_us", "calendar", "cost"),
        "currency",
    ),
    "demand": (
        *("at_ns", "meter", "quantity", "unit", "tariff", "source", "kind", "demand", "quality", "ended_at_us"),
        "window_min",
    ),
    "production": (
        *("at_ns", "machine", "period", "shift", "unit", "from_us", "to_us", "planned_s", "execute_s", "idle_s"),
        *("held_s", "stopped_s", "aborted_s", "unknown_s", "no_data_s", "unplanned_s", "unplanned_execute_s"),
        *("unplanned_no_data_s", "stops", "total", "good", "bad", "unplanned_total", "no_data_total"),
        *("counter_resets", "ideal_rate_per_min", "availability", "performance", "quality", "oee", "energy_wh"),
        *("energy_covered_s", "energy_per_unit_wh"),
    ),
    "machine_stop": ("at_ns", "machine", "period", "shift", "reason", "stood_s", "stops"),
    "figure": ("at_ns", "event", "zone", "rule", "figure", "value", "id"),
}
BOOK_KEYS: Final[dict[str, frozenset[str]]] = {
    "energy": frozenset({"meter", "quantity", "unit", "phase", "tariff", "source", "segment"}),
    "demand": frozenset({"meter", "quantity", "unit", "tariff", "source", "kind"}),
    "production": frozenset({"machine", "period", "shift", "unit"}),
    "machine_stop": frozenset({"machine", "period", "shift", "reason"}),
    "figure": frozenset({"event", "zone", "rule", "figure"}),
}
"""Columns that make the key beside the time, and the id of a figure's event; the empty text where a series has none."""

# NUMERIC keeps whole numbers as integers, so that sums of Wh are exact.
BOOK_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS energy (
    at_ns INTEGER NOT NULL, meter TEXT NOT NULL, quantity TEXT NOT NULL, unit TEXT NOT NULL, phase TEXT NOT NULL,
    tariff TEXT NOT NULL, source TEXT NOT NULL, segment TEXT NOT NULL, energy NUMERIC NOT NULL, estimated NUMERIC,
    quality TEXT, register_start NUMERIC, register_end NUMERIC, multiplier NUMERIC, from_us INTEGER, to_us INTEGER,
    calendar TEXT, cost NUMERIC, currency TEXT,
    PRIMARY KEY (meter, quantity, phase, tariff, source, segment, at_ns)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS demand (
    at_ns INTEGER NOT NULL, meter TEXT NOT NULL, quantity TEXT NOT NULL, unit TEXT NOT NULL, tariff TEXT NOT NULL,
    source TEXT NOT NULL, kind TEXT NOT NULL, demand NUMERIC NOT NULL, quality TEXT, ended_at_us INTEGER,
    window_min INTEGER, PRIMARY KEY (meter, quantity, tariff, source, kind, at_ns)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS production (
    at_ns INTEGER NOT NULL, machine TEXT NOT NULL, period TEXT NOT NULL, shift TEXT NOT NULL, unit TEXT NOT NULL,
    from_us INTEGER, to_us INTEGER, planned_s REAL, execute_s REAL, idle_s REAL, held_s REAL, stopped_s REAL,
    aborted_s REAL, unknown_s REAL, no_data_s REAL, unplanned_s REAL, unplanned_execute_s REAL,
    unplanned_no_data_s REAL, stops INTEGER, total NUMERIC, good NUMERIC, bad NUMERIC, unplanned_total NUMERIC,
    no_data_total NUMERIC, counter_resets INTEGER, ideal_rate_per_min REAL, availability REAL, performance REAL,
    quality REAL, oee REAL, energy_wh NUMERIC, energy_covered_s REAL, energy_per_unit_wh REAL,
    PRIMARY KEY (machine, period, shift, at_ns)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS machine_stop (
    at_ns INTEGER NOT NULL, machine TEXT NOT NULL, period TEXT NOT NULL, shift TEXT NOT NULL, reason TEXT NOT NULL,
    stood_s REAL, stops INTEGER, PRIMARY KEY (machine, period, shift, reason, at_ns)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS figure (
    at_ns INTEGER NOT NULL, event TEXT NOT NULL, zone TEXT NOT NULL, rule TEXT NOT NULL, figure TEXT NOT NULL,
    value REAL NOT NULL, id TEXT NOT NULL, PRIMARY KEY (rule, figure, event, zone, at_ns, id)) WITHOUT ROWID;
"""

_ADDED: Final = {"energy": {"cost": "NUMERIC", "currency": "TEXT"}}
"""Columns that tables of earlier versions lack."""


def widen(connection: sqlite3.Connection) -> None:
    """Give the tables of a day that an earlier version began the columns that they lack."""
    for name, columns in _ADDED.items():
        known = {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
        for column, kind in columns.items():
            if column not in known:
                connection.execute(f"ALTER TABLE {name} ADD COLUMN {column} {kind}")
