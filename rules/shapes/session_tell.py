"""What a session tells under names of its own: a text, or the value of another field, as far as a condition holds."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Final

from gateway.config.rules import Telling
from rules.language.expressions import Expression
from rules.language.grammar import ExpressionError
from rules.language.vocabulary import Fields

_SHOWN: Final = 120


class Tellings:
    """The tellings of one rule, compiled."""

    def __init__(self, tell: Mapping[str, list[Telling]], types: Mapping[str, str], *, is_open: bool) -> None:
        """Compile them for the fields of the session; with `is_open`, there may be others.

        Raises:
            ExpressionError: a condition cannot be used.
        """
        self._tell = [
            (name, [(Expression(each.when, types, is_open=is_open).test, each) for each in tellings])
            for name, tellings in tell.items()
        ]

    def added(self, fields: Fields) -> Fields:
        """The fields with what is told of them."""
        if not self._tell:
            return fields
        found = dict(fields)
        for name, tellings in self._tell:
            for test, each in tellings:
                value = each.value if each.of is None else found.get(each.of)
                if value is not None and test(found):
                    found[name] = value
                    break
        return found


def types_told(tell: Mapping[str, list[Telling]], known: Mapping[str, str]) -> dict[str, str]:
    """The fields that are told, with their types; `any` where they differ or are not known."""
    found: dict[str, str] = {}
    for name, tellings in tell.items():
        types = {"string" if each.of is None else {**known, **found}.get(each.of, "any") for each in tellings}
        found[name] = types.pop() if len(types) == 1 else "any"
    return found


def faults_of_tellings(tell: Mapping[str, list[Telling]], known: Mapping[str, str], *, is_open: bool) -> Iterator[str]:
    """One line for each fault; `known` are the other fields of the session, and those that are told."""
    for name, tellings in tell.items():
        for index, each in enumerate(tellings):
            where = f"tell.{name}[{index}]"
            if each.of is not None and each.of not in known and not is_open:
                near = difflib.get_close_matches(each.of, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"
                yield f"{where}.of = {each.of!r}: the session has no such field; {hint}"
            shown = each.when if len(each.when) <= _SHOWN else each.when[:_SHOWN] + " ..."
            try:
                expression = Expression(each.when, known, is_open=is_open)
            except ExpressionError as error:
                yield f"{where}.when = {shown!r}: {error}"
                continue
            if expression.constant is False:
                yield f"{where}.when = {shown!r}: can never be true; delete it or ask for a field, e.field"
