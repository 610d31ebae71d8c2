"""What the event journal keeps ready beside its rows, so that a console's questions are answered at once.

    reading_minutes   as rows are written (`gateway.event_tables`)
    signal_minutes, presence_latest, indexes   likewise
    reading_quarters  when the day is over: the writer pays nothing for them while most rows come

All of it can be made from the rows again. A day file that an earlier version began is completed when it is opened to be
written; one that is only read any more stays as it is, and is answered from its rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

READING_QUARTERS: Final = "reading_quarters"
SIGNAL_MINUTES: Final = "signal_minutes"
PRESENCE_LATEST: Final = "presence_latest"
PRESENCE_TYPES: Final = ("arrived", "moved", "departed")

_MERGED: Final = """ON CONFLICT DO UPDATE SET n = n + excluded.n, total = total + excluded.total,
        low = min(low, excluded.low), high = max(high, excluded.high),
        last = iif(excluded.last_ns >= last_ns, excluded.last, last), last_ns = max(last_ns, excluded.last_ns)"""

# Of two events of one time a departure is the later: a tag that was heard once arrived and departed in that moment.
_LATER: Final = """ON CONFLICT DO UPDATE SET at_us = excluded.at_us, id = excluded.id, type = excluded.type,
        name = excluded.name, zone = excluded.zone, read_point = excluded.read_point
        WHERE excluded.at_us > at_us
            OR (excluded.at_us = at_us AND (type <> 'departed' OR excluded.type = 'departed'))"""

MADE: Final[dict[str, str]] = {
    SIGNAL_MINUTES: f"""
CREATE TABLE signal_minutes (
    minute_us INTEGER NOT NULL, device TEXT NOT NULL, signal TEXT NOT NULL, n INTEGER NOT NULL, total REAL NOT NULL,
    low REAL NOT NULL, high REAL NOT NULL, last REAL NOT NULL, last_ns INTEGER NOT NULL,
    PRIMARY KEY (device, signal, minute_us)) WITHOUT ROWID;
INSERT INTO signal_minutes
    SELECT minute, q.device, q.signal, q.n, q.total, q.low, q.high, coalesce(s.value, s.state), newest FROM (
        SELECT at_ns / 60000000000 * 60000000 AS minute, device, signal, count(*) AS n,
            sum(coalesce(value, state)) AS total, min(coalesce(value, state)) AS low,
            max(coalesce(value, state)) AS high, max(at_ns) AS newest
        FROM signals WHERE coalesce(value, state) IS NOT NULL GROUP BY device, signal, minute) AS q
    JOIN signals AS s ON s.device = q.device AND s.signal = q.signal AND s.at_ns = q.newest;
CREATE TRIGGER signals_to_minutes AFTER INSERT ON signals WHEN coalesce(new.value, new.state) IS NOT NULL BEGIN
    INSERT INTO signal_minutes VALUES (new.at_ns / 60000000000 * 60000000, new.device, new.signal, 1,
        coalesce(new.value, new.state), coalesce(new.value, new.state), coalesce(new.value, new.state),
        coalesce(new.value, new.state), new.at_ns)
    {_MERGED};
END;
""",  # noqa: S608  # our own names; values are bound
    PRESENCE_LATEST: f"""
CREATE TABLE presence_latest (
    subject TEXT PRIMARY KEY, at_us INTEGER NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, name TEXT, zone TEXT,
    read_point TEXT) WITHOUT ROWID;
INSERT INTO presence_latest
    SELECT subject, at_us, id, type, name, zone, read_point FROM events
    WHERE type IN ('arrived', 'moved', 'departed') ORDER BY at_us, rowid
    {_LATER};
CREATE TRIGGER events_to_presence AFTER INSERT ON events WHEN new.type IN ('arrived', 'moved', 'departed') BEGIN
    INSERT INTO presence_latest VALUES (new.subject, new.at_us, new.id, new.type, new.name, new.zone, new.read_point)
    {_LATER};
END;
""",  # noqa: S608  # our own names; values are bound
    "events_by_type": "CREATE INDEX events_by_type ON events (type, at_us);",
    "events_by_rule": "CREATE INDEX events_by_rule ON events (rule, at_us);",
    "alarms_by_rule": "CREATE INDEX alarms_by_rule ON alarms (rule, at_us);",
    "read_rates_by_antenna": "CREATE INDEX read_rates_by_antenna ON read_rates (device, antenna_port, at_ns);",
}
"""What is made, by the name of its table or index, and filled from the rows that are there."""

_QUARTERS: Final = f"""
CREATE TABLE reading_quarters (
    quarter_us INTEGER NOT NULL, meter TEXT NOT NULL, quantity TEXT NOT NULL, phase TEXT NOT NULL,
    tariff TEXT NOT NULL, n INTEGER NOT NULL, total REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL,
    last REAL NOT NULL, last_ns INTEGER NOT NULL,
    PRIMARY KEY (meter, quantity, phase, tariff, quarter_us)) WITHOUT ROWID;
INSERT INTO reading_quarters
    SELECT quarter, q.meter, q.quantity, q.phase, q.tariff, q.n, q.total, q.low, q.high, m.last, m.last_ns FROM (
        SELECT minute_us / 900000000 * 900000000 AS quarter, meter, quantity, phase, tariff, sum(n) AS n,
            sum(total) AS total, min(low) AS low, max(high) AS high, max(minute_us) AS newest
        FROM reading_minutes GROUP BY meter, quantity, phase, tariff, quarter) AS q
    JOIN reading_minutes AS m ON m.meter = q.meter AND m.quantity = q.quantity AND m.phase = q.phase
        AND m.tariff = q.tariff AND m.minute_us = q.newest;
CREATE TRIGGER readings_to_quarters AFTER INSERT ON readings WHEN new.value IS NOT NULL BEGIN
    INSERT INTO reading_quarters VALUES (new.at_ns / 900000000000 * 900000000, new.meter, new.quantity, new.phase,
        new.tariff, 1, new.value, new.value, new.value, new.value, new.at_ns)
    {_MERGED};
END;
"""  # noqa: S608  # our own names; values are bound


def names(connection: sqlite3.Connection) -> frozenset[str]:
    """The names of the tables and indexes of a day file."""
    return frozenset(name for (name,) in connection.execute("SELECT name FROM sqlite_master"))


def complete(connection: sqlite3.Connection) -> None:
    """Make what a day file lacks, in one transaction.

    Raises:
        sqlite3.Error: nothing was made.
    """
    known = names(connection)
    _make(connection, [made for name, made in MADE.items() if name not in known])


def seal(connection: sqlite3.Connection) -> None:
    """Make the rollups of a day that is over; rows that come late go into them, too.

    Raises:
        sqlite3.Error: nothing was made.
    """
    if READING_QUARTERS not in names(connection):
        _make(connection, [_QUARTERS])


def _make(connection: sqlite3.Connection, statements: Sequence[str]) -> None:
    if not statements:
        return
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {''.join(statements)} COMMIT;")
    except BaseException:
        connection.rollback()
        raise
