"""Watched time: which read points and meters were really being heard, and when.

A gateway speaks every second while it lives. Time between two of its batches counts as watched for what was watched
at its beginning; a longer silence, a missing batch or a new epoch means that nobody knows, and such time counts for
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

GAP_US: Final = 3_000_000
"""A gateway that ticks every second and is silent for this long was not alive."""

MOST_NAMES: Final = 10_000
"""Devices, and read points and meters, of one gateway; who says more is no edge daemon, and is not believed."""

NOTHING: Final[frozenset[str]] = frozenset()


class Span(msgspec.Struct, array_like=True):
    """A piece of a gateway's time in which the same was watched."""

    from_us: int
    to_us: int
    watched: frozenset[str]


class WatchedRow(msgspec.Struct):
    """What survives a restart.

    Attributes:
        spans: the time that the lateness window still waits for.
        totals: watched time of each name up to `clock_us`; `alive_us`: time without gaps.
    """

    clock_us: int = 0
    alive_us: int = 0
    now: frozenset[str] = NOTHING
    devices: dict[str, list[str]] = {}
    totals: dict[str, int] = {}
    spans: list[Span] = []
    offline: set[str] = set()


class Watched:
    """The watched time of one gateway."""

    def __init__(self, row: WatchedRow | None = None) -> None:
        self.row = row or WatchedRow()
        self._since = dict.fromkeys(self.row.now, self.row.clock_us)

    def advance(self, clock_us: int, *, is_broken: bool) -> None:
        """Move the clock; `is_broken` when batches are missing in between."""
        row = self.row
        passed_us = clock_us - row.clock_us
        if passed_us <= 0:
            return
        is_gap = is_broken or passed_us > GAP_US
        if is_gap:
            self._settle(row.clock_us)
            self._since = dict.fromkeys(row.now, clock_us)
        else:
            row.alive_us += passed_us
        if row.clock_us:
            watched = NOTHING if is_gap else row.now
            last = row.spans[-1] if row.spans else None
            if last is not None and last.watched is watched and last.to_us == row.clock_us:
                last.to_us = clock_us
            else:
                row.spans.append(Span(row.clock_us, clock_us, watched))
        row.clock_us = clock_us

    def set_back(self, by_us: int) -> None:
        """The gateway's clock was set back: all times that are kept move with it."""
        row = self.row
        row.clock_us -= by_us
        for span in row.spans:
            span.from_us -= by_us
            span.to_us -= by_us
        self._since = {name: since - by_us for name, since in self._since.items()}

    def state(self, device: str, watched: Iterable[str], *, is_offline: bool) -> None:
        """What one device watches from the clock's time on."""
        row = self.row
        if device not in row.devices and len(row.devices) >= MOST_NAMES:
            return
        points = list(watched)
        self._replace((row.now - frozenset(row.devices.get(device, ()))) | frozenset(points))
        row.devices[device] = points
        (row.offline.add if is_offline else row.offline.discard)(device)

    def all_now(self, watched: Iterable[str]) -> None:
        """Everything that the gateway watches from the clock's time on."""
        self._replace(frozenset(watched))

    def watched_us(self, name: str) -> int:
        """Watched time of a read point or meter up to the clock's time."""
        since = self._since.get(name)
        return self.row.totals.get(name, 0) + (0 if since is None else self.row.clock_us - since)

    def during(self, from_us: int, to_us: int) -> frozenset[str]:
        """What was watched from beginning to end of a time that the clock has passed; forgets what was before it."""
        spans = self.row.spans
        gone = 0
        while gone < len(spans) and spans[gone].to_us <= from_us:
            gone += 1
        if gone:
            del spans[:gone]
        if not spans or spans[0].from_us > from_us:
            return NOTHING
        found = spans[0].watched
        for span in spans[1:]:
            if span.from_us >= to_us:
                break
            found &= span.watched
        return found

    def dark_until(self, from_us: int) -> int:
        """The end of the time, from `from_us` on, in which nothing was watched; `from_us` when something was."""
        for span in self.row.spans:
            if span.to_us <= from_us:
                continue
            return span.to_us if span.from_us <= from_us and not span.watched else from_us
        return from_us

    def save(self) -> WatchedRow:
        """The row as of the clock's time."""
        self._settle(self.row.clock_us)
        return self.row

    def _replace(self, now: frozenset[str]) -> None:
        row = self.row
        if now == row.now or len(now) > MOST_NAMES:
            return
        self._settle(row.clock_us)
        if len(row.totals) > 2 * MOST_NAMES:
            row.totals = {name: total for name, total in row.totals.items() if name in now}
        row.now = now
        self._since = dict.fromkeys(now, row.clock_us)

    def _settle(self, at_us: int) -> None:
        totals = self.row.totals
        for name, since in self._since.items():
            if at_us > since:
                totals[name] = totals.get(name, 0) + at_us - since
                self._since[name] = at_us
