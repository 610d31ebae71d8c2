from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rules.packs.factory.settings import FactorySettings

STATIONS = [{"zone": "filling"}, {"zone": "sealing"}, {"zone": "dispatching"}]
LINE: dict[str, Any] = {"name": "l1", "station": STATIONS}
TOOLS: dict[str, Any] = {"name": "tools", "kinds": ["tool"], "homes": ["crib"]}
LOOM: dict[str, Any] = {"name": "loom", "longest_stop_s": 60}


def line(**changed: object) -> dict[str, Any]:
    return {"line": [LINE | changed]}


def station(index: int, **changed: object) -> dict[str, Any]:
    changed_stations = [each | changed if at == index else each for at, each in enumerate(STATIONS)]
    return line(station=changed_stations)


def custody(**changed: object) -> dict[str, Any]:
    return {"custody": [TOOLS | changed]}


def machine(**changed: object) -> dict[str, Any]:
    return {"machine": [LOOM | changed]}


@pytest.mark.parametrize("settings", [line(), custody(), machine()])
def test_little_is_enough(settings: dict[str, Any]) -> None:
    FactorySettings.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({}, "line: is missing; describe at least one line, custody or machine"),
        ({"line": [LINE, LINE]}, "two are called 'l1'"),
        ({"line": [LINE], "custody": [TOOLS | {"name": "l1"}]}, "two are called 'l1'"),
        ({"machine": [LOOM, LOOM]}, "'loom' stands twice"),
        (line(station=[*STATIONS, {"zone": "filling"}]), "zone 'filling' stands twice"),
        (line(station=[*STATIONS, {"zone": "x", "name": "filling"}]), "two are called 'filling'"),
        (line(station=STATIONS[:1]), "at least 2 items"),
        (line(name="a-name-that-is-too-long"), "match pattern"),
        (line(kinds=['pal"let']), "match pattern"),
        (line(exits=["sealing"]), "exits: 'sealing' is a station, too"),
        (line(cycle_s=7200, give_up_s=60), "give_up_s: must be more than every time"),
        (station(0, optional=True), "'filling' cannot be optional: the route begins there"),
        (station(2, optional=True), "'dispatching' cannot be optional: the route ends there"),
        (station(2, cycle_s=5), "cycle_s of the last, 'dispatching', is never asked for"),
        (station(2, stuck_after_s=5), "stuck_after_s of the last"),
        (station(1, watched=["dispatch"]), "watched: goes with stuck_after_s"),
        (station(1, zone="7-sealing"), "'7_sealing' is no name of a field"),
        (station(1, zone="a-zone-with-a-long-name"), "name: is missing"),
        (station(1, name="missing"), "'missing' is the name of another field"),
        (station(1, name="order"), "'order' is the name of another field"),
        (station(1, stations=3), "Extra inputs are not permitted"),
        (line(cycle_s=5, station=[{"zone": "a", "cycle_s": 6}, {"zone": "b"}]), "cycle_s: is less than that of its"),
        (custody(kinds=[]), "kinds: is missing"),
        (custody(homes=[]), "homes: either this, or home"),
        (custody(home="home", table="tools"), "homes: either this, or home"),
        (custody(home="home", homes=[]), "table: goes with home or due"),
        (custody(table="tools"), "table: goes with home or due"),
        (custody(due="due"), "table: goes with home or due"),
        (custody(desks={"yard": ["desk-1"]}), "desks: 'yard' is none of homes"),
        (custody(desks={"crib": []}), "desks: a home without a read point"),
        (custody(watched=["crib-1"]), "watched: goes with back_within_days"),
        (machine(longest_stop_s=None), "longest_stop_s: is missing; without any limit"),
        (machine(speed_least=3), "speed_least: goes with speed_signal"),
        (machine(longest_stop_s=None, oee_least=0.5, planned_reasons=["x"]), "planned_reasons: goes with"),
        (machine(oee_least=60), "less than or equal to 1"),
    ],
)  # fmt: skip
def test_a_fault_says_what_to_do(settings: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault.replace("[", r"\[").replace("(", r"\(")):
        FactorySettings.model_validate(settings)


def test_a_station_is_called_as_its_zone() -> None:
    settings = FactorySettings.model_validate(line(station=[{"zone": "fill-1"}, {"zone": "x", "name": "seal"}]))
    assert [each.called for each in settings.line[0].station] == ["fill_1", "seal"]


def test_a_machine_is_heard_from_its_device() -> None:
    settings = FactorySettings.model_validate({"machine": [LOOM, LOOM | {"name": "other", "device": "plc-1"}]})
    assert [each.heard_from for each in settings.machine] == ["loom", "plc-1"]
