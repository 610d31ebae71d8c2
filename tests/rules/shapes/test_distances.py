from __future__ import annotations

from typing import Any

import pytest

from gateway.config.identity_rules import Spot, TravelRule, Way
from rules.shapes.distances import faults_of_travel, gap_m, legs_of, spots_by_value


def rule(spots: dict[str, Spot], *ways: tuple[str, str, float], **more: Any) -> TravelRule:
    between = [Way(between=[a, b], least_s=least_s) for a, b, least_s in ways]
    given: dict[str, Any] = {"fastest_m_per_s": 10, "reach_m": 20, "clocks_differ_s": 2, **more}
    return TravelRule(shape="travel", name="r", on="read", spots=spots, ways=between, **given)


def at(x_m: float, y_m: float = 0, **more: Any) -> Spot:
    return Spot(x_m=x_m, y_m=y_m, **more)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (at(0), at(300, 400), 500),
        (at(0, 0, width_m=100, height_m=100), at(103, 104), 5),
        (at(0, 0, width_m=100, height_m=100), at(50, 50), 0),
        (at(0, 0, width_m=100), at(20, 30, width_m=5), 30),
        (at(0), Spot(), None),
    ],
)
def test_the_gap_is_from_edge_to_edge(one: Spot, other: Spot, expected: float | None) -> None:
    assert gap_m(one, other) == gap_m(other, one) == expected


def test_both_reaches_count_as_travelled_and_clocks_may_differ() -> None:
    legs = legs_of(rule({"a": at(0), "b": at(540), "c": at(540, reach_m=120)}))
    assert legs["a", "b"] == legs["b", "a"]
    assert (legs["a", "b"].least_us, legs["a", "b"].close_us, legs["a", "b"].way_m) == (50_000_000, 48_000_000, 500)
    assert legs["a", "c"].way_m == 400
    assert ("b", "c") not in legs


def test_what_was_measured_goes_before_the_distance() -> None:
    spots = {"a": at(0), "b": at(540), "nowhere": Spot()}
    legs = legs_of(rule(spots, ("b", "a", 90), ("a", "nowhere", 30)))
    assert (legs["a", "b"].least_us, legs["a", "b"].way_m) == (90_000_000, 500)
    assert (legs["nowhere", "a"].least_us, legs["nowhere", "a"].way_m) == (30_000_000, None)
    assert ("b", "nowhere") not in legs
    assert legs_of(rule(spots, ("b", "a", 0))) == {}


def test_places_that_are_no_further_apart_than_clocks_conclude_nothing() -> None:
    assert legs_of(rule({"a": at(0), "b": at(60)})) == {}
    assert legs_of(rule({"a": at(0), "b": at(60.1)})) != {}


def test_a_rule_that_can_conclude_nothing_has_a_fault() -> None:
    assert list(faults_of_travel(rule({"a": at(0), "b": at(540)}))) == []
    (fault,) = faults_of_travel(rule({"a": at(0), "b": at(30)}))
    assert fault.startswith("spots: lie so close to each other")
    drawn = rule({"a": at(0), "b": at(540)}, use_plan=True).model_copy(
        update={"ways": [Way(between=["a", "z"], least_s=1)]}
    )
    (fault,) = faults_of_travel(drawn)
    assert fault == "ways[0].between: neither a spot nor a place of the plan has the name 'z'"


def test_a_spot_covers_what_it_names_or_itself() -> None:
    assert spots_by_value(rule({"a": at(0, covers=["p", "q"]), "b": at(540)})) == {"p": "a", "q": "a", "b": "b"}
