"""Other people's devices through the whole product into real stores: what they sent is what is stored, value by value.

A reader of the npm package llrpjs and a meter of the PyPI package dlt645, read by the edge daemon, over Mosquitto,
judged by the rules daemon, into the event journal, InfluxDB 1.6 behind the face of 2, and VictoriaMetrics.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.contract.batches import ReadBatch
from tests.support.plant import SITE, Plant
from tests.support.servers import Influx, VictoriaMetrics, mosquitto, victoria_metrics
from tests.support.store_ladder import BUCKET, ORG, TOKEN, rung, stored
from tests.support.watch import Watch, wait_until
from tests.system.test_dlt645_peer import (
    ADDRESS,
    READ,
    expected,
    foreign_meter,
    peer_python,  # noqa: F401  # a fixture
)
from tests.system.test_llrp_third_party_reader import (
    NO_NODE,
    TAGS,
    foreign_reader,
    llrpjs,  # noqa: F401  # a fixture
)

HEARD_WITHIN_S: Final = 60.0
POLLS: Final = 2
SITE_FILE: Final = """
[site]
name = "{site}"
gateway = "edge-1"
state_dir = "${{STATE_DIR}}"

[mqtt]
host = "${{MQTT_HOST}}"
port = ${{MQTT_PORT}}

[health]
edge_port = 0
rules_port = 0

[[reader]]
name = "foreign-reader"
driver = "llrp"
port = "tcp://127.0.0.1:{reader_port}"
read_points = {{ 1 = "left", 2 = "right" }}
settings = {{ tx_power_dbm = 20.0 }}

[[reader]]
name = "line"
driver = "dlt645"
port = "socket://127.0.0.1:{meter_port}"
settings = {{ poll_s = 2.0, read = {read}, meters = [{{ name = "foreign-meter", address = "{address}" }}] }}

# Its tags were seen at a time of its own, long ago by now.
[[sink]]
kind = "journal"
name = "events"
store_reads = true
keep_days = 36500

[[sink]]
kind = "influxdb"
name = "influx"
url = "{influx_url}"
org = "{org}"
bucket = "{bucket}"
store_reads = true

[[sink]]
kind = "influxdb"
name = "victoria"
url = "{victoria_url}"
bucket = "any"
store_reads = true
"""
POINTS: Final = {1: "left", 2: "right"}
Key = tuple[str, str | None, str | None]


def meter_values() -> dict[Key, Decimal]:
    """What the meter holds, by quantity, phase and tariff as text."""
    return {
        (quantity.value, phase.value if phase else None, str(tariff) if tariff else None): value
        for (quantity, phase, tariff), value in expected().items()
    }


@pytest.mark.skipif(NO_NODE, reason="npm is not installed")
def test_what_foreign_devices_send_is_what_every_store_holds(
    tmp_path: Path,
    llrpjs: Path,  # noqa: F811  # the fixture
    peer_python: Path,  # noqa: F811  # the fixture
) -> None:
    secrets = tmp_path / "credentials"
    secrets.mkdir()
    for sink in ("influx", "victoria"):
        (secrets / f"influx-{sink}").write_text(TOKEN)
    with (
        mosquitto(tmp_path / "broker") as broker,
        rung(tmp_path / "influx", "v2") as store,
        victoria_metrics(tmp_path / "victoria") as victoria,
        foreign_reader(llrpjs) as (reader_port, _),
        foreign_meter(peer_python, "tcp") as meter_port,
    ):
        site_file = SITE_FILE.format(
            site=SITE,
            reader_port=reader_port,
            meter_port=meter_port,
            read=READ,
            address=ADDRESS,
            influx_url=store.url,
            victoria_url=victoria.url,
            org=ORG,
            bucket=BUCKET,
        )
        plant = Plant(tmp_path / "plant", broker, site_file, {"CREDENTIALS_DIRECTORY": str(secrets)})
        with Watch(broker, SITE) as watch, plant:

            def arrived() -> bool:
                if not watch.edge or not watch.rules:
                    return False
                edge, points = watch.edge[-1], watch.rules[-1].points
                enough = edge.tag_reads.judged >= len(TAGS) and edge.readings.judged >= POLLS * len(meter_values())
                return enough and len(points) == 3 and all(account.queued == 0 for account in points.values())

            wait_until(arrived, HEARD_WITHIN_S, lambda: plant.edge.log() + plant.rules.log())
            plant.stop()
        assert not watch.faults
        plant.evidence.assert_exactly_once()
        plant.evidence.assert_ledgers_agree()
        plant.assert_unhurt()
        offset_us = assert_journal(plant)
        assert_event_journal(plant, offset_us)
        assert_influx(store.influx, offset_us)
        assert_victoria(victoria, offset_us)


def assert_journal(plant: Plant) -> int:
    """The edge journal holds the tags in the order of the reader; returns the offset of the reader's clock."""
    batches = [batch for batch in plant.evidence.batches() if isinstance(batch, ReadBatch)]
    (offset_us,) = {batch.clock_offset_us for batch in batches}
    found = [
        {
            "epc": read.epc,
            "antenna": read.antenna_port,
            "rssi": read.rssi_dbm,
            "channel": read.channel_index,
            "first_ms": ((read.first_seen_at_us or 0) - offset_us) / 1000,
            "last_ms": (read.seen_at_us - offset_us) / 1000,
            "count": read.count,
        }
        for batch in batches
        for read in batch.reads
    ]
    assert found == TAGS
    return offset_us


