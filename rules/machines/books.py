"""The machine books of a site, kept by the signals of machines and the watched time of their devices."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

from gateway.config.energy import MeterSettings, settings_of
from gateway.config.machines import MachineSettings
from gateway.config.models import SiteFile
from gateway.contract.batches import Batch, Reading, ReadingBatch, Signal, SignalBatch, StatusBatch, TickBatch
from rules.energy.grid import Grid
from rules.machines.machine import Machine, Terms
from rules.machines.points import Output
from rules.machines.row import COUNTERS, MachineRow
from rules.machines.shifts import Calendar
from rules.presence.watched import Watched
from rules.state import State, Table

KINDS: Final = frozenset({"machine"})
"""Kinds of state entries that belong to these books."""
ENERGY: Final = "active_energy_import"
US_PER_S: Final = 1_000_000


class MachineBooks:
    """The books of all gateways. A site without machines costs nothing."""

    def __init__(self, site: SiteFile, state: State) -> None:
        production = site.production
        zone = production.zone(site.energy)
        self._site = site.site.name
        self._state = state
        self._grid = Grid(production.interval_min, zone)
        self._energy_gap_us = round(production.energy_gap_s * US_PER_S)
        self._calendars = {each.name: Calendar(each, zone) for each in production.calendar}
        self._always = Calendar(None, zone)
        self._by_device: dict[str, list[MachineSettings]] = {}
        self._by_meter: dict[str, list[MachineSettings]] = {}
        for machine in production.machine:
            self._by_device.setdefault(machine.heard_from, []).append(machine)
            if machine.meter is not None:
                self._by_meter.setdefault(machine.meter, []).append(machine)
        self._multipliers = {name: _multiplier(meter) for name, meter in settings_of(site.energy).items()}
        self._settings = {machine.name: machine for machine in production.machine}
        self._gateways: dict[str, _Hall] = {}
        self._stale: list[str] = []

    def load(self, gateway: str, key: str, value: bytes) -> None:
        """Put back one entry of a snapshot; that of a machine which is not accounted for any more is dropped.

        Raises:
            msgspec.ValidationError, msgspec.DecodeError: it cannot be read.
        """
        hall = self._hall(gateway)
        row = hall.rows.load(key, value)
        settings = self._settings.get(key)
        if settings is None:
            hall.rows.drop(key)
        else:
            hall.machines[key] = Machine(self._terms(settings), row)

    def step(self, batch: Batch, set_back_us: int, watched: Watched, *, historical: bool) -> Output | None:
        """Book what a batch says, after the clock of its gateway has moved to it; what was watched until then."""
        if not self._settings:
            return None
        hall = self._gateways.get(batch.gateway)
        is_heard = isinstance(batch, SignalBatch | StatusBatch) and batch.device in self._by_device
        is_metered = isinstance(batch, ReadingBatch) and batch.device in self._by_meter
        if hall is None:
            if not is_heard:
                return None
            hall = self._hall(batch.gateway)
        now_us = watched.row.clock_us
        output = Output(batch, self._site, historical=historical)
        if set_back_us:
            for name, machine in sorted(hall.machines.items()):
                machine.set_back(set_back_us, output)
                hall.rows.dirty.add(name)
        if set_back_us or is_metered or isinstance(batch, TickBatch | StatusBatch):
            self._settle(hall, now_us, watched, output)
        if isinstance(batch, SignalBatch | StatusBatch):
            for settings in self._by_device.get(batch.device, ()):
                machine = self._machine(hall, settings, now_us, watched)
                machine.settle(now_us, watched.watched_us(settings.heard_from), output)
                if isinstance(batch, SignalBatch):
                    _hear(machine, settings, batch, now_us, output)
                hall.rows.dirty.add(settings.name)
        elif isinstance(batch, ReadingBatch) and is_metered:
            self._meter(hall, batch, now_us, output)
        return output

    def counters(self) -> dict[str, int]:
        """Sizes now, over all gateways."""
        return {"machines": sum(len(hall.machines) for hall in self._gateways.values())}

    def _settle(self, hall: _Hall, now_us: int, watched: Watched, output: Output) -> None:
        for name, machine in sorted(hall.machines.items()):
            machine.settle(now_us, watched.watched_us(self._settings[name].heard_from), output)
            hall.rows.dirty.add(name)

    def _meter(self, hall: _Hall, batch: ReadingBatch, now_us: int, output: Output) -> None:
        found = [each for each in batch.readings if _is_total(each)]
        for reading in found:
            assert reading.value is not None
            value = reading.value * self._multipliers.get(batch.device, Decimal(1))
            for settings in self._by_meter[batch.device]:
                if (machine := hall.machines.get(settings.name)) is not None:
                    machine.meter(value, now_us, output)

    def _hall(self, gateway: str) -> _Hall:
        hall = self._gateways.get(gateway)
        if hall is None:
            hall = self._gateways[gateway] = _Hall(self._state.table("machine", gateway, MachineRow))
        return hall

    def _machine(self, hall: _Hall, settings: MachineSettings, now_us: int, watched: Watched) -> Machine:
        machine = hall.machines.get(settings.name)
        if machine is None:
            row = MachineRow(now_us, watched.watched_us(settings.heard_from), self._grid.length_us)
            machine = hall.machines[settings.name] = Machine(self._terms(settings), row)
            hall.rows.put(settings.name, row)
        return machine

    def _terms(self, settings: MachineSettings) -> Terms:
        calendar = self._always if settings.calendar is None else self._calendars[settings.calendar]
        return Terms(settings, self._grid, calendar, self._energy_gap_us)


class _Hall:
    """The machines of one gateway."""

    def __init__(self, rows: Table[MachineRow]) -> None:
        self.rows = rows
        self.machines: dict[str, Machine] = {}


def _hear(machine: Machine, settings: MachineSettings, batch: SignalBatch, at_us: int, output: Output) -> None:
    for signal in batch.signals:
        if signal.name == settings.state:
            machine.state(str(signal.value), at_us, output)
        elif signal.name == settings.stop_reason:
            machine.reason(str(signal.value).strip())
        else:
            for name in COUNTERS:
                if signal.name == getattr(settings, name) and (value := _number(signal)) is not None:
                    machine.counter(name, value, at_us, output)


def _number(signal: Signal) -> Decimal | None:
    if isinstance(signal.value, bool):
        return None
    try:
        value = Decimal(signal.value)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _is_total(reading: Reading) -> bool:
    return (
        reading.quantity == ENERGY
        and reading.quality == "good"
        and reading.value is not None
        and reading.value.is_finite()
        and not reading.phase
        and not reading.tariff
    )


def _multiplier(meter: MeterSettings) -> Decimal:
    return Decimal(repr(meter.pt_ratio)) * Decimal(repr(meter.ct_ratio))
