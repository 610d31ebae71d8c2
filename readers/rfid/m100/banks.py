"""Which tags' memory is still to be read: each tag once while it is present, and the inventory always first.

Reading memory stops the inventory, so it gets a small share of the time, whatever number of tags wait for it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from readers.access import AccessFault

MOST_TAGS: Final = 1_024  # more than ever are before one such module
SLICE_S: Final = 0.25
"""No further tag is begun when reading has taken so long."""
INVENTORY_SHARE: Final = 3.0
"""For each second of reading memory, at least so many of inventory."""
SHORTEST_INVENTORY_S: Final = 0.1
STALE_S: Final = 2.0
"""A tag that was not heard for so long is likely to have passed; it is tried when it is heard again."""
MOST_ATTEMPTS: Final = 5
FIRST_RETRY_S: Final = 0.5
PASSING: Final = frozenset({AccessFault.NO_TAG, AccessFault.LOST, AccessFault.LOW_POWER, AccessFault.SEVERAL_TAGS})
"""Faults after which another attempt may succeed."""


@dataclass(slots=True)
class _Tag:
    heard_s: float
    attempts: int = 0
    not_before_s: float = 0.0


class WantedBanks:
    """Keeps the tags that are present, and which of them are next. Times are of a clock that never jumps."""

    def __init__(self, absent_after_s: float) -> None:
        self._absent_after_s = absent_after_s
        self._tags: OrderedDict[bytes, _Tag] = OrderedDict()
        self._waiting: set[bytes] = set()
        self._inventory_until_s = 0.0

    def heard(self, epc: bytes, at_s: float) -> None:
        """The inventory has heard this tag."""
        tag = self._tags.pop(epc, None)
        if tag is None or at_s - tag.heard_s > self._absent_after_s:
            tag = _Tag(at_s)
            self._waiting.add(epc)
        tag.heard_s = at_s
        self._tags[epc] = tag
        if len(self._tags) > MOST_TAGS:
            oldest, _ = self._tags.popitem(last=False)
            self._waiting.discard(oldest)

    def is_due(self, now_s: float) -> bool:
        """Whether the inventory should make room now."""
        return bool(self._waiting) and now_s >= self._inventory_until_s and self.next(now_s) is not None

    def next(self, now_s: float) -> bytes | None:
        """The tag to be read now: of those that may be tried, the one heard last."""
        gone = [epc for epc in self._waiting if now_s - self._tags[epc].heard_s > self._absent_after_s]
        self._waiting.difference_update(gone)
        ready = [
            (tag.heard_s, epc)
            for epc in self._waiting
            if (tag := self._tags[epc]).not_before_s <= now_s and now_s - tag.heard_s <= STALE_S
        ]
        return max(ready)[1] if ready else None

    def read(self, epc: bytes) -> None:
        """All that was wanted of this tag has been read, or never can be."""
        self._waiting.discard(epc)

    def failed(self, epc: bytes, fault: AccessFault, at_s: float) -> bool:
        """An attempt has failed; True when there will be no other."""
        tag = self._tags.get(epc)
        if tag is None:  # so many others came meanwhile that it was forgotten
            return True
        tag.attempts += 1
        if fault not in PASSING or tag.attempts >= MOST_ATTEMPTS:
            self._waiting.discard(epc)
            return True
        tag.not_before_s = at_s + FIRST_RETRY_S * 2 ** (tag.attempts - 1)
        return False

    def end_slice(self, began_s: float, ended_s: float) -> None:
        """Memory was read between these times; the inventory is to run for its share now."""
        self._inventory_until_s = ended_s + max(SHORTEST_INVENTORY_S, INVENTORY_SHARE * (ended_s - began_s))
