from __future__ import annotations

import msgspec
import pytest

from gateway.config.rules import Part, Pick
from gateway.contract.events import Evidence
from rules.item import Item
from rules.language.vocabulary import Value
from rules.shapes import session_parts
from rules.shapes.session_parts import MOST_TEXT, Collector, PartRow, with_evidence

GOOD, OTHER = "CSQU3054383", "MSKU1234565"


def evidence(sequence: int, gateway: str = "edge-1", epoch: int = 7, reads: int = 1) -> Evidence:
    return Evidence(gateway=gateway, epoch=epoch, sequence_from=sequence, sequence_to=sequence, reads=reads)


def item(at_us: int, value: Value | None, **fields: Value) -> Item:
    own: dict[str, Value] = {} if value is None else {"value": value}
    return Item(
        "signal", at_us, at_us, str(at_us), "camera", is_historical=False, fields=own | fields, evidence=evidence(at_us)
    )


def collected(part: Part, *items: Item) -> dict[str, Value]:
    """What is told of a part after these items, each of which survived a restart."""
    collector, row = Collector("box", part), PartRow()
    for each in items:
        heard = collector.hear(each)
        if heard is not None:
            collector.add(row, heard)
        row = msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=PartRow)
    return collector.fields(row)


def part(pick: Pick, **more: object) -> Part:
    settings = {"on": "signal", "of": "value"} | more
    return Part(pick=pick, **settings)


@pytest.mark.parametrize(
    ("pick", "value", "at_us"),
    [(Pick.FIRST, 5, 1), (Pick.LAST, 7, 4), (Pick.MIN, 3.5, 2), (Pick.MAX, 9, 3)],
)
def test_one_value_is_picked_whatever_the_order_in_which_they_came(pick: Pick, value: float, at_us: int) -> None:
    items = [item(1, 5), item(2, 3.5), item(3, 9), item(4, 7)]
    told = {"box": value, "box_at_us": at_us, "box_count": 4}
    assert collected(part(pick), *items) == told
    assert collected(part(pick), *reversed(items)) == told


def test_the_majority_is_told_with_its_share() -> None:
    items = [item(1, "A"), item(2, "B"), item(3, "A"), item(4, "C")]
    assert collected(part(Pick.MOST), *items) == {"box": "A", "box_at_us": 3, "box_count": 4, "box_share": 0.5}


def test_of_equal_majorities_the_latest_is_taken() -> None:
    assert collected(part(Pick.MOST), item(1, "B"), item(2, "A"), item(3, "B"), item(4, "A"))["box"] == "A"
    assert collected(part(Pick.MOST), item(4, "A"), item(1, "B"))["box"] == "A"
    assert collected(part(Pick.MOST), item(1, "A"), item(1, "B"))["box"] == "B"


@pytest.mark.parametrize(("pick", "at_us"), [(Pick.FIRST, 1), (Pick.LAST, 3), (Pick.MIN, 1), (Pick.MAX, 1)])
def test_of_equal_values_first_and_extremes_are_the_first_and_last_is_the_last(pick: Pick, at_us: int) -> None:
    assert collected(part(pick), item(1, 5), item(2, 5.0), item(3, 5))["box_at_us"] == at_us


def test_values_of_all_types_have_an_order() -> None:
    mixed = [item(1, "a"), item(2, value=True), item(3, 4), item(4, "b"), item(5, value=False)]
    assert collected(part(Pick.MIN), *mixed)["box"] is False
    assert collected(part(Pick.MAX), *mixed)["box"] == "b"


def test_true_is_not_one() -> None:
    told = collected(part(Pick.MOST), item(1, value=True), item(2, 1), item(3, value=True))
    assert (told["box"], told["box_share"]) == (True, 2 / 3)


def test_fields_of_the_picked_item_are_carried() -> None:
    carrying = part(Pick.MOST, carry=["unit", "picture", "conditions"])
    items = [
        item(1, "A", unit="old"),
        item(2, "A", unit="new", picture="P" * 500, conditions=["x"]),
        item(3, "B", unit="wrong"),
    ]
    told = collected(carrying, *items)
    assert (told["box_unit"], told["box_picture"]) == ("new", "P" * MOST_TEXT)
    assert "box_conditions" not in told


def test_container_numbers_are_checked_and_written_in_one_way() -> None:
    valid = part(Pick.MOST, valid="iso6346")
    items = [item(1, "csqu 305438-3"), item(2, GOOD), item(3, "CSQU3054384"), item(4, 7), item(5, OTHER)]
    told = collected(valid, *items)
    assert told == {"box": GOOD, "box_at_us": 2, "box_count": 3, "box_share": 2 / 3, "box_invalid": 2}


def test_nothing_collected_is_told_as_nothing() -> None:
    none = {"box_count": 0}
    assert collected(part(Pick.LAST)) == none
    assert collected(part(Pick.LAST), item(1, None), item(2, ["a list"])) == none
    assert Collector("box", part(Pick.LAST)).fields(None) == none
    assert Collector("box", part(Pick.LAST, valid="iso6346")).fields(None) == none | {"box_invalid": 0}
    assert collected(part(Pick.LAST, valid="iso6346"), item(1, "x")) == none | {"box_invalid": 1}


def test_texts_are_cut() -> None:
    assert collected(part(Pick.LAST), item(1, "x" * 10_000))["box"] == "x" * MOST_TEXT


def test_noise_cannot_keep_the_majority_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_parts, "MOST_VALUES", 4)
    noise = [item(n, f"noise-{n}") for n in range(100)]
    items = [each for n, one in enumerate(noise) for each in ((one, item(1000 + n, GOOD)) if n % 3 == 0 else (one,))]
    collector, row = Collector("box", part(Pick.MOST)), PartRow()
    for each in items:
        heard = collector.hear(each)
        assert heard is not None
        collector.add(row, heard)
        assert len(row.candidates) <= 4
    told = collector.fields(row)
    assert (told["box"], told["box_count"], told["box_share"]) == (GOOD, 134, 34 / 134)


def test_evidence_is_one_of_each_gateway_and_epoch_the_latest_last() -> None:
    found: list[Evidence] = []
    for each in (evidence(3), evidence(9, "edge-2"), evidence(1), evidence(5, epoch=8)):
        found = with_evidence(found, each)
    assert [(each.gateway, each.epoch, each.sequence_from, each.sequence_to, each.reads) for each in found] == [
        ("edge-2", 7, 9, 9, 1),
        ("edge-1", 7, 1, 3, 2),
        ("edge-1", 8, 5, 5, 1),
    ]
    for epoch in range(100):
        found = with_evidence(found, evidence(1, epoch=epoch))
    assert [each.epoch for each in found] == list(range(92, 100))
