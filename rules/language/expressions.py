"""Conditions of rules: a subset of CEL, checked against the fields of what a rule looks at, compiled to closures.

An absent field, a value of another type, a division by zero and a number beyond 64 bits have no value, and a
comparison with no value is false. `!` turns that into true: `!(e.rssi_dbm > -60)` is true of a read without RSSI,
`e.rssi_dbm <= -60` is not.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from rules.language import operations
from rules.language.grammar import (
    Binary,
    Call,
    Constant,
    ExpressionError,
    Field,
    Items,
    Literal,
    Node,
    Unary,
    parse,
)
from rules.language.operations import (
    ARITHMETIC,
    ORDER,
    arithmetic,
    comparison,
    every_one,
    family_of,
    field_with_constant,
    negative,
)

Test = operations.Test

_SAME_KIND: Final = {"int": "number", "double": "number"}
_METHODS: Final[dict[str, Callable[[str, str], bool]]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
}


class Expression:
    """A compiled condition.

    Attributes:
        test: whether an item fulfils it; never raises.
        constant: its value when it does not depend on the item.
    """

    def __init__(self, text: str, fields: Mapping[str, str], *, is_open: bool = False) -> None:
        """Compile `text` for items with these fields; with `is_open`, others may exist, of unknown type.

        Raises:
            ExpressionError: it is no condition, or asks for what does not exist.
        """
        self.text = text
        self.node = parse(text)
        self._compiler = _Compiler(fields, is_open=is_open)
        self.test: Test = self._compiler.condition(self.node)
        self.constant: bool | None = self.test({}) if not _names(self.node) else None

    def split(self, identity: frozenset[str]) -> tuple[list[Node], list[Node]]:
        """Its `&&` parts: those that ask for identity fields alone, and the rest."""
        chosen: list[Node] = []
        rest: list[Node] = []
        for part in conjuncts(self.node):
            names = _names(part)
            (chosen if names and names <= identity else rest).append(part)
        return chosen, rest

    def all_of(self, parts: list[Node]) -> Test:
        """The test that all of these parts of this expression are true."""
        return every_one([self._compiler.condition(part) for part in parts])


def conjuncts(node: Node) -> Iterator[Node]:
    """The parts of a chain of `&&`."""
    if isinstance(node, Binary) and node.operator == "&&":
        yield from conjuncts(node.left)
        yield from conjuncts(node.right)
    else:
        yield node


def equality(node: Node) -> tuple[str, tuple[Constant, ...]] | None:
    """The field and the texts of `e.field == "text"` or `e.field in ["text", ...]`; None for anything else."""
    if isinstance(node, Binary) and node.operator in {"==", "in"}:
        left, right = node.left, node.right
        if isinstance(left, Literal) and node.operator == "==":
            left, right = right, left
        if isinstance(left, Field):
            if isinstance(right, Literal) and isinstance(right.value, str):
                return left.name, (right.value,)
            if isinstance(right, Items) and right.values and isinstance(right.values[0], str):
                return left.name, right.values
    return None


def equalities(node: Node) -> Iterator[tuple[str, Constant, int]]:
    """Every field that is compared with a text anywhere in the tree, with the text and its place."""
    if isinstance(node, Binary):
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(one, Field) and node.operator in {"==", "!=", "in"}:
                if isinstance(other, Literal):
                    yield one.name, other.value, other.at
                elif isinstance(other, Items):
                    yield from ((one.name, value, other.at) for value in other.values)
        yield from equalities(node.left)
        yield from equalities(node.right)
    elif isinstance(node, Unary):
        yield from equalities(node.operand)
    elif isinstance(node, Call):
        yield from equalities(node.target)


def asked_of(node: Node) -> set[str]:
    """The fields that a part asks for."""
    return _names(node)


def _names(node: Node) -> set[str]:
    if isinstance(node, Field):
        return {node.name}
    if isinstance(node, Unary):
        return _names(node.operand)
    if isinstance(node, Binary):
        return _names(node.left) | _names(node.right)
    if isinstance(node, Call):
        return _names(node.target) | (set() if node.argument is None else _names(node.argument))
    return set()


class _Compiler:
    def __init__(self, fields: Mapping[str, str], *, is_open: bool) -> None:
        self._fields = fields
        self._is_open = is_open

    def condition(self, node: Node) -> Test:
        """Compile what must be true or false."""
        if isinstance(node, Binary) and node.operator == "&&":
            return every_one([self.condition(part) for part in conjuncts(node)])
        if isinstance(node, Binary) and node.operator == "||":
            one, other = self.condition(node.left), self.condition(node.right)
            return lambda e: one(e) or other(e)
        if isinstance(node, Unary) and node.operator == "!":
            negated = self.condition(node.operand)
            return lambda e: not negated(e)
        kind = self._kind(node)
        if kind in {"bool", "any"} and _isarithmetic(node):
            self._value(node)  # its own faults come before this one
            kind = "number or text"
        if kind not in {"bool", "any"}:
            raise ExpressionError(f"is a {kind} where true or false is needed; compare it with something", _at(node))
        if isinstance(node, Binary):
            return self._comparison(node)
        if isinstance(node, Call):
            return self._call(node)
        get = self._value(node)
        return lambda e: get(e) is True

    def _kind(self, node: Node) -> str:
        """The static type: bool, int, double, string, list, or any."""
        if isinstance(node, Literal):
            value = node.value
            return "bool" if isinstance(value, bool) else {str: "string", int: "int"}.get(type(value), "double")
        if isinstance(node, Items):
            return "list"
        if isinstance(node, Field):
            return self._field_kind(node)
        if isinstance(node, Call):
            return "int" if node.name == "size" else "bool"
        if isinstance(node, Unary):
            return "bool" if node.operator == "!" else self._kind(node.operand)
        if node.operator in {"+", "-", "*", "/"}:
            kinds = {self._kind(node.left), self._kind(node.right)}
            return kinds.pop() if len(kinds) == 1 else "any" if "any" in kinds else "double"
        return "bool"

    def _field_kind(self, node: Field) -> str:
        kind = self._fields.get(node.name)
        if kind is None:
            if self._is_open:
                return "any"
            near = difflib.get_close_matches(node.name, self._fields, n=1)
            known = f"did you mean e.{near[0]}?" if near else f"known are {', '.join(sorted(self._fields))}"
            raise ExpressionError(f"e.{node.name} is no field here; {known}", node.at)
        return kind

    def _value(self, node: Node) -> operations.Get:
        if isinstance(node, Literal):
            constant = node.value
            return lambda _e: constant
        if isinstance(node, Items):
            raise ExpressionError("a list stands only on the right side of in", node.at)
        if isinstance(node, Field):
            self._field_kind(node)
            name = node.name
            return lambda e: e.get(name)
        if isinstance(node, Unary) and node.operator == "-":
            self._need(node.operand, {"int", "double", "any"}, "-")
            return negative(self._value(node.operand))
        if isinstance(node, Binary) and node.operator in ARITHMETIC:
            wanted = {"int", "double", "any"} | ({"string"} if node.operator == "+" else set())
            kinds = {self._need(side, wanted, node.operator) for side in (node.left, node.right)}
            if "string" in kinds and kinds & {"int", "double"}:
                raise ExpressionError("+ adds two numbers or two texts, not one of each", node.at)
            return arithmetic(node.operator, self._value(node.left), self._value(node.right))
        if isinstance(node, Call) and node.name == "size":
            self._need(node.target, {"string", "list", "any"}, "size")
            target = self._value(node.target)
            return lambda e: len(value) if isinstance(value := target(e), str | list) else None
        return self.condition(node)

    def _need(self, node: Node, kinds: set[str], what: str) -> str:
        if (kind := self._kind(node)) not in kinds:
            raise ExpressionError(f"{what} cannot take a {kind}", _at(node))
        return kind

    def _call(self, node: Call) -> Test:
        if node.name == "has":
            if not isinstance(node.target, Field):
                raise ExpressionError("has asks for a field, has(e.field)", node.at)
            self._field_kind(node.target)
            name = node.target.name
            return lambda e: name in e
        assert node.argument is not None
        self._need(node.target, {"string", "any"}, node.name)
        self._need(node.argument, {"string", "any"}, node.name)
        method = _METHODS[node.name]
        target, argument = self._value(node.target), self._value(node.argument)
        return lambda e: (
            isinstance(text := target(e), str) and isinstance(part := argument(e), str) and method(text, part)
        )

    def _comparison(self, node: Binary) -> Test:
        if node.operator == "in":
            return self._membership(node)
        sides = (node.left, node.right)
        # Their own faults come before those of the comparison. Compiled once: brackets would cost 2 ** depth.
        inner = [self._value(side) if isinstance(side, Binary | Unary | Call) else None for side in sides]
        kinds = [_SAME_KIND.get(kind, kind) for kind in (self._kind(node.left), self._kind(node.right))]
        if "list" in kinds:
            raise ExpressionError("a list cannot be compared; ask with in or size", node.at)
        if "any" not in kinds and kinds[0] != kinds[1]:
            raise ExpressionError(
                f"{node.operator} compares a {kinds[0]} with a {kinds[1]}; it can never be true", node.at
            )
        if node.operator in ORDER and "bool" in kinds:
            raise ExpressionError(f"{node.operator} has no meaning for true and false", node.at)
        left, right = node.left, node.right
        if isinstance(right, Literal) and isinstance(left, Field):
            return field_with_constant(node.operator, left.name, right.value)
        return comparison(node.operator, inner[0] or self._value(left), inner[1] or self._value(right))

    def _membership(self, node: Binary) -> Test:
        if isinstance(node.right, Items):
            values = node.right.values
            kind = _SAME_KIND.get(self._kind(node.left), self._kind(node.left))
            if values and kind not in {"any", family := family_of(values[0])}:
                raise ExpressionError(f"in looks for a {kind} in a list of {family}s; it can never be true", node.at)
            members = frozenset(values)
            family = family_of(values[0]) if values else ""
            left = self._value(node.left)
            return lambda e: family_of(value := left(e)) == family and value in members
        self._need(node.right, {"list", "any"}, "the right side of in")
        self._need(node.left, {"string", "any"}, "in a list of texts, the left side")
        left, right = self._value(node.left), self._value(node.right)
        return lambda e: (
            isinstance(several := right(e), list) and isinstance(value := left(e), str) and value in several
        )


def _isarithmetic(node: Node) -> bool:
    return node.operator in ARITHMETIC if isinstance(node, Binary) else isinstance(node, Unary)


def _at(node: Node) -> int:
    return node.at
