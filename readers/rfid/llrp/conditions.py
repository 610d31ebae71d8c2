"""States of the reader that began, go on or ended; some end by themselves when the reader says no more of them."""

from __future__ import annotations

from typing import Final

from readers.driver import Report
from readers.observations import Condition, Severity

PASSING_S: Final = 60.0  # the standard has no "it is over" for warnings: silence for this long is taken as that


class Conditions:
    """What is wrong with one reader on one connection."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._active: dict[tuple[str, str], float | None] = {}

    def begin(
        self,
        name: str,
        detail: str,
        *,
        key: str = "",
        severity: Severity = Severity.WARNING,
        until_s: float | None = None,
    ) -> None:
        """A condition begins or is renewed; `until_s` is when it ends unless it is renewed."""
        self._active[name, key] = until_s
        self._report(Condition(name, active=True, severity=severity, key=key, detail=detail))

    def end(self, name: str, key: str = "") -> None:
        """A condition ended; nothing happens when it was not there."""
        if (name, key) in self._active:
            del self._active[name, key]
            self._report(Condition(name, active=False, severity=Severity.INFO, key=key))

    def expire(self, now_s: float) -> None:
        """End what passed."""
        over = [named for named, until_s in self._active.items() if until_s is not None and until_s <= now_s]
        for name, key in over:
            self.end(name, key)
