"""The disaster drill: a machine is lost under traffic, another one is made of its last backup, and goes on.

The broker is somebody else's machine, with Mosquitto, and keeps what was retained: the last words of the daemons that
are lost among it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from gateway.backup.contents import kind_of
from gateway.contract.ledger import EdgeLedger, decode_rules_ledger
from gateway.edge import segment
from tests.support.evidence import GATEWAY, Evidence, difference
from tests.support.plant import LAST_PASSAGE_S, Process, Scene, scene
from tests.support.seeds import chosen_seed
from tests.support.servers import mosquitto
from tests.support.watch import wait_until

TRAFFIC_S: Final = 18.0
UNTIL_BACKUP_S: Final = 5.0
UNTIL_LOSS_S: Final = 3.0
SETTLE_WITHIN_S: Final = 90.0
Rows = Counter[Any]


def tagwharf(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from gateway.cli import main; main()", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Backup:
    """A backup under traffic, and what was known when it began."""

    def __init__(self, site: Scene, directory: Path) -> None:
        directory.mkdir()
        self.acknowledged = of_batches(site.evidence)
        tagwharf("backup", "--config", site.plant.site_file, "--to", directory)
        (self.archive,) = directory.glob("tagwharf.*.tar.gz")
        tagwharf("restore", self.archive, "--verify")

    def restored(self, site: Scene, root: Path) -> tuple[Path, Path]:
        """State directory and site file of the fresh machine."""
        told = tagwharf("restore", self.archive, "--root", root)
        assert "what the lost machine heard after" in told
        state = root / str(site.plant.state).lstrip("/")
        return state, root / str(site.plant.site_file).lstrip("/")


def of_batches(evidence: Evidence) -> Rows:
    return evidence.journalled()[0]


def state_of(state: Path) -> segment.State:
    with segment.reading(segment.paths(state / "journal")[-1]) as db:
        return segment.state_of(db)


def last_ledger(site: Scene) -> EdgeLedger:
    return max(site.watch.edge, key=lambda ledger: ledger.at_us)


def settle(site: Scene, fresh: Evidence, edge: Process, rules: Process) -> None:
    time.sleep(max(0.0, site.field.ends_s + LAST_PASSAGE_S - time.monotonic()))
    wait_until(lambda: fresh.behind() < 20, SETTLE_WITHIN_S, lambda: edge.log() + rules.log())
    assert edge.stop() == 0, edge.log()
    wait_until(lambda: fresh.behind() == 0, SETTLE_WITHIN_S, lambda: edge.log() + rules.log())
    assert rules.stop() == 0, rules.log()


def test_a_lost_machine_goes_on_from_its_backup(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path / "broker", persistence=True) as broker,
        scene(tmp_path, broker, chosen_seed()) as site,
    ):
        site.begin(TRAFFIC_S)
        time.sleep(UNTIL_BACKUP_S)
        backup = Backup(site, tmp_path / "share")
        time.sleep(UNTIL_LOSS_S)
        site.edge.kill()
        site.rules.kill()
        state, site_file = backup.restored(site, tmp_path / "fresh")
        last, next_sequence = _last_and_next(state)
        site.plant.state.rename(tmp_path / "burnt")  # nothing may look at it any more
        lost = Evidence(tmp_path / "burnt")

        environment = {"STATE_DIRECTORY": str(state)}
        edge = Process("edge-2", ["gateway.edge", "--config", str(site_file)], tmp_path, environment)
        rules = Process("rules-2", ["rules", "run", "--config", str(site_file)], tmp_path, environment)
        try:
            edge.start()  # first: what the lost rules daemon left on the broker must not mislead it
            wait_until(lambda: "broker_connected" in edge.whole_log(), SETTLE_WITHIN_S, edge.log)
            time.sleep(1.0)  # the retained words come with the subscription
            rules.start()
            settle(site, Evidence(state), edge, rules)
        finally:
            for process in (edge, rules):
                if process.alive:
                    process.kill()

        fresh = Evidence(state)
        reads, readings = fresh.journalled()
        stored, stored_readings = fresh.stored()
        # What was acknowledged before the backup began is there, and what the fresh machine heard; each once.
        assert not backup.acknowledged - reads, difference(backup.acknowledged, reads)
        assert not reads - stored, difference(reads, stored)
        assert not readings - stored_readings, difference(readings, stored_readings)
        between = Counter({key: count for key, count in stored.items() if last < key[1] < next_sequence})
        assert stored - between == reads, difference(reads, stored)
        assert sum(1 for key in reads if key[1] >= next_sequence) > 0, "it heard nothing"
        # No sequence of the lost machine means something else now.
        gone = of_batches(lost) - reads
        assert gone, "the lost machine heard nothing after the backup"
        assert all(last < key[1] < next_sequence for key in gone)
        assert stored - reads <= gone
        # No event was made twice, and the gap is told.
        edge_ledger, rules_ledger = fresh.ledgers()
        made = sum(rules_ledger.events.values())
        assert sum(count for (count,) in fresh.rows("SELECT count(*) FROM events")) == made
        told = fresh.rows("SELECT subject, body ->> '$.reason' FROM events WHERE type = 'state_lost'")
        assert [subject for subject, _ in told] == ["rules"], told
        for account in edge_ledger.accounts.values():
            assert account.balanced, edge_ledger
            assert account.unjudged == account.waiting == 0, edge_ledger
        assert all(points.balanced and not points.queued for points in rules_ledger.points.values())
        for process in (edge, rules):
            assert "Traceback" not in process.whole_log(), process.log()


def test_an_edge_alone_goes_on_where_the_rules_never_stopped(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path / "broker", persistence=True) as broker,
        scene(tmp_path, broker, chosen_seed()) as site,
    ):
        site.begin(TRAFFIC_S)
        time.sleep(UNTIL_BACKUP_S)
        backup = Backup(site, tmp_path / "share")
        time.sleep(UNTIL_LOSS_S)
        wait_until(lambda: last_ledger(site).watermark > 0, SETTLE_WITHIN_S, site.edge.log)
        site.edge.kill()
        lost = of_batches(site.evidence)
        state, site_file = backup.restored(site, tmp_path / "fresh")
        last, next_sequence = _last_and_next(state)
        edge = Process(
            "edge-2", ["gateway.edge", "--config", str(site_file)], tmp_path, {"STATE_DIRECTORY": str(state)}
        )
        try:
            edge.start()
            time.sleep(max(0.0, site.field.ends_s + LAST_PASSAGE_S - time.monotonic()))
            own = Evidence(state)
            wait_until(lambda: own.last() - site.evidence.watermark() < 20, SETTLE_WITHIN_S, edge.log)
            assert edge.stop() == 0, edge.log()
            wait_until(lambda: own.last() <= site.evidence.watermark(), SETTLE_WITHIN_S, edge.log)
            assert site.rules.stop() == 0, site.rules.log()
        finally:
            if edge.alive:
                edge.kill()

        reads = of_batches(own)
        stored, _ = site.evidence.stored()
        assert not backup.acknowledged - reads
        assert sum(1 for key in reads if key[1] >= next_sequence) > 0, "it heard nothing"
        # What both machines know is stored once; of what only the lost one knew, the rules may lack the end.
        assert not reads - stored, difference(reads, stored)
        assert stored <= (reads | lost), difference(reads | lost, stored)
        assert all(last < key[1] < next_sequence for key in lost - reads)
        made = sum(decode_rules_ledger((site.plant.state / "ledger-rules.json").read_bytes()).events.values())
        assert sum(count for (count,) in site.evidence.rows("SELECT count(*) FROM events")) == made
        ledger = last_ledger(site)
        assert ledger.gateway == GATEWAY
        assert ledger.next_sequence > next_sequence
        for account in ledger.accounts.values():
            assert account.balanced, ledger


def _last_and_next(state: Path) -> tuple[int, int]:
    """The last sequence of the backup, and the first of the restored machine."""
    found = segment.paths(state / "journal")
    next_sequence = state_of(state).next_sequence
    for path in reversed(found[:-1]):
        assert kind_of(path) == "journal"
        with segment.reading(path) as db:
            return segment.state_of(db).next_sequence - 1, next_sequence
    raise AssertionError("the backup holds no journal")
