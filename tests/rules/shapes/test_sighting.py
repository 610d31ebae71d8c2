from __future__ import annotations

import msgspec

from gateway.contract.events import Evidence
from rules.item import Item
from rules.shapes.sighting import TOLD_TYPES, Sighting, moved, sighting_of

SEEN = Sighting(5_000, "edge-1", 7, 42, "gate", "reader-1")


def test_what_is_kept_of_an_item_leads_back_to_it() -> None:
    evidence = Evidence(gateway="edge-1", epoch=7, sequence_from=40, sequence_to=42)
    item = Item("read", 5_000, 5_000, "o", "gate", False, {"read_point": "gate", "device": "reader-1"}, evidence)  # noqa: FBT003 - a struct that travels as an array
    assert sighting_of(item) == SEEN
    found = SEEN.evidence()
    assert (found.gateway, found.epoch, found.sequence_from, found.sequence_to) == ("edge-1", 7, 42, 42)
    assert (found.read_points, found.last_seen_at_us, found.reads) == (("gate",), 5_000, 1)


def test_what_is_told_has_its_types_and_no_empty_texts() -> None:
    kinds = {str: "string", int: "int"}
    assert {name: kinds[type(value)] for name, value in SEEN.told().items()} == TOLD_TYPES
    nowhere = Sighting(5_000, "edge-1", 7, 0, "", "")
    assert SEEN.told().keys() - nowhere.told().keys() == {"other_read_point", "other_device"}
    assert nowhere.evidence().read_points == ()


def test_names_are_kept_once_however_many_were_seen_there() -> None:
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(SEEN), type=Sighting)
    assert again == SEEN
    assert (again.gateway is SEEN.gateway, again.read_point is SEEN.read_point, again.device is SEEN.device) == (
        True,
    ) * 3


def test_it_moves_with_the_clock_of_its_gateway_alone() -> None:
    assert moved(SEEN, "edge-1", 1_000) == Sighting(4_000, "edge-1", 7, 42, "gate", "reader-1")
    assert moved(SEEN, "edge-2", 1_000) is SEEN
