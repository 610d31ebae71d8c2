"""A seeded radio world for gates: trucks with a tag each pass pairs of antennas, and readers report what they hear.

Physics: two-way path loss (40 dB per decade), antennas with a cosine pattern, Rician fading, a tag that faces
one side better than the other and sometimes turns deaf for a while. A reader visits its antennas in turn and reports
every 200 ms: one row for each tag and antenna, with the peak RSSI.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.contract.batches import Batch, ReadBatch, TagRead, TickBatch

REPORT_S = 0.2
INVENTORY_S = 0.025
START_US = 1_790_000_000_000_000


@dataclass
class Truck:
    epc: str
    lane: int
    enters_s: float
    speed_mps: float
    direction: str
    stop_s: float = 0.0
    facing_db: tuple[float, float] = (0.0, 0.0)
    deaf: tuple[float, float] = (0.0, 0.0)
    tag_db: float = 0.0

    def position_m(self, at_s: float) -> float:
        """Along the lane, from -8 (outside) to 8; a truck with a stop stands at the barrier, between the antennas."""
        run_s = at_s - self.enters_s
        reach_s = 8 / self.speed_mps
        if run_s > reach_s:
            run_s = max(reach_s, run_s - self.stop_s)
        x = -8 + run_s * self.speed_mps
        return x if self.direction == "in" else -x

    @property
    def leaves_s(self) -> float:
        return self.enters_s + 16 / self.speed_mps + self.stop_s


@dataclass
class Parked:
    """A tag that stands near a lane and is sometimes heard, weakly."""

    epc: str
    lane: int
    level_dbm: float
    chance: float
    from_s: float
    to_s: float


@dataclass
class World:
    """A gate of some lanes; `apart_m` between the antennas of a lane."""

    rng: random.Random
    lanes: int = 2
    apart_m: float = 3.5
    trucks: list[Truck] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)

    def traffic(self, passages: int, *, stops: float = 0.2) -> None:
        """Send trucks through the lanes, each lane one after the other."""
        free_s = [1.0] * self.lanes
        for number in range(passages):
            lane = min(range(self.lanes), key=free_s.__getitem__)
            rng = self.rng
            truck = Truck(
                f"3034{number:020X}",
                lane,
                free_s[lane] + rng.uniform(0, 3),
                rng.uniform(1.5, 8.0),
                rng.choice(("in", "out")),
                rng.uniform(2, 40) if rng.random() < stops else 0.0,
                (rng.uniform(-9, 0), rng.uniform(-9, 0)),
                tag_db=rng.uniform(-4, 2),
            )
            if rng.random() < 0.3:
                begins_s = rng.uniform(truck.enters_s, truck.leaves_s)
                truck.deaf = (begins_s, begins_s + rng.uniform(0.1, 0.4))
            self.trucks.append(truck)
            free_s[lane] = truck.leaves_s + rng.uniform(0.5, 2)

    def batches(self) -> Iterator[Batch]:
        """What the edge would send: reads of a reader for each lane, and ticks."""
        end_s = max([t.leaves_s for t in self.trucks] + [p.to_s for p in self.parked]) + 8
        points = [f"lane-{lane}-{side}" for lane in range(self.lanes) for side in ("outer", "inner")]
        sequence = 0
        ordinal = 0
        active: list[Truck] = []
        coming = sorted(self.trucks, key=lambda truck: truck.enters_s, reverse=True)
        for report in range(int(end_s / REPORT_S)):
            begin_s, finish_s = report * REPORT_S, (report + 1) * REPORT_S
            while coming and coming[-1].enters_s <= finish_s:
                active.append(coming.pop())
            active = [truck for truck in active if truck.leaves_s >= begin_s]
            for lane in range(self.lanes):
                rows: dict[tuple[str, int], list[tuple[float, float]]] = {}
                for truck in active:
                    self._hear_truck(truck, lane, begin_s, rows)
                for parked in self.parked:
                    if parked.lane == lane and parked.from_s <= begin_s < parked.to_s:
                        self._hear_parked(parked, begin_s, rows)
                if not rows:
                    continue
                sequence += 1
                reads = [
                    TagRead(
                        epc,
                        port,
                        f"lane-{lane}-{'outer' if port == 1 else 'inner'}",
                        START_US + round(heard[-1][0] * 1e6),
                        round(max(level for _, level in heard) * 2) / 2,
                        len(heard),
                    )
                    for (epc, port), heard in rows.items()
                ]
                yield ReadBatch(
                    gateway="edge-1",
                    epoch=1,
                    sequence=sequence,
                    ordinal=ordinal,
                    device=f"reader-{lane}",
                    received_at_us=START_US + round((finish_s + 0.005 * lane) * 1e6),
                    reads=reads,
                )
                ordinal += len(reads)
            if report % 5 == 4:
                sequence += 1
                at_us = START_US + round((finish_s + 0.1) * 1e6)
                yield TickBatch(
                    gateway="edge-1", epoch=1, sequence=sequence, device="edge-1", received_at_us=at_us, watched=points
                )

    def _hear_truck(
        self, truck: Truck, lane: int, begin_s: float, rows: dict[tuple[str, int], list[tuple[float, float]]]
    ) -> None:
        rng = self.rng
        steps = int(REPORT_S / INVENTORY_S)
        for step in range(steps):
            at_s = begin_s + step * INVENTORY_S
            if not truck.enters_s <= at_s <= truck.leaves_s or truck.deaf[0] <= at_s <= truck.deaf[1]:
                continue
            side = step % 2
            x = truck.position_m(at_s) - (-1 if side == 0 else 1) * self.apart_m / 2
            if lane != truck.lane:
                # The neighbour's antennas catch a reflection now and then, wherever the truck is.
                if rng.random() < 0.12:
                    rows.setdefault((truck.epc, side + 1), []).append((at_s, rng.uniform(-70, -60)))
                continue
            distance_m = math.hypot(x, 3.0)
            pattern_db = 60 * math.log10(max(3.0 / distance_m, 1e-3))
            level = -46 + truck.tag_db + truck.facing_db[side] - 40 * math.log10(distance_m / 3.0) + pattern_db
            level += 2 * _rician_db(rng, 6.0)
            if level > -72 and rng.random() < 0.85:
                rows.setdefault((truck.epc, side + 1), []).append((at_s, level))

    def _hear_parked(
        self, parked: Parked, begin_s: float, rows: dict[tuple[str, int], list[tuple[float, float]]]
    ) -> None:
        rng = self.rng
        for side in (0, 1):
            if rng.random() < parked.chance:
                level = min(parked.level_dbm + _rician_db(rng, 6.0), -60.0)
                rows.setdefault((parked.epc, side + 1), []).append((begin_s + rng.random() * REPORT_S, level))


def _rician_db(rng: random.Random, k_db: float) -> float:
    k = 10 ** (k_db / 10)
    direct, scatter = math.sqrt(k / (k + 1)), math.sqrt(1 / (2 * (k + 1)))
    power = (direct + scatter * rng.gauss(0, 1)) ** 2 + (scatter * rng.gauss(0, 1)) ** 2
    return 10 * math.log10(max(power, 1e-4))
