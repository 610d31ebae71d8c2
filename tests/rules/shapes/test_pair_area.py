from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.events import Evidence
from rules.item import Item
from rules.shapes.pair_area import Areas, PairRow, Place, row_of

EVIDENCE = Evidence(
    gateway="edge-1",
    epoch=1_790_000_000_000_007,
    sequence_from=40,
    sequence_to=43,
    reads=9,
    read_points=("gate-in", "gate-side"),
    last_seen_at_us=5_000_000,
)
ITEM = Item(
    on="passage",
    known_us=6_000_000,
    at_us=5_000_000,
    origin="id",
    source="gate",
    is_historical=False,
    fields={"subject": "x", "name": "Lorry 7", "kind": "truck", "class": "lorry", "read_point": "gate-in"},
    evidence=EVIDENCE,
)


def test_a_row_says_what_the_passage_rests_on() -> None:
    row = row_of(ITEM, "edge-1", "yard", Place.INSIDE, is_named=True)
    assert row.evidence() == msgspec.structs.replace(EVIDENCE, read_points=("gate-in",))
    assert (row.gateway, row.area, row.at_us, row.name, row.kind, row.class_name) == (
        "edge-1", "yard", 5_000_000, "Lorry 7", "truck", "lorry",
    )  # fmt: skip


def test_what_has_no_reads_was_not_seen_anywhere() -> None:
    bare = msgspec.structs.replace(
        ITEM, fields={}, evidence=Evidence(gateway="edge-1", epoch=7, sequence_from=3, sequence_to=3)
    )
    row = row_of(bare, "edge-1", "", Place.INSIDE, is_named=True)
    assert row.evidence() == bare.evidence
    assert (row.name, row.kind, row.class_name) == (None, None, None)


def test_who_it_was_is_kept_only_where_it_is_told_and_signals_name_nobody() -> None:
    assert row_of(ITEM, "edge-1", "", Place.INSIDE, is_named=False).name is None
    signal = msgspec.structs.replace(ITEM, on="signal")
    assert row_of(signal, "edge-1", "", Place.INSIDE, is_named=True).name is None


def test_rows_share_their_texts_after_a_restart_too() -> None:
    one = row_of(ITEM, "edge-1", "yard", Place.INSIDE, is_named=True)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=PairRow)
    assert again == one
    assert again.where is not one.where
    again.share()
    assert again.where is one.where
    assert again.area is one.area
    assert again.read_point is one.read_point
    assert (again.kind is one.kind, again.class_name is one.class_name) == (True, True)


@pytest.mark.parametrize(
    ("place", "is_inside"),
    [
        (Place.LEFT, False),
        (Place.STRAY, False),
        (Place.INSIDE, True),
        (Place.OVERSTAYED, True),
        (Place.UNKNOWN, False),
    ],
)
def test_who_is_inside(place: Place, is_inside: bool) -> None:  # noqa: FBT001 - a parameter
    assert row_of(ITEM, "edge-1", "", place, is_named=False).is_inside is is_inside


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())))
def test_counting_one_by_one_or_anew_is_the_same(moves: list[tuple[str, bool]]) -> None:
    areas, inside = Areas(), list[str]()
    for area, is_entry in moves:
        if is_entry:
            inside.append(area)
            assert areas.add(area) == inside.count(area)
        elif area in inside:
            inside.remove(area)
            assert areas.remove(area) == inside.count(area)
    anew = Areas()
    anew.add("of before")
    anew.count(row_of(ITEM, "edge-1", area, Place.INSIDE, is_named=False) for area in inside)
    anew.count(
        row_of(ITEM, "edge-1", area, place, is_named=False)
        for area in inside
        for place in (Place.OVERSTAYED, Place.LEFT)
    )
    for area in ("a", "b", "c", "of before"):
        assert areas.inside(area) == anew.inside(area) == inside.count(area)
    assert areas._inside == anew._inside
