"""The events that every site has: what presence concluded of tags, and the presentation of a card.

Their ids are made of what they rest on, never of names: a list of things that was changed since renames nothing.
"""

from __future__ import annotations

from typing import Final

from gateway.contract.batches import Batch, CardBatch, CardRead
from gateway.contract.events import Event, Evidence, Scalar, event_id
from rules.presence.happening import Happening
from rules.things.naming import Named, Naming

CARD_PRESENTED: Final = "card_presented"


def presence_event(happening: Happening, batch: Batch, naming: Naming, *, historical: bool) -> Event:
    """The event of what presence concluded."""
    named = naming.tag(happening.epc, happening.tid, happening.pc_bits)
    fields: dict[str, Scalar] = dict(named.fields)
    if happening.dwell_s is not None:
        fields["dwell_s"] = round(happening.dwell_s, 3)
    is_known = happening.sequence_from <= happening.sequence_to
    return Event(
        id=happening.id(batch.gateway),
        type=happening.type,
        at_us=happening.at_us,
        subject=happening.epc,
        evidence=Evidence(
            gateway=batch.gateway,
            epoch=batch.epoch,
            sequence_from=happening.sequence_from if is_known else 0,
            sequence_to=happening.sequence_to if is_known else 0,
            reads=happening.reads,
            read_points=tuple(happening.read_points),
            rssi_max_dbm=happening.strongest_dbm,
            first_seen_at_us=happening.first_us,
            last_seen_at_us=happening.last_us,
            confidence=happening.confidence,
        ),
        name=named.name,
        zone=happening.zone,
        from_zone=happening.from_zone,
        read_point=happening.read_point,
        direction=happening.direction,
        historical=historical or happening.is_late,
        fields=fields,
    )


def card_event(card: CardRead, index: int, batch: CardBatch, result: str, named: Named, *, historical: bool) -> Event:
    """The event of the presentation of a card, the one at `index` of its batch."""
    return Event(
        id=event_id(CARD_PRESENTED, batch.gateway, batch.epoch, batch.sequence, index),
        type=CARD_PRESENTED,
        at_us=card.seen_at_us,
        subject=card.card,
        evidence=Evidence(
            gateway=batch.gateway,
            epoch=batch.epoch,
            sequence_from=batch.sequence,
            sequence_to=batch.sequence,
            reads=1,
            read_points=(card.read_point,),
            last_seen_at_us=card.seen_at_us,
        ),
        name=named.name,
        read_point=card.read_point,
        device=batch.device,
        historical=historical,
        fields={"result": result, "technology": card.technology, "part": card.part, **named.fields},
    )
