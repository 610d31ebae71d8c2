"""What `travel` and `binding` share: a suspicion is told once in `again_after_s` for each key, further ones count.

Its alarm stands until a person clears it, or the key is forgotten: what was seen cannot become unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from gateway.config.identity_rules import BindingRule, TravelRule
from gateway.config.rules import Input
from gateway.contract.events import Scalar
from rules.item import Item, joined
from rules.language.vocabulary import Fields
from rules.shapes.ordered import Intake, Ordered, Timers, Turn
from rules.shapes.sighting import Sighting
from rules.state import State

WHOLE = "whole"
_CARDS = frozenset({"card", "card_presented"})
_NAMES_OF_CARDS = frozenset({"card", "subject"})


class SuspicionRow(msgspec.Struct, array_like=True, gc=False):
    """What is kept of each key.

    Attributes:
        gateway: on whose clock it is forgotten. heard_us: when it was seen last.
        told_us: when it was told of last, 0 for never; repeats: what was not told since.
        due_us: when to see whether it is to be forgotten.
    """

    gateway: str
    heard_us: int = 0
    told_us: int = 0
    repeats: int = 0
    due_us: int = 0


Row = TypeVar("Row", bound=SuspicionRow)


class _WholeIntake(Intake):
    """A card of which the reader knows a part only is any of several: it cannot be in two places at once."""

    def key(self, fields: Fields) -> str | None:
        if self.on in _CARDS and self._key in _NAMES_OF_CARDS and fields.get("part", WHOLE) != WHOLE:
            return None
        return super().key(fields)


class Suspicion(Ordered):
    """What such rules do."""

    def __init__(self, rule: TravelRule | BindingRule, number: int, state: State) -> None:
        super().__init__(rule, number, state, {})
        source = Input(on=rule.on, when=rule.when)
        self.intakes = [_WholeIntake("item", source, rule.key, rule.places, rule.lookup)]
        self._again_us = round(rule.again_after_s * 1e6)
        self._forget_us = round(rule.forget_after_s * 1e6)

    def keep(self, key: str, row: SuspicionRow, item: Item, turn: Turn) -> None:
        """The key was seen: keep its row, and forget it so long after."""
        row.heard_us = max(row.heard_us, item.at_us)
        self.rows.put(key, row)
        if not row.due_us:
            row.gateway, row.due_us = turn.gateway, row.heard_us + self._forget_us
            turn.wake(row.due_us, self.number, key)

    def suspect(
        self, key: str, row: SuspicionRow, item: Item, other: Sighting | None, fields: dict[str, Scalar], turn: Turn
    ) -> None:
        """Tell of a suspicion that rests on this item and perhaps an earlier sighting, unless one was told lately."""
        if row.told_us and abs(item.at_us - row.told_us) < self._again_us:
            row.repeats += 1
            return
        if other is not None:
            fields = fields | other.told()
        fields = fields | {"repeats": row.repeats}
        row.told_us, row.repeats = item.at_us, 0
        event = self.event(self.emits or self.rule.name, key, item.at_us, [item], turn, fields, item.origin)
        if other is not None and (other.gateway, other.epoch) == (item.evidence.gateway, item.evidence.epoch):
            event = replace(event, evidence=joined((other.evidence(), item.evidence)))
        self.fulfil(key, event, turn)

    def wake(self, key: str, due_us: int, turn: Turn) -> None:
        """It may be time to forget a key."""
        row = self.rows.rows.get(key)
        if row is None or row.due_us != due_us or row.gateway != turn.gateway:
            return
        if row.heard_us + self._forget_us <= turn.now_us:
            self.rows.drop(key)
            self.lower(key, turn, "not seen for long")
            return
        row.due_us = row.heard_us + self._forget_us
        self.rows.put(key, row)
        turn.wake(row.due_us, self.number, key)

    def restore(self, timers: Mapping[str, Timers]) -> None:
        """Wind up the timers again."""
        super().restore(timers)
        for key, row in self.rows.rows.items():
            if row.gateway in timers:
                timers[row.gateway].wake(row.due_us, self.number, key)

    def let_go(self, key: str) -> None:
        """A person cleared the alarm: the next suspicion is told at once."""
        super().let_go(key)
        row = self.rows.rows.get(key)
        if row is not None:
            row.told_us = 0
            self.rows.dirty.add(key)

    def set_back(self, gateway: str, by_us: int) -> None:
        """The times of that gateway's keys, and of what it saw, move with its clock."""
        for key, row in self.rows.rows.items():
            if row.gateway == gateway:
                row.heard_us -= by_us
                row.told_us -= by_us if row.told_us else 0
                row.due_us -= by_us
                self.rows.dirty.add(key)
            self.set_sightings_back(key, row, gateway, by_us)

    def set_sightings_back(self, key: str, row: SuspicionRow, gateway: str, by_us: int) -> None:
        """Move what that gateway saw of a key."""
        raise NotImplementedError

    def known(self, key: str, new: Row) -> Row | None:
        """The row of a key, a new one if there is none; None when there is no room for it."""
        row: Row | None = self.rows.rows.get(key)
        if row is not None:
            return row
        if not self.has_room():
            self.refused += 1
            return None
        return new
