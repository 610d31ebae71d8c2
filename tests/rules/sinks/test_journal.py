from __future__ import annotations

import asyncio
import sqlite3
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from gateway.contract.batches import Reading, ReadingBatch, StatusBatch
from gateway.event_history import EventHistory
from gateway.event_journal import EventJournal
from rules.outputs import Outputs, Parcel, Point, Refusal, SinkTroubleError
from rules.points import reading_points, status_point
from rules.sinks.journal import JournalSink
from tests.rules.passthrough import EPC, NOW_US, PassThrough, reads


def write(directory: Path, *outputs: Outputs, store_reads: bool = False, times: int = 1) -> list[Refusal]:
    async def main() -> list[Refusal]:
        sink = JournalSink("events", EventJournal(directory, keep_days=9_000), store_reads=store_reads)
        parcels = sink.encode(list(outputs))
        refusals: list[Refusal] = []
        for _ in range(times):
            refusals = await sink.write(parcels)
        await sink.close()
        return refusals

    return asyncio.run(main())


def readings(*made: Reading) -> Outputs:
    batch = ReadingBatch(gateway="edge-1", device="meter-1", received_at_us=NOW_US, readings=list(made))
    return Outputs(NOW_US, points=reading_points(batch, "port"))


def test_a_parcel_counts_its_points_and_reads_travel_apart(tmp_path: Path) -> None:
    sink = JournalSink("events", EventJournal(tmp_path, keep_days=9), store_reads=True)
    first, second = PassThrough().step(reads(1, 3)), PassThrough().step(reads(2, 4, at_us=NOW_US - 5))
    parcels = sink.encode([first, second])
    assert [(p.kind, p.points, p.caused_at_us) for p in parcels] == [
        ("events", 2, NOW_US - 5),
        ("reads", 7, NOW_US - 5),
    ]
    assert sink.encode([]) == sink.encode([Outputs(1)]) == []
    quiet = JournalSink("quiet", EventJournal(tmp_path, keep_days=9))
    assert [p.kind for p in quiet.encode([first])] == ["events"]


def test_a_measurement_that_has_no_table_is_left_out_and_counts_nowhere(tmp_path: Path) -> None:
    sink = JournalSink("events", EventJournal(tmp_path, keep_days=9_000))
    own = Point("no_table", (("site", "port"),), (("value", 1),), NOW_US * 1_000)
    assert sink.encode([Outputs(NOW_US, points=[own])]) == []
    among = readings(Reading("active_power", "1-0:1.7.0", Decimal(1), "W"))
    among.points.append(own)
    assert [parcel.points for parcel in sink.encode([among])] == [1]
    assert write(tmp_path, among) == []


def test_a_reading_keeps_its_exact_decimal_phase_and_tariff(tmp_path: Path) -> None:
    exact = Decimal("123456789012345.123456789")
    made = readings(
        Reading("active_energy_import", "1-0:1.8.1", exact, "Wh", tariff=1, meter_time_us=NOW_US - 7),
        Reading("voltage", "1-0:32.7.0", Decimal("230.10"), "V", phase="a"),
        Reading("voltage", "1-0:52.7.0", None, "V", phase="b", quality="absent"),
    )
    assert write(tmp_path, made, times=3) == []
    values = EventHistory(tmp_path).latest_readings()
    assert [(v.quantity, v.phase, v.tariff, v.exact, v.quality) for v in values] == [
        ("active_energy_import", None, 1, "123456789012345.123456789", "good"),
        ("voltage", "a", None, "230.10", "good"),
        ("voltage", "b", None, None, "absent"),
    ]
    assert values[0].meter_time_us == NOW_US - 7


