"""`binding`: a value that belongs to a key, and does not change: the TID of the chip that has an EPC.

    expected by the item itself (`expect`)      that counts, and nothing is kept
    else the first that was seen (`learn`)      that counts, until it is forgotten or a person clears the alarm

An item without the value says nothing. With `prefix`, of two values the shorter counts: what it leaves open is unknown.
"""

from __future__ import annotations

from gateway.config.rules import BindingRule
from gateway.contract.events import Scalar
from rules.item import Item
from rules.shapes.ordered import Turn
from rules.shapes.sighting import Sighting, moved, sighting_of
from rules.shapes.suspicion import Suspicion, SuspicionRow
from rules.state import State, Table

FRESH_US = 60_000_000
"""A key that is seen as it should be is written down anew once in this time at most."""
BY_LIST = "list"
BY_SIGHT = "seen"


class BindingRow(SuspicionRow, array_like=True, gc=False):
    """What is kept of each key; `value` is empty while nothing was learnt. `seen`: when it was."""

    value: str = ""
    seen: Sighting | None = None


class Binding(Suspicion):
    """One rule of this shape."""

    rows: Table[BindingRow]

    def __init__(self, rule: BindingRule, number: int, state: State) -> None:
        super().__init__(rule, number, state)
        self._of = rule.of
        self._expect = rule.expect
        self._learns = rule.learn
        self._is_prefix = rule.prefix
        self._doubtful = tuple(rule.doubtful)
        self.rows = state.table("rule", self.owner, BindingRow)

    def take(self, role: str, key: str, item: Item, turn: Turn) -> None:
        """An item that may have the value."""
        del role  # there is one
        found = _text(item, self._of)
        if found is None:
            return
        expected = None if self._expect is None else _text(item, self._expect)
        if expected is not None:
            if not self._is_same(found, expected):
                self._differs(key, item, None, (found, expected, BY_LIST), turn)
            return
        if self._learns:
            self._compare(key, found, item, turn)

    def let_go(self, key: str) -> None:
        """A person cleared the alarm: the next value that comes is the right one."""
        super().let_go(key)
        self.rows.drop(key)

    def set_sightings_back(self, key: str, row: SuspicionRow, gateway: str, by_us: int) -> None:
        """See `Suspicion`."""
        assert isinstance(row, BindingRow)
        if row.seen is not None:
            row.seen = moved(row.seen, gateway, by_us)
            self.rows.dirty.add(key)

    def _compare(self, key: str, found: str, item: Item, turn: Turn) -> None:
        row = self.known(key, BindingRow(turn.gateway))
        if row is None:
            return
        if not row.value:
            row.value, row.seen = found, sighting_of(item)
            self.keep(key, row, item, turn)
        elif self._is_same(found, row.value):
            if len(found) > len(row.value):
                row.value, row.seen = found, sighting_of(item)
                self.keep(key, row, item, turn)
            elif item.at_us - row.heard_us >= FRESH_US:
                self.keep(key, row, item, turn)
        else:
            self._differs(key, item, row.seen, (found, row.value, BY_SIGHT), turn)

    def _differs(self, key: str, item: Item, seen: Sighting | None, values: tuple[str, str, str], turn: Turn) -> None:
        row = self.known(key, BindingRow(turn.gateway))
        if row is not None:
            found, expected, known_by = values
            doubtful = found.startswith(self._doubtful) or expected.startswith(self._doubtful)
            fields: dict[str, Scalar] = {
                "found": found,
                "expected": expected,
                "known_by": known_by,
                "doubtful": doubtful,
            }
            self.keep(key, row, item, turn)
            self.suspect(key, row, item, seen, fields, turn)

    def _is_same(self, one: str, other: str) -> bool:
        if self._is_prefix:
            return one.startswith(other) or other.startswith(one)
        return one == other


def _text(item: Item, name: str) -> str | None:
    """A field as text; None when it has no value, or an empty one."""
    value = item.fields.get(name)
    return None if value is None or isinstance(value, list) or value == "" else str(value)
