from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from gateway.config.rules import Input, Rule, SetRule
from rules.anatomy import inputs, makes, trigger_of
from tests.gateway.config.test_rules import LEAST, rule

A, B, C = ({"on": on} for on in ("arrived", "departed", "signal"))


@pytest.mark.parametrize(
    ("shape", "more", "expected"),
    [
        ("match", {}, [("", "read")]),
        ("hold", {}, [("", "read")]),
        ("rate", {}, [("", "read")]),
        ("travel", {}, [("", "read")]),
        ("binding", {}, [("", "read")]),
        ("absence", {}, [("expect", "arrived")]),
        ("absence", {"after": B, "unless": C}, [("after", "departed"), ("expect", "arrived"), ("unless", "signal")]),
        ("sequence", {"steps": [A, B], "unless": C},
         [("steps[0]", "arrived"), ("steps[1]", "departed"), ("unless", "signal")]),
        ("session", {"open": C, "collect": {"tag": A, "card": B}, "close": {"on": C}},
         [("open", "signal"), ("collect.tag", "arrived"), ("collect.card", "departed"), ("close.on", "signal")]),
        ("pair", {"reset": C}, [("entry", "arrived"), ("exit", "arrived"), ("reset", "signal")]),
        ("set", {"start": A, "stop": B}, [("", "read"), ("start", "arrived"), ("stop", "departed")]),
    ],
)  # fmt: skip
def test_inputs_have_their_place_in_the_table(
    shape: str, more: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert [(place, source.on) for place, source in inputs(rule(shape, **more))] == expected


def test_the_input_of_a_rule_on_one_kind_of_item_has_its_condition() -> None:
    [(_, source)] = inputs(rule("match", when="e.rssi_dbm > 1.0"))
    assert (source.when, source.key) == ("e.rssi_dbm > 1.0", None)


@pytest.mark.parametrize("shape", LEAST)
def test_every_shape_makes_its_emit_or_its_name_or_an_alarm_alone(shape: str) -> None:
    assert next(makes(rule(shape, emit="x"))) == ("emit", "x")
    assert list(makes(rule(shape))) == [("name", "r")]
    assert list(makes(rule(shape, alarm={}))) == []
    assert list(makes(rule(shape, alarm={}, emit="x"))) == [("emit", "x")]


@pytest.mark.parametrize(
    ("shape", "more", "expected"),
    [
        ("sequence", {"otherwise": {"emit": "missed"}}, [("name", "r"), ("otherwise.emit", "missed")]),
        ("sequence", {"otherwise": {"alarm": {}}}, [("name", "r")]),
        ("session", {"otherwise": {"emit": "broken"}, "decide": {"emit": "decided"}},
         [("name", "r"), ("otherwise.emit", "broken"), ("decide.emit", "decided")]),
        ("pair", {"entered": "in", "violation": {"emit": "bad"}, "capacity": 1, "full": {"emit": "full"},
                  "longest_s": 1, "overstay": {"alarm": {}}},
         [("name", "r"), ("entered", "in"), ("violation.emit", "bad"), ("full.emit", "full")]),
    ],
)  # fmt: skip
def test_outcomes_make_events_too(shape: str, more: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert list(makes(rule(shape, **more))) == expected


def test_what_begins_a_cycle_is_of_its_group_or_whatever_it_is_about() -> None:
    def report(**more: Any) -> SetRule:
        found = TypeAdapter[Rule](Rule).validate_python({"name": "r", "shape": "set", **LEAST["set"], **more})
        assert isinstance(found, SetRule)
        return found

    start = Input(on="signal")
    for expected, found in (("zone", report(group="zone")), ("subject", report()), (None, report(places={"p": []}))):
        trigger = trigger_of(start, found)
        assert trigger is not None
        assert trigger.key == expected
    assert trigger_of(None, report()) is None
    own = Input(on="signal", key="device")
    assert trigger_of(own, report(group="zone")) is own
