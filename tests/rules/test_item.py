from __future__ import annotations

import msgspec

from gateway.contract.events import Evidence
from rules.item import MOST_POINTS, Item, joined


def rests(sequence: int = 1, **more: object) -> Evidence:
    settings = {"gateway": "edge-1", "epoch": 7, "sequence_from": sequence, "sequence_to": sequence} | more
    return Evidence(**settings)  # type: ignore[arg-type]  # the fields of evidence


def test_an_item_is_the_same_after_a_restart() -> None:
    fields = {"value": 2.5, "count": 3, "on": True, "names": ["a", "b"], "name": "Box"}
    item = Item("read", 5, 4, "edge-1/7/1/0", "p", is_historical=True, fields=fields, evidence=rests(reads=2))  # type: ignore[arg-type]  # invariance
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(item), type=Item)
    assert again == item
    assert type(again.fields["value"]) is float
    assert type(again.fields["count"]) is int


def test_a_text_is_only_a_text() -> None:
    item = Item("read", 5, 4, "x", "p", is_historical=False, fields={"name": "Box", "count": 3}, evidence=rests())
    assert (item.text("name"), item.text("count"), item.text("zone")) == ("Box", None, None)


def test_scalars_are_what_is_there_and_no_list() -> None:
    fields = {"name": "Box", "count": 3, "names": ["a"], "on": False}
    item = Item("read", 5, 4, "x", "p", is_historical=False, fields=fields, evidence=rests())  # type: ignore[arg-type]  # invariance
    assert item.scalars(("on", "names", "nothing", "count")) == {"on": False, "count": 3}


def test_evidence_that_is_joined_covers_all_of_it() -> None:
    found = joined(
        [
            rests(4, reads=2, read_points=("p", "q"), rssi_max_dbm=-60.0, last_seen_at_us=40, confidence=0.9),
            rests(2, reads=1, read_points=("q", "r"), first_seen_at_us=10, last_seen_at_us=20, confidence=0.5),
            rests(9, rssi_max_dbm=-50.0, last_seen_at_us=30),
        ]
    )
    assert found == Evidence(
        gateway="edge-1",
        epoch=7,
        sequence_from=2,
        sequence_to=9,
        reads=3,
        read_points=("p", "q", "r"),
        rssi_max_dbm=-50.0,
        first_seen_at_us=10,
        last_seen_at_us=40,
        confidence=0.5,
    )


def test_batches_are_named_of_the_journal_of_the_last_one() -> None:
    parts = [rests(500, epoch=6), rests(900, gateway="edge-2"), rests(3), rests(0), rests(5)]
    found = joined(parts)
    assert (found.gateway, found.epoch, found.sequence_from, found.sequence_to) == ("edge-1", 7, 3, 5)
    unknown = joined([rests(0), rests(0)])
    assert (unknown.sequence_from, unknown.sequence_to) == (0, 0)
    assert (unknown.rssi_max_dbm, unknown.first_seen_at_us, unknown.last_seen_at_us, unknown.confidence) == (
        None, None, None, None,
    )  # fmt: skip


def test_read_points_are_bounded() -> None:
    found = joined(rests(n, read_points=(f"p{n}",)) for n in range(1, 100))
    assert found.read_points == tuple(f"p{n}" for n in range(1, MOST_POINTS + 1))
