"""The places of the plan as spots of the rules on impossible travel that ask for them with `use_plan`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.config.identity_rules import Spot, TravelRule
from gateway.config.models import SiteFile


def with_plan(site: SiteFile) -> SiteFile:
    """The site with the spots of its plan in those rules; those of the rule itself go before them."""
    if not any(isinstance(rule, TravelRule) and rule.use_plan for rule in site.rule):
        return site
    spots = plan_spots(site)
    rules = [
        rule.model_copy(update={"spots": _together(rule.spots, spots), "use_plan": False})
        if isinstance(rule, TravelRule) and rule.use_plan
        else rule
        for rule in site.rule
    ]
    return site.model_copy(update={"rule": rules})


def plan_spots(site: SiteFile) -> dict[str, Spot]:
    """Each place that is drawn; a read point is where its zone, portal or reader is, unless it is drawn itself."""
    covers = {place.name: [place.name] for place in site.plan.place}
    placed = set(covers)
    for name, points in _points(site):
        for point in points if name in covers else ():
            if point not in placed:
                covers[name].append(point)
                placed.add(point)
    return {
        place.name: Spot(
            x_m=place.x_m, y_m=place.y_m, width_m=place.width_m, height_m=place.height_m, covers=covers[place.name]
        )
        for place in site.plan.place
    }


def _points(site: SiteFile) -> Iterator[tuple[str, Iterable[str]]]:
    """The read points of what may be drawn, the closest first."""
    yield from ((zone.name, zone.read_points) for zone in site.zone)
    yield from ((portal.name, (*portal.outer, *portal.inner)) for portal in site.portal)
    yield from ((reader.name, reader.read_points.values()) for reader in site.reader)


def _together(own: dict[str, Spot], drawn: dict[str, Spot]) -> dict[str, Spot]:
    meant = {value for name, spot in own.items() for value in spot.covers or [name]}
    found = dict(own)
    for name, spot in drawn.items():
        covers = [value for value in spot.covers if value not in meant]
        if name not in own and covers:
            found[name] = spot.model_copy(update={"covers": covers})
    return found
