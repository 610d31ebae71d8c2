"""What a rule can ask about: the fields of everything that `on` may name, with their types.

An item is a plain dict that holds only the fields that have a value. A field that is absent is not in the dict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from gateway.contract.batches import (
    CardBatch,
    CardRead,
    Reading,
    ReadingBatch,
    Signal,
    SignalBatch,
    StatusBatch,
    TagRead,
)
from gateway.contract.events import Event
from rules.built_in import CARD_PRESENTED
from rules.energy.events import BOOK_EVENTS, BOOK_FIELDS
from rules.machines.points import MACHINE_EVENTS, MACHINE_FIELDS
from rules.things.naming import Named
from rules.things.thing import RESULTS, Thing

Value = str | int | float | bool | list[str]
Fields = dict[str, Value]

_READ: Final = {
    "subject": "string",
    "epc": "string",
    "name": "string",
    "kind": "string",
    "class": "string",
    "tid": "string",
    "registered_tid": "string",
    "user_memory": "string",
    "device": "string",
    "gateway": "string",
    "read_point": "string",
    "antenna_port": "int",
    "rssi_dbm": "double",
    "count": "int",
    "seen_at_us": "int",
    "pc_bits": "int",
    "phase_deg": "double",
    "doppler_hz": "double",
    "channel_index": "int",
}
_CARD: Final = {
    "subject": "string",
    "card": "string",
    "technology": "string",
    "part": "string",
    "result": "string",
    "name": "string",
    "kind": "string",
    "class": "string",
    "registry": "string",
    "device": "string",
    "gateway": "string",
    "read_point": "string",
    "antenna_port": "int",
    "seen_at_us": "int",
}
_READING: Final = {
    "subject": "string",
    "device": "string",
    "gateway": "string",
    "quantity": "string",
    "obis": "string",
    "value": "double",
    "unit": "string",
    "phase": "string",
    "tariff": "int",
    "quality": "string",
    "meter_time_us": "int",
    "received_at_us": "int",
}
_SIGNAL: Final = {
    "subject": "string",
    "device": "string",
    "gateway": "string",
    "name": "string",
    "value": "any",
    "unit": "string",
    "received_at_us": "int",
}
_STATUS: Final = {
    "subject": "string",
    "device": "string",
    "gateway": "string",
    "state": "string",
    "reason": "string",
    "detail": "string",
    "since_us": "int",
    "watched": "list",
    "conditions": "list",
    "driver": "string",
    "manufacturer": "string",
    "model": "string",
    "firmware": "string",
    "heard": "int",
    "reconnects": "int",
    "clock_offset_us": "int",
    "received_at_us": "int",
}
_EVENT: Final = {
    "subject": "string",
    "name": "string",
    "kind": "string",
    "class": "string",
    "scheme": "string",
    "uri": "string",
    "registry": "string",
    "type": "string",
    "zone": "string",
    "from_zone": "string",
    "read_point": "string",
    "direction": "string",
    "device": "string",
    "gateway": "string",
    "rule": "string",
    "at_us": "int",
    "reads": "int",
    "rssi_max_dbm": "double",
    "confidence": "double",
    "dwell_s": "double",
    "historical": "bool",
}
_BOOK: Final = _EVENT | BOOK_FIELDS
_PRESENTED: Final = {
    name: kind for name, kind in (_EVENT | _CARD).items() if name not in ("card", "antenna_port", "seen_at_us")
}

RAW: Final = ("read", "card", "reading", "signal", "status")
PRESENCE: Final = ("arrived", "moved", "departed", "passage")
BUILT_IN: Final = (*PRESENCE, CARD_PRESENTED, *BOOK_EVENTS, *MACHINE_EVENTS)
"""Events that every site has."""
FIELDS: Final[dict[str, Mapping[str, str]]] = {
    "read": _READ,
    "card": _CARD,
    "reading": _READING,
    "signal": _SIGNAL,
    "status": _STATUS,
    **dict.fromkeys(PRESENCE, _EVENT),
    CARD_PRESENTED: _PRESENTED,
    **dict.fromkeys(BOOK_EVENTS, _BOOK),
    **dict.fromkeys(MACHINE_EVENTS, _EVENT | MACHINE_FIELDS),
}

IDENTITY: Final[dict[str, frozenset[str]]] = {
    "read": frozenset(
        {"subject", "epc", "tid", "name", "kind", "class", "device", "gateway", "read_point", "antenna_port"}
    ),
    "card": frozenset(
        {
            *("subject", "card", "technology", "part", "name", "kind", "class", "device", "gateway", "read_point"),
            "antenna_port",
        }
    ),
    "reading": frozenset({"subject", "device", "gateway", "quantity", "obis", "unit", "phase", "tariff"}),
    "signal": frozenset({"subject", "device", "gateway", "name", "unit"}),
    "status": frozenset({"subject", "device", "gateway", "driver", "manufacturer", "model", "firmware"}),
}
"""Fields that say what an item is about, not how it is. A condition on them alone chooses the items of a rule."""
EVENT_IDENTITY: Final = frozenset(
    {"subject", "name", "kind", "class", "scheme", "uri", "device", "gateway", "type", "rule"}
)

SERIES: Final[dict[str, tuple[str, ...]]] = {"reading": ("quantity", "phase", "tariff"), "signal": ("name",)}
"""What tells apart the series of one subject: state is kept for each."""

ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    "direction": ("in", "out"),
    "state": ("online", "degraded", "offline"),
    "quality": ("good", "absent", "suspect", "backfilled", "computed"),
    "result": RESULTS,
}
"""Fields with a closed set of values: a comparison with another value can never be true."""


def fields_of(on: str) -> Mapping[str, str]:
    """Fields and their types; those of an event for the event types that rules make."""
    return FIELDS.get(on, _EVENT)


def identity_of(on: str) -> frozenset[str]:
    """Fields of `on` that say what an item is about."""
    return IDENTITY.get(on, EVENT_IDENTITY)


def read_fields(read: TagRead, device: str, gateway: str, thing: Thing | None) -> Fields:
    """A tag read as an item."""
    fields: Fields = {
        "subject": read.epc,
        "epc": read.epc,
        "device": device,
        "gateway": gateway,
        "read_point": read.read_point,
        "antenna_port": read.antenna_port,
        "count": read.count,
        "seen_at_us": read.seen_at_us,
    }
    if read.rssi_dbm is not None:
        fields["rssi_dbm"] = read.rssi_dbm
    if thing is not None:
        fields["name"] = thing.name
        if thing.kind:
            fields["kind"] = thing.kind
        if thing.class_name:
            fields["class"] = thing.class_name
        if thing.tid:
            fields["registered_tid"] = thing.tid
    for name, value in (
        ("tid", read.tid),
        ("user_memory", read.user_memory),
        ("pc_bits", read.pc_bits),
        ("phase_deg", read.phase_deg),
        ("doppler_hz", read.doppler_hz),
        ("channel_index", read.channel_index),
    ):
        if value is not None:
            fields[name] = value
    return fields


def card_fields(card: CardRead, batch: CardBatch, result: str, named: Named) -> Fields:
    """A card presentation as an item."""
    own = _present(
        subject=card.card,
        card=card.card,
        technology=card.technology,
        part=card.part,
        result=result,
        name=named.name,
        device=batch.device,
        gateway=batch.gateway,
        read_point=card.read_point,
        antenna_port=card.antenna_port,
        seen_at_us=card.seen_at_us,
    )
    return _present(**named.fields) | own


def reading_fields(reading: Reading, batch: ReadingBatch) -> Fields:
    """A reading as an item; its exact value becomes a double."""
    return _present(
        subject=batch.device,
        device=batch.device,
        gateway=batch.gateway,
        quantity=reading.quantity,
        obis=reading.obis,
        value=_double(reading.value),
        unit=reading.unit,
        phase=reading.phase,
        tariff=reading.tariff,
        quality=reading.quality,
        meter_time_us=reading.meter_time_us,
        received_at_us=batch.received_at_us,
    )


def signal_fields(signal: Signal, batch: SignalBatch) -> Fields:
    """A signal as an item: a text with a unit is a number."""
    return _present(
        subject=batch.device,
        device=batch.device,
        gateway=batch.gateway,
        name=signal.name,
        value=signal_value(signal),
        unit=signal.unit,
        received_at_us=batch.received_at_us,
    )


def signal_value(signal: Signal) -> bool | str | float | None:
    """The value of a signal; None when a text with a unit is no number."""
    if isinstance(signal.value, bool) or signal.unit is None:
        return signal.value
    try:
        return _double(Decimal(signal.value))
    except ArithmeticError:
        return None


def status_fields(batch: StatusBatch) -> Fields:
    """A status as an item; `conditions` are the names of what stands now."""
    return _present(
        subject=batch.device,
        device=batch.device,
        gateway=batch.gateway,
        state=batch.state,
        reason=batch.reason,
        detail=batch.detail,
        since_us=batch.since_us,
        watched=batch.watched,
        conditions=[condition.name for condition in batch.conditions],
        driver=batch.driver,
        manufacturer=batch.manufacturer,
        model=batch.model,
        firmware=batch.firmware,
        heard=batch.heard,
        reconnects=batch.reconnects,
        clock_offset_us=batch.clock_offset_us,
        received_at_us=batch.received_at_us,
    )


def event_fields(event: Event) -> Fields:
    """An event as an item, its further fields beside its own, which they cannot hide."""
    evidence = event.evidence
    more = event.fields
    fields: Fields = {name: value for name, value in more.items() if value is not None} if more else {}
    fields["subject"] = event.subject
    fields["type"] = event.type
    fields["gateway"] = evidence.gateway
    fields["at_us"] = event.at_us
    fields["reads"] = evidence.reads
    fields["historical"] = event.historical
    # One after the other, without a loop: this is done for every event that some rule looks at.
    if event.name is not None:
        fields["name"] = event.name
    if event.zone is not None:
        fields["zone"] = event.zone
    if event.from_zone is not None:
        fields["from_zone"] = event.from_zone
    if event.read_point is not None:
        fields["read_point"] = event.read_point
    if event.direction is not None:
        fields["direction"] = event.direction
    if event.device is not None:
        fields["device"] = event.device
    if event.rule is not None:
        fields["rule"] = event.rule
    if evidence.rssi_max_dbm is not None:
        fields["rssi_max_dbm"] = evidence.rssi_max_dbm
    if evidence.confidence is not None:
        fields["confidence"] = evidence.confidence
    return fields


def series_of(on: str, key: Value | None, fields: Fields) -> str:
    """What tells apart the states of one rule: the key, and the series where a subject has several."""
    head = "" if key is None else str(key)
    parts = SERIES.get(on)
    if parts is None:
        return head
    return "/".join([head, *(str(fields.get(part, "")) for part in parts)])


def _double(value: Decimal | None) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _present(**fields: Value | None) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}
