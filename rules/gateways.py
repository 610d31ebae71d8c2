"""What the engine keeps of each gateway: its presence, its clock, its timers, the order of its items."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from rules.presence.tracker import Tracker
from rules.sequencer import Sequencer


class GatewayState:
    """One gateway."""

    def __init__(self, name: str, tracker: Tracker, sequencer: Sequencer) -> None:
        self.name = name
        self.tracker = tracker
        self.sequencer = sequencer
        self.timers: list[tuple[int, int, str]] = []

    @property
    def clock_us(self) -> int:
        """Now, for this gateway."""
        return self.tracker.clock_us

    def passed_us(self, on: str, source: str) -> int:
        """See `rules.shapes.shape.Clock`."""
        watched = self.tracker.watched
        return watched.watched_us(source) if on in {"read", "reading"} else watched.row.alive_us

    def is_silenced(self, on: str, source: str) -> bool:
        """See `rules.shapes.shape.Clock`."""
        return on == "signal" and source in self.tracker.watched.row.offline

    def wake(self, at_us: int, rule: int, key: str) -> None:
        """Wake a prompt rule when the clock shows this time."""
        heapq.heappush(self.timers, (at_us, rule, key))

    @property
    def timers_wound(self) -> int:
        """Timers of rules that have not come, those among them that mean nothing any more."""
        return len(self.timers) + self.sequencer.timers_wound

    def forget_timers(self) -> None:
        """Before the rules are others."""
        self.timers.clear()
        self.sequencer.forget_timers()

    def set_back(self, by_us: int) -> None:
        """The clock was set back: all times move with it."""
        self.timers = [(at_us - by_us, rule, key) for at_us, rule, key in self.timers]
        self.sequencer.set_back(by_us)


def counted_us(gateways: Mapping[str, GatewayState], gateway: str, names: str, at_us: int) -> int:
    """Time that counts up to an instant: of names that another gateway watches, as that gateway knows it."""
    own = gateways[gateway].tracker.watched
    if not names or own.has_watched(names):
        return own.counted_at(names, at_us)
    for other in gateways.values():
        if other.tracker.watched.has_watched(names):
            return other.tracker.watched.counted_at(names, at_us)
    return 0
