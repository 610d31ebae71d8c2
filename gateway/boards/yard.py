"""Yard and reefers: moves, how long containers stay, seals, temperatures and power."""

from __future__ import annotations

from typing import Final

from gateway.boards.making.board import Board, Section, Variable
from gateway.boards.making.looks import NONE_IS_GOOD, PLAIN, Color, Column, State, Steps, Unit, rising
from gateway.boards.making.panels import curves, stat, timeline
from gateway.boards.making.queries import (
    chosen,
    count,
    is_,
    like,
    mean,
    percentile,
    series,
    single,
    states,
)
from gateway.boards.making.shared_parts import (
    figure,
    happened,
    last_events,
    number_of_alarms,
    standing_alarms,
    three_of,
)

MOVE: Final = "yard-move"
STAY: Final = "yard-stay"
DWELL: Final = "container-dwell"
OVERDUE: Final = "container-overdue"
SEAL: Final = "seal-opened"
REEFERS: Final = ("reefer-temperature", "reefer-power")
ALARMS: Final = "-(dwell|seal|reefer-temperature|reefer-power)$"
DEGREES: Final = ("°C", "degC", "Cel")
"""As makers of devices write the unit."""
POWER: Final = (State("true", "on", Color.GOOD), State("false", "off", Color.BAD))
_DAYS_S: Final = 86_400.0
_LONG_STAY: Final[Steps] = rising(5 * _DAYS_S, 10 * _DAYS_S)

_zone: Final = chosen("zone")
_reefer: Final = chosen("device", "reefer")

BOARD: Final = Board(
    name="yard",
    title="Yard and reefers",
    description="Moves, how long containers stay, seals that were opened, temperatures and power of reefers.",
    shown="24h",
    variables=(
        Variable("zone", "Zone", "event", where=(is_("event", MOVE, STAY),)),
        Variable("reefer", "Reefer", "signal", "device", (is_("unit", *DEGREES),), is_all_listed=True),
    ),
    sections=(
        Section(
            "In this time",
            (
                stat(
                    "Moves", "Containers that were seen in another zone of the yard.", Unit.COUNT,
                    single("event", count("id"), *happened(MOVE), _zone, alias="moves"), steps=PLAIN, nothing="0",
                ),
                stat(
                    "Stay in the terminal",
                    "From the transaction in to the transaction out, of containers that left: half of them no longer.",
                    Unit.SECONDS,
                    single("figure", percentile("value", 50), *figure(DWELL, "stay_s"), alias="stay"),
                    steps=_LONG_STAY,
                ),
                stat(
                    "Became overdue", "Containers that have stayed for longer than the yard allows.", Unit.COUNT,
                    single("event", count("id"), *happened(OVERDUE), alias="overdue"), steps=NONE_IS_GOOD, nothing="0",
                ),
                stat(
                    "Seals opened", "Seals whose tag says that they are open, away from gate and customs.", Unit.COUNT,
                    single("event", count("id"), *happened(SEAL), alias="seals"), steps=NONE_IS_GOOD, nothing="0",
                ),
                stat(
                    "Reefer alarms", "Reefers that left their set-point, or were without power, for too long.",
                    Unit.COUNT, single("event", count("id"), *happened(*REEFERS), alias="reefers"),
                    steps=NONE_IS_GOOD, nothing="0",
                ),
                number_of_alarms(like("rule", ALARMS)),
            ),
        ),
        Section(
            "Moves and stays",
            (
                curves(
                    "Moves an hour", "By the zone that containers came to.", Unit.COUNT,
                    series(
                        "event", count("id"), *happened(MOVE), _zone, by=("zone",), alias="$tag_zone", every="1h",
                        fill="0",
                    ),
                    draw="bars", stacked=True, fewest=0, decimals=0, calcs=("sum",),
                ),
                curves(
                    "Stay in a zone", "How long containers had been in the zone that they left: half of them.",
                    Unit.SECONDS,
                    series(
                        "figure", percentile("value", 50), *figure(STAY, "dwell_s"), _zone, by=("zone",),
                        alias="$tag_zone", every="1h",
                    ),
                    draw="points", fewest=0,
                ),
                curves(
                    "Stay in the terminal, by the hour of leaving",
                    "From the transaction in to the transaction out: half of the containers, nine of ten, the longest.",
                    Unit.SECONDS, *three_of(DWELL, "stay_s"), draw="points", fewest=0, steps=_LONG_STAY,
                ),
                curves(
                    "Out of sight before a move",
                    "How long containers were not seen by any antenna before they were seen in another zone: nine of "
                    "ten. What rises here is a blind spot.",
                    Unit.SECONDS,
                    series(
                        "figure", percentile("value", 90), *figure(MOVE, "way_s"), _zone, by=("zone",),
                        alias="$tag_zone", every="1h",
                    ),
                    draw="points", fewest=0,
                ),
            ),
        ),
        Section(
            "Reefers",
            (
                curves(
                    "Temperatures",
                    "Of devices that tell one, as a signal or as a reading. Set-points stand with the alarms below.",
                    Unit.CELSIUS,
                    series(
                        "signal", mean("value"), is_("unit", *DEGREES), chosen("site"), _reefer, by=("device",),
                        alias="$tag_device", fill="none",
                    ),
                    series(
                        "reading", mean("value"), is_("quantity", "temperature", "return_temperature"), chosen("site"),
                        by=("meter",), alias="$tag_meter", fill="none",
                    ),
                    step="1m", decimals=1, calcs=("lastNotNull", "min", "max"),
                ),
                timeline(
                    "Power and other contacts",
                    "Inputs of the same devices. A change is told once: a line begins with the first of this time.",
                    states(
                        "signal", "state", chosen("site"), _reefer, by=("device", "signal"),
                        alias="$tag_device $tag_signal", limit=500,
                    ),
                    states=POWER, width=12,
                ),
            ),
        ),
        Section(
            "What to look at",
            (
                standing_alarms(like("rule", ALARMS)),
                last_events(
                    "Reefers that were told", "The newest 50: the value that was too far from its set-point.",
                    REEFERS,
                    shown=(Column("event", "What", width=180), Column("subject", "Reefer")),
                    told=(
                        Column("value", "Value", Unit.CELSIUS, width=110, decimals=1),
                        Column("reefer_set_point_celsius", "Set-point", Unit.CELSIUS, width=110, decimals=1),
                    ),
                    height=6,
                ),
                last_events(
                    "Moves, overdue containers and seals", "The newest 50.", (MOVE, OVERDUE, SEAL),
                    shown=(
                        Column("event", "What", width=150),
                        Column("subject", "About"),
                        Column("name", "Container"),
                        Column("zone", "Zone", width=100),
                        Column("from_zone", "From", width=100),
                    ),
                    told=(Column("area", "Seen last in", width=110),),
                ),
            ),
        ),
    ),
)  # fmt: skip
