"""Checks one condition, or the name of one field, against what is known of the items that it is asked of."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from gateway.config.models import SiteFile
from gateway.contract.quantities import PHASES, UNITS
from rules.checking.emitted import Emitted, Known
from rules.checking.possible import why_never
from rules.checking.site_names import SiteNames, faults_of_condition, names_of
from rules.energy.events import BOOK_EVENTS
from rules.language.expressions import Expression, equalities
from rules.language.grammar import ExpressionError, Literal, parse
from rules.language.vocabulary import ALLOWED

SHOWN: Final = 120
"""Characters of a condition that a fault repeats."""
LISTED: Final = 8
"""Values that a fault lists; of more, the nearest."""
NUMBERS: Final = frozenset({"int", "double", "any"})
_ONLY_OF: Final[dict[str, frozenset[str]]] = {
    "state": frozenset({"status"}),
    "quality": frozenset({"reading"}),
    "result": frozenset({"card", "card_presented"}),
}
"""Fields of which only these items have the values that the vocabulary lists; others mean something else by them."""
_UNIT_NAMES: Final = tuple(dict.fromkeys(UNITS.values()))


class Conditions:
    """The conditions of one site."""

    def __init__(self, site: SiteFile) -> None:
        self._emitted = Emitted(site)
        self._site = site
        self._known_names: SiteNames | None = None

    def fields(self, on: str) -> Known:
        """The fields of items of this type."""
        return self._emitted.fields(on)

    def types(self, on: str) -> Mapping[str, str]:
        """The types of the fields of items of this type."""
        return self._emitted.types(on)

    def condition(self, where: str, name: str, text: str, on: str, more: Mapping[str, str]) -> Iterator[str]:
        """Faults of a condition on items of this type, which have `more` fields than those of their type."""
        known = self.fields(on)
        yield from self.expression(where, name, text, Known({**known.types, **more}, known.is_open), on)

    def expression(self, where: str, name: str, text: str, known: Known, on: str = "") -> Iterator[str]:
        """Faults of a condition on items with these fields."""
        start = _start(where, name, text)
        try:
            expression = Expression(text, known.types, is_open=known.is_open)
        except ExpressionError as error:
            yield f"{start}: {error}"
            return
        if expression.constant is False:
            yield f"{start}: can never be true; delete the rule or ask for a field, e.field"
            return
        found = [*_values(expression, on), *faults_of_condition(self._names(), on, expression.node)]
        yield from (f"{start}: {fault}" for fault in found)
        if not found and (reason := why_never(expression.node, UNITS if on == "reading" else None)) is not None:
            yield f"{start}: can never be true: {reason}"

    def never(self, where: str, name: str, text: str) -> Iterator[str]:
        """That a condition which can be used can never be true."""
        try:
            node = parse(text)
        except ExpressionError:
            return  # told by itself
        if node != Literal(value=False, at=0) and (reason := why_never(node)) is not None:
            yield f"{_start(where, name, text)}: can never be true: {reason}"

    def field(
        self,
        where: str,
        key: str,
        name: str,
        on: str,
        *,
        more: Collection[str] = (),
        kinds: frozenset[str] | None = None,
    ) -> Iterator[str]:
        """Faults of a key that names a field of items of this type; `kinds`: of which types it may be."""
        known = self.fields(on)
        kind = known.types.get(name)
        if kind is None and name not in more and not known.is_open:
            near = difflib.get_close_matches(name, known.types, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known.types))}"
            yield f"{where}.{key} = {name!r}: {on} has no such field; {hint}"
        elif kind is not None and kinds is not None and kind not in kinds:
            yield f"{where}.{key} = {name!r}: is a {kind} of {on}, and must be a number"

    def _names(self) -> SiteNames:
        if self._known_names is None:
            self._known_names = names_of(self._site)
        return self._known_names


def _start(where: str, name: str, text: str) -> str:
    shown = text if len(text) <= SHOWN else text[:SHOWN] + " ..."
    return f"{where}.{name} = {shown!r}"


def _values(expression: Expression, on: str) -> Iterator[str]:
    """Comparisons with a value that a field never has."""
    for field, value, at in equalities(expression.node):
        allowed = allowed_values(on, field)
        if allowed is None or value in allowed:
            continue
        if len(allowed) <= LISTED:
            hint = f"allowed are {', '.join(allowed)}"
        else:
            near = difflib.get_close_matches(str(value), allowed, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"some are {', '.join(allowed[:LISTED])}"
        yield f"e.{field} is never {value!r}; {hint} (column {at + 1})"


def allowed_values(on: str, field: str) -> tuple[str, ...] | None:
    """The values that a field of such items can have, where they are a closed set."""
    if on == "reading" or on in BOOK_EVENTS:
        if field == "quantity":
            return tuple(UNITS)
        if field == "unit":
            return _UNIT_NAMES
        if field == "phase":
            return PHASES
    if not on or (field in _ONLY_OF and on not in _ONLY_OF[field]):
        return None
    return ALLOWED.get(field)
