"""Compares what the product concluded with what really happened in the simulated world."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from gateway.contract.events import Event

NEAR_US: Final = 8_000_000  # an event belongs to a happening if it lies within 8 s of it
NEAR_CARD_US: Final = 2_000_000
WEIGHED_WITHIN_US: Final = 4_000_000  # after the truck stands: the weight must be calm for a while first
WEIGHED_WITHIN_KG: Final = 40.0
PASSAGE: Final = "passage"
ARRIVED: Final = "arrived"
MOVED: Final = "moved"  # straight from one station to the next
CARD_PRESENTED: Final = "card_presented"
TRUCK_WEIGHED: Final = "truck-weighed"
TYPES: Final = (PASSAGE, ARRIVED, MOVED, CARD_PRESENTED, TRUCK_WEIGHED)
"""Event types that are compared."""

Happening = Mapping[str, Any]


def compare(events: Sequence[Event], truth: Mapping[str, Any]) -> dict[str, int]:
    """How much of the truth was seen; an event stands for one happening at most. What did not occur is left out."""
    found = _passages(_of(events, PASSAGE), truth.get("passages", ()))
    if visits := truth.get("visits", ()):
        pallets = {visit["epc"] for visit in visits}
        came = [event for event in _of(events, ARRIVED, MOVED) if event.subject in pallets]
        found |= _counted("visits", visits, came, _is_visit)
    if cards := truth.get("cards", ()):
        presented = _of(events, CARD_PRESENTED)
        found |= _counted("cards", cards, presented, _is_card)
        found["cards_misnamed"] = _misnamed(cards, presented)
    if weighings := truth.get("weighings", ()):
        found |= _counted("weighings", weighings, _of(events, TRUCK_WEIGHED), _is_weighing)
    return found


def until(truth: Mapping[str, Any], now_us: int) -> dict[str, Any]:
    """The truth up to `now_us`: what had not yet happened by then is not to be expected."""
    ends = {"passages": "crosses_us", "visits": "at_us", "cards": "at_us", "weighings": "moves_us"}
    return {
        name: [each for each in value if each[ends[name]] < now_us] if name in ends else value
        for name, value in truth.items()
    }


def faults(found: Mapping[str, int]) -> list[str]:
    """What differs from the truth, one line each."""
    wrong = []
    if found["detected"] != found["passages"]:
        wrong.append(f"{found['passages'] - found['detected']} of {found['passages']} passages were not detected")
    if found["wrong_direction"]:
        wrong.append(f"{found['wrong_direction']} passages have the wrong direction")
    if found["ghosts"]:
        wrong.append(f"{found['ghosts']} passages were reported that nobody made")
    for kind, what in (("visits", "visits of stations"), ("cards", "shown cards"), ("weighings", "weighings")):
        if kind not in found:
            continue
        if found[f"{kind}_seen"] != found[kind]:
            wrong.append(f"{found[kind] - found[f'{kind}_seen']} of {found[kind]} {what} were not seen")
        if found[f"{kind}_ghosts"]:
            wrong.append(f"{found[f'{kind}_ghosts']} {what} were reported that never were")
    if found.get("cards_misnamed"):
        wrong.append(f"{found['cards_misnamed']} cards were taken for somebody else's")
    return wrong


def summary(found: Mapping[str, int]) -> str:
    """What was seen, for a person."""
    passages = f"{found['detected']} of {found['passages']} passages detected, {found['wrong_direction']}"
    parts = [f"{passages} with the wrong direction, {found['ghosts']} ghosts"]
    parts += [
        f"{found[f'{kind}_seen']} of {found[kind]} {what}"
        for kind, what in (("visits", "station visits"), ("cards", "cards"), ("weighings", "weighings"))
        if kind in found
    ]
    return "; ".join(parts)


def _of(events: Iterable[Event], *types: str) -> list[Event]:
    return [event for event in events if event.type in types]


def _passages(events: list[Event], crossings: Sequence[Happening]) -> dict[str, int]:
    def fits(event: Event, crossing: Happening) -> bool:
        where = (event.subject, event.zone) == (crossing["epc"], crossing["lane"])
        return where and abs(event.at_us - int(crossing["crosses_us"])) <= NEAR_US

    pairs, ghosts = _matched(events, crossings, fits)
    return {
        "passages": len(crossings),
        "detected": len(pairs),
        "wrong_direction": sum(event.direction != crossing["direction"] for event, crossing in pairs),
        "ghosts": ghosts,
    }


def _counted(
    kind: str, truth: Sequence[Happening], events: list[Event], fits: Callable[[Event, Happening], bool]
) -> dict[str, int]:
    pairs, ghosts = _matched(events, truth, fits)
    return {kind: len(truth), f"{kind}_seen": len(pairs), f"{kind}_ghosts": ghosts}


def _matched(
    events: list[Event], truth: Sequence[Happening], fits: Callable[[Event, Happening], bool]
) -> tuple[list[tuple[Event, Happening]], int]:
    """Events with what they stand for, and how many stand for nothing."""
    left = list(events)
    pairs = []
    for happening in truth:
        match = next((event for event in left if fits(event, happening)), None)
        if match is not None:
            left.remove(match)
            pairs.append((match, happening))
    return pairs, len(left)


def _is_visit(event: Event, visit: Happening) -> bool:
    here = event.read_point == visit["station"] or visit["station"] in event.evidence.read_points
    return here and event.subject == str(visit["epc"]) and abs(event.at_us - int(visit["at_us"])) <= NEAR_US


def _is_card(event: Event, card: Happening) -> bool:
    return event.device == str(card["reader"]) and abs(event.at_us - int(card["at_us"])) <= NEAR_CARD_US


def _misnamed(cards: Sequence[Happening], events: list[Event]) -> int:
    pairs, _ = _matched(events, cards, _is_card)
    return sum(event.name != (card["holder"] if card["is_enrolled"] else None) for event, card in pairs)


def _is_weighing(event: Event, weighing: Happening) -> bool:
    weight = event.fields.get("value")
    stands_us = int(weighing["stands_us"])
    if not stands_us <= event.at_us <= stands_us + WEIGHED_WITHIN_US or not isinstance(weight, int | float):
        return False
    return abs(weight - float(weighing["gross_kg"])) <= WEIGHED_WITHIN_KG
