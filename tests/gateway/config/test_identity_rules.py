from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.config.identity_rules import BindingRule, Spot, TravelRule
from gateway.config.rules import Rule

RULE: TypeAdapter[Rule] = TypeAdapter(Rule)
TWO: dict[str, Any] = {"a": {"x_m": 0, "y_m": 0}, "b": {"x_m": 900, "y_m": 0}}


def travel(**more: Any) -> Rule:
    return RULE.validate_python({"name": "r", "shape": "travel", "on": "read", "spots": TWO, **more})


def test_two_spots_are_enough() -> None:
    found = travel()
    assert isinstance(found, TravelRule)
    assert (found.where, found.key, found.fastest_m_per_s, found.reach_m) == ("read_point", "subject", 25, 15)
    assert found.spots["b"] == Spot(x_m=900, y_m=0)


def test_the_plan_may_name_them() -> None:
    found = travel(spots={}, use_plan=True, ways=[{"between": ["x", "y"], "least_s": 3}])
    assert isinstance(found, TravelRule)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"spots": {}}, "spots: are missing"),
        ({"spots": {"a": {"x_m": 0, "y_m": 0}}}, "spots: are missing"),
        ({"spots": {**TWO, "c": {"x_m": 1}}}, "y_m: goes with x_m"),
        ({"spots": {**TWO, "c": {"covers": ["p", "a"]}}}, "spots.c.covers: 'a' is at 'a' already"),
        ({"ways": [{"between": ["a", "q"], "least_s": 3}]}, r"ways\[0\].between: no spot has the name 'q'"),
        ({"ways": [{"between": ["a"], "least_s": 3}]}, "at least 2"),
        ({"ways": [{"between": ["a", "b"], "least_s": -1}]}, "greater than or equal to 0"),
        ({"fastest_m_per_s": 0}, "greater than 0"),
        ({"clocks_differ_s": -1}, "greater than or equal to 0"),
    ],
)
def test_what_cannot_be_meant_is_refused(more: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        travel(**more)


def test_a_value_may_be_told_by_the_item_or_learnt_or_both() -> None:
    least = {"name": "r", "shape": "binding", "on": "read", "of": "tid"}
    found = RULE.validate_python(least)
    assert isinstance(found, BindingRule)
    assert (found.learn, found.expect, found.prefix) == (True, None, False)
    RULE.validate_python({**least, "expect": "registered_tid", "learn": False})
    with pytest.raises(ValidationError, match="expect: is missing"):
        RULE.validate_python({**least, "learn": False})
