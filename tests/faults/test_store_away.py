"""The store dies, goes away or answers badly: every row arrives once, value by value, on every way into InfluxDB."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from gateway.contract.batches import ReadBatch, ReadingBatch
from tests.support.http_store import Act, HttpStore, Reply, Request, problem, served
from tests.support.plant import SITE, STORE_READS, Scene, scene
from tests.support.seeds import chosen_seed
from tests.support.servers import Influx, mosquitto
from tests.support.store_ladder import BUCKET, ORG, TOKEN, expected_read, in_order, rung, stored
from tests.support.watch import wait_until

AWAY_S = 60.0 if os.environ.get("TAGWHARF_LONG") else 25.0
"""A store that is away for a minute is no other case than this: pauses between attempts have reached 8 s by then."""
DELIVERED_WITHIN_S = 90.0
"""The pause between attempts grows to 30 s, and what waits must still be sent then."""


def sinks(url: str, api: str = "v2") -> str:
    return f"""{STORE_READS}
[[sink]]
kind = "influxdb"
name = "main"
url = "{url}"
api = "{api}"
org = "{ORG}"
bucket = "{BUCKET}"
store_reads = true
timeout_s = 3
"""


def credentials(tmp_path: Path) -> dict[str, str]:
    directory = tmp_path / "credentials"
    directory.mkdir()
    (directory / "influx-main").write_text(TOKEN)
    return {"CREDENTIALS_DIRECTORY": str(directory)}


def settle(site: Scene) -> None:
    """As `Scene.settle`, but wait for the store before the end."""
    time.sleep(max(0.0, site.field.ends_s + 5 - time.monotonic()))

    def delivered() -> bool:
        points = site.watch.rules[-1].points
        return len(points) == 2 and all(account.queued < 50 for account in points.values())

    wait_until(delivered, DELIVERED_WITHIN_S, lambda: f"{site.watch.rules[-1]} {site.rules.log()}")
    site.settle()


def expected_reads(site: Scene) -> list[dict[str, Any]]:
    rows = [
        {k: v for k, v in {**expected_read(batch, item), "site": SITE}.items() if v != ""}
        for batch in site.evidence.batches()
        if isinstance(batch, ReadBatch)
        for item in range(len(batch.reads))
    ]
    return sorted(rows, key=in_order)


def expected_readings(site: Scene) -> Counter[tuple[Any, ...]]:
    return Counter(
        (batch.device, r.quantity, r.unit, r.phase, str(r.tariff) if r.tariff else None, float(r.value), r.obis)
        for batch in site.evidence.batches()
        if isinstance(batch, ReadingBatch)
        for r in batch.readings
        if r.value is not None
    )


def assert_stored(site: Scene, influx: Influx) -> None:
    """What the edge journal acknowledged is what InfluxDB answers, value by value."""
    expected = expected_reads(site)
    assert expected
    assert stored(influx, "tag_read") == expected
    columns = ("meter", "quantity", "unit", "phase", "tariff", "value", "obis")
    rows = [tuple(row.get(column) for column in columns) for row in stored(influx, "reading") if "value" in row]
    assert Counter(rows) == expected_readings(site)
    made = {(id_, kind) for id_, kind in site.evidence.rows("SELECT id, type FROM events")}
    assert Counter((row["id"], row["event"]) for row in stored(influx, "event")) == Counter(made)


def test_a_store_that_is_killed_while_written_and_then_away(tmp_path: Path) -> None:
    seed = chosen_seed()
    rng = random.Random(seed)
    with (
        mosquitto(tmp_path / "broker") as broker,
        rung(tmp_path / "influx", "v2") as store,
        scene(tmp_path, broker, seed, sinks=sinks(store.url), environment=credentials(tmp_path)) as site,
    ):
        site.begin(AWAY_S + 9)
        for _ in range(5):
            time.sleep(rng.uniform(0.3, 1.5))
            store.influx.restart()
        store.influx.kill()
        time.sleep(AWAY_S)
        store.influx.start()
        settle(site)
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=True)
        assert_stored(site, store.influx)


def test_an_old_store_and_the_rules_daemon_are_killed_while_it_is_written(tmp_path: Path) -> None:
    seed = chosen_seed()
    rng = random.Random(seed)
    with (
        mosquitto(tmp_path / "broker") as broker,
        rung(tmp_path / "influx", "v1") as store,
        scene(tmp_path, broker, seed, sinks=sinks(store.url, "v1")) as site,
    ):
        site.begin(14.0)
        while time.monotonic() < site.field.ends_s:
            time.sleep(rng.uniform(0.2, 1.5))
            rng.choice([store.influx.restart, restart_rules(site)])()
        settle(site)
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=True)
        assert_stored(site, store.influx)


def restart_rules(site: Scene) -> Any:
    def restart() -> None:
        site.rules.kill()
        site.rules.start()

    return restart


RETRY_AFTER_S = 3


def test_a_store_that_answers_badly(tmp_path: Path) -> None:
    commit_then_reset = Reply(act=Act.COMMIT_THEN_RESET)
    busy = problem(503, "unavailable", "busy", Retry_After=str(RETRY_AFTER_S))
    limited = problem(429, "too many requests", "slow down", Retry_After=str(RETRY_AFTER_S))
    good = Reply(act=Act.JUDGE)
    script = [good, commit_then_reset, good, busy, good, Reply(act=Act.RESET), good, limited]
    script += [good, commit_then_reset, commit_then_reset, good, problem(500, "internal error", "oops"), good]
    script += [Reply(act=Act.HANG)]
    with (
        mosquitto(tmp_path / "broker") as broker,
        served(HttpStore(script)) as store,
        scene(tmp_path, broker, chosen_seed(), sinks=sinks(store.url), environment=credentials(tmp_path)) as site,
    ):
        site.begin(14.0)
        settle(site)
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=True)
        assert not store.script, "not every bad answer was given"
        rows = [
            {**row.tags, "time": row.at_ns, **row.fields} for row in store.all_rows() if row.measurement == "tag_read"
        ]
        assert sorted(rows, key=in_order) == expected_reads(site)
        for asked in (busy, limited):
            assert pause_after(store.requests, asked) >= RETRY_AFTER_S


def pause_after(requests: list[Request], reply: Reply) -> float:
    """Seconds from that answer to the next request."""
    index = next(n for n, request in enumerate(requests) if request.scripted is reply)
    return requests[index + 1].at_s - requests[index].at_s
