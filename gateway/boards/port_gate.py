"""The port gate: what passes, how long trucks take, what the lanes decided and why."""

from __future__ import annotations

from typing import Final

from gateway.boards.making.board import Board, Section, Variable
from gateway.boards.making.looks import NONE_IS_BEST, PLAIN, Color, Column, State, Unit, rising
from gateway.boards.making.panels import WIDTH, Panel, bars, curves, stat, table
from gateway.boards.making.queries import (
    Where,
    chosen,
    count,
    different,
    field_like,
    is_,
    last,
    like,
    most,
    percentile,
    series,
    single,
    sums,
)
from gateway.boards.making.shared_parts import RAISED, figure, last_events, three_of, unpacked

DECISION: Final = "gate-decision"
TRANSACTION: Final = "gate-transaction"
ALARMS: Final = "-(refused|queue)$"
"""Rules of the pack whose alarms tell of trucks that could not go on."""
VERDICTS: Final = (
    State("open", "open", Color.GOOD),
    State("hold", "hold", Color.WARN),
    State("trouble", "trouble", Color.BAD),
)
SLOW_TURN_S: Final = (2400.0, 3600.0)
_SLOW_QUEUE_S: Final = (900.0, 1800.0)
_SLOW_LANE_S: Final = (120.0, 300.0)

_site: Final = chosen("site")
_lane: Final = chosen("rule", "lane")
_told: Final = (
    Column("verdict", "Verdict", width=90, states=VERDICTS),
    Column("reasons", "Why"),
    Column("truck", "Truck", width=110),
    Column("container", "Container", width=130),
    Column("weight_kg", "Weight", Unit.KILOGRAM, width=100, decimals=0),
    Column("driver", "Driver", width=120),
    Column("seal_state", "Seal", width=90),
)


def _decided(verdict: str) -> tuple[Where, ...]:
    """Decisions with this verdict: it stands in the JSON text of the further fields."""
    return is_("event", DECISION), _site, _lane, field_like("fields", f'"verdict":"{verdict}"')


def _verdict(title: str, description: str, verdict: str, color: Color) -> Panel:
    return stat(
        title,
        description,
        Unit.COUNT,
        single("event", count("id"), *_decided(verdict), alias="decisions"),
        steps=((None, Color.GOOD), (1, color)),
        nothing="0",
    )


