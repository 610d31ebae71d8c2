"""Smart power: load, demand against its limit, tariffs, quality of supply, cost, the energy books."""

from __future__ import annotations

from typing import Final

from gateway.boards.making.board import Board, Section, Variable
from gateway.boards.making.looks import PLAIN, Color, Column, Steps, Unit, falling, rising
from gateway.boards.making.panels import bars, curves, stat, table
from gateway.boards.making.queries import (
    Where,
    chosen,
    count,
    field_like,
    is_,
    is_not,
    last,
    like,
    mean,
    most,
    ratio,
    series,
    single,
    sums,
    total,
)
from gateway.boards.making.shared_parts import last_events, number_of_alarms, standing_alarms, sum_of_all

IMPORT: Final = "active_energy_import"
QUALITIES: Final = (
    ("measured", "both ends were read"),
    ("backfilled", "from the memory of the meter"),
    ("estimated", "an end lies between two readings"),
    ("gap", "part of it was not read"),
    ("suspect", "more than the connection carries"),
)
DEMAND: Final = ("demand-forecast", "demand-exceeded", "shed-proposal")
QUALITY: Final = (
    *("voltage-high", "voltage-low", "phase-lost", "frequency-off", "voltage-unbalanced", "voltage-unbalanced-much"),
    *("current-unbalanced", "voltage-distorted", "overload", "power-factor-low"),
)
METERS: Final = (
    *("meter-silent", "energy-not-told", "meter-opened", "meter-changed", "meter-replaced", "register-fell"),
    *("meter-supply", "meter-wiring", "meter-trouble"),
)
ALARMS: Final = (
    "-(demand-(exceeded|forecast)|shed|overload|no-energy|meter-[a-z]+|register-fell|power-factor-low|frequency-off"
    "|current-unbalanced|(voltage|phase-lost)[-a-z0-9]*)$"
)
BEYOND: Final[Steps] = ((None, Color.GOOD), (0, Color.BAD))
"""Of the power that must go: any of it is too much."""

_meter: Final = (chosen("site"), chosen("meter"))
_booked: Final = (is_("quantity", IMPORT), is_("phase", ""), *_meter)
_whole: Final = (*_booked, is_("tariff", ""))


def _reading(quantity: str, *where: Where) -> tuple[Where, ...]:
    return is_("quantity", quantity), *_meter, *where


_sum_of_phases: Final = (is_("phase", ""), is_("tariff", ""))

