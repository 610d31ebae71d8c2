"""`absence`: what is expected does not come within a time, of which only watched time counts.

    after ----------- within_s, watched ----------- deadline -- grace_s -- decided
          an `expect` or `unless` that happens here             may become known here

The first `after` stands until what is expected comes, or the time is full. What happens after the deadline and becomes
known before it is decided waits for the decision. An `expect` may become known before its `after` does: a tag that
arrives somewhere is known at once, that it departed elsewhere is known later; so the latest is remembered for a while.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping
from typing import Final

import msgspec

from gateway.config.rules import AbsenceRule
from gateway.contract.events import Scalar
from rules.item import Item
from rules.presence.watched import KEPT_US, joint
from rules.shapes.ordered import Ordered, Timers, Turn
from rules.state import State, Table

REMEMBER_US: Final = 600_000_000
"""How long an `expect` or `unless` is remembered for an `after` that happened before and becomes known later."""
LATER_US: Final = 1_000_000
"""When a timer looks again at the soonest, while time does not count."""
SKIP_US: Final = 600_000_000
"""A moment that is further behind the gateway's clock than any lateness is of a time in which the gateway was dead."""
MOST_DEFERRED: Final = 64
"""Items of one key that wait for a decision at most; the latest are let go."""
_BEGINS: Final = "after"
_ENDS: Final = "unless"
_COMES: Final = "expect"


class Deferred(msgspec.Struct, array_like=True, gc=False):
    """An item that happened after a deadline, and waits until it is decided."""

    role: str
    item: Item


class AbsenceRow(msgspec.Struct, array_like=True, gc=False):
    """One key.

    Attributes:
        gateway: whose clock counts.
        ended_us: when something latest happened that ends a waiting; 0 for never.
        item: what the waiting rests on; None while nothing is expected. since_us: when that happened.
        counted_us: counted time then; deadline_us: when the time was full, 0 while it is not.
    """

    gateway: str
    ended_us: int = 0
    item: Item | None = None
    since_us: int = 0
    counted_us: int = 0
    deadline_us: int = 0
    due_us: int = 0
    deferred: list[Deferred] = []


