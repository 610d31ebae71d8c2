"""The pack `power`: all its rules, and what the energy books are told for them."""

from __future__ import annotations

from typing import Final

from gateway.config.energy import DemandLimit, Energy, MeterSettings, MeterWatch, SheddableLoad
from gateway.config.rules import Rule
from rules.packs.pack import Pack
from rules.packs.power import demand, meters, per_move, quality
from rules.packs.power.settings import Demand, Meter, PowerSettings

W_PER_KW: Final = 1000
LEAST_CURRENT_SHARE: Final = 0.05
"""Of the rated current: below it, what is unbalanced is what happens to be on."""


def rules(name: str, settings: PowerSettings) -> list[Rule]:
    """The rules of one use."""
    return [
        *demand.rules(name, settings),
        *quality.rules(name, settings),
        *meters.rules(name, settings),
        *per_move.rules(name, settings),
    ]


def energy(books: Energy, settings: PowerSettings) -> Energy:
    """The energy books of the site, told of the limits, prices and meters of one use.

    Raises:
        ValueError: a meter has a limit, or a price has an edition, from elsewhere already; or there is no such price.
    """
    found = {meter.name: meter for meter in books.meter}
    prices = [*books.price, *settings.price]
    editions = [(price.name, price.valid_from) for price in prices]
    for price in settings.price:
        if editions.count((price.name, price.valid_from)) > 1:
            raise ValueError(f"price: another {price.name!r} begins on {price.valid_from}, too; write it in one place")
    known = {price.name for price in prices}
    for meter in settings.meter:
        if meter.price is not None and meter.price not in known:
            there = ", ".join(sorted(known)) or "none"
            raise ValueError(f"meter.{meter.name}.price: there is no price {meter.price!r}; there are: {there}")
        found[meter.name] = _merged(found.get(meter.name) or MeterSettings(name=meter.name), meter)
    return books.model_copy(update={"meter": list(found.values()), "price": prices})


def _merged(known: MeterSettings, meter: Meter) -> MeterSettings:
    changes: dict[str, object] = {"watch": [*dict.fromkeys([*known.watch, *_watch(meter)])]}
    for key, value in (("demand", _limit(meter.demand)), ("price", meter.price)):
        if value is None:
            continue
        if getattr(known, key) is not None:
            raise ValueError(f"meter.{meter.name}.{key}: it has one from elsewhere; say it in one place only")
        changes[key] = value
    if meter.rated_current_a is not None:
        changes["unbalance_from_a"] = max(known.unbalance_from_a, meter.rated_current_a * LEAST_CURRENT_SHARE)
    return known.model_copy(update=changes)


def _watch(meter: Meter) -> list[MeterWatch]:
    return [MeterWatch.COUNTS] if meter.phases == 1 else [MeterWatch.UNBALANCE, MeterWatch.COUNTS]


def _limit(limit: Demand | None) -> DemandLimit | None:
    if limit is None:
        return None
    return DemandLimit(
        limit_w=limit.contract_kw * W_PER_KW,
        kind=limit.kind,
        interval_s=limit.interval_s,
        ahead_s=limit.ahead_s,
        sure_for_s=limit.sure_for_s,
        shed=[SheddableLoad(name=load.name, power_w=load.kw * W_PER_KW) for load in limit.shed],
    )


PACK: Final = Pack(
    "power",
    "Demand limits with forecast and shedding, power quality, power factor, tampering, silence, energy per move.",
    PowerSettings,
    rules,
    energy,
)
