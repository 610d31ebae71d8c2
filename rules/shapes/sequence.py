"""`sequence`: items that follow one another within a time.

    first step ──► second ──► ... ──► last                          complete: `emit` and `alarm`
        │             └─ no further step within `within_s` of the first ──► `otherwise`, reason "too_late"
        │             └─ `strict`, and a later step before its turn     ──► `otherwise`, reason "out_of_order"
        │             └─ `unless`                                       ──► nothing
        └─ another first step, and no second yet: it begins anew

What counts is when an item happened, not when it became known. So a step that is known before the one it follows is
remembered for `grace_s`, and time is up only `grace_s` after the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.config.rules import Input, SequenceRule
from gateway.contract.events import Scalar
from rules.item import Item
from rules.shapes.ordered import Ordered, Timers, Turn
from rules.shapes.roles import Roles
from rules.state import State

MOST_EARLY: Final = 16
"""Steps of one key that are remembered until the one before them is known; of more, the oldest are let go."""
UNLESS: Final = -1
COMPLETE: Final = "complete"
"""Before the key of the rule's own alarm; `OTHERWISE` before that of the other."""
OTHERWISE: Final = "otherwise"


class SequenceRow(msgspec.Struct, array_like=True, gc=False):
    """What is waited for, of one key.

    Attributes:
        done: the steps that came; none, when only later ones did.
        early: later steps, and `unless`, that may have happened after a step that is not known yet.
        due_us: when the waiting ends.
    """

    gateway: str
    done: list[Item]
    early: list[tuple[list[int], Item]]
    due_us: int = 0


