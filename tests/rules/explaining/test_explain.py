from __future__ import annotations

import pytest
from hypothesis import given

from rules.explaining.explain import findings, text_of
from rules.language.expressions import Expression
from rules.language.grammar import parse
from rules.language.vocabulary import Fields
from tests.rules.checking.test_possible import CONDITIONS, ITEMS

ITEM: Fields = {"zone": "lane-1", "direction": "out", "kind": "truck", "conditions": ["a", "b"], "value": 3.5}


def lines(text: str) -> list[str]:
    return [each.line().written() for each in findings(text, ITEM)]


def test_each_part_is_told_with_the_values_that_it_asked_for() -> None:
    assert lines('e.zone == "lane-1" && e.direction == "in" && e.rssi_dbm > -60.0') == [
        'true   e.zone == "lane-1"    e.zone is "lane-1"',
        'FALSE  e.direction == "in"    e.direction is "out"',
        "FALSE  e.rssi_dbm > -60.0    e.rssi_dbm is absent",
    ]


def test_alternatives_stand_below_what_they_are_part_of() -> None:
    assert lines('(e.zone == "x" || e.kind == "truck" && e.value > 3.0) && !has(e.phase)') == [
        'true   e.zone == "x" || e.kind == "truck" && e.value > 3.0',
        '  FALSE  e.zone == "x"    e.zone is "lane-1"',
        '  true   e.kind == "truck" && e.value > 3.0',
        '    true   e.kind == "truck"    e.kind is "truck"',
        "    true   e.value > 3.0    e.value is 3.5",
        "true   !has(e.phase)    e.phase is absent",
    ]


def test_lists_and_several_fields() -> None:
    assert lines('"a" in e.conditions && e.value - e.x * 2 < e.value && size(e.kind) == 5') == [
        'true   "a" in e.conditions    e.conditions is [a, b]',
        "FALSE  e.value - e.x * 2 < e.value    e.value is 3.5, e.x is absent",
        'true   size(e.kind) == 5    e.kind is "truck"',
    ]
    assert lines("true") == ["true   true"]
    long = "e.kind in [" + ", ".join(f'"k{number}"' for number in range(50)) + "]"
    assert lines(long) == ['FALSE  e.kind in ["k0", "k1", "k2", "k3", "k4", "k5", ...]    e.kind is "truck"']


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("e.value - 1 > 0.5", "2.5 > 0.5; e.value is 3.5"),
        ("e.value * 0.1 > 1.0 - -e.value", "0.35 > 4.5; e.value is 3.5"),
        ('e.zone + "!" == "lane-1!"', '"lane-1!" == "lane-1!"; e.zone is "lane-1"'),
        ("e.value / 0.0 > 1.0", "e.value is 3.5"),
        ("e.value + 1 > size(e.zone)", 'e.value is 3.5, e.zone is "lane-1"'),
        ("e.value + size(e.zone) > 1", 'e.value is 3.5, e.zone is "lane-1"'),
        ("-size(e.zone) < e.value + 1", 'e.zone is "lane-1", e.value is 3.5'),
        ("e.value + e.gone > 1", "e.value is 3.5, e.gone is absent"),
        ("e.value > 1", "e.value is 3.5"),
    ],
)
def test_what_is_calculated_is_told_with_its_results(text: str, told: str) -> None:
    (found,) = findings(text, ITEM)
    assert found.said() == f"{text}    {told}"


@pytest.mark.parametrize(
    "text",
    [
        "(e.a + 1) * 2 > 3", "e.a - (e.b - 1) > 0", "-(e.a + 1) < 2", "!(e.a && e.b) || e.c", "(e.a || e.b) && e.c",
        'e.s.startsWith("x" + e.t)', '(e.s + "x").contains("y")', "!!e.a", "(e.a == 1) == e.b",
    ],
)  # fmt: skip
def test_a_condition_that_is_written_out_means_the_same(text: str) -> None:
    again = text_of(parse(text))
    assert text_of(parse(again)) == again
    assert again == text


@given(CONDITIONS, ITEMS)
def test_the_parts_together_say_what_the_condition_says(text: str, item: dict[str, str | int | float | bool]) -> None:
    fields: Fields = dict(item)
    found = findings(text, fields)
    assert all(each.is_true for each in found if not each.depth) == Expression(text, {}, is_open=True).test(fields)
    assert Expression(text_of(parse(text)), {}, is_open=True).test(fields) == Expression(text, {}, is_open=True).test(
        fields
    )
