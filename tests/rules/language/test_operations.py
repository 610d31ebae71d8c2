from __future__ import annotations

import math
from functools import partial

import pytest

from rules.language.operations import (
    MOST_RESULT,
    Get,
    arithmetic,
    comparison,
    every_one,
    family_of,
    field_with_constant,
    negative,
)
from rules.language.vocabulary import Fields, Value

INT_MIN, INT_MAX = -(2**63), 2**63 - 1


def always(value: Value | None) -> Get:
    return lambda _e: value


def computed(symbol: str, one: Value | None, other: Value | None) -> Value | None:
    return arithmetic(symbol, always(one), always(other))({})


@pytest.mark.parametrize(
    ("value", "family"),
    [
        (True, "bool"), ("", "string"), (1, "number"), (1.5, "number"), (math.inf, "number"), ([], "list"),
        (None, "nothing"), (INT_MAX, "number"), (INT_MAX + 1, "nothing"), (INT_MIN - 1, "nothing"),
    ],
)  # fmt: skip
def test_families(value: object, family: str) -> None:
    assert family_of(value) == family


@pytest.mark.parametrize(
    ("symbol", "one", "other", "result"),
    [
        ("+", 1, 2, 3), ("+", 1, 2.5, 3.5), ("-", 1, 2, -1), ("*", 3, -2, -6), ("/", 7, 2, 3), ("/", -7, 2, -3),
        ("/", 7, -2, -3), ("/", 7.0, 2, 3.5), ("+", "a", "b", "ab"), ("+", INT_MAX, 1, None), ("/", INT_MIN, -1, None),
        ("/", 1, 0, None), ("/", 1.0, 0.0, None), ("*", 1e200, 1e200, None), ("-", "a", "b", None), ("+", "a", 1, None),
        ("+", True, 1, None), ("+", None, 1, None), ("-", INT_MAX + 1, 1, None), ("+", math.inf, 1, None),
        ("+", "a" * MOST_RESULT, "b", None), ("+", ["a"], ["b"], None),
    ],
)  # fmt: skip
def test_arithmetic(symbol: str, one: Value | None, other: Value | None, result: Value | None) -> None:
    made = computed(symbol, one, other)
    assert (type(made), made) == (type(result), result)


@pytest.mark.parametrize(
    ("value", "result"), [(2, -2), (-2.5, 2.5), (INT_MIN, None), (INT_MAX + 1, None), (True, None), ("a", None)]
)
def test_the_negative(value: Value, result: Value | None) -> None:
    made = negative(lambda e: e.get("x"))({"x": value})
    assert (type(made), made) == (type(result), result)


@pytest.mark.parametrize("symbol", ["==", "!=", "<", "<=", ">", ">="])
def test_a_comparison_with_a_constant_is_that_of_two_values(symbol: str) -> None:
    values: list[Value | None] = [
        None, 0, 1, 2, 1.0, 1.5, -1, True, False, "", "a", "b", ["a"], INT_MIN, INT_MAX, INT_MAX + 1, 1e19, 10**19,
        math.inf, math.nan,
    ]  # fmt: skip
    for constant in (0, 1, 1.5, "a", "", True, False, INT_MIN, INT_MAX, 1e19):
        if isinstance(constant, bool) and symbol not in {"==", "!="}:
            continue
        quick = field_with_constant(symbol, "x", constant)
        plain = comparison(symbol, lambda e: e.get("x"), always(constant))
        for value in values:
            item: Fields = {} if value is None else {"x": value}
            assert quick(item) is plain(item), (symbol, value, constant)


@pytest.mark.parametrize("length", range(5))
def test_every_one_asks_no_more_than_it_must(length: int) -> None:
    asked: list[int] = []

    def ask(number: int, answer: bool, _e: Fields) -> bool:  # noqa: FBT001 - bound by position
        asked.append(number)
        return answer

    for first_false in range(length + 1):
        asked.clear()
        test = every_one([partial(ask, number, number != first_false) for number in range(length)])
        assert test({}) is (first_false == length)
        assert asked == list(range(min(first_false + 1, length)))
