from __future__ import annotations

from collections import Counter

from simulator.world.pallet_rules import TYPES, expected, never
from simulator.world.pallet_ways import Mishap
from simulator.world.pallets import Conveyor, pallets

START_US = 1_767_225_600_000_000
STATIONS = {"fill": 0.0, "seal": 5.0, "label": 10.0, "dispatch": 15.0}
MISHAPS = {1: Mishap.DISORDERED, 2: Mishap.STUCK, 3: Mishap.SKIPPED}
LINE = Conveyor("line-1", 0.0, STATIONS, 4.0, 2.0, MISHAPS)


def test_each_mishap_befalls_the_pallets_that_it_should() -> None:
    made = pallets(3, [LINE], START_US, 300)
    assert [each.mishap for each in made[:11]] == [
        Mishap.DISORDERED, Mishap.STUCK, Mishap.SKIPPED, *[None] * 7, Mishap.DISORDERED,
    ]  # fmt: skip
    assert all(each.present_until_us <= START_US + 300_000_000 for each in made)


def test_a_mishap_that_would_last_too_long_does_not_happen() -> None:
    made = pallets(3, [LINE], START_US, 13)
    assert [each.mishap for each in made] == [None]


def test_a_pallet_that_runs_straight_on_completes_its_route() -> None:
    (pallet, *_) = pallets(3, [Conveyor("line-1", 0.0, STATIONS, 4.0, 2.0)], START_US, 60)
    (route,) = expected([pallet])
    assert (route.type, route.at_us) == ("route-completed", dict(pallet.visits())["dispatch"])
    assert route.match["duration_s"] == 7.5
    assert route.match["order"] == "kept"


def test_what_is_expected_of_each_mishap() -> None:
    found = {
        pallet.mishap: Counter(each.type for each in expected([pallet]))
        for pallet in pallets(3, [LINE], START_US, 300)[:3]
    }
    assert found == {
        Mishap.DISORDERED: {
            "station-skipped": 2, "station-out-of-order": 1, "route-completed": 1, "cycle-overrun": 1,
        },
        Mishap.STUCK: {"thing-stuck": 1, "route-completed": 1, "cycle-overrun": 1},
        Mishap.SKIPPED: {"station-skipped": 1, "route-incomplete": 1},
    }  # fmt: skip
    (missed,) = [each for each in expected(pallets(3, [LINE], START_US, 300)[:3]) if each.type == "route-incomplete"]
    assert missed.match["missing"] == "label"


def test_what_no_pallet_gives_cause_for_must_never_come() -> None:
    made = pallets(3, [LINE], START_US, 300)
    assert never(made) == ["wip-full", "queue-full"]
    assert never(made[3:5]) == [each for each in TYPES if each != "route-completed"]
    assert never([]) == []
