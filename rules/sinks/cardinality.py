"""The cardinality guard: a store of time series dies of too many series, so none may come from what a tag says.

Twice guarded: at start, no measurement may have a tag named after an identity (an EPC, a card, a container); and while
it runs, distinct series are counted against a budget. Beyond it known series go on and new ones are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from gateway.contract.measurements import MEASUREMENTS, Measurement
from rules.sinks.line_protocol import UnwritableError

WARN_AT: Final = 0.8

IDENTITY_WORDS: Final = frozenset(
    {"badge", "booking", "card", "container", "credential", "epc", "giai", "grai", "id", "identity", "imo", "message"}
    | {"name", "number", "pallet", "pc", "person", "plate", "seal", "serial", "sgtin", "sscc", "subject", "tid"}
    | {"truck", "uid", "user", "uuid", "vehicle", "vin"}
)
"""A tag whose name holds one of these words would make a series of each tag, card, box or person."""

_name: Final = re.compile(r"[a-z][a-z0-9_]*").fullmatch
_looks_like_identity: Final = re.compile(r"[0-9A-F]{16,}|[A-Z]{4}[0-9]{7}").fullmatch  # an EPC; ISO 6346


class SchemaError(ValueError):
    """A measurement that must not be written: the message names it and says what to do."""


def check_schema(measurements: Mapping[str, Measurement] = MEASUREMENTS) -> None:
    """Refuse measurements that would make a series of each thing.

    Raises:
        SchemaError: a tag is named after an identity, or a name is not `[a-z][a-z0-9_]*`.
    """
    for measurement in measurements.values():
        for name in (measurement.name, *measurement.tags, *measurement.fields):
            if not _name(name):
                raise SchemaError(
                    f"measurement {measurement.name!r}: the name {name!r} must be lower-case letters, digits and _, "
                    "starting with a letter: rename it in gateway/contract/measurements.py"
                )
        for name in measurement.tags:
            words = IDENTITY_WORDS.intersection((name, *name.split("_")))
            if words:
                raise SchemaError(
                    f"measurement {measurement.name!r}: tag {name!r} is an identity ({', '.join(sorted(words))}): each "
                    "value would be a series of its own; make it a field in gateway/contract/measurements.py"
                )
        both = set(measurement.tags).intersection(measurement.fields)
        if both:
            raise SchemaError(
                f"measurement {measurement.name!r}: {', '.join(sorted(both))} is both tag and field: rename one"
            )


class SeriesGuard:
    """Counts the distinct series that one sink writes in the life of this process.

    Attributes:
        refused: points of series beyond the budget.
    """

    def __init__(self, budget: int, notice: Callable[[str, int, int], None]) -> None:
        """`notice(event, series, budget)` is called once at 80 % and once at the first refusal."""
        self.budget = budget
        self.refused = 0
        self._known: set[str] = set()
        self._notice = notice
        self._warned = False

    @property
    def series(self) -> int:
        """Distinct series so far."""
        return len(self._known)

    def admit(self, head: str, tag_values: tuple[str, ...]) -> None:
        """Count a series, given its escaped head.

        Raises:
            UnwritableError: `series_budget` or `identity_as_tag`.
        """
        if head in self._known:
            return
        if any(_looks_like_identity(value) for value in tag_values):
            raise UnwritableError("identity_as_tag")
        if len(self._known) >= self.budget:
            if not self.refused:
                self._notice("series_budget_exhausted", len(self._known), self.budget)
            self.refused += 1
            raise UnwritableError("series_budget")
        self._known.add(head)
        if not self._warned and len(self._known) >= WARN_AT * self.budget:
            self._warned = True
            self._notice("series_budget_near", len(self._known), self.budget)
