"""What survives of a register, what is set for it, and how its values become whole steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from rules.energy.grid import Grid
from rules.energy.segment import Segment

COARSEST: Final = 1
"""Registers are taken to count in 10 Wh (0.01 kWh) until one says more: 10**COARSEST."""
FINEST: Final = -6


class Reason(StrEnum):
    """Why a segment was opened."""

    FIRST = "first_reading"
    DECREASED = "register_decreased"
    SWAPPED = "meter_swapped"
    RATIO = "ratio_changed"
    CLOCK = "clock_set_back"
    INTERVAL = "interval_changed"


class Odd(msgspec.Struct, array_like=True):
    """A reading that waits for the next one."""

    at_us: int
    steps: int
    is_low: bool


class RegisterRow(msgspec.Struct, array_like=True):
    """What survives of a register.

    Attributes:
        exponent: one step is 10**exponent of its unit.
        length_us, shift_us: of the intervals that its entries were made for.
        base: steps to add to what it shows, since it rolled over.
        opens: why the next reading opens a segment; empty when it does not.
    """

    exponent: int
    length_us: int
    shift_us: int
    segments: list[Segment]
    base: int = 0
    odd: Odd | None = None
    opens: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is set for the registers of one meter.

    Attributes:
        rated: largest power, in units of the quantity for an hour; None when it is not known.
        full_scale: where the register starts again from 0, in its unit.
        multiplier: what readings must still be multiplied by.
    """

    grid: Grid
    gap_us: int
    settle_us: int
    backfill_us: int
    rated: float | None
    full_scale: Decimal
    multiplier: Decimal


Tell = Callable[[str, int, Mapping[str, str | int | float | None]], None]
"""Told of an event: its type, its time, its fields; registers in their unit."""


def exponent_of(value: Decimal) -> int:
    """The coarsest step, of those that a register may have, which the value is whole in."""
    exponent = int(value.normalize().as_tuple().exponent) if value else COARSEST
    return max(min(exponent, COARSEST), FINEST)


def steps_of(value: Decimal, exponent: int) -> int:
    """A value in steps of 10**exponent; what is finer is cut off."""
    return int(value.scaleb(-exponent))


def label_of(at_us: int, before: str | None) -> str:
    """`20261123T123456Z`, when a segment was opened; told apart from the one before it."""
    label = datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
    if before is None or before.partition("-")[0] != label:
        return label
    number = int(before.partition("-")[2] or 1) + 1
    return f"{label}-{number}"
