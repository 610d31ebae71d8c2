"""The contract of a part, and the two forms that nearly all of them have: rows by key, and a stream of the newest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from gateway.contract.batches import Batch
from gateway.contract.events import Alarm, Event
from gateway.contract.ledger import EdgeLedger, RulesLedger

T = TypeVar("T")

GONE_MOST: Final = 1_000
"""Keys that are remembered as gone; who was away for longer gets everything anew."""


class AlarmNews(NamedTuple):
    """An alarm as it is now; None when its topic was emptied."""

    id: str
    alarm: Alarm | None


Heard = Batch | Event | AlarmNews | EdgeLedger | RulesLedger
"""What MQTT brings, decoded."""


class Cursor(Protocol):
    """How far one follower is."""

    def news(self) -> Any | None:
        """What changed since the last call, everything at the first; None for nothing."""


class Part(Protocol):
    """One kind of what pages show. Never blocks; everything it keeps is bounded."""

    def take(self, heard: Heard) -> None:
        """Take what concerns it of what MQTT brings."""

    def follow(self, query: Mapping[str, str]) -> Cursor:
        """A new follower, with what he asked for.

        Raises:
            ValueError: he asked for something that cannot be; the text says what, and what can.
        """


class Rows:
    """Rows by key. A follower gets `{"whole": bool, "rows": {key: row, or null when it is gone}}`.

    Attributes:
        refused: new keys that did not fit.
    """

    def __init__(self, most: int) -> None:
        self.refused = 0
        self._most = most
        self._version = 1  # 0 is that of a follower who knows nothing yet
        self._rows: dict[str, tuple[int, Any]] = {}  # the last changed is the last
        self._gone: dict[str, int] = {}
        self._forgotten = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def get(self, key: str) -> Any | None:
        """The row, if there is one."""
        found = self._rows.get(key)
        return None if found is None else found[1]

    def items(self) -> Iterator[tuple[str, Any]]:
        """All rows, that which changed last at the end."""
        return ((key, row) for key, (_, row) in self._rows.items())

    def put(self, key: str, row: Any) -> bool:
        """Set a row; False when there is no room for a new one."""
        if self._rows.pop(key, None) is None and len(self._rows) >= self._most:
            self.refused += 1
            return False
        self._version += 1
        self._rows[key] = (self._version, row)
        self._gone.pop(key, None)
        return True

    def drop(self, key: str) -> None:
        """Take a row away."""
        if self._rows.pop(key, None) is None:
            return
        self._version += 1
        self._gone[key] = self._version
        if len(self._gone) > GONE_MOST:
            oldest = next(iter(self._gone))
            self._forgotten = self._gone.pop(oldest)

    def since(self, version: int) -> tuple[int, dict[str, Any] | None]:
        """The version now, and a message with what changed after `version`; None for nothing, 0 for everything."""
        if version == self._version:
            return version, None
        if version <= self._forgotten:
            return self._version, {"whole": True, "rows": dict(self.items())}
        changed: dict[str, Any] = {}
        for key in reversed(self._rows):
            at, row = self._rows[key]
            if at <= version:
                break
            changed[key] = row
        for key in reversed(self._gone):
            if self._gone[key] <= version:
                break
            changed[key] = None
        return self._version, {"whole": False, "rows": changed} if changed else None

    def follow(self) -> Cursor:
        """A new follower."""
        return _RowsCursor(self)


class _RowsCursor:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._version = 0

    def news(self) -> Any | None:
        self._version, found = self._rows.since(self._version)
        return found


class Newest(Generic[T]):
    """The newest of many. A follower gets `{"whole", "rows", "matched", "left_out"}`.

    `rows` are the newest of those that he selects, oldest first; `matched` counts all of them since the last time, also
    those that are not among the rows; `left_out` counts what went by before it could be looked at.
    """

    def __init__(self, kept: int) -> None:
        self.heard = 0
        self._kept: deque[T] = deque(maxlen=kept)

    def __iter__(self) -> Iterator[T]:
        return iter(self._kept)

    def extend(self, items: list[T]) -> None:
        """Take more, oldest first."""
        self.heard += len(items)
        self._kept.extend(items)

    def after(self, number: int) -> tuple[list[T], int]:
        """What is kept after the first `number` that were heard, newest first, and how many are gone already."""
        fresh = self.heard - number
        kept = min(fresh, len(self._kept))
        return list(islice(reversed(self._kept), kept)), fresh - kept

    def follow(
        self, show: Callable[[T], Any], *, most: int, at_first: int, select: Callable[[T], bool] | None = None
    ) -> Cursor:
        """A new follower, who gets `most` rows at a time, `at_first` of them when he comes."""
        return _NewestCursor(self, show, select, most, at_first)


class _NewestCursor(Generic[T]):
    def __init__(
        self, newest: Newest[T], show: Callable[[T], Any], select: Callable[[T], bool] | None, most: int, at_first: int
    ) -> None:
        self._newest, self._show, self._select = newest, show, select
        self._most, self._at_first = most, at_first
        self._number: int | None = None

    def news(self) -> Any | None:
        whole = self._number is None
        found, left_out = self._newest.after(self._number or 0)
        self._number = self._newest.heard
        if self._select is not None:
            found = [item for item in found if self._select(item)]
        if not found and not left_out and not whole:
            return None
        shown = found[: self._at_first if whole else self._most]
        return {
            "whole": whole,
            "rows": [self._show(item) for item in reversed(shown)],
            "matched": len(found),
            "left_out": 0 if whole else left_out,
        }
