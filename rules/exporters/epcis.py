"""Events of ours as EPCIS 2.0, JSON-LD.

An arrival, a move, a departure, a passage and a completed route become an ObjectEvent; a gate transaction becomes a
TransactionEvent, an AggregationEvent of the container on the truck, and its weight a sensor report. `eventID` is the
GS1 event hash, so that whoever gets an event twice knows it.

Source: GS1 EPCIS 2.0, sections 7.3 and 7.4; GS1 Core Business Vocabulary 2.0, section 7, for the meaning of words.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple

from gateway.config.exports import GATE_TRANSACTION, EpcisExport, EpcisStep
from gateway.contract.events import Event
from rules.exporters.epcis_names import EpcisNames
from rules.exporters.event_hash import Json, event_hash
from rules.exporters.exporter import Document

CONTEXT: Final = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
NAMESPACES: Final = {"tagwharf": "urn:tagwharf:epcis:"}
"""What the context says of extensions of ours."""
EXPORTED: Final = "events_exported"
WITHOUT_MEANING: Final = "events_without_meaning"
UNNAMED: Final = "events_of_unnamed_things"
UNPLACED: Final = "places_unnamed"

_ARRIVING: Final = EpcisStep(step="arriving")
_LEAVING: Final = EpcisStep(step="departing")
_GONE: Final = EpcisStep(step="departing", disposition="in_transit")
_NOTHING: Final = EpcisStep()
_MEANINGS: Final = {"arrived": _ARRIVING, "moved": _NOTHING, "departed": _LEAVING, "route-completed": _NOTHING}
_AT_PORTAL: Final = {"in": _ARRIVING, "out": _GONE}
_AT_GATE: Final = {"hold": EpcisStep(step="holding"), "trouble": EpcisStep(step="inspecting")}
_OPENED: Final = "container_open"
_LIMIT: Final = "limit"
"""How a transaction ended when nobody saw the truck leave the lane."""
_MOST_KG: Final = 1_000_000_000
_PASSAGE: Final = "passage"
_DEPARTED: Final = "departed"
_IN: Final = "in"

_Made = dict[str, Json]


class _Meaning(NamedTuple):
    """Attributes: location: where the things are from now on, if that is known."""

    step: str | None
    disposition: str | None
    location: str | None


class EpcisExporter:
    """Makes EPCIS documents, one of all events that are given at once.

    Attributes:
        counters: events that were exported or left out, by reason, and places that had no name.
    """

    name: Final = "epcis"
    content_type: Final = "application/ld+json"

    def __init__(self, settings: EpcisExport, *, site: str, zone: tzinfo) -> None:
        self.counters: Counter[str] = Counter()
        self._settings = settings
        self._names = EpcisNames(settings, site=site)
        self._site = site
        self._zone = zone

    def export(self, events: Sequence[Event]) -> list[Document]:
        """One document of what has a meaning in EPCIS; none when nothing has."""
        made: list[Json] = []
        created_us = 0
        for event in events:
            found = list(self._of(event))
            if found:
                self.counters[EXPORTED] += 1
                created_us = max(created_us, event.at_us)
                made += found
        if not made:
            return []
        document = {
            "@context": [CONTEXT, NAMESPACES],
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": _time(created_us),
            "epcisBody": {"eventList": made},
        }
        name = f"{events[0].id}-{len(events)}.jsonld" if len(events) > 1 else f"{events[0].id}.jsonld"
        return [Document(name, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())]

    def _of(self, event: Event) -> Iterator[_Made]:
        if event.type == GATE_TRANSACTION:
            yield from self._gate(event)
            return
        meaning = self._meaning(event)
        if meaning is None:
            self.counters[WITHOUT_MEANING] += 1
            return
        thing = self._subject(event)
        if thing is None:
            self.counters[UNNAMED] += 1
            return
        where = event.read_point or event.zone
        yield self._event("ObjectEvent", event, {"epcList": [thing], "action": "OBSERVE"}, meaning, where)

    def _meaning(self, event: Event) -> _Meaning | None:
        given = self._settings.steps.get(event.type)
        if event.type == _PASSAGE:
            default = _AT_PORTAL.get(event.direction or "", _NOTHING)
            location = self._names.site() if event.direction == _IN else None
            at_zone = None
        elif event.type in _MEANINGS or given is not None:
            default = _MEANINGS.get(event.type, _NOTHING)
            stays = event.type != _DEPARTED and event.zone is not None
            location = self._place(event.zone) if stays else None
            at_zone = self._settings.zone_steps.get(event.zone or "") if stays else None
        else:
            return None
        given = given or _NOTHING
        return _Meaning(given.step or at_zone or default.step, given.disposition or default.disposition, location)

    def _subject(self, event: Event) -> str | None:
        kind, uri = event.fields.get("class"), event.fields.get("uri")
        found = self._names.thing(
            epc=event.subject,
            name=event.name,
            kind=kind if isinstance(kind, str) else None,
            uri=uri if isinstance(uri, str) else None,
        )
        return found if found is not None else self._names.container(event.subject)

    def _gate(self, event: Event) -> Iterator[_Made]:
        """A truck at a gate: who took part in the transaction, what stood on what, and what it weighed."""
        container = self._names.container(_text(event, "container") or "")
        truck = self._part(event, "truck")
        found = (truck, container, self._part(event, "seal"))
        things = list(dict.fromkeys(each for each in found if each is not None))
        if not things:
            self.counters[UNNAMED] += 1
            return
        meaning, weight = self._meaning_at_gate(event), self._weight(event)
        where = event.read_point or event.zone or event.subject
        transaction: _Made = {
            "bizTransactionList": [
                {
                    "type": f"{NAMESPACES['tagwharf']}{GATE_TRANSACTION}",
                    "bizTransaction": self._names.transaction(event.id),
                }
            ]
        }
        yield self._event("TransactionEvent", event, {"epcList": things, "action": "ADD"}, meaning, where, transaction)
        if truck is not None and container is not None:
            parts: _Made = {"parentID": truck, "childEPCs": [container], "action": "OBSERVE"}
            yield self._event("AggregationEvent", event, parts, meaning, where, weight)
        elif weight:
            parts = {"epcList": things, "action": "OBSERVE"}
            yield self._event("ObjectEvent", event, parts, meaning, where, weight)

    def _meaning_at_gate(self, event: Event) -> _Meaning:
        """A truck that may not pass has neither arrived nor departed: it is held, or looked at."""
        verdict = _text(event, "verdict")
        direction = _text(event, "direction") or ""
        if verdict in _AT_GATE:
            opened = _OPENED if _text(event, "seal_state") == "opened" else None
            return _Meaning(_AT_GATE[verdict].step, opened, None)
        if verdict != "open" or _text(event, "missing") is not None or _text(event, "closed_by") == _LIMIT:
            return _Meaning(None, None, None)
        found = _AT_PORTAL.get(direction, _NOTHING)
        return _Meaning(found.step, found.disposition, self._names.site() if direction == _IN else None)

    def _part(self, event: Event, part: str) -> str | None:
        return self._names.thing(epc=_text(event, f"{part}_epc"), name=_text(event, part))

    def _weight(self, event: Event) -> _Made:
        """The weight of all that stood on the scale, as a sensor report in kilograms."""
        weight_kg = event.fields.get("weight_kg")
        if isinstance(weight_kg, bool) or not isinstance(weight_kg, int | float) or not 0 <= weight_kg <= _MOST_KG:
            return {}  # nor has NaN a place in JSON
        shown = int(weight_kg) if float(weight_kg).is_integer() else weight_kg
        at_us = event.fields.get("weight_kg_at_us")
        return {
            "sensorElementList": [
                {
                    "sensorMetadata": {"time": _time(at_us if isinstance(at_us, int) else event.at_us)},
                    "sensorReport": [{"type": "Mass", "value": shown, "uom": "KGM"}],
                }
            ]
        }

    def _event(  # what an EPCIS event tells: what, when, why, where
        self, kind: str, event: Event, what: _Made, why: _Meaning, where: str | None, more: _Made | None = None
    ) -> _Made:
        at = datetime.fromtimestamp(event.at_us // _US_PER_S, UTC)
        made: _Made = {"type": kind, "eventTime": _time(event.at_us), "eventTimeZoneOffset": _offset(at, self._zone)}
        made |= what
        if why.step is not None:
            made["bizStep"] = why.step
        if why.disposition is not None:
            made["disposition"] = why.disposition
        read_point = self._place(where) if where is not None else None
        if read_point is not None:
            made["readPoint"] = {"id": read_point}
        if why.location is not None:
            made["bizLocation"] = {"id": why.location}
        made |= more or {}
        made["tagwharf:event"] = f"{self._site}/{event.id}"
        return {"type": kind, "eventID": event_hash(made, NAMESPACES)} | made

    def _place(self, name: str | None) -> str | None:
        found = self._names.place(name) if name is not None else None
        if found is None:
            self.counters[UNPLACED] += 1
        return found


_US_PER_S: Final = 1_000_000


def _text(event: Event, field: str) -> str | None:
    value = event.fields.get(field)
    return value if isinstance(value, str) and value else None


def _time(at_us: int) -> str:
    """To the millisecond, cut off: a hash of it is then the same whoever rounds."""
    shown = datetime.fromtimestamp(at_us // _US_PER_S, UTC)
    return f"{shown:%Y-%m-%dT%H:%M:%S}.{at_us % _US_PER_S // 1000:03d}Z"


def _offset(at: datetime, zone: tzinfo) -> str:
    offset = at.astimezone(zone).utcoffset()
    minutes = 0 if offset is None else round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
