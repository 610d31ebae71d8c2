from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.expressions import Expression, conjuncts, equalities, equality
from rules.grammar import ExpressionError, parse
from rules.vocabulary import Fields

KINDS = {
    "name": "string", "count": "int", "rssi": "double", "open": "bool", "tags": "list", "value": "any",
    "zone": "string",
}  # fmt: skip
ITEM: Fields = {
    "name": "crane",
    "count": 7,
    "rssi": -52.5,
    "open": True,
    "tags": ["a", "b"],
    "value": "12",
    "zone": "yard-3",
}


def holds(text: str, item: Fields = ITEM) -> bool:
    return Expression(text, KINDS).test(item)


@pytest.mark.parametrize(
    "text",
    [
        "true",
        "e.count == 7",
        "e.count == 7.0",
        "7 == e.count",
        "e.count != 8 && e.count > 6 && e.count >= 7 && e.count < 8 && e.count <= 7",
        "e.rssi > -60",
        "-60 < e.rssi",
        "e.open",
        "(e.count > 1) == e.open",
        "e.open == true",
        "!(e.open == false)",
        "e.name == 'crane'",
        "e.name < 'd'",
        "e.name in ['crane', 'truck']",
        "e.count in [1, 7]",
        "'a' in e.tags",
        "size(e.tags) == 2 && size(e.name) == 5",
        "has(e.name)",
        "e.zone.startsWith('yard') && e.zone.endsWith('3') && e.zone.contains('rd-')",
        "e.name + '-' + e.zone == 'crane-yard-3'",
        "e.count * 2 + 1 == 15 && e.count - 10 == -3",
        "e.count / 2 == 3 && -e.count / 2 == -3 && e.count / -2 == -3",
        "e.rssi / 2 == -26.25",
        "e.count / 2.0 == 3.5",
        "e.count > 100 || e.rssi < 0",
        "e.value == '12'",
        "!(e.value > 3)",
    ],
)
def test_true(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "false",
        "e.open && e.count == 7 && e.rssi > 0.0",
        "e.open == false",
        "e.count == 8",
        "e.value == 12",
        "e.value > 3",
        "e.value != 12",
        "e.value in [12]",
        "e.count / 0 == 0",
        "e.count / 0 != 0",
        "e.count * 9223372036854775807 > 0",
        "'c' in e.tags",
        "e.value",
        "e.name.startsWith('n')",
    ],
)
def test_false(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "e.count == 0", "e.count != 0", "e.count < 1", "e.count > -1", "e.name == ''", "e.name != 'x'",
        "e.name in ['']", "e.count == e.count",
        "e.value == 0", "e.value != 0", "e.value < 1", "e.open", "e.open == false", "'a' in e.tags", "has(e.name)",
        "size(e.name) == 0", "e.name.contains('')", "e.count + 1 > 0", "-e.count < 1", "e.name + 'a' != 'a'",
    ],
)  # fmt: skip
def test_a_comparison_with_an_absent_field_is_false(text: str) -> None:
    assert not holds(text, {})
    assert holds(f"!({text})", {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("e.names == 'a'", "e.names is no field here; did you mean e.name? (column 3)"),
        ("e.qqq == 'a'", "known are count, name, open, rssi, tags, value, zone"),
        ("e.name == 7", "== compares a string with a number"),
        ("e.count == 'x'", "== compares a number with a string"),
        ("e.open < true", "< has no meaning for true and false"),
        ("e.count", "is a int where true or false is needed"),
        ("e.count && true", "is a int where true or false is needed"),
        ("!e.name", "is a string where true or false is needed"),
        ("e.tags == 'a'", "a list cannot be compared"),
        ("e.name in [1, 2]", "in looks for a string in a list of numbers"),
        ("e.name in e.zone", "the right side of in cannot take a string"),
        ("1 in e.tags", "in a list of texts, the left side cannot take a int"),
        ("[1] == [1]", "a list cannot be compared"),
        ("e.name - 'a' == 'b'", "- cannot take a string"),
        ("e.name + 1 == 'b'", "+ adds two numbers or two texts"),
        ("-e.name == 'a'", "- cannot take a string"),
        ("size(e.count) == 1", "size cannot take a int"),
        ("has('x')", "has asks for a field"),
        ("size([1]) == 1", "a list stands only on the right side of in"),
        ("e.count.startsWith('x')", "startsWith cannot take a int"),
        ("[1].contains('x')", "contains cannot take a list"),
    ],
)
def test_what_can_never_work_is_refused_when_it_is_loaded(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression(text, KINDS)
    assert says in str(caught.value)


def test_events_that_rules_make_may_have_any_field() -> None:
    expression = Expression("e.anything > 3", KINDS, is_open=True)
    assert expression.test({"anything": 4})
    assert not expression.test({"anything": "four"})
    assert not expression.test({"anything": True})


def test_a_text_that_grows_beyond_its_bound_is_no_value() -> None:
    assert not holds("e.name + e.name != ''", {"name": "x" * 3000})


def test_numbers_that_no_double_holds_are_no_value() -> None:
    assert not holds("e.rssi * 1e308 > 0", {"rssi": 1e300})
    assert not holds("e.count + 1.5 > 0", {"count": 10**400})
    assert not holds("-e.count < 0", {"count": 10**400})


def test_constants_are_known() -> None:
    assert Expression("1 > 2", KINDS).constant is False
    assert Expression("true || 1 > 2", KINDS).constant is True
    assert Expression("e.open", KINDS).constant is None


def test_the_parts_that_choose_are_split_from_those_that_judge() -> None:
    expression = Expression("e.name == 'crane' && e.rssi > -60 && (e.zone == 'a' || e.name == 'b')", KINDS)
    chosen, rest = expression.split(frozenset({"name", "zone"}))
    assert (len(chosen), len(rest)) == (2, 1)
    assert expression.all_of(rest)({"rssi": -50.0})
    assert not expression.all_of(chosen)({"name": "crane", "zone": "z"})
    assert equality(chosen[0]) == ("name", ("crane",))
    assert equality(chosen[1]) is None
    assert equality(parse("'crane' == e.name")) == ("name", ("crane",))
    assert equality(parse("size(e.name) == 1")) is None


def test_equalities_find_every_compared_text() -> None:
    tree = parse("!(e.a == 'x') || 'y' != e.b && size(e.c) > 1 && e.d in ['p', 'q'] && has(e.f)")
    assert [(field, value) for field, value, _ in equalities(tree)] == [("a", "x"), ("b", "y"), ("d", "p"), ("d", "q")]
    assert len(list(conjuncts(tree))) == 1


NUMBERS = st.one_of(st.integers(-20, 20), st.floats(-20, 20, width=32))
VALUES = st.one_of(NUMBERS, st.sampled_from(["", "a", "12", "yard"]), st.booleans())
ORDERS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@given(VALUES, st.one_of(st.none(), VALUES), st.sampled_from(sorted(ORDERS)))
def test_comparisons_agree_with_python_where_the_types_agree(
    constant: str | float, value: str | float | None, symbol: str
) -> None:
    text = str(constant).lower() if isinstance(constant, bool) else repr(constant)
    if isinstance(constant, bool) and symbol in {"<", "<=", ">", ">="}:
        return
    item: Fields = {} if value is None else {"value": value}

    def family(one: object) -> str:
        return "bool" if isinstance(one, bool) else "text" if isinstance(one, str) else "number"

    expected = value is not None and family(value) == family(constant) and ORDERS[symbol](value, constant)
    assert holds(f"e.value {symbol} {text}", item) is expected
    assert holds(f"e.value {symbol} ({text})", item) is expected
    assert holds(f"!(e.value {symbol} {text})", item) is not expected


@given(st.dictionaries(st.sampled_from(sorted(KINDS)), st.one_of(VALUES, st.lists(st.text(max_size=2), max_size=2))))
def test_a_test_never_raises_whatever_an_item_holds(item: Fields) -> None:
    text = (
        "e.value + 1 > 2 || e.value * e.value == 4 || e.value / e.count < 1 || 'a' in e.value || size(e.value) > 1"
        " || e.value.contains(e.name) || -e.value > e.rssi || e.value == e.zone || e.value in [1] || e.value"
    )
    assert holds(text, item) in {True, False}
