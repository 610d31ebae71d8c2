from __future__ import annotations

from typing import Any

import pytest

from gateway.config.models import Portal, SiteFile
from gateway.config.rules import MatchRule
from gateway.contract.batches import CardBatch, ReadBatch, ReadingBatch, SignalBatch, StatusBatch, TickBatch
from gateway.contract.events import Event
from rules.testing.models import Given
from rules.testing.player import Player
from rules.testing.workbench import of_tests
from tests.rules.play import site

START_US = 1_790_000_000_000_000
EPC = "3034257BF7194E4000001A85"
SITE: SiteFile = site(
    MatchRule(shape="match", name="r", on="signal", when="e.value == true"),
    portals=[Portal(name="lane", outer=["out"], inner=["in"])],
)


def play(*steps: dict[str, Any], until: float | None = None, restarts: bool = False) -> Player:
    player = Player(of_tests(SITE, []), START_US, restarts=restarts)
    player.play([Given.model_validate(step) for step in steps], until)
    return player


def at_s(us: int) -> float:
    return (us - START_US) / 1e6


def test_a_gateway_ticks_every_second_and_watches_what_is_spoken_of() -> None:
    player = play({"at": "2.5s", "read": {"epc": EPC, "point": "p", "late": "1s"}}, until=4)
    assert [(type(each), at_s(each.received_at_us)) for each in player.batches] == [
        (TickBatch, 0), (TickBatch, 1), (TickBatch, 2), (ReadBatch, 2.5), (TickBatch, 3), (TickBatch, 4),
    ]  # fmt: skip
    assert [each.sequence for each in player.batches] == [1, 2, 3, 4, 5, 6]
    (tick, read) = (player.batches[0], player.batches[3])
    assert isinstance(tick, TickBatch)
    assert set(tick.watched) == {"p", "out", "in", "edge-1"}
    assert isinstance(read, ReadBatch)
    assert at_s(read.reads[0].seen_at_us) == 1.5


def test_it_ends_ten_seconds_after_the_last_step() -> None:
    assert at_s(play({"at": "5s", "restart": True}).batches[-1].received_at_us) == 15


def test_what_is_given_after_the_end_is_not_played() -> None:
    player = play(
        {"at": "1s", "restart": True}, {"at": "5s", "signal": {"device": "io", "name": "d", "value": True}}, until=3
    )
    assert {type(each) for each in player.batches} == {TickBatch}
    assert player.made == []


def test_each_kind_becomes_its_batch() -> None:
    player = play(
        {"at": 0.1, "reading": {"meter": "m", "quantity": "voltage", "value": 230.5}},
        {"at": 0.2, "signal": {"device": "io", "name": "weight", "value": 12.5, "unit": "kg"}},
        {"at": 0.3, "card": {"card": "nfca:04A1B2C3D4E5F6", "point": "door"}},
        {"at": 0.4, "status": {"device": "io", "state": "degraded", "conditions": ["fault"]}},
        {"at": 0.5, "waited": "1h", "signal": {"device": "io", "name": "door", "value": False}},
        until=0.9,
    )
    (_, reading, signal, card, status, late) = player.batches
    assert isinstance(reading, ReadingBatch)
    assert (str(reading.readings[0].value), reading.readings[0].unit) == ("230.5", "V")
    assert isinstance(signal, SignalBatch)
    assert (signal.signals[0].value, signal.signals[0].unit) == ("12.5", "kg")
    assert isinstance(card, CardBatch)
    assert (card.cards[0].technology, card.cards[0].part) == ("nfca", "whole")
    assert isinstance(status, StatusBatch)
    assert [each.name for each in status.conditions] == ["fault"]
    assert late.waited_us == 3_600_000_000
    assert (signal.ordinal, late.ordinal) == (0, 1)


def test_a_passage_is_read_on_one_side_and_then_on_the_other() -> None:
    for direction, order in (("in", ["out"] * 4 + ["in"] * 4), ("out", ["in"] * 4 + ["out"] * 4)):
        player = play({"at": "1s", "passage": {"epc": EPC, "portal": "lane", "direction": direction}})
        reads = [each.reads[0].read_point for each in player.batches if isinstance(each, ReadBatch)]
        assert reads == order
        (made,) = [each.told for each in player.made if isinstance(each.told, Event) and each.told.type == "passage"]
        assert made.direction == direction
    with pytest.raises(LookupError, match=r"no .*portal.* is named 'gate'; there are: lane"):
        play({"at": "1s", "passage": {"epc": EPC, "portal": "gate", "direction": "in"}})


def test_what_is_watched_can_change() -> None:
    player = play(
        {"at": "1.5s", "watched": ["p", "q"]},
        {"at": "2.5s", "unwatched": ["q"]},
        {"at": "3.5s", "status": {"device": "p", "state": "offline"}},
        {"at": "4.5s", "status": {"device": "p", "state": "online"}},
        until=5,
    )
    told = [(at_s(each.received_at_us), each.watched) for each in player.batches if isinstance(each, TickBatch)]
    assert told[2:] == [(1.5, ["p", "q"]), (2, ["p", "q"]), (2.5, ["p"]), (3, ["p"]), (4, []), (5, ["p"])]


def test_a_silent_gateway_says_nothing_and_another_goes_on() -> None:
    player = play(
        {"at": "1s", "silent": "3s"},
        {"at": "1.5s", "gateway": "edge-2", "signal": {"device": "io", "name": "door", "value": True}},
        until=5,
    )
    ticks = [(each.gateway, at_s(each.received_at_us)) for each in player.batches if isinstance(each, TickBatch)]
    assert [at for gateway, at in ticks if gateway == "edge-1"] == [0, 4, 5]
    assert [at for gateway, at in ticks if gateway == "edge-2"] == [0, 1, 2, 3, 4, 5]


def test_restarts_change_nothing() -> None:
    steps = [
        {"at": number, "signal": {"device": "io", "name": "door", "value": bool(number % 2)}} for number in range(6)
    ]
    assert play(*steps).made == play(*steps, restarts=True).made
    assert len(play(*steps).made) == 3
