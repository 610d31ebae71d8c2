"""Trucks on a weighbridge: they drive on, stand, and drive off; seeded, with ground truth."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from simulator.device import Weight
from simulator.world import noise

ON_S: Final = 2.0
OFF_S: Final = 2.0
LEAST_STAND_S: Final = 4.0
EMPTY_S: Final = 3.0
STEP_KG: Final = 20
TREMBLE_KG: Final = 6  # an engine that runs
_US_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Weighing:
    """One truck on the bridge; times are of its front wheels coming on and its last wheels leaving."""

    gross_kg: int
    on_us: int
    stands_us: int
    moves_us: int
    off_us: int


def weighings(seed: int, start_us: int, duration_s: float, every_s: float) -> list[Weighing]:
    """All trucks that come and leave within the duration, in order."""
    draw = random.Random(seed + 11)
    made: list[Weighing] = []
    clock_s = draw.uniform(1.0, 1.0 + every_s / 4)
    while True:
        stand_s = LEAST_STAND_S + draw.uniform(0, 2)
        off_s = clock_s + ON_S + stand_s + OFF_S
        if off_s > duration_s:
            return made
        times = (clock_s, clock_s + ON_S, clock_s + ON_S + stand_s, off_s)
        on, stands, moves, off = (start_us + round(each * _US_PER_S) for each in times)
        made.append(Weighing(draw.randrange(14_000, 48_000, STEP_KG), on, stands, moves, off))
        clock_s = max(off_s + EMPTY_S, clock_s + draw.uniform(0.7, 1.3) * every_s)


@dataclass(frozen=True, slots=True)
class Bridge:
    """The scale below the trucks. Implements `simulator.device.Scale`."""

    seed: int
    trucks: Sequence[Weighing]

    def weight(self, now_us: int) -> Weight:
        """What stands on it at `now_us`."""
        for truck in self.trucks:
            if truck.on_us <= now_us < truck.off_us:
                return self._under(truck, now_us)
        return Weight(Decimal(0))

    def _under(self, truck: Weighing, now_us: int) -> Weight:
        tremble = noise.normal(self.seed, now_us // 100_000) * TREMBLE_KG / 3
        if truck.stands_us <= now_us < truck.moves_us:
            return Weight(Decimal(round(truck.gross_kg + tremble)))
        if now_us < truck.stands_us:
            share = (now_us - truck.on_us) / (truck.stands_us - truck.on_us)
        else:
            share = (truck.off_us - now_us) / (truck.off_us - truck.moves_us)
        return Weight(Decimal(round(truck.gross_kg * share + tremble)), is_stable=False)
