"""What the parts of one step take, told apart: every nanosecond of a measured step belongs to somebody.

    start ──(engine)──► lap ──rule a──► lap ──rule b──► lap ──(engine)──► lap ──(books)──► lap ...

Pure: the clock is an argument. Measuring changes nothing of what a step does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

BOOKS: Final = "(books)"
ENGINE: Final = "(engine)"
PRESENCE: Final = "(presence)"
"""Owners of time that are no rules; the name of a rule has no parentheses."""


class Taken(NamedTuple):
    """What an owner took: time, and the items that it was shown."""

    busy_ns: int
    items: int


class Stopwatch:
    """Measures steps; what a step takes counts `weight` times, because it stands for others that are not measured."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._since_ns = 0
        self._weight = 1
        self._busy_ns: dict[str, int] = {}
        self._items: dict[str, int] = {}

    def start(self, weight: int) -> None:
        """A step begins."""
        self._weight = weight
        self._since_ns = self._clock_ns()

    def lap(self, owner: str, items: int = 0) -> None:
        """The time since the last lap was this owner's, which was shown so many items."""
        now_ns = self._clock_ns()
        self._busy_ns[owner] = self._busy_ns.get(owner, 0) + (now_ns - self._since_ns) * self._weight
        if items:
            self._items[owner] = self._items.get(owner, 0) + items * self._weight
        self._since_ns = now_ns

    def take(self) -> dict[str, Taken]:
        """What was taken since the last call, by owner."""
        busy_ns, self._busy_ns = self._busy_ns, {}
        items, self._items = self._items, {}
        return {owner: Taken(time_ns, items.get(owner, 0)) for owner, time_ns in busy_ns.items()}
