from __future__ import annotations

import random

import pytest

from gateway.config.models import Portal, RulesSettings
from gateway.contract.batches import Batch, TagRead
from gateway.contract.events import Event
from rules.engine import Engine
from rules.things.thing import Thing
from tests.rules.play import EPC, Play, site, tag_read, us
from tests.rules.radio import Parked, Truck, World
from tests.rules.things.registries import NOTHING, registry


def gate(number: int = 0, **settings: float) -> Portal:
    name = f"lane-{number}"
    return Portal(name=name, outer=[f"{name}-outer"], inner=[f"{name}-inner"], **settings)


POINTS = [f"lane-{lane}-{side}" for lane in (0, 1) for side in ("outer", "inner")]


def play(*portals: Portal, settings: RulesSettings | None = None) -> Play:
    file = site(portals=portals or (gate(0), gate(1)), settings=settings)
    played = Play(file, registry({EPC: Thing("Truck 7", "truck")}))
    played.watch(0.0, *POINTS)
    return played


def drive(
    played: Play, at_s: float = 1.0, first: str = "lane-0-outer", second: str = "lane-0-inner", epc: str = EPC
) -> None:
    """A tag goes by one read point and 0.8 s later by the other."""
    for step in range(12):
        now_s = at_s + step * 0.1
        reads = []
        if step < 7:
            reads.append(tag_read(now_s, first, epc, -42.0 - abs(step - 3) * 2.0))
        if step >= 5:
            reads.append(tag_read(now_s, second, epc, -42.0 - abs(step - 8) * 2.0))
        played.reads(now_s, *reads)


def test_a_passage_with_its_evidence() -> None:
    played = play()
    drive(played)
    played.until(4.9)
    assert played.events == []
    played.until(6.5)
    [passage] = played.events
    assert (passage.type, passage.subject, passage.zone, passage.direction) == ("passage", EPC, "lane-0", "in")
    assert (passage.name, passage.fields, passage.historical) == ("Truck 7", {"kind": "truck"}, False)
    assert passage.at_us == pytest.approx(us(1.55), abs=50_000)
    evidence = passage.evidence
    assert (evidence.reads, evidence.read_points) == (14, ("lane-0-outer", "lane-0-inner"))
    assert (evidence.sequence_from, evidence.sequence_to, evidence.rssi_max_dbm) == (2, 13, -42.0)
    assert (evidence.first_seen_at_us, evidence.last_seen_at_us) == (us(1.0), us(2.1))
    assert 0.8 < (evidence.confidence or 0) <= 1.0
    assert played.engine.counters()["sessions"] == 0


def test_the_other_way_is_out() -> None:
    played = play()
    drive(played, first="lane-0-inner", second="lane-0-outer")
    played.until(8.0)
    assert [event.direction for event in played.events] == ["out"]


def test_strays_in_the_neighbour_lane_are_no_passage_there() -> None:
    played = play()
    drive(played)
    for step in range(8):
        at_s = 2.2 + step * 0.2
        played.read(at_s, "lane-1-outer" if step % 2 else "lane-1-inner", rssi_dbm=-62.0)
    played.until(12.0)
    assert played.types() == [("passage", "lane-0")]
    assert played.events[0].evidence.read_points == ("lane-0-outer", "lane-0-inner")


def test_the_strongest_lane_has_the_passage_even_if_it_was_heard_last() -> None:
    played = play()
    played.read(0.5, "lane-1-inner", rssi_dbm=-66.0, count=3)
    drive(played)
    played.until(8.0)
    assert played.types() == [("passage", "lane-0")]


def test_too_few_reads_are_a_stray() -> None:
    played = play()
    played.reads(1.0, tag_read(1.0, "lane-0-outer"), tag_read(1.0, "lane-0-inner"))
    played.until(8.0)
    assert played.events == []
    assert played.engine.counters()["portal_strays"] == 1


def test_one_side_alone_is_no_passage() -> None:
    played = play()
    for step in range(20):
        played.read(1.0 + step * 0.1, "lane-0-outer", rssi_dbm=-40.0)
    played.until(10.0)
    assert played.events == []
    assert played.engine.counters()["portal_lingered"] == 1


def test_two_passages_between_two_silences_are_two() -> None:
    played = play()
    drive(played)
    played.until(9.0)
    drive(played, 10.0, "lane-0-inner", "lane-0-outer")
    played.until(18.0)
    assert [event.direction for event in played.events] == ["in", "out"]


def test_a_session_stays_open_while_the_lane_is_not_watched() -> None:
    played = play()
    drive(played)
    played.watch(2.2, "lane-0-outer", "lane-1-outer", "lane-1-inner")
    played.until(60.0)
    assert played.events == []
    played.watch(60.5, *POINTS)
    played.until(66.0)
    assert [event.direction for event in played.events] == ["in"]


