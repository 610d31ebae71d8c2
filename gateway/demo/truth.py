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
_TYPES: Final = (PASSAGE, ARRIVED, MOVED, CARD_PRESENTED, TRUCK_WEIGHED)

Happening = Mapping[str, Any]


def types(truth: Mapping[str, Any]) -> list[str]:
    """Event types that are compared."""
    return list(
        dict.fromkeys([*_TYPES, *(each["type"] for each in truth.get("expected", ())), *truth.get("never", ())])
    )


def compare(events: Sequence[Event], truth: Mapping[str, Any]) -> dict[str, Any]:
    """How much of the truth was seen; an event stands for one happening at most. What did not occur is left out."""
    found: dict[str, Any] = _passages(_of(events, PASSAGE), truth.get("passages", ()))
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
    if expected := truth.get("expected", ()):
        found["concluded"] = _concluded(events, expected)
    if never := truth.get("never", ()):
        found["never"] = {kind: len(_of(events, kind)) for kind in never}
    return found


def until(truth: Mapping[str, Any], now_us: int) -> dict[str, Any]:
    """The truth up to `now_us`: what had not yet happened by then is not to be expected."""
    ends = {"passages": "crosses_us", "visits": "at_us", "cards": "at_us", "weighings": "moves_us", "expected": "at_us"}
    return {
        name: [each for each in value if each[ends[name]] < now_us] if name in ends else value
        for name, value in truth.items()
    }


def faults(found: Mapping[str, Any]) -> list[str]:
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
    for kind, account in found.get("concluded", {}).items():
        if account["seen"] != account["happened"]:
            wrong.append(f"{account['happened'] - account['seen']} of {account['happened']} {kind} were not concluded")
        if account["ghosts"]:
            wrong.append(f"{account['ghosts']} {kind} were concluded that never were")
    wrong += [
        f"{count} events {kind} were made; none is right" for kind, count in found.get("never", {}).items() if count
    ]
    return wrong


def summary(found: Mapping[str, Any]) -> str:
    """What was seen, for a person."""
    passages = f"{found['detected']} of {found['passages']} passages detected, {found['wrong_direction']}"
    parts = [f"{passages} with the wrong direction, {found['ghosts']} ghosts"]
    parts += [
        f"{found[f'{kind}_seen']} of {found[kind]} {what}"
        for kind, what in (("visits", "station visits"), ("cards", "cards"), ("weighings", "weighings"))
        if kind in found
    ]
    parts += [
        f"{account['seen']} of {account['happened']} {kind}" for kind, account in found.get("concluded", {}).items()
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


def _concluded(events: Sequence[Event], expected: Sequence[Happening]) -> dict[str, dict[str, int]]:
    """By kind; an event of a type that several kinds share, and that stands for none, is a ghost of the first."""
    pairs, _ = _matched(_of(events, *(each["type"] for each in expected)), expected, _is_expected)
    taken = {id(event) for event, _ in pairs}
    found: dict[str, dict[str, int]] = {}
    types_told: set[str] = set()
    for each in expected:
        account = found.setdefault(each["kind"], {"happened": 0, "seen": 0, "ghosts": 0})
        account["happened"] += 1
        if each["type"] not in types_told:
            types_told.add(each["type"])
            account["ghosts"] += sum(id(event) not in taken for event in _of(events, each["type"]))
    for _, happening in pairs:
        found[happening["kind"]]["seen"] += 1
    return found


def _is_expected(event: Event, expected: Happening) -> bool:
    if event.type != expected["type"] or abs(event.at_us - int(expected["at_us"])) > int(expected["within_us"]):
        return False
    near = expected.get("near", {})
    for name, wanted in expected["match"].items():
        value = event.fields[name] if name in event.fields else getattr(event, name, None)
        if name in near:
            if not isinstance(value, int | float) or abs(value - wanted) > near[name]:
                return False
        elif value != wanted:
            return False
    return True


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
