import csv
from itertools import pairwise

from simulator import scenario
from simulator.scenario_file import load

START_US = 1_767_225_600_000_000


def test_the_port_gate_has_two_lanes_and_eight_meters() -> None:
    file = load("port_gate")
    world = scenario.build(file, 7, START_US, 60)
    assert [lane.name for lane in file.lane] == ["lane-1", "lane-2"]
    assert len(world.loads["substation"]) == 8
    assert world.truth() == scenario.build(file, 7, START_US, 60).truth()


def test_every_tag_and_enrolled_card_of_the_truth_is_a_named_thing() -> None:
    world = scenario.build(load("showcase"), 7, START_US, 60)
    rows = list(csv.DictReader(world.assets_csv().splitlines()))
    names = {row["epc"]: row["name"] for row in rows if row["epc"]}
    holders = {row["name"] for row in rows if row["card"]}
    truth = world.truth()
    for kind, name in (("passages", "container"), ("papers", "container"), ("visits", "pallet")):
        things = truth[kind]
        assert isinstance(things, list)
        assert things
        assert all(names[thing["epc"]] == thing[name] for thing in things)
    cards = truth["cards"]
    assert isinstance(cards, list)
    assert {card["holder"] for card in cards if card["is_enrolled"]} == holders
    assert {card["holder"] for card in cards if not card["is_enrolled"]}.isdisjoint(holders)


def test_visits_and_weighings_are_of_places_that_exist() -> None:
    file = load("factory_line")
    truth = scenario.build(file, 7, START_US, 60).truth()
    visits, weighings = truth["visits"], truth["weighings"]
    assert isinstance(visits, list)
    assert isinstance(weighings, list)
    assert {visit["station"] for visit in visits} == set(file.conveyor[0].stations)
    assert all(a["at_us"] <= b["at_us"] for a, b in pairwise(visits))
    assert {weighing["scale"] for weighing in weighings} == {"bridge"}


def test_trucks_that_stop_at_gates_are_in_the_truth_and_in_the_lists() -> None:
    world = scenario.build(load("truck_gate"), 7, START_US, 60)
    assert {visit.gate.name for visit in world.stopped} == {"gate-in", "gate-out"}
    rows = list(csv.DictReader(world.assets_csv().splitlines()))
    kinds = {row["name"]: row["kind"] for row in rows}
    assert all(kinds[visit.truck] == "truck" for visit in world.stopped)
    assert all(kinds[visit.container.code] == "container" for visit in world.stopped)
    assert all(kinds[visit.driver.name] == "person" for visit in world.stopped if visit.gate.has_cards)
    cards = world.truth()["cards"]
    assert isinstance(cards, list)
    assert {card["reader"] for card in cards} == {"gate-card"}
    assert set(world.tables()) == {"appointments.csv", "customs.csv", "vehicles.csv"}
    assert scenario.build(load("switchboard"), 7, START_US, 60).tables() == {}
