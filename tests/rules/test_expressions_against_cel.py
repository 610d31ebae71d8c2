from __future__ import annotations

import cel
from hypothesis import event, given, settings

from rules.language.expressions import Expression
from rules.language.grammar import ExpressionError
from rules.language.vocabulary import Fields
from tests.rules.cel_policy import (
    HOSTILE_ITEMS,
    KINDS,
    TYPED_ITEMS,
    Policy,
    Term,
    conditions,
    is_known,
    loose_conditions,
)


def check(term: Term, item: Fields, test: Expression) -> None:
    """Ours is what the policy says; and what CEL says of the whole, where it says something and the page agrees."""
    policy = Policy(item)
    expected = policy.holds(term)
    assert test.test(item) is expected, term.text
    if policy.deviates:
        event("the page differs from CEL")
        return
    try:
        whole = cel.evaluate(term.text, {"e": {name: value if is_known(value) else 0 for name, value in item.items()}})
    except (TypeError, ArithmeticError, LookupError, RuntimeError):
        event("CEL stops")
        assert policy.is_stopped, term.text
    else:
        event("CEL agrees")
        assert (whole is True) is expected, term.text
        assert isinstance(whole, bool) or policy.is_stopped


@settings(max_examples=400)
@given(conditions(2), TYPED_ITEMS)
def test_well_typed_conditions_are_what_cel_says(term: Term, item: Fields) -> None:
    check(term, item, Expression(term.text, KINDS))


@settings(max_examples=400)
@given(conditions(2), HOSTILE_ITEMS)
def test_fields_of_other_types_and_numbers_without_bounds_change_nothing(term: Term, item: Fields) -> None:
    check(term, item, Expression(term.text, KINDS))
    check(term, item, Expression(term.text, {}, is_open=True))


@settings(max_examples=600)
@given(loose_conditions(1), HOSTILE_ITEMS)
def test_ill_typed_conditions_are_refused_or_are_what_cel_says(term: Term, item: Fields) -> None:
    try:
        test = Expression(term.text, {}, is_open=True)
    except ExpressionError:
        event("refused")
    else:
        check(term, item, test)