class Sequence(Ordered):
    """One rule of this shape."""

    def __init__(self, rule: SequenceRule, number: int, state: State) -> None:
        steps: dict[str, Input | None] = {str(index): step for index, step in enumerate(rule.steps)}
        super().__init__(rule, number, state, steps | {str(UNLESS): rule.unless})
        self._sequence = rule
        self._within_us = round(rule.within_s * 1e6)
        self._grace_us = round(rule.grace_s * 1e6)
        self._roles = Roles(self.intakes)
        self.rows = state.table("rule", self.owner, SequenceRow)

    def take(self, role: str, key: str, item: Item, turn: Turn) -> None:
        """A step, or what ends the waiting. An item that is several of them counts as the one whose turn it is."""
        roles = [int(each) for each in self._roles.of(role, key, item)]
        if not roles:
            return
        row = self.rows.rows.get(key)
        if row is None:
            if not self.has_room() and not self.is_raised(f"{OTHERWISE}/{key}"):
                self.refused += 0 in roles
                return
            row = SequenceRow(turn.gateway, [], [])
        elif row.gateway != turn.gateway:
            row.gateway, row.due_us = turn.gateway, 0  # its timer runs on another clock from now on
        self.rows.put(key, row)
        oldest_us = item.known_us - self._grace_us
        row.early = [each for each in row.early if each[1].known_us >= oldest_us]
        if self._apply(key, row, roles, item, turn):
            self._apply_early(key, row, turn)
        elif self._may_be_early(row, roles, item):
            row.early = [*row.early, (roles, item)][-MOST_EARLY:]
        self._plan(key, row, turn)

    def wake(self, key: str, due_us: int, turn: Turn) -> None:
        """The time of an attempt, or of a step that nothing came before, is over."""
        row = self.rows.rows.get(key)
        if row is None or row.due_us != due_us or row.gateway != turn.gateway:
            return
        self.rows.dirty.add(key)
        if row.done:
            self._fail_too_late(key, row, turn)
        else:
            row.early = []
        self._plan(key, row, turn)

    def restore(self, timers: Mapping[str, Timers]) -> None:
        """Wind up the timers again."""
        super().restore(timers)
        for key, row in self.rows.rows.items():
            if row.gateway in timers:
                timers[row.gateway].wake(row.due_us, self.number, key)

    def set_back(self, gateway: str, by_us: int) -> None:
        """All times of that gateway's keys move with its clock."""
        for key, row in self.rows.rows.items():
            if row.gateway == gateway:
                row.due_us -= by_us
                row.done = [_moved(item, by_us) for item in row.done]
                row.early = [(roles, _moved(item, by_us)) for roles, item in row.early]
                self.rows.dirty.add(key)

    def _apply(self, key: str, row: SequenceRow, roles: list[int], item: Item, turn: Turn) -> bool:
        """Take an item if it is its turn; whether it changed anything."""
        if row.done and item.at_us > self._end_us(row) and 0 in roles:
            self._fail_too_late(key, row, turn)
        done = row.done
        if not done:
            row.done = [item] if 0 in roles else []
            return 0 in roles
        if not done[0].at_us <= item.at_us <= self._end_us(row):
            return False
        if UNLESS in roles:
            _let_go(row, item.at_us)
            return True
        if item.at_us < done[-1].at_us:
            return False
        if len(done) in roles:
            row.done = [*done, item]
            if len(row.done) == len(self._sequence.steps):
                self._complete(key, row, turn)
            return True
        if 0 in roles and len(done) == 1:
            row.done = [item]
            return True
        later = [each for each in roles if each > len(done)]
        if later and self._sequence.strict:
            self._fail_out_of_order(key, row, later[0], item, turn)
            return True
        return False

    def _apply_early(self, key: str, row: SequenceRow, turn: Turn) -> None:
        """Take those whose turn it is now, in the order in which they happened."""
        while row.done:
            for each in sorted(row.early, key=lambda found: found[1].at_us):
                if self._apply(key, row, *each, turn):
                    row.early = [other for other in row.early if other is not each]
                    break
            else:
                return

    def _may_be_early(self, row: SequenceRow, roles: list[int], item: Item) -> bool:
        """Whether it may follow a step that is not known yet."""
        if not row.done or item.at_us > self._end_us(row):
            return True
        return item.at_us >= row.done[-1].at_us and max(roles) > len(row.done)

    def _end_us(self, row: SequenceRow) -> int:
        return row.done[0].at_us + self._within_us

    def _plan(self, key: str, row: SequenceRow, turn: Turn) -> None:
        if row.done:
            due_us = self._end_us(row) + self._grace_us
        elif row.early:
            due_us = max(item.known_us for _, item in row.early) + self._grace_us
        else:
            self.rows.drop(key)
            return
        if due_us != row.due_us:
            row.due_us = due_us
            turn.wake(due_us, self.number, key)

    def _complete(self, key: str, row: SequenceRow, turn: Turn) -> None:
        done, last = row.done, row.done[-1]
        _let_go(row, last.at_us)
        self.lower(f"{OTHERWISE}/{key}", turn, "")
        event = self.event(self.emits or self.rule.name, key, last.at_us, done, turn, _told(done, last.at_us),
                           COMPLETE, done[0].origin, last.origin)  # fmt: skip
        self.fulfil(f"{COMPLETE}/{key}", event, turn)

    def _fail_too_late(self, key: str, row: SequenceRow, turn: Turn) -> None:
        self._fail(key, row, self._end_us(row), {"reason": "too_late"}, turn)

    def _fail_out_of_order(self, key: str, row: SequenceRow, step: int, item: Item, turn: Turn) -> None:
        told: dict[str, Scalar] = {"reason": "out_of_order", "step": step + 1, "step_on": item.on}
        self._fail(key, row, item.at_us, told, turn, item)

    def _fail(
        self, key: str, row: SequenceRow, at_us: int, told: dict[str, Scalar], turn: Turn, *further: Item
    ) -> None:
        done, otherwise = row.done, self._sequence.otherwise
        _let_go(row, at_us)
        self.lower(f"{COMPLETE}/{key}", turn, "")
        if otherwise is None:
            return
        items = [*done, *further]
        fields = _told(done, at_us) | {"missing": str(len(done) + 1)} | told
        event = self.event(otherwise.emit or self.rule.name, key, at_us, items, turn, fields,
                           OTHERWISE, done[0].origin, items[-1].origin)  # fmt: skip
        self.fail(f"{OTHERWISE}/{key}", otherwise, event, turn)


def _let_go(row: SequenceRow, end_us: int) -> None:
    """An attempt has ended; what happened later may belong to the next."""
    row.done = []
    row.early = [each for each in row.early if each[1].at_us > end_us]


def _moved(item: Item, by_us: int) -> Item:
    return replace(item, at_us=item.at_us - by_us, known_us=item.known_us - by_us)


def _told(done: list[Item], at_us: int) -> dict[str, Scalar]:
    first_us = done[0].at_us
    told: dict[str, Scalar] = {"first_at_us": first_us, "elapsed_s": (at_us - first_us) / 1e6}
    return told | {f"step_{number}_at_us": item.at_us for number, item in enumerate(done, 1)}
