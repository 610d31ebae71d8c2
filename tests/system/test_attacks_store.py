"""Every text of the fifty inputs in an InfluxDB: kept as text in its field; no measurement, tag, series or row more."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from gateway.contract.batches import ReadBatch, TagRead
from gateway.contract.measurements import MEASUREMENTS
from rules.outputs import Outputs
from rules.sinks.influxdb import InfluxDbSink
from tests.security.attacks import ATTACKS
from tests.support.hostile_site import hostile_alarm, hostile_event
from tests.support.store_ladder import BUCKET, everything, rung

TEXTS = [text for attack in ATTACKS for text in attack.texts() if attack.number != 41]
NOW_US = int(time.time() * 1e6)
MOST_FIELD_BYTES = 60_000


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_all_texts_stay_texts(api: str, tmp_path: Path) -> None:
    reads = [
        TagRead(text.encode("utf-8", "surrogateescape")[:200].hex().upper(), 1, "lane-1", NOW_US + number)
        for number, text in enumerate(TEXTS)
    ]
    batch = ReadBatch(
        gateway="edge-1", epoch=1, sequence=1, device="gate-1", received_at_us=NOW_US, reads=reads
    )  # fmt: skip
    events = [hostile_event(number, text, "passage", NOW_US + number) for number, text in enumerate(TEXTS)]
    # A text that is a tag must be short; a long one is refused, and is tested as a field.
    events = [
        msgspec.structs.replace(
            each, zone="yard", from_zone="road", read_point="lane-1", rule="r", device="gate-1", direction="in"
        )
        for each in events
    ]
    alarms = [hostile_alarm(number, text) for number, text in enumerate(TEXTS)]
    outputs = [Outputs(NOW_US, events=events, alarms=alarms, reads=batch)]

    with rung(tmp_path, api) as ladder:
        refused: list[str] = []

        async def use(sink: InfluxDbSink) -> None:
            for _ in range(2):
                refused[:] = [each.reason for each in await sink.write(sink.encode(outputs))]

        ladder.use(use)
        found = everything(ladder.influx)
        assert set(found) <= set(MEASUREMENTS)
        for name, rows in found.items():
            known = {"time", "site", *MEASUREMENTS[name].tags, *MEASUREMENTS[name].fields}
            for row in rows:
                assert set(row) <= known, row
        assert sorted(row["epc"] for row in found["tag_read"] if "epc" in row) == sorted(
            read.epc for read in reads if read.epc
        )
        short = [text for text in TEXTS if text and len(text.encode("utf-8", "replace")) < MOST_FIELD_BYTES // 40]
        subjects = [row.get("subject", "") for row in found["event"]]
        assert len(subjects) >= len(short)
        assert len(subjects) + len(found["alarm"]) + len(refused) <= 2 * len(TEXTS) + len(refused)
        plain = [
            text for text in short if text.isprintable() and not any("\ud800" <= each <= "\udfff" for each in text)
        ]
        assert set(plain) <= set(subjects), "kept as it is"
        series = ladder.influx.query(BUCKET, "SHOW SERIES")
        assert len([row for row in series if row["key"].startswith(("tag_read,", "event,"))]) <= 2
