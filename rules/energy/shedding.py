"""Which loads to switch off so that a demand stays within its limit: a proposal, nothing is switched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.config.energy import SheddableLoad


class Proposal(NamedTuple):
    """The first so many of the loads, in their order.

    Attributes:
        is_enough: false when all of them together do not save what must be saved.
    """

    loads: str
    stage: int
    shed_w: float
    is_enough: bool


def proposal(loads: Sequence[SheddableLoad], excess_w: float) -> Proposal | None:
    """As few as save this; all of them when they do not. None when there are none, or nothing must go."""
    if excess_w <= 0 or not loads:
        return None
    chosen: list[SheddableLoad] = []
    saved_w = 0.0
    for load in loads:
        if saved_w >= excess_w:
            break
        chosen.append(load)
        saved_w += load.power_w
    return Proposal(", ".join(load.name for load in chosen), len(chosen), saved_w, saved_w >= excess_w)
