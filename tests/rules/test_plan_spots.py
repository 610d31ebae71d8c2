from __future__ import annotations

from typing import Any

from gateway.config.models import SiteFile
from rules.expansion import as_run, faults
from rules.plan_spots import plan_spots, with_plan

RULE: dict[str, Any] = {"name": "r", "shape": "travel", "on": "read", "use_plan": True}
FILE: dict[str, Any] = {
    "site": {"name": "harbour"},
    "plan": {
        "width_m": 2000,
        "height_m": 500,
        "place": [
            {"name": name, "x_m": x_m, "y_m": 10, "width_m": 30, "height_m": 20}
            for name, x_m in (("gate", 0), ("yard", 900), ("corner", 1900), ("desk", 400))
        ],
    },
    "reader": [
        {"name": "r-1", "driver": "llrp", "port": "tcp://h", "read_points": {1: "g-in", 2: "g-out", 3: "corner"}},
        {"name": "desk", "driver": "m100", "port": "tcp://i", "read_points": {1: "papers", 2: "g-in"}},
    ],
    "portal": [{"name": "gate", "outer": ["g-out"], "inner": ["g-in"]}],
    "zone": [{"name": "yard", "read_points": ["y-1", "corner"]}, {"name": "quay", "read_points": ["q-1"]}],
}


def file(**more: Any) -> SiteFile:
    return SiteFile.model_validate({**FILE, "rule": [{**RULE, **more}]})


def test_a_read_point_is_where_its_zone_portal_or_reader_is_drawn_unless_it_is_itself() -> None:
    found = plan_spots(file())
    assert {name: spot.covers for name, spot in found.items()} == {
        "gate": ["gate", "g-out", "g-in"],
        "yard": ["yard", "y-1"],
        "corner": ["corner"],
        "desk": ["desk", "papers"],
    }
    assert (found["yard"].x_m, found["yard"].y_m, found["yard"].width_m, found["yard"].height_m) == (900, 10, 30, 20)


def test_rules_that_ask_for_the_plan_get_its_places_behind_their_own() -> None:
    own = {"crane": {"x_m": 700, "y_m": 0, "covers": ["y-1"]}, "gate": {"x_m": 5, "y_m": 5, "covers": ["g-in"]}}
    (rule,) = as_run(file(spots=own)).rule
    assert rule.shape == "travel"
    assert {name: spot.covers for name, spot in rule.spots.items()} == {
        "crane": ["y-1"],
        "gate": ["g-in"],
        "yard": ["yard"],
        "corner": ["corner"],
        "desk": ["desk", "papers"],
    }
    assert faults(file(spots=own)) == []


def test_other_rules_stay_as_they_are() -> None:
    plain = file(use_plan=False, spots={"a": {"x_m": 0, "y_m": 0}, "b": {"x_m": 900, "y_m": 0}})
    assert with_plan(plain) is plain


def test_a_plan_with_nothing_far_apart_or_a_way_to_nowhere_is_a_fault() -> None:
    small = file(fastest_m_per_s=1000)
    (line,) = faults(small)
    assert line.startswith("site.toml: rule[r].spots: lie so close to each other")
    (line,) = faults(file(ways=[{"between": ["gate", "moon"], "least_s": 9}]))
    assert line.endswith("ways[0].between: neither a spot nor a place of the plan has the name 'moon'")
