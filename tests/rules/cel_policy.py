"""What a condition has to be: every single operation asked of an independent CEL, joined by the rules of our own page.

CEL stops at a missing field, a wrong type, an overflow and a division by zero; a condition goes on with "nothing", and
a comparison with nothing is false. Where CEL gives a value that the page gives otherwise, the term is marked.

The independent CEL differs from the language definition in four things, which are put right here: it compares an int
with a double after rounding the int, counts the bytes of a text, negates the least int to itself, and negates a bool.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final

import cel
from hypothesis import strategies as st

from rules.language.vocabulary import Fields

KINDS: Final = {
    "name": "string",
    "zone": "string",
    "count": "int",
    "reads": "int",
    "rssi": "double",
    "dwell": "double",
    "open": "bool",
    "tags": "list",
    "value": "any",
    "other": "any",
}
INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
EXACT: Final = 2**53
"""Ints beyond it are not all doubles."""

Constant = str | int | float | bool
Value = Constant | list[str] | None


@dataclass(frozen=True)
class Term:
    """A condition or a part of one; a greater `level` binds more tightly."""

    operator: str
    text: str
    level: int
    kids: tuple[Term, ...] = ()
    constant: Constant | tuple[Constant, ...] = ""


class Policy:
    """Evaluates a term for one item.

    Attributes:
        deviates: CEL gives a value to a part of it that the page gives otherwise.
        is_stopped: CEL stops at a part of it.
    """

    def __init__(self, item: Fields) -> None:
        self._item = item
        self.deviates = False
        self.is_stopped = False

    def holds(self, term: Term) -> bool:
        """Whether a condition is true."""
        value = self.value(term)
        if not isinstance(value, bool):
            self._stop()
        return value is True

    def value(self, term: Term) -> Value:
        """The value of a term; None for nothing."""
        operator, kids = term.operator, term.kids
        if operator == "constant":
            assert not isinstance(term.constant, tuple)
            return term.constant
        if operator == "field":
            return self._field(str(term.constant))
        if operator == "has":
            return self._ask("has(e.x)", e={"x": 1} if kids[0].constant in self._item else {}) is True
        if operator in {"&&", "||", "!"}:
            return self._logic(operator, [self.value(kid) for kid in kids])
        values = [self.value(kid) for kid in kids if kid.operator != "items"]
        if operator in {"+", "-", "*", "/", "negative", "size"}:
            return self._number_or_text(operator, values)
        if operator == "in":
            return self._is_in(values[0], list(_items(kids[1])) if len(values) == 1 else values[1])
        if operator in {"startsWith", "endsWith", "contains"}:
            return self._ask(f"a.{operator}(b)", a=values[0], b=values[1]) is True
        return self._compare(operator, values[0], values[1])

    def _ask(self, text: str, **names: object) -> Value:
        """Ask CEL for one operation; None when it stops, or has nothing to work on."""
        if None in names.values():
            return self._stop()
        try:
            found: Value = _compiled(text).execute(names)
        except (TypeError, ArithmeticError, LookupError, RuntimeError, ValueError):
            return self._stop()
        return found

    def _stop(self) -> Value:
        self.is_stopped = True
        return None

    def _deviate(self) -> Value:
        self.deviates = True
        return None

    def _field(self, name: str) -> Value:
        if name not in self._item:
            return self._stop()
        found = self._item[name]
        return found if is_known(found) else self._deviate()

    def _logic(self, operator: str, values: list[Value]) -> bool:
        if not all(isinstance(value, bool) for value in values):
            self._stop()
        truths = [value is True for value in values]
        if operator == "!":
            return self._ask("!a", a=truths[0]) is True
        return self._ask(f"a {operator} b", a=truths[0], b=truths[1]) is True

    def _number_or_text(self, operator: str, values: list[Value]) -> Value:
        if operator == "size":
            [value] = values
            if isinstance(value, str) and not value.isascii():
                self._deviate()
                value = "".join(character if character.isascii() else "x" for character in value)
            return self._ask("size(a)", a=value)
        if operator == "negative":
            if isinstance(values[0], bool) or (type(values[0]) is int and values[0] == INT_MIN):
                return self._deviate()
            return self._finite(self._ask("-a", a=values[0]))
        one, other = values
        if isinstance(one, list) or isinstance(other, list):
            return self._deviate()
        mixed = {type(one), type(other)} == {int, float}
        if not mixed:
            return self._finite(self._ask(f"a {operator} b", a=one, b=other))
        self._stop()
        first, second = ("double(a)", "b") if isinstance(one, int) else ("a", "double(b)")
        return self._finite(self._ask(f"{first} {operator} {second}", a=one, b=other))

    def _finite(self, value: Value) -> Value:
        return self._deviate() if isinstance(value, float) and not math.isfinite(value) else value

    def _compare(self, operator: str, one: Value, other: Value) -> bool:
        if one is None or other is None:
            self._stop()
            return False
        if isinstance(one, list) or isinstance(other, list) or _family(one) != _family(other):
            self._deviate()
            return False
        if isinstance(one, bool) and operator not in {"==", "!="}:
            self._deviate()
            return False
        if _is_rounded(one, other):
            self._deviate()
            assert not isinstance(one, str)
            assert not isinstance(other, str)
            difference = Fraction(one) - Fraction(other)
            return self._ask(f"a {operator} 0", a=(difference > 0) - (difference < 0)) is True
        return self._ask(f"a {operator} b", a=one, b=other) is True

    def _is_in(self, one: Value, several: Value | list[Constant]) -> bool:
        if one is None or not isinstance(several, list):
            self._stop()
            return False
        if any(_is_rounded(one, each) for each in several):
            return any(_family(one) == _family(each) and self._compare("==", one, each) for each in several)
        return self._ask("a in b", a=one, b=several) is True


def _items(term: Term) -> tuple[Constant, ...]:
    assert isinstance(term.constant, tuple)
    return term.constant


def _family(value: object) -> str:
    return "number" if type(value) in {int, float} else type(value).__name__


def _is_rounded(one: object, other: object) -> bool:
    """An int with a double, where the rounding of the int could be seen."""
    return {type(one), type(other)} == {int, float} and all(
        math.isfinite(each) and abs(each) >= EXACT  # type: ignore[arg-type]  # both are numbers
        for each in (one, other)
    )


def is_known(value: object) -> bool:
    """Whether the independent CEL can be given this value as it is."""
    return type(value) is not int or INT_MIN <= value <= INT_MAX


@cache
def _compiled(text: str) -> cel.Program:
    return cel.compile(text)


TEXTS: Final = st.sampled_from(
    ["", "a", "b", "ab", "yard-3", "yard", "3", "集装箱", "é", "\n", '"', "'", "\\", "\t \r"]
)
INTS: Final = st.one_of(st.integers(-3, 12), st.sampled_from([INT_MIN, INT_MAX, EXACT, EXACT + 1, -EXACT - 1]))
DOUBLES: Final = st.one_of(
    st.integers(-40, 40).map(lambda number: number / 4),
    st.sampled_from([-0.0, 1e308, -1e308, 5e-324, float(EXACT), float(INT_MIN), float(INT_MAX), 0.1]),
)
HOSTILE: Final = st.one_of(
    TEXTS, INTS, DOUBLES, st.booleans(), st.lists(TEXTS, max_size=3),
    st.sampled_from([2**63, 2**64, -(2**63) - 1, 10**400, math.inf, -math.inf, math.nan]),
)  # fmt: skip
OF_KIND: Final[dict[str, st.SearchStrategy[object]]] = {
    "string": TEXTS, "int": INTS, "double": DOUBLES, "bool": st.booleans(), "list": st.lists(TEXTS, max_size=3),
    "any": HOSTILE,
}  # fmt: skip
TYPED_ITEMS: Final = st.fixed_dictionaries({}, optional={name: OF_KIND[kind] for name, kind in KINDS.items()})
HOSTILE_ITEMS: Final = st.fixed_dictionaries({}, optional=dict.fromkeys(KINDS, HOSTILE))

_COMPARE, _SUM, _PRODUCT, _UNARY, _MEMBER = 3, 4, 5, 6, 7
_LEVELS: Final = {"||": 1, "&&": 2, "+": _SUM, "-": _SUM, "*": _PRODUCT, "/": _PRODUCT}


def constant(value: Constant) -> Term:
    return Term("constant", written(value), _MEMBER, constant=value)


def written(value: Constant) -> str:
    """A constant as CEL writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    quote = "'" if len(value) % 2 else '"'
    escaped = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", quote: f"\\{quote}", "é": "\\u00e9"}
    return quote + "".join(escaped.get(character, character) for character in value) + quote


