"""CODECO, the gate report of UN/EDIFACT: a container came in, or went out, by road.

    UNH+E0F1..+CODECO:D:95B:UN:ITG14'      one message for each container; the reference is of the event's id
    BGM+34+E0F1..+9'                       34 gate in, 36 gate out; the event's id; 9 original
    NAD+MS+SENDER:160:ZZZ'                 who reports (MS), to whom (MR), who operates the container (CF)
    EQD+CN+CSQU3054383+22G1:102:5+++5'     container, size and type, 4 empty or 5 full
    RFF+BN:BOOKING'                        references, as the site has them
    DTM+7:202603020915:203'                when, on the clocks of the site
    LOC+165+CNSHA:139:6+TERM:TER:ZZZ'      where: port, terminal
    MEA+AAE+G+KGM:14700'                   gross weight of the container
    SEL+SEAL-1+SH+1'                       seal, who sealed, 1 in right condition or 2 damaged
    FTX+AAI+++SEAL LONG-SEAL-NUMBER'       a seal of more than 10 characters: more than SEL holds in D.95B
    TDT+1++3+31++++HH-AB 123:146:ZZZ'      by a truck: its plate; one of more than 9 characters stands where names do
    CNT+16:1'                              one container

Source: UN/ECE UNTDID D.95B, message CODECO, segments and code lists. The guide to that message, JM4/ITIGG/105 version
1.4 (March 1998), was not at hand: `165`, `TER` and `203` are as in published messages that say they follow it (ITG14).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from typing import Final

from gateway.config.gate_exports import CodecoExport, Load, Weighed
from gateway.contract.events import Event
from rules.exporters.edifact import MOST_REFERENCE, Element, interchange, message, segment, written
from rules.exporters.exporter import Document
from rules.exporters.gates import GatePassage, gate_passage, kilograms_of, load_of, local_time, text_of

MEDIA_TYPE: Final = "application/EDIFACT"  # RFC 1767
_LOADS: Final = {Load.EMPTY: "4", Load.LADEN: "5"}
_CONDITIONS: Final = {True: "1", False: "2", None: ""}
_PARTY: Final = "160"
_MOST_PLATE: Final = 9
_MOST_NAME: Final = 35
_MOST_SEAL: Final = 10
_MOST_TEXT: Final = 70
_SEAL_WORD: Final = "SEAL "


class CodecoExporter:
    """Implements `rules.exporters.Exporter`; `zone` is that of the clocks at the gate."""

    name: Final = "codeco"
    content_type: Final = MEDIA_TYPE

    def __init__(self, settings: CodecoExport, *, zone: tzinfo) -> None:
        self._settings = settings
        self._zone = zone

    def export(self, events: Sequence[Event]) -> list[Document]:
        """One interchange of one message for each container that passed the gate."""
        found = [passage for event in events if (passage := gate_passage(event)) is not None]
        return [Document(f"codeco_{passage.event_id}.edi", self._interchange(passage)) for passage in found]

    def _interchange(self, passage: GatePassage) -> bytes:
        settings = self._settings
        reference = passage.event_id[:MOST_REFERENCE].upper()
        kind = ("CODECO", "D", "95B", "UN", settings.association)
        at = local_time(passage.at_us, self._zone)
        return interchange(
            reference,
            (
                (settings.sender, settings.sender_qualifier or ""),
                (settings.receiver, settings.receiver_qualifier or ""),
            ),
            (f"{at:%y%m%d}", f"{at:%H%M}"),
            message(reference, kind, list(self._segments(passage))),
            characters=settings.character_set,
            is_test=settings.test,
        )

    def _segments(self, passage: GatePassage) -> Iterator[str]:
        settings = self._settings
        yield segment("BGM", "34" if passage.is_inward else "36", passage.event_id.upper(), "9")
        yield segment("NAD", "MS", (settings.sender, _PARTY, settings.party_agency))
        yield segment("NAD", "MR", (settings.receiver, _PARTY, settings.party_agency))
        operator = self._told(passage, settings.operator_field, _MOST_NAME) or settings.operator
        if operator is not None:
            yield segment("NAD", "CF", (operator, _PARTY, settings.operator_agency))
        yield from self._equipment(passage)
        yield segment("CNT", ("16", "1"))

    def _equipment(self, passage: GatePassage) -> Iterator[str]:
        settings = self._settings
        size_type = self._told(passage, settings.size_type_field, 10)
        load = load_of(settings, passage.fields)
        size: Element = "" if size_type is None else (size_type, "102", "5")
        yield segment("EQD", "CN", passage.container, size, "", "", "" if load is None else _LOADS[load])
        for qualifier, field in settings.references.items():
            if (reference := self._told(passage, field, 35)) is not None:
                yield segment("RFF", (qualifier, reference))
        yield segment("DTM", ("7", f"{local_time(passage.at_us, self._zone):%Y%m%d%H%M}", "203"))
        yield segment("LOC", "165", (settings.un_location, "139", "6"), (settings.terminal, "TER", "ZZZ"))
        if (gross := self._gross(passage)) is not None:
            yield segment("MEA", "AAE", "G", ("KGM", gross))
        yield from self._seal(passage)
        yield from self._truck(passage)

    def _gross(self, passage: GatePassage) -> str | None:
        """Gross weight of the container in kg; None when it is not known."""
        weight_kg = kilograms_of(passage.fields, "weight_kg")
        if self._settings.weighed is Weighed.TRUCK:
            tare_kg = kilograms_of(passage.fields, self._settings.tare_field)
            weight_kg = None if weight_kg is None or tare_kg is None else weight_kg - tare_kg
        if weight_kg is None or weight_kg <= 0:
            return None
        text = f"{weight_kg:f}".rstrip("0").rstrip(".")
        return text if len(text) <= 18 else None  # noqa: PLR2004  # as data element 6314 says

    def _seal(self, passage: GatePassage) -> Iterator[str]:
        sealed_by = "" if self._settings.sealed_by is None else self._settings.sealed_by.value
        characters = self._settings.character_set
        if (seal := written(passage.seal, _MOST_SEAL, characters)) is not None:
            yield segment("SEL", seal, sealed_by, _CONDITIONS[passage.is_seal_intact])
        elif (seal := written(passage.seal, _MOST_TEXT - len(_SEAL_WORD), characters)) is not None:
            yield segment("FTX", "AAI", "", "", _SEAL_WORD + seal)

    def _truck(self, passage: GatePassage) -> Iterator[str]:
        characters = self._settings.character_set
        truck: Element = ""
        if (plate := written(passage.truck, _MOST_PLATE, characters)) is not None:
            truck = (plate, "146", "ZZZ")
        elif (plate := written(passage.truck, _MOST_NAME, characters)) is not None:
            truck = ("", "146", "ZZZ", plate)
        yield segment("TDT", "1", "", "3", "31", "", "", "", truck)

    def _told(self, passage: GatePassage, field: str | None, most: int) -> str | None:
        return written(text_of(passage.fields, field), most, self._settings.character_set)
