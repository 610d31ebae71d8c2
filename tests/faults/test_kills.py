"""Kill -9 at random moments under traffic: nothing journalled is lost, nothing takes effect twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.plant import SETTLE_WITHIN_S, Scene, scene
from tests.support.seeds import chosen_seed
from tests.support.servers import mosquitto
from tests.support.watch import wait_until

TRAFFIC_S = 14.0


def heard_meters(site: Scene) -> None:
    """On a busy machine no life of the edge may have been long enough for that."""
    wait_until(lambda: site.evidence.journalled()[1], SETTLE_WITHIN_S, site.edge.log)


def test_kill_9_of_the_edge(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker") as broker, scene(tmp_path, broker, chosen_seed()) as site:
        site.begin(TRAFFIC_S)
        assert len(site.torment("edge")) >= 4
        heard_meters(site)
        site.settle()
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=False)


def test_kill_9_of_the_rules_daemon(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker") as broker, scene(tmp_path, broker, chosen_seed()) as site:
        site.begin(TRAFFIC_S)
        assert len(site.torment("rules")) >= 4
        site.settle()
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=True)


@pytest.mark.parametrize("persistence", [False, True])
def test_kill_9_of_the_broker(tmp_path: Path, persistence: bool) -> None:  # noqa: FBT001  # pytest gives it by name
    with (
        mosquitto(tmp_path / "broker", persistence=persistence) as broker,
        scene(tmp_path, broker, chosen_seed()) as site,
    ):
        site.begin(TRAFFIC_S)
        assert len(site.torment("broker")) >= 4
        site.settle()
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=True)


def test_kill_9_of_edge_rules_and_broker(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path / "broker", persistence=True) as broker,
        scene(tmp_path, broker, chosen_seed()) as site,
    ):
        site.begin(2 * TRAFFIC_S)
        assert len(site.torment("edge", "rules", "broker")) >= 6
        heard_meters(site)
        site.settle()
        site.assert_exactly_once()
        site.assert_truth(edge_was_up=False)
