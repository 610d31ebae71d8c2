"""Faults of the rules in a site file: conditions that cannot be used, can never be true, or run in a circle."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from gateway.config.models import HoldRule, Rule, SiteFile
from rules.expressions import Expression, equalities
from rules.grammar import ExpressionError
from rules.own_events import NOT_JUDGED, STATE_LOST
from rules.vocabulary import ALLOWED, BUILT_IN, FIELDS, RAW, fields_of

_SHOWN = 120


def faults(site: SiteFile) -> list[str]:
    """One line for each fault of the rules; empty when they can be run."""
    made = {kind for rule in site.rule if (kind := emits(rule)) is not None}
    found: list[str] = []
    for rule in site.rule:
        found += _faults_of(rule, made)
    found += _circles(site)
    found += _floors(site)
    return found


def emits(rule: Rule) -> str | None:
    """The type of the event that a rule makes, if any."""
    return rule.emit or (None if rule.alarm else rule.name)


def _faults_of(rule: Rule, made: set[str]) -> Iterator[str]:
    where = f"site.toml: rule[{rule.name}]"
    known = {*RAW, *BUILT_IN, *made}
    if rule.on not in known:
        near = difflib.get_close_matches(rule.on, known, n=1)
        hint = (
            f"did you mean {near[0]!r}?"
            if near
            else f"allowed are {', '.join((*RAW, *BUILT_IN))}, or what a rule makes"
        )
        yield f"{where}.on = {rule.on!r}: nothing of this type exists; {hint}"
        return
    kind = emits(rule)
    if kind in {*RAW, *BUILT_IN, NOT_JUDGED, STATE_LOST}:
        key = "emit" if rule.emit else "name"
        yield f"{where}.{key} = {kind!r}: events of this type are not made by rules; choose another name"
    yield from _condition(where, "when", rule.when, rule.on)
    if not isinstance(rule, HoldRule):
        return
    if rule.clear is not None:
        yield from _condition(where, "clear", rule.clear, rule.on)
    elif rule.when.strip() == "true" and rule.on in RAW:
        yield f"{where}.when = 'true': it never ends; say when it ends with clear, or use the shape match"
    if rule.on in FIELDS and rule.key not in (fields := fields_of(rule.on)):
        near = difflib.get_close_matches(rule.key, fields, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(fields))}"
        yield f"{where}.key = {rule.key!r}: {rule.on} has no such field; {hint}"


def _condition(where: str, name: str, text: str, on: str) -> Iterator[str]:
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + " ..."
    start = f"{where}.{name} = {shown!r}"
    try:
        expression = Expression(text, fields_of(on), is_open=on not in FIELDS)
    except ExpressionError as error:
        yield f"{start}: {error}"
        return
    if expression.constant is False:
        yield f"{start}: can never be true; delete the rule or ask for a field, e.field"
    for field, value, at in equalities(expression.node):
        allowed = ALLOWED.get(field)
        if allowed is not None and on in FIELDS and value not in allowed:
            yield f"{start}: e.{field} is never {value!r}; allowed are {', '.join(allowed)} (column {at + 1})"


def _circles(site: SiteFile) -> Iterator[str]:
    """Rules whose events lead back to themselves."""
    graph = {rule.name: [other.name for other in site.rule if emits(other) == rule.on] for rule in site.rule}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        name = circle[0]
        yield f"site.toml: rule[{name}].on = {_on(site, name)!r}: runs in a circle: {' -> '.join(circle)}"


def _on(site: SiteFile, name: str) -> str:
    return next(rule.on for rule in site.rule if rule.name == name)


def _floors(site: SiteFile) -> Iterator[str]:
    """A read point has one floor, because reads are sorted out before anybody asks for their place."""
    floors: dict[str, tuple[str, float | None]] = {}
    places = [(f"zone[{zone.name}]", zone.read_points, zone.rssi_floor_dbm) for zone in site.zone]
    places += [(f"portal[{p.name}]", [*p.outer, *p.inner], p.rssi_floor_dbm) for p in site.portal]
    for place, points, floor_dbm in places:
        for point in points:
            other, other_dbm = floors.setdefault(point, (place, floor_dbm))
            if other_dbm != floor_dbm:
                yield (
                    f"site.toml: {place}.rssi_floor_dbm = {floor_dbm}: read point {point!r} belongs to {other} too, "
                    f"where it is {other_dbm}; give both the same"
                )
