from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.quantities import UNITS
from rules.checking.possible import demands, ways, why_never
from rules.language.expressions import Expression
from rules.language.grammar import parse

AT_ONCE = "e.{} cannot have all the values that it is asked for at once"
NEVER = [
    ("e.zone == 'a' && e.zone == 'b'", AT_ONCE.format("zone")),
    ("e.zone in ['a', 'b'] && e.zone == 'c'", AT_ONCE.format("zone")),
    ("e.zone == 'a' && e.zone != 'a'", AT_ONCE.format("zone")),
    ("e.value > 5 && e.value < 3", "no e.value is above 5 and below 3"),
    ("e.value >= 5 && e.value < 5", "no e.value is at least 5 and below 5"),
    ("5 < e.value && 3 > e.value", "no e.value is above 5 and below 3"),
    ("e.value == 2 && e.value > 2", AT_ONCE.format("value")),
    ("!has(e.phase) && e.phase == 'a'", "e.phase cannot be absent and have a value"),
    ("!has(e.phase) && e.phase.startsWith('a')", "e.phase cannot be absent and have a value"),
    ("!(has(e.phase) || e.zone == 'a') && e.phase != 'b'", "e.phase cannot be absent and have a value"),
    ("(e.zone == 'a' || e.zone == 'b') && e.zone == 'c'", AT_ONCE.format("zone")),
    ("e.ok && e.ok == false", AT_ONCE.format("ok")),
    ("e.a == 2 && e.a < 2", AT_ONCE.format("a")),
    ("e.a == 2 && e.a >= 3", AT_ONCE.format("a")),
    ("e.zone == 'a' && false", "one part of it is false"),
]  # fmt: skip
PERHAPS = [
    "e.zone == 'a' || e.zone == 'b'",
    "e.value > 3 && e.value < 5",
    "e.value >= 5 && e.value <= 5",
    "!(e.value > 5) && !(e.value <= 5)",  # true of an absent value
    "!has(e.phase) && !(e.phase == 'a')",
    "e.zone == e.from_zone && e.zone == 'a'",
    "e.zone == 'a' || (e.value > 5 && e.value < 3)",
    "e.ok || !e.ok",
    "e.zone > 'a' && e.zone < 'b'",
    "e.a > 5 && e.a > 3 && e.a < 9 && e.a < 10",
    "e.a == 2 && e.a > 1 && e.a < 3",
    "e.value + 1 > 5 && e.value < 3",
    "true",
    " && ".join(f"(e.a{number} == 1 || e.b{number} == 1)" for number in range(12)) + " && e.c == 1 && e.c == 2",
]


@pytest.mark.parametrize(("text", "why"), NEVER)
def test_what_excludes_itself_is_told(text: str, why: str) -> None:
    assert why_never(parse(text)) == why


@pytest.mark.parametrize("text", PERHAPS)
def test_what_may_be_true_is_believed(text: str) -> None:
    assert why_never(parse(text)) is None


def test_units_that_a_quantity_has_not() -> None:
    told = why_never(parse("e.quantity == 'active_power' && e.unit == 'kW' && e.value > 5.0"), UNITS)
    assert told == ("e.unit is never 'kW' for active_power, which is in W; drop e.unit, and convert the limit")
    assert why_never(parse("e.quantity in ['voltage', 'current'] && e.unit in ['V', 'Hz']"), UNITS) is None
    assert why_never(parse("e.quantity == 'active_power' && e.unit == 'W'"), UNITS) is None
    assert why_never(parse("e.quantity == 'no_such' && e.unit == 'kW'"), UNITS) is None
    assert why_never(parse("e.quantity == 'active_power' && e.unit == 'kW'")) is None


def test_the_ways_of_a_condition_and_what_they_ask() -> None:
    found = ways(parse("(e.zone == 'a' || e.value > 3) && e.kind != 'x'"))
    assert found is not None
    assert [sorted(demands(way)) for way in found] == [["kind", "zone"], ["kind", "value"]]


ATOMS = st.sampled_from(
    ["e.a == 1", "e.a > 1", "e.a < 1", "e.a >= 2", "e.a != 1", "e.s == 'x'", "e.s in ['x', 'y']", "e.s != 'y'",
     "has(e.s)",
     "e.b", "e.b == true", "e.b != true", "1 < e.a", "e.s.startsWith('x')", "size(e.s) > 0"]
)  # fmt: skip
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda each: f"({each[0]} {each[1]} {each[2]})"),
        inner.map(lambda each: f"!({each})"),
    ),
    max_leaves=6,
)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "a": st.sampled_from([0, 1, 2, 1.5]),
        "s": st.sampled_from(["x", "y", "z", ""]),
        "b": st.booleans(),
    },
)


@given(CONDITIONS, ITEMS)
def test_nothing_that_is_ever_true_is_called_impossible(text: str, item: dict[str, str | int | float | bool]) -> None:
    if Expression(text, {}, is_open=True).test(dict(item)):
        assert why_never(parse(text)) is None
