"""What a simulated meter counts: energies by tariff, reactive and apparent energy, and the largest demands."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from simulator.device import MeterState

COMBINED, IMPORT, EXPORT, REACTIVE_1, REACTIVE_2, Q1, Q2, Q3, Q4, APPARENT_IN, APPARENT_OUT = range(11)
"""The energies by their DI2."""
TARIFFS: Final = 4
ROLLOVER_WH: Final = Decimal(1_000_000_000)
"""After 999999.99 kWh comes 0."""
SIGNED_ROLLOVER_WH: Final = Decimal(800_000_000)
"""The highest bit of these registers is their sign."""

_ZERO: Final = Decimal(0)
_US_PER_HOUR: Final = Decimal(3_600_000_000)
_MIN_PER_HOUR: Final = 60
_DEMANDS: Final = (IMPORT, EXPORT, REACTIVE_1, REACTIVE_2)
Key = tuple[int, int]
"""DI2 and tariff, 0 for the total."""


@dataclass(frozen=True, slots=True)
class Totals:
    """All registers at one moment; what is not there the meter does not count.

    Attributes:
        demands: the largest, in W or var, with the meter's time of it; None before the first window.
    """

    energies: Mapping[Key, Decimal]
    demands: Mapping[Key, tuple[Decimal, int | None]]

    def energy(self, di2: int, tariff: int) -> Decimal:
        """As the register shows it, after any number of rollovers.

        Raises:
            KeyError: it is not counted.
        """
        if di2 == COMBINED:
            return _rolled(self.energies[IMPORT, tariff] + self.energies[EXPORT, tariff], SIGNED_ROLLOVER_WH)
        if di2 in (REACTIVE_1, REACTIVE_2):
            first, second = (Q1, Q2) if di2 == REACTIVE_1 else (Q3, Q4)
            return _rolled(self.energies[first, tariff] + self.energies[second, tariff], SIGNED_ROLLOVER_WH)
        return _rolled(self.energies[di2, tariff], ROLLOVER_WH)


def _rolled(value: Decimal, after: Decimal) -> Decimal:
    return value % after


@dataclass(slots=True)
class Accounts:
    """The registers of one meter. Start them with `opened`."""

    energies: dict[Key, Decimal]
    window_min: int
    step_min: int
    demands: dict[Key, tuple[Decimal, int | None]] = field(default_factory=dict)
    present: dict[int, Decimal] = field(default_factory=dict)
    _samples: deque[tuple[Decimal, ...]] = field(default_factory=deque)

    @classmethod
    def opened(
        cls,
        imported: tuple[Decimal, ...],
        exported: tuple[Decimal, ...],
        *,
        window_min: int,
        step_min: int,
    ) -> Accounts:
        """Begin with the total and the tariffs of import, and the total, perhaps the tariffs, of export."""
        energies = {(IMPORT, tariff): value for tariff, value in enumerate(imported)}
        energies |= {(EXPORT, tariff): value for tariff, value in enumerate(exported)}
        energies |= {(di2, 0): _ZERO for di2 in (Q1, Q2, Q3, Q4, APPARENT_IN, APPARENT_OUT)}
        accounts = cls(energies, window_min, step_min)
        accounts.clear_demands()
        return accounts

    def totals(self) -> Totals:
        """The registers as they are now."""
        return Totals(dict(self.energies), dict(self.demands))

    def count(self, before: MeterState, after: MeterState, us: int, tariff: int | None) -> None:
        """Take what flowed between two moments `us` apart; to one tariff, or as the load has split it."""
        imported = after.active_energy_import_wh - before.active_energy_import_wh
        exported = after.active_energy_export_wh - before.active_energy_export_wh
        self._add(IMPORT, 0, imported)
        self._add(EXPORT, 0, exported)
        if tariff is not None:
            self._add(IMPORT, tariff, imported)
            self._add(EXPORT, tariff, exported)
        else:
            by_tariff = zip(
                before.active_energy_import_by_tariff_wh, after.active_energy_import_by_tariff_wh, strict=True
            )
            for number, (then, now) in enumerate(by_tariff, start=1):
                self._add(IMPORT, number, now - then)
        hours = Decimal(us) / _US_PER_HOUR
        active = (_sum(before.active_power_w) + _sum(after.active_power_w)) / 2
        reactive = (_sum(before.reactive_power_var) + _sum(after.reactive_power_var)) / 2
        self._add(_quadrant(active, reactive), 0, abs(reactive) * hours)
        self._add(APPARENT_OUT if active < 0 else APPARENT_IN, 0, (active**2 + reactive**2).sqrt() * hours)

    def clear(self) -> None:
        """All registers to zero."""
        self.energies = dict.fromkeys(self.energies, _ZERO)
        self.clear_demands()

    def clear_demands(self) -> None:
        """Forget the largest demands, and begin a new window."""
        tariffs = range(TARIFFS + 1) if (EXPORT, 1) in self.energies else (0,)
        self.demands = {(di2, tariff): (_ZERO, None) for di2 in _DEMANDS for tariff in tariffs}
        self.present = dict.fromkeys(_DEMANDS, _ZERO)
        self.break_window()

    def break_window(self) -> None:
        """The mains or the clock broke off: the window is filled anew."""
        self._samples.clear()

    def slide(self, shown_us: int, tariff: int | None) -> None:
        """Move the window of the demand on by one step; it counts once it is full."""
        totals = self.totals()
        self._samples.append(tuple(self._unrolled(totals, di2) for di2 in _DEMANDS))
        steps = self.window_min // self.step_min
        if len(self._samples) <= steps:
            return
        while len(self._samples) > steps + 1:
            self._samples.popleft()
        for di2, first, last in zip(_DEMANDS, self._samples[0], self._samples[-1], strict=True):
            value = (last - first) * _MIN_PER_HOUR / self.window_min
            self.present[di2] = value
            for key in ((di2, 0), (di2, tariff or 0)):
                if key in self.demands and value > self.demands[key][0]:
                    self.demands[key] = (value, shown_us)

    @staticmethod
    def _unrolled(totals: Totals, di2: int) -> Decimal:
        if di2 == REACTIVE_1:
            return totals.energies[Q1, 0] + totals.energies[Q2, 0]
        if di2 == REACTIVE_2:
            return totals.energies[Q3, 0] + totals.energies[Q4, 0]
        return totals.energies[di2, 0]

    def _add(self, di2: int, tariff: int, value: Decimal) -> None:
        if (di2, tariff) in self.energies:
            self.energies[di2, tariff] += value


def _sum(values: tuple[Decimal | None, ...]) -> Decimal:
    return sum((value for value in values if value is not None), _ZERO)


def _quadrant(active: Decimal, reactive: Decimal) -> int:
    if reactive >= 0:
        return Q1 if active >= 0 else Q2
    return Q4 if active >= 0 else Q3
