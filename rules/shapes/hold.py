"""`hold`: a condition that has been true for a time without a break.

The time counts only while somebody could have heard otherwise: for readings while the meter is watched, for reads while
the read point is, for everything else while the gateway lives. Timers are rows of the state: a restart changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.config.rules import HoldRule, NoData
from gateway.contract.events import Evidence
from rules.language.vocabulary import Fields, series_of
from rules.shapes.shape import MOST_KEYS, Cause, Clock, Raised, Shape, alarm_of
from rules.state import State

PERIODIC: Final = frozenset({"read", "reading"})
"""Items that come again and again while all is well; only their silence can be missing data."""
LATER_US: Final = 1_000_000
"""When a timer asks again that cannot be decided now."""


class _Shown(msgspec.Struct, array_like=True, frozen=True):
    """An item that a rule may fire with."""

    fields: dict[str, str | int | float | bool | list[str]]
    evidence: Evidence


_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(_Shown).decode


class HoldRow(msgspec.Struct, array_like=True, gc=False):
    """One key of a rule.

    Attributes:
        source: what must be watched.
        true_since_us: since when the condition has been true, None while it is not; true_from: counted time then.
        heard_us: the latest item; heard_from: counted time then.
        due_us: when `wake` looks at it next; None for never.
        is_active: it has fired and has not ended; is_mute: raised for want of data.
        item: the one that it fires with, encoded: a table of fields weighs three times as much.
    """

    gateway: str
    source: str
    heard_us: int
    heard_from: int
    item: bytes
    true_since_us: int | None = None
    true_from: int = 0
    due_us: int | None = None
    is_active: bool = False
    is_mute: bool = False
    raised: Raised | None = None

    def shown(self) -> _Shown:
        """The item that it fires with."""
        return _unpack(self.item)


class Hold(Shape):
    """One rule of this shape."""

    def __init__(self, rule: HoldRule, number: int, state: State) -> None:
        super().__init__(rule, number, is_free=False)
        self._hold = rule
        self._for_us = round(rule.for_s * 1e6)
        self._clear = self.expression(rule.clear).test if rule.clear is not None else None
        self._no_data = rule.no_data if rule.on in PERIODIC else NoData.HOLD
        self._quiet_us = round(rule.no_data_after_s * 1e6)
        if self._no_data is NoData.ALARM:
            self.asked_first = self.asked  # it watches every key that was ever heard
        self.rows = state.table("rule", self.owner, HoldRow)

    def judge(self, fields: Fields, cause: Cause) -> None:
        """Look at one item."""
        if self.select is not None and not self.select(fields):
            return
        is_true = self.test(fields)
        if not is_true and not self.rows.rows and self._no_data is not NoData.ALARM:
            return
        value = fields.get(self._hold.key)
        if value is None:
            return
        key = series_of(self.on, value, fields)
        row = self.rows.rows.get(key)
        if row is None:
            if not is_true and self._no_data is not NoData.ALARM:
                return
            if len(self.rows.rows) >= MOST_KEYS:
                self.refused += 1
                return
            row = HoldRow(cause.clock.name, cause.source, cause.at_us, 0, b"")
            self.rows.rows[key] = row
        self.rows.dirty.add(key)
        clock = cause.clock
        counted_us = clock.passed_us(self.on, cause.source)
        if row.source != cause.source or row.gateway != clock.name:
            row.true_from = counted_us - self._counted(row, clock)
            row.source, row.gateway = cause.source, clock.name
        row.heard_us, row.heard_from = max(row.heard_us, cause.at_us), counted_us
        row.item = _pack(_Shown(fields, cause.evidence(fields)))
        if row.is_mute:
            row.is_mute = False
            if not row.is_active:
                self._lower(key, row, cause, "data has come back")
        if row.is_active:
            if self._clear(fields) if self._clear is not None else not is_true:
                row.is_active, row.true_since_us = False, None
                self._lower(key, row, cause, "")
        elif not is_true:
            row.true_since_us = None
        else:
            if row.true_since_us is None:
                row.true_since_us, row.true_from = cause.at_us, counted_us
            if counted_us - row.true_from >= self._for_us:
                self._fire(key, row, cause, cause.at_us)
        self._plan(key, row, clock)

    def wake(self, key: str, due_us: int, cause: Cause) -> None:
        """A timer is due; one that was planned anew since is not this one."""
        row = self.rows.rows.get(key)
        if row is None or row.due_us != due_us or row.gateway != cause.clock.name:
            return
        self.rows.dirty.add(key)
        cause.at_us, cause.source = due_us, row.source
        counted_us = cause.clock.passed_us(self.on, row.source)
        is_quiet = self.on in PERIODIC and counted_us - row.heard_from >= self._quiet_us
        if is_quiet:
            self._quiet(key, row, cause)
        elif (
            row.true_since_us is not None
            and not row.is_active
            and counted_us - row.true_from >= self._for_us
            and not cause.clock.is_silenced(self.on, row.source)
        ):
            self._fire(key, row, cause, due_us)
        elif row.is_active and self.rule.alarm is not None and row.raised is None:
            self._raise(key, row, cause, self.message())
        self._plan(key, row, cause.clock)

    def restore(self, clocks: Mapping[str, Clock]) -> None:
        """Wind up the timers again."""
        for key, row in self.rows.rows.items():
            if row.due_us is not None and row.gateway in clocks:
                clocks[row.gateway].wake(row.due_us, self.number, key)

    def set_back(self, gateway: str, by_us: int) -> None:
        """A gateway's clock was set back: the times of its keys move with it."""
        for key, row in self.rows.rows.items():
            if row.gateway == gateway:
                row.heard_us -= by_us
                row.true_since_us = None if row.true_since_us is None else row.true_since_us - by_us
                row.due_us = None if row.due_us is None else row.due_us - by_us
                self.rows.dirty.add(key)

    def forget(self, before_us: int, cause: Cause) -> None:
        """Let go of keys that were not heard since."""
        name = cause.clock.name
        rows = self.rows.rows
        for key in sorted(key for key, row in rows.items() if row.heard_us < before_us and row.gateway == name):
            row = rows[key]
            row.is_active, row.is_mute, row.true_since_us = False, False, None
            self._lower(key, row, cause, "not seen again, forgotten")
            self.rows.drop(key)

    def is_standing(self, key: str) -> bool:
        """Whether the condition is known to hold now."""
        row = self.rows.rows.get(key)
        return row is not None and row.raised is not None

    def let_go(self, key: str) -> None:
        """A person cleared the alarm: it has ended, and no row knows of it."""

    def _counted(self, row: HoldRow, clock: Clock) -> int:
        """How long the condition has been true when its source changes: as much as was counted when last heard."""
        return row.heard_from - row.true_from if row.true_since_us is not None and clock.name == row.gateway else 0

    def _plan(self, key: str, row: HoldRow, clock: Clock) -> None:
        """Set the timer to the next moment at which something could change, or drop a row that says nothing."""
        counted_us = clock.passed_us(self.on, row.source)
        waits = []
        is_quiet = self.on in PERIODIC and counted_us - row.heard_from >= self._quiet_us
        if row.true_since_us is not None and not row.is_active and not is_quiet:
            waits.append(max(row.true_from + self._for_us - counted_us, 0))
        if self._no_data is not NoData.HOLD and not is_quiet and self._can_mute(row):
            waits.append(max(row.heard_from + self._quiet_us - counted_us, 0))
        if (row.is_active or row.is_mute) and self.rule.alarm is not None and row.raised is None:
            waits.append(LATER_US)
        if not waits:
            row.due_us = None
            if row.true_since_us is None and row.raised is None and self._no_data is not NoData.ALARM:
                self.rows.drop(key)
            return
        # A wait of nothing means that something else than time is missing: ask again later.
        due_us = clock.clock_us + (min(waits) or LATER_US)
        if due_us != row.due_us:
            row.due_us = due_us
            clock.wake(due_us, self.number, key)

    def _can_mute(self, row: HoldRow) -> bool:
        return not row.is_mute if self._no_data is NoData.ALARM else row.true_since_us is not None

    def _quiet(self, key: str, row: HoldRow, cause: Cause) -> None:
        if self._no_data is NoData.CLEAR:
            row.is_active, row.true_since_us = False, None
            self._lower(key, row, cause, "no data")
        elif self._no_data is NoData.ALARM:
            row.is_mute = True
            if self.rule.alarm is not None and row.raised is None:
                self._raise(key, row, cause, f"{self.message()}: no data for {self._hold.no_data_after_s:g} s")

    def _fire(self, key: str, row: HoldRow, cause: Cause, at_us: int) -> None:
        row.is_active = True
        if self.emits is not None:
            item = row.shown()
            cause.make(self.event(at_us, item.fields, cause, item.evidence, key, row.true_since_us))
        if self.rule.alarm is not None and row.raised is None:
            self._raise(key, row, cause, self.message())

    def _raise(self, key: str, row: HoldRow, cause: Cause, message: str) -> None:
        if cause.is_historical:
            return
        since_us = row.heard_us if row.true_since_us is None else row.true_since_us
        item = row.shown()
        row.raised = self.raised(str(item.fields.get("subject", "")), since_us, item.evidence)
        shown = self.details(item.fields)
        alarm = alarm_of(self.rule.name, key, row.raised, "raised", cause.at_us, message, shown)
        cause.raise_(alarm, self.source(key))

    def _lower(self, key: str, row: HoldRow, cause: Cause, why: str) -> None:
        if row.raised is None:
            return
        message = f"{self.message()}: {why}" if why else self.message()
        shown = self.details(row.shown().fields)
        alarm = alarm_of(self.rule.name, key, row.raised, "cleared", cause.at_us, message, shown)
        cause.raise_(alarm, self.source(key))
        row.raised = None
