from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest

from gateway.contract.batches import NUMBER_MOST
from gateway.contract.ledger import Account, EdgeLedger
from gateway.health import Health
from rules.daemon.edge_ledgers import OTHER, PAYLOAD_MOST, REASONS_MOST, EdgeLedgers
from rules.daemon.intake import GATEWAYS_MOST


def ledger(gateway: str = "edge-1", at_us: int = 1_000, **reads: object) -> EdgeLedger:
    account = Account(**reads)  # type: ignore[arg-type]  # some tests give what the wire cannot
    return EdgeLedger(
        gateway=gateway,
        epoch=7,
        at_us=at_us,
        next_sequence=2,
        watermark=1,
        tag_reads=account,
        readings=Account(),
        signals=Account(),
    )


def payload(gateway: str = "edge-1", at_us: int = 1_000, **reads: object) -> bytes:
    return msgspec.json.encode(ledger(gateway, at_us, **reads))


class Desk:
    """Where ledgers come in, and what was refused."""

    def __init__(self) -> None:
        self.health = Health("rules")
        self.ledgers = EdgeLedgers(self.health)

    def take(self, gateway: str, body: bytes, *, retained: bool = False) -> None:
        self.ledgers.take(gateway, body, retained=retained)

    def heard(self) -> list[int]:
        return [each.tag_reads.heard for each in self.ledgers.take_fresh()]

    def refused(self) -> dict[str, float]:
        lines = [
            line.partition("tagwharf_ledgers_refused_total{reason=")[2]
            for line in generate_latest(self.health.registry).decode().splitlines()
        ]
        return {text.split('"')[1]: float(text.split()[-1]) for text in lines if text}


def test_the_newest_of_each_gateway_once() -> None:
    desk = Desk()
    desk.take("edge-2", payload("edge-2", heard=20))
    desk.take("edge-1", payload(heard=1))
    desk.take("edge-1", payload(heard=2))
    assert desk.heard() == [2, 20]
    assert desk.heard() == []  # nobody said anything since
    desk.take("edge-1", payload(heard=3))
    assert desk.heard() == [3]


def test_what_the_broker_kept_does_not_undo_what_came_live_and_a_clock_set_back_is_believed() -> None:
    desk = Desk()
    desk.take("edge-1", payload(at_us=5_000, heard=5), retained=True)
    assert desk.heard() == [5]
    desk.take("edge-1", payload(at_us=9_000, heard=9))
    desk.take("edge-1", payload(at_us=5_000, heard=5), retained=True)
    assert desk.heard() == [9]
    desk.take("edge-1", payload(at_us=4_000, heard=10))  # live: its clock was set back
    assert desk.heard() == [10]
    desk.take("edge-1", payload(at_us=6_000, heard=11), retained=True)
    assert desk.heard() == [11]


def test_a_gateway_that_was_taken_away_from_the_broker_says_nothing_more() -> None:
    desk = Desk()
    desk.take("edge-1", payload(heard=1))
    desk.take("edge-1", b"", retained=True)
    desk.take("edge-9", b"")
    assert desk.heard() == []
    desk.take("edge-1", payload(at_us=1, heard=2), retained=True)
    assert desk.heard() == [2]
    assert desk.refused() == {}


def test_our_own_ledger_is_none_of_a_gateway() -> None:
    desk = Desk()
    desk.take("rules", b'{"session": "0123"}')
    assert desk.heard() == []
    assert desk.refused() == {}


@pytest.mark.parametrize(
    ("gateway", "body", "reason"),
    [
        ("edge-1", b"{", "malformed"),
        ("edge-1", b"\xff\xfe", "malformed"),
        ("edge-1", b"[" * 60_000, "malformed"),
        ("edge-1", b'{"gateway": "edge-1"}', "malformed"),
        ("edge-1", payload(heard="many"), "malformed"),
        ("edge-1", payload(heard=1).ljust(PAYLOAD_MOST + 1), "size"),
        ("edge-2", payload(heard=1), "topic"),
        ("Edge 1", payload("Edge 1", heard=1), "topic"),
        ("", payload("", heard=1), "topic"),
        ("edge-1", payload(heard=-1), "range"),
        ("edge-1", payload(heard=NUMBER_MOST + 1), "range"),
        ("edge-1", payload(dropped={"journal_full": -3}), "range"),
        ("edge-1", payload(dropped={"a": NUMBER_MOST, "b": 1}), "range"),
        ("edge-1", payload(at_us=-1), "range"),
    ],
)
def test_what_cannot_be_used_is_counted_by_reason_and_changes_nothing(gateway: str, body: bytes, reason: str) -> None:
    desk = Desk()
    desk.take("edge-1", payload(heard=3))
    desk.take(gateway, body)
    desk.take(gateway, body, retained=True)
    assert desk.refused() == {reason: 2}
    assert desk.heard() == [3]


@given(st.text(max_size=20), st.binary(max_size=200), st.booleans())
def test_noise_is_refused_and_never_raises(gateway: str, body: bytes, retained: bool) -> None:  # noqa: FBT001  # given by hypothesis
    desk = Desk()
    desk.take(gateway, body, retained=retained)
    assert desk.heard() == []


def test_gateways_are_bounded_for_good() -> None:
    """Taking one away makes no room: each name that was ever written is a series of the store."""
    desk = Desk()
    for number in range(GATEWAYS_MOST):
        desk.take(f"edge-{number}", payload(f"edge-{number}", heard=1))
    desk.take("edge-0", b"")
    desk.take("edge-new", payload("edge-new", heard=1))
    assert desk.refused() == {"too_many_gateways": 1}
    assert len(desk.heard()) == GATEWAYS_MOST - 1
    desk.take("edge-0", payload("edge-0", heard=2))
    assert desk.heard() == [2]


def test_reasons_are_bounded_for_good_and_the_sum_stays() -> None:
    desk = Desk()
    many = {f"reason-{number:03}": 2 for number in range(REASONS_MOST + 10)}
    found = desk.ledgers.dropped(Account(dropped=many))
    assert len(found) == REASONS_MOST + 1
    assert found[OTHER] == 20
    assert sum(found.values()) == sum(many.values())
    assert desk.ledgers.dropped(Account(dropped={"journal_full": 3, "reason-001": 4})) == {OTHER: 3, "reason-001": 4}


def test_a_reason_that_is_no_name_is_another_and_what_dropped_nothing_is_none() -> None:
    desk = Desk()
    hostile = {"a b": 1, "x" * 65: 2, "\n,=": 4, "": 8, "journal_full": 16, "journal_stalled": 0}
    read = msgspec.json.decode(json.dumps(hostile), type=dict[str, int])
    assert desk.ledgers.dropped(Account(dropped=read)) == {OTHER: 15, "journal_full": 16}