def assert_event_journal(plant: Plant, offset_us: int) -> None:
    columns = "epc, antenna_port, read_point, rssi_dbm, channel_index, first_seen_at_us, seen_at_us, count"
    rows = plant.evidence.rows(f"SELECT {columns} FROM tag_reads")
    assert Counter(rows) == Counter(
        (
            tag["epc"],
            tag["antenna"],
            POINTS[tag["antenna"]],
            tag["rssi"],
            tag["channel"],
            tag["first_ms"] * 1000 + offset_us,
            tag["last_ms"] * 1000 + offset_us,
            tag["count"],
        )
        for tag in TAGS
    )
    rows = plant.evidence.rows("SELECT quantity, phase, tariff, exact FROM readings WHERE meter = 'foreign-meter'")
    found: dict[Key, set[Decimal]] = {}
    for quantity, phase, tariff, exact in rows:
        found.setdefault((quantity, phase or None, tariff or None), set()).add(Decimal(exact))
    assert found == {key: {value} for key, value in meter_values().items()}


def assert_influx(influx: Influx, offset_us: int) -> None:
    rows = [{**row, "time": row["time"] // 1000} for row in stored(influx, "tag_read")]
    wanted: list[dict[str, Any]] = [
        {
            "site": SITE,
            "device": "foreign-reader",
            "read_point": POINTS[tag["antenna"]],
            "antenna_port": str(tag["antenna"]),
            "time": tag["last_ms"] * 1000 + offset_us,
            "epc": tag["epc"],
            "rssi_dbm": tag["rssi"],
            "count": tag["count"],
            "first_seen_at_us": tag["first_ms"] * 1000 + offset_us,
            "channel_index": tag["channel"],
        }
        for tag in TAGS
    ]
    assert rows == sorted(wanted, key=lambda row: row["time"])
    found: dict[Key, set[float]] = {}
    for row in stored(influx, "reading"):
        assert row["meter"] == "foreign-meter"
        found.setdefault((row["quantity"], row.get("phase"), row.get("tariff")), set()).add(row["value"])
    assert found == {key: {float(value)} for key, value in meter_values().items()}


def assert_victoria(victoria: VictoriaMetrics, offset_us: int) -> None:
    """It keeps numbers to the millisecond: that is all there is to compare."""
    victoria.flush()
    for field, name in (("count", "count"), ("rssi_dbm", "rssi"), ("channel_index", "channel")):
        samples = [
            (at_ms, series["metric"]["read_point"], value)
            for series in victoria.export(f'{{__name__="tag_read_{field}"}}')
            for at_ms, value in zip(series["timestamps"], series["values"], strict=True)
        ]
        wanted = [((tag["last_ms"] * 1000 + offset_us) // 1000, POINTS[tag["antenna"]], tag[name]) for tag in TAGS]
        assert sorted(samples) == sorted(wanted)
    found: dict[Key, set[float]] = {}
    for series in victoria.export('{__name__="reading_value"}'):
        labels = series["metric"]
        found.setdefault((labels["quantity"], labels.get("phase"), labels.get("tariff")), set()).update(
            series["values"]
        )
    assert {key: sorted(values) for key, values in found.items()} == {
        key: [pytest.approx(float(value), rel=1e-9)] for key, value in meter_values().items()
    }
