"""How finely a curve is drawn: the finest step that a screen needs, from the coarsest rows that give it."""

from __future__ import annotations

from typing import Final

US_PER_S: Final = 1_000_000
US_PER_MINUTE: Final = 60 * US_PER_S
US_PER_QUARTER: Final = 15 * US_PER_MINUTE
_SECONDS: Final = (1, 2, 5, 10, 15, 30)
_MINUTES: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
STEPS_US: Final = (*(n * US_PER_S for n in _SECONDS), *(n * US_PER_MINUTE for n in _MINUTES))
"""Each divides a day, so that a step never lies in two day files."""
SINGLE_ROWS_MOST: Final = 400_000
"""So many seconds of series are answered from their rows; more of them from rollups, be they coarser than asked for."""


def choose_step(from_us: int, to_us: int, points_most: int, series: int) -> int:
    """The step of curves: at most `points_most` of them, one more where `from_us` is within a step.

    Raises:
        ValueError: there are more days than points.
    """
    span_us = to_us - from_us
    seconds = span_us // US_PER_S * series
    for step_us in STEPS_US:
        if step_us < US_PER_MINUTE and seconds > SINGLE_ROWS_MOST:
            continue
        if span_us <= points_most * step_us:
            return step_us
    days = -(-span_us // STEPS_US[-1])
    raise ValueError(f"points_most = {points_most}: must be at least {days}, one for each day")
