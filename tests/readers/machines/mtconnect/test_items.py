from __future__ import annotations

from decimal import Decimal

import pytest

from readers.codecs.mtconnect import DataItem, Device
from readers.errors import DeviceRefusedError
from readers.machines.mtconnect.items import NoValueError, Told, items_of, value_of
from readers.machines.mtconnect.settings import ItemSignal


def device(*items: DataItem) -> Device:
    return Device("m", "m", items=list(items))


def test_items_are_found_by_their_types_the_first_of_each() -> None:
    found = items_of(
        device(
            DataItem("e1", "EVENT", "EXECUTION"),
            DataItem("e2", "EVENT", "EXECUTION"),
            DataItem("m", "EVENT", "CONTROLLER_MODE"),
            DataItem("s", "EVENT", "EMERGENCY_STOP"),
            DataItem("p", "EVENT", "PROGRAM"),
            DataItem("q", "EVENT", "PROGRAM", "SCHEDULE"),
            DataItem("c0", "EVENT", "PART_COUNT"),
            DataItem("c1", "EVENT", "PART_COUNT", "GOOD"),
            DataItem("c2", "EVENT", "PART_COUNT", "BAD"),
            DataItem("c3", "EVENT", "PART_COUNT", "TARGET"),
            DataItem("x", "SAMPLE", "EXECUTION"),
        ),
        (),
    )
    assert {item: told.name for item, told in found.items()} == {
        "e1": "machine_state", "m": "machine_mode", "s": "emergency_stop", "p": "program", "c0": "total_count",
        "c1": "good_count", "c2": "bad_count",
    }  # fmt: skip


def test_what_the_settings_name_goes_first_and_knows_the_words_of_its_type() -> None:
    items = (DataItem("e1", "EVENT", "EXECUTION"), DataItem("e2", "EVENT", "EXECUTION", name="path2"))
    found = items_of(device(*items), [ItemSignal(name="machine_state", item="path2")])
    assert list(found) == ["e2"]
    assert value_of(found["e2"], "FEED_HOLD") == "held"


def test_an_item_that_is_not_there() -> None:
    with pytest.raises(DeviceRefusedError, match="device m has no data item x; it has e1"):
        items_of(device(DataItem("e1", "EVENT", "EXECUTION")), [ItemSignal(name="a", item="x")])


def test_samples_are_numbers_and_events_are_words_unless_a_unit_says_otherwise() -> None:
    items = (DataItem("a", "SAMPLE", "LOAD"), DataItem("b", "EVENT", "LINE"), DataItem("c", "EVENT", "LINE"))
    signals = [
        ItemSignal(name="load", item="a"),
        ItemSignal(name="line", item="b"),
        ItemSignal(name="lines", item="c", unit="1", offset=Decimal(1)),
    ]
    found = items_of(device(*items), signals)
    assert (value_of(found["a"], "12.5"), value_of(found["b"], "7"), value_of(found["c"], "7")) == (
        Decimal("12.5"), "7", Decimal(8),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("told", "text", "why"),
    [
        (Told("x"), "UNAVAILABLE", "says UNAVAILABLE"),
        (Told("x", is_number=True), "many", "is no number"),
        (Told("x", is_number=True), "NaN", "is no number"),
        (Told("x", is_number=True, scale=Decimal(10)), "1e999999", "is no number"),
        (Told("machine_state", texts={"ACTIVE": "execute"}), "DANCING", "DANCING is not known for machine_state"),
    ],
)
def test_what_is_no_value_says_why(told: Told, text: str, why: str) -> None:
    with pytest.raises(NoValueError, match=why):
        value_of(told, text)
