"""How far the phases of a meter are apart: the largest deviation from their mean, in percent of the mean.

A meter tells three voltages and no angles between them, so this is not the negative sequence of GB/T 15543, which needs
them; for small unbalance without a shifted neutral the two are about the same. A lost phase is no unbalance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

LOST_SHARE: Final = 0.5
"""A voltage that is less than this part of the largest is that of a lost phase."""
PERCENT: Final = 100.0


def unbalance_percent(values: Sequence[float]) -> float | None:
    """Of three phases; None when there is nothing to compare."""
    mean = sum(values) / len(values)
    if mean <= 0:
        return None
    return max(abs(value - mean) for value in values) / mean * PERCENT


def voltage_unbalance_percent(values: Sequence[float]) -> float | None:
    """As above; None when a phase is lost."""
    return None if min(values) < LOST_SHARE * max(values) else unbalance_percent(values)
