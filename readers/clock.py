"""The difference between a device's clock and this host's, tracked from what both say.

A report reaches us late by its batching and the network, never early. So of the differences `received - device time`
seen lately, the smallest is the nearest to the truth; it may be raised slowly, to follow a drifting crystal.
"""

from __future__ import annotations

from typing import Final

DRIFT_PPM: Final = 100  # a cheap crystal over the industrial temperature range, with room to spare
STEP_US: Final = 2_000_000  # a change larger than this is a clock that was set, not one that drifts
_PPM: Final = 1_000_000


class ClockOffset:
    """Host time minus device time, in microseconds.

    `step_us` is the difference beyond which a device's clock counts as having been set: then the offset starts anew.
    """

    def __init__(self, step_us: int = STEP_US) -> None:
        self._step_us = step_us
        self._offset_us: int | None = None
        self._updated_us = 0
        self.steps = 0

    @property
    def known(self) -> bool:
        """Whether anything was heard yet."""
        return self._offset_us is not None

    @property
    def offset_us(self) -> int:
        """Add this to a device time to get host time; 0 while nothing is known."""
        return self._offset_us or 0

    def update(self, device_us: int, received_us: int) -> int:
        """Take one pair, the newest device time of a message and its arrival, and return the offset in force.

        A device time that lies in the past because it was buffered must not be given here.
        """
        seen = received_us - device_us
        if self._offset_us is None:
            self._offset_us = seen
        elif abs(seen - self._offset_us) > self._step_us:
            self._offset_us = seen
            self.steps += 1
        else:
            drift = max(0, received_us - self._updated_us) * DRIFT_PPM // _PPM
            self._offset_us = min(seen, self._offset_us + drift)
        self._updated_us = received_us
        return self._offset_us
