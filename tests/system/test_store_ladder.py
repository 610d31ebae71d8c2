"""The store ladder: what the InfluxDB sink writes is what InfluxDB stores, value by value, through its kill -9.

InfluxDB 1.6.7 by its own `/write`, and behind the face of InfluxDB 2: strings, nanoseconds, overwriting, a durable log.
The servers come from tests/system/install_servers.sh.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.contract.batches import ReadBatch, TagRead
from gateway.contract.events import Alarm, Event, Evidence
from gateway.contract.measurements import MEASUREMENTS
from rules.outputs import Outputs, Parcel, Point, SinkTroubleError
from rules.sinks.influxdb import InfluxDbSink
from tests.support.servers import Influx
from tests.support.store_ladder import (
    BUCKET,
    Rung,
    everything,
    expected_read,
    in_order,
    read_batches,
    rung,
    seed,
    stored,
)

EVIDENCE: Final = Evidence(
    gateway="edge-1", epoch=7, sequence_from=3, sequence_to=5, reads=12, rssi_max_dbm=-51.5, confidence=0.97
)


@pytest.fixture(params=["v1", "v2"])
def ladder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rung]:
    with rung(tmp_path, request.param) as made:
        yield made


@pytest.mark.parametrize("gzip", [False, True])
def test_every_read_is_stored_value_by_value_and_again_changes_nothing(ladder: Rung, gzip: bool) -> None:  # noqa: FBT001  # a parameter
    batches = read_batches(random.Random(seed()), 40)
    expected = sorted((expected_read(batch, i) for batch in batches for i in range(len(batch.reads))), key=in_order)

    async def use(sink: InfluxDbSink) -> None:
        parcels = sink.encode([Outputs(0, reads=batch) for batch in batches])
        assert await sink.write(parcels) == []
        assert stored(ladder.influx, "tag_read") == expected
        assert await sink.write(parcels[::-1]) == []
        assert everything(ladder.influx) == {"tag_read": expected}

    ladder.use(use, gzip=gzip, batch_lines=700)


def test_events_alarms_and_points_are_stored_value_by_value(ladder: Rung) -> None:
    at_us = int(time.time() * 1e6)
    events = [
        Event(
            id=f"{n:020x}",
            type="passage",
            at_us=at_us,
            subject=f"{n:024X}",
            evidence=EVIDENCE,
            name="CSQU3054383",
            zone="gate-3",
            from_zone="road",
            read_point="gate-3-in",
            direction="in",
            rule="passage_seen",
            device="reader-1",
            historical=n % 2 == 0,
            fields={"lane": n, "seal": 'in"tact\\', "note": "a\nb"},
        )
        for n in range(20)
    ]
    alarm = Alarm(
        id="a-1",
        rule="demand",
        severity="critical",
        subject="meter-17",
        state="raised",
        since_us=at_us - 7,
        at_us=at_us,
        message="over 500 kW, 电表 17",
        evidence=EVIDENCE,
    )
    values: dict[str, Any] = {"float": -12.000000000000002, "int": 2**63 - 1, "str": 'C:\\ "x", y=1', "bool": True}
    points = [
        Point(
            measurement.name,
            tuple((name, f"{name} of, a=b") for name in measurement.tags),
            tuple((name, values[kind]) for name, kind in measurement.fields.items()),
            at_us * 1000 + 5,
        )
        for measurement in MEASUREMENTS.values()
    ]

    async def use(sink: InfluxDbSink) -> None:
        parcels = sink.encode([Outputs(0, events=events, alarms=[alarm], points=points)])
        for _ in range(2):
            assert await sink.write(parcels) == []
            check()

    def check() -> None:
        found = everything(ladder.influx)
        assert set(found) == set(MEASUREMENTS)
        for point in points:
            row = {**dict(point.tags), **dict(point.fields)}
            if point.measurement == "figure":  # it has a nanosecond of its own within its microsecond, as events have
                (figure,) = found["figure"]
                assert figure == {**row, "time": figure["time"]}
                assert figure["time"] // 1000 == at_us
            else:
                assert {**row, "time": point.at_ns} in found[point.measurement]
        assert len(found["event"]) == 21
        by_id = {row["id"]: row for row in found["event"]}
        for n, event in enumerate(events):
            kept = dict(by_id[event.id])
            assert kept.pop("time") // 1000 == at_us
            assert kept == {
                "site": "port",
                "event": "passage",
                "zone": "gate-3",
                "rule": "passage_seen",
                "id": event.id,
                "subject": event.subject,
                "name": "CSQU3054383",
                "from_zone": "road",
                "read_point": "gate-3-in",
                "direction": "in",
                "device": "reader-1",
                "reads": 12,
                "rssi_max_dbm": -51.5,
                "confidence": 0.97,
                "gateway": "edge-1",
                "epoch": 7,
                "sequence_from": 3,
                "sequence_to": 5,
                "historical": event.historical,
                "fields": f'{{"lane":{n},"seal":"in\\"tact\\\\","note":"a\\nb"}}',
            }
        (raised,) = [row for row in found["alarm"] if row["id"] == "a-1"]
        assert raised["time"] // 1000 == at_us
        assert (raised["message"], raised["since_us"], raised["state"]) == (alarm.message, at_us - 7, "raised")
        assert [len(rows) for name, rows in found.items() if name not in ("event", "alarm")] == [1] * (
            len(MEASUREMENTS) - 2
        )

    ladder.use(use)


ATTACKS: Final = (
    "x value=1\nother,admin=1 v=1",
    "\r\n",
    "a,b=c d",
    "trailing\\",
    '"',
    '" 1\nother v=1 1',
    '\\" v=1 1\nother v=1',
    "a\x00b",
    "\ud800",
    "\u202egnp",
    "x" * 60_000,
    "#refused x y",
    "\n#refused x y",
    "'; DROP TABLE reads;--",
    '<script>alert(1)</script>"><img src=x onerror=..>',
    "${jndi:ldap://x}{{7*7}}%n%s$(reboot)",
    "\x1b[2J\nPRIORITY=0",
)


def test_hostile_text_adds_no_point_no_tag_and_no_measurement(ladder: Rung) -> None:
    at_us = int(time.time() * 1e6)
    reads = [
        TagRead(epc=text, antenna_port=1, read_point="p", seen_at_us=at_us, tid=text, rssi_dbm=-50.0)
        for text in (*ATTACKS, "")
    ]
    batch = ReadBatch(gateway="g", epoch=1, sequence=1, device="d", received_at_us=at_us, reads=reads)
    events = [
        Event(id=f"{n:020x}", type="arrived", at_us=at_us, subject=text, name=text, evidence=EVIDENCE)
        for n, text in enumerate(ATTACKS)
    ]
    points = [
        Point("signal", (("site", "port"), ("signal", text[:100]), ("unit", text[:100])), (("text", text),), at_us)
        for text in ATTACKS
    ]

    async def use(sink: InfluxDbSink) -> None:
        parcels = sink.encode([Outputs(0, events=events, points=points, reads=batch)])
        assert await sink.write(parcels) == []
        found = everything(ladder.influx)
        assert {name: len(rows) for name, rows in found.items()} == {
            "event": len(ATTACKS),
            "signal": len(ATTACKS),
            "tag_read": len(reads),
        }
        for rows in found.values():
            measurement = MEASUREMENTS[next(name for name, value in found.items() if value is rows)]
            for row in rows:
                assert set(row) <= {"time", *measurement.tags, *measurement.fields}
        printable = [text for text in ATTACKS if text.isprintable() or text == "\u202egnp"]
        assert {row["subject"] for row in found["event"]} >= set(printable)
        assert {row.get("epc", "") for row in found["tag_read"]} >= {*printable, ""}
        assert {row["text"] for row in found["signal"]} >= set(printable)

    ladder.use(use)


def numbered(first: int, last: int, *, measurement: str = "reading") -> Parcel:
    lines = [f"{measurement},site=port value={n} {1_790_000_000_000_000_000 + n}" for n in range(first, last)]
    return Parcel("events", "\n".join(lines).encode(), len(lines), 0)


def values_of(influx: Influx, measurement: str = "reading") -> list[int]:
    return [int(row["value"]) for row in stored(influx, measurement)]


def test_what_the_engine_refuses_is_quarantined_and_the_rest_stored(ladder: Rung) -> None:
    ladder.influx.post("/write", b'signal value="text" 1790000000000000000', db=BUCKET)

    async def use(sink: InfluxDbSink) -> None:
        refusals = await sink.write([numbered(0, 40), numbered(40, 43, measurement="signal"), numbered(43, 90)])
        assert sorted(refusal.body for refusal in refusals) == numbered(40, 43, measurement="signal").body.split(b"\n")
        assert all("field type conflict" in refusal.reason for refusal in refusals)
        assert values_of(ladder.influx) == [*range(40), *range(43, 90)]

    ladder.use(use)
    if ladder.face is not None:
        assert set(ladder.face.statuses) == {204, 422}


def test_a_damaged_line_costs_itself_alone(ladder: Rung) -> None:
    damaged = Parcel("events", b"reading,site=port value=", 1, 0)

    async def use(sink: InfluxDbSink) -> None:
        (refusal,) = await sink.write([numbered(0, 100), damaged, numbered(100, 150)])
        assert refusal.body == damaged.body
        assert "unable to parse" in refusal.reason
        assert values_of(ladder.influx) == list(range(150))

    ladder.use(use)
    if ladder.face is not None:
        assert set(ladder.face.statuses) == {204, 400}


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_a_server_with_a_small_limit_gets_smaller_requests(tmp_path: Path, api: str) -> None:
    async def use(sink: InfluxDbSink) -> None:
        assert await sink.write([numbered(0, 3000)]) == []
        assert values_of(small.influx) == list(range(3000))

    with rung(tmp_path, api, max_body_bytes=20_000) as small:
        small.use(use)
        if small.face is not None:
            assert set(small.face.statuses) == {204, 413}


def test_a_missing_bucket_stops_until_somebody_makes_it(ladder: Rung) -> None:
    async def use(sink: InfluxDbSink) -> None:
        with pytest.raises(SinkTroubleError, match=r"create the (bucket|database) 'later'") as caught:
            await sink.write([numbered(0, 5)])
        assert caught.value.stopped
        ladder.influx.create_database("later")
        if ladder.face is not None:
            ladder.face.buckets.add("later")
        assert await sink.write([numbered(0, 5)]) == []
        assert len(ladder.influx.query("later", "SELECT value FROM reading")) == 5

    ladder.use(use, bucket="later")


def test_a_wrong_token_stops_and_stores_nothing(tmp_path: Path) -> None:
    async def use(sink: InfluxDbSink) -> None:
        with pytest.raises(SinkTroubleError, match="credential influx-main") as caught:
            await sink.write([numbered(0, 5)])
        assert caught.value.stopped
        assert values_of(guarded.influx) == []

    with rung(tmp_path, "v2") as guarded:
        guarded.use(use, secret="foreign")
        guarded.use(use, secret=None)


def test_kill_9_of_the_store_while_writing_loses_no_acknowledged_row(ladder: Rung) -> None:
    rng = random.Random(seed())
    batches = read_batches(rng, 600, per_batch=50)
    expected = sorted((expected_read(batch, i) for batch in batches for i in range(len(batch.reads))), key=in_order)
    acknowledged = 0

    async def use(sink: InfluxDbSink) -> None:
        nonlocal acknowledged
        kills = troubles = 0
        queue = [sink.encode([Outputs(0, reads=batch)])[0] for batch in batches]

        async def killer() -> None:
            nonlocal kills
            for _ in range(4):
                await asyncio.sleep(rng.uniform(0.05, 0.3))
                if not queue:
                    return
                ladder.influx.kill()
                kills += 1
                survivors.append((acknowledged, await asyncio.to_thread(_count_after_restart, ladder.influx)))

        survivors: list[tuple[int, int]] = []
        killing = asyncio.create_task(killer())
        while queue:
            try:
                assert await sink.write(queue[:4]) == []
            except SinkTroubleError as error:
                if error.stopped:
                    raise
                troubles += 1
                await asyncio.sleep(0.02)
                continue
            acknowledged += sum(parcel.points for parcel in queue[:4])
            del queue[:4]
            await asyncio.sleep(0.005)
        await killing
        assert kills >= 2
        assert troubles >= kills - 1
        # Right after each kill -9 every row acknowledged before it is there, without any help of ours.
        for before, after in survivors:
            assert after >= before

    ladder.use(use)
    assert acknowledged == len(expected)
    assert everything(ladder.influx) == {"tag_read": expected}


def _count_after_restart(influx: Influx) -> int:
    influx.start()
    rows = influx.query(BUCKET, "SELECT count(epc) FROM tag_read")
    return int(rows[0]["count"]) if rows else 0


def test_a_store_that_hangs_is_left_after_the_time_limit_and_stores_once(ladder: Rung) -> None:
    async def use(sink: InfluxDbSink) -> None:
        assert await sink.write([numbered(0, 10)]) == []
        ladder.influx.pause()
        started_s = time.monotonic()
        with pytest.raises(SinkTroubleError, match="no answer in time"):
            await sink.write([numbered(10, 20)])
        assert time.monotonic() - started_s < 4
        ladder.influx.resume()
        assert await sink.write([numbered(10, 20)]) == []
        assert values_of(ladder.influx) == list(range(20))

    ladder.use(use, timeout_s=1)
