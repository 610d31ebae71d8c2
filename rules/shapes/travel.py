"""`travel`: the same key at two places, sooner than anything gets from one to the other.

    gate   ●●●●●                      ●●            runs of sightings: the first and the last of each are kept
    yard                ●●●●●●●
           first  last  first  last

A sighting is compared with what is kept of every other place: with the last before it and the first after it. Both were
really seen, so what comes late, out of order or from another gateway may hide a clone for a while, and never makes one.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.config.rules import TravelRule
from gateway.contract.events import Scalar
from rules.item import Item
from rules.shapes.distances import Leg, legs_of, spots_by_value
from rules.shapes.ordered import Turn
from rules.shapes.sighting import Sighting, moved, sighting_of
from rules.shapes.suspicion import Suspicion, SuspicionRow
from rules.state import State, Table

MOST_RUNS: Final = 8
"""Runs of one key that are kept; of more, the oldest is let go."""
FINE_US: Final = 500_000
"""The end of a run is kept as fine as this: a tag that stands still is written down twice a second."""


class Run(msgspec.Struct, array_like=True, gc=False):
    """Sightings at one spot, with none elsewhere between them."""

    spot: str
    first: Sighting
    last: Sighting


class TravelRow(SuspicionRow, array_like=True, gc=False):
    """What is kept of each key; `runs` in the order of time."""

    runs: list[Run] = msgspec.field(default_factory=list)


class Travel(Suspicion):
    """One rule of this shape."""

    rows: Table[TravelRow]

    def __init__(self, rule: TravelRule, number: int, state: State) -> None:
        super().__init__(rule, number, state)
        self._where = rule.where
        self._spots = spots_by_value(rule)
        self._legs = legs_of(rule)
        self.rows = state.table("rule", self.owner, TravelRow)

    def take(self, role: str, key: str, item: Item, turn: Turn) -> None:
        """A sighting."""
        del role  # there is one
        spot = self._spots.get(item.text(self._where) or "")
        if spot is None:
            return
        row = self.rows.rows.get(key)
        if row is not None and row.runs and self._goes_on(row.runs[-1], spot, item):
            if item.at_us - row.runs[-1].last.at_us >= FINE_US:
                row.runs[-1].last = sighting_of(item)
                self.keep(key, row, item, turn)
            return
        row = self.known(key, TravelRow(turn.gateway))
        if row is None:
            return
        found = self._impossible(row, spot, item.at_us)
        put(row.runs, spot, sighting_of(item))
        self.keep(key, row, item, turn)
        if found is not None:
            other_spot, other, leg = found
            self.suspect(key, row, item, other, told(spot, other_spot, other, leg, item.at_us), turn)

    def set_sightings_back(self, key: str, row: SuspicionRow, gateway: str, by_us: int) -> None:
        """See `Suspicion`."""
        assert isinstance(row, TravelRow)
        for run in row.runs:
            ends = moved(run.first, gateway, by_us), moved(run.last, gateway, by_us)
            run.first, run.last = sorted(ends, key=lambda each: each.at_us)
        row.runs.sort(key=lambda run: (run.last.at_us, run.first.at_us))
        self.rows.dirty.add(key)

    def _goes_on(self, run: Run, spot: str, item: Item) -> bool:
        """Whether it is still there: what is impossible was told when the run began."""
        return run.spot == spot and item.at_us >= run.last.at_us

    def _impossible(self, row: TravelRow, spot: str, at_us: int) -> tuple[str, Sighting, Leg] | None:
        """The kept sighting that is furthest from being possible; the latest of equals."""
        worst, found = 0, None
        for run in row.runs:
            leg = self._legs.get((spot, run.spot))
            if leg is None:
                continue
            for seen in (run.first, run.last):
                too_soon_us = leg.close_us - abs(at_us - seen.at_us)
                if too_soon_us > 0 and too_soon_us >= worst:
                    worst, found = too_soon_us, (run.spot, seen, leg)
        return found


def told(spot: str, other_spot: str, other: Sighting, leg: Leg, at_us: int) -> dict[str, Scalar]:
    """What an event tells of the two places."""
    elapsed_s = abs(at_us - other.at_us) / 1e6
    found: dict[str, Scalar] = {
        "spot": spot,
        "other_spot": other_spot,
        "elapsed_s": elapsed_s,
        "least_s": leg.least_s,
    }
    if leg.way_m is not None:
        found["way_m"] = round(leg.way_m, 3)
        if elapsed_s:
            found["speed_m_per_s"] = round(leg.way_m / elapsed_s, 3)
    return found


def put(runs: list[Run], spot: str, seen: Sighting) -> None:
    """Put a sighting into its place in time: into a run there, or as one of its own, which may divide another."""
    index = next((i for i, run in enumerate(runs) if run.last.at_us >= seen.at_us), len(runs))
    after = runs[index] if index < len(runs) else None
    before = runs[index - 1] if index else None
    if after is not None and after.spot == spot:
        if seen.at_us < after.first.at_us:
            after.first = seen
        return
    if after is not None and after.first.at_us < seen.at_us:
        runs[index : index + 1] = [
            Run(after.spot, after.first, after.first),
            Run(spot, seen, seen),
            Run(after.spot, after.last, after.last),
        ]
    elif before is not None and before.spot == spot:
        before.last = seen
    else:
        runs.insert(index, Run(spot, seen, seen))
    del runs[: max(0, len(runs) - MOST_RUNS)]
