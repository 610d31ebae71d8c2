"""What the line learns of a meter: how many wake-up bytes it needs, and how soon it answers."""

from __future__ import annotations

from typing import Final

from readers.bus import ReplyDelay

REPLY_WITHIN_S: Final = 0.5  # Td of DL/T 645-2007
LATENCY_S: Final = 0.2  # adapters and device servers hand bytes on in bundles
_SHORTEST_DELAY_S: Final = 0.05
_MARGIN_S: Final = 0.05
_MARGIN_BYTES: Final = 40  # two short frames, as time for what a meter does now and then
ANSWERS_BEFORE_LESS: Final = 8
_MOST_ANSWERS_BEFORE_LESS: Final = 1024


class Habits:
    """How to ask one meter.

    A meter that answered `ANSWERS_BEFORE_LESS` times in a row gets one wake-up byte, then none. One silence, and it
    gets all of them again; each time that fewer were not enough, fewer are tried half as soon.
    """

    def __init__(self, most_wake_up_bytes: int, byte_s: float) -> None:
        self._levels = sorted({most_wake_up_bytes, min(1, most_wake_up_bytes), 0}, reverse=True)
        self._level = 0
        self._in_a_row = 0
        self._needed = ANSWERS_BEFORE_LESS
        self.delay = ReplyDelay(
            least_s=_SHORTEST_DELAY_S,
            most_s=REPLY_WITHIN_S + LATENCY_S,
            margin_s=_MARGIN_S + _MARGIN_BYTES * byte_s,
        )

    @property
    def wake_up_bytes(self) -> int:
        """FE bytes before the next request."""
        return self._levels[self._level]

    def heard(self, delay_s: float) -> None:
        """It answered; its reply began that long after the request."""
        self.delay.heard(delay_s)
        self._in_a_row += 1
        if self._in_a_row >= self._needed and self._level + 1 < len(self._levels):
            self._level += 1
            self._in_a_row = 0

    def missed(self) -> None:
        """It did not answer."""
        self.delay.missed()
        if self._level:
            self._needed = min(self._needed * 2, _MOST_ANSWERS_BEFORE_LESS)
        self._level = self._in_a_row = 0
