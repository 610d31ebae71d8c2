"""Ten times what a reader sends, and nobody to take it: memory and disk stay bounded, and telemetry goes before events.

What a bound sheds is counted, by reason. The edge journal sheds reads, then readings and signals, then cards; the
outbox of the rules sheds single reads, then the rest.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from simulator.llrp.load import LoadRadio
from tests.support.field import llrp_reader
from tests.support.http_store import HttpStore, problem, served
from tests.support.plant import Scene, scene
from tests.support.seeds import chosen_seed
from tests.support.servers import mosquitto
from tests.support.watch import wait_until

USUAL_PER_S: Final = 1_000.0
OVERLOAD: Final = 10
LIMIT_BYTES: Final = 16 << 20
DISK_MOST_BYTES: Final = LIMIT_BYTES * 5 // 4
"""The segment that is written and the one that is written anew lie beside the closed ones for a while."""
MEMORY_MOST_BYTES: Final = 256 << 20
"""Over what the daemon has when the load begins: 32 MiB of recent rows, and up to 96 MiB that wait for the disk."""
OUTBOX_BYTES: Final = 1 << 20
DATABASE_MOST_BYTES: Final = 96 << 20
"""The outbox, space that is kept for the next outage (16 MiB), and the write-ahead log (64 MiB)."""
SHED_WITHIN_S: Final = 90.0
NEARLY: Final = 20
JOURNAL: Final = f"""
[journal]
keep_bytes = {LIMIT_BYTES}
limit_bytes = {LIMIT_BYTES}
[[sink]]
kind = "journal"
name = "events"
"""


def resident_bytes(pid: int) -> int:
    """What a process holds in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def disk_bytes(directory: Path) -> int:
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # it was replaced just now
    return total


def watched(met: Callable[[], bool], pid: int, directory: Path) -> tuple[int, int]:
    """Wait until it is so; the most memory and disk that were seen meanwhile."""
    memory = disk = 0

    def look() -> bool:
        nonlocal memory, disk
        memory, disk = max(memory, resident_bytes(pid)), max(disk, disk_bytes(directory))
        return met()

    wait_until(look, SHED_WITHIN_S, lambda: f"memory {memory}, disk {disk}")
    return memory, disk


def test_ten_times_the_reads_and_no_judge(tmp_path: Path) -> None:
    busy = llrp_reader("busy", LoadRadio(OVERLOAD * USUAL_PER_S, tags=50))
    with (
        mosquitto(tmp_path / "broker") as broker,
        scene(tmp_path, broker, chosen_seed(), sinks=JOURNAL, extra=[busy]) as site,
    ):
        site.begin(300.0)
        site.rules.kill()
        assert site.edge.child is not None
        pid = site.edge.child.pid
        base = resident_bytes(pid)

        def shed() -> bool:
            assert site.edge.alive, site.edge.log()
            return site.watch.edge[-1].tag_reads.dropped.get("journal_full", 0) > 100_000

        memory, disk = watched(shed, pid, site.plant.state / "journal")
        assert disk <= DISK_MOST_BYTES
        assert memory <= base + MEMORY_MOST_BYTES
        site.rules.start()
        time.sleep(3)
        site.field.stop_traffic()
        site.field.strike_out("busy")
        site.settle()
        assert_only_reads_were_shed(site)
        site.plant.assert_unhurt()


def assert_only_reads_were_shed(site: Scene) -> None:
    """The ledgers of edge and rules agree on everything else."""
    assert not site.watch.faults, site.watch.faults[:3]
    edge, rules = site.evidence.ledgers()
    for kind, account in edge.accounts.items():
        assert account.balanced, edge
        lost = account.dropped.get("journal_full", 0)
        assert set(account.dropped) <= {"journal_full"}, edge
        assert (lost > 0) is (kind == "reads"), edge
        assert account.heard == account.journalled, edge
        assert rules.judged["edge-1"].get(kind, 0) == account.journalled - lost, (kind, edge, rules)
    points = rules.points["events"]
    assert points.balanced
    assert (points.queued, points.refused) == (0, 0)
    readings, stored = site.evidence.rows("SELECT count(*) FROM readings"), edge.readings.journalled
    assert sum(count for (count,) in readings) == stored


def test_ten_times_the_reads_and_a_store_that_is_busy(tmp_path: Path) -> None:
    busy = [problem(503, "unavailable", "busy")] * 1_000
    with (
        mosquitto(tmp_path / "broker") as broker,
        served(HttpStore(busy)) as store,
        scene(
            tmp_path,
            broker,
            chosen_seed(),
            sinks=f"""
[[sink]]
kind = "influxdb"
name = "main"
url = "{store.url}"
bucket = "gate"
org = "port"
store_reads = true
outbox_bytes = {OUTBOX_BYTES}
""",
            reads_per_s=USUAL_PER_S * OVERLOAD / 5,
        ) as site,
    ):
        site.begin(60.0)
        assert site.rules.child is not None
        pid = site.rules.child.pid
        base = resident_bytes(pid)

        def shed() -> bool:
            assert site.rules.alive, site.rules.log()
            points = site.watch.rules[-1].points.get("main") if site.watch.rules else None
            return points is not None and points.refused > 10_000 and bool(site.watch.rules[-1].events)

        memory, disk = watched(shed, pid, site.plant.state)
        assert disk <= DATABASE_MOST_BYTES + disk_bytes(site.plant.state / "journal")
        assert memory <= base + MEMORY_MOST_BYTES
        site.field.stop_traffic()
        # What is shed while it is on its way is stored, and stands as refused: so nothing may be shed any more.
        wait_until(lambda: site.evidence.behind() < NEARLY, SHED_WITHIN_S, site.rules.log)
        store.script.clear()
        wait_until(lambda: site.watch.rules[-1].points["main"].queued < 100, SHED_WITHIN_S, site.rules.log)
        site.settle()
        site.plant.assert_unhurt()
        site.assert_ledgers(refused_reads=True)
        points = site.evidence.ledgers()[1].points["main"]
        measured = Counter(row.measurement for row in store.all_rows())
        reads = site.evidence.journalled()[0].total()
        assert measured["tag_read"] == reads - points.refused, "more than single reads was shed"
        assert measured["event"] == sum(site.evidence.ledgers()[1].events.values())
        assert points.stored == sum(measured.values())
