"""The loads of a substation: what each meter measures, as a function of time alone, so that energy is exact.

Power is `base * (1 + swing * sin(2 pi t / period + phase))`, and what a change adds; energy is its integral, so a
register read twice never disagrees with the power between. Values come at the resolution of a DL/T 645 register:
0.01 kWh, 0.1 V, 1 mA, 0.1 W.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from simulator.device import MeterState
from simulator.world import noise

_US_PER_HOUR: Final = 3_600_000_000
_SLOT_US: Final = 1_000_000
_NOMINAL_V: Final = 230.0
_TEN_WH: Final = Decimal(10)
_TENTH: Final = Decimal("0.1")
_THOUSANDTH: Final = Decimal("0.001")
_HUNDREDTH: Final = Decimal("0.01")
_TARIFF_SHARES: Final = (0.1, 0.35, 0.3, 0.25)  # T1 to T4 of what was used before the scenario began


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to a feeder at some moment, and stays.

    Attributes:
        added_w: of all phases together; power_factor: from then on, if it is another.
        lost_phase: 0 to 2: it has neither voltage nor current any more.
    """

    at_us: int
    added_w: float = 0.0
    power_factor: float | None = None
    lost_phase: int | None = None


@dataclass(frozen=True, slots=True)
class ThreePhaseLoad:
    """One feeder. Implements `simulator.device.Load`.

    Attributes:
        start_us: when the scenario begins; `start_wh` stands in the register then.
        base_w: mean active power of all phases together; `swing` 0 to 1, `period_s` its rhythm.
        single_phase: phases B and C are not connected.
        change: what happens to it in the course of the scenario.
    """

    name: str
    seed: int
    start_us: int
    start_wh: float
    base_w: float
    swing: float = 0.3
    period_s: float = 90.0
    power_factor: float = 0.92
    single_phase: bool = False
    change: Change | None = None

    def state(self, now_us: int) -> MeterState:
        """The registers at `now_us`."""
        used_wh = self._energy_wh(now_us)
        total_wh = self.start_wh + used_wh
        shares = [self.start_wh * share for share in _TARIFF_SHARES]
        shares[2] += used_wh  # the scenario plays in the flat tariff, T3
        phases = 1 if self.single_phase else 3
        factor, lost = self._power_factor(now_us), self._lost(now_us)
        active_w = [0.0 if phase == lost else self._power_w(now_us) / phases for phase in range(3)]
        voltage_v = [0.0 if phase == lost else self._voltage_v(now_us, phase) for phase in range(3)]
        current_a = [w / factor / v if v else 0.0 for w, v in zip(active_w, voltage_v, strict=True)]
        reactive_var = [w * math.tan(math.acos(factor)) for w in active_w]
        return MeterState(
            active_energy_import_wh=_floor(total_wh, _TEN_WH),
            active_energy_import_by_tariff_wh=(
                _floor(shares[0], _TEN_WH),
                _floor(shares[1], _TEN_WH),
                _floor(shares[2], _TEN_WH),
                _floor(shares[3], _TEN_WH),
            ),
            active_energy_export_wh=Decimal(0),
            voltage_v=self._by_phase(phases, voltage_v, _TENTH),
            current_a=self._by_phase(phases, current_a, _THOUSANDTH),
            active_power_w=self._by_phase(phases, active_w, _TENTH),
            reactive_power_var=self._by_phase(phases, reactive_var, _TENTH),
            power_factor=self._by_phase(phases, [factor] * 3, _THOUSANDTH),
            frequency_hz=_floor(50.0 + 0.02 * noise.normal(self.seed, now_us // _SLOT_US, 9), _HUNDREDTH),
            active_demand_w=_floor(self.base_w, _TENTH),
        )

    def _changed(self, now_us: int) -> Change | None:
        return self.change if self.change is not None and now_us >= self.change.at_us else None

    def _lost(self, now_us: int) -> int | None:
        change = self._changed(now_us)
        return None if change is None else change.lost_phase

    def _power_factor(self, now_us: int) -> float:
        change = self._changed(now_us)
        return self.power_factor if change is None or change.power_factor is None else change.power_factor

    def _phase(self, now_us: int) -> float:
        return 2 * math.pi * (now_us - self.start_us) / 1e6 / self.period_s + self.seed % 7

    def _power_w(self, now_us: int) -> float:
        """Of all phases together, if none is lost."""
        change = self._changed(now_us)
        return self.base_w * (1 + self.swing * math.sin(self._phase(now_us))) + (change.added_w if change else 0.0)

    def _energy_wh(self, now_us: int) -> float:
        """The integral of the power of all phases from the start."""
        used_wh = self._base_wh(self.start_us, now_us)
        change = self._changed(now_us)
        if change is None:
            return used_wh
        added_wh = change.added_w * (now_us - change.at_us) / _US_PER_HOUR
        missed = 0.0 if change.lost_phase is None else (self._base_wh(change.at_us, now_us) + added_wh) / 3
        return used_wh + added_wh - missed

    def _base_wh(self, from_us: int, to_us: int) -> float:
        hours = (to_us - from_us) / _US_PER_HOUR
        per_radian_h = self.period_s / 3600 / (2 * math.pi)
        wave = math.cos(self._phase(from_us)) - math.cos(self._phase(to_us))
        return self.base_w * (hours + self.swing * per_radian_h * wave)

    def _voltage_v(self, now_us: int, phase: int) -> float:
        return _NOMINAL_V + 1.5 * noise.normal(self.seed, now_us // _SLOT_US, phase)

    @staticmethod
    def _by_phase(
        phases: int, values: list[float], resolution: Decimal
    ) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
        a, b, c = (_floor(value, resolution) for value in values)
        return (a, b, c) if phases > 1 else (a, None, None)


def _floor(value: float, resolution: Decimal) -> Decimal:
    """`value` cut to whole steps of the register, as a meter shows it."""
    return Decimal(math.floor(value / float(resolution) + 1e-9)) * resolution