def test_the_last_word_on_an_interval_is_kept_and_exactly(tmp_path: Path) -> None:
    meter = (("site", "port"), ("meter", "meter-1"), ("quantity", "active_energy_import"), ("unit", "Wh"))
    tags = (*meter, ("source", "meter"), ("segment", "20260921T160000Z"))

    def interval(energy: str, quality: str) -> Outputs:
        fields = (("energy", Decimal(energy)), ("quality", quality), ("multiplier", Decimal(120)), ("from_us", 1))
        return Outputs(NOW_US, points=[Point("energy", tags, fields, NOW_US * 1000)])

    demand = (("demand", Decimal("123.4")), ("quality", "estimated"), ("ended_at_us", NOW_US))
    kept = Outputs(NOW_US, points=[Point("demand", (*meter, ("kind", "block")), demand, NOW_US * 1000)])
    assert write(tmp_path, interval("180000", "gap"), interval("179880.1", "backfilled"), kept, times=2) == []
    (path,) = tmp_path.glob("events-*.db")
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT meter, phase, tariff, energy, quality, multiplier, calendar FROM energy")
        assert rows.fetchall() == [("meter-1", "", "", 179880.1, "backfilled", 120, None)]
        assert connection.execute("SELECT kind, demand, window_min FROM demand").fetchall() == [("block", 123.4, None)]
    connection.close()


def test_status_signals_and_rates_are_kept_each_once(tmp_path: Path) -> None:
    status = StatusBatch(
        gateway="edge-1",
        device="gate-1",
        received_at_us=NOW_US,
        state="offline",
        reason="link",
        since_us=1,
        driver="llrp",
    )
    rate = Point(
        "read_rate",
        (("site", "port"), ("device", "gate-1"), ("read_point", "gate-1-out"), ("antenna_port", "1")),
        (("reads", 5), ("unique_tags", 2), ("watched_s", 10.0)),
        NOW_US * 1_000,
    )
    signal = Point("signal", (("device", "plc"), ("signal", "door")), (("state", True),), NOW_US * 1_000)
    assert write(tmp_path, Outputs(NOW_US, points=[status_point(status, "port"), rate, signal]), times=2) == []
    with sqlite3.connect(tmp_path / "events-2026-01-01.db") as connection:
        assert connection.execute("SELECT device, state, reason FROM device_status").fetchall() == [
            ("gate-1", "offline", "link")
        ]
        assert connection.execute("SELECT reads, unique_tags, rssi_max_dbm, watched_s FROM read_rates").fetchall() == [
            (5, 2, None, 10.0)
        ]
        assert connection.execute("SELECT device, signal, unit, state FROM signals").fetchall() == [
            ("plc", "door", "", 1)
        ]
    connection.close()


def test_hostile_tag_text_and_numbers_are_values_never_anything_else(tmp_path: Path) -> None:
    made = PassThrough().step(reads(1, 3))
    assert made.reads is not None
    texts = ["'); DROP TABLE tag_reads; --", "\x00\x1b[2J", "x" * 50_000]
    rows = [
        msgspec.structs.replace(read, user_memory=text, count=1 << 80, tid="\ud800")
        for read, text in zip(made.reads.reads, texts, strict=True)
    ]
    made.reads.reads = rows
    assert write(tmp_path, made, store_reads=True) == []
    with sqlite3.connect(tmp_path / "events-2026-01-01.db") as connection:
        found = connection.execute("SELECT epc, user_memory, tid FROM tag_reads ORDER BY item").fetchall()
    connection.close()
    assert found == [(EPC, text, "\\ud800") for text in texts]


def test_what_no_day_can_hold_is_refused_with_its_row(tmp_path: Path) -> None:
    made = PassThrough().step(reads(1))
    made.events[0] = msgspec.structs.replace(made.events[0], at_us=1 << 62)
    (refusal,) = write(tmp_path, made)
    assert refusal.reason == "in_the_future"
    assert EPC.encode() in refusal.body


def test_a_parcel_of_a_newer_version_stops_the_sink_and_an_unwritable_directory_is_trouble(tmp_path: Path) -> None:
    async def main() -> None:
        directory = tmp_path / "events"
        sink = JournalSink("events", EventJournal(directory, keep_days=9_000))
        with pytest.raises(SinkTroubleError, match="run the newer program") as caught:
            await sink.write([Parcel("events", msgspec.msgpack.encode((2, {})), 1, 1)])
        assert caught.value.stopped
        directory.rmdir()
        directory.write_text("in the way")
        parcels = sink.encode([PassThrough().step(reads(1))])
        with pytest.raises(SinkTroubleError, match="event journal: ") as caught:
            await sink.write(parcels)
        assert not caught.value.stopped
        directory.unlink()
        directory.mkdir()
        assert await sink.write(parcels) == []
        await sink.close()

    asyncio.run(main())
