"""What a line has said of itself, so that nothing is said twice."""

from __future__ import annotations

from readers.driver import Report
from readers.observations import Condition, Severity, Watching


class Told:
    """Conditions that hold, and the ports that are watched."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self._holding: set[tuple[str, str]] = set()
        self._watched: frozenset[int] = frozenset()

    def begin(self, name: str, key: str, detail: str, severity: Severity = Severity.WARNING) -> None:
        """A condition holds."""
        if (name, key) not in self._holding:
            self._holding.add((name, key))
            self.report(Condition(name, active=True, severity=severity, key=key, detail=detail))

    def end(self, name: str, key: str) -> None:
        """It holds no more, if it did."""
        if (name, key) in self._holding:
            self._holding.remove((name, key))
            self.report(Condition(name, active=False, key=key))

    def watch(self, ports: frozenset[int]) -> None:
        """These ports are proven to be read, and no others."""
        if ports != self._watched:
            self._watched = ports
            self.report(Watching(ports))
