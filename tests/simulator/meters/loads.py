"""Loads whose registers can be computed in the head."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from readers.ports.memory import START_US
from simulator.device import MeterState

D: Final = Decimal
ZERO: Final = D(0)
STATE: Final = MeterState(
    active_energy_import_wh=D(1_234_560),
    active_energy_import_by_tariff_wh=(D(34_560), D(200_000), D(400_000), D(600_000)),
    active_energy_export_wh=D(260),
    voltage_v=(D("230.3"), D("229.8"), None),
    current_a=(D("12.345"), D("-1.500"), None),
    active_power_w=(D("2500.0"), D("-344.7"), None),
    reactive_power_var=(D("100.0"), D("-50.0"), None),
    power_factor=(D("0.995"), D("-0.500"), None),
    frequency_hz=D("49.98"),
    active_demand_w=D("3250.0"),
)
US_PER_HOUR: Final = 3_600_000_000


@dataclass(frozen=True)
class Steady:
    """Registers that stand still."""

    shown: MeterState = STATE

    def state(self, now_us: int) -> MeterState:
        assert now_us > 0
        return self.shown


@dataclass(frozen=True)
class Growing:
    """A load of so many W from the beginning of virtual time on; below zero it feeds. It calls all of it tariff 3."""

    power_w: int = 6_000
    start_wh: Decimal = ZERO
    reactive_var: int = 0

    def state(self, now_us: int) -> MeterState:
        used_wh = D(abs(self.power_w)) * (now_us - START_US) / US_PER_HOUR
        used_wh = used_wh // 10 * 10
        imported = self.start_wh + (used_wh if self.power_w > 0 else 0)
        third = D(self.power_w) / 3
        return replace(
            STATE,
            active_energy_import_wh=imported,
            active_energy_import_by_tariff_wh=(D(0), D(0), imported, D(0)),
            active_energy_export_wh=D(0) if self.power_w > 0 else used_wh,
            voltage_v=(D(230),) * 3,
            current_a=(abs(third) / 230,) * 3,
            active_power_w=(third,) * 3,
            reactive_power_var=(D(self.reactive_var) / 3,) * 3,
            power_factor=(D(1),) * 3,
        )
