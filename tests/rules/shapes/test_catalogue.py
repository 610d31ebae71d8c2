from __future__ import annotations

import pytest

from gateway.config.identity_rules import Spot
from gateway.config.rules import (
    AbsenceRule,
    BindingRule,
    Close,
    HoldRule,
    Input,
    MatchRule,
    PairRule,
    Part,
    RateRule,
    Rule,
    SequenceRule,
    SessionRule,
    SetRule,
    TravelRule,
    Window,
)
from rules.language.grammar import ExpressionError
from rules.shapes.absence import Absence
from rules.shapes.binding import Binding
from rules.shapes.catalogue import Shape, shape_of
from rules.shapes.hold import Hold
from rules.shapes.match import Match
from rules.shapes.ordered import Ordered
from rules.shapes.pair import Pair
from rules.shapes.rate import Rate
from rules.shapes.sequence import Sequence
from rules.shapes.session import Session
from rules.shapes.sets import SetReports
from rules.shapes.travel import Travel
from rules.state import State

ANY = Input(on="read")
RULES: list[tuple[Rule, type[Shape], list[str]]] = [
    (MatchRule(shape="match", name="a", on="read"), Match, []),
    (HoldRule(shape="hold", name="a", on="read", when="e.rssi_dbm > -50.0", for_s=1), Hold, []),
    (RateRule(shape="rate", name="a", on="read", window=Window.SLIDING, within_s=1, above=1), Rate, ["item"]),
    (
        AbsenceRule(shape="absence", name="a", after=ANY, expect=ANY, unless=ANY, within_s=1),
        Absence,
        ["expect", "unless", "after"],
    ),
    (SequenceRule(shape="sequence", name="a", steps=[ANY, ANY], within_s=1), Sequence, []),
    (
        SessionRule(shape="session", name="a", open=ANY, collect={"tag": Part(on="read")}, close=Close()),
        Session,
        [],
    ),
    (PairRule(shape="pair", name="a", entry=ANY, exit=ANY), Pair, []),
    (SetRule(shape="set", name="a", on="read", duration_s=1), SetReports, []),
    (TravelRule(shape="travel", name="a", on="read", spots={"a": Spot(), "b": Spot()}), Travel, ["item"]),
    (BindingRule(shape="binding", name="a", on="read", of="tid"), Binding, ["item"]),
]


@pytest.mark.parametrize(("rule", "kind", "roles"), RULES, ids=[rule.shape for rule, _, _ in RULES])
def test_each_shape_is_made_by_its_class(rule: Rule, kind: type[Shape], roles: list[str]) -> None:
    shape = shape_of(rule, 3, State())
    assert type(shape) is kind
    assert shape.number == 3
    assert shape.owner.startswith("a.")
    if isinstance(shape, Ordered):
        assert {intake.on for intake in shape.intakes} == {"read"}
        assert not roles or [intake.role for intake in shape.intakes] == roles


def test_every_shape_of_the_language_is_here() -> None:
    assert {rule.shape for rule, _, _ in RULES} == {
        "match", "hold", "rate", "absence", "sequence", "session", "pair", "set", "travel",
        "binding",
    }  # fmt: skip


def test_the_state_of_a_rule_is_kept_under_its_definition() -> None:
    one, same, other = (
        shape_of(RateRule(shape="rate", name="a", on="read", within_s=1, above=above), 0, State()).owner
        for above in (1, 1, 2)
    )
    assert one == same != other


def test_a_condition_that_cannot_be_used_is_an_error() -> None:
    broken = AbsenceRule(shape="absence", name="a", expect=Input(on="read", when="e.nothing == 1"), within_s=1)
    with pytest.raises(ExpressionError):
        shape_of(broken, 0, State())
