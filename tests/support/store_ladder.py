"""What the tests of real stores share: ways to an InfluxDB, reads at random, and what a store should hold of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gateway.config.models import InfluxSink
from gateway.contract.batches import ReadBatch, TagRead
from rules.sinks.influxdb import InfluxDbSink
from tests.support.influx_v2_face import Face, influx_v2_face
from tests.support.servers import Influx, influxd

BUCKET: Final = "gate data"
TOKEN: Final = "t0ken"
ORG: Final = "port"
Row = dict[str, Any]
Use = Callable[[InfluxDbSink], Coroutine[Any, Any, None]]


@dataclass
class Rung:
    """One way to an InfluxDB."""

    influx: Influx
    url: str
    api: str
    face: Face | None

    def settings(self, **more: object) -> InfluxSink:
        values: dict[str, object] = {
            "kind": "influxdb",
            "name": "main",
            "url": self.url,
            "api": self.api,
            "org": ORG,
            "bucket": BUCKET,
            "store_reads": True,
            "timeout_s": 5,
            **more,
        }
        return InfluxSink.model_validate(values)

    def use(self, use: Use, *, secret: str | None = TOKEN, **more: object) -> None:
        run_sink(self.settings(**more), use, secret=secret)


@contextmanager
def rung(directory: Path, api: str, **flags: Any) -> Iterator[Rung]:
    with influxd(directory, **flags) as influx:
        influx.create_database(BUCKET)
        if api == "v1":
            yield Rung(influx, influx.url, api, None)
        else:
            with influx_v2_face(influx, token=TOKEN, org=ORG, buckets={BUCKET}) as face:
                yield Rung(influx, face.url, api, face)


def run_sink(settings: InfluxSink, use: Use, *, secret: str | None = None) -> None:
    async def main() -> None:
        sink = InfluxDbSink(settings, site="port", secret=secret)
        try:
            await use(sink)
        finally:
            await sink.close()

    asyncio.run(main())


def stored(influx: Influx, measurement: str) -> list[Row]:
    """Rows in order of time; tags and fields that a row does not have are left out."""
    rows = influx.query(BUCKET, f'SELECT * FROM "{measurement}" GROUP BY *')
    present = [{name: value for name, value in row.items() if value is not None and value != ""} for row in rows]
    return sorted(present, key=in_order)


def everything(influx: Influx) -> dict[str, list[Row]]:
    names = [row["name"] for row in influx.query(BUCKET, "SHOW MEASUREMENTS")]
    return {name: stored(influx, name) for name in names}


def in_order(row: Row) -> tuple[int, list[tuple[str, str]]]:
    return row["time"], sorted((name, str(value)) for name, value in row.items())


def expected_read(batch: ReadBatch, index: int) -> Row:
    """A row of `tag_read`, from the read itself."""
    read = batch.reads[index]
    row: Row = {
        "site": "port",
        "device": batch.device,
        "read_point": read.read_point,
        "antenna_port": str(read.antenna_port),
        "time": read.seen_at_us * 1000 + (batch.ordinal + index) % 1000,
        "epc": read.epc,
        "count": read.count,
        "rssi_dbm": read.rssi_dbm,
        "first_seen_at_us": read.first_seen_at_us,
        "tid": read.tid,
        "phase_deg": read.phase_deg,
        "doppler_hz": read.doppler_hz,
        "channel_index": read.channel_index,
    }
    return {name: value for name, value in row.items() if value is not None}


def read_batches(rng: random.Random, count: int, *, per_batch: int = 50) -> list[ReadBatch]:
    """Batches of different reads, many of them in the same microsecond."""
    start_us = int(time.time() * 1e6) - 60_000_000
    batches, ordinal = [], 0
    for sequence in range(1, count + 1):
        seen_at_us = start_us + sequence * 10_000
        reads = [
            TagRead(
                epc=f"{rng.getrandbits(96):024X}",
                antenna_port=rng.randint(1, 4),
                read_point=rng.choice(["gate-3-in", "gate-3-out"]),
                seen_at_us=seen_at_us + rng.choice([0, 0, 1, rng.randrange(9_000)]),
                rssi_dbm=rng.choice([None, round(rng.uniform(-90, -20), 2), rng.uniform(-90, -20)]),
                count=rng.choice([1, 1, rng.randint(2, 65_535)]),
                first_seen_at_us=rng.choice([None, seen_at_us - rng.randrange(1_000_000)]),
                tid=rng.choice([None, f"{rng.getrandbits(64):016X}"]),
                phase_deg=rng.choice([None, rng.uniform(0, 360)]),
                doppler_hz=rng.choice([None, rng.uniform(-50, 50)]),
                channel_index=rng.choice([None, rng.randint(1, 50)]),
            )
            for _ in range(per_batch)
        ]
        device = f"reader-{sequence % 3}"
        batches.append(
            ReadBatch(
                gateway="edge-1",
                epoch=7,
                sequence=sequence,
                ordinal=ordinal,
                device=device,
                received_at_us=seen_at_us,
                reads=reads,
            )
        )
        ordinal += per_batch
    return batches


def seed() -> int:
    chosen = random.SystemRandom().getrandbits(32)
    print("seed", chosen)  # noqa: T201  # pytest shows it when the test fails
    return chosen
