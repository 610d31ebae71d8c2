"""The wall screen: what stands, and one line for each part of the site, which leads to its board."""

from __future__ import annotations

from typing import Final

from gateway.boards import car_park, factory, platform, port_gate, power, reader_health, yard
from gateway.boards.making.board import Board, Section
from gateway.boards.making.looks import NONE_IS_BEST, NONE_IS_GOOD, PLAIN, Unit, falling, rising
from gateway.boards.making.panels import bars, curves, stat
from gateway.boards.making.queries import (
    chosen,
    count,
    field_like,
    growth,
    is_,
    last,
    like,
    mean,
    most,
    percentile,
    ratio,
    series,
    single,
    sums,
)
from gateway.boards.making.shared_parts import (
    LOOKS_BACK,
    figure,
    happened,
    number_of_alarms,
    only,
    standing_alarms,
    sum_of_all,
)

_site: Final = chosen("site")
_HIGH: Final = 5
_WIDE: Final = 8

BOARD: Final = Board(
    name="overview",
    title="Overview",
    description="The wall screen: what stands now, and one line for each part of the site, which leads to its board.",
    shown="12h",
    sections=(
        Section(
            "Alarms and devices",
            (
                number_of_alarms(height=8),
                number_of_alarms(
                    is_("severity", "critical"), title="Critical alarms", steps=NONE_IS_GOOD, height=8
                ),
                stat(
                    "Devices not online", "Devices that are offline or degraded now, of all of the last 30 days.",
                    Unit.COUNT, sums("device_status", {"state": last("state")}, _site, by=("device",)),
                    steps=NONE_IS_GOOD, calc="count", of="device", height=8, nothing="0", time_from=LOOKS_BACK,
                    transformations=(only("state", value="online", is_not=True),), leads_to=reader_health.BOARD.name,
                ),
                standing_alarms(width=12, height=8),
            ),
        ),
        Section(
            "Port",
            (
                stat(
                    "Trucks through", "Transactions of all lanes in this time.", Unit.COUNT,
                    single("event", count("id"), *happened(port_gate.TRANSACTION), alias="trucks"),
                    steps=PLAIN, nothing="0", height=_HIGH, leads_to=port_gate.BOARD.name,
                ),
                stat(
                    "Held or in trouble", "Decisions of the gate that did not open.", Unit.COUNT,
                    single("event", count("id"), *happened(port_gate.DECISION),
                           field_like("fields", '"verdict":"(hold|trouble)"'), alias="trucks"),
                    steps=NONE_IS_BEST, nothing="0", height=_HIGH, leads_to=port_gate.BOARD.name,
                ),
                stat(
                    "Turn time", "Half of the trucks took no longer from gate-in to gate-out.", Unit.SECONDS,
                    single("figure", percentile("value", 50), *figure("truck-turn", "turn_s"), alias="turn"),
                    steps=rising(*port_gate.SLOW_TURN_S), height=_HIGH, leads_to=port_gate.BOARD.name,
                ),
                stat(
                    "Yard moves", "Containers that were seen in another zone of the yard.", Unit.COUNT,
                    single("event", count("id"), *happened(yard.MOVE), alias="moves"),
                    steps=PLAIN, nothing="0", height=_HIGH, leads_to=yard.BOARD.name,
                ),
                curves(
                    "Trucks an hour", "Transactions of each lane by full hours.", Unit.COUNT,
                    series("event", count("id"), *happened(port_gate.TRANSACTION), by=("rule",), alias="$tag_rule",
                           every="1h", fill="0"),
                    draw="bars", stacked=True, fewest=0, decimals=0, width=_WIDE, height=_HIGH,
                    leads_to=port_gate.BOARD.name,
                ),
            ),
        ),
        Section(
            "Power",
            (
                bars(
                    "Load", "Active power of each meter, all phases together, as it was read last.", Unit.WATT,
                    single("reading", last("value"), is_("quantity", "active_power"), is_("phase", ""),
                           is_("tariff", ""), _site, by=("meter",), alias="$tag_meter"),
                    steps=PLAIN, width=_WIDE, height=_HIGH, leads_to=power.BOARD.name,
                ),
                bars(
                    "Power that must go",
                    "So much less until the end of the window, or the contracted demand is exceeded.",
                    Unit.WATT,
                    single("reading", last("value"), is_("quantity", "active_power_excess"), _site, by=("meter",),
                           alias="$tag_meter"),
                    steps=power.BEYOND, fewest=None, width=_WIDE, height=_HIGH, leads_to=power.BOARD.name,
                ),
                curves(
                    "Active power", "Of each meter, all phases together.", Unit.WATT,
                    series("reading", mean("value"), is_("quantity", "active_power"), is_("phase", ""),
                           is_("tariff", ""), _site, by=("meter",), alias="$tag_meter", fill="none"),
                    width=_WIDE, height=_HIGH, leads_to=power.BOARD.name,
                ),
            ),
        ),
        Section(
            "Factory",
            (
                bars(
                    "OEE", "Availability, performance and quality multiplied: mean of the intervals.", Unit.SHARE,
                    single("production", mean("oee"), is_("period", "interval"), _site, by=("machine",),
                           alias="$tag_machine"),
                    steps=falling(0.6, 0.8), most=1, decimals=0, width=_WIDE, height=_HIGH,
                    leads_to=factory.BOARD.name,
                ),
                stat(
                    "Work in progress", "Things on each line now.", Unit.COUNT,
                    single("figure", last("value"), is_("event", *factory.LINE), is_("figure", "inside"),
                           like("rule", factory.WORK_IN_PROGRESS), _site, by=("rule",), alias="$tag_rule"),
                    steps=PLAIN, height=_HIGH, leads_to=factory.BOARD.name,
                ),
                stat(
                    "Routes incomplete", "Things that left their line without one of its stations.", Unit.COUNT,
                    single("event", count("id"), *happened(factory.ROUTES[1]), alias="incomplete"),
                    steps=NONE_IS_GOOD, nothing="0", height=_HIGH, leads_to=factory.BOARD.name,
                ),
                curves(
                    "Routes an hour", "Things that left their line, with all of its stations or without.", Unit.COUNT,
                    series("event", count("id"), *happened(*factory.ROUTES), by=("event",), alias="$tag_event",
                           every="1h", fill="0"),
                    draw="bars", stacked=True, fewest=0, decimals=0, width=_WIDE, height=_HIGH,
                    leads_to=factory.BOARD.name,
                ),
            ),
        ),
        Section(
            "Car park",
            (
                stat(
                    "Inside", "Who entered and has not left, as it was counted last.", Unit.COUNT,
                    single("figure", last("value"), is_("event", *car_park.COUNTED), is_("figure", "inside"), _site,
                           by=("rule",), alias="$tag_rule"),
                    steps=PLAIN, height=_HIGH, leads_to=car_park.BOARD.name,
                ),
                stat(
                    "Free", "Places that are left. Areas without a capacity have none.", Unit.COUNT,
                    single("figure", last("value"), is_("event", *car_park.COUNTED), is_("figure", "free"), _site,
                           by=("rule",), alias="$tag_rule"),
                    steps=falling(1, 5), height=_HIGH, leads_to=car_park.BOARD.name,
                ),
                stat(
                    "Refused", "Cards that may not pass.", Unit.COUNT,
                    single("event", count("id"), *happened(car_park.DECISION),
                           field_like("fields", '"verdict":"refused"'), alias="refused"),
                    steps=NONE_IS_BEST, nothing="0", height=_HIGH, leads_to=car_park.BOARD.name,
                ),
                stat(
                    "Response", "From the card to the barrier: nine of ten were faster.", Unit.SECONDS,
                    single("figure", percentile("value", 90), *figure(car_park.RAISED, "response_s"),
                           alias="response"),
                    steps=rising(*car_park.SLOW_BARRIER_S), decimals=2, height=_HIGH, leads_to=car_park.BOARD.name,
                ),
                curves(
                    "Inside over time", "As it was counted with each entry and exit.", Unit.COUNT,
                    series("figure", last("value"), is_("event", *car_park.COUNTED), is_("figure", "inside"), _site,
                           by=("rule",), alias="$tag_rule", fill="previous"),
                    fewest=0, decimals=0, stepped=True, width=_WIDE, height=_HIGH, leads_to=car_park.BOARD.name,
                ),
            ),
        ),
        Section(
            "Readers and platform",
            (
                stat(
                    "Reads a second", "Of all antennas together, in each second that one was watched.",
                    Unit.READS_PER_S, single("read_rate", ratio("reads", "watched_s"), _site, alias="reads"),
                    steps=PLAIN, decimals=1, height=_HIGH, leads_to=reader_health.BOARD.name,
                ),
                stat(
                    "Ledgers that differ",
                    "Kinds of items of which heard is not judged + dropped + waiting + unjudged. Any is a defect.",
                    Unit.COUNT, sums("ledger", {"balanced": last("balanced")}, _site, by=("gateway", "kind")),
                    steps=NONE_IS_GOOD, calc="count", of="kind", nothing="0", height=_HIGH,
                    transformations=(only("balanced", value=True, is_not=True),), leads_to=platform.BOARD.name,
                ),
                stat(
                    "Dropped", "Items that will never be judged.", Unit.SHORT,
                    series("dropped", growth("items"), _site, by=("gateway", "kind", "reason"),
                           alias="$tag_gateway $tag_kind $tag_reason", fill="none"),
                    steps=NONE_IS_GOOD, calc="sum", of="Total", nothing="0", transformations=(sum_of_all(),),
                    height=_HIGH, leads_to=platform.BOARD.name,
                ),
                stat(
                    "Latency", "From the socket to the committed store: 99 of 100 batches were faster, at the worst.",
                    Unit.MILLISECONDS, series("latency", most("p99_ms"), _site, alias="p99", fill="none"),
                    steps=rising(*platform.LATE_MS), calc="max", decimals=0, height=_HIGH,
                    leads_to=platform.BOARD.name,
                ),
                curves(
                    "Points that wait for a store", "They are on disk and lost by no crash.", Unit.SHORT,
                    series("sink", last("queued"), _site, by=("sink",), alias="$tag_sink", fill="none"),
                    step=platform.STEP, fewest=0, width=_WIDE, height=_HIGH, leads_to=platform.BOARD.name,
                ),
            ),
        ),
    ),
)  # fmt: skip
