"""Trucks that stop at a barrier: weighed, read, judged, let through or waved aside; seeded, with ground truth.

arrives  stands                    moves   off    gone
|- loop -|-------------------------|--------|
|- tags and weight ----------------|--------|
            |- card -|              |- exit loop -|
                                              next one
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from readers.tagdata.cards import Technology
from simulator.world import noise
from simulator.world.car_park import Holder, Presentation, holder
from simulator.world.containers import Container, container
from simulator.world.radio import Place
from simulator.world.weighing import STEP_KG, Weighing

FIRST_S: Final = 2.5  # daemons that have just started have found their devices by then
STANDS_AFTER_S: Final = 0.7
MOVES_AFTER_S: Final = 4.4
EXIT_AFTER_S: Final = 4.8
OFF_AFTER_S: Final = 5.4
GONE_AFTER_S: Final = 6.3
CARD_AFTER_S: Final = 0.9
GAP_S: Final = 0.6
JITTER_S: Final = 0.15
TAG_HEIGHT_M: Final = 2.6
TRUCK_TAG_M: Final = 0.6  # ahead of the container's
TOO_MUCH_KG: Final = 3_000
_US_PER_S: Final = 1_000_000
_CONTAINERS_FROM: Final = 700_000  # numbers from here on are at these gates
_DRIVERS_FROM: Final = 5_000
_TRUCK_MARK: Final = b"TK"


class Case(StrEnum):
    """What is right or wrong with a truck."""

    FINE = "fine"
    NO_APPOINTMENT = "no_appointment"
    OVERWEIGHT = "overweight"
    CUSTOMS_HOLD = "customs_hold"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Gate:
    """A lane with a barrier: where trucks stand, and what kinds of them come, one after the other."""

    name: str
    direction: str
    at: Place
    cases: Sequence[Case]
    is_weighed: bool
    has_cards: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """One truck at one gate; `declared_kg` is of its container."""

    gate: Gate
    case: Case
    truck: str
    truck_epc: bytes
    container: Container
    driver: Holder
    tare_kg: int
    gross_kg: int
    declared_kg: int
    arrives_us: int

    def after_us(self, seconds: float) -> int:
        """So long after its arrival."""
        return self.arrives_us + round(seconds * _US_PER_S)

    @property
    def gone_us(self) -> int:
        """When it has left the exit loop."""
        return self.after_us(GONE_AFTER_S)

    def weighing(self) -> Weighing:
        """It on the scale."""
        return Weighing(
            self.gross_kg,
            self.arrives_us,
            self.after_us(STANDS_AFTER_S),
            self.after_us(MOVES_AFTER_S),
            self.after_us(OFF_AFTER_S),
        )

    def presentation(self) -> Presentation:
        """Its driver's card."""
        return Presentation(self.driver, self.gate.name, self.after_us(CARD_AFTER_S))

    def tags(self) -> list[StandingTag]:
        """Its tags: the truck's, and that of the container, unless it is torn off."""
        at = self.gate.at
        until_us = self.after_us(MOVES_AFTER_S)
        found = [
            StandingTag(self.truck_epc, Place(at.x_m + TRUCK_TAG_M, at.y_m, TAG_HEIGHT_M), self.arrives_us, until_us)
        ]
        if self.case is not Case.UNREADABLE:
            place = Place(at.x_m - TRUCK_TAG_M, at.y_m, TAG_HEIGHT_M)
            found.append(StandingTag(self.container.epc, place, self.arrives_us, until_us))
        return found


@dataclass(frozen=True, slots=True)
class StandingTag:
    """A tag that stands still. Implements `simulator.world.radio.Mover`."""

    epc: bytes
    at: Place
    present_from_us: int
    present_until_us: int

    def place(self, at_us: int) -> Place:
        """Where it is."""
        del at_us
        return self.at


