from __future__ import annotations

import pytest

from gateway.config.models import RulesSettings, Zone
from rules.things.thing import Thing
from tests.rules.play import EPC, OTHER, Play, site, tag_read, us
from tests.rules.things.registries import registry

YARD = Zone(name="yard", read_points=["yard-1", "yard-2"])
DOCK = Zone(name="dock", read_points=["dock-1"])
POINTS = ("yard-1", "yard-2", "dock-1")


def play(*zones: Zone, settings: RulesSettings | None = None) -> Play:
    played = Play(site(zones=zones or (YARD, DOCK), settings=settings), registry({EPC: Thing("Box 4", "container")}))
    played.watch(0.0, *POINTS)
    return played


def test_a_tag_arrives_when_enough_reads_come_in_time() -> None:
    played = play()
    played.read(1.0, "yard-1", rssi_dbm=-55.0)
    played.read(1.4, "yard-2", rssi_dbm=-45.0)
    played.until(3.0)
    [arrived] = played.events
    assert (arrived.type, arrived.zone, arrived.subject, arrived.at_us) == ("arrived", "yard", EPC, us(1.0))
    assert (arrived.name, arrived.fields) == ("Box 4", {"kind": "container"})
    evidence = arrived.evidence
    assert (evidence.reads, evidence.read_points, evidence.rssi_max_dbm) == (2, ("yard-1", "yard-2"), -45.0)
    assert (evidence.gateway, evidence.epoch, evidence.sequence_from, evidence.sequence_to) == ("edge-1", 7, 2, 3)
    assert evidence.confidence == 1.0


@pytest.mark.parametrize(("gap_s", "arrives"), [(1.9, True), (2.3, False)])
def test_a_stray_read_is_no_arrival(gap_s: float, arrives: bool) -> None:  # noqa: FBT001 - a parameter of the test
    played = play()
    played.read(1.0, "yard-1")
    played.until(1.0 + gap_s)
    played.read(1.0 + gap_s, "yard-1")
    played.until(12.0)
    assert (("arrived", "yard") in played.types()) is arrives
    if not arrives:
        assert played.engine.counters()["glimpses"] == 2
        assert played.engine.counters()["tags"] == 0


def test_one_row_that_stands_for_two_air_reads_is_enough() -> None:
    played = play()
    played.read(1.0, "yard-1", count=2)
    played.until(3.0)
    assert played.types() == [("arrived", "yard")]


def test_a_tag_departs_after_watched_silence_and_says_when_it_was_last_seen() -> None:
    played = play()
    played.read(1.0, "yard-1", count=2)
    played.read(2.5, "yard-1")
    played.until(7.9)
    assert played.types() == [("arrived", "yard")]
    played.until(9.0)
    departed = played.events[-1]
    assert (departed.type, departed.zone, departed.at_us) == ("departed", "yard", us(2.5))
    assert departed.evidence.reads == 3
    assert departed.fields["dwell_s"] == 1.5
    assert departed.evidence.confidence is not None
    assert departed.evidence.confidence > 0.95
    assert played.engine.counters()["tags"] == 0


def test_no_tag_departs_while_one_of_its_antennas_is_not_watched() -> None:
    played = play()
    played.read(1.0, "yard-1", count=2)
    played.watch(2.0, "yard-1", "dock-1")
    played.until(60.0)
    assert played.types() == [("arrived", "yard")]
    played.watch(60.5, *POINTS)
    played.until(64.0)
    assert played.types() == [("arrived", "yard")]
    played.until(67.0)
    assert played.types()[-1] == ("departed", "yard")
    assert played.events[-1].evidence.confidence == pytest.approx(0.08, abs=0.01)


def test_a_status_takes_the_watch_away() -> None:
    played = play()
    played.read(1.0, "dock-1", count=2)
    played.status(1.5, "reader-1", "offline")
    played.watched = ["yard-1", "yard-2"]
    played.until(30.0)
    assert played.types() == [("arrived", "dock")]


def test_the_last_will_of_a_gateway_takes_every_watch_away() -> None:
    played = play()
    played.read(1.0, "dock-1", count=2)
    played.status(1.2, "edge-1", "offline")
    assert played.engine._gateways["edge-1"].tracker.watched.row.now == frozenset()


@pytest.mark.parametrize("broken", ["silence", "sequence", "epoch"])
def test_nobody_departs_in_a_time_of_which_nothing_is_known(broken: str) -> None:
    played = play()
    played.read(1.0, "dock-1", count=2)
    played.until(3.0)
    for step in range(20):
        if broken == "sequence":
            played.sequence += 1
        played.tick(4.0 + step * (30.0 if broken == "silence" else 1.0))
        if broken == "epoch":
            played.sequence = 0
            played.epoch = step + 100
    assert played.types() == [("arrived", "dock")]


def test_a_tag_moves_to_the_zone_that_hears_it_better() -> None:
    played = play()
    for step in range(10):
        played.reads(1.0 + step * 0.2, tag_read(1.0 + step * 0.2, "yard-1", rssi_dbm=-50.0))
    for step in range(20):
        at_s = 3.0 + step * 0.2
        played.reads(at_s, tag_read(at_s, "yard-1", rssi_dbm=-62.0), tag_read(at_s, "dock-1", rssi_dbm=-48.0))
    played.until(8.0)
    assert played.types() == [("arrived", "yard"), ("moved", "dock")]
    moved = played.events[-1]
    assert moved.from_zone == "yard"
    assert us(3.0) < moved.at_us < us(4.5)
    assert moved.evidence.read_points == ("dock-1",)
    assert 0.5 < (moved.evidence.confidence or 0) < 1.0


