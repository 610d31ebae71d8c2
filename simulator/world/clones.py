"""Tags that are seen at two places: honest ones, copies, others with another chip, and some that are too fast; seeded.

first place    |- stays -|
second place                 way_s     |- stays -|          HONEST, SWAPPED: the way takes long enough
                           hurry_s |- stays -|              TOO_FAST: it does not
                  |- stays -|                               COPIED: it is at both places at once
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from simulator.world import noise
from simulator.world.expected import Expected
from simulator.world.radio import Place

FIRST_S: Final = 2.5  # daemons that have just started have found their devices by then
STAYS_S: Final = 1.5
COPIED_AFTER_S: Final = 0.7
WITHIN_US: Final = 2_000_000
TWO_PLACES: Final = "two-places"
TID_MISMATCH: Final = "tid-mismatch"
_MARK: Final = b"CL"
_TID_MARK: Final = bytes.fromhex("E2801160")  # the class, maker and model of a chip; then its serial number
_US_PER_S: Final = 1_000_000


class Case(StrEnum):
    """What is right or wrong with a tag."""

    HONEST = "honest"
    COPIED = "copied"
    SWAPPED = "swapped"
    TOO_FAST = "too_fast"


@dataclass(frozen=True, slots=True)
class Course:
    """Two places, and how long a tag takes from one to the other: honestly, and in a hurry that cannot be."""

    first: str
    first_at: Place
    second: str
    second_at: Place
    way_s: float
    hurry_s: float


@dataclass(frozen=True, slots=True)
class Stay:
    """A chip that stays at a place for a while. Implements `simulator.world.radio.Mover`, with a TID."""

    epc: bytes
    tid: bytes
    at: Place
    present_from_us: int
    present_until_us: int

    def place(self, at_us: int) -> Place:
        """Where it is."""
        del at_us
        return self.at


@dataclass(frozen=True, slots=True)
class Suspect:
    """One EPC, and where it is seen."""

    name: str
    case: Case
    course: Course
    stays: tuple[Stay, Stay]

    @property
    def epc(self) -> bytes:
        """Its EPC."""
        return self.stays[0].epc


def suspects(
    seed: int, course: Course, cases: Sequence[Case], start_us: int, duration_s: float, every_s: float
) -> list[Suspect]:
    """All of them that are gone within the duration, in order of time."""
    draw = random.Random(seed + 23)
    made: list[Suspect] = []
    clock_s = FIRST_S
    while clock_s + course.way_s + 2 * STAYS_S <= duration_s:
        number = len(made) + 1
        made.append(_suspect(seed, number, course, cases[len(made) % len(cases)], start_us, clock_s))
        clock_s += every_s * draw.uniform(0.8, 1.2)
    return made


def expected(found: Sequence[Suspect]) -> Iterator[Expected]:
    """What rules should conclude: nothing of honest ones. A way that is too short looks like a copy, and is told so."""
    for suspect in found:
        epc = suspect.epc.hex().upper()
        first, second = suspect.stays
        if suspect.case in {Case.COPIED, Case.TOO_FAST}:
            said: dict[str, str | int | float | bool] = {
                "subject": epc,
                "spot": suspect.course.second,
                "other_spot": suspect.course.first,
            }
            yield Expected("tags at two places", TWO_PLACES, second.present_from_us, WITHIN_US, said)
        elif suspect.case is Case.SWAPPED:
            said = {"subject": epc, "found": second.tid.hex().upper(), "expected": first.tid.hex().upper()}
            yield Expected("tags with another chip", TID_MISMATCH, second.present_from_us, WITHIN_US, said)


def _suspect(seed: int, number: int, course: Course, case: Case, start_us: int, clock_s: float) -> Suspect:
    epc = _MARK + noise.bits(seed, 95, number).to_bytes(8, "big") + number.to_bytes(2, "big")
    tid = _tid(seed, number, 0)
    after_s = {
        Case.HONEST: STAYS_S + course.way_s,
        Case.SWAPPED: STAYS_S + course.way_s,
        Case.TOO_FAST: STAYS_S + course.hurry_s,
        Case.COPIED: COPIED_AFTER_S,
    }[case]

    def stay(chip: bytes, at: Place, from_s: float) -> Stay:
        from_us = start_us + round(from_s * _US_PER_S)
        return Stay(epc, chip, at, from_us, from_us + round(STAYS_S * _US_PER_S))

    other = _tid(seed, number, 1) if case is Case.SWAPPED else tid
    stays = stay(tid, course.first_at, clock_s), stay(other, course.second_at, clock_s + after_s)
    return Suspect(f"tag-{number:05}", case, course, stays)


def _tid(seed: int, number: int, chip: int) -> bytes:
    return _TID_MARK + noise.bits(seed, 96, number, chip).to_bytes(8, "big")
