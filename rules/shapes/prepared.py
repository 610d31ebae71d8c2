"""What an item goes through before a rule looks at it: the calendar of the rule, and its look-ups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.config.rules import RuleHead
from rules.language.expressions import asked_of
from rules.language.vocabulary import Fields, identity_of
from rules.lookups import LookUps, is_looked_up
from rules.planned import PlannedTime
from rules.tables.table import Tables

if TYPE_CHECKING:
    from rules.shapes.hold import Hold
    from rules.shapes.match import Match
    from rules.shapes.shape import Cause


class Preparation:
    """Of one rule.

    Attributes:
        lookups, planned: None where it has none.
    """

    def __init__(self, lookups: LookUps | None, planned: PlannedTime | None) -> None:
        self.lookups = lookups
        self.planned = planned

    def of(self, fields: Fields, at_us: int) -> Fields | None:
        """The fields that the rule judges; None when the item does not concern it."""
        if self.planned is not None and not self.planned.holds(at_us):
            return None
        return fields if self.lookups is None else self.lookups.enrich(fields)


def preparation_of(rule: RuleHead, tables: Tables, planned: Mapping[str, PlannedTime]) -> Preparation | None:
    """What items of a rule go through; None for most, which take them as they are."""
    if not rule.lookup and rule.during is None:
        return None
    lookups = LookUps(rule, tables) if rule.lookup else None
    return Preparation(lookups, None if rule.during is None else planned[rule.during])


class Prepared:
    """Stands before a rule that judges items as they arrive."""

    def __init__(self, shape: Match | Hold, preparation: Preparation) -> None:
        self._shape = shape
        self._preparation = preparation
        chosen, rest = shape.when.split(identity_of(shape.on))
        if shape.is_free:
            chosen = [part for part in chosen + rest if not _looks_up(asked_of(part), shape.rule)]
        self._concerns = shape.when.all_of(chosen)

    def judge(self, fields: Fields, cause: Cause) -> None:
        """Look at one item; most are told apart before anything is looked up."""
        if not self._concerns(fields):
            return
        prepared = self._preparation.of(fields, cause.at_us)
        if prepared is not None:
            self._shape.judge(prepared, cause)


def _looks_up(names: set[str], rule: RuleHead) -> bool:
    return any(is_looked_up(name, rule.lookup) for name in names)
