"""The car park: who is inside, what is free, who was refused and why, how fast barriers answer."""

from __future__ import annotations

from typing import Final

from gateway.boards.making.board import Board, Section, Variable
from gateway.boards.making.looks import NONE_IS_BEST, NONE_IS_GOOD, PLAIN, Color, Column, State, Unit, falling, rising
from gateway.boards.making.panels import curves, stat
from gateway.boards.making.queries import Where, count, field_like, last, like, percentile, series, single
from gateway.boards.making.shared_parts import (
    figure,
    happened,
    last_events,
    number_of_alarms,
    standing_alarms,
    three_of,
)

ENTRY: Final = "parking-entry"
VISIT: Final = "parking-visit"
COUNTED: Final = (ENTRY, VISIT, "parking-violation", "parking-overstay")
ODD: Final = ("parking-violation", "parking-overstay", "barrier-unmatched", "access-duress", "fire-mode")
DECISION: Final = "access-decision"
RAISED: Final = "barrier-raised"
AREA: Final = "(.*)-inside"
ALARMS: Final = "-(inside|duress|fire|forced|.*-waits)$"
VERDICTS: Final = (State("granted", "granted", Color.GOOD), State("refused", "refused", Color.WARN))
SLOW_BARRIER_S: Final = (1.5, 3.0)

_inside: Final = like("rule", "^$area-inside$")
_barriers: Final = like("rule", "^$area-barriers$")
_lanes: Final = like("rule", "^$area-(entry|exit)$")
_entries: Final = like("rule", "^$area-entry$")


def _count(name: str) -> tuple[Where, ...]:
    """What the area counted, as every event of it tells."""
    return (happened(*COUNTED)[0], *figure(ENTRY, name)[1:], _inside)


_refused: Final = (*happened(DECISION), _lanes, field_like("fields", '"verdict":"refused"'))

BOARD: Final = Board(
    name="car-park",
    title="Car park",
    description="Who is inside, what is free, who was refused and why, and how fast barriers answer.",
    shown="12h",
    variables=(Variable("area", "Area", "event", "rule", (happened(ENTRY)[0],), pattern=AREA),),
    sections=(
        Section(
            "Now",
            (
                stat(
                    "Inside", "Who entered and has not left, as it was counted last.", Unit.COUNT,
                    single("figure", last("value"), *_count("inside"), by=("rule",), alias="$tag_rule"), steps=PLAIN,
                ),
                stat(
                    "Free", "Places that are left. Areas without a capacity have none.", Unit.COUNT,
                    single("figure", last("value"), *_count("free"), by=("rule",), alias="$tag_rule"),
                    steps=falling(1, 5),
                ),
                stat(
                    "Entries", "That were counted in this time.", Unit.COUNT,
                    single("event", count("id"), *happened(ENTRY), _inside, alias="entries"), steps=PLAIN, nothing="0",
                ),
                stat(
                    "Refused", "Cards that may not pass. The list below says why.", Unit.COUNT,
                    single("event", count("id"), *_refused, alias="refused"), steps=NONE_IS_BEST, nothing="0",
                ),
                stat(
                    "Response", "From the card to the barrier: nine of ten were faster.", Unit.SECONDS,
                    single("figure", percentile("value", 90), *figure(RAISED, "response_s"), _barriers,
                           alias="response"),
                    steps=rising(*SLOW_BARRIER_S), decimals=2,
                ),
                number_of_alarms(like("rule", ALARMS)),
            ),
        ),
        Section(
            "Flow",
            (
                curves(
                    "Inside over time", "As it was counted with each entry and exit.", Unit.COUNT,
                    series("figure", last("value"), *_count("inside"), by=("rule",), alias="$tag_rule",
                           fill="previous"),
                    fewest=0, decimals=0, stepped=True,
                ),
                curves(
                    "Entries and exits an hour", "That were counted: an exit without its entry is none.", Unit.COUNT,
                    series("event", count("id"), *happened(ENTRY), _inside, alias="entries", every="1h", fill="0"),
                    series("event", count("id"), *happened(VISIT), _inside, alias="exits", every="1h", fill="0"),
                    draw="bars", fewest=0, decimals=0, calcs=("sum",),
                ),
                curves(
                    "Stay", "Of those who left: half of them, nine of ten, and the longest.", Unit.SECONDS,
                    *three_of(VISIT, "dwell_s", _inside), width=8, draw="points", fewest=0,
                ),
                curves(
                    "Refused an hour", "At entries and exits.", Unit.COUNT,
                    series("event", count("id"), *_refused, by=("rule",), alias="$tag_rule", every="1h", fill="0"),
                    width=8, draw="bars", stacked=True, fewest=0, decimals=0, calcs=("sum",),
                ),
                curves(
                    "Response of barriers", "From the card to the barrier that is up.", Unit.SECONDS,
                    *three_of(RAISED, "response_s", _barriers, every="15m"),
                    width=8, draw="points", fewest=0, steps=rising(*SLOW_BARRIER_S), decimals=2,
                ),
            ),
        ),
        Section(
            "What to look at",
            (
                stat(
                    "Passed as nobody can",
                    "Entries without an exit before, exits without an entry, entries into a full area.",
                    Unit.COUNT, single("event", count("id"), *happened(ODD[0]), _inside, alias="violations"),
                    steps=NONE_IS_BEST, nothing="0", width=8,
                ),
                stat(
                    "Stay too long", "Who has been inside for longer than the area allows.", Unit.COUNT,
                    single("event", count("id"), *happened(ODD[1]), _inside, alias="overstays"), steps=NONE_IS_BEST,
                    nothing="0", width=8,
                ),
                stat(
                    "Barriers without a card", "Barriers that rose without a grant, or were granted and did not rise.",
                    Unit.COUNT, single("event", count("id"), *happened(ODD[2]), _barriers, alias="barriers"),
                    steps=NONE_IS_GOOD, nothing="0", width=8,
                ),
                standing_alarms(like("rule", ALARMS)),
                last_events(
                    "Decisions at entries", "The newest 50 cards, and what became of them.", (DECISION,), _entries,
                    shown=(Column("subject", "Lane", width=140), Column("name", "Holder")),
                    told=(
                        Column("verdict", "Verdict", width=100, states=VERDICTS),
                        Column("reasons", "Why"),
                        Column("inside", "Inside", Unit.COUNT, width=90),
                    ),
                ),
                last_events(
                    "What was odd", "The newest 50: passages that cannot be, stays that are too long, duress, fire.",
                    ODD,
                    shown=(Column("event", "What", width=180), Column("subject", "About"), Column("name", "Name")),
                    told=(Column("reason", "Why"), Column("inside", "Inside", Unit.COUNT, width=90)),
                ),
            ),
        ),
    ),
)  # fmt: skip
