"""What is made of the items of a window: of one that ends, as they come; of a sliding one, of those that are in it."""

from __future__ import annotations

import bisect
import hashlib
import math
from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.config.rules import Function
from gateway.contract.events import Evidence
from rules.item import Item

MOST_DISTINCT: Final = 65_536
"""Distinct values of one window at most: half a megabyte. Further ones are not told apart from those that are known."""
MOST_KEPT: Final = 4096
"""Items of a sliding window at most where values are needed; of more, the latest."""
MOST_ABOVE: Final = 1_000_000
"""What a sliding window counts to at most."""

Measured = float | int
"""A value; of `distinct` a hash of it, which is an int."""


def measured(function: Function, of: str | None, item: Item) -> Measured | None:
    """What an item brings to a window; None when it has nothing that counts."""
    if of is None:
        return 1.0
    value = item.fields.get(of)
    if value is None or isinstance(value, list):
        return None
    if function is Function.DISTINCT:
        return int.from_bytes(hashlib.blake2b(str(value).encode(), digest_size=8).digest(), "big")
    if isinstance(value, bool | str):
        return None
    return number if math.isfinite(number := float(value)) else None


class Tally(msgspec.Struct, array_like=True, gc=False):
    """A window that ends.

    Attributes:
        first, last: by time.
        distinct: hashes of the values.
        reads, sequence_from, since_us: what its items rest on, of the same gateway and epoch as the latest.
    """

    count: int = 0
    total: float = 0.0
    least: float = 0.0
    most: float = 0.0
    first: tuple[int, float] = (0, 0.0)
    last: tuple[int, float] = (0, 0.0)
    distinct: set[int] = set()
    reads: int = 0
    journal: tuple[str, int] = ("", 0)
    sequence_from: int = 0
    since_us: int | None = None

    def add(self, function: Function, item: Item, value: Measured) -> None:
        """Count an item in."""
        self._rest_on(item.evidence)
        if function is Function.DISTINCT:
            if len(self.distinct) < MOST_DISTINCT:
                self.distinct.add(int(value))
        elif function is not Function.COUNT:
            at = (item.known_us, float(value))
            self.total += value
            self.least = min(self.least, value) if self.count else float(value)
            self.most = max(self.most, value) if self.count else float(value)
            if not self.count or at[0] < self.first[0]:
                self.first = at
            if not self.count or at[0] >= self.last[0]:
                self.last = at
        self.count += 1

    def value(self, function: Function) -> float | None:
        """The result; of no items 0, where a result without items means something."""
        if function is Function.COUNT:
            return float(self.count)
        if function is Function.DISTINCT:
            return float(len(self.distinct))
        if function is Function.SUM:
            return self.total
        if function is Function.CHANGE:
            return self.last[1] - self.first[1]
        if not self.count:
            return None
        if function is Function.MEAN:
            return self.total / self.count
        return self.least if function is Function.MIN else self.most

    def evidence(self, last: Evidence) -> Evidence:
        """What they rest on together; where, is told of the last."""
        if not self.count:
            return last
        return msgspec.structs.replace(
            last, reads=self.reads, sequence_from=self.sequence_from, first_seen_at_us=self.since_us
        )

    def set_back(self, by_us: int) -> None:
        """All times move."""
        self.first = (self.first[0] - by_us, self.first[1])
        self.last = (self.last[0] - by_us, self.last[1])
        if self.since_us is not None:
            self.since_us -= by_us

    def _rest_on(self, evidence: Evidence) -> None:
        journal = (evidence.gateway, evidence.epoch)
        self.reads += evidence.reads
        if journal != self.journal:
            self.journal, self.sequence_from = journal, evidence.sequence_from
        elif evidence.sequence_from:
            self.sequence_from = min(self.sequence_from or evidence.sequence_from, evidence.sequence_from)
        seen_us = evidence.first_seen_at_us or evidence.last_seen_at_us
        if seen_us is not None:
            self.since_us = seen_us if self.since_us is None else min(self.since_us, seen_us)


class Kept(msgspec.Struct, array_like=True, gc=False):
    """An item in a sliding window: its time and value, the batch that brought it, how many reads it was."""

    at_us: int
    value: Measured
    gateway: str
    epoch: int
    sequence: int
    reads: int

    @classmethod
    def of(cls, item: Item, value: Measured) -> Kept:
        """What is kept of an item."""
        rests = item.evidence
        return cls(item.known_us, value, rests.gateway, rests.epoch, rests.sequence_from, rests.reads)


def _at_us(kept: Kept) -> int:
    return kept.at_us


class Sliding:
    """What one rule makes of what is in a sliding window, in the order of time."""

    def __init__(self, function: Function, above: float) -> None:
        self._function = function
        # More than one above the limit makes no difference to a count.
        is_counted = function in {Function.COUNT, Function.DISTINCT}
        self._most = int(min(max(above, 0.0), MOST_ABOVE)) + 1 if is_counted else MOST_KEPT

    def add(self, kept: list[Kept], item: Kept) -> None:
        """Take an item in; of equal values that are only told apart, the latest stands for all."""
        if self._function is Function.DISTINCT:
            for index, other in enumerate(kept):
                if other.value == item.value:
                    if other.at_us > item.at_us:
                        return
                    del kept[index]
                    break
        bisect.insort(kept, item, key=_at_us)
        if len(kept) > self._most:
            del kept[0]

    def trim(self, kept: list[Kept], before_us: int) -> None:
        """Let go of what has left the window that begins after this time."""
        gone = bisect.bisect_right(kept, before_us, key=_at_us)
        if gone:
            del kept[:gone]

    def value(self, kept: list[Kept]) -> float | None:
        """The result; of no items 0, where a result without items means something."""
        function = self._function
        if function in {Function.COUNT, Function.DISTINCT}:
            return float(len(kept))
        if function is Function.SUM:
            return float(sum(each.value for each in kept))
        if not kept:
            return 0.0 if function is Function.CHANGE else None
        if function is Function.CHANGE:
            return kept[-1].value - kept[0].value
        values = [each.value for each in kept]
        if function is Function.MEAN:
            return sum(values) / len(values)
        return min(values) if function is Function.MIN else max(values)

    def evidence(self, kept: Iterable[Kept], last: Evidence) -> Evidence:
        """What they rest on together; where, is told of the last."""
        same = [each for each in kept if (each.gateway, each.epoch) == (last.gateway, last.epoch)]
        first = min((each.sequence for each in same if each.sequence), default=last.sequence_from)
        return msgspec.structs.replace(last, sequence_from=first, reads=sum(each.reads for each in same))
