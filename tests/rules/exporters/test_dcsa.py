from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from gateway.config.gate_exports import DcsaExport
from gateway.contract.events import Event, Scalar
from rules.exporters import Exporter
from rules.exporters.dcsa import DcsaExporter
from tests.rules.exporters.gate_events import transaction, transactions_of_the_pack

PUBLISHED = json.loads((Path(__file__).parents[2] / "vectors/dcsa/equipment_event.json").read_text())
FULL: dict[str, Any] = {
    "un_location": "CNSHA",
    "facility": "YSCT",
    "size_type_field": "appointment_size_type",
    "empty_field": "appointment_empty",
    "booking_field": "appointment_booking",
    "seal_type": "BLT",
    "seal_source": "SHI",
}


def schema() -> dict[str, Any]:
    """As published, but for one list, which holds its own legend: `BKG (Booking)`. Its example says `BKG`."""
    found = deepcopy(PUBLISHED)
    kinds = found["components"]["schemas"]["documentReferences_inner"]["properties"]["documentReferenceType"]
    kinds["enum"] = [text.partition(" ")[0] for text in kinds["enum"]]
    reference: dict[str, Any] = {"$ref": "#/components/schemas/equipmentEvent"}
    return {"type": "array", "items": reference, "components": found["components"]}


VALIDATOR = Draft202012Validator(schema(), format_checker=FormatChecker())


def exporter(**settings: Any) -> DcsaExporter:
    chosen = {name: value for name, value in {**FULL, **settings}.items() if value is not None}
    return DcsaExporter(DcsaExport.model_validate(chosen), zone=ZoneInfo("Asia/Shanghai"))


def told(event: Event, **settings: Any) -> dict[str, Any]:
    (document,) = exporter(**settings).export([event])
    read = json.loads(document.body)
    VALIDATOR.validate(read)
    (only,) = read
    assert isinstance(only, dict)
    return only


def test_a_gate_in() -> None:
    event = transaction()
    assert told(event) == {
        "eventID": "250399fa-8c18-5517-a379-6ebbbf1ef93f",
        "eventCreatedDateTime": "2026-03-02T16:15:22.250+08:00",
        "eventType": "EQUIPMENT",
        "eventClassifierCode": "ACT",
        "eventDateTime": "2026-03-02T16:15:22.250+08:00",
        "equipmentEventTypeCode": "GTIN",
        "equipmentReference": "CSQU3054383",
        "ISOEquipmentCode": "22G1",
        "emptyIndicatorCode": "LADEN",
        "eventLocation": {"UNLocationCode": "CNSHA", "facilityCode": "YSCT", "facilityCodeListProvider": "SMDG"},
        "transportCall": {
            "transportCallID": event.id,
            "UNLocationCode": "CNSHA",
            "facilityCode": "YSCT",
            "facilityCodeListProvider": "SMDG",
            "facilityTypeCode": "POTE",
            "modeOfTransport": "TRUCK",
        },
        "documentReferences": [{"documentReferenceType": "BKG", "documentReferenceValue": "BK7781"}],
        "seals": [{"sealNumber": "SEAL-1", "sealSource": "SHI", "sealType": "BLT"}],
    }


def test_the_schema_can_say_no() -> None:
    for name in ("emptyIndicatorCode", "equipmentEventTypeCode", "eventDateTime", "eventCreatedDateTime"):
        event = told(transaction())
        del event[name]
        assert not VALIDATOR.is_valid([event])
    assert not VALIDATOR.is_valid([{**told(transaction()), "eventID": "17"}])
    assert not VALIDATOR.is_valid([{**told(transaction()), "equipmentEventTypeCode": "GATE"}])
    assert not VALIDATOR.is_valid([{**told(transaction()), "seals": [{"sealNumber": "1"}]}])


def test_a_gate_out_of_an_empty_container() -> None:
    found = told(transaction(direction="out", appointment_empty=True))
    assert (found["equipmentEventTypeCode"], found["emptyIndicatorCode"]) == ("GTOT", "EMPTY")


def test_ids_are_of_the_transaction() -> None:
    first, again, other = told(transaction()), told(transaction(truck="X")), told(transaction(2))
    assert first["eventID"] == again["eventID"] != other["eventID"]
    assert UUID(first["eventID"]).version == 5


def test_times_name_their_zone() -> None:
    at = datetime.fromisoformat(told(transaction())["eventDateTime"])
    assert at.astimezone(UTC) == datetime(2026, 3, 2, 8, 15, 22, 250_000, tzinfo=UTC)


def test_a_container_of_which_nobody_knows_whether_it_is_empty_is_not_told() -> None:
    unknown = transaction(appointment_empty=None)
    assert exporter().export([unknown]) == []
    assert told(unknown, load="laden")["emptyIndicatorCode"] == "LADEN"


def test_who_did_not_pass_is_not_told() -> None:
    events = [transaction(1, verdict="hold"), transaction(2)]
    assert [each.name for each in exporter().export(events)] == [f"dcsa_{events[1].id}.json"]


@pytest.mark.parametrize(
    ("fields", "settings", "absent"),
    [
        ({"seal": None}, {}, "seals"),
        ({"seal": "S" * 16}, {}, "seals"),
        ({}, {"seal_type": None}, "seals"),
        ({"appointment_size_type": "20 feet"}, {}, "ISOEquipmentCode"),
        ({"appointment_size_type": None}, {}, "ISOEquipmentCode"),
        ({}, {"size_type_field": None}, "ISOEquipmentCode"),
        ({"appointment_booking": None}, {}, "documentReferences"),
        ({"appointment_booking": "B" * 101}, {}, "documentReferences"),
    ],
    ids=str,
)
def test_what_is_not_known_or_does_not_fit_is_not_told(
    fields: dict[str, Scalar], settings: dict[str, Any], absent: str
) -> None:
    assert absent not in told(transaction(**fields), **settings)


def test_a_seal_of_unknown_hand() -> None:
    assert told(transaction(), seal_source=None)["seals"] == [{"sealNumber": "SEAL-1", "sealType": "BLT"}]


def test_it_is_an_exporter() -> None:
    found: Exporter = exporter()
    assert (found.name, found.content_type) == ("dcsa", "application/json")


@given(seal=st.text(max_size=20), size=st.text(max_size=8), booking=st.text(max_size=120), is_empty=st.booleans())
def test_whatever_a_gate_heard_the_event_is_valid(*, seal: str, size: str, booking: str, is_empty: bool) -> None:
    event = transaction(seal=seal, appointment_size_type=size, appointment_booking=booking, appointment_empty=is_empty)
    told(event)
    assert exporter().export([event]) == exporter().export([event])


def test_trucks_of_the_pack_are_reported() -> None:
    made = transactions_of_the_pack()
    opened = [event for event in made if event.fields.get("verdict") == "open"]
    found = [told(event, load="laden") for event in opened]
    assert {each["equipmentEventTypeCode"] for each in found} == {"GTIN", "GTOT"}
    assert len({each["eventID"] for each in found}) == len({event.id for event in opened})
