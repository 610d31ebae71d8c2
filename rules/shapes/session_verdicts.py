"""What a session decides: the verdicts of its rule, tried on its fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.config.rules import Decision
from rules.language.expressions import Expression
from rules.language.vocabulary import Fields

MOST_REASONS_TEXT: Final = 1000
"""Characters of all reasons together; how many more there are is told instead."""
BETWEEN: Final = "; "


class Decided(NamedTuple):
    """What was decided, and why."""

    verdict: str
    reasons: str


class Verdicts:
    """The verdicts of one rule, compiled."""

    def __init__(self, decision: Decision, types: Mapping[str, str], *, is_open: bool) -> None:
        """Compile them for the fields of the session; with `is_open`, there may be others.

        Raises:
            ExpressionError: a condition cannot be used.
        """
        self._otherwise = decision.otherwise
        self._verdicts = [
            (Expression(each.when, types, is_open=is_open).test, each.verdict, each.reason)
            for each in decision.verdicts
        ]

    def decide(self, fields: Fields) -> Decided:
        """The first verdict that holds, with the reasons of all that do."""
        held = [(verdict, reason) for test, verdict, reason in self._verdicts if test(fields)]
        return Decided(held[0][0] if held else self._otherwise, _told([reason for _, reason in held]))


def _told(reasons: list[str]) -> str:
    distinct = list(dict.fromkeys(reasons))
    told = distinct[0] if distinct else ""
    for index, reason in enumerate(distinct[1:], 1):
        longer = f"{told}{BETWEEN}{reason}"
        if len(longer) > MOST_REASONS_TEXT:
            return f"{told}{BETWEEN}and {len(distinct) - index} more"
        told = longer
    return told
