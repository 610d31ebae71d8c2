"""The platform itself: the loss ledger, backlogs, latency, stores, what rules cost."""

from __future__ import annotations

from typing import Final

from gateway.boards.making.board import Board, Section, Variable
from gateway.boards.making.looks import NONE_IS_GOOD, Color, Column, State, Unit, rising
from gateway.boards.making.panels import curves, stat, table
from gateway.boards.making.queries import (
    chosen,
    growth,
    growth_per_s,
    last,
    like,
    most,
    series,
    share_of_time,
    sums,
    total,
    unlike,
)
from gateway.boards.making.shared_parts import largest_first, number_of_alarms, only, standing_alarms, sum_of_all

PARTS: Final = r"^\("
"""What the rules daemon does beside rules stands in parentheses."""
BALANCED: Final = (State("true", "balanced", Color.GOOD), State("false", "differs", Color.BAD))
DOWN: Final = (State("false", "stores", Color.GOOD), State("true", "down", Color.BAD))
STEP: Final = "30s"
"""The platform tells of itself every 10 s."""
LEDGER: Final = ("heard", "judged", "dropped", "waiting", "unjudged", "balanced")
LATE_MS: Final = (500.0, 2000.0)
_BACKLOG: Final = rising(100_000, 1_000_000)

_gateway: Final = (chosen("site"), chosen("gateway"))
_site: Final = chosen("site")

