"""Equipment events of DCSA Track & Trace 2.2: a container gated in, or gated out.

A document is what `/v2/event-subscriptions` calls back with: an array of events, here of one. Times are those of the
transaction, and ids are made of its id, so that the same passage is the same event whenever it is told.

Source: DCSA Track & Trace 2.2.0, OpenAPI, schemas `equipmentEvent`, `transportCall`, `seal` (Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from gateway.config.gate_exports import DcsaExport, Load
from gateway.contract.events import Event
from rules.exporters.exporter import Document
from rules.exporters.gates import GatePassage, gate_passage, load_of, local_time, text_of

NAMESPACE: Final = UUID("6f0c5a52-95a1-5f0b-9a3e-3f6c5f5a0d21")
"""Of the ids: uuid5 of this and the id of the transaction. It can never change."""
_LOADS: Final = {Load.EMPTY: "EMPTY", Load.LADEN: "LADEN"}
_MOST_SIZE_TYPE: Final = 4
_MOST_SEAL: Final = 15
_MOST_REFERENCE: Final = 100


class DcsaExporter:
    """Implements `rules.exporters.Exporter`; `zone` is that of the clocks at the gate."""

    name: Final = "dcsa"
    content_type: Final = "application/json"

    def __init__(self, settings: DcsaExport, *, zone: tzinfo) -> None:
        self._settings = settings
        self._zone = zone

    def export(self, events: Sequence[Event]) -> list[Document]:
        """One document for each container that passed the gate, and of which is known whether it is empty."""
        found: list[Document] = []
        for event in events:
            passage = gate_passage(event)
            load = None if passage is None else load_of(self._settings, passage.fields)
            if passage is not None and load is not None:
                body = msgspec.json.encode([self._event(passage, load)])
                found.append(Document(f"dcsa_{passage.event_id}.json", body))
        return found

    def _event(self, passage: GatePassage, load: Load) -> dict[str, Any]:
        settings = self._settings
        at = local_time(passage.at_us, self._zone).isoformat(timespec="milliseconds")
        where = {
            "UNLocationCode": settings.un_location,
            "facilityCode": settings.facility,
            "facilityCodeListProvider": settings.facility_list.value,
        }
        told: dict[str, Any] = {
            "eventID": str(uuid5(NAMESPACE, passage.event_id)),
            "eventCreatedDateTime": at,
            "eventType": "EQUIPMENT",
            "eventClassifierCode": "ACT",
            "eventDateTime": at,
            "equipmentEventTypeCode": "GTIN" if passage.is_inward else "GTOT",
            "equipmentReference": passage.container,
            "emptyIndicatorCode": _LOADS[load],
            "eventLocation": where,
            "transportCall": {
                "transportCallID": passage.event_id,
                **where,
                "facilityTypeCode": settings.facility_type.value,
                "modeOfTransport": "TRUCK",
            },
        }
        size_type = _short(text_of(passage.fields, settings.size_type_field), _MOST_SIZE_TYPE)
        if size_type is not None:
            told["ISOEquipmentCode"] = size_type
        booking = _short(text_of(passage.fields, settings.booking_field), _MOST_REFERENCE)
        if booking is not None:
            told["documentReferences"] = [{"documentReferenceType": "BKG", "documentReferenceValue": booking}]
        seal = _short(passage.seal, _MOST_SEAL)
        if seal is not None and settings.seal_type is not None:
            source = {} if settings.seal_source is None else {"sealSource": settings.seal_source.value}
            told["seals"] = [{"sealNumber": seal, **source, "sealType": settings.seal_type.value}]
        return told


def _short(text: str | None, most: int) -> str | None:
    """The text, if it is short enough: part of a number is another number."""
    return text if text is not None and len(text) <= most else None
