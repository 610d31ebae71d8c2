from __future__ import annotations

import pytest

from gateway.config.rules import AlarmSettings, MatchRule
from gateway.contract.events import Evidence, event_id
from rules.language.grammar import ExpressionError
from rules.shapes.shape import Raised, Shape, alarm_of, fingerprint


def rule(when: str = "true", **more: object) -> MatchRule:
    return MatchRule(**({"shape": "match", "name": "r", "on": "reading", "when": when} | more))


def test_the_owner_of_state_changes_with_every_part_of_the_definition() -> None:
    rules = [
        rule(), rule("e.value > 1"), rule(on="status"), rule(emit="x"), rule(alarm=AlarmSettings()),
        rule(alarm=AlarmSettings(latch=True)),
    ]  # fmt: skip
    assert len({fingerprint(one) for one in rules}) == len(rules)
    assert fingerprint(rule()) == fingerprint(rule())
    assert Shape(rule(), 0, is_free=True).owner == f"r.{fingerprint(rule())}"


def test_what_an_item_must_have_is_taken_out_of_the_condition_for_the_index() -> None:
    shape = Shape(rule("e.quantity in ['voltage', 'current'] && e.phase == 'a' && e.value > 1"), 0, is_free=False)
    assert shape.asked == {"quantity": {"voltage", "current"}, "phase": {"a"}}
    assert shape.asked_first == shape.asked
    assert shape.select is not None
    assert shape.select({"quantity": "current", "phase": "a"})
    assert not shape.select({"quantity": "current", "phase": "b"})
    assert shape.test({"value": 2.0})


def test_a_condition_on_how_an_item_is_chooses_only_for_a_rule_without_memory() -> None:
    text = "e.quality == 'good'"
    assert Shape(rule(text), 0, is_free=True).asked == {"quality": {"good"}}
    with_memory = Shape(rule(text), 0, is_free=False)
    assert with_memory.asked == {}
    assert with_memory.asked_first == {"quality": {"good"}}


def test_a_bad_condition_is_refused() -> None:
    with pytest.raises(ExpressionError, match=r"did you mean e\.value"):
        Shape(rule("e.values > 1"), 0, is_free=True)


def test_an_alarm_keeps_its_id_from_raised_to_cleared() -> None:
    raised = Raised("meter-1", "warning", 5, Evidence(gateway="g", epoch=1, sequence_from=1, sequence_to=1))
    one, other = alarm_of("r", "k", raised, "raised", 6, "m", {"a": 1}), alarm_of("r", "k", raised, "cleared", 9, "m")
    assert one.id == other.id == event_id("alarm", "r", "k")
    assert (one.since_us, one.fields, other.at_us, other.fields) == (5, {"a": 1}, 9, {})
