"""What events become in EPCIS."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.events import Event
from rules.exporters.epcis import EXPORTED, NAMESPACES, UNNAMED, UNPLACED, WITHOUT_MEANING, EpcisExporter
from rules.exporters.event_hash import event_hash
from tests.rules.exporters.epcis_events import AT_US, EVENTS, GLN, OWN, PALLET, PALLET_LINK, event, exporter, gate
from tests.rules.exporters.gate_events import transactions_of_the_pack

PLACE = f"https://id.gs1.org/414/{GLN}/254"
SITE = f"https://id.gs1.org/414/{GLN}"
TRUCK = f"{OWN}/thing/HH-AB%20123"
CONTAINER = "urn:epc:id:bic:CSQU3054383"
SEAL = f"{OWN}/thing/SEAL-1"
WEIGHT = [
    {
        "sensorMetadata": {"time": "2026-09-21T14:13:11.123Z"},
        "sensorReport": [{"type": "Mass", "value": 24800, "uom": "KGM"}],
    }
]


def exported(*events: Event, by: EpcisExporter | None = None) -> list[dict[str, Any]]:
    (document,) = (by or exporter()).export(events)
    found: list[dict[str, Any]] = json.loads(document.body)["epcisBody"]["eventList"]
    return found


def only(one: Event, by: EpcisExporter | None = None) -> dict[str, Any]:
    (found,) = exported(one, by=by)
    return found


def meaning(found: dict[str, Any]) -> tuple[Any, ...]:
    """Step, disposition, read point and location."""
    where = (found[each]["id"] if each in found else None for each in ("readPoint", "bizLocation"))
    return (found.get("bizStep"), found.get("disposition"), *where)


def test_an_arrival_whole() -> None:
    (document,) = exporter().export([event(number=0xAB, read_point="gate-3-out")])
    assert document.name == "000000000000000000ab.jsonld"
    found = json.loads(document.body)
    (made,) = found["epcisBody"].pop("eventList")
    assert found == {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", NAMESPACES],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-09-21T14:13:20.123Z",
        "epcisBody": {},
    }
    assert made.pop("eventID") == event_hash(made, NAMESPACES)
    assert made == {
        "type": "ObjectEvent",
        "eventTime": "2026-09-21T14:13:20.123Z",
        "eventTimeZoneOffset": "+08:00",
        "epcList": [PALLET_LINK],
        "action": "OBSERVE",
        "bizStep": "arriving",
        "readPoint": {"id": f"{PLACE}/gate-3-out"},
        "bizLocation": {"id": f"{PLACE}/yard-7"},
        "tagwharf:event": "harbour/000000000000000000ab",
    }


HERE = f"{PLACE}/yard-7"


@pytest.mark.parametrize(
    ("kind", "direction", "found"),
    [
        ("arrived", None, ("arriving", None, HERE, HERE)),
        ("moved", None, (None, None, HERE, HERE)),
        ("departed", None, ("departing", None, HERE, None)),
        ("passage", "in", ("arriving", None, HERE, SITE)),
        ("passage", "out", ("departing", "in_transit", HERE, None)),
        ("passage", None, (None, None, HERE, None)),
        ("route-completed", None, (None, None, HERE, HERE)),
    ],
)
def test_what_each_event_means(kind: str, direction: str | None, found: tuple[Any, ...]) -> None:
    assert meaning(only(event(kind, direction=direction))) == found


def test_what_is_done_in_a_zone() -> None:
    by = exporter(gln=GLN, zone_steps={"yard-7": "storing"}, steps={"moved": {"disposition": "in_progress"}})
    assert meaning(only(event("arrived"), by))[:2] == ("storing", None)
    assert meaning(only(event("moved"), by))[:2] == ("storing", "in_progress")
    assert meaning(only(event("departed"), by))[:2] == ("departing", None)
    assert meaning(only(event("passage", direction="in"), by))[:2] == ("arriving", None)
    assert meaning(only(event("arrived", zone="quay"), by))[:2] == ("arriving", None)


def test_events_of_rules_of_the_site() -> None:
    by = exporter(gln=GLN, uri=OWN, zone_steps={"yard-7": "storing"}, steps={"loaded": {"step": "loading"}, "seen": {}})
    assert meaning(only(event("loaded"), by)) == ("loading", None, HERE, HERE)
    assert meaning(only(event("seen"), by)) == ("storing", None, HERE, HERE)
    assert meaning(only(event("loaded", zone=None), by)) == ("loading", None, None, None)
    assert by.export([event("washed")]) == []
    assert by.counters == {EXPORTED: 3, WITHOUT_MEANING: 1}


@pytest.mark.parametrize(
    ("more", "uri"),
    [
        ({"subject": "E200001122334455", "name": "pallet 81"}, f"{OWN}/thing/pallet%2081"),
        ({"subject": "E200001122334455", "name": "CSQU3054383", "fields": {"class": "container"}}, CONTAINER),
        ({"subject": "DC20D3455CF0D74CF8CE", "fields": {"uri": CONTAINER, "class": 7}}, CONTAINER),
        ({"subject": "CSQU3054383"}, CONTAINER),
    ],
)
def test_what_a_thing_is_called(more: dict[str, Any], uri: str) -> None:
    assert only(event(**more))["epcList"] == [uri]


def test_a_thing_without_a_name_is_left_out_and_counted() -> None:
    by = exporter(gln=GLN)
    unnamed = event(subject="E200001122334455", name="pallet 81")
    assert [each["epcList"] for each in exported(unnamed, event(), unnamed, by=by)] == [[PALLET_LINK]]
    assert by.export([unnamed, gate("container")]) == []
    assert by.counters == {UNNAMED: 4, EXPORTED: 1}


def test_a_place_without_a_name_is_left_out_and_counted() -> None:
    by = exporter(gln=GLN)
    assert meaning(only(event(zone="a-place-with-a-long-name"), by)) == ("arriving", None, None, None)
    assert by.counters == {UNPLACED: 2, EXPORTED: 1}


def test_a_gate_transaction_whole() -> None:
    transaction, aggregation = exported(gate(number=0xAB))
    head = {
        "eventTime": "2026-09-21T14:13:20.123Z",
        "eventTimeZoneOffset": "+08:00",
        "bizStep": "arriving",
        "readPoint": {"id": f"{PLACE}/lane-1"},
        "bizLocation": {"id": SITE},
        "tagwharf:event": "harbour/000000000000000000ab",
    }
    assert transaction.pop("eventID") == event_hash(transaction, NAMESPACES)
    assert transaction == head | {
        "type": "TransactionEvent",
        "epcList": [TRUCK, CONTAINER, SEAL],
        "action": "ADD",
        "bizTransactionList": [
            {
                "type": "urn:tagwharf:epcis:gate-transaction",
                "bizTransaction": f"urn:epcglobal:cbv:bt:{GLN}:000000000000000000ab",
            }
        ],
    }
    assert aggregation.pop("eventID") == event_hash(aggregation, NAMESPACES)
    assert aggregation == head | {
        "type": "AggregationEvent",
        "parentID": TRUCK,
        "childEPCs": [CONTAINER],
        "action": "OBSERVE",
        "sensorElementList": WEIGHT,
    }


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"direction": "out"}, ("departing", "in_transit", f"{PLACE}/lane-1", None)),
        ({"verdict": "hold"}, ("holding", None, f"{PLACE}/lane-1", None)),
        ({"verdict": "hold", "seal_state": "opened"}, ("holding", "container_open", f"{PLACE}/lane-1", None)),
        ({"verdict": "trouble", "direction": "out"}, ("inspecting", None, f"{PLACE}/lane-1", None)),
        ({"direction": None}, (None, None, f"{PLACE}/lane-1", None)),
        ({"verdict": None}, (None, None, f"{PLACE}/lane-1", None)),
        ({"missing": "", "closed_by": "event"}, ("arriving", None, f"{PLACE}/lane-1", SITE)),
        ({"missing": "seal"}, (None, None, f"{PLACE}/lane-1", None)),
        ({"closed_by": "limit"}, (None, None, f"{PLACE}/lane-1", None)),
    ],
)
def test_what_a_gate_transaction_means(more: dict[str, Any], found: tuple[Any, ...]) -> None:
    assert {meaning(each) for each in exported(gate(**more))} == {found}


@pytest.mark.parametrize(
    ("without", "kinds"),
    [
        (("container",), ["TransactionEvent", "ObjectEvent"]),
        (("truck", "truck_epc"), ["TransactionEvent", "ObjectEvent"]),
        (("container", "weight_kg"), ["TransactionEvent"]),
        (("weight_kg",), ["TransactionEvent", "AggregationEvent"]),
    ],
)
def test_what_was_not_read_at_the_gate(without: tuple[str, ...], kinds: list[str]) -> None:
    found = exported(gate(*without))
    assert [each["type"] for each in found] == kinds
    assert [each["sensorElementList"] for each in found[1:] if "weight_kg" not in without] == (
        [WEIGHT] if "weight_kg" not in without else []
    )


@pytest.mark.parametrize(
    ("weight", "shown"), [(7, 7), (7.25, 7.25), (True, None), ("7", None), (float("nan"), None), (-1, None)]
)
def test_the_weight(weight: object, shown: float | None) -> None:
    found = exported(gate(weight_kg=weight, weight_kg_at_us="?"))[1].get("sensorElementList")
    assert (found is None) == (shown is None)
    if found is not None:
        assert found[0]["sensorReport"][0]["value"] == shown
        assert found[0]["sensorMetadata"]["time"] == "2026-09-21T14:13:20.123Z"


def test_one_tag_that_is_taken_for_truck_and_seal_stands_there_once() -> None:
    assert exported(gate(truck_epc=PALLET, seal_epc=PALLET))[0]["epcList"] == [PALLET_LINK, CONTAINER]


def test_a_wrong_container_number_is_no_container() -> None:
    assert exported(gate(container="CSQU3054384"))[0]["epcList"] == [TRUCK, SEAL]


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        (UTC, "+00:00"),
        (ZoneInfo("Asia/Kolkata"), "+05:30"),
        (ZoneInfo("America/St_Johns"), "-02:30"),
        (timezone(timedelta(hours=-11)), "-11:00"),
    ],
)
def test_the_offset_of_the_site(zone: Any, shown: str) -> None:
    assert only(event(), exporter(zone))["eventTimeZoneOffset"] == shown


def test_the_offset_is_that_of_the_day() -> None:
    by = exporter(ZoneInfo("Europe/Berlin"))
    half_a_year_us = 180 * 86_400_000_000
    assert [each["eventTimeZoneOffset"] for each in exported(event(), event(at_us=AT_US + half_a_year_us), by=by)] == [
        "+02:00",
        "+01:00",
    ]


def test_a_document_of_many_is_as_young_as_its_youngest_event() -> None:
    later = event("departed", at_us=AT_US + 60_000_000, number=2)
    (document,) = exporter().export([event(number=1), later, event("unknown", at_us=AT_US + 90_000_000)])
    assert document.name == "00000000000000000001-3.jsonld"
    assert json.loads(document.body)["creationDate"] == "2026-09-21T14:14:20.123Z"


@given(st.lists(EVENTS, min_size=1, max_size=5))
def test_every_event_is_exported_or_counted(events: list[Event]) -> None:
    by = exporter()
    found = exported(*events, by=by) if by.export(events) else []
    assert sum(by.counters[each] for each in (EXPORTED, UNNAMED, WITHOUT_MEANING)) == (2 if found else 1) * len(events)
    assert len({each["eventID"] for each in found}) == len({json.dumps(each) for each in found})
    assert {each["tagwharf:event"].removeprefix("harbour/") for each in found} <= {each.id for each in events}


def test_the_gates_of_the_pack_port() -> None:
    found = [exported(each) for each in transactions_of_the_pack()]
    assert [each["type"] for each in found[0]] == ["TransactionEvent", "AggregationEvent"]
    assert found[0][0]["epcList"] == [TRUCK, "urn:epc:id:bic:TWHU0001012", SEAL]
    assert found[0][1]["sensorElementList"][0]["sensorReport"][0]["value"] == 24800
    steps = Counter(each[0].get("bizStep") for each in found)
    assert set(steps) == {"arriving", "departing", "holding", "inspecting"}


def test_the_document_of_the_page_is_what_is_made() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "exports" / "epcis.md").read_text(encoding="utf-8")
    (document,) = exporter().export([event(number=0xAB, read_point="gate-3-out")])
    assert json.loads(document.body) == json.loads(page.split("```json\n")[1].split("```")[0])
    table = tomllib.loads(page.split("```toml\n")[1].split("```")[0])["exports"]["epcis"]
    assert only(event("loaded", zone="gate-3"), exporter(**table))["bizStep"] == "loading"
