from __future__ import annotations

from gateway.config.rules import MatchRule, SessionRule
from rules import expansion
from rules.packs.factory import PACK
from rules.packs.factory.routes import rules
from rules.packs.factory.settings import MOST_STATIONS, FactorySettings, Line
from tests.rules.packs.factory.factories import WHOLE, site


def line(**changed: object) -> Line:
    return Line.model_validate(WHOLE["line"][0] | changed)


def test_two_stations_have_nothing_that_can_be_skipped() -> None:
    made = rules("hall", line(station=[{"zone": "a"}, {"zone": "b"}], cycle_s=None, wip_most=None))
    assert [rule.name for rule in made] == [
        "hall-l1-arrived", "hall-l1-moved", "hall-l1-wip", "hall-l1-route", "hall-l1-step-a",
    ]  # fmt: skip


def test_an_optional_station_is_neither_required_nor_missed() -> None:
    stations = [{"zone": "a"}, {"zone": "b", "optional": True}, {"zone": "c"}, {"zone": "d"}]
    made = {rule.name: rule for rule in rules("hall", line(station=stations))}
    route = made["hall-l1-route"]
    assert isinstance(route, SessionRule)
    assert (list(route.collect), route.require) == (["a", "b", "c", "d"], ["a", "c", "d"])
    assert "hall-l1-skipped-b" not in made
    assert "hall-l1-skipped-c" in made


def test_only_its_kinds_and_classes_run_on_a_line() -> None:
    mark = rules("hall", line())[0]
    assert isinstance(mark, MatchRule)
    assert mark.when.startswith('e.kind in ["pallet"] && e.class in ["euro"] && e.zone in ["filling",')
    mark = rules("hall", line(kinds=[], classes=[]))[0]
    assert isinstance(mark, MatchRule)
    assert mark.when.startswith("e.zone in [")


def test_the_longest_line_with_the_longest_names_can_be_run() -> None:
    stations = [{"zone": f"station-{index:08}"} for index in range(MOST_STATIONS)]
    longest = {"line": [{"name": "a" * 16, "station": stations}]}
    known = site(WHOLE).model_dump()
    zones = [{"name": each["zone"], "read_points": [f"p-{each['zone']}"]} for each in stations]
    used = site(longest).model_copy(update={"zone": site(WHOLE).model_validate(known | {"zone": zones}).zone})
    assert expansion.faults(used) == []
    assert max(len(rule.name) for rule in PACK.rules("hall", FactorySettings.model_validate(longest))) <= 64
