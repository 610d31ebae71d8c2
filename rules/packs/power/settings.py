"""The settings of the pack `power`: the meters of a power room, their limits, what may be shed, what energy costs."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from gateway.config.energy import DemandKind, Price
from gateway.config.rules import Condition
from gateway.config.table import Name, PositiveSeconds, Table

Percent = Annotated[float, Field(gt=0, le=100)]
HoldSeconds = Annotated[float, Field(ge=0, le=86_400)]
SINGLE_LOW_PERCENT: Final = 10.0
THREE_LOW_PERCENT: Final = 7.0


class Load(Table):
    """`[[pack.settings.meter.demand.shed]]`: a load that may be switched off for a while."""

    name: Name = Field(description="What people call it.")
    kw: float = Field(gt=0, le=1_000_000, description="What is saved by it, in kW.")


class Demand(Table):
    """`[pack.settings.meter.demand]`: the demand that is contracted."""

    contract_kw: float = Field(gt=0, le=1_000_000, description="The limit, in kW.")
    kind: DemandKind = Field(
        DemandKind.BLOCK, description="block (intervals by the clock) or sliding, as the supplier bills it."
    )
    interval_s: float = Field(900, ge=60, le=3600, description="Length of the interval: 15 min in China.")
    ahead_s: float = Field(300, ge=10, lt=3600, description="How far a sliding window is looked ahead.")
    sure_for_s: float = Field(
        30, ge=0, le=600, description="The forecast must be above the limit for so long: a motor that starts is not."
    )
    clear_percent: Percent = Field(97, description="The alarm ends when the forecast is below this part of the limit.")
    shed: list[Load] = Field(
        default=[], max_length=32, description="What may be switched off, the first first. Nothing is switched here."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind is DemandKind.SLIDING and self.ahead_s >= self.interval_s:
            raise ValueError("ahead_s: must be less than interval_s; nothing would be known of the window")
        _each_once("shed", [load.name for load in self.shed], "load")
        return self


class Meter(Table):
    """`[[pack.settings.meter]]`: a meter, and what it measures."""

    name: Name = Field(description="The meter, as its reader names it.")
    nominal_v: float = Field(
        220, ge=50, le=500_000, description="Nominal voltage of what its phase registers show, in V: 220 of 220/380 V."
    )
    phases: Literal[1, 3] = Field(3, description="1 or 3; a meter with 1 loses none, and is balanced.")
    rated_current_a: float | None = Field(
        None, gt=0, le=100_000, description="What its supply may carry: more for `overload_for_s` is an overload."
    )
    demand: Demand | None = Field(None, description="Its contracted demand.")
    price: Name | None = Field(None, description="Its [[pack.settings.price]] or [[energy.price]].")


class Quality(Table):
    """`[pack.settings.quality]`: how supply may be. The defaults are those of the Chinese standards, see the page."""

    voltage_high_percent: Percent = Field(7, description="Voltage above nominal by more than this is too high.")
    voltage_low_percent: Percent | None = Field(
        None, description="Voltage below nominal by more than this is too low; 7 of three phases, 10 of one, if absent."
    )
    phase_lost_percent: Percent = Field(
        60, description="A phase with less than this part of nominal voltage is lost, not low."
    )
    phase_lost_for_s: HoldSeconds = Field(5, description="For so long.")
    frequency_hz: float = Field(50, ge=16, le=60, description="Nominal frequency.")
    frequency_off_hz: float = Field(0.2, gt=0, le=5, description="How far it may be off; 0.5 in small networks.")
    voltage_unbalance_percent: Percent = Field(2, description="Unbalance of voltages that may last.")
    voltage_unbalance_short_percent: Percent = Field(4, description="Unbalance that may not be, even for a short time.")
    current_unbalance_percent: Percent | None = Field(
        None, description="Unbalance of currents; not judged, if absent: it is a matter of what is connected."
    )
    thd_percent: Percent = Field(5, description="Distortion of a voltage: 5 at 0.38 kV, 4 at 6 and 10 kV.")
    for_s: HoldSeconds = Field(60, description="How long it must last; half a minute of a crane is not told.")
    overload_for_s: HoldSeconds = Field(60, description="How long a current must be above the rated one.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.voltage_unbalance_short_percent <= self.voltage_unbalance_percent:
            raise ValueError("voltage_unbalance_short_percent: must be more than voltage_unbalance_percent")
        low = self.voltage_low_percent or SINGLE_LOW_PERCENT
        if self.phase_lost_percent >= 100 - low:
            raise ValueError(f"phase_lost_percent: must be less than {100 - low:g}, where voltage begins to be too low")
        return self

    def low_percent(self, phases: int) -> float:
        """How far below nominal the voltage of such a meter may be."""
        return self.voltage_low_percent or (SINGLE_LOW_PERCENT if phases == 1 else THREE_LOW_PERCENT)


class PowerFactor(Table):
    """`[pack.settings.power_factor]`: the factor below which the supplier adds to the bill."""

    least: float = Field(0.9, gt=0, lt=1, description="0.9, 0.85 or 0.8, by the kind of customer.")
    for_s: HoldSeconds = Field(900, description="For so long.")


class Silence(Table):
    """`[pack.settings.silence]`: when it matters that nothing is heard."""

    offline_for_s: HoldSeconds = Field(300, description="A meter that is offline for so long is told.")
    energy_within_s: PositiveSeconds = Field(
        1800, description="A meter that is online must tell its energy register in this time."
    )


class PerMove(Table):
    """`[[pack.settings.per_move]]`: what energy goes into a move, a unit, a passage."""

    name: Name = Field(description="What it is about: `gate`, `crane-2`.")
    meter: Name = Field(description="The meter whose energy it takes.")
    on: Name = Field(description="Type of the event that is one move: `gate-transaction`, `passage` ...")
    when: Condition = Field("true", description="Which of them.")
    window_s: float = Field(3600, ge=300, le=86_400, description="Compared by whole hours, or what this says.")
    most_wh: float | None = Field(None, gt=0, description="More energy than this for a move is told as too much.")


class PowerSettings(Table):
    """`[pack.settings]`."""

    meter: list[Meter] = Field(min_length=1, max_length=500, description="The meters.")
    quality: Quality = Field(Quality(), description="Limits of power quality.")
    power_factor: PowerFactor = Field(PowerFactor(), description="The power factor that a bill asks for.")
    silence: Silence = Field(Silence(), description="Meters that say nothing.")
    price: list[Price] = Field(default=[], description="What energy costs, as [[energy.price]].")
    per_move: list[PerMove] = Field(default=[], max_length=50, description="What energy is used for.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [meter.name for meter in self.meter]
        _each_once("meter", names, "meter")
        _each_once("per_move", [each.name for each in self.per_move], "table")
        for each in self.per_move:
            if each.meter not in names:
                raise ValueError(
                    f"per_move.{each.name}: {each.meter!r} is none of the meters here; they are {', '.join(names)}"
                )
        return self


def _each_once(key: str, names: list[str], what: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{key}: {twice[0]!r} stands there {names.count(twice[0])} times; write each {what} once")
