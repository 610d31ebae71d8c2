"""Finds, among many rules, those that ask for the texts of an item; it costs the same for ten as for a thousand.

What each rule asks for is `{field: texts}`: every one of these fields must hold one of its texts. Of an item only that
counts which some rule asks for; what was found for one combination of texts is found for all items that have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Generic, TypeVar

from gateway.config.rules import LookUp
from rules.language.expressions import equality
from rules.language.grammar import Node
from rules.language.vocabulary import Fields
from rules.lookups import is_looked_up

MOST_REMEMBERED: Final = 10_000
"""Combinations of texts for which the answer is kept; then it is found anew. A site has hundreds."""

Entry = TypeVar("Entry")
Found = TypeVar("Found")
Asked = Mapping[str, frozenset[str]]


def texts_asked(parts: Iterable[Node], lookup: Mapping[str, LookUp]) -> tuple[dict[str, frozenset[str]], list[Node]]:
    """The fields that must hold one of some texts for all these parts of a condition to be true; the other parts."""
    asked: dict[str, frozenset[str]] = {}
    others = []
    for part in parts:
        found = equality(part)
        if found is None or is_looked_up(found[0], lookup):
            others.append(part)
        else:
            field, texts = found[0], frozenset(str(text) for text in found[1])
            asked[field] = asked[field] & texts if field in asked else texts
    return asked, others


class Chooser(Generic[Entry, Found]):
    """Entries, in the order in which they were added; `finish` makes of those found what is wanted of them."""

    def __init__(self, finish: Callable[[list[Entry]], Found]) -> None:
        self._finish = finish
        self._choices: list[tuple[tuple[Entry, Asked], ...]] = []
        self._texts: dict[str, dict[object, str]] = {}
        self._found: dict[tuple[str | None, ...], Found] = {}

    def add(self, *choices: tuple[Entry, Asked]) -> None:
        """Add an entry, found for items that have what is asked; of several choices the first that can be is found."""
        self._choices.append(choices)
        for _, asked in choices:
            for field, texts in asked.items():
                self._texts.setdefault(field, {}).update((text, text) for text in texts)
        self._found.clear()

    def of(self, fields: Fields) -> Found:
        """What was found for an item."""
        get = fields.get
        combination = tuple([texts.get(get(field)) for field, texts in self._texts.items()])
        found = self._found.get(combination)
        return self._find(combination) if found is None else found

    def _find(self, combination: tuple[str | None, ...]) -> Found:
        """Find it for the texts of the fields; None stands for any text that nobody asks for, and for none."""
        has = dict(zip(self._texts, combination, strict=True))
        entries = []
        for choices in self._choices:
            for entry, asked in choices:
                if all(has[field] in texts for field, texts in asked.items()):
                    entries.append(entry)
                    break
        if len(self._found) >= MOST_REMEMBERED:
            self._found.clear()
        found = self._found[combination] = self._finish(entries)
        return found