BOARD: Final = Board(
    name="power",
    title="Smart power",
    description="Load, demand against its limit, tariffs, quality of supply, cost, and the energy books.",
    site_from="reading",
    shown="12h",
    variables=(Variable("meter", "Meter", "reading"),),
    sections=(
        Section(
            "Now",
            (
                bars(
                    "Load", "Active power of each meter, all phases together, as it was read last.", Unit.WATT,
                    single("reading", last("value"), *_reading("active_power", *_sum_of_phases), by=("meter",),
                           alias="$tag_meter"),
                    steps=PLAIN, height=6,
                ),
                bars(
                    "Power that must go",
                    "So much less until the end of the window, or the contracted demand is exceeded. Below 0 there is "
                    "room. Only meters with a limit have it.",
                    Unit.WATT,
                    single("reading", last("value"), *_reading("active_power_excess"), by=("meter",),
                           alias="$tag_meter"),
                    steps=BEYOND, fewest=None, height=6,
                ),
                number_of_alarms(like("rule", ALARMS), height=6),
                stat(
                    "Energy", "What was drawn in this time, of all meters that are chosen: sub-meters count, too.",
                    Unit.WATT_HOURS,
                    series("energy", total("energy"), *_whole, by=("meter",), alias="$tag_meter", every="1h"),
                    steps=PLAIN, height=6, calc="sum", of="Total", transformations=(sum_of_all(),),
                ),
            ),
        ),
        Section(
            "Load and demand",
            (
                curves(
                    "Active power", "Of each meter, all phases together.", Unit.WATT,
                    series("reading", mean("value"), *_reading("active_power", *_sum_of_phases), by=("meter",),
                           alias="$tag_meter", fill="none"),
                    calcs=("mean", "max"),
                ),
                curves(
                    "Demand and its forecast",
                    "Mean power of the window that is billed: as the meter tells it or as it was reckoned, and what it "
                    "will be at the end of the window.",
                    Unit.WATT,
                    series("reading", last("value"), *_reading("active_demand"), by=("meter",),
                           alias="demand $tag_meter", fill="none"),
                    series("reading", last("value"), *_reading("active_demand_forecast"), by=("meter",),
                           alias="forecast $tag_meter", fill="none"),
                ),
                curves(
                    "Power beyond the limit",
                    "Power that must go until the end of the window: above the line the contracted demand will be "
                    "exceeded.",
                    Unit.WATT,
                    series("reading", most("value"), *_reading("active_power_excess"), by=("meter",),
                           alias="$tag_meter", fill="none"),
                    steps=BEYOND,
                ),
                curves(
                    "Demand of intervals", "The largest of each interval, by the clock or sliding, from the books.",
                    Unit.WATT,
                    series("demand", most("demand"), is_not("kind", "max"), *_meter, by=("meter", "kind"),
                           alias="$tag_meter $tag_kind", every="15m", fill="none"),
                    stepped=True, fewest=0,
                ),
            ),
        ),
        Section(
            "Energy, tariffs and cost",
            (
                curves(
                    "Energy by tariff", "What was drawn in each hour, of meters whose energy is divided by tariffs.",
                    Unit.WATT_HOURS,
                    series("energy", total("energy"), *_booked, is_not("tariff", ""), by=("tariff",),
                           alias="$tag_tariff", every="1h"),
                    draw="bars", stacked=True, fewest=0, calcs=("sum",),
                ),
                curves(
                    "Energy by meter", "What was drawn in each hour, as the registers say.", Unit.WATT_HOURS,
                    series("energy", total("energy"), *_whole, by=("meter",), alias="$tag_meter", every="1h"),
                    draw="bars", fewest=0, calcs=("sum",),
                ),
                table(
                    "Energy and cost",
                    "Rows with a tariff divide the row without one: read the one or the others. Cost is in the "
                    "currency of the price list, not rounded; rows without a price have none.",
                    sums(
                        "energy",
                        {"energy": total("energy"), "estimated": ratio("estimated", "energy"), "cost": total("cost")},
                        *_booked, by=("meter", "tariff"),
                    ),
                    columns=(
                        Column("meter", "Meter"),
                        Column("tariff", "Tariff", width=120),
                        Column("energy", "Energy", Unit.WATT_HOURS, decimals=1),
                        Column("estimated", "Of that estimated", Unit.SHARE, decimals=1, steps=rising(0.01, 0.1)),
                        Column("cost", "Cost", Unit.MONEY, decimals=2),
                    ),
                    width=12, nothing="None",
                ),
                curves(
                    "Cost", "Of each hour, by meter and tariff; without a tariff it is that of the whole meter.",
                    Unit.MONEY,
                    series("energy", total("cost"), *_booked, by=("meter", "tariff"), alias="$tag_meter $tag_tariff",
                           every="1h"),
                    draw="bars", fewest=0, decimals=2, calcs=("sum",),
                ),
            ),
        ),
        Section(
            "The energy books",
            (
                curves(
                    "Intervals by how they came to their energy",
                    "Of the total of each meter. Gaps and estimates add up to the register all the same; only where in "
                    "time they lie is not known.",
                    Unit.COUNT,
                    *(
                        series("energy", count("energy"), *_whole, field_like("quality", f"^{quality}$"),
                               alias=f"{quality}: {meaning}", every="1h", fill="0")
                        for quality, meaning in QUALITIES
                    ),
                    draw="bars", stacked=True, fewest=0, decimals=0, calcs=("sum",),
                ),
                curves(
                    "Intervals in the books", "Of each meter, by the hour. Where there are fewer, some are missing.",
                    Unit.COUNT,
                    series("energy", count("energy"), *_whole, by=("meter",), alias="$tag_meter", every="1h",
                           fill="0"),
                    fewest=0, decimals=0, stepped=True,
                ),
            ),
        ),
        Section(
            "Quality of supply",
            (
                curves(
                    "Voltage", "Of each phase against neutral.", Unit.VOLT,
                    series("reading", mean("value"), *_reading("voltage"), by=("meter", "phase"),
                           alias="$tag_meter $tag_phase", fill="none"),
                    width=8, decimals=1,
                ),
                curves(
                    "Current", "Of each phase.", Unit.AMPERE,
                    series("reading", mean("value"), *_reading("current"), by=("meter", "phase"),
                           alias="$tag_meter $tag_phase", fill="none"),
                    width=8, fewest=0,
                ),
                curves(
                    "Power factor", "Of all phases together; below 0.9 the supplier adds to the bill.", Unit.SHORT,
                    series("reading", mean("value"), *_reading("power_factor", is_("phase", "")), by=("meter",),
                           alias="$tag_meter", fill="none"),
                    width=8, most=1, decimals=2, steps=falling(0.85, 0.9),
                ),
                curves(
                    "Frequency", "As the meters measure it.", Unit.HERTZ,
                    series("reading", mean("value"), *_reading("frequency"), by=("meter",), alias="$tag_meter",
                           fill="none"),
                    width=8, decimals=2,
                ),
                curves(
                    "Unbalance", "Of voltages and of currents.", Unit.PERCENT,
                    series("reading", most("value"), *_reading("voltage_unbalance"), by=("meter",),
                           alias="voltage $tag_meter", fill="none"),
                    series("reading", most("value"), *_reading("current_unbalance"), by=("meter",),
                           alias="current $tag_meter", fill="none"),
                    width=8, fewest=0, decimals=1,
                ),
                curves(
                    "Distortion of voltages", "Total, of each phase; 5 % is the limit at 0.38 kV.", Unit.PERCENT,
                    series("reading", most("value"), *_reading("voltage_thd"), by=("meter", "phase"),
                           alias="$tag_meter $tag_phase", fill="none"),
                    width=8, fewest=0, decimals=1, steps=rising(4, 5),
                ),
                standing_alarms(like("rule", ALARMS)),
                last_events(
                    "What was told", "The newest 50: demand, quality of supply, and the meters themselves.",
                    (*DEMAND, *QUALITY, *METERS),
                    shown=(Column("event", "What", width=200), Column("subject", "Meter")),
                    told=(
                        Column("phase", "Phase", width=90),
                        Column("value", "Value", Unit.SHORT, width=120, decimals=2),
                        Column("unit", "Unit", width=80),
                        Column("reasons", "Why"),
                    ),
                ),
            ),
        ),
    ),
)  # fmt: skip
