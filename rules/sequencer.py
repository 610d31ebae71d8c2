"""Puts the items of one gateway, and the timers of the rules that look at them, into the order of event time.

An item waits until its gateway's clock is `lateness_s` past it; then whatever comes is later. What is later than that
is taken at once, and counted: it is out of order, and not lost. So the same items give the same events, however they
were divided into batches. The moment of a turn never goes back: an item that is known before it came too late.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

from msgspec.structs import replace

from rules.item import Item
from rules.state import State


class Due(NamedTuple):
    """A timer of a rule that has come."""

    due_us: int
    rule: int
    key: str


class Sequencer:
    """The order of one gateway.

    Attributes:
        late: items that came after their turn.
        now_us: the moment that was reached: the latest that was taken, or that all was taken up to.
    """

    def __init__(self, gateway: str, lateness_us: int, state: State) -> None:
        self.rows = state.table("item", gateway, Item)
        self.late = 0
        self.now_us = 0
        self._lateness_us = lateness_us
        self._items: list[tuple[int, int]] = []
        self._timers: list[tuple[int, int, str]] = []
        self._next = 0
        self._frontier_us = 0

    def restore(self, clock_us: int) -> None:
        """Take up the items that were loaded, at the time that the gateway's clock showed."""
        self.now_us = max(0, clock_us - self._lateness_us)
        self._items = sorted((item.known_us, int(number)) for number, item in self.rows.rows.items())
        self._next = max((number for _, number in self._items), default=-1) + 1

    def put(self, item: Item) -> None:
        """Have an item wait for its turn."""
        if item.known_us < self.now_us:
            self.late += 1
        number, self._next = self._next, self._next + 1
        self.rows.put(str(number), item)
        heapq.heappush(self._items, (item.known_us, number))

    def wake(self, due_us: int, rule: int, key: str) -> None:
        """Have a timer of a rule come."""
        heapq.heappush(self._timers, (due_us, rule, key))

    @property
    def timers_wound(self) -> int:
        """Timers that have not come."""
        return len(self._timers)

    def forget_timers(self) -> None:
        """Before the rules are others."""
        self._timers.clear()

    def advance(self, clock_us: int) -> None:
        """The gateway's clock moved on."""
        self._frontier_us = max(self._frontier_us, clock_us - self._lateness_us)

    def take(self) -> Item | Due | None:
        """What is next; an item goes before a timer of the same time. None when nothing is due."""
        items, timers, frontier_us = self._items, self._timers, self._frontier_us
        if items and items[0][0] <= frontier_us and (not timers or items[0][0] <= timers[0][0]):
            number = str(heapq.heappop(items)[1])
            item = self.rows.rows[number]
            self.rows.drop(number)
            self.now_us = max(self.now_us, item.known_us)
            return item
        if timers and timers[0][0] <= frontier_us:
            due = Due(*heapq.heappop(timers))
            self.now_us = max(self.now_us, due.due_us)
            return due
        self.now_us = max(self.now_us, frontier_us)
        return None

    def set_back(self, by_us: int) -> None:
        """The gateway's clock was set back: all times move with it."""
        self._frontier_us -= by_us
        self.now_us -= by_us
        self._items = [(known_us - by_us, number) for known_us, number in self._items]
        self._timers = [(due_us - by_us, rule, key) for due_us, rule, key in self._timers]
        for number, item in list(self.rows.rows.items()):
            self.rows.put(number, replace(item, known_us=item.known_us - by_us, at_us=item.at_us - by_us))
