"""What is told of a meter beside its books: the forecast of its demand, what to shed, unbalance, counts that rose."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from gateway.config.energy import DemandKind, DemandLimit, MeterSettings, MeterWatch
from gateway.contract.batches import Reading, ReadingBatch
from gateway.contract.events import Scalar
from gateway.contract.quantities import UNITS
from rules.energy.forecast import Course, Window, excess_w, forecast_w
from rules.energy.meter import stands
from rules.energy.points import IMPORT, Made
from rules.energy.shedding import proposal
from rules.energy.unbalance import unbalance_percent, voltage_unbalance_percent
from rules.state import Table

POWER: Final = "active_power"
FORECAST: Final = "active_demand_forecast"
EXCESS: Final = "active_power_excess"
VOLTAGE: Final = "voltage"
CURRENT: Final = "current"
COUNTED: Final = frozenset(
    {
        "cover_openings",
        "terminal_openings",
        "magnetic_influences",
        "programmings",
        "clock_settings",
        "demand_resets",
        "meter_resets",
        "event_resets",
    }
)
"""Counts of what somebody did to a meter."""
PHASES: Final = ("a", "b", "c")
PHASES_APART_US: Final = 60_000_000
"""Phases that were read further apart are not compared."""
POWER_DIGITS: Final = 1
PERCENT_DIGITS: Final = 2
US: Final = 1_000_000
W_PER_KW: Final = 1000


class WatchRow(msgspec.Struct):
    """What survives of a meter that is watched.

    Attributes:
        over_since_us: since when the forecast has been above the limit; None while it is not.
        window_us: the end of the window for which `stage` loads were proposed.
        phases: by quantity and phase, when it was read and its value; own: unbalances that the meter tells itself.
        counts: what it had counted.
    """

    course: Course = msgspec.field(default_factory=Course)
    over_since_us: int | None = None
    window_us: int = 0
    stage: int = 0
    phases: dict[str, tuple[int, float]] = {}
    own: list[str] = []
    counts: dict[str, float] = {}


def is_watched(settings: MeterSettings | None) -> bool:
    """Whether anything is told of such a meter."""
    return settings is not None and (settings.demand is not None or bool(settings.watch))


class Watching:
    """The meters of one gateway that are watched."""

    def __init__(self, rows: Table[WatchRow]) -> None:
        self.rows = rows

    def set_back(self) -> None:
        """The gateway's clock was set back: what was known of times is forgotten, counts are not."""
        for name in sorted(self.rows.rows):
            self.rows.put(name, WatchRow(counts=self.rows.rows[name].counts, own=self.rows.rows[name].own))

    def readings(self, settings: MeterSettings, batch: ReadingBatch, made: Made) -> None:
        """What one answer of the meter leads to."""
        row = self.rows.rows.get(batch.device) or WatchRow()
        self.rows.put(batch.device, row)
        made.meter = batch.device
        good = [reading for reading in batch.readings if reading.quality == "good" and _number(reading) is not None]
        if settings.demand is not None:
            _demand(row, settings, settings.demand, good, made)
        if MeterWatch.UNBALANCE in settings.watch:
            _unbalance(row, settings, good, made)
        if MeterWatch.COUNTS in settings.watch:
            _counts(row, good, made)


def window_of(limit: DemandLimit, now_us: int) -> Window:
    """The window that is forecast: the interval that runs, by the clock, or the one that ends some time from now."""
    length_us = round(limit.interval_s * US)
    if limit.kind is DemandKind.SLIDING:
        to_us = now_us + round(limit.ahead_s * US)
        return Window(to_us - length_us, to_us)
    from_us = now_us - now_us % length_us
    return Window(from_us, from_us + length_us)


def _demand(row: WatchRow, settings: MeterSettings, limit: DemandLimit, readings: list[Reading], made: Made) -> None:
    now_us, course = made.batch.received_at_us, row.course
    window = window_of(limit, now_us)
    factor = settings.pt_ratio * settings.ct_ratio
    is_told = False
    for reading in readings:
        if reading.phase is not None or reading.tariff is not None or reading.value is None:
            continue
        if reading.quantity == IMPORT and stands(reading.obis):
            course.read(now_us, float(reading.value) * factor, window)
        elif reading.quantity == POWER:
            course.power_w, course.power_us = max(float(reading.value) * factor, 0.0), now_us
            is_told = True
    forecast = forecast_w(course, window, now_us) if is_told else None
    if forecast is None:
        return
    excess = excess_w(forecast, limit.limit_w, window, now_us)
    made.reckoned(now_us, _computed(FORECAST, forecast))
    made.reckoned(now_us, _computed(EXCESS, excess))
    _propose(row, limit, window, (forecast, excess), made)


