"""What the stores would hold of outputs: InfluxDB's lines by a strict reader, and the event journal's rows."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from gateway.contract.measurements import MEASUREMENTS
from gateway.event_journal import EventJournal, day_files
from rules.outputs import Outputs
from rules.sinks.cardinality import SeriesGuard
from rules.sinks.influx_points import Encoder
from rules.sinks.journal import JournalSink
from tests.support.line_protocol import Row, parse

SITE = "harbour"
"""Of `tests.rules.play`."""
Cells = list[tuple[object, ...]]


def lines(outputs: Sequence[Outputs], *, budget: int = 100_000) -> tuple[list[Row], int]:
    """The points that InfluxDB would take, and how many lines were refused; nobody makes a measurement or a tag."""
    encoder = Encoder(site=SITE, guard=SeriesGuard(budget, lambda *_: None), store_reads=True)
    written = [line for each in outputs for part in encoder.lines(each) for line in part]
    refused = [line for line in written if line.startswith("#refused ")]
    rows = parse("\n".join(written).encode()) if written else []
    assert len(rows) == len(written) - len(refused)
    for row in rows:
        known = MEASUREMENTS[row.measurement]
        assert set(row.tags) <= {"site", *known.tags}, row
        assert set(row.fields) <= set(known.fields), row
        assert row.tags["site"] == SITE
    return rows, len(refused)


def journalled(directory: Path, outputs: Sequence[Outputs]) -> tuple[Cells, int]:
    """The reads in the event journal, and how many rows it refused; its tables stay its own."""

    async def write() -> int:
        sink = JournalSink("events", EventJournal(directory, keep_days=36_500), store_reads=True)
        try:
            return len(await sink.write(sink.encode(list(outputs))))
        finally:
            await sink.close()

    refused = asyncio.run(write())
    found: Cells = []
    for _, path in day_files(directory):
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            names = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            assert {"events", "tag_reads", "readings"} <= names
            found += db.execute("SELECT epc FROM tag_reads").fetchall()
    return found, refused
