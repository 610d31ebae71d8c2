"""What a gate transaction tells those who ask for gate reports, whatever their format."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final, NamedTuple

from gateway.config.gate_exports import GateExport, Load
from gateway.contract.events import Event
from gateway.tag_facts import container_number
from rules.language.vocabulary import Fields, Value, event_fields
from rules.packs.port.gate import TRANSACTION

OPEN: Final = "open"
FREIGHT_CONTAINER: Final = "U"
"""The category of a container number; equipment of others and trailers are no containers."""
MOST_KG: Final = 1_000_000_000
LIMIT: Final = "limit"
"""A transaction that ended by its time limit: the truck was not seen to leave the lane."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOADS: Final = {
    **dict.fromkeys(("empty", "e", "4", "true"), Load.EMPTY),
    **dict.fromkeys(("laden", "full", "l", "f", "5", "false"), Load.LADEN),
}


class GatePassage(NamedTuple):
    """A container that passed a gate.

    Attributes:
        container: its number, ISO 6346, with the right check digit.
        is_seal_intact: None when nobody can say.
        at_us: when the truck had left the gate.
        fields: all that the transaction tells.
    """

    event_id: str
    is_inward: bool
    container: str
    truck: str | None
    seal: str | None
    is_seal_intact: bool | None
    at_us: int
    fields: Fields


def gate_passage(event: Event) -> GatePassage | None:
    """The passage; None for other events, for trucks that were not let in or out, and without a valid container."""
    if event.type != TRANSACTION:
        return None
    fields = event_fields(event)
    direction, container = fields.get("direction"), fields.get("container")
    number = container_number(container) if isinstance(container, str) else None
    if number is None or number[3] != FREIGHT_CONTAINER or direction not in {"in", "out"} or not _has_passed(fields):
        return None
    return GatePassage(
        event_id=event.id,
        is_inward=direction == "in",
        container=number,
        truck=text_of(fields, "truck"),
        seal=text_of(fields, "seal"),
        is_seal_intact={"sealed": True, "opened": False}.get(str(fields.get("seal_state"))),
        at_us=event.at_us,
        fields=fields,
    )


def text_of(fields: Mapping[str, Value], name: str | None) -> str | None:
    """The text of a field, or its whole number; None when it has neither."""
    value = None if name is None else fields.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return None
    return " ".join(value.split()) or None


def load_of(settings: GateExport, fields: Mapping[str, Value]) -> Load | None:
    """Whether the container is empty; None when nobody says."""
    value = None if settings.empty_field is None else fields.get(settings.empty_field)
    return _LOADS.get(str(value).strip().lower(), settings.load)


def kilograms_of(fields: Mapping[str, Value], name: str | None) -> Decimal | None:
    """The weight in a field, to the gram; None when it is no number that a weight can be."""
    value = None if name is None else fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_KG:
        return None  # nor is NaN, which is in no range
    return Decimal(str(value)).quantize(Decimal("0.001"))


def local_time(at_us: int, zone: tzinfo) -> datetime:
    """A moment on the clocks of the site."""
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone)


def _has_passed(fields: Mapping[str, Value]) -> bool:
    is_complete = fields.get("missing_count", 0) == 0 and not fields.get("missing")
    return fields.get("verdict") == OPEN and is_complete and fields.get("closed_by") != LIMIT
