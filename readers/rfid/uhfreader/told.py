"""What one line has told of itself: the antenna ports that are watched, and the conditions that hold."""

from __future__ import annotations

from readers.driver import Report
from readers.observations import Condition, Severity, Watching


class Told:
    """Says each change once."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._watched: frozenset[int] = frozenset()
        self._conditions: set[tuple[str, str]] = set()

    def watch(self, *ports: int) -> None:
        """These are proven to be read."""
        self._say(self._watched | frozenset(ports))

    def unwatch(self, *ports: int) -> None:
        """These are not, or it is not known any more."""
        self._say(self._watched - frozenset(ports))

    def begins(self, name: str, key: str, detail: str, severity: Severity = Severity.WARNING) -> None:
        """A condition holds."""
        if (name, key) not in self._conditions:
            self._conditions.add((name, key))
            self._report(Condition(name, active=True, severity=severity, key=key, detail=detail))

    def ends(self, name: str, key: str) -> None:
        """It does not."""
        if (name, key) in self._conditions:
            self._conditions.remove((name, key))
            self._report(Condition(name, active=False, key=key))

    def holds(self, name: str, key: str) -> bool:
        """Whether a condition is told."""
        return (name, key) in self._conditions

    def _say(self, watched: frozenset[int]) -> None:
        if watched != self._watched:
            self._watched = watched
            self._report(Watching(watched))
