"""What a page shows of a machine's past: its states with the times nobody watched, its shifts, why it stood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.console.metering.known import KnownMachine
from gateway.contract.events import Event
from gateway.history import (
    DayFiles,
    DeviceState,
    ProductionRow,
    StateSpan,
    StopTotal,
    device_states,
    event_page,
    production,
    states,
    stop_totals,
)

OFFLINE: Final = "offline"
STOPS: Final = ("machine_stopped", "machine_started")
STOPS_SHOWN: Final = 200
SPANS_MOST: Final = 5_000
US_PER_S: Final = 1_000_000
BEFORE_US: Final = 86_400_000_000
"""How far back the state of a device is looked for that it had when the time began."""
TIMES: Final = ("planned", "execute", "idle", "held", "stopped", "aborted", "unknown", "no_data", "unplanned")


class Timeline(msgspec.Struct):
    """States of a machine, and when its device was offline: what it did then, nobody knows."""

    spans: list[StateSpan]
    offline: list[StateSpan]
    more: bool
    damaged: list[str]


class Span(msgspec.Struct):
    """The sum of intervals: as the machine books have it, over all of them.

    Attributes:
        times_s: planned time by state, and the rest.
        ideal: units that it could have made in execute; None where an interval with execute has no rate.
    """

    times_s: dict[str, float]
    stops: int = 0
    total: float | None = None
    good: float | None = None
    bad: float | None = None
    availability: float | None = None
    performance: float | None = None
    quality: float | None = None
    oee: float | None = None
    energy_wh: float | None = None
    energy_per_unit_wh: float | None = None


class MachineBooks(msgspec.Struct):
    """The books of a machine in a time. `more`: names of lists that were cut."""

    sum: Span
    intervals: list[ProductionRow]
    shifts: list[ProductionRow]
    reasons: list[StopTotal]
    stops: list[Event]
    more: list[str]
    damaged: list[str]


def timeline(days: DayFiles, machine: KnownMachine, from_us: int, to_us: int) -> Timeline:
    """States of a machine; times that overlap an `offline` one are not known.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    found = states(days, machine.device, machine.state, from_us, to_us, SPANS_MOST)
    told = device_states(days, machine.device, max(0, from_us - BEFORE_US), to_us, SPANS_MOST)
    damaged = list(dict.fromkeys([*found.damaged, *told.damaged]))
    return Timeline(found.spans, offline_spans(told.states, from_us, to_us), found.more or told.more, damaged)


def offline_spans(told: Sequence[DeviceState], from_us: int, to_us: int) -> list[StateSpan]:
    """When a device was offline in a time."""
    spans: list[StateSpan] = []
    since_us: int | None = None
    reason = ""
    for state in told:
        if state.state == OFFLINE and since_us is None:
            since_us, reason = max(from_us, state.at_us), state.reason or OFFLINE
        elif state.state != OFFLINE and since_us is not None:
            if state.at_us > since_us:
                spans.append(StateSpan(since_us, min(state.at_us, to_us), reason))
            since_us = None
    if since_us is not None and since_us < to_us:
        spans.append(StateSpan(since_us, to_us, reason))
    return spans


def machine_books(days: DayFiles, machine: str, from_us: int, to_us: int) -> MachineBooks:
    """The books of a machine.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    rows = production(days, machine, from_us, to_us)
    shifts = production(days, machine, from_us, to_us, period="shift")
    reasons = stop_totals(days, machine, from_us, to_us)
    stops = event_page(days, types=STOPS, subject=machine, from_us=from_us, to_us=to_us, limit=STOPS_SHOWN)
    cut = {"intervals": rows.more, "shifts": shifts.more, "stops": stops.next is not None}
    damaged = [*rows.damaged, *shifts.damaged, *reasons.damaged, *stops.damaged]
    return MachineBooks(
        sum=summed(rows.rows),
        intervals=rows.rows,
        shifts=shifts.rows,
        reasons=reasons.stops,
        stops=stops.events,
        more=[name for name, is_cut in cut.items() if is_cut],
        damaged=list(dict.fromkeys(damaged)),
    )


def summed(rows: Sequence[ProductionRow]) -> Span:
    """The sum of intervals, with the ratios of the sums: a mean of ratios would count a short interval as a long one.

    A count that one interval does not know, the sum does not know either; time without data has none.
    """
    times = {name: sum(getattr(row, f"{name}_s") or 0.0 for row in rows) for name in TIMES}
    watched = [row for row in rows if (row.planned_s or 0) > (row.no_data_s or 0)]
    made = Span(times, stops=sum(row.stops or 0 for row in rows))
    made.total, made.good, made.bad = (
        _sum([getattr(row, name) for row in watched]) for name in ("total", "good", "bad")
    )
    known_s = times["planned"] - times["unknown"] - times["no_data"]
    made.availability = times["execute"] / known_s if known_s > 0 else None
    ideal = [
        None if row.ideal_rate_per_min is None else row.ideal_rate_per_min * row.execute_s / 60
        for row in watched
        if row.execute_s
    ]
    possible = _sum(ideal)
    made.performance = made.total / possible if possible and made.total is not None else None
    made.quality = made.good / made.total if made.total and made.good is not None else None
    if made.availability is not None and made.performance is not None and made.quality is not None:
        made.oee = made.availability * made.performance * made.quality
    made.energy_wh = _sum([row.energy_wh for row in rows])
    units = sum((row.total or 0) + (row.unplanned_total or 0) + (row.no_data_total or 0) for row in rows)
    if units and made.energy_wh is not None and all(map(_is_covered, rows)):
        made.energy_per_unit_wh = made.energy_wh / units
    return made


def _is_covered(row: ProductionRow) -> bool:
    """Whether all of an interval's energy is known."""
    length_us = (row.to_us or row.at_us) - (row.from_us or row.at_us)
    return row.energy_covered_s is not None and row.energy_covered_s * US_PER_S >= length_us > 0


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
