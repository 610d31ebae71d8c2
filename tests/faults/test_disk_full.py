"""The disk is full: the daemons live, what cannot be kept is counted, and they recover without a restart."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from gateway.contract.batches import ReadBatch
from simulator.llrp.load import LoadRadio
from tests.support.field import llrp_reader
from tests.support.plant import scene
from tests.support.seeds import chosen_seed
from tests.support.servers import mosquitto
from tests.support.watch import wait_until

DISK_BYTES: Final = 192 << 20
READS_PER_S: Final = 20_000.0
"""48 MiB may wait in memory before anything is dropped: that many reads, of some 130 bytes each, take 18 s.
The disk must hold them twice, as the write-ahead log and as the journal, for they are one commit."""
DROPS_WITHIN_S: Final = 120.0
SMALL_BYTES: Final = 48 << 20
FULL_S: Final = 5.0
EVENTS_ONLY: Final = """
[[sink]]
kind = "journal"
name = "events"
"""


@contextmanager
def small_disk(place: Path, size_bytes: int = DISK_BYTES) -> Iterator[None]:
    """A file system of its own at `place`."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(place)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"mounting a small disk is not allowed here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(ballast: Path) -> None:
    """Leave no room."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def test_a_full_disk_costs_only_what_is_counted(tmp_path: Path) -> None:
    busy = llrp_reader("busy", LoadRadio(READS_PER_S, tags=50))
    journal = tmp_path / "plant" / "state" / "journal"
    with (
        mosquitto(tmp_path / "broker") as broker,
        small_disk(journal),
        scene(tmp_path, broker, chosen_seed(), sinks=EVENTS_ONLY, extra=[busy]) as site,
    ):
        site.begin(300.0)
        fill(journal / "ballast")

        def dropped() -> int:
            assert site.edge.alive, site.edge.log()
            return site.watch.edge[-1].tag_reads.dropped.get("journal_stalled", 0)

        wait_until(lambda: dropped() > 1000, DROPS_WITHIN_S, lambda: f"{site.watch.edge[-1]} {site.edge.log()}")
        assert "journal_disk_full" in site.edge.whole_log()
        (journal / "ballast").unlink()
        recovered_us = time.time_ns() // 1000
        newest = site.evidence.last()
        wait_until(lambda: site.evidence.last() > newest + 20, DROPS_WITHIN_S, site.edge.log)
        site.field.stop_traffic()
        site.field.strike_out("busy")
        site.settle()
        site.assert_ledgers()
        edge, rules = site.evidence.ledgers()
        reads = edge.tag_reads
        assert set(reads.dropped) == {"journal_stalled"}, edge
        assert reads.heard == reads.journalled + reads.dropped["journal_stalled"]
        assert rules.judged["edge-1"]["reads"] == reads.journalled
        newest_us = max(b.received_at_us for b in site.evidence.batches() if isinstance(b, ReadBatch))
        assert newest_us > recovered_us
        site.plant.assert_unhurt()


@pytest.mark.parametrize("place", ["", "events"])
def test_a_full_disk_under_the_rules_costs_nothing(place: str, tmp_path: Path) -> None:
    """Under everything, or the event journal alone: what waits fits into memory and outbox, so nothing is dropped."""
    state = tmp_path / "plant" / "state" / place
    with (
        mosquitto(tmp_path / "broker") as broker,
        small_disk(state, SMALL_BYTES),
        scene(tmp_path, broker, chosen_seed()) as site,
    ):
        site.begin(FULL_S + 8)
        wait_until(lambda: site.watch.rules, DROPS_WITHIN_S, site.rules.log)
        fill(state / "ballast")
        told = "sink_failed" if place else "commit_failed"
        wait_until(lambda: told in site.rules.whole_log(), DROPS_WITHIN_S, site.rules.log)
        time.sleep(FULL_S)
        assert site.edge.alive
        assert site.rules.alive
        (state / "ballast").unlink()
        wait_until(lambda: site.watch.rules[-1].points["events"].queued < 500, DROPS_WITHIN_S, site.rules.log)
        site.settle()
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=True)
