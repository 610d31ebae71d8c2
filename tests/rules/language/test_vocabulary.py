from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from gateway.contract.batches import (
    CardBatch,
    CardRead,
    Condition,
    Reading,
    ReadingBatch,
    Signal,
    SignalBatch,
    StatusBatch,
    TagRead,
)
from gateway.contract.events import Event, Evidence
from rules.language.vocabulary import (
    FIELDS,
    IDENTITY,
    Fields,
    card_fields,
    event_fields,
    fields_of,
    identity_of,
    read_fields,
    reading_fields,
    series_of,
    signal_fields,
    signal_value,
    status_fields,
)
from rules.things.naming import Named
from rules.things.thing import Thing

FULL_READ = TagRead("3034", 2, "gate-in", 5, -50.0, 3, 4, 12288, "E280", "00FF", 1.5, 2.5, 6)
READING = Reading("voltage", "1-0:32.7.0*255", Decimal("230.10"), "V", "a", 1, "good", 9)
EVIDENCE = Evidence(
    gateway="edge-1", epoch=1, sequence_from=1, sequence_to=2, reads=4, rssi_max_dbm=-4.0, confidence=0.5
)
FULL_EVENT = Event(
    id="1", type="moved", at_us=1, subject="3034", evidence=EVIDENCE, name="Box", zone="a", from_zone="b",
    read_point="p", direction="in", rule="r", device="d", historical=True,
    fields={"kind": "box", "class": "40 foot", "dwell_s": 1.0, "scheme": "sgtin-96", "uri": "urn:x", "registry": "1f"},
)  # fmt: skip
STATUS = StatusBatch(
    gateway="edge-1", device="r", received_at_us=1, state="degraded", reason="antenna", since_us=1, detail="2",
    watched=["p"], conditions=[Condition("antenna_disconnected", "warning", 1)], driver="llrp", manufacturer="m",
    model="n", firmware="1", heard=1, reconnects=1, clock_offset_us=1,
)  # fmt: skip


def reading_item(reading: Reading) -> Fields:
    return reading_fields(
        reading, ReadingBatch(gateway="edge-1", device="meter-1", received_at_us=8, readings=[reading])
    )


def signal_item(signal: Signal) -> Fields:
    return signal_fields(signal, SignalBatch(gateway="edge-1", device="loop", received_at_us=8, signals=[signal]))


FULL_CARD_EVENT = msgspec.structs.replace(
    FULL_EVENT, fields={**FULL_EVENT.fields, "result": "known", "technology": "nfca", "part": "whole"}
)
CARD = CardRead("nfca#00", "nfca", "door-1", 1, 5)
CARD_ITEM = card_fields(
    CARD,
    CardBatch(gateway="edge-1", device="door", received_at_us=5, cards=[CARD]),
    "known",
    Named("Kim", {"kind": "person", "class": "driver", "registry": "1f"}),
)
KINDS = {"string": str, "int": int, "double": float, "bool": bool, "list": list}


@pytest.mark.parametrize(
    ("on", "item"),
    [
        ("read", read_fields(FULL_READ, "r", "edge-1", Thing("Box", "box", "40 foot", "E280"))),
        ("reading", reading_item(READING)),
        ("signal", signal_item(Signal("weight", "12.50", "kg"))),
        ("card", CARD_ITEM),
        ("status", status_fields(STATUS)),
        ("moved", event_fields(FULL_EVENT)),
        ("card_presented", event_fields(FULL_CARD_EVENT)),
    ],
)
def test_a_full_item_has_every_field_of_its_table_with_its_type(on: str, item: Fields) -> None:
    assert item.keys() == FIELDS[on].keys()
    assert {name for name, kind in FIELDS[on].items() if kind != "any" and type(item[name]) is not KINDS[kind]} == set()


def test_absent_values_are_absent_fields() -> None:
    item = read_fields(TagRead("3034", 1, "p", 5), "r", "edge-1", None)
    assert {"rssi_dbm", "name", "kind", "tid", "phase_deg"}.isdisjoint(item)
    assert "value" not in reading_item(Reading("voltage", "x", None, "V", quality="absent"))
    assert "value" not in reading_item(Reading("voltage", "x", Decimal("NaN"), "V"))


@pytest.mark.parametrize(
    ("signal", "value"),
    [
        (Signal("loop", value=True), True),
        (Signal("weight", "12.5", "kg"), 12.5),
        (Signal("weight", "heavy", "kg"), None),
        (Signal("weight", "Infinity", "kg"), None),
        (Signal("state", "12.5"), "12.5"),
    ],
)
def test_values_of_signals(signal: Signal, value: object) -> None:
    assert signal_value(signal) == value


def test_further_fields_of_an_event_cannot_hide_its_own() -> None:
    event = Event(
        id="1", type="t", at_us=1, subject="3034", evidence=EVIDENCE, fields={"subject": "x", "a": 1, "b": None}
    )
    item = event_fields(event)
    assert (item["subject"], item["a"], "b" in item) == ("3034", 1, False)


def test_identity_fields_exist() -> None:
    for on, names in IDENTITY.items():
        assert names <= FIELDS[on].keys()
    assert identity_of("arrived") <= fields_of("own-type").keys()


def test_series_tell_apart_phases_and_signals_but_not_reads() -> None:
    assert series_of("reading", "meter-1", {"quantity": "voltage", "phase": "a"}) == "meter-1/voltage/a/"
    assert series_of("signal", "r", {"name": "loop"}) == "r/loop"
    assert series_of("read", "3034", {"name": "x"}) == "3034"
    assert series_of("read", None, {}) == ""
