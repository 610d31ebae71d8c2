"""What one item is to a rule with several inputs: all of its roles at once, however the index finds them."""

from __future__ import annotations

from collections.abc import Sequence

from rules.item import Item
from rules.shapes.ordered import Intake


class Roles:
    """The inputs of a rule. An item that fits several of them is shown to the rule once for each; it counts once."""

    def __init__(self, intakes: Sequence[Intake]) -> None:
        self._by_on: dict[str, list[Intake]] = {}
        for intake in intakes:
            self._by_on.setdefault(intake.on, []).append(intake)
        self._origin = ""
        self._keys: set[str] = set()

    def of(self, role: str, key: str, item: Item) -> list[str]:
        """All roles of an item for this key, in the order of the inputs; none when they were asked for before."""
        intakes = self._by_on[item.on]
        if len(intakes) == 1:
            return [role]
        if self._origin != item.origin:  # a rule that looks things up has a copy of the item for each input
            self._origin = item.origin
            self._keys.clear()
        if key in self._keys:
            return []
        self._keys.add(key)
        return [each.role for each in intakes if each.wants(item.fields) and each.key(item.fields) == key]
