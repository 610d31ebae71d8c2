"""Readers: what each antenna reads, measured by itself a week before; links, clocks, time in which nobody watched."""

from __future__ import annotations

from typing import Final

from gateway.boards.making.board import Board, Section, Variable
from gateway.boards.making.looks import PLAIN, Color, Column, State, Unit, falling
from gateway.boards.making.panels import curves, stat, table, timeline
from gateway.boards.making.queries import (
    Query,
    Span,
    chosen,
    last,
    mean,
    most,
    ratio,
    series,
    share_of_time,
    single,
    states,
    sums,
)
from gateway.boards.making.shared_parts import LOOKS_BACK, divided, joined, number_of_alarms, only

STATES: Final = (
    State("online", "online", Color.GOOD),
    State("degraded", "degraded", Color.WARN),
    State("offline", "offline", Color.BAD),
)
STEP: Final = "1m"
"""Read rates come every 10 s, if nothing else is said: of a minute, there are always some."""

_of: Final = (chosen("site"), chosen("device"), chosen("read_point"))
_device: Final = (chosen("site"), chosen("device"))
_rate: Final = ratio("reads", "watched_s")


def _each_antenna() -> Query:
    return series("read_rate", _rate, *_of, by=("read_point",), alias="$tag_read_point")


BOARD: Final = Board(
    name="readers",
    title="Reader health",
    description="What each antenna reads, measured by itself a week before; links, clocks, and time unwatched.",
    site_from="read_rate",
    variables=(
        Variable("device", "Device", "device_status"),
        Variable("read_point", "Read point", "read_rate"),
    ),
    sections=(
        Section(
            "In this time",
            (
                stat(
                    "Reads a second", "Of all antennas that are chosen together, in each second that one was watched.",
                    Unit.READS_PER_S, single("read_rate", _rate, *_of, alias="reads"), steps=PLAIN, decimals=1,
                ),
                stat(
                    "Devices not online",
                    "Devices that are offline or degraded now, of all that were heard of in the last 30 days.",
                    Unit.COUNT, sums("device_status", {"state": last("state")}, *_device, by=("device",)),
                    steps=((None, Color.GOOD), (1, Color.BAD)), calc="count", of="device",
                    transformations=(only("state", value="online", is_not=True),), nothing="0", time_from=LOOKS_BACK,
                ),
                stat(
                    "Power of reads", "The mean of the antennas that are chosen; below -70 dBm tags are read by luck.",
                    Unit.DBM, single("read_rate", mean("rssi_mean_dbm"), *_of, alias="mean of all"), decimals=0,
                    steps=falling(-70, -65),
                ),
                number_of_alarms(),
            ),
        ),
        Section(
            "Antennas by their own baseline",
            (
                table(
                    "Read rate now and in the week before",
                    "Reads in each watched second, in the time that is shown and in the seven days before it began. An "
                    "antenna that reads half of what it did has lost its cable, its place or its work.",
                    sums("read_rate", {"now": _rate, "tags": most("unique_tags")}, *_of, by=("read_point",)),
                    sums("read_rate", {"before": _rate}, *_of, by=("read_point",), span=Span.WEEK_BEFORE),
                    columns=(
                        Column("read_point", "Read point"),
                        Column("now", "Now", Unit.READS_PER_S, decimals=2),
                        Column("before", "Week before", Unit.READS_PER_S, decimals=2),
                        Column("share", "Of its baseline", Unit.SHARE, decimals=0, steps=falling(0.5, 0.8)),
                        Column("tags", "Most tags at once", Unit.COUNT),
                    ),
                    transformations=(joined("read_point"), divided("now", "before", "share")),
                    nothing="None",
                ),
                curves(
                    "Read rate", "Reads of each antenna in each second that it was watched.", Unit.READS_PER_S,
                    _each_antenna(), step=STEP, fewest=0,
                ),
                curves(
                    "Read rate, a day before", "The same antennas at the same hours of the day before.",
                    Unit.READS_PER_S, _each_antenna(), step=STEP, fewest=0, time_shift="1d",
                ),
            ),
        ),
        Section(
            "What they hear",
            (
                curves(
                    "Different tags", "How many different tags an antenna read in an interval: the most of each step.",
                    Unit.COUNT,
                    series("read_rate", most("unique_tags"), *_of, by=("read_point",), alias="$tag_read_point"),
                    step=STEP, fewest=0, width=8,
                ),
                curves(
                    "Power of reads by antenna",
                    "Mean power of reads, by antenna. A slow fall is a connector, a sudden one a cable.", Unit.DBM,
                    series("read_rate", mean("rssi_mean_dbm"), *_of, by=("read_point",), alias="$tag_read_point"),
                    step=STEP, width=8, steps=falling(-70, -65),
                ),
                curves(
                    "Watched time",
                    "What part of the time each antenna was really being read. Silence counts as silence only then.",
                    Unit.SHARE,
                    series("read_rate", share_of_time("watched_s"), *_of, by=("read_point",), alias="$tag_read_point"),
                    step=STEP, fewest=0, most=1, width=8, steps=falling(0.9, 0.99),
                ),
            ),
        ),
        Section(
            "Devices",
            (
                table(
                    "Devices now", "The last that was heard of each device in 30 days. Reconnects are all of its life.",
                    sums(
                        "device_status",
                        {
                            "state": last("state"), "reason": last("reason"), "reconnects": last("reconnects"),
                            "heard": last("heard"), "clock_offset": last("clock_offset_us"),
                        },
                        *_device, by=("device", "driver"),
                    ),
                    columns=(
                        Column("device", "Device"),
                        Column("state", "State", width=110, states=STATES),
                        Column("reason", "Reason"),
                        Column("driver", "Driver", width=130),
                        Column("reconnects", "Reconnects", Unit.COUNT, width=120),
                        Column("heard", "Heard", Unit.SHORT, width=110),
                        Column("clock_offset", "Clock offset", Unit.MICROSECONDS, width=130),
                    ),
                    nothing="None", time_from=LOOKS_BACK,
                ),
                timeline(
                    "States", "Each change of the last day: a device whose state did not change in it has no line.",
                    states("device_status", "state", *_device, by=("device",), alias="$tag_device", limit=500),
                    states=STATES, time_from="24h", height=10,
                ),
                curves(
                    "Reconnects",
                    "How often the link to a device was made anew, in all of its life: told with each change of state.",
                    Unit.COUNT,
                    series("device_status", last("reconnects"), *_device, by=("device",), alias="$tag_device",
                           fill="none"),
                    stepped=True, fewest=0, decimals=0,
                ),
                curves(
                    "Clock offset",
                    "How far the clock of a device is from that of the gateway, when it was told. Times are corrected "
                    "by it.",
                    Unit.MICROSECONDS,
                    series("device_status", last("clock_offset_us"), *_device, by=("device",), alias="$tag_device",
                           fill="none"),
                    draw="points",
                ),
            ),
        ),
    ),
)  # fmt: skip
