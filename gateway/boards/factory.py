"""The factory line: machines and their OEE, stops, work in progress, missed stations, energy per unit."""

from __future__ import annotations

from typing import Final

from gateway.boards.making.board import Board, Section, Variable
from gateway.boards.making.looks import NONE_IS_GOOD, PLAIN, Color, Column, State, Unit, falling
from gateway.boards.making.panels import Panel, bars, curves, gauge, stat, table, timeline
from gateway.boards.making.queries import (
    Where,
    chosen,
    count,
    is_,
    last,
    like,
    mean,
    percentile,
    ratio,
    series,
    single,
    states,
    sums,
    total,
)
from gateway.boards.making.shared_parts import figure, happened, largest_first, last_events, standing_alarms
from readers.machine_states import STATE

ROUTES: Final = ("route-completed", "route-incomplete")
SKIPPED: Final = "station-skipped"
WRONG: Final = (SKIPPED, "station-out-of-order", "cycle-overrun", "thing-stuck")
LINE: Final = ("line-entered", "line-left")
STATION: Final = ("station-entered", "station-done")
LINE_ALARMS: Final = "route|wip|(skipped|order|stuck|step)-.*"
MACHINE_ALARMS: Final = "long-stop|stops|slow|oee-low|scrap-high|energy-per-unit-high"
CUSTODY_ALARMS: Final = "custody|overdue|who-.*|astray|due|expired|leaves|unlisted"
ALARMS: Final = f"-({LINE_ALARMS}|{MACHINE_ALARMS}|{CUSTODY_ALARMS})$"
WORK_IN_PROGRESS: Final = "-wip$"
STEPS: Final = "-step-"
MACHINE_STATES: Final = (
    State("execute", "execute", Color.GOOD),
    State("idle", "idle", Color.PLAIN),
    State("held", "held", Color.NOTICE),
    State("stopped", "stopped", Color.WARN),
    State("aborted", "aborted", Color.BAD),
)
KINDS_OF_TIME: Final = (
    ("execute_s", "execute"),
    ("idle_s", "idle"),
    ("held_s", "held"),
    ("stopped_s", "stopped"),
    ("aborted_s", "aborted"),
    ("unknown_s", "state not known"),
    ("no_data_s", "nobody watched"),
)
_OEE: Final = falling(0.6, 0.8)

_machine: Final = (is_("period", "interval"), chosen("site"), chosen("machine"))


def _factor(title: str, description: str, field: str) -> Panel:
    return gauge(
        title, description, Unit.SHARE,
        single("production", mean(field), *_machine, by=("machine",), alias="$tag_machine"),
        steps=_OEE, fewest=0, most=1, decimals=0,
    )  # fmt: skip


def _inside(events: tuple[str, ...], rules: str) -> tuple[Where, ...]:
    return is_("event", *events), is_("figure", "inside"), like("rule", rules), chosen("site")


