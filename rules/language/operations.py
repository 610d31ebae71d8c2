"""What the operators of conditions do with the values of an item: closures that never raise.

None stands for no value: an absent field, a value of a type that the operator does not take, a division by zero, a
number beyond 64 bits. A comparison with it is false.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Final, TypeGuard

from rules.language.grammar import INT_MAX, INT_MIN, Constant
from rules.language.vocabulary import Fields, Value

Test = Callable[[Fields], bool]
Get = Callable[[Fields], Value | None]

MOST_RESULT: Final = 4096
"""Characters of a text that `+` may make; a longer one is no value."""

ORDER: Final[dict[str, Callable[..., bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SYMBOLS: Final[dict[str, Callable[..., bool]]] = {"==": operator.eq, "!=": operator.ne, **ORDER}


def family_of(value: object) -> str:
    """Values of one family can be compared: bool, string, number; list and nothing cannot."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    return "number" if _is_number(value) else "list" if isinstance(value, list) else "nothing"


def _is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a number of 64 bits."""
    kind = type(value)
    return kind is float or (kind is int and INT_MIN <= value <= INT_MAX)  # type: ignore[operator]  # an int, as asked


def every_one(tests: list[Test]) -> Test:
    """Whether all of these are true; the order is kept."""
    if not tests:
        return lambda _e: True
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:  # noqa: PLR2004 - the commonest chain, without a loop
        one, two = tests
        return lambda e: one(e) and two(e)

    def every(e: Fields) -> bool:
        for test in tests:  # noqa: SIM110 - all() over a generator costs twice as much
            if not test(e):
                return False
        return True

    return every


def field_with_constant(symbol: str, name: str, constant: Constant) -> Test:
    """The commonest comparison in one call."""
    if isinstance(constant, str):
        if symbol == "==":
            return lambda e: e.get(name) == constant
        compare = _SYMBOLS[symbol]
        return lambda e: isinstance(value := e.get(name), str) and compare(value, constant)
    if isinstance(constant, bool):  # not equal to 1
        wanted = constant if symbol == "==" else not constant
        return lambda e: e.get(name) is wanted
    if symbol == "==" and abs(constant) <= INT_MAX:  # no number beyond 64 bits is equal to it
        return lambda e: (value := e.get(name)) == constant and type(value) is not bool
    compare = _SYMBOLS[symbol]

    def number(e: Fields) -> bool:
        value = e.get(name)
        if type(value) is float:
            return compare(value, constant)
        return type(value) is int and INT_MIN <= value <= INT_MAX and compare(value, constant)

    return number


def comparison(symbol: str, left: Get, right: Get) -> Test:
    """`==`, `!=`, `<`, `<=`, `>` or `>=` of any two values."""

    def comparable(one: object, other: object) -> bool:
        return (family := family_of(one)) == family_of(other) and family not in {"nothing", "list"}

    if symbol == "==":
        return lambda e: comparable(one := left(e), other := right(e)) and one == other
    if symbol == "!=":
        return lambda e: comparable(one := left(e), other := right(e)) and one != other
    order = ORDER[symbol]

    def ordered(e: Fields) -> bool:
        one, other = left(e), right(e)
        return comparable(one, other) and type(one) is not bool and order(one, other)

    return ordered


def negative(get: Get) -> Get:
    """`-x`."""

    def result(e: Fields) -> Value | None:
        value = get(e)
        return _bounded(-value) if _is_number(value) else None

    return result


def arithmetic(symbol: str, left: Get, right: Get) -> Get:
    """`+`, `-`, `*` or `/` of any two values; `+` joins texts."""
    compute = ARITHMETIC[symbol]

    def result(e: Fields) -> Value | None:
        one, other = left(e), right(e)
        if _is_number(one) and _is_number(other):
            return _bounded(compute(one, other))
        if symbol == "+" and isinstance(one, str) and isinstance(other, str) and len(one) + len(other) <= MOST_RESULT:
            return one + other
        return None

    return result


def _bounded(value: int | float | None) -> int | float | None:  # noqa: PYI041 - mypy would call the int branch dead
    """The number, if 64 bits hold it; an int stays an int."""
    if isinstance(value, int):
        return value if INT_MIN <= value <= INT_MAX else None
    return value if value is None or math.isfinite(value) else None


def _quotient(one: float, other: float) -> float | None:
    """CEL divides ints towards zero."""
    if other == 0:
        return None
    if isinstance(one, int) and isinstance(other, int):
        whole = abs(one) // abs(other)
        return whole if (one < 0) == (other < 0) else -whole
    return one / other


ARITHMETIC: Final[dict[str, Callable[..., float | None]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
}
