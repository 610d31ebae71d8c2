"""The tables of the event journal, as a day file holds them, and how rows are laid out for its writer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.book_tables import BOOK_COLUMNS

US_PER_DAY: Final = 86_400_000_000
NS_PER_DAY: Final = US_PER_DAY * 1_000


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its columns, and how much of its time column makes a day. `replace`: a new row replaces its like."""

    columns: tuple[str, ...]
    per_day: int
    replace: bool = False


TABLES: Final[dict[str, Table]] = {
    "events": Table(
        (
            *("at_us", "id", "type", "subject", "name", "zone", "from_zone", "read_point", "direction", "rule"),
            *("device", "gateway", "epoch", "sequence_from", "sequence_to", "body"),
        ),
        US_PER_DAY,
        replace=True,
    ),
    "alarms": Table(
        ("at_us", "id", "state", "rule", "severity", "subject", "since_us", "message", "body"),
        US_PER_DAY,
        replace=True,
    ),
    "readings": Table(
        (
            *("at_ns", "meter", "quantity", "unit", "phase", "tariff", "value", "exact", "obis", "quality"),
            "meter_time_us",
        ),
        NS_PER_DAY,
    ),
    "read_rates": Table(
        (
            *("at_ns", "device", "antenna_port", "read_point", "reads", "unique_tags", "rssi_mean_dbm"),
            *("rssi_max_dbm", "watched_s"),
        ),
        NS_PER_DAY,
    ),
    "signals": Table(("at_ns", "device", "signal", "unit", "value", "text", "state"), NS_PER_DAY),
    "device_status": Table(
        ("at_ns", "device", "driver", "state", "reason", "heard", "reconnects", "clock_offset_us"), NS_PER_DAY
    ),
    "tag_reads": Table(
        (
            *("seen_at_us", "gateway", "epoch", "sequence", "item", "device", "antenna_port", "read_point", "epc"),
            *("rssi_dbm", "count", "first_seen_at_us", "pc_bits", "tid", "user_memory", "phase_deg", "doppler_hz"),
            "channel_index",
        ),
        US_PER_DAY,
    ),
    **{name: Table(columns, NS_PER_DAY, replace=True) for name, columns in BOOK_COLUMNS.items()},
}

