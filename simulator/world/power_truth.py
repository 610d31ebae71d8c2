"""What happens to the loads of a scenario, and what the rules of a power room should conclude of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from simulator.world.expected import Expected
from simulator.world.power import Change, ThreePhaseLoad

if TYPE_CHECKING:
    from simulator.scenario_file import ChangePart

TOLD_WITHIN_S: Final = 12.0
"""From a change to the event: the meter is read every 2 s, and what is seen must last for 3 s."""
_PHASES: Final = ("a", "b", "c")
_US_PER_S: Final = 1_000_000


def change_of(part: ChangePart | None, start_us: int, duration_s: float) -> Change | None:
    """The change of a load; None when there is no time left to notice it."""
    if part is None or part.at_s + TOLD_WITHIN_S > duration_s:
        return None
    lost = None if part.lost_phase is None else _PHASES.index(part.lost_phase)
    return Change(start_us + round(part.at_s * _US_PER_S), part.added_w, part.power_factor, lost)


def expected(loads: Mapping[str, Mapping[str, ThreePhaseLoad]]) -> list[Expected]:
    """What should be concluded, in the order of the loads."""
    return [
        each
        for line in loads.values()
        for load in line.values()
        if load.change is not None
        for each in _of(load.name, load.change)
    ]


def _of(meter: str, change: Change) -> Iterator[Expected]:
    if change.added_w:
        yield _soon("forecasts of too much demand", "demand-forecast", meter, change)
        yield _soon("proposals to shed loads", "shed-proposal", meter, change)
    if change.lost_phase is not None:
        yield _soon("lost phases", "phase-lost", meter, change, phase=_PHASES[change.lost_phase])
    if change.power_factor is not None:
        yield _soon("low power factors", "power-factor-low", meter, change)


def _soon(kind: str, event: str, meter: str, change: Change, **more: str) -> Expected:
    half_us = round(TOLD_WITHIN_S * _US_PER_S / 2)
    return Expected(kind, event, change.at_us + half_us, half_us, {"subject": meter, **more})
