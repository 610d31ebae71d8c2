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

KEPT_US: Final = 30_000_000
"""Pieces of time are kept so long behind what was judged: an event is known later than what it tells happened."""

MOST_NAMES: Final = 10_000
"""Devices, and read points and meters, of one gateway; who says more is no edge daemon, and is not believed."""

NOTHING: Final[frozenset[str]] = frozenset()


class Span(msgspec.Struct, array_like=True):
    """A piece of a gateway's time in which the same was watched."""

    from_us: int
    to_us: int
    watched: frozenset[str]
    is_alive: bool = True


class WatchedRow(msgspec.Struct):
    """What survives a restart.

    Attributes:
        spans: the time that the lateness window still waits for, and `KEPT_US` before it; behind_us: older ones go.
        totals: watched time of each name up to `clock_us`; `alive_us`: time without gaps.
    """

    clock_us: int = 0
    alive_us: int = 0
    now: frozenset[str] = NOTHING
    devices: dict[str, list[str]] = {}
    totals: dict[str, int] = {}
    spans: list[Span] = []
    offline: set[str] = set()
    behind_us: int = 0


def joint(names: Iterable[str]) -> str:
    """What several read points, meters or devices are called together; one alone is called by its name."""
    return "+".join(sorted(set(names)))


class Watched:
    """The watched time of one gateway.

    Args:
        together: several names whose common time is counted, too, see `joint`.
    """

    def __init__(self, row: WatchedRow | None = None, together: Iterable[frozenset[str]] = ()) -> None:
        self.row = row or WatchedRow()
        self._together: dict[str, frozenset[str]] = {}
        self._since: dict[str, int] = {}
        self.count_together(together)

    def count_together(self, together: Iterable[frozenset[str]]) -> None:
        """Count the common time of other names from now on."""
        self._settle(self.row.clock_us)
        self._together = {joint(names): names for names in together if len(names) > 1}
        self._since = dict.fromkeys(self._counted(), self.row.clock_us)

    def advance(self, clock_us: int, *, is_broken: bool) -> None:
        """Move the clock; `is_broken` when batches are missing in between."""
        row = self.row
        passed_us = clock_us - row.clock_us
        if passed_us <= 0:
            return
        self._forget()
        is_gap = is_broken or passed_us > GAP_US
        if is_gap:
            self._settle(row.clock_us)
            self._since = dict.fromkeys(self._counted(), clock_us)
        else:
            row.alive_us += passed_us
        if row.clock_us:
            watched = NOTHING if is_gap else row.now
            last = row.spans[-1] if row.spans else None
            is_same = last is not None and last.watched == watched and last.is_alive is not is_gap
            if last is not None and is_same and last.to_us == row.clock_us:
                last.to_us = clock_us
            else:
                row.spans.append(Span(row.clock_us, clock_us, watched, not is_gap))
        row.clock_us = clock_us

    def set_back(self, by_us: int) -> None:
        """The gateway's clock was set back: all times that are kept move with it."""
        row = self.row
        row.clock_us -= by_us
        row.behind_us -= by_us
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

    def counted_at(self, names: str, at_us: int) -> int:
        """Time that counts, up to an instant of the last seconds: watched time of a `joint`, time alive of none.

        An instant before what is kept counts as the earliest that is.
        """
        total_us = self.watched_us(names) if names else self.row.alive_us
        wanted = self._together.get(names, frozenset((names,))) if names else NOTHING
        for span in reversed(self.row.spans):
            if span.to_us <= at_us:
                break
            if span.is_alive and wanted <= span.watched:
                total_us -= span.to_us - max(span.from_us, at_us)
        return total_us

    def has_watched(self, names: str) -> bool:
        """Whether this gateway has ever watched them."""
        return names in self._since or names in self.row.totals

    def during(self, from_us: int, to_us: int) -> frozenset[str]:
        """What was watched from beginning to end of a time that the clock has passed; nobody asks of an earlier one."""
        self.row.behind_us = from_us - KEPT_US
        found: frozenset[str] | None = None
        for span in self.row.spans:
            if span.to_us <= from_us:
                continue
            if span.from_us >= to_us:
                break
            if found is None and span.from_us > from_us:
                return NOTHING
            found = span.watched if found is None else found & span.watched
        return NOTHING if found is None else found

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

    def _forget(self) -> None:
        """Let go of what is behind; only when the clock moves on, so that the turns of one batch see all of it."""
        spans, behind_us = self.row.spans, self.row.behind_us
        gone = 0
        while gone < len(spans) and spans[gone].to_us <= behind_us:
            gone += 1
        if gone:
            del spans[:gone]

    def _replace(self, now: frozenset[str]) -> None:
        row = self.row
        if now == row.now or len(now) > MOST_NAMES:
            return
        self._settle(row.clock_us)
        if len(row.totals) > 2 * MOST_NAMES:
            kept = now | self._together.keys()
            row.totals = {name: total for name, total in row.totals.items() if name in kept}
        row.now = now
        self._since = dict.fromkeys(self._counted(), row.clock_us)

    def _counted(self) -> list[str]:
        now = self.row.now
        return [*now, *(name for name, names in self._together.items() if names <= now)]

    def _settle(self, at_us: int) -> None:
        totals = self.row.totals
        for name, since in self._since.items():
            if at_us > since:
                totals[name] = totals.get(name, 0) + at_us - since
                self._since[name] = at_us