BOARD: Final = Board(
    name="port-gate",
    title="Port gate",
    description="What passes the gate, how long trucks take, what the lanes decided and why.",
    variables=(Variable("lane", "Lane", "event", "rule", (is_("event", DECISION, TRANSACTION),)),),
    sections=(
        Section(
            "In this time",
            (
                stat(
                    "Trucks through",
                    "Transactions of the lanes that are chosen: each is one truck that came and went.",
                    Unit.COUNT,
                    single("event", count("id"), is_("event", TRANSACTION), _site, _lane, alias="trucks"),
                    steps=PLAIN,
                    nothing="0",
                ),
                stat(
                    "Turn time",
                    "From the end of the gate-in to the end of the gate-out, as TIC 4.0 defines the turnaround: half "
                    "of the trucks took no longer.",
                    Unit.SECONDS,
                    single("figure", percentile("value", 50), *figure("truck-turn", "turn_s"), alias="turn"),
                    steps=rising(*SLOW_TURN_S),
                ),
                stat(
                    "Queue time",
                    "From the arrival in the queue to the first read in a lane: nine of ten trucks waited no longer.",
                    Unit.SECONDS,
                    single("figure", percentile("value", 90), *figure("truck-queue", "queue_s"), alias="queue"),
                    steps=rising(*_SLOW_QUEUE_S),
                ),
                _verdict("Opened", "Trucks that could drive on at once.", "open", Color.GOOD),
                _verdict(
                    "Held", "Trucks that a list, a weight or a seal held back. The lanes below say why.", "hold",
                    Color.WARN,
                ),
                _verdict(
                    "In trouble", "Trucks of which not all was read that must be: somebody has to look.", "trouble",
                    Color.BAD,
                ),
            ),
        ),
        Section(
            "Lanes now",
            (
                table(
                    "What each lane decided last",
                    "The newest decision of each lane in the time that is shown. `show` leads to its evidence: reads, "
                    "weight, look-ups.",
                    sums(
                        "event", {"fields": last("fields"), "id": last("id"), "decisions": count("id")},
                        is_("event", DECISION), _site, _lane, by=("rule",),
                    ),
                    columns=(
                        Column("rule", "Lane", width=160),
                        *_told,
                        Column("decisions", "Decisions", Unit.COUNT, width=100),
                        Column("id", "Evidence", width=90, is_evidence=True),
                    ),
                    transformations=(unpacked(*(column.name for column in _told)),),
                    nothing="None",
                    height=7,
                ),
            ),
        ),
        Section(
            "Flow",
            (
                curves(
                    "Trucks an hour",
                    "Transactions of each lane by full hours. The hour that runs is not over yet.",
                    Unit.COUNT,
                    series(
                        "event", count("id"), is_("event", TRANSACTION), _site, _lane, by=("rule",), alias="$tag_rule",
                        every="1h", fill="0",
                    ),
                    draw="bars", stacked=True, fewest=0, decimals=0, calcs=("sum", "max"),
                ),
                curves(
                    "Verdicts an hour",
                    "What the lanes decided: open, hold for people, or trouble because something was not read.",
                    Unit.COUNT,
                    *(
                        series("event", count("id"), *_decided(state.value), alias=state.text, every="1h", fill="0")
                        for state in VERDICTS
                    ),
                    draw="bars", stacked=True, fewest=0, decimals=0, calcs=("sum",),
                ),
                curves(
                    "Turn time of trucks",
                    "By the hour in which trucks left: half of them, nine of ten, and the longest.",
                    Unit.SECONDS,
                    *three_of("truck-turn", "turn_s"),
                    width=8, steps=rising(*SLOW_TURN_S), fewest=0, draw="points",
                ),
                curves(
                    "Queue time of trucks",
                    "By the hour in which trucks reached a lane. The queue is not part of the turn time.",
                    Unit.SECONDS,
                    *three_of("truck-queue", "queue_s"),
                    width=8, steps=rising(*_SLOW_QUEUE_S), fewest=0, draw="points",
                ),
                curves(
                    "Time in the lane",
                    "From the arrival at the detector to the last that was heard of the truck: nine of ten, by lane.",
                    Unit.SECONDS,
                    series(
                        "figure", percentile("value", 90), *figure(TRANSACTION, "duration_s"), _lane, by=("rule",),
                        alias="$tag_rule", every="1h",
                    ),
                    width=8, steps=rising(*_SLOW_LANE_S), fewest=0, draw="points",
                ),
            ),
        ),
        Section(
            "Weights and exceptions",
            (
                curves(
                    "Weights",
                    "Whole vehicles on the weighbridge of each lane when they stood still; the heaviest of each step.",
                    Unit.KILOGRAM,
                    series(
                        "figure", most("value"), *figure(DECISION, "weight_kg"), _lane, by=("rule",),
                        alias="$tag_rule",
                    ),
                    draw="points", fewest=0,
                ),
                bars(
                    "Exceptions by rule",
                    "Alarms of the gate that were raised: trucks that were refused, and queues that were too long.",
                    Unit.COUNT,
                    single(
                        "alarm", different("since_us"), like("rule", ALARMS), is_("state", RAISED), _site, by=("rule",),
                        alias="$tag_rule",
                    ),
                    steps=NONE_IS_BEST, width=12, nothing="0",
                ),
                last_events(
                    "Decisions",
                    "The newest 50 decisions of the lanes that are chosen, with what they rest on.",
                    (DECISION,), _lane,
                    shown=(Column("rule", "Lane", width=160),),
                    told=_told,
                    width=WIDTH, height=11,
                ),
            ),
        ),
    ),
)  # fmt: skip
