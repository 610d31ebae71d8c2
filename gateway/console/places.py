"""The places of a site as its plan shows them: lanes, zones, read points and devices, and who watches each."""

from __future__ import annotations

import msgspec

from gateway.config.load import driver_settings
from gateway.config.models import SiteFile

PORTAL = "portal"
ZONE = "zone"
READ_POINT = "read_point"
DEVICE = "device"


class Rectangle(msgspec.Struct, frozen=True):
    """Where a place is drawn, in metres from the upper left corner of the plan."""

    x_m: float
    y_m: float
    width_m: float
    height_m: float


class Place(msgspec.Struct, frozen=True):
    """One place.

    Attributes:
        label: what the site file writes on it.
        zone: where presence counts what is here; None for portals and devices.
        read_points: what watches it; of a device, those that it serves.
        devices: whose antennas these are; of a device, itself and whoever reads it.
        at: where it is drawn; None in a plan that the console arranges.
    """

    name: str
    kind: str
    label: str | None = None
    zone: str | None = None
    read_points: list[str] = []
    devices: list[str] = []
    at: Rectangle | None = None


class SitePlan(msgspec.Struct, frozen=True):
    """What a console draws. Without a drawing of the site, `width_m` and `height_m` are None, and so is each `at`."""

    places: list[Place]
    width_m: float | None = None
    height_m: float | None = None
    has_picture: bool = False


def plan_of(site: SiteFile) -> SitePlan:
    """All places of a site; those that its file draws come first, in its order."""
    places = places_of(site)
    if not site.plan.place and site.plan.picture is None:
        return SitePlan(places)
    known = {place.name: place for place in places}
    drawn: list[Place] = []
    for each in site.plan.place:
        place = known.get(each.name) or _implied(site, each.name)
        at = Rectangle(each.x_m, each.y_m, each.width_m, each.height_m)
        drawn.append(msgspec.structs.replace(place, label=each.label, at=at))
    names = {place.name for place in drawn}
    antennas = {point for place in places if place.kind in {PORTAL, ZONE} for point in place.read_points}
    drawn.extend(place for place in places if place.name not in names and place.name not in antennas)
    return SitePlan(drawn, site.plan.width_m, site.plan.height_m, site.plan.picture is not None)


def places_of(site: SiteFile) -> list[Place]:
    """All places: portals, zones, read points that are in neither, and devices; with a drawn plan also single antennas.

    An antenna port without a name of its own is found only where a zone or portal names it.
    """
    owners = {point: reader.name for reader in site.reader for point in reader.read_points.values()}
    found: list[Place] = []
    inside: dict[str, str | None] = {}
    for portal in site.portal:
        points = [*portal.outer, *portal.inner]
        inside |= dict.fromkeys(points)
        found.append(Place(portal.name, PORTAL, read_points=points, devices=_readers(site, owners, points)))
    for zone in site.zone:
        inside |= dict.fromkeys(zone.read_points, zone.name)
        readers = _readers(site, owners, zone.read_points)
        found.append(Place(zone.name, ZONE, zone=zone.name, read_points=zone.read_points, devices=readers))
    names = {place.name for place in found}
    for point, reader in owners.items():
        if point not in inside and point not in names:
            found.append(Place(point, READ_POINT, zone=point, read_points=[point], devices=[reader]))
    names |= {place.name for place in found}
    found.extend(place for place in _devices(site) if place.name not in names)
    seen = {place.name for place in found}
    found.extend(
        Place(point, READ_POINT, zone=zone, read_points=[point], devices=_readers(site, owners, [point]))
        for point, zone in inside.items()
        if point not in seen and site.plan.place  # only a drawn plan shows single antennas
    )
    return found


def _devices(site: SiteFile) -> list[Place]:
    found = [Place(site.site.gateway, DEVICE, devices=[site.site.gateway])]
    for reader in site.reader:
        points = list(dict.fromkeys(reader.read_points.values()))
        found.append(Place(reader.name, DEVICE, read_points=points, devices=[reader.name]))
        found.extend(Place(name, DEVICE, devices=[name, reader.name]) for name in driver_settings(reader).sources())
    return found


def _implied(site: SiteFile, name: str) -> Place:
    """A read point of an antenna port that has no name."""
    return Place(name, READ_POINT, zone=name, read_points=[name], devices=_readers(site, {}, [name]))


def _readers(site: SiteFile, owners: dict[str, str], points: list[str]) -> list[str]:
    readers = {reader.name for reader in site.reader}
    found: dict[str, None] = {}
    for point in points:
        owner = owners.get(point) or point.rpartition("-")[0]
        if owner in readers:
            found[owner] = None
    return list(found)
