"""Two daemons on one state directory: the second one is refused, and the first does not notice."""

from __future__ import annotations

from pathlib import Path

from tests.support.plant import Process, scene
from tests.support.seeds import chosen_seed
from tests.support.servers import mosquitto
from tests.support.watch import wait_until

EX_TEMPFAIL = 75


def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker") as broker, scene(tmp_path, broker, chosen_seed()) as site:
        site.wait_online()
        for daemon in (site.edge, site.rules):
            second = Process(f"second-{daemon.name}", daemon.command, tmp_path)
            second.start()
            assert second.child is not None
            try:
                assert second.child.wait(30) == EX_TEMPFAIL, second.log()
            finally:
                second.kill()
            assert f"{daemon.name}_already_running" in second.log()
        site.begin(12.0)
        site.settle()
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=True)
        edge, rules = site.evidence.ledgers()
        assert not edge.tag_reads.dropped
        assert rules.gaps == 0  # duplicates may come: an edge that meets the rules daemon late sends again
        # The lock is the process's, not a file's: the next daemon starts where this one ended.
        site.edge.start()
        before = site.evidence.last()
        wait_until(lambda: site.evidence.last() > before, 30, site.edge.log)
        site.edge.kill()
        site.edge.start()
        before = site.evidence.last()
        wait_until(lambda: site.evidence.last() > before, 30, site.edge.log)
        assert site.edge.stop() == 0, site.edge.log()
