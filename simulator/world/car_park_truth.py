"""What should be concluded of the cards at a car park, and the table of holders that it is judged by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from simulator.world.car_park import ENTRY, EXIT, Holder, Presentation, Visitor
from simulator.world.expected import Expected

LANES: Final = {ENTRY: "lane-in", EXIT: "lane-out"}
"""What the site file calls the lanes."""
FORBIDDEN: Final = "barrier-unmatched"
"""Of a barrier that rises and no card was granted: no such event is right."""
_CARD_US: Final = 2_000_000  # a reader tells of a card so much later at most
_BARRIER_US: Final = 5_000_000
_US_PER_S: Final = 1_000_000
_NEAR_S: Final = 2.0
_REASONS: Final = {
    Visitor.AGAIN: "The holder has entered already",
    Visitor.EXPIRED: "The card has expired",
    Visitor.STRANGER: "The card is not known",
}
_VALID: Final = timedelta(days=365)


def expected(shown: Sequence[Presentation], longest_s: float) -> list[Expected]:
    """Every event that the pack should make of them, of the types that are counted."""
    found = [each for one in shown for each in _decided(one)]
    entered_us: dict[str, int] = {}
    for one in sorted(shown, key=lambda each: each.at_us):
        if not one.is_granted:
            continue
        who = one.holder.name
        if one.place == ENTRY:
            entered_us[who] = one.at_us
        else:
            found += _visited(who, entered_us.pop(who), one.at_us, round(longest_s * _US_PER_S))
    return found


def holders_csv(shown: Iterable[Presentation], start_us: int) -> str:
    """The table of all enrolled holders, and until when their cards are valid."""
    start = datetime.fromtimestamp(start_us // _US_PER_S, UTC)
    holders: dict[str, Holder] = {each.holder.name: each.holder for each in shown if each.holder.is_enrolled}
    lines = [
        f"{name},citizens,{(start + (_VALID if who.is_valid else -timedelta(days=1))).isoformat()}"
        for name, who in sorted(holders.items())
    ]
    return "\n".join(["holder,list,valid_until", *lines]) + "\n"


def _decided(one: Presentation) -> Iterator[Expected]:
    lane = LANES[one.place]
    match = {"subject": lane, "verdict": "granted" if one.is_granted else "refused"}
    match["reasons"] = "" if one.is_granted else _REASONS[one.visitor]
    if one.holder.is_enrolled:
        match["name"] = one.holder.name
    kind = "cards granted" if one.is_granted else "cards refused"
    yield Expected(kind, "access-decision", one.at_us, _CARD_US, match)
    if one.is_granted:
        yield Expected("barriers raised", "barrier-raised", one.at_us, _BARRIER_US, {"subject": lane})
    elif one.visitor is Visitor.AGAIN:
        match = {"subject": one.holder.name, "reason": "entered_twice"}
        yield Expected("cards passed on", "parking-violation", one.at_us, _CARD_US, match)


def _visited(who: str, entered_us: int, left_us: int, longest_us: int) -> Iterator[Expected]:
    dwell_s = (left_us - entered_us) / _US_PER_S
    yield Expected(
        "stays", "parking-visit", left_us, _CARD_US, {"subject": who, "dwell_s": dwell_s}, {"dwell_s": _NEAR_S}
    )
    if left_us - entered_us > longest_us:
        yield Expected("stays too long", "parking-overstay", entered_us + longest_us, _CARD_US, {"subject": who})
