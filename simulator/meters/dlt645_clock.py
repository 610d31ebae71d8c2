"""The clock of a simulated meter: it starts wrong, drifts, and can be set."""

from __future__ import annotations

from typing import Final

from readers.codecs.dlt645_clock import local_time

US_PER_MIN: Final = 60_000_000
US_PER_S: Final = 1_000_000
_MILLION: Final = 1_000_000
_DAY_MIN: Final = 1440


class MeterClock:
    """What the meter takes for UTC, given the true one.

    Args:
        true_us: now; the clock shows `offset_us` more.
        drift_ppm: microseconds gained each second.
        utc_offset_min: of its local time, which its records and its days are in.
    """

    def __init__(self, true_us: int, offset_us: int, drift_ppm: int, utc_offset_min: int) -> None:
        self._true_us = true_us
        self._shown_us = true_us + offset_us
        self._rate = _MILLION + drift_ppm
        self.utc_offset_min = utc_offset_min
        self._set_on: int | None = None

    def shown_us(self, true_us: int) -> int:
        """What the clock shows at that moment."""
        return self._shown_us + (true_us - self._true_us) * self._rate // _MILLION

    def true_us(self, shown_us: int) -> int:
        """The first moment at which it shows that."""
        return self._true_us - (self._shown_us - shown_us) * _MILLION // self._rate

    def minute_of_day(self, shown_us: int) -> int:
        """The minute of the local day."""
        return (shown_us // US_PER_MIN + self.utc_offset_min) % _DAY_MIN

    def day(self, shown_us: int) -> int:
        """A number for the local day."""
        return (shown_us // US_PER_MIN + self.utc_offset_min) // _DAY_MIN

    def day_of_month(self, shown_us: int) -> int:
        """1 to 31."""
        return local_time(shown_us, self.utc_offset_min).day

    def set(self, true_us: int, shown_us: int) -> None:
        """Show that now."""
        self._true_us, self._shown_us = true_us, shown_us

    def sync(self, true_us: int, shown_us: int, within_s: float) -> bool:
        """Take the time of a time sync; False when it is too far away, or the second on one day."""
        before_us = self.shown_us(true_us)
        if abs(before_us - shown_us) > within_s * US_PER_S or self._set_on == self.day(before_us):
            return False
        self._set_on = self.day(before_us)
        self.set(true_us, shown_us)
        return True
