"""The parts of a session: which value of an item counts, and which of several is taken.

Of each part only what its `pick` can still ask for is kept: one value, or for `most` a few with their votes.
"""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.config.rules import Part, Pick
from gateway.contract.events import Evidence, Scalar
from gateway.tag_facts import container_number
from rules.item import Item, joined
from rules.language.vocabulary import Fields, Value

MOST_VALUES: Final = 64
"""Different values of one part that are voted on; a further one takes the place of that with the fewest votes."""
MOST_TEXT: Final = 200
"""Characters of a value that are kept."""
MOST_SOURCES: Final = 8
"""Gateways, and epochs of them, that the evidence of a session knows apart."""


class Heard(msgspec.Struct, array_like=True, gc=False):
    """A value of one part; None of one that is not valid. `carried`: further fields of its item."""

    part: str
    at_us: int
    value: str | int | float | bool | None
    carried: dict[str, Scalar] = {}


class Candidate(msgspec.Struct, array_like=True, gc=False):
    """A value that may be taken, and of which time and item it is."""

    value: str | int | float | bool
    at_us: int
    carried: dict[str, Scalar]
    votes: int = 1


class PartRow(msgspec.Struct, array_like=True, gc=False):
    """What is kept of one part. `heard`: valid values; `candidates`: in the order in which they were last heard."""

    heard: int = 0
    invalid: int = 0
    candidates: list[Candidate] = []


class Collector:
    """One part, compiled.

    Attributes:
        name: its name.
    """

    def __init__(self, name: str, part: Part) -> None:
        self.name = name
        self._part = part

    def hear(self, item: Item) -> Heard | None:
        """The value of an item; None when it has none."""
        value = item.fields.get(self._part.of)
        if value is None or isinstance(value, list):
            return None
        if self._part.valid is not None:
            number = container_number(value) if isinstance(value, str) else None
            if number is None:
                return Heard(self.name, item.at_us, None)
            value = number
        carried: dict[str, Scalar] = {name: _short(found) for name, found in item.scalars(self._part.carry).items()}
        return Heard(self.name, item.at_us, _short(value), carried)

    def add(self, row: PartRow, heard: Heard) -> None:
        """Collect a value."""
        if heard.value is None:
            row.invalid += 1
            return
        row.heard += 1
        if self._part.pick is Pick.MOST:
            _vote(row.candidates, heard)
        elif not row.candidates or self._is_better(heard, row.candidates[0]):
            row.candidates = [Candidate(heard.value, heard.at_us, heard.carried)]

    def fields(self, row: PartRow | None) -> Fields:
        """What the session tells of this part."""
        name, part = self.name, self._part
        fields: Fields = {f"{name}_count": row.heard if row is not None else 0}
        if part.valid is not None:
            fields[f"{name}_invalid"] = row.invalid if row is not None else 0
        if row is None or not row.candidates:
            return fields
        picked = row.candidates[0]
        for candidate in row.candidates[1:]:
            if (candidate.votes, candidate.at_us) >= (picked.votes, picked.at_us):
                picked = candidate
        carried = {f"{name}_{field}": value for field, value in picked.carried.items() if value is not None}
        fields |= carried | {name: picked.value, f"{name}_at_us": picked.at_us}
        if part.pick is Pick.MOST:
            fields[f"{name}_share"] = picked.votes / row.heard
        return fields

    def _is_better(self, heard: Heard, than: Candidate) -> bool:
        pick = self._part.pick
        if pick is Pick.LAST:
            return heard.at_us >= than.at_us
        if pick is not Pick.FIRST:
            new, old = _rank(heard.value), _rank(than.value)
            if new != old:
                return (new < old) == (pick is Pick.MIN)
        return heard.at_us < than.at_us


def role_of(part: str) -> str:
    """The input that a part is, as `rules.anatomy` calls it."""
    return f"collect.{part}"


def with_evidence(evidence: list[Evidence], more: Evidence) -> list[Evidence]:
    """Evidence with more of it: one of each gateway and epoch, the latest last."""
    same = [each for each in evidence if (each.gateway, each.epoch) == (more.gateway, more.epoch)]
    others = [each for each in evidence if (each.gateway, each.epoch) != (more.gateway, more.epoch)]
    return [*others, joined([*same, more])][-MOST_SOURCES:]


def _vote(candidates: list[Candidate], heard: Heard) -> None:
    assert heard.value is not None
    rank = _rank(heard.value)
    found = next((each for each in candidates if _rank(each.value) == rank), None)
    if found is None:
        if len(candidates) >= MOST_VALUES:
            candidates.remove(min(candidates, key=lambda each: (each.votes, each.at_us)))
        candidates.append(Candidate(heard.value, heard.at_us, heard.carried))
        return
    found.votes += 1
    if heard.at_us >= found.at_us:
        found.value, found.at_us, found.carried = heard.value, heard.at_us, heard.carried
        candidates.remove(found)
        candidates.append(found)


def _rank(value: Scalar) -> tuple[int, float | str]:
    """An order of all values: true and false, then numbers, then texts."""
    if isinstance(value, str):
        return 2, value
    assert value is not None
    return (0 if isinstance(value, bool) else 1), value


def _short(value: Value | Scalar) -> str | int | float | bool:
    assert value is not None
    assert not isinstance(value, list)
    return value[:MOST_TEXT] if isinstance(value, str) else value
