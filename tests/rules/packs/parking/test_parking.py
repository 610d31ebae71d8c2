"""The pack as a whole: its rules run on a site, alone and beside another use of it, whatever the order of arrival."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.config.models import SiteFile
from rules import expansion
from rules.anatomy import makes
from rules.packs.parking import PACK
from rules.packs.parking.settings import CardList, Holders, Lane, ParkingSettings
from rules.things.thing import Thing
from tests.rules.packs.parking.place import LANES, rules, settings
from tests.rules.shapes.cards import Cards, Shown, card_of
from tests.rules.things.registries import registry

FULLEST: dict[str, Any] = {
    "capacity": 9,
    "longest_stay_s": 60,
    "duress_class": "duress",
    "fire": {"device": "panel", "signal": "fire"},
    "reset": {"device": "panel", "signal": "reset"},
}
SHOWN = [(1.2, "x", "in-1"), (1.3, "y", "in-1"), (1.4, "x", "out-1"), (1.5, "z", "in-2")]


def site(*uses: str, **changed: Any) -> SiteFile:
    packs = [{"name": use, "kind": "parking", "settings": {"lane": LANES, **changed}} for use in uses]
    return SiteFile.model_validate({"site": {"name": "harbour"}, "pack": packs})


@pytest.mark.parametrize("changed", [{}, FULLEST, {"exit": "anyone", "antipassback": "none", "count_by": "card"}])
def test_every_rule_can_run_beside_those_of_another_use(changed: dict[str, Any]) -> None:
    used = site("park", "lot", **changed)
    assert expansion.faults(used) == []
    names = [rule.name for rule in expansion.as_run(used).rule]
    assert len(names) == len(set(names)) == 2 * len(rules(**changed))
    assert all(name.startswith(("park-", "lot-")) for name in names)


def test_two_uses_of_one_name_are_refused() -> None:
    assert any("exists already" in line for line in expansion.faults(site("park", "park")))


def test_it_says_what_it_is() -> None:
    assert (PACK.kind, PACK.settings) == ("parking", type(settings()))


def concluded(
    arrival: Iterable[int], restart_after: int | None = None
) -> tuple[list[tuple[object, ...]], dict[str, bytes]]:
    """Decisions in order of time, and what each event says, after cards that arrive in this order."""
    things = registry(cards={card_of(name): Thing(name.upper()) for name in "xyz"})
    played = Cards(expansion.as_run(site("park", capacity=9)), things)
    played.until(1.6)
    for place, number in enumerate(arrival):
        at_s, card, point = SHOWN[number]
        heard_s = 1.61 + place * 0.01
        played.at(heard_s, card, point, late_s=heard_s - at_s)
        if place == restart_after:
            played.restart()
    played.until(5.0)
    made = [event for event in played.events if event.rule is not None]
    told = [
        (event.at_us, event.name, event.fields["verdict"], event.fields["reasons"])
        for event in made
        if event.type == "access-decision"
    ]
    return sorted(told, key=str), {f"{event.type}/{event.at_us}": bare(event) for event in made}


def bare(event: msgspec.Struct) -> bytes:
    """An event without what only says in which batch its cards came."""
    told = json.loads(msgspec.json.encode(event))
    return json.dumps({key: told[key] for key in ("type", "subject", "at_us", "fields")}).encode()


def test_the_order_of_arrival_and_restarts_change_nothing() -> None:
    decided, made = concluded(range(len(SHOWN)))
    assert [(name, verdict) for _, name, verdict, _ in decided] == [
        ("X", "granted"),
        ("Y", "granted"),
        ("X", "granted"),
        ("Z", "granted"),
    ]
    for arrival in itertools.permutations(range(len(SHOWN))):
        assert concluded(arrival) == (decided, made)
    for place in range(len(SHOWN)):
        assert concluded([3, 1, 2, 0], restart_after=place) == (decided, made)


def park(**changed: Any) -> Cards:
    things = registry(cards={card_of(name): Thing(name.upper()) for name in "xyz"})
    return Cards(expansion.as_run(site("park", **changed)), things)


def decisions(played: Cards) -> list[tuple[object, ...]]:
    return [
        (event.name, event.fields["verdict"], event.historical)
        for event in played.events
        if event.type == "access-decision"
    ]


def test_cards_that_a_controller_tells_much_later_count_by_their_own_times_and_open_nothing() -> None:
    played = park()
    played.at(100.0, "x", "in-1", late_s=90.0)
    played.at(100.1, "x", "out-1", late_s=70.0)
    played.at(100.2, "y", "in-1", late_s=65.0)
    played.until(102.0)
    played.at(103.0, "y", "in-1")
    played.at(104.0, "z", "in-1", late_s=10.0)  # neither in order nor a backlog
    played.until(108.0)
    assert decisions(played)[-1] == ("Y", "refused", False)
    assert all(is_historical for _, _, is_historical in decisions(played)[:-1])
    assert [event.fields["dwell_s"] for event in played.events if event.type == "parking-visit"] == [20.1]
    assert "Z" not in {event.name for event in played.events if event.rule is not None}


def test_of_two_cards_of_one_instant_the_latter_is_sure_to_open() -> None:
    played = park()
    played.show(Shown(5.0, 5.0, "x", "in-1"), Shown(5.0, 5.0, "y", "in-1"))
    played.until(8.0)
    assert [name for name, _, _ in decisions(played)] == ["X", "Y"]
    assert decisions(played)[-1] == ("Y", "granted", False)


def test_an_exit_for_anyone_opens_for_a_stranger_who_does_not_count() -> None:
    played = park(exit="anyone")
    played.at(5.0, "stranger", "out-1")
    played.at(9.0, "x", "out-1")
    played.until(12.0)
    assert decisions(played) == [(None, "granted", False), ("X", "granted", False)]


@pytest.mark.parametrize(
    ("changed", "verdicts"),
    [
        ({"antipassback": "none"}, ["granted", "granted", "granted"]),
        ({"antipassback": "soft"}, ["granted", "granted", "granted"]),
        ({"antipassback": "hard"}, ["granted", "refused", "refused"]),
        ({"antipassback": "timed", "forgive_after_s": 20}, ["granted", "refused", "granted"]),
    ],
)
def test_who_enters_again_is_judged_as_the_antipassback_says(changed: dict[str, Any], verdicts: list[str]) -> None:
    played = park(**changed)
    for at_s in (5.0, 15.0, 40.0):
        played.until(at_s - 0.1)
        played.at(at_s, "x", "in-1")
    played.until(45.0)
    assert [verdict for _, verdict, _ in decisions(played)] == verdicts
    told = [event.type for event in played.events].count("parking-violation")
    assert told == {"none": 0, "soft": 2, "hard": 2, "timed": 1}[changed["antipassback"]]


def test_the_count_is_a_figure() -> None:
    played = park(capacity=9)
    played.at(5.0, "x", "in-1")
    played.at(15.0, "x", "out-1")
    played.until(20.0)
    figures = [
        (dict(point.tags)["figure"], dict(point.fields)["value"])
        for point in played.points
        if point.measurement == "figure"
    ]
    assert figures == [("inside", 1.0), ("free", 8.0), ("inside", 0.0), ("dwell_s", 10.0), ("free", 9.0)]


def test_the_page_tells_of_every_setting_event_and_reason() -> None:
    docs = Path(__file__).parents[4] / "docs"
    page = (docs / "reference" / "packs" / "parking.md").read_text()
    guide = (docs / "how-to" / "run-a-car-park.md").read_text()
    models = (ParkingSettings, Lane, Holders, CardList)
    assert [name for model in models for name in model.model_fields if f"`{name}`" not in page] == []
    made = expansion.as_run(site("park", **FULLEST)).rule
    assert (
        sorted({kind for rule in made for place, kind in makes(rule) if f"`{kind}`" not in page and place != "name"})
        == []
    )
    holders = {"table": "t", "list": "l", "valid_from": "a", "valid_until": "b"}
    lists = [{"name": "staff", "hours": "day"}]
    sessions = [rule for rule in rules(holders=holders, lists=lists, capacity=1).values() if rule.shape == "session"]
    reasons = {verdict.reason.partition(":")[0] for rule in sessions for verdict in rule.decide.verdicts}
    assert sorted(reason for reason in reasons if reason not in guide) == []