def named(field: str) -> Term:
    return Term("field", f"e.{field}", _MEMBER, constant=field)


def call(name: str, target: Term, *arguments: Term) -> Term:
    if not arguments:
        return Term(name, f"{name}({target.text})", _MEMBER, (target,))
    text = f"{_within(target, _MEMBER)}.{name}({arguments[0].text})"
    return Term(name, text, _MEMBER, (target, *arguments))


def unary(operator: str, kid: Term) -> Term:
    sign = "!" if operator == "!" else "-"
    text = f"({kid.text})" if kid.text.startswith("-") else _within(kid, _UNARY)
    return Term(operator, sign + text, _UNARY, (kid,))


def binary(operator: str, left: Term, right: Term) -> Term:
    level = _LEVELS.get(operator, _COMPARE)
    first = _within(left, level + (level == _COMPARE))  # they do not chain here
    return Term(operator, f"{first} {operator} {_within(right, level + 1)}", level, (left, right))


def items(values: Sequence[Constant]) -> Term:
    return Term("items", f"[{', '.join(written(value) for value in values)}]", _MEMBER, constant=tuple(values))


def _within(term: Term, level: int) -> str:
    return term.text if term.level >= level else f"({term.text})"


LISTS: Final = st.one_of(
    st.lists(TEXTS, min_size=1, max_size=4),
    st.lists(st.one_of(INTS, DOUBLES), min_size=1, max_size=4),
    st.lists(st.booleans(), min_size=1, max_size=2),
).map(items)
_FIELDS_OF: Final = {kind: [name for name, each in KINDS.items() if each == kind] for kind in KINDS.values()}


