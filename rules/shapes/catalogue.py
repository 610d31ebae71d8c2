"""The shapes by the models of their rules."""

from __future__ import annotations

from gateway.config.rules import (
    AbsenceRule,
    BindingRule,
    HoldRule,
    MatchRule,
    PairRule,
    RateRule,
    Rule,
    SequenceRule,
    SessionRule,
    TravelRule,
)
from rules.shapes.absence import Absence
from rules.shapes.binding import Binding
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

Shape = Match | Hold | Ordered


def shape_of(rule: Rule, number: int, state: State) -> Shape:  # a table, one line a shape
    """A rule, compiled.

    Raises:
        ExpressionError: a condition cannot be used.
    """
    if isinstance(rule, MatchRule):
        return Match(rule, number, state)
    if isinstance(rule, HoldRule):
        return Hold(rule, number, state)
    if isinstance(rule, RateRule):
        return Rate(rule, number, state)
    if isinstance(rule, AbsenceRule):
        return Absence(rule, number, state)
    if isinstance(rule, SequenceRule):
        return Sequence(rule, number, state)
    if isinstance(rule, SessionRule):
        return Session(rule, number, state)
    if isinstance(rule, PairRule):
        return Pair(rule, number, state)
    if isinstance(rule, TravelRule):
        return Travel(rule, number, state)
    if isinstance(rule, BindingRule):
        return Binding(rule, number, state)
    return SetReports(rule, number, state)
