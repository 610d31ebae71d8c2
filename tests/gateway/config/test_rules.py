"""Combinations of keys that a rule must not have; single values are in `broken/`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.config.rules import (
    AbsenceRule,
    AlarmSettings,
    BindingRule,
    HoldRule,
    MatchRule,
    PairRule,
    RateRule,
    Rule,
    SequenceRule,
    SessionRule,
    SetRule,
    Severity,
    TravelRule,
)
from gateway.config.table import Table

RULE: TypeAdapter[Rule] = TypeAdapter(Rule)
INPUT = {"on": "arrived"}
LEAST: dict[str, dict[str, Any]] = {
    "match": {"on": "read"},
    "hold": {"on": "read", "for_s": 1},
    "rate": {"on": "read", "within_s": 1, "above": 1},
    "absence": {"expect": INPUT, "within_s": 1},
    "sequence": {"steps": [INPUT, INPUT], "within_s": 1},
    "session": {"open": INPUT, "collect": {"tag": INPUT}},
    "pair": {"entry": INPUT, "exit": INPUT},
    "set": {"on": "read", "duration_s": 1},
    "travel": {"on": "read", "spots": {"a": {"x_m": 0, "y_m": 0}, "b": {"x_m": 900, "y_m": 0}}},
    "binding": {"on": "read", "of": "tid"},
}
MODELS: dict[str, type[Table]] = {
    "match": MatchRule, "hold": HoldRule, "rate": RateRule, "absence": AbsenceRule, "sequence": SequenceRule,
    "session": SessionRule, "pair": PairRule, "set": SetRule, "travel": TravelRule, "binding": BindingRule,
}  # fmt: skip


def rule(shape: str, **more: Any) -> Rule:
    return RULE.validate_python({"name": "r", "shape": shape, **LEAST[shape], **more})


def without(shape: str, *keys: str, **more: Any) -> Rule:
    kept = {key: value for key, value in LEAST[shape].items() if key not in keys}
    return RULE.validate_python({"name": "r", "shape": shape, **kept, **more})


@pytest.mark.parametrize("shape", LEAST)
def test_the_shape_chooses_the_model_and_little_is_enough(shape: str) -> None:
    found = rule(shape)
    assert isinstance(found, MODELS[shape])
    assert (found.alarm, found.emit, found.lookup, found.during, found.figures) == (None, None, {}, None, [])


@pytest.mark.parametrize("shape", LEAST)
def test_every_required_key_is_missed(shape: str) -> None:
    optional = {"above", "duration_s"}  # one of several that a rule of this shape needs
    for key in LEAST[shape].keys() - optional:
        with pytest.raises(ValidationError, match=key):
            without(shape, key)


def test_an_unknown_shape_or_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="shape"):
        RULE.validate_python({"name": "r", "shape": "mach", "on": "read"})
    with pytest.raises(ValidationError, match="Extra inputs"):
        rule("match", fro_s=1)


@pytest.mark.parametrize(
    ("shape", "more", "message"),
    [
        ("rate", {"window": "session"}, "quiet_s: goes with window = 'session'"),
        ("rate", {"quiet_s": 1}, "quiet_s: goes with window = 'session'"),
        ("rate", {"function": "sum"}, "of: names the field"),
        ("rate", {"of": "value"}, "of: names the field"),
        ("rate", {"below": 1}, "below: needs a window that ends"),
        ("rate", {"above": None}, "above: is missing"),
        ("sequence", {"steps": [INPUT]}, "at least 2"),
        ("sequence", {"steps": [INPUT] * 17}, "at most 16"),
        ("session", {"require": ["weight"]}, "require: 'weight' is not collected; collected are tag"),
        ("session", {"collect": {}}, "at least 1"),
        ("pair", {"antipassback": "timed"}, "forgive_after_s: goes with antipassback = 'timed'"),
        ("pair", {"forgive_after_s": 5}, "forgive_after_s: goes with antipassback = 'timed'"),
        ("pair", {"longest_s": 5}, "overstay: goes with longest_s"),
        ("pair", {"overstay": {"emit": "long"}}, "overstay: goes with longest_s"),
        ("pair", {"capacity": 5}, "full: goes with capacity"),
        ("pair", {"full": {"emit": "full"}}, "full: goes with capacity"),
        ("pair", {"capacity": 0, "full": {}}, "greater than or equal to 1"),
        ("pair", {"refuse_full": True}, "refuse_full: goes with capacity"),
        ("session", {"tell": {"lane": [{}]}}, "value: either this, or of"),
        ("session", {"tell": {"lane": [{"value": "a", "of": "tag"}]}}, "value: either this, or of"),
        ("set", {"duration_s": None}, "duration_s: is missing"),
        ("set", {"duration_s": 5, "repeat_s": 4}, "repeat_s: must not be less than duration_s"),
        ("hold", {"for_s": -1}, "greater than or equal to 0"),
        ("absence", {"grace_s": 3601}, "less than or equal to 3600"),
    ],
)
def test_what_does_not_go_together_is_refused(shape: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        rule(shape, **more)


@pytest.mark.parametrize(
    ("shape", "more"),
    [
        ("rate", {"window": "session", "quiet_s": 1, "above": None, "below": 3}),
        ("rate", {"window": "tumbling", "above": None, "function": "mean", "of": "value"}),
        ("pair", {"antipassback": "timed", "forgive_after_s": 60}),
        ("pair", {"longest_s": 5, "overstay": {"emit": "long"}}),
        ("pair", {"capacity": 5, "full": {"alarm": {}}, "area": "zone"}),
        ("session", {"require": ["tag"], "decide": {"emit": "decided"}}),
        ("set", {"duration_s": 5, "repeat_s": 5}),
        ("set", {"duration_s": None, "stop": INPUT}),
        ("hold", {"for_s": 0}),
    ],
)
def test_what_goes_together(shape: str, more: dict[str, Any]) -> None:
    assert rule(shape, **more).name == "r"


def test_an_alarm_is_a_warning_that_escalates_to_critical() -> None:
    alarm = AlarmSettings()
    assert (alarm.severity, alarm.escalate_to, alarm.latch) == (Severity.WARNING, Severity.CRITICAL, False)
    assert alarm.acknowledge_within_s is None