def visits(seed: int, gates: Sequence[Gate], start_us: int, duration_s: float) -> list[Visit]:
    """All trucks that come and are gone within the duration, in order of arrival.

    The first fine truck that goes out is the first that came in, if it was gone by then, and so on.
    """
    draw = random.Random(seed + 17)
    made: list[Visit] = []
    inside: list[Visit] = []
    number = 0
    for gate in sorted(gates, key=lambda each: each.direction):
        clock_s = FIRST_S + draw.uniform(0, JITTER_S)
        turn = 0
        while clock_s + GONE_AFTER_S <= duration_s:
            number += 1
            case = gate.cases[turn % len(gate.cases)]
            at_us = start_us + round(clock_s * _US_PER_S)
            earlier = None
            if gate.direction == "out" and case is Case.FINE and inside and inside[0].gone_us < at_us:
                earlier = inside.pop(0)
            visit = _visit(seed, number, gate, case, at_us, earlier)
            made.append(visit)
            if gate.direction == "in" and case is Case.FINE:
                inside.append(visit)
            turn += 1
            clock_s += GONE_AFTER_S + GAP_S + draw.uniform(0, JITTER_S)
    return sorted(made, key=lambda visit: (visit.arrives_us, visit.gate.name))


def _visit(seed: int, number: int, gate: Gate, case: Case, at_us: int, earlier: Visit | None) -> Visit:
    draw = random.Random(noise.bits(seed, 91, number))
    tare_kg = draw.randrange(14_000, 16_000, STEP_KG)
    if earlier is not None:
        tare_kg = earlier.tare_kg
    cargo_kg = draw.randrange(8_000, 26_000, STEP_KG)
    return Visit(
        gate=gate,
        case=case,
        truck=f"truck-{number:05}" if earlier is None else earlier.truck,
        truck_epc=_TRUCK_MARK + noise.bits(seed, 92, number).to_bytes(8, "big") + number.to_bytes(2, "big")
        if earlier is None
        else earlier.truck_epc,
        container=container(seed, _CONTAINERS_FROM + number),
        driver=holder(seed, _DRIVERS_FROM + number, Technology.NFC_A) if earlier is None else earlier.driver,
        tare_kg=tare_kg,
        gross_kg=tare_kg + cargo_kg,
        declared_kg=cargo_kg - TOO_MUCH_KG if case is Case.OVERWEIGHT else cargo_kg,
        arrives_us=at_us,
    )


@dataclass(slots=True)
class GateWires:
    """The loops of some gates and the coils of their barriers. Implements `simulator.device.Terminals`.

    Inputs: of each gate its loop, its exit loop, and whether its barrier is up. Outputs: the coils that raise them.
    """

    gates: Sequence[str]
    visits: Sequence[Visit]
    coils: list[bool] = field(init=False)
    lifts: int = field(default=0, init=False)
    _by_gate: dict[str, list[Visit]] = field(init=False)

    def __post_init__(self) -> None:
        self.coils = [False] * len(self.gates)
        self._by_gate = {name: [each for each in self.visits if each.gate.name == name] for name in self.gates}

    def inputs(self, now_us: int) -> Sequence[bool]:
        """Who stands where."""
        found: list[bool] = []
        for number, name in enumerate(self.gates):
            visit = self._latest(name, now_us)
            loop = visit is not None and now_us < visit.after_us(OFF_AFTER_S)
            leaves = visit is not None and visit.after_us(EXIT_AFTER_S) <= now_us < visit.gone_us
            found += [loop, leaves, self.coils[number]]
        return found

    def analogue_inputs(self, now_us: int) -> Sequence[int]:
        """There are none."""
        del now_us
        return []

    def outputs(self) -> Sequence[bool]:
        """The coils."""
        return self.coils

    def set_output(self, number: int, *, is_on: bool, now_us: int) -> None:
        """A client raises or lowers a barrier."""
        del now_us
        self.lifts += is_on and not self.coils[number - 1]
        self.coils[number - 1] = is_on

    def _latest(self, name: str, now_us: int) -> Visit | None:
        visits = self._by_gate[name]
        index = bisect_right(visits, now_us, key=lambda visit: visit.arrives_us)
        return visits[index - 1] if index else None
