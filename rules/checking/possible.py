"""Whether a condition can ever be true: every way to fulfil it is looked through for what excludes itself.

Only what is sure is told. A negated comparison excludes nothing, because it is true of an absent field; a condition
that can be fulfilled in very many ways is believed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from rules.language.grammar import Binary, Call, Constant, Field, Items, Literal, Node, Unary

MOST_WAYS: Final = 256
"""Ways to fulfil a condition that are looked through at most."""
_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}

Atom = tuple[bool, Node]
"""A part without `&&`, `||` and `!`, and whether it must be true."""


@dataclass(slots=True)
class Demand:
    """What one way asks of one field.

    Attributes:
        one_of: the values it may have, None for any; none_of: those it may not.
        low, high: its bounds, themselves allowed unless `is_above` or `is_below`.
    """

    is_there: bool = False
    is_absent: bool = False
    one_of: set[Constant] | None = None
    none_of: set[Constant] = field(default_factory=set)
    low: float = -math.inf
    high: float = math.inf
    is_above: bool = False
    is_below: bool = False

    def narrow(self, values: Iterable[Constant]) -> None:
        """It must be one of these."""
        self.is_there = True
        found = set(values)
        self.one_of = found if self.one_of is None else self.one_of & found

    def compare(self, symbol: str, value: Constant) -> None:
        """It must stand so to a constant."""
        self.is_there = True
        if symbol == "==":
            self.narrow([value])
        elif symbol == "!=":
            self.none_of.add(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            if symbol in {">", ">="} and (value, symbol == ">") > (self.low, self.is_above):
                self.low, self.is_above = value, symbol == ">"
            elif symbol in {"<", "<="} and (-value, symbol == "<") > (-self.high, self.is_below):
                self.high, self.is_below = value, symbol == "<"

    def why_not(self, name: str) -> str | None:
        """Why no item can be like this; None when one can."""
        if self.is_absent and self.is_there:
            return f"e.{name} cannot be absent and have a value"
        if self.one_of is not None:
            left = {value for value in self.one_of if value not in self.none_of and self._is_within(value)}
            if not left:
                return f"e.{name} cannot have all the values that it is asked for at once"
        if self.low > self.high or (self.low == self.high and (self.is_above or self.is_below)):
            least = f"{'above' if self.is_above else 'at least'} {self.low:g}"
            most = f"{'below' if self.is_below else 'at most'} {self.high:g}"
            return f"no e.{name} is {least} and {most}"
        return None

    def _is_within(self, value: Constant) -> bool:
        if isinstance(value, str | bool):
            return True
        if value < self.low or value > self.high:
            return False
        return not ((value == self.low and self.is_above) or (value == self.high and self.is_below))


def ways(node: Node) -> list[list[Atom]] | None:
    """All ways to fulfil a condition, each the parts that must hold; None when there are too many."""
    return _ways(node, is_true=True)


def demands(way: Iterable[Atom]) -> dict[str, Demand]:
    """What one way asks of each field."""
    found: dict[str, Demand] = {}
    for is_true, node in way:
        _ask(found, node, is_true=is_true)
    return found


def why_never(node: Node, units: Mapping[str, str] | None = None) -> str | None:
    """Why a condition can never be true; None when it can, as far as can be told.

    `units`: the unit of each quantity, where the fields `quantity` and `unit` are those of a reading.
    """
    found = ways(node)
    if found is None:
        return None
    reasons = ["one part of it is false"]
    for way in found:
        reason = _why_not(demands(way), units)
        if reason is None:
            return None
        reasons.append(reason)
    return reasons[-1]


def _why_not(asked: Mapping[str, Demand], units: Mapping[str, str] | None) -> str | None:
    for name, demand in asked.items():
        if (reason := demand.why_not(name)) is not None:
            return reason
    if units is None or "quantity" not in asked or "unit" not in asked:
        return None
    quantities, wanted = asked["quantity"].one_of, asked["unit"].one_of
    if quantities is None or wanted is None or not all(each in units for each in quantities):
        return None
    allowed = sorted({units[str(each)] for each in quantities})
    if wanted & set(allowed):
        return None
    shown = " or ".join(repr(each) for each in sorted(map(str, wanted)))
    named = ", ".join(sorted(map(str, quantities)))
    return f"e.unit is never {shown} for {named}, which is in {', '.join(allowed)}; drop e.unit, and convert the limit"


def _ways(node: Node, *, is_true: bool) -> list[list[Atom]] | None:
    if isinstance(node, Unary) and node.operator == "!":
        return _ways(node.operand, is_true=not is_true)
    if isinstance(node, Literal) and isinstance(node.value, bool):
        return [[]] if node.value is is_true else []
    if not isinstance(node, Binary) or node.operator not in {"&&", "||"}:
        return [[(is_true, node)]]
    left, right = _ways(node.left, is_true=is_true), _ways(node.right, is_true=is_true)
    if left is None or right is None:
        return None
    is_both = (node.operator == "&&") == is_true
    if not is_both:
        found = left + right
        return found if len(found) <= MOST_WAYS else None
    if len(left) * len(right) > MOST_WAYS:
        return None
    return [[*one, *other] for one in left for other in right]


def _ask(found: dict[str, Demand], node: Node, *, is_true: bool) -> None:
    def of(asked: Field) -> Demand:
        return found.setdefault(asked.name, Demand())

    if isinstance(node, Field):
        if is_true:
            of(node).compare("==", value=True)
        return
    if isinstance(node, Call):
        if node.name == "has" and isinstance(node.target, Field) and not is_true:
            of(node.target).is_absent = True
        elif isinstance(node.target, Field) and is_true:
            of(node.target).is_there = True
        return
    if not isinstance(node, Binary) or not is_true or node.operator not in {*_FLIPPED, "in"}:
        return
    _compared(of, node)


def _compared(of: Callable[[Field], Demand], node: Binary) -> None:
    left, right, symbol = node.left, node.right, node.operator
    if isinstance(left, Literal) and isinstance(right, Field) and symbol != "in":
        left, right, symbol = right, left, _FLIPPED[symbol]
    if not isinstance(left, Field):
        return
    if isinstance(right, Literal) and symbol != "in":
        of(left).compare(symbol, right.value)
    elif isinstance(right, Items):
        of(left).narrow(right.values)
    else:
        of(left).is_there = True