BOARD: Final = Board(
    name="platform",
    title="Platform",
    description="The loss ledger, backlogs, latency, stores, and what rules cost.",
    site_from="ledger",
    shown="3h",
    variables=(Variable("gateway", "Gateway", "ledger"),),
    sections=(
        Section(
            "In this time",
            (
                stat(
                    "Ledgers that differ",
                    "Kinds of items of which heard is not judged + dropped + waiting + unjudged. Any is a defect.",
                    Unit.COUNT,
                    sums("ledger", {"balanced": last("balanced")}, *_gateway, by=("gateway", "kind")),
                    steps=NONE_IS_GOOD, calc="count", of="kind", nothing="0",
                    transformations=(only("balanced", value=True, is_not=True),),
                ),
                stat(
                    "Dropped", "Items that will never be judged. Each has its reason below.", Unit.SHORT,
                    series("dropped", growth("items"), *_gateway, by=("gateway", "kind", "reason"),
                           alias="$tag_gateway $tag_kind $tag_reason", fill="none"),
                    steps=NONE_IS_GOOD, calc="sum", of="Total", nothing="0", transformations=(sum_of_all(),),
                ),
                stat(
                    "Refused by stores", "Points that a store could not take; they are in the quarantine.", Unit.SHORT,
                    series("sink", growth("refused"), _site, by=("sink",), alias="$tag_sink", fill="none"),
                    steps=NONE_IS_GOOD, calc="sum", of="Total", nothing="0", transformations=(sum_of_all(),),
                ),
                stat(
                    "Latency", "From the socket to the committed store: 99 of 100 batches were faster, at the worst.",
                    Unit.MILLISECONDS, series("latency", most("p99_ms"), _site, alias="p99", fill="none"),
                    steps=rising(*LATE_MS), calc="max", decimals=0,
                ),
                stat(
                    "Rules daemon", "What part of one processor core it takes, all of its work together.", Unit.SHARE,
                    series("rule_time", share_of_time("busy_ms", times=1), _site, alias="of a core", fill="none"),
                    steps=rising(0.6, 0.9), calc="mean", decimals=0,
                ),
                number_of_alarms(),
            ),
        ),
        Section(
            "The loss ledger",
            (
                table(
                    "Ledger of each gateway",
                    "As it was told last: heard = judged + dropped + waiting + unjudged, since the journal of the "
                    "gateway began.",
                    sums(
                        "ledger",
                        {name: last(name) for name in LEDGER},
                        *_gateway, by=("gateway", "kind"),
                    ),
                    columns=(
                        Column("gateway", "Gateway"),
                        Column("kind", "Kind", width=110),
                        Column("heard", "Heard", Unit.SHORT),
                        Column("judged", "Judged", Unit.SHORT),
                        Column("dropped", "Dropped", Unit.SHORT, steps=NONE_IS_GOOD),
                        Column("waiting", "Waiting", Unit.SHORT),
                        Column("unjudged", "Unjudged", Unit.SHORT),
                        Column("balanced", "Balance", width=120, states=BALANCED),
                    ),
                    nothing="None",
                ),
                curves(
                    "Heard a second", "Reads, cards, readings and signals of each gateway.", Unit.SHORT,
                    series("ledger", growth_per_s("heard"), *_gateway, by=("gateway", "kind"),
                           alias="$tag_gateway $tag_kind", fill="none"),
                    step=STEP, fewest=0,
                ),
                curves(
                    "Dropped by reason", "Items that will never be judged, in each step.", Unit.SHORT,
                    series("dropped", growth("items"), *_gateway, by=("gateway", "kind", "reason"),
                           alias="$tag_gateway $tag_kind $tag_reason", fill="none"),
                    step=STEP, fewest=0, draw="bars", stacked=True, calcs=("sum",),
                ),
            ),
        ),
        Section(
            "Backlogs",
            (
                curves(
                    "Not judged yet", "Items that wait at a gateway, by kind: what rises does not keep up.", Unit.SHORT,
                    series("ledger", last("waiting"), *_gateway, by=("gateway", "kind"),
                           alias="waiting $tag_gateway $tag_kind", fill="none"),
                    series("ledger", last("unjudged"), *_gateway, by=("gateway", "kind"),
                           alias="unjudged $tag_gateway $tag_kind", fill="none"),
                    step=STEP, fewest=0, width=8, steps=_BACKLOG,
                ),
                curves(
                    "Points that wait for a store", "They are on disk and lost by no crash.", Unit.SHORT,
                    series("sink", last("queued"), _site, by=("sink",), alias="$tag_sink", fill="none"),
                    step=STEP, fewest=0, width=8, steps=_BACKLOG,
                ),
                curves(
                    "Bytes that wait for a store", "Against the bound that the site file sets.", Unit.BYTES,
                    series("sink", last("queued_bytes"), _site, by=("sink",), alias="$tag_sink", fill="none"),
                    step=STEP, fewest=0, width=8,
                ),
                table(
                    "Stores", "As they were told last: made = stored + refused + queued.",
                    sums(
                        "sink",
                        {name: last(name) for name in ("made", "stored", "refused", "queued", "is_down")},
                        _site, by=("sink",),
                    ),
                    columns=(
                        Column("sink", "Store"),
                        Column("is_down", "State", width=110, states=DOWN),
                        Column("made", "Made", Unit.SHORT),
                        Column("stored", "Stored", Unit.SHORT),
                        Column("refused", "Refused", Unit.SHORT, steps=NONE_IS_GOOD),
                        Column("queued", "Queued", Unit.SHORT),
                    ),
                    height=6, nothing="None",
                ),
            ),
        ),
        Section(
            "Latency and the cost of rules",
            (
                curves(
                    "From the socket to the store", "Of the batches of each interval: half, and 99 of 100.",
                    Unit.MILLISECONDS,
                    series("latency", most("p50_ms"), _site, by=("path",), alias="half $tag_path", fill="none"),
                    series("latency", most("p99_ms"), _site, by=("path",), alias="99 of 100 $tag_path", fill="none"),
                    step=STEP, fewest=0, steps=rising(*LATE_MS),
                ),
                curves(
                    "Where the time of the rules daemon goes",
                    "As parts of one core: all rules together, and the work beside them in parentheses.",
                    Unit.SHARE,
                    series("rule_time", share_of_time("busy_ms", times=1), unlike("rule", PARTS), _site,
                           alias="all rules"),
                    series("rule_time", share_of_time("busy_ms", times=1), like("rule", PARTS), _site, by=("rule",),
                           alias="$tag_rule"),
                    step=STEP, fewest=0, stacked=True,
                ),
                table(
                    "Rules that cost the most", "In this time, estimated from batches that are measured.",
                    sums(
                        "rule_time",
                        {name: total(name) for name in ("busy_ms", "items", "events", "alarms")},
                        unlike("rule", PARTS), _site, by=("rule",),
                    ),
                    columns=(
                        Column("rule", "Rule"),
                        Column("busy_ms", "Time", Unit.MILLISECONDS, width=130),
                        Column("items", "Items", Unit.SHORT, width=110),
                        Column("events", "Events", Unit.SHORT, width=110),
                        Column("alarms", "Alarms", Unit.SHORT, width=110),
                    ),
                    transformations=largest_first("busy_ms", 30), nothing="None",
                ),
            ),
        ),
        Section("What to look at", (standing_alarms(),)),
    ),
)  # fmt: skip
