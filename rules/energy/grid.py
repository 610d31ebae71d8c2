"""The intervals of the books: of equal length, numbered, and aligned to the clocks of the site."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final

US_PER_MIN: Final = 60_000_000
_REFERENCE: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Grid:
    """Intervals of some minutes.

    They are aligned to the local hour as it is in winter; summer time moves it by whole hours, which no length here
    notices.
    """

    def __init__(self, interval_min: int, zone: tzinfo) -> None:
        self.length_us = interval_min * US_PER_MIN
        offset = _REFERENCE.astimezone(zone).utcoffset()
        assert offset is not None
        self.shift_us = round(offset.total_seconds() * 1e6) % self.length_us

    @classmethod
    def of(cls, length_us: int, shift_us: int) -> Grid:
        """Intervals as they were written down."""
        grid = cls(1, UTC)
        grid.length_us, grid.shift_us = length_us, shift_us
        return grid

    def index(self, at_us: int) -> int:
        """The interval that an instant lies in; one at a boundary lies in that which begins."""
        return (at_us + self.shift_us) // self.length_us

    def start_us(self, index: int) -> int:
        """When an interval begins."""
        return index * self.length_us - self.shift_us

    def start_of(self, at_us: int) -> int:
        """When the interval of an instant begins."""
        return at_us - (at_us + self.shift_us) % self.length_us

    def is_boundary(self, at_us: int) -> bool:
        """Whether an interval begins at this instant."""
        return (at_us + self.shift_us) % self.length_us == 0
