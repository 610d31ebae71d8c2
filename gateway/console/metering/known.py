"""The meters and machines that the site file names, and what it says of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from gateway.config.load import driver_settings
from gateway.config.models import SiteFile
from readers import registry
from readers.driver import Kind

POWER_PACK: Final = "power"
W_PER_KW: Final = 1_000


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """The demand that a meter should not exceed.

    Attributes:
        kind: `block` or `sliding`, as it is billed.
    """

    limit_w: float
    kind: str = "block"
    interval_s: float = 900


class KnownMeter(msgspec.Struct, frozen=True, kw_only=True):
    """A meter.

    Attributes:
        nominal_v: what its phases should have, where the pack `power` says so.
        has_price: whether its energy costs something.
        is_controlled: whether something of it may be ordered.
    """

    name: str
    reader: str
    driver: str
    limit: Limit | None = None
    nominal_v: float | None = None
    has_price: bool = False
    is_controlled: bool = False


class KnownMachine(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that is accounted for.

    Attributes:
        device: whose signals tell of it.
        state, reason, counts: its signals.
    """

    name: str
    device: str
    reader: str
    driver: str
    state: str
    reason: str
    counts: list[str]
    unit: str
    ideal_rate_per_min: float | None
    meter: str | None
    calendar: str | None
    is_controlled: bool


def meters_of(site: SiteFile) -> list[KnownMeter]:
    """The meters, by name."""
    limits, volts, priced = _limits(site), _volts(site), _priced(site)
    controlled = _controlled(site)
    return [
        KnownMeter(
            name=name,
            reader=reader,
            driver=driver,
            limit=limits.get(name),
            nominal_v=volts.get(name),
            has_price=name in priced,
            is_controlled=name in controlled,
        )
        for name, (reader, driver, kind) in sorted(_devices(site).items())
        if kind is Kind.METER
    ]


def machines_of(site: SiteFile) -> list[KnownMachine]:
    """The machines of `[[production.machine]]`, in their order."""
    devices, controlled = _devices(site), _controlled(site)
    found = []
    for each in site.production.machine:
        reader, driver, _ = devices.get(each.heard_from, ("", "", None))
        found.append(
            KnownMachine(
                name=each.name,
                device=each.heard_from,
                reader=reader,
                driver=driver,
                state=each.state,
                reason=each.stop_reason,
                counts=[each.good, each.bad, each.total],
                unit=each.unit,
                ideal_rate_per_min=each.ideal_rate_per_min,
                meter=each.meter,
                calendar=each.calendar,
                is_controlled=each.heard_from in controlled,
            )
        )
    return found


def _devices(site: SiteFile) -> dict[str, tuple[str, str, Kind]]:
    """The reader, the driver and its kind, by what speaks."""
    found = {}
    for reader in site.reader:
        kind = registry.driver(reader.driver).kind
        for name in driver_settings(reader).sources() or (reader.name,):
            found[name] = (reader.name, reader.driver, kind)
    return found


def _controlled(site: SiteFile) -> frozenset[str]:
    return frozenset(point.device for point in site.control.point)


def _limits(site: SiteFile) -> dict[str, Limit]:
    found = {
        meter.name: Limit(
            limit_w=meter.demand.limit_w, kind=meter.demand.kind.value, interval_s=meter.demand.interval_s
        )
        for meter in site.energy.meter
        if meter.demand is not None
    }
    for table in _pack_meters(site):
        demand = table.get("demand")
        if isinstance(demand, Mapping) and (contract_kw := _number(demand.get("contract_kw"))) is not None:
            found[table["name"]] = Limit(
                limit_w=contract_kw * W_PER_KW,
                kind=str(demand.get("kind", "block")),
                interval_s=_number(demand.get("interval_s")) or 900,
            )
    return found


def _volts(site: SiteFile) -> dict[str, float]:
    return {table["name"]: _number(table.get("nominal_v")) or 220.0 for table in _pack_meters(site)}


def _priced(site: SiteFile) -> frozenset[str]:
    named = {meter.name for meter in site.energy.meter if meter.price is not None}
    return frozenset(named | {table["name"] for table in _pack_meters(site) if table.get("price")})


def _pack_meters(site: SiteFile) -> Iterator[Mapping[str, Any]]:
    """The meters of the packs `power`. The rules check these settings; here they may be anything."""
    for use in site.pack:
        tables = use.settings.get("meter") if use.kind == POWER_PACK else None
        for table in tables if isinstance(tables, list) else ():
            if isinstance(table, Mapping) and isinstance(table.get("name"), str):
                yield table


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    return None