def test_a_session_at_a_lane_that_nobody_watches_is_forgotten_in_the_end() -> None:
    played = play(settings=RulesSettings(forget_after_s=120))
    drive(played)
    played.watch(2.2)
    played.until(200.0)
    counters = played.engine.counters()
    assert (counters["sessions"], counters["forgotten"]) == (0, 1)


def test_a_passage_out_of_a_readers_buffer_is_historical() -> None:
    played = play()
    played.until(900.0)
    lap = Play(played.file)
    drive(lap, 300.0)
    reads = [read for batch in lap.batches for read in getattr(batch, "reads", [])]
    played.reads(900.5, *reads)
    played.until(910.0)
    [passage] = played.events
    assert (passage.direction, passage.historical) == ("in", True)
    assert passage.at_us == pytest.approx(us(300.55), abs=50_000)


def test_a_floor_keeps_weak_reads_out() -> None:
    played = play(gate(0, rssi_floor_dbm=-30), gate(1))
    drive(played)
    played.until(8.0)
    assert played.events == []
    assert played.engine.counters()["sessions"] == 0


def passages(file_lanes: int, batches: list[Batch]) -> tuple[list[Event], dict[str, int]]:
    engine = Engine(site(portals=[gate(lane) for lane in range(file_lanes)]), NOTHING)
    events = [event for batch in batches for event in engine.step(batch).events]
    return [event for event in events if event.type == "passage"], engine.counters()


@pytest.mark.parametrize(("seed", "lanes", "apart_m"), [(11, 2, 3.0), (12, 3, 3.5), (13, 2, 4.0)])
def test_a_simulated_gate(seed: int, lanes: int, apart_m: float) -> None:
    """1.5 to 8 m/s, one truck in five stops at the barrier; strays of each lane in all others at -70 to -60 dBm."""
    world = World(random.Random(seed), lanes=lanes, apart_m=apart_m)
    world.traffic(1000)
    truth = {truck.epc: truck for truck in world.trucks}
    found, _ = passages(lanes, list(world.batches()))
    right = {
        event.subject
        for event in found
        if (truck := truth[event.subject]).direction == event.direction and event.zone == f"lane-{truck.lane}"
    }
    assert len(right) >= 999
    assert len(found) - len({event.subject for event in found}) == 0
    assert sum(1 for event in found if event.subject not in right) <= 1


def test_tags_that_stand_near_a_lane_are_no_ghosts() -> None:
    """Forty tags, each in view for minutes at -70 to -60 dBm: about 800 times in and out of hearing."""
    rng = random.Random(5)
    world = World(rng, lanes=2)
    for number in range(40):
        from_s = rng.uniform(0, 600)
        chance = rng.choice((0.003, 0.01, 0.03, 0.1, 0.3))
        parked = Parked(
            f"E200{number:020X}", number % 2, rng.uniform(-70, -60), chance, from_s, from_s + rng.uniform(60, 600)
        )
        world.parked.append(parked)
    found, counters = passages(2, list(world.batches()))
    assert counters["portal_strays"] + counters["portal_lingered"] > 400
    assert len(found) <= 3


def test_a_truck_that_is_turned_away_did_not_pass() -> None:
    rng = random.Random(3)
    world = World(rng, lanes=1)
    world.trucks += [
        Truck(EPC, 0, 1.0, 2.0, "in", 0.0),
    ]
    there = [batch for batch in world.batches() if batch.received_at_us < us(5.6)]
    played = Play(site(portals=[gate(0)]))
    played.watch(0.0, *POINTS)
    for batch in there:
        for read in getattr(batch, "reads", []):
            at_s = (read.seen_at_us - us(0)) / 1e6
            played.reads(at_s + 0.1, read)
    turned = [read for batch in there for read in getattr(batch, "reads", [])]
    for read in reversed(turned):
        back_s = 11.2 - (read.seen_at_us - us(0)) / 1e6
        played.reads(back_s + 0.1, tag_read(back_s, read.read_point, EPC, read.rssi_dbm, read.count))
    played.until(20.0)
    assert played.events == []
    assert played.engine.counters()["portal_lingered"] == 1


def test_rows_that_sum_up_a_passage_while_nobody_listened_keep_its_direction() -> None:
    played = play()
    # What an Impinj twin delivered when the edge came back: one row for a side, half of them later than the window.
    played.reads(
        3.95,
        TagRead(EPC, 1, "lane-0-outer", us(3.405), -42.58, 50, us(2.157)),
        TagRead(EPC, 2, "lane-0-inner", us(3.743), -40.51, 40, us(2.807)),
    )
    played.read(3.956, "lane-0-inner", rssi_dbm=-60.23)
    played.until(10.0)
    assert [event.direction for event in played.events] == ["in"]
