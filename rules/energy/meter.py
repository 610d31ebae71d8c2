"""One meter in the books: its registers by tariff and phase, who it is, its clock, its demand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from gateway.config.energy import Energy, TariffSource
from gateway.contract.batches import Reading, ReadingBatch, StatusBatch
from gateway.contract.events import Scalar
from rules.energy.calendar import Calendar
from rules.energy.demand import DemandRow, note_peak, slide
from rules.energy.grid import US_PER_MIN
from rules.energy.points import UNITS, Demand, Key, Made, Shown
from rules.energy.register import Register
from rules.energy.row import Reason, RegisterRow, Terms
from rules.energy.segment import Anchor, Entry, Quality, Segment
from rules.energy.sums import Group, check_sum
from rules.state import Table

IMPORT: Final = "active_energy_import"
DEMAND: Final = "active_demand"
DEMAND_MAX: Final = "active_demand_max"
CLOCK_OFFSET: Final = "clock_offset"
BOOKED: Final = frozenset({*UNITS, DEMAND, DEMAND_MAX, CLOCK_OFFSET})
"""Quantities that the books look at."""
RATIOS: Final = frozenset({"pt_ratio", "ct_ratio"})
"""Settings that a driver multiplies by, as it says in `in_force`."""

MOST_DIGITS: Final = 18
"""Digits before the point beyond which a value is no register."""
OWN_DEMAND_US: Final = 86_400_000_000
"""A meter that told its demand within this time needs nobody to compute it."""
MIN_PER_H: Final = 60
DEMAND_OBIS: Final = "1-0:1.4.0*255"
FULL_OBIS: Final = "*255"
"""No billing period: the register as it stands. What has one is the register of an earlier month."""


class MeterRow(msgspec.Struct):
    """What survives of a meter.

    Attributes:
        serial: who it said it is; ratios: what its driver said it multiplies by; multiplier: what the site file said.
        offset_us: the host's clock minus the meter's.
        groups: what belongs together, by quantity and phase; maxima: what was told of its demand registers.
        own_demand_us: when it last told its demand.
    """

    serial: str = ""
    ratios: dict[str, str] = {}
    multiplier: str = ""
    offset_us: int = 0
    groups: dict[str, Group] = {}
    maxima: dict[str, tuple[str, int]] = {}
    own_demand_us: int | None = None
    demand: DemandRow = msgspec.field(default_factory=DemandRow)


@dataclass(frozen=True, slots=True)
class Policy:
    """What is set for one meter."""

    energy: Energy
    terms: Terms
    tariff_source: TariffSource
    calendar: Calendar | None


class Meter:
    """One meter.

    Attributes:
        unbooked: registers that were one too many.
    """

    def __init__(
        self,
        name: str,
        policy: Policy,
        rows: Table[MeterRow],
        registers: Table[RegisterRow],
        stored: Iterable[str],
        most_registers: int,
    ) -> None:
        self.name = name
        self.unbooked = 0
        self._policy = policy
        self._rows = rows
        self._table = registers
        self._most_registers = most_registers
        self._tolerance_us = round(policy.energy.clock_tolerance_s * 1e6)
        self._registers: dict[Key, Register] = {}
        self._refused = 0
        row = rows.rows.get(name)
        if row is None:
            row = rows.rows[name] = MeterRow()
        self.row = row
        self._now: Made | None = None
        self._stored = {_key_of(key): key for key in stored}

    @property
    def _made(self) -> Made:
        """What the batch at hand makes."""
        assert self._now is not None
        return self._now

    @property
    def refused(self) -> int:
        """Records that contradict what was read, or came too late."""
        return self._refused + sum(register.refused for register in self._registers.values())

    @property
    def unsound(self) -> int:
        """Registers whose entries do not add up."""
        return sum(not register.is_sound for register in self._registers.values())

    def readings(self, readings: Iterable[Reading], batch: ReadingBatch, made: Made) -> None:
        """Book them in their order."""
        self._now = made
        made.meter = self.name
        self._rows.dirty.add(self.name)
        self._see_multiplier(batch.received_at_us)
        for reading in readings:
            value = reading.value
            if value is None or not value.is_finite() or value.adjusted() >= MOST_DIGITS:
                continue
            if reading.quantity in UNITS:
                self._energy(reading, value, batch.received_at_us)
            elif reading.quantity == CLOCK_OFFSET:
                self.row.offset_us = -round(value.scaleb(6))  # the quantity is positive of a clock that is ahead
            elif reading.quality == "good" and reading.phase is None:
                self._demand(reading, value, batch.received_at_us)

    def status(self, batch: StatusBatch, made: Made) -> None:
        """See whether it is still the same meter, behind the same transformers."""
        self._now = made
        made.meter = self.name
        row = self.row
        before = (row.serial, dict(row.ratios), row.offset_us)
        at_us = batch.received_at_us
        if batch.clock_offset_us is not None:
            row.offset_us = batch.clock_offset_us
        if batch.serial and row.serial and batch.serial != row.serial:
            fields: dict[str, Scalar] = {"serial_before": row.serial, "serial_after": batch.serial}
            made.event("meter_swapped", at_us, fields | self._closing(), batch.serial)
            for group in row.groups.values():
                group.forget()
            row.maxima.clear()
            self._open_all(Reason.SWAPPED)
        row.serial = batch.serial or row.serial
        for name in sorted(RATIOS & batch.in_force.keys()):
            ratio, known = batch.in_force[name], row.ratios.get(name)
            row.ratios[name] = ratio
            if known is not None and known != ratio:
                made.event("ratio_changed", at_us, {"ratio": name, "ratio_before": known, "ratio_after": ratio}, name)
                self._open_all(Reason.RATIO)
        if before != (row.serial, row.ratios, row.offset_us):
            self._rows.dirty.add(self.name)

    def set_back(self, by_us: int, made: Made) -> None:
        """The clock of its gateway was set back."""
        self._now = made
        made.meter = self.name
        self._rows.dirty.add(self.name)
        self.row.demand = DemandRow()
        for key, register in self._all():
            register.set_back(by_us)
            self._tell_entries(key, register)

    def _energy(self, reading: Reading, value: Decimal, received_at_us: int) -> None:
        is_record = reading.quality == "backfilled"
        if value < 0 or not (is_record or (reading.quality == "good" and stands(reading.obis))):
            return
        key = Key(reading.quantity, reading.phase or "", reading.tariff or 0)
        if key.tariff and self._policy.tariff_source is TariffSource.CALENDAR:
            return
        at_us = received_at_us
        if reading.meter_time_us is not None:
            at_us = self._corrected(reading.meter_time_us)
            if at_us > received_at_us:
                if is_record and at_us > received_at_us + self._tolerance_us:
                    self._refused += 1
                    return
                at_us = received_at_us
        elif is_record:
            self._refused += 1
            return
        register = self._registers.get(key) or self._find(key)
        if register is None:
            if not is_record:
                self._first(key, at_us, value)
            return
        self._table.dirty.add(self._stored[key])
        if is_record or (reading.meter_time_us is not None and at_us < register.open.last.at_us):
            register.record(at_us, value)
        else:
            before = register.read(at_us, value)
            if before is not None and key.quantity == IMPORT and key.is_total:
                self._slide(register, before, received_at_us)
            self._compare(key, value, register, received_at_us)
        if register.entries:
            self._tell_entries(key, register)

    def _first(self, key: Key, at_us: int, value: Decimal) -> None:
        if len(self._table.rows) >= self._most_registers:
            self.unbooked += 1
            return
        register = Register.opened(at_us, value, self._policy.terms, partial(self._tell, key))
        self._registers[key] = register
        name = self._stored[key] = f"{self.name}/{key.quantity}/{key.phase}/{key.tariff}"
        self._table.put(name, register.row)
        group = self._group(key)
        if key.tariff and group.tariffs_from_us is None:
            group.tariffs_from_us = at_us

    def _find(self, key: Key) -> Register | None:
        """A register that was known in an earlier life."""
        name = self._stored.get(key)
        if name is None:
            return None
        row = self._table.rows[name]
        register = Register(row, self._policy.terms, partial(self._tell, key))
        self._registers[key] = register
        return register

    def _all(self) -> list[tuple[Key, Register]]:
        found = []
        for key in sorted(self._stored):
            register = self._registers.get(key) or self._find(key)
            assert register is not None
            self._table.dirty.add(self._stored[key])
            found.append((key, register))
        return found

    def _open_all(self, reason: Reason) -> None:
        self.row.demand = DemandRow()
        for key, register in self._all():
            register.open_at_next(reason)
            self._tell_entries(key, register)

    def _closing(self) -> dict[str, Scalar]:
        """What the total of imported energy showed last."""
        key = Key(IMPORT, "", 0)
        register = self._registers.get(key) or self._find(key)
        if register is None:
            return {}
        segment = register.open
        return {
            "quantity": IMPORT,
            "unit": UNITS[IMPORT],
            "closing": float(register.value_of(segment.last.steps, segment)),
            "closed_at_us": segment.last.at_us,
        }

    def _see_multiplier(self, at_us: int) -> None:
        now, before = str(self._policy.terms.multiplier), self.row.multiplier
        if now == before:
            return
        self.row.multiplier = now
        if before:
            fields: dict[str, Scalar] = {"ratio": "site file", "ratio_before": before, "ratio_after": now}
            self._made.event("ratio_changed", at_us, fields, "site file")
            for key, register in self._all():
                self._tell_entries(key, register)

    def _corrected(self, meter_time_us: int) -> int:
        """A time of the meter's clock, by ours; a record of a boundary stays there while that clock is nearly right."""
        offset_us = self.row.offset_us
        if abs(offset_us) <= self._tolerance_us and self._policy.terms.grid.is_boundary(meter_time_us):
            return meter_time_us
        return meter_time_us + offset_us

    def _group(self, key: Key) -> Group:
        name = f"{key.quantity}/{key.phase}"
        group = self.row.groups.get(name)
        if group is None:
            group = self.row.groups[name] = Group()
        return group

    def _compare(self, key: Key, value: Decimal, register: Register, received_at_us: int) -> None:
        """See whether the tariffs of one answer add up to its total."""
        group = self.row.groups.get(f"{key.quantity}/{key.phase}")
        if group is None or group.tariffs_from_us is None:
            return
        step = register.amount_of(1)
        interval = self._policy.terms.grid.index(received_at_us)
        found = check_sum(group, key.tariff, value, step, received_at_us, interval)
        if found is not None:
            fields = key._replace(tariff=0).fields | found
            self._made.event("tariff_sum_differs", received_at_us, fields, key.quantity, key.phase)

    def _tell(self, key: Key, kind: str, at_us: int, fields: Mapping[str, Scalar]) -> None:
        """What a register found out; gaps are told of totals alone, for they are gaps of the whole meter."""
        if kind != "energy_gap" or key.is_total:
            self._made.event(kind, at_us, key.fields | dict(fields), *key)

    def _tell_entries(self, key: Key, register: Register) -> None:
        for segment, entry in register.entries:
            multiplier = Decimal(segment.multiplier)
            shown = Shown(
                energy=register.amount_of(entry.after - entry.before) * multiplier,
                estimated=register.amount_of(entry.estimated) * multiplier,
                register_start=register.value_of(entry.before, segment),
                register_end=register.value_of(entry.after, segment),
                tariff=self._name_of(key.tariff),
            )
            self._made.energy(key, segment, entry, shown)
            if key.is_total:
                self._by_calendar(key, segment, entry, shown)
                if key.quantity == IMPORT:
                    self._blocks(entry, shown.energy)
        register.entries.clear()

    def _by_calendar(self, key: Key, segment: Segment, entry: Entry, shown: Shown) -> None:
        policy = self._policy
        if policy.calendar is None or policy.tariff_source is TariffSource.METER:
            return
        since_us = self._group(key).tariffs_from_us
        if since_us is not None and entry.start_us + policy.terms.grid.length_us > since_us:
            return
        in_force = policy.calendar.at(entry.start_us)
        if in_force is not None:
            split = shown._replace(tariff=in_force.tariff, source="calendar", calendar=in_force.calendar)
            self._made.energy(key, segment, entry, split)

    def _name_of(self, tariff: int) -> str:
        names = self._policy.energy.tariff_names
        if not tariff:
            return ""
        return names[tariff - 1] if 0 < tariff <= len(names) else f"t{tariff}"

    def _demand(self, reading: Reading, value: Decimal, received_at_us: int) -> None:
        """What the meter itself says of demand."""
        if reading.quantity == DEMAND:
            self.row.own_demand_us = received_at_us
            return
        at_us = reading.meter_time_us
        if at_us is None or not stands(reading.obis):
            return
        tariff = self._name_of(reading.tariff or 0)
        told = (str(value), at_us)
        if self.row.maxima.get(tariff) != told:
            self.row.maxima[tariff] = told
            self._made.demand(Demand("max", "meter", at_us, at_us, value, Quality.MEASURED.value, tariff=tariff))

    def _tells_demand(self, received_at_us: int) -> bool:
        told_us = self.row.own_demand_us
        return told_us is not None and received_at_us - told_us < OWN_DEMAND_US

    def _slide(self, register: Register, before: Anchor, received_at_us: int) -> None:
        window_min = self._policy.energy.demand_min
        if not window_min or self._tells_demand(received_at_us):
            return
        segment, row = register.open, self.row.demand
        after = segment.last
        if after.at_us <= before.at_us:
            return
        grid = self._policy.terms.grid
        factor = Decimal(segment.multiplier) * (MIN_PER_H // window_min)
        for minute, steps in slide(row, before[:2], after[:2], window_min):
            at_us = minute * US_PER_MIN
            value = register.amount_of(steps) * factor
            peak = note_peak(row, grid.index(at_us - 1), minute, value)
            if peak is not None:
                index, ended, most = peak
                demand = Demand("sliding_max", "computed", grid.start_us(index), ended * US_PER_MIN, most)
                self._made.demand(demand._replace(window_min=window_min))
            self._made.reckoned(at_us, Reading(DEMAND, DEMAND_OBIS, value, "W", quality="computed"))

    def _blocks(self, entry: Entry, energy: Decimal) -> None:
        """Demand of an interval that is complete and without gaps."""
        made, grid = self._made, self._policy.terms.grid
        is_whole = entry.to_us - entry.from_us == grid.length_us
        if not self._policy.energy.demand_min or self._tells_demand(made.batch.received_at_us):
            return
        if is_whole and entry.quality not in (Quality.GAP, Quality.SUSPECT):
            length_min = grid.length_us // US_PER_MIN
            value, quality = energy * (MIN_PER_H // length_min), entry.quality.value
            made.demand(Demand("block", "computed", entry.start_us, entry.to_us, value, quality, length_min))


def stands(obis: str) -> bool:
    """Whether it is the register as it stands."""
    return "*" not in obis or obis.endswith(FULL_OBIS)


def _key_of(stored: str) -> Key:
    _, quantity, phase, tariff = stored.split("/")
    return Key(quantity, phase, int(tariff))
