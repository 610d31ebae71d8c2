from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.language.grammar import (
    MOST_DEPTH,
    MOST_LIST,
    MOST_OPERATORS,
    MOST_TEXT,
    Binary,
    ExpressionError,
    Field,
    Items,
    Literal,
    parse,
)


def test_precedence() -> None:
    tree = parse("e.a + 1 * 2 > 3 && e.b == 'x' || e.c in [1, -2]")
    assert isinstance(tree, Binary)
    assert tree.operator == "||"
    assert isinstance(tree.right, Binary)
    assert tree.right.right == Items((1, -2), 40)
    left = tree.left
    assert isinstance(left, Binary)
    assert left.operator == "&&"
    assert isinstance(left.left, Binary)
    assert left.left.operator == ">"
    assert left.left.left == Binary("+", Field("a", 2), Binary("*", Literal(1, 6), Literal(2, 10), 8), 4)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("-9223372036854775808", -(2**63)),
        ("0x1F", 31),
        ("-0x1F", -31),
        ("1.5", 1.5),
        ("-2.5e-3", -0.0025),
        ("1e3", 1000.0),
        ("true", True),
        ('"a\\"b"', 'a"b'),
        (r"'\n\t\\\u00e9'", "\n\t\\é"),
        ("'集装箱'", "集装箱"),
        (" 1 // a comment", 1),
    ],
)
def test_literals(text: str, value: object) -> None:
    node = parse(text)
    assert isinstance(node, Literal)
    assert (type(node.value), node.value) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("", 1, "a value is missing, found the end"),
        ("e.zone = 'a'", 8, "'=' has no meaning here; equality is =="),
        ("e.a == 'x", 8, "a string begins with ' and does not end"),
        ("zone == 'a'", 1, "'zone' is not known; a field is written e.zone"),
        ("e.a < e.b < e.c", 11, "< is left over; chain comparisons with &&"),
        ("e.a ? 1 : 2", 5, "?: is not in the subset"),
        ("e.a % 2 == 0", 5, "% is not in the subset"),
        ("e.a == null", 8, "ask has(e.field)"),
        ("e.a.matches('x')", 5, ".matches is not in the subset; regular expressions are left out"),
        ("e.a.b == 1", 5, ".b is not in the subset; a string has startsWith, endsWith, contains"),
        ("e == 1", 3, "'.' is missing after e"),
        ("e.1", 3, "the name of a field is missing"),
        ("(e.a == 1", 10, "')' is missing after the expression in brackets"),
        ("e.a in [1, 'x']", 12, "a list holds constants of one type"),
        ("e.a in [e.b]", 9, "a list holds constants only"),
        ("9223372036854775808", 1, "beyond 64 bits"),
        ("1e999", 1, "beyond a double"),
        (r"'\x41'", 3, r"\x is no escape here"),
        (r"'\ud800'", 3, r"\u is no escape here"),
        ("int(e.a)", 1, "conversions are left out"),
        ("__import__('os')", 1, "is not known"),
        ("e.__class__ == 1 1", 18, "1 is left over"),
        ("e.in == 1", 3, "e.in is no field: in is a word of the language"),
        ("'a\rb'", 1, "a string begins with ' and does not end"),
    ],
)
def test_faults_say_where_and_what(text: str, column: int, says: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert says in str(caught.value)
    assert caught.value.column == column


@pytest.mark.parametrize(
    "text",
    [
        "(" * (MOST_DEPTH + 1) + "1" + ")" * (MOST_DEPTH + 1),
        "!" * (MOST_DEPTH + 1) + "true",
        "1" + "+1" * (MOST_OPERATORS + 1),
        ("!" * MOST_DEPTH + "(") * 9 + "true" + ")" * 9,
        "e.a in [" + ",".join("1" for _ in range(MOST_LIST + 1)) + "]",
        " " * (MOST_TEXT + 1),
    ],
)
def test_everything_is_bounded(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@given(st.text(alphabet="e.ab&|!<>=()[]'\"\\+-*/, 0123456789insizehtrue\n", max_size=120))
def test_any_text_gives_a_tree_or_an_expression_error(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        parse(text)


def test_the_sign_of_a_constant_is_no_operator() -> None:
    tree = parse("e.a in [" + ",".join("-1" for _ in range(MOST_LIST)) + "]")
    assert isinstance(tree, Binary)
    assert isinstance(tree.right, Items)
    assert len(tree.right.values) == MOST_LIST > MOST_OPERATORS
