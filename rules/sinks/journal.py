"""The event journal as a store: rows for `gateway.event_journal`, one msgpack body per commit, written in a thread."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import msgspec

from gateway.book_tables import BOOK_COLUMNS, BOOK_KEYS
from gateway.contract.batches import ReadBatch
from gateway.contract.events import Alarm, Event
from gateway.event_journal import EventJournal, EventJournalError, RefusedRow, Row, Value
from rules.outputs import Outputs, Parcel, Point, Refusal, SinkTroubleError

BODY_VERSION: Final = 1
INTEGER_MOST: Final = (1 << 63) - 1


class _Body(msgspec.Struct, array_like=True):
    """A parcel: rows by table, in the order of the table's columns; of `Value`s, a union that msgspec cannot check."""

    version: int
    rows: dict[str, list[tuple[Any, ...]]]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Body)
_json: Final = msgspec.json.Encoder()


class JournalSink:
    """A `rules.outputs.Sink` over an `EventJournal`."""

    def __init__(self, name: str, journal: EventJournal, *, store_reads: bool = False) -> None:
        self.name = name
        self._journal = journal
        self._store_reads = store_reads
        self._thread = ThreadPoolExecutor(1, f"sink-{name}")

    def encode(self, outputs: Sequence[Outputs]) -> list[Parcel]:
        """One parcel of what the rules concluded, and one of single reads, if they are stored."""
        rows: dict[str, list[Row]] = {}
        reads: list[Row] = []
        caused_at_us = min((output.caused_at_us for output in outputs), default=0)
        for output in outputs:
            if output.events:
                rows.setdefault("events", []).extend(_event_row(event) for event in output.events)
            if output.alarms:
                rows.setdefault("alarms", []).extend(_alarm_row(alarm) for alarm in output.alarms)
            for point in output.points:
                make = _POINT_ROWS.get(point.measurement)
                if make is not None:
                    table, columns, required = make
                    rows.setdefault(table, []).append(_point_row(point, columns, required))
            if self._store_reads and output.reads is not None:
                reads += _read_rows(output.reads)
        parcels = []
        if rows:
            parcels.append(Parcel("events", _body(rows), sum(map(len, rows.values())), caused_at_us))
        if reads:
            parcels.append(Parcel("reads", _body({"tag_reads": reads}), len(reads), caused_at_us))
        return parcels

    async def write(self, parcels: Sequence[Parcel]) -> list[Refusal]:
        """Write to the day files; see `rules.outputs.Sink`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, parcels)

    async def close(self) -> None:
        """Close the day files."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._journal.close)
        self._thread.shutdown()

    def _write(self, parcels: Sequence[Parcel]) -> list[Refusal]:
        bodies = [_decoder.decode(parcel.body) for parcel in parcels]
        newer = next((body.version for body in bodies if body.version != BODY_VERSION), None)
        if newer is not None:
            reason = f"a parcel has version {newer}, this program writes version {BODY_VERSION}; run the newer program"
            raise SinkTroubleError(reason, stopped=True)
        try:
            refused = self._journal.append([body.rows for body in bodies])
        except EventJournalError as error:
            raise SinkTroubleError(str(error), stopped=True) from error
        except (sqlite3.Error, OSError) as error:
            raise SinkTroubleError(f"event journal: {error}") from error
        return [_refusal(row) for row in refused]


def _body(rows: dict[str, list[Row]]) -> bytes:
    try:
        return _encoder.encode((BODY_VERSION, rows))
    except (OverflowError, UnicodeEncodeError):
        # A number beyond 64 bits, a half character: as text, which SQLite keeps as it can, or refuses to quarantine.
        plain = {table: [tuple(map(_plain, row)) for row in made] for table, made in rows.items()}
        return _encoder.encode((BODY_VERSION, plain))


def _plain(value: Value) -> Value:
    if isinstance(value, int) and abs(value) > INTEGER_MOST:
        return str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return value


def _refusal(row: RefusedRow) -> Refusal:
    try:
        body = _json.encode([row.table, *row.row])
    except (UnicodeEncodeError, msgspec.MsgspecError):
        body = repr(row.row).encode("ascii", "backslashreplace")
    return Refusal(body, row.reason)


def _event_row(event: Event) -> Row:
    evidence = event.evidence
    return (
        event.at_us,
        event.id,
        event.type,
        event.subject,
        event.name,
        event.zone,
        event.from_zone,
        event.read_point,
        event.direction,
        event.rule,
        event.device,
        evidence.gateway,
        evidence.epoch,
        evidence.sequence_from,
        evidence.sequence_to,
        _json.encode(event),
    )


def _alarm_row(alarm: Alarm) -> Row:
    return (
        alarm.at_us,
        alarm.id,
        alarm.state,
        alarm.rule,
        alarm.severity,
        alarm.subject,
        alarm.since_us,
        alarm.message,
        _json.encode(alarm),
    )


def _read_rows(batch: ReadBatch) -> list[Row]:
    return [
        (
            read.seen_at_us,
            batch.gateway,
            batch.epoch,
            batch.sequence,
            item,
            batch.device,
            read.antenna_port,
            read.read_point,
            read.epc,
            read.rssi_dbm,
            read.count,
            read.first_seen_at_us,
            read.pc_bits,
            read.tid,
            read.user_memory,
            read.phase_deg,
            read.doppler_hz,
            read.channel_index,
        )
        for item, read in enumerate(batch.reads)
    ]


# Measurement of `gateway.contract.measurements` to table, its columns after `at_ns`, and those that make the key: a key
# without a phase or tariff has the empty text there. `exact` keeps a value's decimal text beside the float.
_POINT_ROWS: Final[dict[str, tuple[str, tuple[str, ...], frozenset[str]]]] = {
    "reading": (
        "readings",
        ("meter", "quantity", "unit", "phase", "tariff", "value", "exact", "obis", "quality", "meter_time_us"),
        frozenset({"meter", "quantity", "unit", "phase", "tariff"}),
    ),
    "read_rate": (
        "read_rates",
        (
            *("device", "antenna_port", "read_point", "reads", "unique_tags", "rssi_mean_dbm", "rssi_max_dbm"),
            "watched_s",
        ),
        frozenset({"device", "antenna_port", "read_point"}),
    ),
    "signal": (
        "signals",
        ("device", "signal", "unit", "value", "text", "state"),
        frozenset({"device", "signal", "unit"}),
    ),
    "device_status": (
        "device_status",
        ("device", "driver", "state", "reason", "heard", "reconnects", "clock_offset_us"),
        frozenset({"device", "driver"}),
    ),
    **{name: (name, columns[1:], BOOK_KEYS[name]) for name, columns in BOOK_COLUMNS.items()},
}


def _point_row(point: Point, columns: Sequence[str], required: frozenset[str]) -> Row:
    values: dict[str, str | int | float | object] = {**dict(point.tags), **dict(point.fields)}
    exact = values.get("value")
    row: list[str | int | float | None] = [point.at_ns]
    for column in columns:
        value = exact if column == "exact" else values.get(column)
        if value is None:
            row.append("" if column in required else None)
        elif column == "exact":
            row.append(str(value))
        elif column == "value":
            row.append(float(str(value)))
        else:
            row.append(value if isinstance(value, str | int | float) else str(value))
    return tuple(row)
