"""`match`: each item for which the condition is true.

Its alarm is raised once for each subject, and cleared by the next item of that subject for which the condition is
false. What only says that something happened may never come again: a person can clear such an alarm at any time.

Items of a backlog raise none. But a reading, a signal or a state stands until the next one: what still stands when the
present is reached is raised then.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.config.rules import MatchRule
from gateway.contract.events import Scalar
from rules.language.vocabulary import Fields, series_of
from rules.shapes.shape import MOST_KEYS, Cause, Clock, Raised, Shape, alarm_of
from rules.state import State

STANDING: Final = frozenset({"reading", "signal", "status"})
"""Items that say what is, until the next one; all others say what happened."""


class MatchRow(msgspec.Struct, array_like=True):
    """A raised alarm; one that began in a backlog is `is_untold` until the present is reached."""

    gateway: str
    last_us: int
    raised: Raised
    is_untold: bool = False
    shown: dict[str, Scalar] = {}


class Match(Shape):
    """One rule of this shape."""

    def __init__(self, rule: MatchRule, number: int, state: State) -> None:
        super().__init__(rule, number, is_free=rule.alarm is None)
        self.rows = state.table("rule", self.owner, MatchRow)
        self.untold: dict[str, set[str]] = {}

    def judge(self, fields: Fields, cause: Cause) -> None:
        """Look at one item."""
        if self.select is not None and not self.select(fields):
            return
        if self.test(fields):
            self.fire(fields, cause)
        elif self.rule.alarm is not None and self.rows.rows:
            key = series_of(self.on, fields.get("subject"), fields)
            row = self.rows.rows.get(key)
            if row is not None:
                self._clear(key, row, cause, self.message())

    def fire(self, fields: Fields, cause: Cause) -> None:
        """The condition is true of this item."""
        evidence = cause.evidence(fields)
        if self.emits is not None:
            cause.make(self.event(cause.at_us, fields, cause, evidence, *cause.origin))
        if self.rule.alarm is None:
            return
        subject = str(fields.get("subject", ""))
        key = series_of(self.on, subject, fields)
        row = self.rows.rows.get(key)
        if row is not None:
            row.last_us = max(row.last_us, cause.at_us)
            self.rows.dirty.add(key)
            if row.is_untold and not cause.is_historical:
                self._tell_late(key, row, cause)
        elif not cause.is_historical or self.on in STANDING:
            if len(self.rows.rows) >= MOST_KEYS:
                self.refused += 1
                return
            row = MatchRow(cause.clock.name, cause.at_us, self.raised(subject, cause.at_us, evidence))
            self.rows.put(key, row)
            shown = self.details(fields)
            if cause.is_historical:
                row.is_untold, row.shown = True, shown
                self.untold.setdefault(row.gateway, set()).add(key)
            else:
                self._tell(key, row, cause, shown)

    def catch_up(self, cause: Cause) -> None:
        """The gateway has reached the present: raise what began in its backlog and still stands."""
        for key in sorted(self.untold.get(cause.clock.name, ())):
            self._tell_late(key, self.rows.rows[key], cause)

    def wake(self, key: str, due_us: int, cause: Cause) -> None:
        """A match has no timers."""

    def restore(self, clocks: Mapping[str, Clock]) -> None:
        """Find again what began in a backlog."""
        del clocks  # a match has no timers
        for key, row in self.rows.rows.items():
            if row.is_untold:
                self.untold.setdefault(row.gateway, set()).add(key)

    def set_back(self, gateway: str, by_us: int) -> None:
        """A gateway's clock was set back: the times of its keys move with it."""
        for key, row in self.rows.rows.items():
            if row.gateway == gateway:
                row.last_us -= by_us
                self.rows.dirty.add(key)

    def forget(self, before_us: int, cause: Cause) -> None:
        """Clear the alarms of subjects that were not seen since."""
        if self.rule.alarm is None:
            return
        name = cause.clock.name
        rows = self.rows.rows
        for key in sorted(key for key, row in rows.items() if row.last_us < before_us and row.gateway == name):
            self._clear(key, rows[key], cause, f"{self.message()}: not seen again, forgotten")

    def is_standing(self, key: str) -> bool:
        """Whether the condition is known to hold now; of what only happened nobody knows."""
        return self.on in STANDING and key in self.rows.rows

    def let_go(self, key: str) -> None:
        """A person cleared the alarm."""
        self.rows.drop(key)

    def _tell_late(self, key: str, row: MatchRow, cause: Cause) -> None:
        self._is_told(key, row)
        shown, row.shown, row.is_untold = row.shown, {}, False
        self.rows.dirty.add(key)
        self._tell(key, row, cause, shown)

    def _is_told(self, key: str, row: MatchRow) -> None:
        keys = self.untold[row.gateway]
        keys.discard(key)
        if not keys:
            del self.untold[row.gateway]

    def _tell(self, key: str, row: MatchRow, cause: Cause, shown: dict[str, Scalar]) -> None:
        alarm = alarm_of(self.rule.name, key, row.raised, "raised", cause.at_us, self.message(), shown)
        cause.raise_(alarm, self.source(key))

    def _clear(self, key: str, row: MatchRow, cause: Cause, message: str) -> None:
        self.rows.drop(key)
        if row.is_untold:
            self._is_told(key, row)
            return
        cause.raise_(alarm_of(self.rule.name, key, row.raised, "cleared", cause.at_us, message), self.source(key))
