"""Rules on demand: it will be too great, it is too great, what to switch off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.rules import AlarmSettings, HoldRule, MatchRule, Rule, Severity
from rules.packs.power.settings import Demand, PowerSettings
from rules.packs.power.words import number, of_meters

W_PER_KW: Final = 1000
PERCENT: Final = 100


def rules(name: str, settings: PowerSettings) -> Iterator[Rule]:
    """The rules of one use."""
    for meter in settings.meter:
        if meter.demand is not None:
            yield from _of_meter(f"{name}-{meter.name}", meter.name, meter.demand)


def _of_meter(name: str, meter: str, limit: Demand) -> Iterator[Rule]:
    limit_w = limit.contract_kw * W_PER_KW
    forecast, demand = of_meters([meter], "active_demand_forecast"), of_meters([meter], "active_demand")
    yield HoldRule(
        shape="hold",
        name=f"{name}-demand-forecast",
        on="reading",
        when=f"{forecast} && e.value > {number(limit_w)}",
        clear=f"e.value < {number(limit_w * limit.clear_percent / PERCENT)}",
        for_s=limit.sure_for_s,
        emit="demand-forecast",
        figures=["value"],
        alarm=AlarmSettings(message=f"Demand will exceed {limit.contract_kw:g} kW"),
    )
    yield HoldRule(
        shape="hold",
        name=f"{name}-demand-exceeded",
        on="reading",
        when=f"{demand} && e.value > {number(limit_w)}",
        for_s=0,
        emit="demand-exceeded",
        figures=["value"],
        alarm=AlarmSettings(severity=Severity.CRITICAL, message=f"Demand has exceeded {limit.contract_kw:g} kW"),
    )
    if limit.shed:
        yield MatchRule(
            shape="match",
            name=f"{name}-shed",
            on="shed_proposed",
            when=f'e.device == "{meter}"',
            emit="shed-proposal",
            figures=["shed_w", "excess_w", "forecast_w"],
            alarm=AlarmSettings(message="Loads should be switched off to stay below the contracted demand"),
        )