SCHEMA: Final = """
CREATE TABLE events (
    at_us INTEGER NOT NULL, id TEXT PRIMARY KEY, type TEXT NOT NULL, subject TEXT NOT NULL, name TEXT, zone TEXT,
    from_zone TEXT, read_point TEXT, direction TEXT, rule TEXT, device TEXT, gateway TEXT NOT NULL,
    epoch INTEGER NOT NULL, sequence_from INTEGER NOT NULL, sequence_to INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX events_by_time ON events (at_us);
CREATE INDEX events_by_subject ON events (subject, at_us);
CREATE INDEX events_by_name ON events (name COLLATE NOCASE, at_us) WHERE name IS NOT NULL;
CREATE TABLE alarms (
    at_us INTEGER NOT NULL, id TEXT NOT NULL, state TEXT NOT NULL, rule TEXT NOT NULL, severity TEXT NOT NULL,
    subject TEXT NOT NULL, since_us INTEGER NOT NULL, message TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (id, at_us, state));
CREATE INDEX alarms_by_time ON alarms (at_us);
CREATE TABLE readings (
    at_ns INTEGER NOT NULL, meter TEXT NOT NULL, quantity TEXT NOT NULL, unit TEXT NOT NULL, phase TEXT NOT NULL,
    tariff TEXT NOT NULL, value REAL, exact TEXT, obis TEXT, quality TEXT, meter_time_us INTEGER,
    PRIMARY KEY (meter, quantity, phase, tariff, at_ns)) WITHOUT ROWID;
CREATE TABLE reading_minutes (
    minute_us INTEGER NOT NULL, meter TEXT NOT NULL, quantity TEXT NOT NULL, phase TEXT NOT NULL,
    tariff TEXT NOT NULL, n INTEGER NOT NULL, total REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL,
    last REAL NOT NULL, last_ns INTEGER NOT NULL,
    PRIMARY KEY (meter, quantity, phase, tariff, minute_us)) WITHOUT ROWID;
CREATE TABLE reading_latest (
    at_ns INTEGER NOT NULL, meter TEXT NOT NULL, quantity TEXT NOT NULL, unit TEXT NOT NULL, phase TEXT NOT NULL,
    tariff TEXT NOT NULL, value REAL, exact TEXT, obis TEXT, quality TEXT, meter_time_us INTEGER,
    PRIMARY KEY (meter, quantity, phase, tariff)) WITHOUT ROWID;
CREATE TRIGGER readings_to_minutes AFTER INSERT ON readings WHEN new.value IS NOT NULL BEGIN
    INSERT INTO reading_minutes VALUES (new.at_ns / 60000000000 * 60000000, new.meter, new.quantity, new.phase,
        new.tariff, 1, new.value, new.value, new.value, new.value, new.at_ns)
    ON CONFLICT DO UPDATE SET n = n + 1, total = total + excluded.total, low = min(low, excluded.low),
        high = max(high, excluded.high), last = iif(excluded.last_ns >= last_ns, excluded.last, last),
        last_ns = max(last_ns, excluded.last_ns);
END;
CREATE TRIGGER readings_to_latest AFTER INSERT ON readings BEGIN
    INSERT INTO reading_latest VALUES (new.at_ns, new.meter, new.quantity, new.unit, new.phase, new.tariff,
        new.value, new.exact, new.obis, new.quality, new.meter_time_us)
    ON CONFLICT DO UPDATE SET at_ns = excluded.at_ns, unit = excluded.unit, value = excluded.value,
        exact = excluded.exact, obis = excluded.obis, quality = excluded.quality,
        meter_time_us = excluded.meter_time_us WHERE excluded.at_ns >= at_ns;
END;
CREATE TABLE read_rates (
    at_ns INTEGER NOT NULL, device TEXT NOT NULL, antenna_port TEXT NOT NULL, read_point TEXT NOT NULL,
    reads INTEGER, unique_tags INTEGER, rssi_mean_dbm REAL, rssi_max_dbm REAL, watched_s REAL,
    PRIMARY KEY (at_ns, device, antenna_port, read_point)) WITHOUT ROWID;
CREATE TABLE signals (
    at_ns INTEGER NOT NULL, device TEXT NOT NULL, signal TEXT NOT NULL, unit TEXT NOT NULL, value REAL, text TEXT,
    state INTEGER, PRIMARY KEY (device, signal, at_ns)) WITHOUT ROWID;
CREATE TABLE device_status (
    at_ns INTEGER NOT NULL, device TEXT NOT NULL, driver TEXT NOT NULL, state TEXT, reason TEXT, heard INTEGER,
    reconnects INTEGER, clock_offset_us INTEGER, PRIMARY KEY (device, at_ns)) WITHOUT ROWID;
CREATE TABLE tag_reads (
    seen_at_us INTEGER NOT NULL, gateway TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
    item INTEGER NOT NULL, device TEXT NOT NULL, antenna_port INTEGER NOT NULL, read_point TEXT NOT NULL,
    epc TEXT NOT NULL, rssi_dbm REAL, count INTEGER, first_seen_at_us INTEGER, pc_bits INTEGER, tid TEXT,
    user_memory TEXT, phase_deg REAL, doppler_hz REAL, channel_index INTEGER,
    PRIMARY KEY (gateway, epoch, sequence, item)) WITHOUT ROWID;
CREATE INDEX tag_reads_by_epc ON tag_reads (epc, seen_at_us);
CREATE INDEX tag_reads_by_time ON tag_reads (seen_at_us);
"""
