"""What VictoriaMetrics keeps of what the InfluxDB sink writes, and what it costs: docs/how-to/victoriametrics.md."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.config.models import InfluxSink
from gateway.contract.measurements import MEASUREMENTS
from rules.outputs import Outputs, Parcel
from rules.sinks.influxdb import InfluxDbSink
from tests.support.servers import VictoriaMetrics, victoria_metrics
from tests.support.store_ladder import expected_read, read_batches, run_sink, seed


def victoria_settings(store: VictoriaMetrics) -> InfluxSink:
    return InfluxSink(kind="influxdb", name="vm", url=store.url, bucket="any", store_reads=True)


def recent(first: int, last: int, *, step_ns: int = 1_000_000) -> Parcel:
    """Lines of now: VictoriaMetrics drops without a word what is beyond its retention."""
    base_ns = (time.time_ns() - 3_600_000_000_000) // 1_000_000 * 1_000_000
    lines = [f"reading,site=port value={n} {base_ns + n * step_ns}" for n in range(first, last)]
    return Parcel("events", "\n".join(lines).encode(), len(lines), 0)


def samples(store: VictoriaMetrics, name: str = "reading_value") -> list[float]:
    store.flush()
    return [value for series in store.export(f'{{__name__="{name}"}}') for value in series["values"]]


def test_victoria_metrics_stores_numbers_to_the_millisecond_and_no_text(tmp_path: Path) -> None:
    batches = read_batches(random.Random(seed()), 20)

    async def use(sink: InfluxDbSink) -> None:
        assert await sink.write(sink.encode([Outputs(0, reads=batch) for batch in batches])) == []

    with victoria_metrics(tmp_path) as store:
        run_sink(victoria_settings(store), use)
        store.flush()
        found: dict[str, list[tuple[str, int, float]]] = {}
        for series in store.export('{__name__=~"tag_read_.+"}'):
            name = series["metric"].pop("__name__").removeprefix("tag_read_")
            labels = ",".join(series["metric"][tag] for tag in ("site", "device", "read_point", "antenna_port"))
            assert set(series["metric"]) <= {"site", "device", "read_point", "antenna_port", "db"}
            found.setdefault(name, []).extend(
                (labels, at_ms, value) for at_ms, value in zip(series["timestamps"], series["values"], strict=True)
            )
    expected: dict[str, list[tuple[str, int, Any]]] = {}
    for batch in batches:
        for index in range(len(batch.reads)):
            row = expected_read(batch, index)
            labels = ",".join(str(row.pop(tag)) for tag in ("site", "device", "read_point", "antenna_port"))
            at_ms = row.pop("time") // 1_000_000
            for name, value in row.items():
                expected.setdefault(name, []).append((labels, at_ms, value))
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        assert sorted(row[:2] for row in found[name]) == sorted(row[:2] for row in rows)
        # It keeps numbers as decimals with a common exponent for a block: the last digits of a double may go. Text is
        # 0, or the number that it happens to spell: the TID 93E9499136614706 is infinity.
        if MEASUREMENTS["tag_read"].fields[name] != "str":
            assert [row[2] for row in sorted(found[name])] == pytest.approx([row[2] for row in sorted(rows)], rel=1e-9)


def test_victoria_metrics_keeps_a_row_twice_unless_told_to_deduplicate(tmp_path: Path) -> None:
    parcel = recent(0, 100)

    async def use(sink: InfluxDbSink) -> None:
        assert await sink.write([parcel]) == []
        assert await sink.write([parcel]) == []

    with victoria_metrics(tmp_path / "plain") as store:
        run_sink(victoria_settings(store), use)
        assert sorted(samples(store)) == sorted([*range(100), *range(100)])
    with victoria_metrics(tmp_path / "dedup", "-dedup.minScrapeInterval=1ms") as store:
        run_sink(victoria_settings(store), use)
        assert sorted(samples(store)) == list(range(100))


def test_victoria_metrics_refuses_a_damaged_line_and_gets_the_rest(tmp_path: Path) -> None:
    damaged = Parcel("events", b"reading,site=port value=", 1, 0)

    async def use(sink: InfluxDbSink) -> None:
        (refusal,) = await sink.write([recent(0, 30), damaged, recent(30, 60)])
        assert refusal.body == damaged.body
        assert refusal.reason.startswith("400 ")

    with victoria_metrics(tmp_path) as store:
        run_sink(victoria_settings(store), use)
        assert sorted(samples(store)) == list(range(60))


def test_victoria_metrics_acknowledges_before_it_is_durable(tmp_path: Path) -> None:
    async def use(sink: InfluxDbSink) -> None:
        assert await sink.write([recent(0, 100)]) == []

    # The flag only makes the loss sure to be seen; the default of 5 s leaves the same gap, shorter.
    with victoria_metrics(tmp_path, "-inmemoryDataFlushInterval=10m") as store:
        run_sink(victoria_settings(store), use)
        store.restart()
        assert samples(store) == []
        run_sink(victoria_settings(store), use)
        store.stop()  # SIGTERM writes what is in memory
        store.start()
        assert sorted(samples(store)) == list(range(100))
