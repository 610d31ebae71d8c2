from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from gateway.config.models import SiteFile
from gateway.config.rules import Rule
from rules.checking.emitted import ALWAYS, Emitted
from rules.language.vocabulary import event_fields, fields_of
from tests.rules.play import EPC, OTHER, Play, site


def rule(shape: str, name: str = "r", **more: Any) -> Rule:
    found: Rule = TypeAdapter(Rule).validate_python({"shape": shape, "name": name, **more})
    return found


def types(*rules: Rule, on: str = "r") -> dict[str, str]:
    known = Emitted(site(*rules)).fields(on)
    assert not known.is_open
    return known.types


def test_a_match_tells_what_it_is_shown() -> None:
    found = types(rule("match", on="reading", when="e.value > 1.0"))
    assert found.keys() >= ALWAYS.keys()
    assert {name: found[name] for name in ("quantity", "value", "unit", "phase", "tariff", "device")} == {
        "quantity": "string", "value": "double", "unit": "string", "phase": "string", "tariff": "int",
        "device": "string",
    }  # fmt: skip
    assert "zone" not in found
    assert "meter_time_us" not in found


def test_a_rule_on_events_passes_their_fields_on() -> None:
    chained = (rule("rate", "busy", on="moved", within_s=9, above=3), rule("hold", on="busy", when="true", for_s=1))
    found = types(*chained)
    assert (found["value"], found["count"], found["zone"]) == ("double", "int", "string")
    assert "dwell_s" not in found
    assert types(rule("match", on="moved"))["dwell_s"] == "double"


def test_two_rules_of_one_type_have_the_fields_of_both() -> None:
    found = types(
        rule("match", "a", on="reading", emit="r"),
        rule("match", "b", on="signal", emit="r"),
        rule("match", "c", on="r"),
    )
    assert found["value"] == "any"
    assert found["name"] == "string"
    assert found["quantity"] == "string"


def test_circles_and_what_nobody_makes_may_have_anything() -> None:
    circle = Emitted(site(rule("match", "a", on="b"), rule("match", "b", on="a")))
    assert circle.fields("a").is_open
    assert Emitted(site()).fields("nobody").is_open
    assert Emitted(site()).types("read") == fields_of("read")


APART = {name: {"x_m": at_m, "y_m": 0, "covers": [epc]} for name, at_m, epc in (("a", 0, EPC), ("b", 9_000, OTHER))}
SHAPES = [
    rule("match", on="arrived"),
    rule("hold", on="arrived", when="true", for_s=0.5),
    rule("rate", on="arrived", within_s=5, above=1, key="zone"),
    rule("sequence", steps=[{"on": "arrived"}, {"on": "departed"}], within_s=60, otherwise={"emit": "failed"}),
    rule("absence", expect={"on": "moved"}, after={"on": "arrived"}, within_s=5),
    rule("pair", entry={"on": "arrived"}, exit={"on": "departed"}, entered="in", capacity=1, full={"emit": "full"}),
    rule("set", on="arrived", duration_s=5),
    rule("travel", on="arrived", key="zone", where="subject", spots=APART),
    rule("binding", on="arrived", key="zone", of="subject"),
    rule("session", key="zone", open={"on": "arrived"}, collect={"tag": {"on": "arrived"}}, close={"quiet_s": 3}),
]


@pytest.mark.parametrize("made", SHAPES, ids=lambda each: each.shape)
def test_what_the_shapes_really_tell_is_known(made: Rule) -> None:
    file: SiteFile = site(made)
    play = Play(file)
    play.watch(0, "yard")
    for half in range(40):
        at_s = 0.3 + half * 0.5
        if half < 12:
            play.read(at_s, "yard")
        if 2 < half < 14:
            play.read(at_s + 0.1, "yard", epc=OTHER)
    play.until(120)
    emitted = Emitted(file)
    told = [event for event in play.events if event.rule == "r"]
    assert told
    for event in told:
        known = emitted.fields(event.type)
        assert not known.is_open
        for name, value in event_fields(event).items():
            kind = {bool: "bool", str: "string", int: "int", float: "double"}[type(value)]
            assert known.types.get(name) in {kind, "any"}, (event.type, name, value)
