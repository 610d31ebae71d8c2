"""Demand that no meter tells: the mean power over a window that slides by the minute, out of the register itself.

Never a mean of power readings: what a meter bills is what its register counted. The register is taken at each full
minute from the straight line between two readings; where they are further apart than a few minutes there is no such
line, and no demand until a whole window was read again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from rules.energy.grid import US_PER_MIN

MOST_APART_US: Final = 150_000_000


class DemandRow(msgspec.Struct, array_like=True):
    """One meter's sliding demand.

    Attributes:
        minute: of the last sample, counted from 1970.
        samples: the register at the last full minutes, in steps, the latest last.
        peak, peak_minute: the largest of the windows that ended in `interval`, and when it ended.
    """

    minute: int = 0
    samples: list[int] = []
    interval: int = 0
    peak: Decimal | None = None
    peak_minute: int = 0


def slide(row: DemandRow, before: tuple[int, int], after: tuple[int, int], window_min: int) -> list[tuple[int, int]]:
    """Go on from one reading to the next, each a time in microseconds and a register in steps.

    Returns the end of each window that this completes, in minutes since 1970, with its steps.
    """
    from_us, from_steps = before
    to_us, to_steps = after
    if to_us - from_us > MOST_APART_US:
        row.samples.clear()
        return []
    found: list[tuple[int, int]] = []
    for minute in range(from_us // US_PER_MIN + 1, to_us // US_PER_MIN + 1):
        sample = from_steps + (to_steps - from_steps) * (minute * US_PER_MIN - from_us) // (to_us - from_us)
        if row.minute != minute - 1:
            row.samples.clear()
        row.minute = minute
        row.samples.append(sample)
        if len(row.samples) > window_min + 1:
            del row.samples[0]
        if len(row.samples) == window_min + 1:
            found.append((minute, sample - row.samples[0]))
    return found


def note_peak(row: DemandRow, interval: int, minute: int, demand: Decimal) -> tuple[int, int, Decimal] | None:
    """Remember the largest of an interval; the one before, with the minute in which it ended, when another begins."""
    finished = None
    if row.interval != interval:
        if row.peak is not None:
            finished = row.interval, row.peak_minute, row.peak
        row.interval, row.peak = interval, None
    if row.peak is None or demand > row.peak:
        row.peak, row.peak_minute = demand, minute
    return finished
