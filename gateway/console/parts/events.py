"""What the rules concluded of late."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.console.parts.part import Cursor, Heard, Newest
from gateway.contract.events import Event

EVENTS_KEPT: Final = 2_000
AT_ONCE: Final = 100


class Events:
    """The newest events."""

    def __init__(self) -> None:
        self._newest: Newest[Event] = Newest(EVENTS_KEPT)

    def take(self, heard: Heard) -> None:
        """Take an event."""
        if isinstance(heard, Event):
            self._newest.extend([heard])

    def follow(self, query: Mapping[str, str]) -> Cursor:
        """All events, or those of the types that `types` names, separated by commas."""
        types = frozenset(name for name in query.get("types", "").split(",") if name)
        return self._newest.follow(
            msgspec.to_builtins,
            most=AT_ONCE,
            at_first=AT_ONCE,
            select=(lambda event: event.type in types) if types else None,
        )

    def whole(self) -> list[dict[str, Any]]:
        """The newest of them, oldest first."""
        return [msgspec.to_builtins(event) for event in self._newest][-AT_ONCE:]
