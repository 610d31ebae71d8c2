from __future__ import annotations

import time

import pytest

from gateway.config.models import Portal, Reader, RulesSettings, Site, SiteFile, Zone
from gateway.config.rules import AlarmSettings, HoldRule, MatchRule
from rules.engine import Engine
from rules.presence.tracker import floors_of
from tests.rules.play import OTHER, Play, site, us


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


def test_a_clock_that_was_hours_ahead_and_is_set_back_stops_nothing_and_forgets_nobody() -> None:
    hours_s = 8 * 3600.0
    hold = HoldRule(
        shape="hold", name="open", on="signal", when='e.name == "door" && e.value == true', for_s=5,
        alarm=AlarmSettings(),
    )  # fmt: skip
    match = MatchRule(shape="match", name="seen", on="arrived", alarm=AlarmSettings())
    gate = Portal(name="lane", outer=["out"], inner=["in"])
    zones = [Zone(name="yard", read_points=["p"], depart_after_s=3)]

    def played(*, is_set_back: bool, restarts: bool = False) -> Play:
        play = Play(site(hold, match, zones=zones, portals=[gate], settings=RulesSettings(read_rate_every_s=5)))
        ahead_s = hours_s if is_set_back else 0.0
        play.watch(ahead_s, "p", "out", "in")
        play.read(ahead_s + 1.0, "p", count=2)
        play.signal(ahead_s + 1.5, "door", value=True)
        for tenth in range(6):
            play.read(ahead_s + 2.0 + tenth / 10, "out", OTHER, count=3)
        play.read(ahead_s + 2.9, "p", count=2)  # waits in the lateness window while the clock is set
        if restarts:
            engine = Engine(play.file, play.things)
            engine.restore([(key, value) for key, value in play.engine.changes() if value is not None])
            play.engine = engine
        play.at_s = 3.0
        for tenth in range(6):
            play.read(3.0 + tenth / 10, "in", OTHER, count=3)
        play.until(12.0)
        return play

    straight = played(is_set_back=False)
    expected = [("arrived", "yard"), ("departed", "yard"), ("passage", "lane")]
    assert sorted(straight.types()) == expected
    for restarts in (False, True):
        play = played(is_set_back=True, restarts=restarts)
        assert sorted(play.types()) == expected
        assert play.engine.counters()["clocks_set_back"] == 1
        assert {(a.rule, a.state) for a in play.alarms} == {("open", "raised"), ("seen", "raised")}
        after = [event for event in play.events if event.type != "arrived"]
        assert all(0 < event.at_us - us(0) < 12_000_000 for event in after)  # by the clock as it is now
        assert [alarm.at_us < us(12.0) for alarm in play.alarms if alarm.rule == "open"] == [True]
        assert len([point for point in play.points if point.measurement == "read_rate"]) >= 3


def test_a_clock_that_is_a_little_back_is_waited_out() -> None:
    play = Play(site())
    play.watch(20.0, "p")
    play.read(12.0, "p", count=2)
    play.tick(20.5)
    assert play.engine.counters()["clocks_set_back"] == 0
    play.until(23.0)
    assert play.types() == [("arrived", "p")]


def test_read_points_without_end_are_counted_and_make_no_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.presence.reorder.MOST_POINTS", 3)
    play = Play(site())
    play.watch(0.0)
    for n in range(6):
        play.read(1.0 + n / 10, f"p{n}", f"3034{n:020X}", count=2)
    play.read(2.0, "p9", count=2, late_s=-30)
    play.until(5.0)
    assert play.types() == [("arrived", "p0"), ("arrived", "p1"), ("arrived", "p2")]
    assert play.engine.counters()["points_refused"] == 4