class Absence(Ordered):
    """One rule of this shape."""

    def __init__(self, rule: AbsenceRule, number: int, state: State) -> None:
        # An item that is several of them fulfils what was expected before it begins the next waiting.
        inputs = {_COMES: rule.expect, _ENDS: rule.unless, _BEGINS: rule.after}
        super().__init__(rule, number, state, inputs)
        self._absence = rule
        self._within_us = round(rule.within_s * 1e6)
        self._grace_us = round(rule.grace_s * 1e6)
        self._watched = joint(rule.watched)
        self.rows: Table[AbsenceRow] = state.table("rule", self.owner, AbsenceRow)

    def take(self, role: str, key: str, item: Item, turn: Turn) -> None:
        """Something begins a waiting or ends it."""
        row = self.rows.rows.get(key)
        if row is not None and row.item is not None and row.gateway == turn.gateway:
            self._settle(key, row, turn)
        self._judge(role, key, item, turn)

    def wake(self, key: str, due_us: int, turn: Turn) -> None:
        """The time may be full, or its grace is over, or what is remembered is too old."""
        row = self.rows.rows.get(key)
        if row is None or row.due_us != due_us or row.gateway != turn.gateway:
            return
        row.due_us = 0
        self.rows.put(key, row)
        if row.item is None:
            self._rest(key, row, turn)
            return
        if row.deadline_us and row.deadline_us + self._grace_us <= turn.now_us:
            self._decide(key, row, turn)
        elif self._settle(key, row, turn):
            self._plan_look(key, row, turn)

    def restore(self, timers: Mapping[str, Timers]) -> None:
        """Wind up the timers again."""
        super().restore(timers)
        for key, row in self.rows.rows.items():
            if row.due_us and row.gateway in timers:
                timers[row.gateway].wake(row.due_us, self.number, key)

    def set_back(self, gateway: str, by_us: int) -> None:
        """All times of that gateway's keys move with its clock."""
        for key, row in self.rows.rows.items():
            if row.gateway == gateway:
                row.since_us -= by_us
                row.ended_us -= by_us if row.ended_us else 0
                row.deadline_us -= by_us if row.deadline_us else 0
                row.due_us -= by_us if row.due_us else 0
                for each in row.deferred:
                    item = each.item
                    each.item = msgspec.structs.replace(
                        item, known_us=item.known_us - by_us, at_us=item.at_us - by_us
                    )  # fmt: skip
                self.rows.dirty.add(key)

    def _judge(self, role: str, key: str, item: Item, turn: Turn) -> None:
        row = self.rows.rows.get(key)
        if row is not None and row.item is not None and row.deadline_us and item.at_us > row.deadline_us:
            self._defer(role, key, row, item)
        elif role == _BEGINS:
            self._begin(key, item, turn)
        else:
            self._end(role, key, item, turn)
            if role == _COMES and self._absence.after is None:
                self._begin(key, item, turn)
        row = self.rows.rows.get(key)
        if row is not None and row.item is None and row.deferred:
            self._resume(key, row, turn)

    def _begin(self, key: str, item: Item, turn: Turn) -> None:
        """Expect it from now on, unless it is expected already, or is known to have come."""
        row = self.rows.rows.get(key)
        if row is None:
            if not self.has_room():
                self.refused += 1
                return
            row = AbsenceRow(turn.gateway)
        if row.item is not None or row.ended_us > item.at_us:
            return
        self.rows.put(key, row)
        row.due_us = 0 if row.gateway != turn.gateway else row.due_us
        row.gateway, row.item, row.since_us, row.deadline_us = turn.gateway, item, item.at_us, 0
        row.counted_us = turn.counted_us(self._watched, item.at_us)
        if self._settle(key, row, turn):
            self._plan_look(key, row, turn)

    def _end(self, role: str, key: str, item: Item, turn: Turn) -> None:
        """It came, or is expected no longer."""
        why = "no longer expected" if role == _ENDS else "came late"
        row = self.rows.rows.get(key)
        is_remembered = role == _ENDS or self._absence.after is not None
        if row is None:
            self.lower(key, turn, why)
            if not is_remembered or 2 * len(self.rows.rows) >= self._absence.most_keys:
                return
            row = AbsenceRow(turn.gateway)
        self.rows.put(key, row)
        if is_remembered:
            row.ended_us = max(row.ended_us, item.at_us)
        if row.item is None or item.at_us >= row.since_us:
            self.lower(key, turn, why if row.item is None or role == _ENDS else "")
            row.item = None
            self._rest(key, row, turn)

    def _rest(self, key: str, row: AbsenceRow, turn: Turn) -> None:
        """Nothing is expected: remember for a while what came latest."""
        if row.ended_us and row.ended_us + REMEMBER_US > turn.now_us:
            self._plan(key, row, row.ended_us + REMEMBER_US, turn)
        elif not row.deferred:
            self.rows.drop(key)

    def _settle(self, key: str, row: AbsenceRow, turn: Turn) -> bool:
        """Find the deadline, if the time is full; decide, if its grace is over, too. Whether it is still open."""
        if not row.deadline_us:
            full_us = row.counted_us + self._within_us
            if turn.counted_us(self._watched) < full_us:
                return True
            row.deadline_us = max(self._instant(full_us, turn), row.since_us)
            self.rows.put(key, row)
        if row.deadline_us + self._grace_us < turn.now_us:
            self._decide(key, row, turn)
            return False
        self._plan(key, row, row.deadline_us + self._grace_us, turn)
        return True

    def _instant(self, full_us: int, turn: Turn) -> int:
        """The first moment at which so much time had counted: now, or one of the last seconds."""
        if turn.counted_us(self._watched, turn.now_us - 1) < full_us:
            return turn.now_us
        back_us = bisect.bisect_left(
            range(KEPT_US), 1, key=lambda ago: int(turn.counted_us(self._watched, turn.now_us - ago) < full_us)
        )
        return turn.now_us - back_us + 1

    def _decide(self, key: str, row: AbsenceRow, turn: Turn) -> None:
        """It did not come."""
        item = row.item
        assert item is not None  # somebody waits
        fields: dict[str, Scalar] = {
            "since_us": row.since_us,
            "waited_s": round((row.deadline_us - row.since_us) / 1e6, 3),
        }
        row.item = None
        self.rows.put(key, row)
        rests_on = msgspec.structs.replace(item, is_historical=False)  # that it is missing is news
        kind = self.emits or self.rule.name
        event = self.event(kind, key, row.deadline_us, [rests_on], turn, fields, item.origin)
        self.fulfil(key, event, turn)
        self._rest(key, row, turn)
        if row.deferred:
            self._resume(key, row, turn)

    def _defer(self, role: str, key: str, row: AbsenceRow, item: Item) -> None:
        """Keep what happened after the deadline until that is decided.

        Of a run of one kind the first and the last will do, where no further deadline can lie between them.
        """
        bisect.insort_right(row.deferred, Deferred(role, item), key=_at_us)
        waits = row.deferred
        if self._grace_us <= self._within_us:
            for index in range(len(waits) - 2, 0, -1):
                if waits[index - 1].role == waits[index].role == waits[index + 1].role:
                    del waits[index]
        del waits[MOST_DEFERRED:]
        self.rows.put(key, row)

    def _resume(self, key: str, row: AbsenceRow, turn: Turn) -> None:
        """It is decided: take what waited."""
        waits, row.deferred = row.deferred, []
        self.rows.put(key, row)
        for each in waits:
            self._judge(each.role, key, each.item, turn)
        left = self.rows.rows.get(key)
        if left is not None and left.item is None:
            self._rest(key, left, turn)

    def _plan_look(self, key: str, row: AbsenceRow, turn: Turn) -> None:
        if row.deadline_us:
            self._plan(key, row, row.deadline_us + self._grace_us, turn)
            return
        rest_us = row.counted_us + self._within_us - turn.counted_us(self._watched)
        due_us = turn.now_us + rest_us
        if self._is_dark(turn):
            due_us = max(due_us, turn.now_us + LATER_US, turn.clock_us - SKIP_US)
        self._plan(key, row, due_us, turn)

    def _is_dark(self, turn: Turn) -> bool:
        """Whether time does not count now, neither before nor after."""
        before_us = turn.counted_us(self._watched, turn.now_us - 1)
        return before_us == turn.counted_us(self._watched, turn.now_us + 1)

    def _plan(self, key: str, row: AbsenceRow, due_us: int, turn: Turn) -> None:
        """Look again then; a timer that comes earlier does it, too, and sees that it is early."""
        if not row.due_us or due_us < row.due_us:
            row.due_us = due_us
            turn.wake(due_us, self.number, key)


def _at_us(deferred: Deferred) -> int:
    return deferred.item.at_us
