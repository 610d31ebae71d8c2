"""Turn and queue times. What they are is in gate.tests.toml and terminal.tests.toml."""

from __future__ import annotations

from gateway.config.rules import PairRule
from rules.packs.port import traffic
from tests.rules.packs.port.places import lane, settings

CAMERA = {"device": "camera-1", "name": "number"}
PLATE = {"device": "camera-1", "name": "plate"}


def test_queue_times_need_a_queue_and_tags_of_trucks() -> None:
    assert not [rule for rule in traffic.rules("gate", settings()) if rule.name == "gate-queue"]
    without_tags = lane(read_points=[], cameras=[CAMERA], plate=PLATE)
    found = traffic.rules("gate", settings(lane=[without_tags], queue={"zone": "queue"}))
    assert not [rule for rule in found if rule.name == "gate-queue"]
    queue = traffic.rules("gate", settings(queue={"zone": "queue"}))[-1]
    assert isinstance(queue, PairRule)
    assert queue.figures == ["queue_s"]
    assert queue.overstay is None


def test_the_turn_is_from_transaction_to_transaction() -> None:
    turn = traffic.rules("gate", settings())[0]
    assert isinstance(turn, PairRule)
    assert turn.dwell_as == "turn_s"
    assert (turn.entry.on, turn.exit.on) == ("gate-transaction", "gate-transaction")
