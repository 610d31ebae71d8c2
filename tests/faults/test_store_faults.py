"""Six stores at once, each ill in a way of its own: every good row arrives once, and none holds up another.

    busy      500, 503 and 429 with Retry-After: nothing is asked of it before
    slow      answers nobody, hangs, and breaks the connection, partly after it has stored
    strict    400: refuses the whole batch for one line (InfluxDB 2)
    conflict  422: stores the rest (InfluxDB 2)
    partial   400: stores the rest (InfluxDB 1 and 3)
    gone      nothing listens there

One site writes to all of them.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from gateway.contract.batches import ReadBatch
from tests.support.http_store import Act, HttpStore, Partial, Reply, problem, served
from tests.support.line_protocol import Row
from tests.support.plant import SITE, STORE_READS, Scene, scene
from tests.support.seeds import chosen_seed
from tests.support.servers import free_port, mosquitto
from tests.support.store_ladder import expected_read, in_order
from tests.support.watch import wait_until

TRAFFIC_S: Final = 14.0
TIMEOUT_S: Final = 3
BACKOFF_MOST_S: Final = 30.0
DELIVERED_WITHIN_S: Final = 120.0
REASON: Final = 'input field "count" on measurement "tag_read" is type string'
BUSY: Final = [
    problem(503, "unavailable", "busy", Retry_After="3"),
    problem(429, "too many requests", "slow down", Retry_After="4"),
    problem(500, "internal error", "oops"),
]
GOOD: Final = Reply(act=Act.JUDGE)
LOST: Final = Reply(act=Act.COMMIT_THEN_RESET)
LATE: Final = Reply(act=Act.COMMIT_THEN_RESET, after_s=TIMEOUT_S + 2.0)
SCRIPTS: Final = {
    "busy": [GOOD, BUSY[0], GOOD, BUSY[1], GOOD, BUSY[2], BUSY[0], GOOD],
    "slow": [GOOD, LOST, GOOD, LATE, Reply(act=Act.RESET), GOOD, Reply(act=Act.HANG), LOST, LOST, GOOD],
}
STRICT: Final = {"strict": Partial.V2_PARSE, "conflict": Partial.V2_CONFLICT, "partial": Partial.V1}


def refuse(row: Row) -> str | None:
    """One read in 64 is refused, always the same."""
    epc = str(row.fields.get("epc", ""))
    return REASON if row.measurement == "tag_read" and int(epc[-2:], 16) % 64 == 3 else None


def sink(name: str, url: str) -> str:
    return f"""
[[sink]]
kind = "influxdb"
name = "{name}"
url = "{url}"
org = "port"
bucket = "gate"
store_reads = true
timeout_s = {TIMEOUT_S}
"""


def journalled_reads(site: Scene) -> list[Row]:
    return [
        Row("tag_read", {}, {k: v for k, v in {**expected_read(batch, item), "site": SITE}.items() if v != ""}, 0)
        for batch in site.evidence.batches()
        if isinstance(batch, ReadBatch)
        for item in range(len(batch.reads))
    ]


def assert_stored(store: HttpStore, reads: list[Row], events: set[str]) -> None:
    """These reads and events, value by value, each once."""
    found = [{**row.tags, "time": row.at_ns, **row.fields} for row in store.all_rows() if row.measurement == "tag_read"]
    assert sorted(found, key=in_order) == sorted((row.fields for row in reads), key=in_order)
    told = Counter(row.fields["id"] for row in store.all_rows() if row.measurement == "event")
    assert told == Counter(events)


def quarantined(site: Scene) -> Counter[tuple[str, bytes]]:
    """Sink and line of everything in the quarantine; each line with its reason."""
    with closing(sqlite3.connect(f"file:{site.plant.state}/rules.db?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT sink, body, reason FROM quarantine").fetchall()
    assert all(REASON.replace('"', '\\"') in reason or REASON in reason for _, _, reason in rows), rows[:1]
    return Counter((name, body) for name, body, _ in rows)


def test_stores_that_are_ill_in_their_own_ways(tmp_path: Path) -> None:
    with ExitStack() as stack:
        broker = stack.enter_context(mosquitto(tmp_path / "broker"))
        stores = {name: stack.enter_context(served(HttpStore(script))) for name, script in SCRIPTS.items()}
        for name, partial in STRICT.items():
            stores[name] = stack.enter_context(served(HttpStore(refuse=refuse, partial=partial)))
        nobody = f"http://127.0.0.1:{free_port()}"
        sinks = STORE_READS + "".join(sink(name, store.url) for name, store in stores.items()) + sink("gone", nobody)
        site = stack.enter_context(scene(tmp_path, broker, chosen_seed(), sinks=sinks))
        site.begin(TRAFFIC_S)
        time.sleep(TRAFFIC_S + 5)

        def delivered() -> bool:
            points = site.watch.rules[-1].points
            here = [account.queued for name, account in points.items() if name != "gone"]
            return len(here) == len(stores) + 1 and max(here) < 100 and not any(s.script for s in stores.values())

        wait_until(delivered, DELIVERED_WITHIN_S, lambda: f"{site.watch.rules[-1]} {site.rules.log()}")
        site.settle()
        site.plant.assert_unhurt()
        site.evidence.assert_exactly_once()
        site.assert_truth(edge_was_up=True)
        assert_everything_is_accounted_for(site, stores)
        assert_nothing_came_too_early(stores["busy"])


def assert_everything_is_accounted_for(site: Scene, stores: dict[str, HttpStore]) -> None:
    """What each store holds, what it refused, and what waits for the one that is gone."""
    assert not site.watch.faults, site.watch.faults[:3]
    reads = journalled_reads(site)
    events = {str(id_) for (id_,) in site.evidence.rows("SELECT id FROM events")}
    bad = [row for row in reads if refuse(row)]
    assert bad
    points = site.evidence.ledgers()[1].points
    refused = Counter(name for name, _ in quarantined(site).elements())
    for name, store in stores.items():
        strict = name in STRICT
        assert_stored(store, [row for row in reads if not (strict and refuse(row))], events)
        assert refused[name] == points[name].refused == (len(bad) if strict else 0), name
        assert points[name].queued == 0, name
        assert points[name].balanced, name
    assert max(quarantined(site).values()) == 1
    gone = points["gone"]
    assert (gone.stored, gone.refused, gone.queued) == (0, 0, gone.made)
    assert gone.made == points["busy"].made > 0


def assert_nothing_came_too_early(store: HttpStore) -> None:
    """Not before the store wanted to be asked, and not much later than the longest pause."""
    asked = 0
    for request, following in itertools.pairwise(store.requests):
        if request.scripted in BUSY:
            pause_s = following.at_s - request.at_s
            asked_s = float(request.scripted.headers.get("Retry-After", 0))
            assert asked_s <= pause_s < BACKOFF_MOST_S + 10, (request.scripted, pause_s)
            asked += 1
    assert asked == sum(reply in BUSY for reply in SCRIPTS["busy"])
