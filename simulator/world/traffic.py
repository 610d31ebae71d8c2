"""Trucks through the lanes of a gate, seeded, with their ground truth."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from simulator.world.containers import Container, container
from simulator.world.radio import Place

NEAR_M: Final = 11.0  # a truck exists for the radio within this distance of the middle of the gate
GAP_S: Final = 1.5
TAG_HEIGHT_M: Final = 2.6
TAG_SIDE_M: Final = 0.6  # tags sit somewhere on the door: this far from the middle of the lane at most
_US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane: `y_m` is its middle; `inbound` the share of its trucks that come in."""

    name: str
    y_m: float
    inbound: float
    every_s: float
    slowest_m_per_s: float = 2.0
    fastest_m_per_s: float = 7.0


@dataclass(frozen=True, slots=True)
class Truck:
    """One container on its way through one lane. Implements `simulator.world.radio.Mover`."""

    container: Container
    lane: str
    direction: str  # in | out
    crosses_us: int
    speed_m_per_s: float
    y_m: float

    @property
    def epc(self) -> bytes:
        """The EPC of the container's tag."""
        return self.container.epc

    @property
    def present_from_us(self) -> int:
        """When it comes within 11 m of the gate."""
        return self.crosses_us - self._reach_us

    @property
    def present_until_us(self) -> int:
        """When it is 11 m beyond the gate."""
        return self.crosses_us + self._reach_us

    def place(self, at_us: int) -> Place:
        """Where its tag is."""
        way_m = (at_us - self.crosses_us) * self.speed_m_per_s / _US_PER_S
        return Place(way_m if self.direction == "in" else -way_m, self.y_m, TAG_HEIGHT_M)

    @property
    def _reach_us(self) -> int:
        return round(NEAR_M / self.speed_m_per_s * _US_PER_S)


def trucks(seed: int, lanes: list[Lane], start_us: int, duration_s: float) -> list[Truck]:
    """All trucks that come and are gone again within the duration, in order of coming near.

    Within one lane trucks keep a distance: the next comes near some time after the last has crossed.
    """
    draw = random.Random(seed)
    made: list[Truck] = []
    number = 0
    for lane in lanes:
        clock_s = draw.uniform(0, lane.every_s / 2)
        while True:
            speed = draw.uniform(lane.slowest_m_per_s, lane.fastest_m_per_s)
            reach_s = NEAR_M / speed
            crosses_s = clock_s + reach_s
            gone_s = crosses_s + reach_s
            if gone_s > duration_s:
                break
            number += 1
            made.append(
                Truck(
                    container(seed, number),
                    lane.name,
                    "in" if draw.random() < lane.inbound else "out",
                    start_us + round(crosses_s * _US_PER_S),
                    speed,
                    lane.y_m + draw.uniform(-TAG_SIDE_M, TAG_SIDE_M),
                )
            )
            clock_s = max(crosses_s + GAP_S, clock_s + draw.expovariate(1 / lane.every_s))
    return sorted(made, key=lambda truck: truck.present_from_us)
