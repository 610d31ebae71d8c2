"""What a counter has counted between two looks at it: a machine resets it, it wraps, it jumps."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from gateway.config.machines import MachineSettings

US_PER_MIN: Final = 60_000_000
MOST_RATE: Final = 3
"""Times the ideal rate: more than that no machine makes."""
SLACK_US: Final = 10_000_000
"""How much later than it held a value may be heard."""


class Counted(NamedTuple):
    """`units` is None when what was made is not known, and a new segment begins; `event` is empty mostly."""

    units: Decimal | None
    event: str = ""


def counted(before: Decimal, after: Decimal, elapsed_us: int, settings: MachineSettings) -> Counted:
    """What was made between two values.

    A decrease is a wrap only where the counter is set to wrap, the ideal rate is known, and it can have come that far.
    """
    most = _most(elapsed_us, settings)
    if after >= before:
        units = after - before
        if most is not None and units > most:
            return Counted(None, "counter_jumped")
        return Counted(units)
    if settings.counter_wraps_at is not None and most is not None:
        scale = Decimal(repr(settings.counter_wraps_at))
        units = scale - before + after
        if before < scale and units <= most:
            return Counted(units, "counter_wrapped")
    return Counted(None, "counter_reset")


def _most(elapsed_us: int, settings: MachineSettings) -> Decimal | None:
    """The most that can have been made; None where nothing tells."""
    if settings.ideal_rate_per_min is None:
        return None
    rate = Decimal(repr(settings.ideal_rate_per_min))
    return MOST_RATE * rate * (max(0, elapsed_us) + SLACK_US) / US_PER_MIN + 1
