"""The least time between two spots of a site: what was measured on the way, or the gap between them at full speed.

    reach   width_m                  gap                   width_m   reach
    .....+----------+.....                           .....+--------+.....
    .....|  spot a  |.....<- what a tag must travel ->.....| spot b |.....
    .....+----------+.....                           .....+--------+.....

A tag is read at a spot while it is up to `reach_m` away from it, so both reaches count as travelled already; where they
meet, nothing is concluded. The clocks may differ, so that is taken off, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

from gateway.config.identity_rules import Spot, TravelRule


class Leg(NamedTuple):
    """From one spot to another.

    Attributes:
        least_us: nothing gets there in less.
        close_us: sightings closer to each other than this are impossible, whatever the clocks say.
        way_m: what must be travelled; None where only the time is known.
    """

    least_us: int
    close_us: int
    way_m: float | None

    @property
    def least_s(self) -> float:
        """The least time in seconds."""
        return self.least_us / 1e6


def legs_of(rule: TravelRule) -> Mapping[tuple[str, str], Leg]:
    """The legs between which something can be concluded, both ways."""
    differ_us = round(rule.clocks_differ_s * 1e6)
    measured = {frozenset(way.between): way.least_s for way in rule.ways}
    found: dict[tuple[str, str], Leg] = {}
    for (a, one), (b, other) in combinations(rule.spots.items(), 2):
        gap = gap_m(one, other)
        way_m = None if gap is None else max(0.0, gap - sum(_reach_m(each, rule) for each in (one, other)))
        least_s = measured.get(frozenset((a, b)))
        if least_s is None:
            if way_m is None:
                continue
            least_s = way_m / rule.fastest_m_per_s
        least_us = round(least_s * 1e6)
        if least_us > differ_us:
            found[a, b] = found[b, a] = Leg(least_us, least_us - differ_us, way_m)
    return found


def faults_of_travel(rule: TravelRule) -> Iterator[str]:
    """One line for each key of the rule that keeps it from ever concluding anything."""
    for index, way in enumerate(rule.ways):
        for name in way.between:
            if name not in rule.spots:
                yield f"ways[{index}].between: neither a spot nor a place of the plan has the name {name!r}"
    if not legs_of(rule):
        yield (
            "spots: lie so close to each other, or are so little known, that nothing is impossible between any two; "
            "give them x_m and y_m, or ways, or a smaller reach_m"
        )


def gap_m(one: Spot, other: Spot) -> float | None:
    """The distance between two spots, from edge to edge; None where one has no position."""
    across = _gap(one.x_m, one.width_m, other.x_m, other.width_m)
    along = _gap(one.y_m, one.height_m, other.y_m, other.height_m)
    return None if across is None or along is None else math.hypot(across, along)


def spots_by_value(rule: TravelRule) -> dict[str, str]:
    """The spot that each value of `where` means."""
    return {value: name for name, spot in rule.spots.items() for value in spot.covers or [name]}


def _gap(a_m: float | None, a_extent_m: float, b_m: float | None, b_extent_m: float) -> float | None:
    if a_m is None or b_m is None:
        return None
    return max(0.0, b_m - (a_m + a_extent_m), a_m - (b_m + b_extent_m))


def _reach_m(spot: Spot, rule: TravelRule) -> float:
    return rule.reach_m if spot.reach_m is None else spot.reach_m
