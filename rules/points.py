"""Points: what stores keep of readings, signals, states and read rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from gateway.contract.batches import ReadingBatch, SignalBatch, StatusBatch
from rules.language.vocabulary import signal_value
from rules.outputs import Point
from rules.presence.reorder import LEAST_DBM, SLICE_US, Cell, Source
from rules.state import Table

Tags = tuple[tuple[str, str], ...]

REMAINDERS: Final = 1000
"""Nanoseconds in a microsecond: what can tell apart points of one series within it."""


def distinct_ns(at_us: int, ordinal: int, index: int) -> int:
    """Nanoseconds of item `index` of a batch: the remainder tells apart up to 1,000 neighbours of one microsecond."""
    return at_us * REMAINDERS + (ordinal + index) % REMAINDERS


def reading_points(batch: ReadingBatch, site: str) -> list[Point]:
    """One point for each reading, exact; a reading without a value keeps its quality."""
    points = []
    for index, reading in enumerate(batch.readings):
        tags = _tags(
            ("site", site),
            ("meter", batch.device),
            ("quantity", reading.quantity),
            ("unit", reading.unit),
            ("phase", reading.phase),
            ("tariff", None if reading.tariff is None else str(reading.tariff)),
        )
        fields = [("obis", reading.obis), ("quality", reading.quality)]
        value = () if reading.value is None or not reading.value.is_finite() else (("value", reading.value),)
        times = () if reading.meter_time_us is None else (("meter_time_us", reading.meter_time_us),)
        at_ns = distinct_ns(batch.received_at_us, batch.ordinal, index)
        points.append(Point("reading", tags, (*value, *fields, *times), at_ns))
    return points


def signal_points(batch: SignalBatch, site: str) -> list[Point]:
    """One point for each signal: a state, a number with its unit, or a text."""
    points = []
    for index, signal in enumerate(batch.signals):
        tags = _tags(("site", site), ("device", batch.device), ("signal", signal.name), ("unit", signal.unit))
        value = signal_value(signal)
        if isinstance(value, bool):
            field: tuple[str, str | float | bool] = ("state", value)
        elif isinstance(value, float):
            field = ("value", value)
        else:
            field = ("text", str(signal.value))
        points.append(Point("signal", tags, (field,), distinct_ns(batch.received_at_us, batch.ordinal, index)))
    return points


def status_point(batch: StatusBatch, site: str) -> Point:
    """The state of a device from now on."""
    fields: list[tuple[str, str | int]] = [
        ("state", batch.state),
        ("reason", batch.reason),
        ("heard", batch.heard),
        ("reconnects", batch.reconnects),
    ]
    if batch.clock_offset_us is not None:
        fields.append(("clock_offset_us", batch.clock_offset_us))
    tags = _tags(("site", site), ("device", batch.device), ("driver", batch.driver))
    return Point("device_status", tags, tuple(fields), distinct_ns(batch.received_at_us, batch.sequence, 0))


def _tags(*tags: tuple[str, str | None]) -> Tags:
    return tuple((name, value) for name, value in tags if value)


class RateRow(msgspec.Struct, array_like=True):
    """One read point in the interval that runs; `power` sums those reads that have an RSSI."""

    reads: int = 0
    powered: int = 0
    power: int = 0
    strongest_dbm: float | None = None
    watched: int = 0


class Chunk(msgspec.Struct, array_like=True):
    """Tags that were new to their read point in this interval, since the chunk before."""

    tags: list[tuple[str, list[str]]]


class Rates:
    """Read rates of the antennas of one gateway, in intervals of event time: the base line of radio health.

    An antenna that is watched and hears nothing has a point too. The mean is that of power, not of decibels.
    """

    def __init__(
        self,
        site: str,
        every_us: int,
        sources: dict[str, Source],
        rows: Table[RateRow],
        chunks: Table[Chunk],
    ) -> None:
        self._site = site
        self._per = max(1, round(every_us / SLICE_US))
        self._sources = sources
        self._rows = rows
        self._chunks = chunks
        self._seen: dict[str, set[str]] = {}
        self._fresh: dict[str, list[str]] = {}
        self.interval = 0

    def restore(self, interval: int) -> None:
        """Take up the rows that were loaded into the tables."""
        self.interval = interval
        for chunk in self._chunks.rows.values():
            for point, tags in chunk.tags:
                self._seen.setdefault(point, set()).update(tags)

    def interval_of(self, index: int) -> int:
        """The interval of a slice."""
        return index // self._per

    def step(
        self, index: int, heard: Sequence[Mapping[str, Mapping[str, Cell]]], watched: frozenset[str]
    ) -> list[Point]:
        """Count what was heard in a slice; the points of the interval when the slice ends it, or began another."""
        points = self.close(index)
        for cells in heard:
            for point, tags in cells.items():
                self._count(point, tags)
        if watched:
            for point in self._sources.keys() & watched:
                self._row(point).watched += 1
        return points + self.close(index + 1)

    def close(self, index: int) -> list[Point]:
        """The points of the running interval, if this slice is beyond it."""
        interval = index // self._per
        if interval == self.interval:
            return []
        at_ns = self.interval * self._per * SLICE_US * 1000
        points = [self._point(point, row, at_ns) for point, row in sorted(self._rows.rows.items())]
        for point in list(self._rows.rows):
            self._rows.drop(point)
        for key in list(self._chunks.rows):
            self._chunks.drop(key)
        self._seen.clear()
        self._fresh.clear()
        self.interval = interval
        return points

    def save(self) -> None:
        """Write down the tags that are new since the last call."""
        if self._fresh:
            self._chunks.put(str(len(self._chunks.rows)), Chunk(sorted(self._fresh.items())))
            self._fresh = {}

    def _count(self, point: str, tags: Mapping[str, Cell]) -> None:
        row = self._row(point)
        for cell in tags.values():
            row.reads += cell.reads
            if (strongest_dbm := cell.strongest_dbm) is not None:
                row.powered += cell.reads
                row.power += cell.power
                if row.strongest_dbm is None or strongest_dbm > row.strongest_dbm:
                    row.strongest_dbm = strongest_dbm
        seen = self._seen.setdefault(point, set())
        fresh = tags.keys() - seen
        if fresh:
            seen |= fresh
            self._fresh.setdefault(point, []).extend(fresh)

    def _row(self, point: str) -> RateRow:
        row = self._rows.rows.get(point)
        if row is None:
            row = self._rows.rows[point] = RateRow()
        self._rows.dirty.add(point)
        return row

    def _point(self, point: str, row: RateRow, at_ns: int) -> Point:
        source = self._sources.get(point)
        tags = _tags(
            ("site", self._site),
            ("device", source.device if source else None),
            ("read_point", point),
            ("antenna_port", str(source.antenna_port) if source else None),
        )
        fields: list[tuple[str, int | float]] = [
            ("reads", row.reads),
            ("unique_tags", len(self._seen.get(point, ()))),
            ("watched_s", row.watched * SLICE_US / 1e6),
        ]
        if row.powered:
            fields.append(("rssi_mean_dbm", round(10 * math.log10(max(row.power, 1) / row.powered) + LEAST_DBM, 1)))
        if row.strongest_dbm is not None:
            fields.append(("rssi_max_dbm", row.strongest_dbm))
        return Point("read_rate", tags, tuple(fields), at_ns)
