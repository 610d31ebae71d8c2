"""What the machine books tell: points for the stores, and events."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from gateway.config.machines import MachineSettings
from gateway.contract.batches import Batch
from gateway.contract.events import Event, Evidence, Scalar, event_id
from rules.machines.row import NO_DATA, STATES, UNKNOWN, Period
from rules.outputs import Point

NS_PER_US: Final = 1_000
US_PER_S: Final = 1_000_000
US_PER_MIN: Final = 60_000_000
_SHARE: Final = Decimal("0.0001")
_WH: Final = Decimal("0.001")

MACHINE_EVENTS: Final = (
    *("machine_stopped", "machine_started", "counter_reset", "counter_jumped", "counter_wrapped"),
    *("shift_ended", "shift_energy"),
)
MACHINE_FIELDS: Final[dict[str, str]] = {
    "state": "string",
    "reason": "string",
    "stopped_at_us": "int",
    "stood_s": "double",
    "no_data_s": "double",
    "is_exact": "bool",
    "signal": "string",
    "before": "double",
    "after": "double",
    "elapsed_s": "double",
    "shift": "string",
    "unit": "string",
    "from_us": "int",
    "to_us": "int",
    "planned_s": "double",
    "known_s": "double",
    "stops": "int",
    "total": "double",
    "good": "double",
    "bad": "double",
    "availability": "double",
    "performance": "double",
    "quality": "double",
    "scrap": "double",
    "oee": "double",
    "energy_wh": "double",
    "energy_per_unit_wh": "double",
}
"""What these events tell beside what every event has; each tells those that concern it."""


class Output:
    """What one batch makes of the machine books."""

    def __init__(self, batch: Batch, site: str, *, historical: bool) -> None:
        self.points: list[Point] = []
        self.events: list[Event] = []
        self._batch = batch
        self._site = site
        self._historical = historical

    def event(
        self, kind: str, machine: MachineSettings, at_us: int, fields: Mapping[str, Scalar], *parts: Scalar
    ) -> None:
        """Something happened to a machine; `parts` tell apart what could happen at the same time."""
        batch = self._batch
        event = Event(
            id=event_id(kind, batch.gateway, machine.name, at_us, *parts),
            type=kind,
            at_us=at_us,
            subject=machine.name,
            evidence=Evidence(
                gateway=batch.gateway, epoch=batch.epoch, sequence_from=batch.sequence, sequence_to=batch.sequence
            ),
            device=machine.heard_from,
            historical=self._historical,
            fields={name: value for name, value in fields.items() if value is not None},
        )
        self.events.append(event)

    def shift_ended(self, machine: MachineSettings, shift: Period) -> None:
        """A shift is over. What nobody saw of it is in none of its figures; `known_s` says how much was seen."""
        if shift.is_dark:
            return
        made = shift.made.whole()
        scrap = (made.bad / made.total).quantize(_SHARE) if made.total and made.bad is not None else None
        figures = {
            "planned_s": seconds(sum(shift.planned)),
            "known_s": seconds(sum(shift.planned[:UNKNOWN])),
            "total": made.total,
            "good": made.good,
            "bad": made.bad,
            "scrap": scrap,
            **dict(_ratios(machine, shift)[1:]),
        }
        stops = sum(each.count for each in shift.reasons.values())
        self._of_shift("shift_ended", machine, shift, {"stops": stops}, figures)

    def shift_energy(self, machine: MachineSettings, shift: Period) -> None:
        """The energy of a shift that is over, once its end is metered, if all of it is."""
        found = dict(_energy(machine, shift))
        if found.get("energy_per_unit_wh") is not None:
            figures = {name: found[name] for name in ("energy_wh", "energy_per_unit_wh")}
            self._of_shift("shift_energy", machine, shift, {}, figures)

    def _of_shift(
        self,
        kind: str,
        machine: MachineSettings,
        shift: Period,
        told: Mapping[str, Scalar],
        figures: Mapping[str, Decimal | None],
    ) -> None:
        head: dict[str, Scalar] = {
            "shift": shift.shift,
            "unit": machine.unit,
            "from_us": shift.from_us,
            "to_us": shift.until_us,
        }
        numbers = {name: float(value) for name, value in figures.items() if value is not None}
        self.event(kind, machine, shift.until_us, {**head, **told, **numbers}, shift.part)

    def period(self, machine: MachineSettings, period: Period) -> None:
        """The sums of a period; what was told of it before is replaced."""
        if period.is_dark:
            return
        tags = (
            ("site", self._site),
            ("machine", machine.name),
            ("period", "shift" if period.shift else "interval"),
            *((("shift", period.shift),) if period.shift else ()),
        )
        at_ns = period.from_us * NS_PER_US + period.part % NS_PER_US
        self.points.append(Point("production", (*tags, ("unit", machine.unit)), _fields(machine, period), at_ns))
        for reason, standing in sorted(period.reasons.items()):
            fields = (("stood_s", seconds(standing.us)), ("stops", standing.count))
            self.points.append(Point("machine_stop", (*tags, ("reason", reason)), fields, at_ns))


def seconds(us: int) -> Decimal:
    """Microseconds as seconds, exact."""
    return Decimal(us) / US_PER_S


def _fields(machine: MachineSettings, period: Period) -> tuple[tuple[str, str | int | Decimal], ...]:
    planned, other = period.planned, period.unplanned
    made, beside, unwatched = period.made.whole(), period.beside.whole(), period.unwatched.whole()
    fields: list[tuple[str, str | int | Decimal | None]] = [
        ("from_us", period.from_us),
        ("to_us", period.until_us),
        ("planned_s", seconds(sum(planned))),
        *((f"{state}_s", seconds(us)) for state, us in zip(STATES, planned, strict=False)),
        ("unknown_s", seconds(planned[UNKNOWN])),
        ("no_data_s", seconds(planned[NO_DATA])),
        ("unplanned_s", seconds(sum(other))),
        ("unplanned_execute_s", seconds(other[0])),
        ("unplanned_no_data_s", seconds(other[NO_DATA])),
        ("stops", sum(each.count for each in period.reasons.values())),
        ("total", made.total),
        ("good", made.good),
        ("bad", made.bad),
        ("unplanned_total", beside.total),
        ("no_data_total", unwatched.total),
        ("counter_resets", period.resets),
        *_ratios(machine, period),
        *_energy(machine, period),
    ]
    return tuple((name, value) for name, value in fields if value is not None)


def _ratios(machine: MachineSettings, period: Period) -> list[tuple[str, Decimal | None]]:
    """Availability, performance and quality of the time that is known; unknown time is in none of them."""
    known_us = sum(period.planned[:UNKNOWN])
    run_us = period.planned[0]
    made = period.made.whole()
    availability = Decimal(run_us) / known_us if known_us else None
    performance = quality = None
    rate = machine.ideal_rate_per_min
    if made.total is not None and rate is not None and run_us:
        performance = made.total * US_PER_MIN / (Decimal(repr(rate)) * run_us)
    if made.total and made.good is not None:
        quality = made.good / made.total
    oee = None
    if availability is not None and performance is not None and quality is not None:
        oee = availability * performance * quality
    shares = {"availability": availability, "performance": performance, "quality": quality, "oee": oee}
    return [
        ("ideal_rate_per_min", None if rate is None else Decimal(repr(rate))),
        *((name, None if share is None else share.quantize(_SHARE)) for name, share in shares.items()),
    ]


def _energy(machine: MachineSettings, period: Period) -> list[tuple[str, Decimal | None]]:
    """The energy of a period, and per unit where all of its time, and all that was made in it, is known."""
    if machine.meter is None or not period.covered_us:
        return []
    length_us = period.until_us - period.from_us
    total = sum(
        (each.whole().total or Decimal(0) for each in (period.made, period.beside, period.unwatched)), Decimal(0)
    )
    is_whole = period.covered_us >= length_us > 0
    return [
        ("energy_wh", period.energy_wh),
        ("energy_covered_s", seconds(period.covered_us)),
        ("energy_per_unit_wh", (period.energy_wh / total).quantize(_WH) if is_whole and total else None),
    ]
