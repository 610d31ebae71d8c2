"""`match`: each item for which the condition is true.

Its alarm is raised once for each subject, and cleared by the next item of that subject for which the condition is
false; `latch` keeps it raised.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.config.models import MatchRule
from rules.shapes.shape import MOST_KEYS, Cause, Clock, Raised, Shape, alarm_of, details
from rules.state import State
from rules.vocabulary import Fields, series_of


class MatchRow(msgspec.Struct, array_like=True):
    """A raised alarm."""

    gateway: str
    last_us: int
    raised: Raised


class Match(Shape):
    """One rule of this shape."""

    def __init__(self, rule: MatchRule, number: int, state: State) -> None:
        super().__init__(rule, number, is_free=rule.alarm is None)
        self.rows = state.table("rule", self.owner, MatchRow)

    def judge(self, fields: Fields, cause: Cause) -> None:
        """Look at one item."""
        if self.select is not None and not self.select(fields):
            return
        if self.test(fields):
            self.fire(fields, cause)
        elif self.rule.alarm is not None and not self.rule.alarm.latch and self.rows.rows:
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
        elif not cause.is_historical:
            if len(self.rows.rows) >= MOST_KEYS:
                self.refused += 1
                return
            raised = self.raised(subject, cause.at_us, evidence)
            self.rows.put(key, MatchRow(cause.clock.name, cause.at_us, raised))
            cause.raise_(
                alarm_of(self.rule.name, key, raised, "raised", cause.at_us, self.message(), details(self.on, fields))
            )

    def wake(self, key: str, due_us: int, cause: Cause) -> None:
        """A match has no timers."""

    def restore(self, clocks: Mapping[str, Clock]) -> None:
        """Nothing is kept beside the rows."""

    def set_back(self, gateway: str, by_us: int) -> None:
        """A gateway's clock was set back: the times of its keys move with it."""
        for key, row in self.rows.rows.items():
            if row.gateway == gateway:
                row.last_us -= by_us
                self.rows.dirty.add(key)

    def forget(self, before_us: int, cause: Cause) -> None:
        """Clear the alarms of subjects that were not seen since; a latched one stays."""
        if self.rule.alarm is None or self.rule.alarm.latch:
            return
        name = cause.clock.name
        for key, row in sorted(self.rows.rows.items()):
            if row.gateway == name and row.last_us < before_us:
                self._clear(key, row, cause, f"{self.message()}: not seen again, forgotten")

    def _clear(self, key: str, row: MatchRow, cause: Cause, message: str) -> None:
        self.rows.drop(key)
        cause.raise_(alarm_of(self.rule.name, key, row.raised, "cleared", cause.at_us, message))
