from __future__ import annotations

from pathlib import Path

import msgspec

from gateway.console.gates.around import Neighbours, lane_of, neighbours_of, siblings_of
from gateway.console.gates.lanes import lanes_of
from gateway.history import DayFiles
from tests.gateway.console.gates.port_site import HOUR_US, S, decided, keep, made, port_site
from tests.gateway.journal_rows import NOON_US


def ids(found: Neighbours) -> tuple[str | None, str | None]:
    return (None if found.previous is None else found.previous.id, None if found.next is None else found.next.id)


def test_the_nearest_before_and_after_of_the_same_subject(tmp_path: Path) -> None:
    events = [
        decided(1, NOON_US - 9 * HOUR_US),
        decided(2, NOON_US),
        made(3, NOON_US + S, "gate-transaction"),
        made(4, NOON_US + S, subject="gate-out"),
        decided(5, NOON_US + 3 * HOUR_US),  # not within the first steps of the search
        decided(6, NOON_US + 3 * HOUR_US + S),
    ]
    days = DayFiles(keep(tmp_path, events, NOON_US + 10 * HOUR_US), 30.0)
    now_us = NOON_US + 4 * HOUR_US
    assert ids(neighbours_of(days, events[1], now_us)) == (events[0].id, events[4].id)
    assert ids(neighbours_of(days, events[4], now_us)) == (events[1].id, events[5].id)
    assert ids(neighbours_of(days, events[0], now_us)) == (None, events[1].id)
    assert ids(neighbours_of(days, events[5], now_us)) == (events[4].id, None)


def test_the_next_is_found_among_more_than_a_page(tmp_path: Path) -> None:
    events = [decided(n, NOON_US + n * 20_000) for n in range(2_500)]  # 50 a second
    days = DayFiles(keep(tmp_path, events), 30.0)
    assert ids(neighbours_of(days, events[0], NOON_US + HOUR_US)) == (None, events[1].id)


def test_siblings_are_of_one_transaction() -> None:
    decision = msgspec.structs.replace(decided(1, NOON_US), rule="gate-gate-in")
    opened = decision.fields["opened_at_us"]
    receipt = msgspec.structs.replace(
        made(2, NOON_US + S, "gate-transaction", {"opened_at_us": opened}), rule="gate-gate-in"
    )
    others = [
        msgspec.structs.replace(receipt, id="3" * 20, rule="another"),
        msgspec.structs.replace(receipt, id="4" * 20, subject="gate-out"),
        msgspec.structs.replace(receipt, id="5" * 20, fields={"opened_at_us": 1}),
    ]
    assert siblings_of(decision, [decision, *others, receipt]) == [receipt]
    assert siblings_of(made(6, NOON_US), [made(7, NOON_US)]) == []


def test_the_lane_of_an_event(tmp_path: Path) -> None:
    lanes = lanes_of(port_site(tmp_path))
    for event, name in (
        (decided(1, NOON_US), "gate-in"),
        (made(1, NOON_US, "gate-transaction"), "gate-in"),
        (made(1, NOON_US, "passage", subject="AA", zone="portal-1"), "portal-1"),
        (made(1, NOON_US, "desk-decision", subject="desk-1"), "desk-1"),
    ):
        lane = lane_of(event, lanes)
        assert lane is not None
        assert lane.name == name
    assert lane_of(made(1, NOON_US, "passage", subject="portal-1"), lanes) is None
    assert lane_of(made(1, NOON_US, "arrived"), lanes) is None
