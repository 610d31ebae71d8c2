from collections import Counter

from simulator.scenario import build
from simulator.scenario_file import load
from simulator.world.car_park import ENTRY, Visitor
from simulator.world.car_park_truth import LANES, expected, holders_csv
from tests.simulator.world.test_car_park import LONGEST_S, START_US, US_PER_S, made


def test_every_card_is_decided_once_and_every_granted_one_raises_a_barrier() -> None:
    shown = made()
    found = expected(shown, LONGEST_S)
    told = Counter(each.type for each in found)
    granted = [each for each in shown if each.is_granted]
    assert told["access-decision"] == len(shown)
    assert told["barrier-raised"] == len(granted) == 2 * told["parking-visit"]
    assert told["parking-violation"] == sum(each.visitor is Visitor.AGAIN for each in shown)
    assert 0 < told["parking-overstay"] < told["parking-visit"]


def test_a_refusal_says_why_and_a_stay_how_long() -> None:
    shown = made(duration_s=25)
    found = expected(shown, LONGEST_S)
    again = next(each for each in shown if each.visitor is Visitor.AGAIN)
    decision = next(each for each in found if each.type == "access-decision" and each.at_us == again.at_us)
    assert decision.match == {
        "subject": LANES[ENTRY],
        "verdict": "refused",
        "reasons": "The holder has entered already",
        "name": again.holder.name,
    }
    visit = next(each for each in found if each.type == "parking-visit" and each.match["subject"] == again.holder.name)
    assert float(visit.match["dwell_s"]) > LONGEST_S
    overstay = next(each for each in found if each.type == "parking-overstay")
    assert overstay.at_us == shown[0].at_us + LONGEST_S * US_PER_S


def test_nothing_is_expected_of_the_name_of_a_stranger() -> None:
    strangers = {each.at_us for each in made() if each.visitor is Visitor.STRANGER}
    said = [each.match for each in expected(made(), LONGEST_S) if each.at_us in strangers]
    assert len(said) == len(strangers) > 0
    assert all("name" not in match and match["reasons"] == "The card is not known" for match in said)


def test_the_table_has_every_enrolled_holder_once() -> None:
    shown = made()
    head, *lines = holders_csv(shown, START_US).splitlines()
    assert head == "holder,list,valid_until"
    rows = dict(line.split(",citizens,") for line in lines)
    assert set(rows) == {each.holder.name for each in shown if each.holder.is_enrolled}
    expired = next(each.holder.name for each in shown if each.visitor is Visitor.EXPIRED)
    assert rows[expired] == "2025-12-31T00:00:00+00:00"
    assert rows[shown[0].holder.name] == "2027-01-01T00:00:00+00:00"


def test_the_scenario_has_the_table_and_the_truth() -> None:
    world = build(load("car_park"), 7, START_US, 25)
    assert set(world.tables()) == {"holders.csv"}
    truth = world.truth()
    assert truth["never"] == ["barrier-unmatched"]
    assert world.expected
    assert len(world.expected) == len(expected(world.shown, LONGEST_S))
