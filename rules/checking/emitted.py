"""Which fields the events of rules have, and of which type: so that conditions on them are checked like any other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.config.models import SiteFile
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
from rules.anatomy import inputs, makes
from rules.language.vocabulary import FIELDS, RAW
from rules.lookups import lookup_fields
from rules.shapes.session_fields import Types, told_by_session
from rules.shapes.shape import CARRIED
from rules.shapes.sighting import TOLD_TYPES

ALWAYS: Final = {
    "subject": "string",
    "type": "string",
    "gateway": "string",
    "rule": "string",
    "at_us": "int",
    "reads": "int",
    "rssi_max_dbm": "double",
    "confidence": "double",
    "historical": "bool",
}
"""What every event of a rule tells."""
PASSED_ON: Final = ("name", "zone", "from_zone", "read_point", "direction", "device")
"""What it tells as far as the item has it."""


@dataclass(slots=True)
class Known:
    """The fields of one type of item; `is_open` when there may be others, of unknown types."""

    types: dict[str, str] = field(default_factory=dict)
    is_open: bool = False

    def merge(self, other: Known) -> None:
        """Items of this type may also be like that; a field of two types is of any."""
        self.add(other.types)
        self.is_open = self.is_open or other.is_open

    def add(self, types: Mapping[str, str]) -> None:
        """Further fields."""
        for name, kind in types.items():
            self.types[name] = kind if self.types.get(name, kind) == kind else "any"


class Emitted:
    """The fields of every type of item on a site."""

    def __init__(self, site: SiteFile) -> None:
        self._site = site
        self._makers: dict[str, list[tuple[Rule, str]]] = {}
        for rule in site.rule:
            for place, kind in makes(rule):
                self._makers.setdefault(kind, []).append((rule, place))
        self._found: dict[str, Known] = {}
        self._asked: set[str] = set()

    def fields(self, on: str) -> Known:
        """The fields of items of this type."""
        if on in FIELDS:
            return Known(dict(FIELDS[on]))
        if on in self._asked or on not in self._makers:
            return Known(dict(ALWAYS), is_open=True)  # a circle, or nobody makes it: told by itself
        found = self._found.get(on)
        if found is None:
            self._asked.add(on)
            found = Known()
            for rule, place in self._makers[on]:
                found.merge(self._made(rule, place))
            self._asked.discard(on)
            self._found[on] = found
        return found

    def types(self, on: str) -> Mapping[str, str]:
        """The types of the fields of items of this type."""
        return self.fields(on).types

    def _made(self, rule: Rule, place: str) -> Known:
        taken = [(source.on, self.fields(source.on)) for _, source in inputs(rule)]
        known = Known(dict(ALWAYS))
        if isinstance(rule, MatchRule | HoldRule):
            for on, item in taken:
                known.add(_picked(item, _carried_by_prompt(on, item)))
                known.is_open = known.is_open or item.is_open
            known.add(lookup_fields(self._site, rule))
            return known
        known.add(lookup_fields(self._site, rule))
        for _, item in taken:
            known.add(_picked(item, (*PASSED_ON, "kind", "class")))
        known.add(told_fields(rule, place, self.types))
        return known


def told_fields(rule: Rule, place: str, types: Types) -> Mapping[str, str]:
    """What an event of an ordered rule tells beside what its items have; `place` is the key that names its type."""
    if isinstance(rule, RateRule):
        return {"value": "double", "count": "int", "from_us": "int", "to_us": "int"}
    if isinstance(rule, AbsenceRule):
        return {"since_us": "int", "waited_s": "double"}
    if isinstance(rule, SequenceRule):
        steps = {f"step_{number}_at_us": "int" for number in range(1, len(rule.steps) + 1)}
        failed = {"missing": "string", "reason": "string", "step": "int", "step_on": "string"}
        return {"first_at_us": "int", "elapsed_s": "double"} | steps | (failed if place.startswith("otherwise") else {})
    if isinstance(rule, SessionRule):
        return told_by_session(rule, types)
    if isinstance(rule, PairRule):
        stayed = {"entered_at_us": "int", rule.dwell_as: "double"}
        return _PAIR | _PAIR_BY_PLACE.get(place.partition(".")[0], stayed)
    if isinstance(rule, TravelRule):
        return _TRAVEL
    if isinstance(rule, BindingRule):
        return _BINDING
    return _SET


_PAIR: Final = {"inside": "int", "free": "int", "area": "string"}
_PAIR_BY_PLACE: Final[dict[str, dict[str, str]]] = {
    "entered": {},
    "violation": {"reason": "string", "entered_at_us": "int"},
    "full": {"capacity": "int"},
}
_TRAVEL: Final = {
    **TOLD_TYPES,
    "spot": "string",
    "other_spot": "string",
    "elapsed_s": "double",
    "least_s": "double",
    "way_m": "double",
    "speed_m_per_s": "double",
    "repeats": "int",
}
_BINDING: Final = {
    **TOLD_TYPES,
    "found": "string",
    "expected": "string",
    "known_by": "string",
    "doubtful": "bool",
    "repeats": "int",
}
_SET: Final = {
    "count": "int",
    "added": "int",
    "removed": "int",
    "cycle_from_us": "int",
    "cycle_to_us": "int",
    "ended_by": "string",
    "complete": "bool",
    "cut": "int",
    "members": "string",
    "members_cut": "int",
}


def _carried_by_prompt(on: str, item: Known) -> Iterator[str]:
    yield from PASSED_ON if on != "signal" else (name for name in PASSED_ON if name != "name")
    yield from CARRIED.get(on, ("kind", "class"))
    if on not in RAW:
        yield from item.types


def _picked(item: Known, names: Iterable[str]) -> dict[str, str]:
    return {name: item.types[name] for name in names if name in item.types and item.types[name] != "list"}