def _propose(row: WatchRow, limit: DemandLimit, window: Window, found: tuple[float, float], made: Made) -> None:
    """Propose loads when the forecast was above the limit for long enough; more of them when these do not do."""
    now_us = made.batch.received_at_us
    forecast, excess = found
    if forecast <= limit.limit_w:
        row.over_since_us = None
        if limit.kind is DemandKind.SLIDING:
            row.stage = 0
        return
    if row.over_since_us is None:
        row.over_since_us = now_us
    if limit.kind is DemandKind.BLOCK and row.window_us != window.to_us:
        row.window_us, row.stage = window.to_us, 0
    if now_us - row.over_since_us < limit.sure_for_s * US:
        return
    chosen = proposal(limit.shed, excess)
    if chosen is None or chosen.stage <= row.stage:
        return
    row.stage = chosen.stage
    saved = f"switch off {chosen.loads}: {chosen.shed_w / W_PER_KW:.1f} kW"
    fields: dict[str, Scalar] = {
        "reasons": saved if chosen.is_enough else f"{saved}, which is not enough",
        "loads": chosen.loads,
        "stage": chosen.stage,
        "shed_w": chosen.shed_w,
        "enough": chosen.is_enough,
        "excess_w": round(excess, POWER_DIGITS),
        "forecast_w": round(forecast, POWER_DIGITS),
        "limit_w": limit.limit_w,
        "to_us": window.to_us,
    }
    made.event("shed_proposed", now_us, fields, chosen.stage)


def _unbalance(row: WatchRow, settings: MeterSettings, readings: list[Reading], made: Made) -> None:
    now_us = made.batch.received_at_us
    heard = set()
    for reading in readings:
        value = _number(reading)
        if value is not None and reading.quantity in {VOLTAGE, CURRENT} and reading.phase in PHASES:
            row.phases[f"{reading.quantity}/{reading.phase}"] = (now_us, abs(value))
            heard.add((reading.quantity, reading.phase))
        elif reading.quantity in {"voltage_unbalance", "current_unbalance"} and reading.quantity not in row.own:
            row.own = sorted([*row.own, reading.quantity])
    for quantity in (VOLTAGE, CURRENT):
        name = f"{quantity}_unbalance"
        if (quantity, PHASES[-1]) not in heard or name in row.own:
            continue
        found = [row.phases.get(f"{quantity}/{phase}") for phase in PHASES]
        values = [each[1] for each in found if each is not None and now_us - each[0] <= PHASES_APART_US]
        if len(values) < len(PHASES):
            continue
        if quantity == VOLTAGE:
            percent = voltage_unbalance_percent(values)
        else:
            percent = unbalance_percent(values) if sum(values) >= settings.unbalance_from_a * len(values) else None
        if percent is not None:
            made.reckoned(now_us, _computed(name, percent, PERCENT_DIGITS))


def _counts(row: WatchRow, readings: list[Reading], made: Made) -> None:
    for reading in readings:
        value = _number(reading)
        if value is None or reading.quantity not in COUNTED:
            continue
        before = row.counts.get(reading.quantity)
        row.counts[reading.quantity] = value
        if before is not None and value > before:
            fields: dict[str, Scalar] = {
                "quantity": reading.quantity,
                "unit": reading.unit,
                "before": before,
                "after": value,
            }
            made.event("count_rose", made.batch.received_at_us, fields, reading.quantity)


def _number(reading: Reading) -> float | None:
    value = reading.value
    return float(value) if value is not None and value.is_finite() else None


def _computed(quantity: str, value: float, digits: int = POWER_DIGITS) -> Reading:
    return Reading(quantity, "", Decimal(f"{value:.{digits}f}"), UNITS[quantity], quality="computed")