BOARD: Final = Board(
    name="factory",
    title="Factory line",
    description="Machines and their OEE, stops, work in progress, missed stations, and energy per unit.",
    shown="8h",
    variables=(Variable("machine", "Machine", "production"),),
    sections=(
        Section(
            "In this time",
            (
                stat(
                    "Routes complete", "Things that left their line and had passed all of its stations.", Unit.COUNT,
                    single("event", count("id"), *happened(ROUTES[0]), alias="complete"), steps=PLAIN, nothing="0",
                ),
                stat(
                    "Routes incomplete", "Things that left their line without one of its stations.", Unit.COUNT,
                    single("event", count("id"), *happened(ROUTES[1]), alias="incomplete"), steps=NONE_IS_GOOD,
                    nothing="0",
                ),
                stat(
                    "Work in progress", "Things on each line now.", Unit.COUNT,
                    single("figure", last("value"), *_inside(LINE, WORK_IN_PROGRESS), by=("rule",),
                           alias="$tag_rule"),
                    steps=PLAIN,
                ),
                stat(
                    "Good units", "Of the machines that are chosen, in planned time.", Unit.SHORT,
                    single("production", total("good"), *_machine, by=("machine", "unit"),
                           alias="$tag_machine $tag_unit"),
                    steps=PLAIN,
                ),
                stat(
                    "Stops", "Stops of the machines that are chosen, planned ones too.", Unit.COUNT,
                    single("production", total("stops"), *_machine, alias="stops"), steps=PLAIN,
                ),
                stat(
                    "Energy per unit", "Of the machines that have a meter: all their energy by all that they made.",
                    Unit.WATT_HOURS,
                    single("production", ratio("energy_wh", "total"), *_machine, by=("machine",),
                           alias="$tag_machine"),
                    steps=PLAIN, decimals=2,
                ),
            ),
        ),
        Section(
            "OEE",
            (
                _factor("OEE", "Availability, performance and quality multiplied: mean of the intervals.", "oee"),
                _factor("Availability", "Time of execute in planned time of which the state is known.", "availability"),
                _factor("Performance", "What was made, by what the ideal rate would have made.", "performance"),
                _factor("Quality", "The good part of what was made.", "quality"),
            ),
        ),
        Section(
            "Machines",
            (
                timeline(
                    "States", "As machines told them. A line begins with the first change of this time.",
                    states("signal", "text", is_("signal", STATE), chosen("site"), chosen("device", "machine"),
                           by=("device",), alias="$tag_device", limit=1000),
                    states=MACHINE_STATES, height=6,
                ),
                curves(
                    "Planned time by state", "Of all machines that are chosen. Time that nobody watched is no stop.",
                    Unit.SECONDS,
                    *(
                        series("production", total(field), *_machine, alias=text, every="15m", fill="0")
                        for field, text in KINDS_OF_TIME
                    ),
                    draw="bars", stacked=True, fewest=0, calcs=("sum",),
                ),
                curves(
                    "OEE of intervals", "Of each machine; a gap is an interval of which a factor is not known.",
                    Unit.SHARE,
                    series("production", mean("oee"), *_machine, by=("machine",), alias="$tag_machine", every="15m",
                           fill="none"),
                    fewest=0, steps=_OEE, stepped=True, decimals=0,
                ),
                table(
                    "Why machines stood", "The reasons that took the most time, planned ones too.",
                    sums("machine_stop", {"stood": total("stood_s"), "stops": total("stops")}, *_machine,
                         by=("machine", "reason")),
                    columns=(
                        Column("machine", "Machine"),
                        Column("reason", "Reason"),
                        Column("stood", "Stood", Unit.SECONDS, width=120),
                        Column("stops", "Stops", Unit.COUNT, width=90),
                    ),
                    transformations=largest_first("stood", 20), width=12, nothing="None",
                ),
                curves(
                    "Energy for each unit", "Of the machines that have a meter.", Unit.WATT_HOURS,
                    series("production", ratio("energy_wh", "total"), *_machine, by=("machine",),
                           alias="$tag_machine", every="1h", fill="none"),
                    draw="points", fewest=0, height=9,
                ),
            ),
        ),
        Section(
            "Lines",
            (
                curves(
                    "Work in progress over time", "Things between the first station of a line and its end.", Unit.COUNT,
                    series("figure", last("value"), *_inside(LINE, WORK_IN_PROGRESS), by=("rule",), alias="$tag_rule",
                           fill="previous"),
                    fewest=0, decimals=0, stepped=True,
                ),
                curves(
                    "Queues at stations", "What came to a station and to no other yet.", Unit.COUNT,
                    series("figure", last("value"), *_inside(STATION, STEPS), by=("rule",), alias="$tag_rule",
                           fill="previous"),
                    fewest=0, decimals=0, stepped=True,
                ),
                curves(
                    "Cycle time of steps",
                    "From the arrival at a station to the arrival at the next: nine of ten took no longer.",
                    Unit.SECONDS,
                    series("figure", percentile("value", 90), *figure(STATION[1], "cycle_s"), by=("rule",),
                           alias="$tag_rule", every="15m", fill="none"),
                    fewest=0, draw="points",
                ),
                bars(
                    "Missed, out of order, too slow, stuck",
                    "What went wrong, by rule; its name ends with the station.",
                    Unit.COUNT,
                    single("event", count("id"), *happened(*WRONG), by=("event", "rule"),
                           alias="$tag_event $tag_rule"),
                    steps=((None, Color.WARN),), width=12, nothing="0",
                ),
            ),
        ),
        Section(
            "What to look at",
            (
                standing_alarms(like("rule", ALARMS)),
                last_events(
                    "Routes that were incomplete", "The newest 50, with the stations that were missed.", (ROUTES[1],),
                    shown=(Column("subject", "EPC"), Column("name", "Name"), Column("rule", "Rule")),
                    told=(
                        Column("missing", "Missed"),
                        Column("order", "Order", width=100),
                        Column("duration_s", "Took", Unit.SECONDS, width=110),
                    ),
                ),
            ),
        ),
    ),
)  # fmt: skip
