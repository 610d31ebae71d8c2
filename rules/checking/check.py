"""Faults of the rules in a site file: conditions that cannot be used, can never be true, or run in a circle."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from gateway.config.models import SiteFile
from gateway.config.rules import (
    BindingRule,
    Function,
    HoldRule,
    MatchRule,
    PairRule,
    Part,
    Pick,
    RateRule,
    Rule,
    SessionRule,
    SetRule,
    TravelRule,
)
from rules.anatomy import inputs, makes
from rules.checking import site_names
from rules.checking.conditions import NUMBERS, Conditions
from rules.checking.order_checks import faults_of_orders
from rules.checking.sink_checks import faults_of_sinks
from rules.language.vocabulary import BUILT_IN, FIELDS, RAW
from rules.lookups import lookup_fields
from rules.own_events import NOT_JUDGED, STATE_LOST
from rules.shapes.distances import faults_of_travel
from rules.shapes.session_fields import session_faults
from rules.tables.check import faults_of_lookups


def faults(site: SiteFile) -> list[str]:
    """One line for each fault of the rules; empty when they can be run."""
    made = {kind for rule in site.rule for _, kind in makes(rule)}
    conditions = Conditions(site)
    found: list[str] = []
    for rule in site.rule:
        found += _faults_of(rule, made, conditions, lookup_fields(site, rule))
    found += faults_of_lookups(site)
    found += faults_of_orders(site, {*BUILT_IN, *made})
    found += faults_of_sinks(site, made, conditions)
    found += _circles(site)
    found += _floors(site)
    return found


def warnings(site: SiteFile) -> list[str]:
    """One line for each thing that may be meant so, and mostly is not."""
    return list(site_names.warnings(site))


def _faults_of(rule: Rule, made: set[str], conditions: Conditions, more: Mapping[str, str]) -> Iterator[str]:
    where = f"site.toml: rule[{rule.name}]"
    known = {*RAW, *BUILT_IN, *made}
    of_items = {} if isinstance(rule, SessionRule) else more  # a session looks up what it has collected
    for key, kind in makes(rule):
        if kind in {*RAW, *BUILT_IN, NOT_JUDGED, STATE_LOST}:
            yield f"{where}.{key} = {kind!r}: events of this type are not made by rules; choose another name"
    for place, source in inputs(rule):
        at = f"{where}.{place}" if place else where
        if source.on not in known:
            yield _unknown_item(at, source.on, known)
            continue
        yield from conditions.condition(at, "when", source.when, source.on, of_items)
        if source.key is not None:
            yield from conditions.field(at, "key", source.key, source.on, more=of_items)
        elif not isinstance(rule, MatchRule) and not (isinstance(rule, PairRule) and place == "reset"):
            yield from conditions.field(where, "key", rule.key, source.on, more=of_items)
        if isinstance(source, Part):
            yield from _part(at, source, conditions)
    if isinstance(rule, SessionRule):
        yield from _session(where, rule, conditions, more)
    yield from _fields_of(where, rule, known, conditions)
    if isinstance(rule, HoldRule) and rule.on in known:
        if rule.clear is not None:
            yield from conditions.condition(where, "clear", rule.clear, rule.on, more)
        elif rule.when.strip() == "true" and rule.on in RAW:
            yield f"{where}.when = 'true': it never ends; say when it ends with clear, or use the shape match"


def _part(where: str, part: Part, conditions: Conditions) -> Iterator[str]:
    """What the session's own check leaves out: fields of other rules' events, and numbers."""
    known = conditions.fields(part.on)
    if part.on not in FIELDS:
        for key, name in (("of", part.of), *(("carry", name) for name in part.carry)):
            yield from conditions.field(where, key, name, part.on)
    if part.pick in {Pick.MIN, Pick.MAX} and known.types.get(part.of, "any") not in {*NUMBERS, "list"}:
        yield f"{where}.of = {part.of!r}: is a {known.types[part.of]}, and {part.pick.value} picks among numbers"


def _session(where: str, rule: SessionRule, conditions: Conditions, more: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{where}.{fault}" for fault in session_faults(rule, conditions.types, more))
    for index, verdict in enumerate(rule.decide.verdicts if rule.decide is not None else ()):
        yield from conditions.never(f"{where}.decide.verdicts[{index}]", "when", verdict.when)


def _fields_of(where: str, rule: Rule, known: set[str], conditions: Conditions) -> Iterator[str]:
    """Keys beside `key` that name a field."""
    if isinstance(rule, RateRule) and rule.of is not None and rule.on in known:
        kinds = None if rule.function is Function.DISTINCT else NUMBERS
        yield from conditions.field(where, "of", rule.of, rule.on, kinds=kinds)
    if isinstance(rule, RateRule) and rule.alarm is not None and rule.above is None and rule.below is None:
        yield f"{where}.alarm: would stand for ever, for nothing is too many or too few; set above or below"
    if isinstance(rule, SetRule) and rule.group is not None and rule.on in known:
        yield from conditions.field(where, "group", rule.group, rule.on)
    elif isinstance(rule, PairRule) and rule.area is not None:
        for source in (rule.entry, rule.exit):
            if source.on in known:
                yield from conditions.field(where, "area", rule.area, source.on)
    elif isinstance(rule, TravelRule) and rule.on in known:
        yield from conditions.field(where, "where", rule.where, rule.on)
        yield from (f"{where}.{fault}" for fault in faults_of_travel(rule))
    elif isinstance(rule, BindingRule) and rule.on in known:
        for key, name in (("of", rule.of), ("expect", rule.expect)):
            if name is not None:
                yield from conditions.field(where, key, name, rule.on)
    for place, kind in makes(rule):
        if place in {"emit", "name"}:
            for name in rule.figures:
                yield from conditions.field(where, "figures", name, kind, kinds=NUMBERS)


def _unknown_item(where: str, on: str, known: set[str]) -> str:
    near = difflib.get_close_matches(on, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"allowed are {', '.join((*RAW, *BUILT_IN))}, or what a rule makes"
    return f"{where}.on = {on!r}: nothing of this type exists; {hint}"


def _circles(site: SiteFile) -> Iterator[str]:
    """Rules whose events lead back to themselves."""
    makers: dict[str, list[str]] = {}
    for rule in site.rule:
        for _, kind in makes(rule):
            makers.setdefault(kind, []).append(rule.name)
    graph = {
        rule.name: [name for _, source in inputs(rule) for name in makers.get(source.on, ())] for rule in site.rule
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        name = circle[0]
        place, on = _towards(next(rule for rule in site.rule if rule.name == name), makers, circle)
        yield f"site.toml: rule[{name}]{place}.on = {on!r}: runs in a circle: {' -> '.join(circle)}"


def _towards(rule: Rule, makers: dict[str, list[str]], circle: list[str]) -> tuple[str, str]:
    """The input that leads into the circle."""
    return next(
        (f".{place}" if place else "", source.on)
        for place, source in inputs(rule)
        if set(makers.get(source.on, ())) & set(circle)
    )


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
