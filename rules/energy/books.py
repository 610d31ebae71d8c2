"""The energy books of a site: every register of every meter, kept by what its readings and its status say."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from gateway.config.energy import MeterSettings, settings_of, zone_of
from gateway.config.models import SiteFile
from gateway.contract.batches import Batch, ReadingBatch, StatusBatch
from rules.energy.calendar import calendars
from rules.energy.grid import Grid
from rules.energy.meter import BOOKED, RATIOS, Meter, MeterRow, Policy
from rules.energy.points import Made
from rules.energy.prices import Prices, prices
from rules.energy.row import RegisterRow, Terms
from rules.energy.watching import Watching, WatchRow, is_watched
from rules.state import State, Table

KINDS: Final = frozenset({"energy", "meter", "watch"})
"""Kinds of state entries that belong to the books."""

MOST_REGISTERS: Final = 50_000
"""Registers of one gateway: 5,000 meters with ten each; what is beyond is counted and not booked."""
US_PER_S: Final = 1_000_000
US_PER_H: Final = 3_600_000_000
US_PER_DAY: Final = 86_400_000_000


class Books:
    """The books of all gateways. A gateway without meters costs nothing."""

    def __init__(self, site: SiteFile, state: State) -> None:
        energy = site.energy
        zone = zone_of(energy)
        self._site = site.site.name
        self._state = state
        self._energy = energy
        self._settings = settings_of(energy)
        self._grid = Grid(energy.interval_min, zone)
        self._calendars = calendars(energy.tariff, zone)
        self._prices = prices(energy.price, zone)
        self._gateways: dict[str, _Shelf] = {}

    def load(self, kind: str, gateway: str, key: str, value: bytes) -> None:
        """Put back one entry of a snapshot, of one of the `KINDS`.

        Raises:
            msgspec.ValidationError, msgspec.DecodeError: it cannot be read.
        """
        shelf = self._shelf(gateway)
        if kind == "watch":
            shelf.watching.rows.load(key, value)
        elif kind == "meter":
            shelf.rows.load(key, value)
        else:
            shelf.registers.load(key, value)
            shelf.stored.setdefault(key.partition("/")[0], []).append(key)

    def step(self, batch: Batch, set_back_us: int, *, historical: bool) -> Made | None:
        """Book what a batch says, after the clock of its gateway was set back by so much, 0 mostly."""
        if not set_back_us and not isinstance(batch, ReadingBatch | StatusBatch):
            return None
        made = Made(batch, self._site, historical=historical)
        if set_back_us and (shelf := self._gateways.get(batch.gateway)) is not None:
            for name in sorted(shelf.rows.rows):
                made.prices = self._prices_of(name)
                self._meter(shelf, name).set_back(set_back_us, made)
            shelf.watching.set_back()
        if isinstance(batch, ReadingBatch):
            made.prices = self._prices_of(batch.device)
            found = [reading for reading in batch.readings if reading.quantity in BOOKED]
            if found:
                self._meter(self._shelf(batch.gateway), batch.device).readings(found, batch, made)
            settings = self._settings.get(batch.device)
            if settings is not None and is_watched(settings):
                self._shelf(batch.gateway).watching.readings(settings, batch, made)
        elif isinstance(batch, StatusBatch):
            made.prices = self._prices_of(batch.device)
            self._status(batch, made)
        return made

    def _status(self, batch: StatusBatch, made: Made) -> None:
        """Another meter may answer now, or its transformers be said to be others."""
        shelf = self._gateways.get(batch.gateway)
        is_known = shelf is not None and batch.device in shelf.rows.rows
        is_told = bool(batch.serial or RATIOS & batch.in_force.keys()) or batch.clock_offset_us is not None
        if is_known or is_told:
            self._meter(self._shelf(batch.gateway), batch.device).status(batch, made)

    def unbalanced(self) -> list[str]:
        """Registers whose entries do not add up to what they counted: none, or the books have a defect."""
        found = []
        for name, shelf in sorted(self._gateways.items()):
            for key, row in sorted(shelf.registers.rows.items()):
                grid = Grid.of(row.length_us, row.shift_us)
                if not all(segment.is_balanced(grid) for segment in row.segments):
                    found.append(f"{name}/{key}")
        return found

    def counters(self) -> dict[str, int]:
        """Sizes now, and counts since the start, over all gateways."""
        shelves = self._gateways.values()
        meters = [meter for shelf in shelves for meter in shelf.meters.values()]
        return {
            "energy_registers": sum(len(shelf.registers.rows) for shelf in shelves),
            "energy_unbalanced": sum(meter.unsound for meter in meters),
            "energy_records_refused": sum(meter.refused for meter in meters),
            "energy_registers_refused": sum(meter.unbooked for meter in meters),
        }

    def _shelf(self, gateway: str) -> _Shelf:
        shelf = self._gateways.get(gateway)
        if shelf is None:
            shelf = self._gateways[gateway] = _Shelf(
                self._state.table("meter", gateway, MeterRow),
                self._state.table("energy", gateway, RegisterRow),
                Watching(self._state.table("watch", gateway, WatchRow)),
            )
        return shelf

    def _prices_of(self, name: str) -> Prices | None:
        settings = self._settings.get(name)
        return self._prices.get(settings.price) if settings is not None and settings.price is not None else None

    def _meter(self, shelf: _Shelf, name: str) -> Meter:
        meter = shelf.meters.get(name)
        if meter is None:
            stored = shelf.stored.pop(name, ())
            meter = Meter(name, self._policy(name), shelf.rows, shelf.registers, stored, MOST_REGISTERS)
            shelf.meters[name] = meter
        return meter

    def _policy(self, name: str) -> Policy:
        energy = self._energy
        settings = self._settings.get(name) or MeterSettings(name=name)
        terms = Terms(
            grid=self._grid,
            gap_us=round(energy.gap_after_s * US_PER_S),
            settle_us=round(energy.settle_after_h * US_PER_H),
            backfill_us=round(energy.backfill_within_days * US_PER_DAY),
            rated=settings.rated_power_w,
            full_scale=_exact(settings.full_scale_wh),
            multiplier=_exact(settings.pt_ratio) * _exact(settings.ct_ratio),
        )
        calendar = self._calendars.get(settings.tariff) if settings.tariff is not None else None
        return Policy(energy, terms, settings.tariff_source, calendar)


class _Shelf:
    """The books of one gateway; `stored` are the registers of meters that were not heard yet in this life."""

    def __init__(self, rows: Table[MeterRow], registers: Table[RegisterRow], watching: Watching) -> None:
        self.rows = rows
        self.watching = watching
        self.registers = registers
        self.meters: dict[str, Meter] = {}
        self.stored: dict[str, list[str]] = {}


def _exact(number: float) -> Decimal:
    """A number as it was written in the site file: 1.5 is 1.5, and 600/5 is 120."""
    return Decimal(repr(number)) if number % 1 else Decimal(int(number))
