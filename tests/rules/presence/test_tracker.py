from __future__ import annotations

import time

from gateway.config.models import Portal, Reader, RulesSettings, Site, SiteFile, Zone
from rules.presence.tracker import floors_of
from tests.rules.play import Play, site


def test_a_read_point_has_the_floor_of_its_places() -> None:
    file = site(
        zones=[
            Zone(name="a", read_points=["p", "q"], rssi_floor_dbm=-60),
            Zone(name="b", read_points=["r"], rssi_floor_dbm=-50),
            Zone(name="c", read_points=["s"]),
        ],
        portals=[Portal(name="d", outer=["q"], inner=["r"], rssi_floor_dbm=-70)],
    )
    assert floors_of(file) == {"p": -60, "q": -70, "r": -70}


def test_a_read_point_of_the_site_file_has_a_rate_before_anything_is_read() -> None:
    reader = Reader(name="gate", driver="llrp", port="tcp://192.0.2.1", read_points={1: "p", 2: "q"})
    file = SiteFile(site=Site(name="harbour"), rules=RulesSettings(read_rate_every_s=5), reader=[reader])
    play = Play(file)
    play.watch(0.0, "p", "meter-1")
    play.until(7.0)
    [rate] = [point for point in play.points if point.measurement == "read_rate"]
    assert dict(rate.tags) == {"site": "harbour", "device": "gate", "read_point": "p", "antenna_port": "1"}
    assert dict(rate.fields) == {"reads": 0, "unique_tags": 0, "watched_s": 5.0}


def test_a_month_of_darkness_is_passed_over() -> None:
    play = Play(site())
    play.watch(0.0, "p")
    play.read(1.0, "p", count=2)
    play.until(4.0)
    began = time.process_time()
    play.tick(30 * 86_400.0)
    assert time.process_time() - began < 1.0
    assert play.types() == [("arrived", "p")]
    play.watched = ["p"]
    play.until(30 * 86_400.0 + 10)
    assert play.types() == [("arrived", "p")]
    assert play.engine.counters()["forgotten"] == 1


def test_reads_wait_for_the_lateness_window() -> None:
    play = Play(site(settings=RulesSettings(lateness_s=2)))
    play.watch(0.0, "p")
    play.read(1.0, "p", count=2)
    play.tick(2.9)
    assert play.events == []
    play.tick(3.1)
    assert play.types() == [("arrived", "p")]
