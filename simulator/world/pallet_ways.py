"""Ways that pallets take along a conveyor: straight on, around a station, back and forth, or with a long halt.

A fork-lift carries a pallet `ASIDE_M` to the side of the belt, where no antenna hears it. It takes pallets from a
station itself, and puts them down so close before the next that no other station hears them.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

ASIDE_M: Final = 12.0
CARRIED_S: Final = 4.0  # from the belt to the belt
LIFT_S: Final = 1.0  # it stands while the forks are brought under it
DOWN_M: Final = 0.6  # it is put down so close before a station, and taken up so close behind
HALT_S: Final = 9.0
LEAST_STATIONS: Final = 4


class Mishap(StrEnum):
    """What befalls a pallet.

    SKIPPED: it is carried around the last station but one. DISORDERED: it comes to the second station after the third.
    STUCK: it stands at the last station but one.
    """

    SKIPPED = "skipped"
    DISORDERED = "disordered"
    STUCK = "stuck"


class Point(NamedTuple):
    """Where a pallet is, so long after it was put on the line; `aside_m` from the middle of the belt."""

    after_s: float
    x_m: float
    aside_m: float = 0.0


class Way(NamedTuple):
    """A way: from point to point with constant speed. `visits` are the stations, each with when it is there."""

    points: tuple[Point, ...]
    visits: tuple[tuple[str, float], ...]

    @property
    def lasts_s(self) -> float:
        """How long it takes."""
        return self.points[-1].after_s

    def at(self, after_s: float) -> Point:
        """Where the pallet is; before the beginning and after the end it goes on in the same direction."""
        legs = list(pairwise(self.points))
        first, second = next((leg for leg in legs if after_s <= leg[1].after_s), legs[-1])
        share = (after_s - first.after_s) / (second.after_s - first.after_s)
        return Point(
            after_s,
            first.x_m + share * (second.x_m - first.x_m),
            first.aside_m + share * (second.aside_m - first.aside_m),
        )


class Walk:
    """Makes a way, one leg after the other."""

    def __init__(self, start_m: float, speed_m_per_s: float) -> None:
        self._points = [Point(0.0, start_m)]
        self._visits: list[tuple[str, float]] = []
        self._speed_m_per_s = speed_m_per_s

    def ride(self, to_m: float) -> None:
        """On the belt."""
        last = self._points[-1]
        self._points.append(Point(last.after_s + (to_m - last.x_m) / self._speed_m_per_s, to_m))

    def visit(self, station: str, at_m: float) -> None:
        """On the belt to a station."""
        self.ride(at_m)
        self._visits.append((station, self._points[-1].after_s))

    def halt(self, for_s: float = HALT_S) -> None:
        """Stand for a while."""
        last = self._points[-1]
        self._points.append(Point(last.after_s + for_s, last.x_m))

    def carry(self, to_m: float) -> None:
        """To another place on the belt, far around."""
        self.halt(LIFT_S)
        last = self._points[-1]
        self._points += [
            Point(last.after_s + CARRIED_S / 2, (last.x_m + to_m) / 2, ASIDE_M),
            Point(last.after_s + CARRIED_S, to_m),
        ]

    def way(self) -> Way:
        """All of it."""
        return Way(tuple(self._points), tuple(self._visits))


def way(
    stations: Sequence[tuple[str, float]], before_m: float, speed_m_per_s: float, mishap: Mishap | None = None
) -> Way:
    """From `before_m` before the first station to as far behind the last.

    Raises:
        ValueError: a mishap needs four stations.
    """
    if mishap is not None and len(stations) < LEAST_STATIONS:
        raise ValueError(f"{mishap}: needs {LEAST_STATIONS} stations, and there are {len(stations)}")
    walk = Walk(stations[0][1] - before_m, speed_m_per_s)
    end_m = stations[-1][1] + before_m
    if mishap is Mishap.DISORDERED:
        first, second, third, *others = stations
        walk.visit(*first)
        walk.ride(first[1] + DOWN_M)
        walk.carry(third[1] - DOWN_M)
        walk.visit(*third)
        walk.ride(third[1] + DOWN_M)
        walk.carry(second[1] - DOWN_M)
        walk.visit(*second)
        walk.ride(second[1] + DOWN_M)
        walk.carry(others[0][1] - DOWN_M)
        for station in others:
            walk.visit(*station)
    else:
        *others, before, last = stations
        for station in others:
            walk.visit(*station)
        if mishap is Mishap.SKIPPED:
            walk.ride(others[-1][1] + DOWN_M)
            walk.carry(last[1] - DOWN_M)
        else:
            walk.visit(*before)
            if mishap is Mishap.STUCK:
                walk.halt()
        walk.visit(*last)
    walk.ride(end_m)
    return walk.way()