def _some(kind: str, depth: int) -> st.SearchStrategy[Term]:
    """Well-typed terms of a kind: string, number, list or any."""
    if kind == "list":
        return st.just(named("tags"))
    if kind == "any":
        return st.sampled_from(_FIELDS_OF["any"]).map(named)
    names = _FIELDS_OF["string"] if kind == "string" else _FIELDS_OF["int"] + _FIELDS_OF["double"]
    plain = st.sampled_from(names).map(named)
    leaves = plain | (TEXTS if kind == "string" else st.one_of(INTS, DOUBLES)).map(constant)
    if depth <= 0:
        return leaves
    deeper = _some(kind, depth - 1)
    with_any = deeper | _some("any", 0)
    if kind == "string":
        return leaves | st.builds(binary, st.just("+"), deeper, with_any)
    return st.one_of(
        leaves,
        st.builds(binary, st.sampled_from("+-*/"), with_any, deeper),
        st.builds(binary, st.sampled_from("+-*/"), deeper, with_any),
        st.builds(unary, st.just("negative"), with_any),
        st.builds(call, st.just("size"), st.one_of(_some("string", depth - 1), _some("list", 0), _some("any", 0))),
    )


def conditions(depth: int) -> st.SearchStrategy[Term]:
    """Well-typed conditions."""
    symbols = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
    texts, numbers, anything = _some("string", 1), _some("number", 2), _some("any", 0)
    methods = st.sampled_from(["startsWith", "endsWith", "contains"])
    leaves = st.one_of(
        st.builds(binary, symbols, numbers, numbers | anything),
        st.builds(binary, symbols, anything, numbers),
        st.builds(binary, symbols, texts, texts | anything),
        st.builds(binary, symbols, anything, texts | anything),
        st.builds(call, methods, texts | anything, texts | anything),
        st.builds(call, st.just("has"), st.sampled_from(sorted(KINDS)).map(named)),
        st.builds(binary, st.just("in"), anything, LISTS),
        st.builds(binary, st.just("in"), texts, st.lists(TEXTS, max_size=4).map(items)),
        st.builds(binary, st.just("in"), numbers, st.lists(st.one_of(INTS, DOUBLES), max_size=4).map(items)),
        st.builds(binary, st.just("in"), texts | anything, _some("list", 0) | anything),
        st.just(named("open")),
        anything,
        st.booleans().map(constant),
    )
    if depth <= 0:
        return leaves
    deeper = conditions(depth - 1)
    return st.one_of(
        leaves,
        st.builds(binary, st.sampled_from(["&&", "||"]), deeper, deeper),
        st.builds(unary, st.just("!"), deeper),
        st.builds(binary, st.sampled_from(["==", "!="]), deeper, deeper | anything),
    )


def _loose(depth: int) -> st.SearchStrategy[Term]:
    """Terms of whatever types."""
    leaves = st.one_of(
        *[st.sampled_from(sorted(KINDS)).map(named)] * 3, st.one_of(TEXTS, INTS, DOUBLES, st.booleans()).map(constant)
    )
    if depth <= 0:
        return leaves
    deeper = _loose(depth - 1)
    return st.one_of(
        leaves,
        st.builds(binary, st.sampled_from("+-*/"), deeper, deeper),
        st.builds(unary, st.just("negative"), deeper),
        st.builds(call, st.just("size"), deeper),
        loose_conditions(0, depth - 1),
    )


def loose_conditions(depth: int, of: int = 1) -> st.SearchStrategy[Term]:
    """Conditions on terms of whatever types."""
    term = _loose(of)
    leaves = st.one_of(
        st.builds(binary, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), term, term),
        st.builds(binary, st.just("in"), term, LISTS | term),
        st.builds(call, st.sampled_from(["startsWith", "endsWith", "contains"]), term, term),
        term,
    )
    if depth <= 0:
        return leaves
    deeper = loose_conditions(depth - 1, of)
    return st.one_of(
        leaves, st.builds(binary, st.sampled_from(["&&", "||"]), deeper, deeper), st.builds(unary, st.just("!"), deeper)
    )
