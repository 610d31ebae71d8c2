"""One item on its way to the rules that take items in the order of event time."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gateway.contract.events import Evidence, Scalar
from rules.language.vocabulary import Value

MOST_POINTS = 16
"""Read points named in joined evidence at most."""


class Item(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An item as it waits for its turn.

    Attributes:
        on: its kind, or the type of the event that it is.
        known_us: when it could be known, in event time; its place in the order. at_us: when it happened.
        origin: what it is, for the ids of events that rest on it: the same at every replay.
        source: what has to be watched for silence to mean something: a meter, a read point, a device.
    """

    on: str
    known_us: int
    at_us: int
    origin: str
    source: str
    is_historical: bool
    fields: dict[str, Value]
    evidence: Evidence

    def text(self, name: str) -> str | None:
        """A field, if it is a text."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else None

    def scalars(self, names: Iterable[str]) -> dict[str, Scalar]:
        """Those of these fields that it has, without lists."""
        fields = self.fields
        return {
            name: value for name in names if (value := fields.get(name)) is not None and not isinstance(value, list)
        }


def joined(evidence: Iterable[Evidence]) -> Evidence:
    """What several items rest on together, of the gateway and epoch of the last of them."""
    found = list(evidence)
    gateway, epoch, reads = found[-1].gateway, found[-1].epoch, 0
    points: dict[str, None] = {}
    known_from, known_to, first_us, last_us, strongest, confidence = [], [], [], [], [], []
    for each in found:  # one loop, and not one for each of them: half of all events rest on several items
        if each.sequence_to and each.epoch == epoch and each.gateway == gateway:
            known_from.append(each.sequence_from)
            known_to.append(each.sequence_to)
        reads += each.reads
        for point in each.read_points:
            points[point] = None
        latest_us = each.last_seen_at_us
        earliest_us = each.first_seen_at_us or latest_us
        if earliest_us is not None:
            first_us.append(earliest_us)
        if latest_us is not None:
            last_us.append(latest_us)
        if each.rssi_max_dbm is not None:
            strongest.append(each.rssi_max_dbm)
        if each.confidence is not None:
            confidence.append(each.confidence)
    return Evidence(
        gateway=gateway,
        epoch=epoch,
        sequence_from=min(known_from, default=0),
        sequence_to=max(known_to, default=0),
        reads=reads,
        read_points=tuple(points)[:MOST_POINTS],
        rssi_max_dbm=max(strongest, default=None),
        first_seen_at_us=min(first_us, default=None),
        last_seen_at_us=max(last_us, default=None),
        confidence=min(confidence, default=None),
    )
