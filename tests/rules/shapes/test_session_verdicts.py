from __future__ import annotations

import pytest

from gateway.config.rules import Decision, Verdict
from rules.language.grammar import ExpressionError
from rules.shapes.session_verdicts import MOST_REASONS_TEXT, Decided, Verdicts

TYPES = {"weight": "double", "missing_count": "int"}


def verdicts(*found: Verdict, is_open: bool = False) -> Verdicts:
    return Verdicts(Decision(emit="decided", verdicts=list(found)), TYPES, is_open=is_open)


def verdict(name: str, when: str, reason: str) -> Verdict:
    return Verdict(verdict=name, when=when, reason=reason)


GATE = (
    verdict("trouble", "e.missing_count > 0", "Something is missing"),
    verdict("hold", "e.weight > 30000.0", "Too heavy"),
    verdict("hold", "e.weight > 40000.0", "Far too heavy"),
)


def test_the_first_that_holds_is_the_verdict_and_all_reasons_are_told() -> None:
    decided = verdicts(*GATE).decide({"weight": 35_000.0, "missing_count": 1})
    assert decided == Decided("trouble", "Something is missing; Too heavy")
    assert verdicts(*GATE).decide({"weight": 50_000.0, "missing_count": 0}) == Decided(
        "hold", "Too heavy; Far too heavy"
    )


def test_without_a_reason_it_is_otherwise() -> None:
    assert verdicts(*GATE).decide({"weight": 1.0, "missing_count": 0}) == Decided("open", "")
    assert verdicts().decide({}) == Decided("open", "")


def test_what_is_not_there_is_no_reason() -> None:
    assert verdicts(*GATE).decide({"missing_count": 0}).reasons == ""


def test_reasons_are_bounded_and_told_once() -> None:
    same = [verdict("hold", "true", "same") for _ in range(3)]
    assert verdicts(*same).decide({}).reasons == "same"
    many = [verdict("hold", "true", f"{n:03}" + "x" * 197) for n in range(64)]
    reasons = verdicts(*many).decide({}).reasons
    assert reasons.count("; ") == 4
    assert reasons.endswith("; and 60 more")
    assert len(reasons) <= MOST_REASONS_TEXT + len("; and 60 more")


def test_a_mistake_is_found_when_the_rule_is_loaded_unless_there_may_be_other_fields() -> None:
    wrong = verdict("hold", "e.wieght > 1.0", "x")
    with pytest.raises(ExpressionError, match=r"did you mean e\.weight\?"):
        verdicts(wrong)
    assert verdicts(wrong, is_open=True).decide({"wieght": 2.0}).verdict == "hold"
