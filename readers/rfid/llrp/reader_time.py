"""The reader's clock against the host's: UTC or uptime, fresh or long buffered.

Every timestamp of a reader is turned into microseconds that look like UTC. A reader without a UTC clock counts from
its start; its uptime is pinned to the host's time at the first event of the connection, and from there on it is
treated like any other clock. The remaining difference is tracked by `ClockOffset`.

A report may be old: readers keep tens of thousands of messages while the network is down. And a time may be damaged:
LLRP has no checksum. Neither says anything about the clocks, so only what is near the offset in force is used. A clock
that was set looks the same at first; but there the difference stays equal while time goes on, which neither a backlog's
nor a damaged time's does.
"""

from __future__ import annotations

from typing import Final

from readers.clock import STEP_US, ClockOffset

SETTLED_US: Final = 5_000_000  # a difference that stays the same for this long is a clock that was set
STEADY_US: Final = 500_000  # "the same": reports are batched by up to about this much
LATEST_US: Final = (1 << 62) - 1  # the year 148,000; above it a timestamp is no time, and sums would leave 64 bits


class ReaderTime:
    """One connection's view of one reader's clock.

    Args:
        batching_us: how old the newest read of a fresh report may be because the reader collects reads.
    """

    def __init__(self, batching_us: int = 0) -> None:
        self._fresh_us = max(STEP_US, 2 * batching_us)
        self._steady_us = max(STEADY_US, batching_us)
        self._offset = ClockOffset(self._fresh_us)
        self._uptime_base_us: int | None = None
        self._strange_us = 0
        self._strange_since_us: int | None = None

    @property
    def offset_us(self) -> int:
        """Add this to a time of the reader to get host time."""
        return self._offset.offset_us

    @property
    def steps(self) -> int:
        """How often the reader's clock was set."""
        return self._offset.steps

    def from_uptime(self, uptime_us: int, received_at_us: int) -> int:
        """A time since the reader's start, on a scale that looks like UTC."""
        if self._uptime_base_us is None:
            self._uptime_base_us = received_at_us - uptime_us
        return self._uptime_base_us + uptime_us

    def uptime_base_us(self, newest_uptime_us: int, received_at_us: int) -> int:
        """What to add to the uptimes of a report; pinned by this report if no event did so before."""
        return self.from_uptime(newest_uptime_us, received_at_us) - newest_uptime_us

    def event(self, reader_us: int, received_at_us: int) -> None:
        """Take the time of the event that opens a connection: it is made at that moment and never held back."""
        if 0 <= reader_us <= LATEST_US:
            self._offset.update(reader_us, received_at_us)

    def newest(self, reader_us: int, received_at_us: int) -> int:
        """Take the newest time of a report or of a later event, and return the offset in force."""
        if not 0 <= reader_us <= LATEST_US:
            return self._offset.offset_us
        seen_us = received_at_us - reader_us
        if not self._offset.known or abs(seen_us - self._offset.offset_us) <= self._fresh_us:
            self._strange_since_us = None
            return self._offset.update(reader_us, received_at_us)
        if self._strange_since_us is None or abs(seen_us - self._strange_us) > self._steady_us:
            self._strange_since_us, self._strange_us = received_at_us, seen_us
        elif received_at_us - self._strange_since_us >= SETTLED_US:
            self._strange_since_us = None
            return self._offset.update(reader_us, received_at_us)
        return self._offset.offset_us

    def latest_us(self, received_at_us: int) -> int:
        """The latest time, by the reader, of anything that came at `received_at_us`: nobody hears the future."""
        return received_at_us - self._offset.offset_us + self._fresh_us
