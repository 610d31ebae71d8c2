"""A substation whose meters are known to the last step, and what a gateway hears of them in a week of trouble.

Every minute each meter is asked for its registers, in one answer. Registers count in 0.01 kWh. What happens to them is
drawn from a seed: resets, swaps, roll-overs, clocks that drift, outages with and without records afterwards, answers
that are garbled. Kept beside it, in whole steps: what each register counted between the readings that were heard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Final

from gateway.config.energy import Energy, MeterSettings, TariffCalendar
from gateway.config.models import Site, SiteFile
from gateway.contract.batches import Batch, Reading, ReadingBatch, StatusBatch
from rules.outputs import Point

START_US: Final = 1_790_006_400_000_000  # midnight in Shanghai, 22 September 2026
MIN_US: Final = 60_000_000
DAY_MIN: Final = 1440
BOUNDARY_MIN: Final = 15
FULL_STEPS: Final = 100_000_000
STEP_WH: Final = 10
PARTS: Final = 1000  # of a step: what runs up behind the register's last digit
RATED_W: Final = 100_000
TARIFFS: Final = (4, 4, 4, 4, 4, 4, 4, 3, 2, 2, 1, 1, 3, 3, 2, 2, 2, 3, 2, 1, 1, 3, 3, 4)
QUANTITY: Final = "active_energy_import"
GATEWAY: Final = "edge-1"
OBIS: Final = tuple(f"1-0:1.8.{tariff}*255" for tariff in range(5))

NAMES: Final = ("", "sharp", "peak", "flat", "valley")

Story = dict[int, str]
"""What happens to a meter in which minute."""


@dataclass
class Account:
    """What one register counted between readings that were heard: opening and latest of each segment, unrolled."""

    segments: list[list[int]] = field(default_factory=list)
    rolled: int = 0

    def open(self, steps: int) -> None:
        self.segments.append([steps, steps])
        self.rolled = 0

    def read(self, steps: int) -> None:
        unrolled = steps + self.rolled
        if unrolled < self.segments[-1][1]:
            self.rolled += FULL_STEPS
            unrolled += FULL_STEPS
        self.segments[-1][1] = unrolled

    @property
    def counted_wh(self) -> Decimal:
        return Decimal(sum(last - first for first, last in self.segments) * STEP_WH)


@dataclass
class SimulatedMeter:
    """One meter: registers of the total and four tariffs, in parts of a step; 0 is the total."""

    name: str
    has_tariffs: bool
    serial: int
    parts: list[int]
    mean_w: int
    story: Story
    drift_us_per_min: int
    lag_min: int
    keeps_records: bool
    phase_us: int
    accounts: list[Account] = field(default_factory=lambda: [Account() for _ in range(5)])
    records: list[tuple[int, list[int]]] = field(default_factory=list)
    silent_until: int = -1
    silent_since: int = -1
    opens: bool = True

    @property
    def registers(self) -> range:
        return range(5 if self.has_tariffs else 1)

    def shown(self, gained: int, tariff: int) -> list[int]:
        """Registers in steps, after so many parts more in this tariff."""
        found = []
        for register in self.registers:
            parts = self.parts[register] + (gained if register in (0, tariff) else 0)
            found.append(parts // PARTS % FULL_STEPS)
        return found

    def offset_us(self, minute: int) -> int:
        return self.drift_us_per_min * minute + self.lag_min * MIN_US


class Substation:
    """All meters, minute by minute.

    Attributes:
        happened: how often what was drawn.
    """

    def __init__(self, seed: int, meters: int, days: int, *, troubles: float = 1.0) -> None:
        self._rng = Random(seed)
        self._minutes = days * DAY_MIN
        self._sequence = 0
        self._ordinal = 0
        self.readings = 0
        self.happened: dict[str, int] = {}
        self.meters = [self._meter(number, meters, troubles) for number in range(meters)]

    def site(self) -> SiteFile:
        """The site file: ratings of all, and a calendar for those without tariff registers."""
        day = {"tariffs": {f"{hour:02}:00": NAMES[tariff] for hour, tariff in enumerate(TARIFFS)}}
        calendar = TariffCalendar.model_validate({"name": "local", "valid_from": "2026-01-01", "day": [day]})
        tables = [MeterSettings(name=each.name, rated_power_w=RATED_W, tariff="local") for each in self.meters]
        return SiteFile(
            site=Site(name="harbour"), energy=Energy(timezone="Asia/Shanghai", meter=tables, tariff=[calendar])
        )

    def batches(self) -> Iterator[Batch]:
        """Everything that the gateway hears, in its order; the last answers come at the very end of the last day."""
        for meter in self.meters:
            yield self._status(meter, START_US - MIN_US)
        for minute in range(self._minutes):
            tariff = TARIFFS[minute // 60 % 24]
            for meter in self.meters:
                yield from self._minute(meter, minute, tariff)
        for meter in self.meters:
            yield from self._last(meter)

    def truth_wh(self) -> dict[tuple[str, int], Decimal]:
        """What was counted between readings, by meter and register."""
        return {
            (meter.name, register): meter.accounts[register].counted_wh
            for meter in self.meters
            for register in meter.registers
        }

    def _meter(self, number: int, meters: int, troubles: float) -> SimulatedMeter:
        rng = self._rng
        start = rng.randrange(0, FULL_STEPS * PARTS * 8 // 10)
        parts = [0, *(rng.randrange(start // 5) for _ in range(4))]
        parts[0] = sum(parts)
        story: Story = {}
        mean_w = rng.randrange(500, 50_000)
        if number % 10 == 3:
            week_parts = mean_w * self._minutes // 60 * PARTS // STEP_WH
            parts[0] = FULL_STEPS * PARTS - rng.randrange(week_parts // 8, week_parts // 2)
            parts[1:] = [parts[0] // 4] * 4
            parts[0] = sum(parts[1:])
            self._count("rollover")
        kinds = ("outage", "outage", "reset", "swap", "zero", "garbled", "short_outage")
        for kind in kinds:
            if rng.random() < 0.5 * troubles and not (number % 10 == 3 and kind in ("reset", "swap")):
                minute = rng.randrange(90, self._minutes - 600)
                if all(abs(minute - other) > 420 for other in story):
                    story[minute] = kind
                    self._count(kind)
        return SimulatedMeter(
            name=f"meter-{number + 1}",
            has_tariffs=number % 10 != 3 and number % 4 != 0,
            serial=1000 + number,
            parts=parts,
            mean_w=mean_w,
            story=story,
            drift_us_per_min=rng.choice((0, 500, 2_000, 4_000)),
            lag_min=20 if number % 17 == 5 else 0,
            keeps_records=number % 3 != 0,
            phase_us=1_000_000 + number * 50_000_000 // meters,
        )

    def _minute(self, meter: SimulatedMeter, minute: int, tariff: int) -> Iterator[Batch]:
        rng = self._rng
        shape = 60 + 40 * ((minute // 60 * 7) % 12) // 12
        gained = meter.mean_w * shape * rng.randrange(50, 150) * PARTS // (STEP_WH * 60 * 100 * 100)
        asked_us = meter.phase_us + rng.randrange(2_000_000)
        at_us = START_US + minute * MIN_US + asked_us
        kind = meter.story.get(minute, "")
        if kind == "outage":
            meter.silent_since, meter.silent_until = minute, minute + rng.randrange(30, 360)
        elif kind == "short_outage":
            meter.silent_since, meter.silent_until = minute, minute + rng.randrange(2, 15)
        elif kind == "reset":
            meter.parts = [0] * 5
            meter.opens = True
        elif kind == "swap":
            meter.serial += 500
            base = [rng.randrange(20_000 * PARTS) for _ in range(4)]
            meter.parts = [sum(base), *base]
            meter.opens = True
            yield self._status(meter, at_us - 1, minute)
        offset_us = meter.offset_us(minute)
        own_minute = minute - meter.lag_min
        if own_minute % BOUNDARY_MIN == 0 and minute >= meter.lag_min:
            into = gained * (offset_us % MIN_US) // MIN_US
            meter.records.append((START_US + own_minute * MIN_US, meter.shown(into, tariff)))
            del meter.records[:-40]
        if minute % (DAY_MIN // 4) == 7:
            yield self._status(meter, at_us - 2, minute)
        if minute > meter.silent_until:
            steps = meter.shown(gained * asked_us // MIN_US, tariff)
            if kind in ("zero", "garbled"):
                wrong = [0] * 5 if kind == "zero" else [(each + 40_000_000) % 99_000_000 for each in steps]
                yield self._answer(meter, at_us, wrong)
            else:
                self._account(meter, steps)
                yield self._answer(meter, at_us, steps)
                if meter.silent_since >= 0:
                    if meter.keeps_records:
                        yield from self._remembered(meter, at_us)
                    meter.silent_since = -1
        meter.parts[0] += gained
        meter.parts[tariff] += gained

    def _remembered(self, meter: SimulatedMeter, at_us: int) -> Iterator[Batch]:
        from_us = START_US + (meter.silent_since - BOUNDARY_MIN - meter.lag_min) * MIN_US
        for meter_time_us, steps in meter.records:
            if meter_time_us >= from_us and meter_time_us + meter.lag_min * MIN_US < at_us - MIN_US:
                self._count("record")
                at_us += 1000
                yield self._answer(meter, at_us, steps, meter_time_us)

    def _last(self, meter: SimulatedMeter) -> Iterator[Batch]:
        steps = meter.shown(0, 0)
        self._account(meter, steps)
        yield self._answer(meter, START_US + self._minutes * MIN_US, steps)

    def _account(self, meter: SimulatedMeter, steps: list[int]) -> None:
        for register, account in zip(meter.registers, meter.accounts, strict=False):
            if meter.opens:
                account.open(steps[register])
            else:
                account.read(steps[register])
        meter.opens = False

    def _answer(
        self, meter: SimulatedMeter, at_us: int, steps: list[int], meter_time_us: int | None = None
    ) -> ReadingBatch:
        quality = "good" if meter_time_us is None else "backfilled"
        readings = [
            Reading(
                QUANTITY, OBIS[n], Decimal(steps[n] * STEP_WH), "Wh", None, n or None, quality, meter_time_us
            )
            for n in meter.registers
        ]  # fmt: skip
        self._sequence += 1
        self._ordinal += len(readings)
        self.readings += len(readings)
        return ReadingBatch(
            gateway=GATEWAY,
            epoch=7,
            sequence=self._sequence,
            ordinal=self._ordinal - len(readings),
            device=meter.name,
            received_at_us=at_us,
            readings=readings,
        )

    def _status(self, meter: SimulatedMeter, at_us: int, minute: int = 0) -> StatusBatch:
        self._sequence += 1
        return StatusBatch(
            gateway=GATEWAY,
            epoch=7,
            sequence=self._sequence,
            device=meter.name,
            received_at_us=at_us,
            state="online",
            reason="ok",
            since_us=START_US,
            watched=[],  # who is silent, and when that means something, is not what is played here
            clock_offset_us=meter.offset_us(minute),
            serial=str(meter.serial),
        )

    def _count(self, kind: str) -> None:
        self.happened[kind] = self.happened.get(kind, 0) + 1


class Store:
    """A store of points that keeps what was written last for a series and a time: energy and quality.

    Attributes:
        written: points that came, corrections included.
    """

    def __init__(self) -> None:
        self.series: dict[tuple[tuple[str, str], ...], dict[int, tuple[Decimal, str]]] = {}
        self.written = 0

    def write(self, points: list[Point]) -> None:
        """Take the points of one step."""
        for point in points:
            if point.measurement == "energy":
                self.written += 1
                fields = dict(point.fields)
                energy = fields["energy"]
                assert isinstance(energy, Decimal)
                self.series.setdefault(point.tags, {})[point.at_ns] = (energy, str(fields["quality"]))

    def sums_wh(self, source: str = "meter") -> dict[tuple[str, str], Decimal]:
        """Energy by meter and tariff; the empty text is the total."""
        sums: dict[tuple[str, str], Decimal] = {}
        for tags, rows in self.series.items():
            named = dict(tags)
            if named["source"] == source:
                key = (named["meter"], named.get("tariff", ""))
                sums[key] = sums.get(key, Decimal(0)) + sum(energy for energy, _ in rows.values())
        return sums

    def qualities(self) -> dict[str, int]:
        """How many intervals have which label."""
        found: dict[str, int] = {}
        for rows in self.series.values():
            for _, label in rows.values():
                found[label] = found.get(label, 0) + 1
        return found
