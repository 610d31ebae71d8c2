"""How long rows stay: judged ones as evidence for a time and a size, unjudged ones until a hard bound.

Whole segments are deleted. Beyond the hard bound segments are written anew without their telemetry: tag reads first,
then readings and signals, then cards, status and ticks last, each from the oldest segment on; every item is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.config.models import Journal as Settings
from gateway.edge import segment
from gateway.edge.segment import Summary

STAGES: Final = (("reads",), ("readings", "signals"), ("cards",), ("status", "tick"))
US_PER_DAY: Final = 86_400_000_000


class Retention:
    """The closed segments of a journal. Not for two threads at once."""

    def __init__(self, settings: Settings, closed: list[tuple[Path, Summary]]) -> None:
        self._settings = settings
        self._closed = {path: (summary, segment.size_bytes(path)) for path, summary in closed}

    @property
    def size_bytes(self) -> int:
        """What the closed segments take."""
        return sum(size for _, size in self._closed.values())

    @property
    def segments(self) -> list[tuple[Path, Summary]]:
        """The closed segments, oldest first."""
        return [(path, summary) for path, (summary, _) in self._closed.items()]

    def add(self, path: Path, summary: Summary) -> None:
        """A segment was closed."""
        self._closed[path] = (summary, segment.size_bytes(path))

    def delete_judged(self, watermark: int, now_us: int, beside_bytes: int) -> int:
        """Delete segments that are judged and too old, too many, or in the way; returns how many.

        `beside_bytes`: what the newest segment takes.
        """
        oldest_us = now_us - round(self._settings.keep_days * US_PER_DAY)
        judged = [(p, s, size) for p, (s, size) in self._closed.items() if s.last <= watermark]
        judged_bytes = sum(size for _, _, size in judged)
        total_bytes = self.size_bytes + beside_bytes
        deleted = 0
        for path, summary, size in judged:
            if (
                summary.last_at_us >= oldest_us
                and judged_bytes <= self._settings.keep_bytes
                and total_bytes <= self._settings.limit_bytes
            ):
                break
            segment.delete(path)
            del self._closed[path]
            judged_bytes -= size
            total_bytes -= size
            deleted += 1
        return deleted

    def shed(
        self,
        watermark: int,
        keep: Callable[[int], bool],
        beside_bytes: int,
        shed_id: int,
        shed: Callable[[dict[str, int], int], None],
    ) -> None:
        """Write segments anew without telemetry until the bound is kept; `shed` hears what went, and its id.

        Rows to `keep` may be on their way to the judge and stay; so do judged ones, whose segment goes soon.

        Raises:
            DamagedError: a segment cannot be read. sqlite3.Error, OSError: it cannot be written.
        """
        for kinds in STAGES:
            for path, (summary, _) in list(self._closed.items()):
                if self.size_bytes + beside_bytes <= self._settings.limit_bytes:
                    return
                if not summary.kinds.intersection(kinds):
                    continue
                shed_id += 1
                gone = segment.without(path, kinds, lambda n: n <= watermark or keep(n), shed_id)
                with segment.reading(path) as db:
                    # Its range stays as it was: what is gone was there.
                    left = segment.summary(db, summary.first)._replace(last=summary.last)
                # Even an empty one stays until the watermark has passed it: it says what it lacks.
                self._closed[path] = (left, segment.size_bytes(path))
                shed(gone, shed_id)
