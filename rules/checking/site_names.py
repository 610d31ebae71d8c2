"""Names of places and devices in conditions, against those of the site file.

The rules daemon may hear other gateways, whose readers stand in files of their own. So a name that is not in this file
is only a warning, but for three things that are sure: zones and portals are those of this file at every gateway, a read
point that belongs to one of them is never a zone of its own, and a condition that asks for this gateway alone asks for
its devices.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.config.load import driver_settings
from gateway.config.models import SiteFile
from gateway.config.rules import AbsenceRule, RateRule
from rules.anatomy import inputs
from rules.checking.possible import demands, ways
from rules.language.expressions import equalities
from rules.language.grammar import ExpressionError, Node, parse
from rules.language.vocabulary import FIELDS, PRESENCE, RAW

_STAYS: Final = frozenset(PRESENCE) - {"passage"}
_DEVICE_FIELDS: Final = ("device", "subject")
_IMPLIED: Final = re.compile(r"(.+)-[1-9][0-9]{0,2}")


@dataclass(slots=True)
class SiteNames:
    """Every name that a site file gives.

    Attributes:
        points: read points, with the place that each belongs to, or nothing.
        readers: names of the readers: `{reader}-{port}` is a read point, too.
    """

    gateway: str
    zones: list[str] = field(default_factory=list)
    portals: list[str] = field(default_factory=list)
    points: dict[str, str] = field(default_factory=dict)
    readers: list[str] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)

    def is_point(self, name: str) -> bool:
        """Whether a reader of this file may have this read point."""
        match = _IMPLIED.fullmatch(name)
        return name in self.points or (match is not None and match[1] in self.readers)


def names_of(site: SiteFile) -> SiteNames:
    """The names of a site file."""
    names = SiteNames(site.site.gateway, [zone.name for zone in site.zone], [portal.name for portal in site.portal])
    for reader in site.reader:
        names.readers.append(reader.name)
        names.points.update(dict.fromkeys(reader.read_points.values(), ""))
        names.devices += [reader.name, *driver_settings(reader).sources()]
    names.devices += [machine.name for machine in site.production.machine]
    names.devices.append(site.site.gateway)
    for zone in site.zone:
        names.points.update(dict.fromkeys(zone.read_points, f"zone {zone.name!r}"))
    for portal in site.portal:
        names.points.update(dict.fromkeys((*portal.outer, *portal.inner), f"portal {portal.name!r}"))
    return names


def faults_of_condition(names: SiteNames, on: str, node: Node) -> Iterator[str]:
    """What is surely wrong with the names in a condition on items of this type."""
    for name, value, at in equalities(node):
        if isinstance(value, str) and name in {"zone", "from_zone"} and (fault := _zone(names, on, value)):
            yield f"e.{name} is never {value!r}; {fault} (column {at + 1})"
    if any(name == "gateway" for name, _, _ in equalities(node)):
        yield from _at_this_gateway(names, on, node)


def warnings(site: SiteFile) -> Iterator[str]:
    """What may be wrong with the names in rules, and is right if another gateway has them; one line each."""
    names = names_of(site)
    for rule in site.rule:
        for place, source in inputs(rule):
            where = f"rule[{rule.name}]{f'.{place}' if place else ''}"
            if source.on == "passage" and not names.portals:
                yield f"{where}.on = 'passage': there is no [[portal]], so that no tag ever passes"
            if source.on not in FIELDS or not names.readers:
                continue
            try:
                node = parse(source.when)
            except ExpressionError:
                continue
            for name, value, at in equalities(node):
                known = _known(names, source.on, name)
                if (
                    known is not None
                    and isinstance(value, str)
                    and value not in known
                    and not _is_implied(names, value)
                ):
                    yield (
                        f"{where}.when: nothing in this file is called {value!r} (column {at + 1})"
                        f"{_nearest(value, known)}; right only if another gateway has it"
                    )
        if isinstance(rule, RateRule | AbsenceRule) and names.readers:
            known = {*names.points, *names.devices}
            for name in rule.watched:
                if name not in known and not names.is_point(name):
                    yield (
                        f"rule[{rule.name}].watched: nothing in this file is called {name!r}{_nearest(name, known)}; "
                        "right only if another gateway has it"
                    )


def _zone(names: SiteNames, on: str, value: str) -> str | None:
    if on == "passage" and names.portals and value not in names.portals:
        return f"a passage has the name of a portal{_nearest(value, names.portals)}"
    if on not in _STAYS or value in names.zones:
        return None
    if value in names.portals:
        return "it is a portal, and tells of tags by on = 'passage'"
    place = names.points.get(value)
    if place:
        return f"this read point belongs to {place}; ask for that, or for e.read_point"
    return None


def _at_this_gateway(names: SiteNames, on: str, node: Node) -> Iterator[str]:
    """Names that this gateway has not, in conditions that ask for it alone."""
    found = ways(node)
    told: set[str] = set()
    for way in found or ():
        asked = demands(way)
        if "gateway" not in asked or asked["gateway"].one_of != {names.gateway}:
            continue
        for name, demand in asked.items():
            known = _known(names, on, name)
            if known is None or name in told:
                continue
            for value in sorted(str(each) for each in demand.one_of or ()):
                if value not in known and not _is_implied(names, value):
                    told.add(name)
                    yield f"e.{name} is never {value!r} at gateway {names.gateway!r}{_nearest(value, known)}"


def _known(names: SiteNames, on: str, name: str) -> set[str] | None:
    """What a field may be at this gateway; None where anything may stand."""
    if name in {"zone", "from_zone"} and on in PRESENCE:
        return {*names.zones, *names.portals, *names.points}
    if name == "read_point" and (on in PRESENCE or on in RAW or on == "card_presented"):
        return set(names.points)
    if name in _DEVICE_FIELDS and on in {"reading", "signal", "status"}:
        return set(names.devices)
    return set(names.devices) if name == "device" and on in {"read", "card"} else None


def _is_implied(names: SiteNames, value: str) -> bool:
    return value not in names.points and names.is_point(value)


def _nearest(value: str, known: Mapping[str, object] | set[str] | list[str]) -> str:
    near = difflib.get_close_matches(value, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
