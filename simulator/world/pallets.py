"""Pallets on a conveyor past the stations of a factory line, seeded, with their ground truth."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from readers.tagdata.encode import encode_tag
from simulator.world.pallet_ways import Mishap, Way, way
from simulator.world.radio import Place

GCP: Final = "9521141"  # GS1's own example prefix: it is nobody's company
ASSET_TYPE: Final = "12345"
BEFORE_M: Final = 3.0  # a pallet is on the line from here before the first station to as far behind the last
GAP_M: Final = 1.5  # pallets never come closer
TAG_HEIGHT_M: Final = 0.2
_US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Conveyor:
    """A conveyor along x: `stations` are names and places of its read points, in the order of travel.

    Attributes:
        mishaps: what befalls which of every `mishaps_of` pallets, from 1.
    """

    name: str
    y_m: float
    stations: Mapping[str, float]
    every_s: float
    speed_m_per_s: float
    mishaps: Mapping[int, Mishap] = field(default_factory=dict)
    mishaps_of: int = 10


@dataclass(frozen=True, slots=True)
class Pallet:
    """One pallet on its way along the conveyor. Implements `simulator.world.radio.Mover`.

    Attributes:
        starts_us: when it is `BEFORE_M` before the first station.
    """

    name: str
    epc: bytes
    conveyor: Conveyor
    starts_us: int
    way: Way
    mishap: Mishap | None = None

    @property
    def present_from_us(self) -> int:
        """When it is put on the line."""
        return self.starts_us

    @property
    def present_until_us(self) -> int:
        """When it is taken off."""
        return self.starts_us + round(self.way.lasts_s * _US_PER_S)

    def place(self, at_us: int) -> Place:
        """Where it is."""
        point = self.way.at((at_us - self.starts_us) / _US_PER_S)
        return Place(point.x_m, self.conveyor.y_m + point.aside_m, TAG_HEIGHT_M)

    def visits(self) -> list[tuple[str, int]]:
        """The stations that it passes, each with the time when it is right below."""
        return [(station, self.starts_us + round(after_s * _US_PER_S)) for station, after_s in self.way.visits]


def pallets(seed: int, conveyors: Sequence[Conveyor], start_us: int, duration_s: float) -> list[Pallet]:
    """All pallets that are put on and taken off within the duration, in order of being put on."""
    draw = random.Random(seed)
    made: list[Pallet] = []
    for conveyor in conveyors:
        on_line = 0
        clock_s = draw.uniform(0, conveyor.every_s / 2)
        while clock_s + way_of(conveyor).lasts_s <= duration_s:
            on_line += 1
            mishap = conveyor.mishaps.get((on_line - 1) % conveyor.mishaps_of + 1)
            taken = way_of(conveyor, mishap)
            if clock_s + taken.lasts_s > duration_s:
                mishap, taken = None, way_of(conveyor)
            number = len(made) + 1
            start = start_us + round(clock_s * _US_PER_S)
            made.append(Pallet(f"pallet-{number:04}", epc(seed, number), conveyor, start, taken, mishap))
            clock_s += max(GAP_M / conveyor.speed_m_per_s, draw.uniform(0.7, 1.3) * conveyor.every_s)
    return sorted(made, key=lambda pallet: pallet.present_from_us)


def way_of(conveyor: Conveyor, mishap: Mishap | None = None) -> Way:
    """The way of a pallet along a conveyor."""
    return way(list(conveyor.stations.items()), BEFORE_M, conveyor.speed_m_per_s, mishap)


def epc(seed: int, number: int) -> bytes:
    """GRAI-96 of the `number`-th pallet of a world."""
    return encode_tag(f"urn:epc:tag:grai-96:0.{GCP}.{ASSET_TYPE}.{seed * 100_000 + number}").epc
