from __future__ import annotations

from itertools import pairwise

import pytest

from simulator.world.pallet_ways import ASIDE_M, HALT_S, LIFT_S, Mishap, Point, way

STATIONS = [("fill", 0.0), ("seal", 5.0), ("label", 10.0), ("dispatch", 15.0)]


def test_straight_on() -> None:
    straight = way(STATIONS, 3.0, 2.0)
    assert straight.visits == (("fill", 1.5), ("seal", 4.0), ("label", 6.5), ("dispatch", 9.0))
    assert straight.lasts_s == 10.5
    assert straight.at(2.5) == Point(2.5, 2.0)
    assert straight.at(12.5).x_m == pytest.approx(22.0)


@pytest.mark.parametrize(
    ("mishap", "stations"),
    [
        (Mishap.SKIPPED, ["fill", "seal", "dispatch"]),
        (Mishap.DISORDERED, ["fill", "label", "seal", "dispatch"]),
        (Mishap.STUCK, ["fill", "seal", "label", "dispatch"]),
    ],
)
def test_the_stations_of_each_mishap(mishap: Mishap, stations: list[str]) -> None:
    taken = way(STATIONS, 3.0, 2.0, mishap)
    assert [station for station, _ in taken.visits] == stations
    places = dict(STATIONS)
    for station, after_s in taken.visits:
        assert taken.at(after_s).x_m == pytest.approx(places[station])
        assert taken.at(after_s).aside_m == 0
    assert all(after.after_s > before.after_s for before, after in pairwise(taken.points))


def test_a_pallet_that_is_carried_around_a_station_is_far_from_it() -> None:
    skipped = way(STATIONS, 3.0, 2.0, Mishap.SKIPPED)
    moments = [skipped.at(step / 10) for step in range(int(skipped.lasts_s * 10))]
    assert max(point.aside_m for point in moments) == pytest.approx(ASIDE_M, abs=1.0)
    assert min(abs(point.x_m - 10.0) + point.aside_m for point in moments) > 4.0


def test_a_stuck_pallet_stands() -> None:
    stuck = way(STATIONS, 3.0, 2.0, Mishap.STUCK)
    assert stuck.lasts_s == way(STATIONS, 3.0, 2.0).lasts_s + HALT_S
    assert stuck.at(6.5).x_m == stuck.at(6.5 + HALT_S).x_m == 10.0
    assert LIFT_S < HALT_S


def test_three_stations_are_too_few_for_a_mishap() -> None:
    with pytest.raises(ValueError, match="needs 4 stations, and there are 3"):
        way(STATIONS[:3], 3.0, 2.0, Mishap.STUCK)