def test_a_tag_between_two_zones_does_not_flicker() -> None:
    played = play()
    for step in range(200):
        at_s = 1.0 + step * 0.1
        level = -50.0 + (step % 7) * 0.5
        played.reads(at_s, tag_read(at_s, "yard-1", rssi_dbm=level), tag_read(at_s, "dock-1", rssi_dbm=-101.0 - level))
    assert [kind for kind, _ in played.types()] == ["arrived"]


def test_a_zone_that_falls_silent_loses_the_tag_to_a_weaker_one() -> None:
    played = play()
    played.reads(1.0, tag_read(1.0, "yard-1", rssi_dbm=-40.0, count=5))
    for step in range(30):
        played.read(1.2 + step * 0.2, "dock-1", rssi_dbm=-65.0)
    assert ("moved", "dock") in played.types()


def test_one_stray_read_of_a_strong_neighbour_moves_nothing() -> None:
    played = play()
    for step in range(20):
        played.read(1.0 + step * 0.2, "yard-1", rssi_dbm=-60.0)
        if step == 10:
            played.read(3.05, "dock-1", rssi_dbm=-30.0)
    played.until(6.0)
    assert played.types() == [("arrived", "yard")]


def test_a_read_point_that_no_zone_names_is_a_zone_of_its_own() -> None:
    played = play()
    played.watch(0.5, *POINTS, "Lone_Point")
    played.read(1.0, "Lone_Point", count=2)
    played.until(9.0)
    assert played.types() == [("arrived", "Lone_Point"), ("departed", "Lone_Point")]


def test_weak_reads_are_not_counted_where_a_floor_is_set() -> None:
    played = play(Zone(name="dock", read_points=["dock-1"], rssi_floor_dbm=-60))
    played.read(1.0, "dock-1", rssi_dbm=-60.5, count=9)
    played.until(3.0)
    assert played.events == []


def test_reads_from_the_buffer_of_a_reader_are_judged_late_and_marked_historical() -> None:
    played = play()
    played.until(1000.0)
    played.reads(1000.2, tag_read(400.0, "dock-1"), tag_read(400.5, "dock-1"))
    played.until(1010.0)
    assert [(event.type, event.at_us, event.historical) for event in played.events] == [
        ("arrived", us(400.0), True),
        ("departed", us(400.5), True),
    ]
    assert played.engine.counters()["late_reads"] == 2


def test_a_tag_that_is_heard_again_is_not_historical_any_more() -> None:
    played = play()
    played.until(1000.0)
    played.reads(1000.2, tag_read(400.0, "dock-1"), tag_read(400.5, "dock-1"))
    played.read(1002.0, "dock-1")
    played.until(1010.0)
    assert [(event.type, event.historical) for event in played.events] == [("arrived", True), ("departed", False)]


def test_late_reads_elsewhere_do_not_move_a_tag_that_is_here() -> None:
    played = play()
    played.until(1000.0)
    for step in range(40):
        played.read(1000.0 + step * 0.1, "yard-1", rssi_dbm=-60.0)
        if step == 20:
            played.reads(1002.05, *(tag_read(400.0 + n / 10, "dock-1", rssi_dbm=-30.0) for n in range(5)))
    assert played.types() == [("arrived", "yard")]


def test_reads_within_the_lateness_window_come_in_any_order() -> None:
    played = play()
    played.reads(1.0, tag_read(1.0, "yard-1"))
    played.reads(1.3, tag_read(0.9, "yard-1"))
    played.until(3.0)
    assert [event.at_us for event in played.events] == [us(0.9)]
    assert played.engine.counters()["late_reads"] == 0


def test_a_tag_in_a_zone_that_nobody_watches_is_forgotten_in_the_end() -> None:
    played = play(settings=RulesSettings(forget_after_s=300))
    played.read(1.0, "yard-1", count=2)
    played.watch(2.0)
    played.until(290.0)
    assert played.engine.counters()["tags"] == 1
    played.until(420.0)
    assert played.engine.counters()["tags"] == 0
    assert played.engine.counters()["forgotten"] == 1


def test_events_of_one_moment_come_in_order_of_time_and_tag() -> None:
    played = play()
    played.reads(1.0, tag_read(1.0, "dock-1", OTHER, count=2), tag_read(1.0, "yard-1", EPC, count=2))
    played.until(10.0)
    assert [(event.type, event.subject) for event in played.events] == [
        ("arrived", EPC), ("arrived", OTHER), ("departed", EPC), ("departed", OTHER),
    ]  # fmt: skip


def test_a_tag_that_flaps_between_zones_is_enrolled_once_in_each() -> None:
    played = play(Zone(name="yard", read_points=["yard-1"], depart_after_s=60), DOCK)
    for step in range(600):
        at_s = 1.0 + step * 0.1
        near, far = ("yard-1", "dock-1") if step // 40 % 2 else ("dock-1", "yard-1")
        played.reads(at_s, tag_read(at_s, near, rssi_dbm=-40.0), tag_read(at_s, far, rssi_dbm=-70.0))
    places = played.engine._gateways["edge-1"].tracker.zones._places
    assert sum(1 for event in played.events if event.type == "moved") > 10
    assert sum(len(slot) for place in places.values() for slot in place.wheel.values()) <= 15


def test_a_tag_that_departs_while_it_is_glimpsed_elsewhere_keeps_the_glimpse() -> None:
    played = play(YARD, Zone(name="dock", read_points=["dock-1"], arrive_within_s=20))
    played.read(1.0, "yard-1", count=2)
    played.until(4.0)
    played.read(4.0, "dock-1")
    played.until(9.0)
    assert played.types() == [("arrived", "yard"), ("departed", "yard")]
    played.read(9.5, "dock-1")
    played.until(12.0)
    assert played.types()[-1] == ("arrived", "dock")
