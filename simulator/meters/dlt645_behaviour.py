"""How a simulated DL/T 645 meter is built and behaves: what maker, firmware and fitter have decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto
from typing import Final

from readers.codecs.dlt645 import ErrorBit
from readers.codecs.dlt645_orders import PLAIN_LEVEL
from readers.codecs.dlt645_records import LoadClass

QUARTER_MIN: Final = 15
DAY_MIN: Final = 1440


class Speaks(Enum):
    """Which protocol it answers."""

    DLT645_2007 = auto()
    DLT645_1997 = auto()
    BOTH = auto()


@dataclass(frozen=True, slots=True)
class Slot:
    """From that minute of the local day on, that tariff: 1 sharp (尖), 2 peak (峰), 3 flat (平), 4 valley (谷)."""

    minute: int
    tariff: int


DAY_SLOTS: Final = (
    Slot(0, 4),
    Slot(7 * 60, 3),
    Slot(9 * 60, 2),
    Slot(11 * 60 + 30, 3),
    Slot(14 * 60, 2),
    Slot(18 * 60, 1),
    Slot(20 * 60, 2),
    Slot(22 * 60, 3),
    Slot(23 * 60, 4),
)
"""A working day as a Chinese industrial customer may have it; each province has its own."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A fitter puts another meter in the same place and gives it the same address: registers and records begin anew."""

    at_us: int
    meter_number: str
    import_wh: Decimal = Decimal(0)
    export_wh: Decimal = Decimal(0)


@dataclass(slots=True)
class Behaviour:
    """How one meter behaves; may be changed while it is served, but for its slots, its demand and its profile.

    Attributes:
        silent: it answers nothing.
        refuses_blocks: block reads are answered with `block_error`; makers do not agree on the error.
        ignores: data identifiers that are not answered at all.
        lacks: data identifiers that are answered with `no such data`.
        part_bytes: replies longer than this come in several frames.
        needs_wake_up: FE bytes without which it does not hear a request.
        preamble: wake-up bytes before each reply.
        reply_delay_s: 0.02 to 0.5 by the standard.
        garbles: turns a reply into what reaches the line.
        loses_replies_to: functions that it carries out without its answer ever arriving.
        absent_as_zero: phases that are not connected read 0 instead of FF.
        meter_number: 04000402, as it left the factory; None for the address.
        slots: its tariffs by the time of day, each at a quarter of an hour; None: what the load tells is already split.
        integrates_demand: it forms the demand of its own energy; else it shows what the load calls the demand.
        demand_window_min, demand_step_min: of the sliding window; the step divides a quarter of an hour.
        profile_period_min: between load records, in whole quarters of an hour; `profile_classes` and
            `profile_records` are what they hold and how many are kept.
        settlement_day: of each month, at midnight.
        clock_offset_us, clock_drift_ppm: how wrong its clock is when the meter starts, and how fast it runs.
        sync_within_s: how far from its own time a time sync may be.
        outages: spans without mains, (from, until) in UTC microseconds, in order.
        exchanges: when it is replaced.
        passwords: by their levels.
        lock_out_after: wrong passwords in a row, then none is right until the next day.
        wants_security_module: its relay obeys encrypted orders only, which nobody here can give.
        relay_delay_s: between an order and the relay; `relay_stuck`: it never moves.
        closes_on_permit: a permit closes it at once, without the key.
        ignores_expiry: it obeys orders that have expired, or never do.
        battery_low: of the clock.
    """

    silent: bool = False
    refuses_blocks: bool = False
    block_error: ErrorBit = ErrorBit.NO_SUCH_DATA
    ignores: frozenset[int] = frozenset()
    lacks: frozenset[int] = frozenset()
    part_bytes: int = 190
    demand_window_min: int = QUARTER_MIN
    preamble: int = 4
    reply_delay_s: float = 0.03
    garbles: Callable[[bytes], bytes] | None = None
    speaks: Speaks = Speaks.DLT645_2007
    needs_wake_up: int = 0
    loses_replies_to: frozenset[int] = frozenset()
    absent_as_zero: bool = False
    meter_number: str | None = None
    slots: tuple[Slot, ...] | None = None
    integrates_demand: bool = False
    demand_step_min: int = 1
    profile_period_min: int = QUARTER_MIN
    profile_classes: frozenset[LoadClass] = frozenset(LoadClass) - {LoadClass.ALL}
    profile_records: int = 31 * 96
    settlement_day: int = 1
    clock_offset_us: int = 0
    clock_drift_ppm: int = 0
    sync_within_s: float = 300.0
    outages: tuple[tuple[int, int], ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    passwords: Mapping[int, str] = field(default_factory=lambda: {PLAIN_LEVEL: "741852", 4: "963147"})
    lock_out_after: int = 3
    wants_security_module: bool = False
    relay_delay_s: float = 0.2
    relay_stuck: bool = False
    closes_on_permit: bool = False
    ignores_expiry: bool = False
    battery_low: bool = False

    @property
    def tick_min(self) -> int:
        """How often the meter looks at what it measures."""
        return self.demand_step_min if self.integrates_demand else QUARTER_MIN

    def tariff_at(self, minute_of_day: int) -> int | None:
        """The tariff that runs at that minute of the local day; None without slots."""
        if self.slots is None:
            return None
        running = [slot.tariff for slot in self.slots if slot.minute <= minute_of_day]
        return (running or [self.slots[-1].tariff])[-1]

    def is_powered(self, at_us: int) -> bool:
        """Whether there is mains at that moment."""
        return not any(start_us <= at_us < until_us for start_us, until_us in self.outages)
