"""Why a condition is true or false of an item: each part of it, with the values that it asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.logs import clean
from rules.explaining.line import Line
from rules.language.expressions import Expression, conjuncts
from rules.language.grammar import Binary, Call, Constant, Field, Items, Literal, Node, Unary
from rules.language.operations import ARITHMETIC, Get, arithmetic, negative
from rules.language.vocabulary import Fields, Value

MOST_ITEMS: Final = 6
"""Values of a list that are shown."""
MOST_DIGITS: Final = 6
"""Digits after the point of what is calculated."""
_BINDS: Final = {"||": 1, "&&": 2, "+": 4, "-": 4, "*": 5, "/": 5}
_COMPARES: Final = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of a condition.

    Attributes:
        values: of the fields that it asks for, None for an absent one; told by its own parts, where it has some.
        asked: the fields that it asks for.
        worth: a comparison of what is calculated, with the results: `3000.0 > 500.0`; empty for any other.
    """

    text: str
    is_true: bool
    values: Mapping[str, Value | None]
    asked: frozenset[str]
    depth: int = 0
    worth: str = ""

    def line(self) -> Line:
        """The part as a line."""
        data = {"condition": self.text, "is_true": self.is_true, "values": dict(self.values), "worth": self.worth}
        return Line("finding", clean(self.told()), 2 * self.depth, data)

    def told(self) -> str:
        """The part, whether it holds, and its values."""
        return f"{'true ' if self.is_true else 'FALSE'}  {self.said()}"

    def said(self) -> str:
        """The part with its values, but not whether it holds."""
        shown = ", ".join(f"e.{name} {_is(value)}" for name, value in self.values.items())
        told = "; ".join(each for each in (self.worth, shown) if each)
        return f"{self.text}{f'    {told}' if told else ''}"


def findings(condition: str, fields: Fields) -> list[Finding]:
    """The parts of a condition that are joined by `&&`, and below each that is joined by `||` what it consists of.

    Raises:
        ExpressionError: it is no condition.
    """
    expression = Expression(condition, {}, is_open=True)
    found: list[Finding] = []
    for part in conjuncts(expression.node):
        _look(expression, part, fields, 0, found)
    return found


def text_of(node: Node) -> str:
    """A condition, written out."""
    return _text(node, 0)


def _look(expression: Expression, node: Node, fields: Fields, depth: int, found: list[Finding]) -> None:
    is_true = expression.all_of([node])(fields)
    is_joined = isinstance(node, Binary) and node.operator in {"||", "&&"}
    asked = _fields(node)
    values = {} if is_joined else {name: fields.get(name) for name in asked}
    found.append(Finding(text_of(node), is_true, values, frozenset(asked), depth, _worth(node, fields)))
    if is_joined:
        assert isinstance(node, Binary)
        for part in _joined(node, node.operator):
            _look(expression, part, fields, depth + 1, found)


def _worth(node: Node, fields: Fields) -> str:
    if not isinstance(node, Binary) or node.operator in {"in", "&&", "||"}:
        return ""
    sides = (node.left, node.right)
    if not any(_is_calculated(side) for side in sides):
        return ""
    results = [get(fields) if (get := _getter(side)) is not None else None for side in sides]
    shown = [_result(each) for each in results if isinstance(each, int | float | str)]
    return f" {node.operator} ".join(shown) if len(shown) == len(sides) else ""


def _is_calculated(node: Node) -> bool:
    return isinstance(node, Binary) and node.operator in ARITHMETIC


def _getter(node: Node) -> Get | None:
    """What a number or text is for an item; None for what is neither, or not calculated of such."""
    if isinstance(node, Literal):
        constant = node.value
        return lambda _e: constant
    if isinstance(node, Field):
        name = node.name
        return lambda e: e.get(name)
    if isinstance(node, Unary) and node.operator == "-":
        operand = _getter(node.operand)
        return None if operand is None else negative(operand)
    if isinstance(node, Binary) and node.operator in ARITHMETIC:
        left, right = _getter(node.left), _getter(node.right)
        return None if left is None or right is None else arithmetic(node.operator, left, right)
    return None


def _result(value: float | str) -> str:
    return _constant(round(value, MOST_DIGITS) if isinstance(value, float) else value)


def _joined(node: Node, operator: str) -> list[Node]:
    if isinstance(node, Binary) and node.operator == operator:
        return [*_joined(node.left, operator), *_joined(node.right, operator)]
    return [node]


def _fields(node: Node) -> list[str]:
    """The fields that a part asks for, in their order."""
    if isinstance(node, Field):
        return [node.name]
    if isinstance(node, Unary):
        return _fields(node.operand)
    if isinstance(node, Binary):
        return list(dict.fromkeys([*_fields(node.left), *_fields(node.right)]))
    if isinstance(node, Call):
        return list(dict.fromkeys([*_fields(node.target), *([] if node.argument is None else _fields(node.argument))]))
    return []


def _text(node: Node, around: int) -> str:
    """`around`: how strongly what stands around it binds."""
    if isinstance(node, Literal):
        return _constant(node.value)
    if isinstance(node, Items):
        more = ", ..." if len(node.values) > MOST_ITEMS else ""
        return f"[{', '.join(map(_constant, node.values[:MOST_ITEMS]))}{more}]"
    if isinstance(node, Field):
        return f"e.{node.name}"
    if isinstance(node, Unary):
        return f"{node.operator}{_text(node.operand, _COMPARES + 3)}"
    if isinstance(node, Call):
        if node.argument is None:
            return f"{node.name}({_text(node.target, 0)})"
        return f"{_text(node.target, _COMPARES + 3)}.{node.name}({_text(node.argument, 0)})"
    binds = _BINDS.get(node.operator, _COMPARES)
    is_comparison = binds == _COMPARES
    left = _text(node.left, binds + 1 if is_comparison else binds)
    text = f"{left} {node.operator} {_text(node.right, binds + 1)}"
    return f"({text})" if binds < around else text


def _constant(value: Constant) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | str) else repr(value)


def _is(value: Value | None) -> str:
    if value is None:
        return "is absent"
    if isinstance(value, list):
        return f"is [{', '.join(value[:MOST_ITEMS])}{', ...' if len(value) > MOST_ITEMS else ''}]"
    return f"is {_constant(value)}"
