"""One simulated electricity meter: it measures a load through time, and holds what a meter holds.

Nothing is counted between requests: a meter catches up when it is looked at, from one edge to the next: ticks of its
clock, its relay, failing mains, an exchange. So a week costs what its edges cost, and the order of requests does not
matter to registers and records.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from readers.codecs.dlt645 import ErrorBit
from readers.codecs.dlt645_events import KINDS, EventRecord
from readers.codecs.dlt645_orders import ANY, ControlOrder, FreezeAt, Key
from readers.codecs.dlt645_records import LOAD_CLASSES, FreezeKind, encode_load
from readers.codecs.dlt645_registers import Register
from readers.codecs.dlt645_status import General, Operation, PhaseFaults, Status
from readers.errors import FrameError
from simulator.device import Load, MeterState
from simulator.meters.dlt645_accounts import EXPORT, IMPORT, Accounts, Totals
from simulator.meters.dlt645_behaviour import DAY_MIN, QUARTER_MIN, Behaviour
from simulator.meters.dlt645_clock import US_PER_MIN, MeterClock
from simulator.meters.dlt645_history import History, Snapshot
from simulator.meters.dlt645_measured import CLOCK_BATTERY, LOW_BATTERY_V, cut_off, instantaneous, powers, total
from simulator.meters.dlt645_relay import Passwords, Relay

CHINA_UTC_OFFSET_MIN: Final = 480

_HOUR_MIN: Final = 60
_ENERGY, _, _INSTANT = range(3)


class Meter:
    """One meter; it starts when it is first looked at, and then keeps everything across links.

    Args:
        address: 12 digits; `load` is what flows through it.
    """

    def __init__(
        self,
        address: str,
        load: Load,
        behaviour: Behaviour | None = None,
        utc_offset_min: int = CHINA_UTC_OFFSET_MIN,
    ) -> None:
        self.address = address
        self.behaviour = behaviour or Behaviour()
        self.utc_offset_min = utc_offset_min
        self.relay = Relay()
        self.passwords = Passwords()
        self.periodic_freeze = FreezeAt()
        self._load = load
        self._at_us: int | None = None

    def look(self, now_us: int) -> None:
        """Catch up to now; the first look starts the meter."""
        if self._at_us is None:
            self._start(now_us)
        while (edge := self._next_edge())[0] <= now_us:
            self._measure(edge[0])
            edge[1]()
        self._measure(now_us)

    @property
    def now_us(self) -> int:
        """The moment of the last look, in true UTC."""
        assert self._at_us is not None, "look at the meter first"
        return self._at_us

    @property
    def shown_us(self) -> int:
        """What its clock showed then, as UTC."""
        return self.clock.shown_us(self.now_us)

    @property
    def is_powered(self) -> bool:
        """Whether there was mains."""
        return self.behaviour.is_powered(self.now_us)

    @property
    def state(self) -> MeterState:
        """What it measured, behind its relay."""
        return self._state if self.relay.is_closed else cut_off(self._state)

    @property
    def totals(self) -> Totals:
        """Its registers."""
        return self.accounts.totals()

    def status(self) -> Status:
        """Its status words."""
        state, relay, behaviour = self.state, self.relay, self.behaviour
        general, operation = General(0), Operation(0)
        general |= General.CLOCK_BATTERY_LOW if behaviour.battery_low else General(0)
        general |= General.ACTIVE_REVERSED if total(state.active_power_w) < 0 else General(0)
        general |= General.REACTIVE_REVERSED if total(state.reactive_power_var) < 0 else General(0)
        operation |= Operation(0) if relay.is_closed else Operation.RELAY_OPEN
        operation |= Operation(0) if relay.is_ordered_closed else Operation.RELAY_ORDERED_OPEN
        operation |= Operation.SUPPLY_PROTECTED if relay.is_protected else Operation(0)
        operation |= Operation.PRE_TRIP_ALARM if relay.is_alarmed else Operation(0)
        directions = sum(
            1 << index + shift
            for shift, values in ((0, state.active_power_w), (4, state.reactive_power_var))
            for index, value in enumerate(values)
            if value is not None and value < 0
        )
        a, b, c = (int(PhaseFaults.PHASE_LOST) if value == 0 else 0 for value in state.voltage_v)
        return Status((int(general), directions, int(operation), a, b, c, 0))

    def value(self, register: Register) -> tuple[Decimal | None, int | None]:
        """What stands in a register of 2007, and the meter's time of it where it has one.

        Raises:
            KeyError: this meter has no such register.
        """
        kind, di2, tariff, period = register.identifier.to_bytes(4, "big")
        if kind == _INSTANT:
            if self.behaviour.battery_low and register.identifier == CLOCK_BATTERY:
                return LOW_BATTERY_V, None
            value = instantaneous(register, self.state, self._present_demands(), int(self.address), self.now_us)
            return (Decimal(0) if value is None and self.behaviour.absent_as_zero else value), None
        if period > len(self.history.billing):
            raise KeyError(register.identifier)
        totals = self.history.billing[period - 1] if period else self.totals
        return self.of_totals(totals, kind, di2, tariff)

    def of_totals(self, totals: Totals, kind: int, di2: int, tariff: int) -> tuple[Decimal | None, int | None]:
        """What stood in a register of energy (0) or demand (1).

        Raises:
            KeyError: this meter has no such register.
        """
        if kind == _ENERGY:
            return totals.energy(di2, tariff), None
        if self.behaviour.integrates_demand:
            return totals.demands[di2, tariff]
        if (di2, tariff) != (IMPORT, 0):
            raise KeyError(di2, tariff)
        window_us = self.behaviour.demand_window_min * US_PER_MIN
        return self._state.active_demand_w, self.shown_us // window_us * window_us

    def press_key(self) -> bool:
        """Somebody presses the key at the meter, at the moment of the last look; True when it may close."""
        return self.relay.press_key(self.behaviour, self.now_us)

    def happened(self, kind: str, began_us: int, ended_us: int | None = None) -> None:
        """Something happened to the meter in true time: its cover was opened, a magnet came near."""
        shown = self.clock.shown_us
        record = EventRecord(KINDS[kind], shown(began_us), None if ended_us is None else shown(ended_us))
        self.history.happened(record)

    def done(self, kind: str, key: Key, rest: bytes = b"") -> None:
        """An operator has done something now."""
        self.history.happened(EventRecord(KINDS[kind], self.shown_us, None, key.operator, rest))

    def opens(self, key: Key) -> bool:
        """Whether a key opens the meter now; wrong ones are counted."""
        return self.passwords.accepts(key, self.behaviour, self.clock.day(self.shown_us))

    def order(self, order: ControlOrder) -> ErrorBit | None:
        """Take an order to the relay; an error when it is not obeyed."""
        if not self.opens(order.key):
            return ErrorBit.NOT_AUTHORISED
        expired = order.expires_at_us is None or order.expires_at_us < self.shown_us
        if expired and not self.behaviour.ignores_expiry:
            return ErrorBit.OTHER
        return self.relay.order(order, self.behaviour, self.now_us)

    def set_clock(self, shown_us: int) -> None:
        """Show another time from now on; the window of the demand begins anew."""
        self.clock.set(self.now_us, shown_us)
        self.clock_moved()

    def clock_moved(self) -> None:
        """What must happen after the clock was set."""
        self._tick = self.shown_us // self._tick_us
        self.accounts.break_window()

    def freeze(self, kind: FreezeKind, shown_us: int) -> None:
        """Keep a snapshot of now."""
        self.history.freeze(kind, Snapshot(shown_us, self.totals, powers(self.state)))

    def _start(self, now_us: int) -> None:
        behaviour = self.behaviour
        self.meter_number = behaviour.meter_number or self.address
        self.clock = MeterClock(now_us, behaviour.clock_offset_us, behaviour.clock_drift_ppm, self.utc_offset_min)
        self._at_us = now_us
        self._state = self._load.state(now_us)
        state = self._state
        self._install(
            (state.active_energy_import_wh, *state.active_energy_import_by_tariff_wh),
            state.active_energy_export_wh,
        )
        self._mains_passed = sum(edge <= now_us for edge in self._mains_edges())
        self._failed_us = None if self.is_powered else now_us
        self._exchanged = sum(each.at_us <= now_us for each in behaviour.exchanges)

    def _install(self, imported: tuple[Decimal, ...], exported_wh: Decimal) -> None:
        """Registers as given, and no records yet."""
        behaviour = self.behaviour
        exported = (exported_wh,) if behaviour.slots is None else (exported_wh, *(Decimal(0),) * 4)
        self.accounts = Accounts.opened(
            imported, exported, window_min=behaviour.demand_window_min, step_min=behaviour.demand_step_min
        )
        self.history = History(behaviour.profile_records)
        self._tick_us = behaviour.tick_min * US_PER_MIN
        self._tick = self.clock.shown_us(self.now_us) // self._tick_us

    def _present_demands(self) -> dict[int, Decimal]:
        if self.behaviour.integrates_demand:
            return self.accounts.present
        return {IMPORT: self._state.active_demand_w, EXPORT: Decimal(0)}

    def _next_edge(self) -> tuple[int, Callable[[], None]]:
        """When something happens next, and what."""
        due_us = self.clock.true_us((self._tick + 1) * self._tick_us)
        edges: list[tuple[int, Callable[[], None]]] = [(due_us, self._on_tick)]
        if self.relay.movement is not None:
            edges.append((self.relay.movement.at_us, self._on_relay))
        edges += [(edge, self._on_mains) for edge in self._mains_edges()[self._mains_passed :][:1]]
        edges += [(each.at_us, self._on_exchange) for each in self.behaviour.exchanges[self._exchanged :][:1]]
        return min(edges, key=lambda edge: edge[0])

    def _mains_edges(self) -> tuple[int, ...]:
        """When the mains fail and come back, in turn."""
        return tuple(itertools.chain(*self.behaviour.outages))

    def _measure(self, now_us: int) -> None:
        """Count what flowed since the last look."""
        last_us = self.now_us
        if now_us <= last_us:
            return
        before, was_powered = self._state, self.behaviour.is_powered(last_us)
        self._state = self._load.state(now_us)
        if was_powered and self.relay.is_closed:
            minute = self.clock.minute_of_day(self.clock.shown_us(last_us))
            self.accounts.count(before, self._state, now_us - last_us, self.behaviour.tariff_at(minute))
        self._at_us = now_us

    def _on_relay(self) -> None:
        movement = self.relay.finish()
        if movement is None:
            return
        kind = "reconnection" if movement.closes else "disconnection"
        self.done(kind, Key("000000", operator=movement.operator))

    def _on_mains(self) -> None:
        self._mains_passed += 1
        if self.is_powered and self._failed_us is not None:
            self.happened("power_failure", self._failed_us, self.now_us)
            self._failed_us = None
        elif not self.is_powered:
            self._failed_us = self.now_us
            self.accounts.break_window()

    def _on_exchange(self) -> None:
        new = self.behaviour.exchanges[self._exchanged]
        self._exchanged += 1
        self.meter_number = new.meter_number
        self.relay, self.passwords = Relay(), Passwords()
        self._install((new.import_wh, *(Decimal(0),) * 4), new.export_wh)

    def _on_tick(self) -> None:
        self._tick += 1
        behaviour, clock = self.behaviour, self.clock
        shown_us = self._tick * self._tick_us
        minute = clock.minute_of_day(shown_us)
        if behaviour.integrates_demand and self.is_powered:
            self.accounts.slide(shown_us, behaviour.tariff_at((minute - 1) % DAY_MIN))
        if minute % QUARTER_MIN:
            return
        if minute % behaviour.profile_period_min == 0 and self.is_powered:
            self.history.profile.append((shown_us, self._load_record(shown_us)))
        if minute % _HOUR_MIN == 0:
            self.freeze(FreezeKind.HOURLY, shown_us)
        if minute == 0:  # also of the midnights that it slept through
            self.freeze(FreezeKind.DAILY, shown_us)
            if clock.day_of_month(shown_us) == behaviour.settlement_day:
                self.history.billing.appendleft(self.totals)
                self.accounts.clear_demands()
        if self._is_due(shown_us, minute):
            self.freeze(FreezeKind.PERIODIC, shown_us)

    def _is_due(self, shown_us: int, minute: int) -> bool:
        """Whether the ordered rhythm of freezes has come to a turn; it is kept at quarters of an hour only."""
        when = self.periodic_freeze
        parts = (when.minute, when.hour, when.day)
        present = (minute % _HOUR_MIN, minute // _HOUR_MIN, self.clock.day_of_month(shown_us))
        return parts != (ANY,) * 3 and all(part in (ANY, now) for part, now in zip(parts, present, strict=True))

    def _load_record(self, shown_us: int) -> bytes:
        classes = {
            each: b"".join(self._encoded(register) for register in registers)
            for each, registers in LOAD_CLASSES.items()
            if each in self.behaviour.profile_classes
        }
        return encode_load(shown_us, classes, self.utc_offset_min)

    def _encoded(self, register: Register) -> bytes:
        plain = replace(register, timed=False)
        try:
            return encoded(plain, self.value(register)[0])
        except KeyError:
            return plain.encode(None)


def encoded(register: Register, value: Decimal | None) -> bytes:
    """The register on the wire without a time; FF where the value does not fit, as behind a current transformer."""
    try:
        return register.encode(value)
    except FrameError:
        return register.encode(None)
