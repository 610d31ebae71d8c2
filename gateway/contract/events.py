"""Events and alarms: what the rules concluded. Each names the evidence that it rests on.

Ids are deterministic: the same input gives the same id, so that a repeated event is recognised and overwrites itself.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

Scalar = str | int | float | bool | None

ID_BYTES: Final = 10  # 80 bits: a collision among 10^9 events has a probability below 10^-6


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What an event rests on, and where to find it again.

    Attributes:
        sequence_from, sequence_to: batches of `(gateway, epoch)` that hold the raw reads or readings.
        reads: air reads counted in; read_points: where; rssi_max_dbm: the strongest.
        confidence: 0 to 1; how it is computed stands with each event type.
    """

    gateway: str
    epoch: int
    sequence_from: int
    sequence_to: int
    reads: int = 0
    read_points: tuple[str, ...] = ()
    rssi_max_dbm: float | None = None
    first_seen_at_us: int | None = None
    last_seen_at_us: int | None = None
    confidence: float | None = None


class Event(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Something that happened on the site, on `events/{type}`.

    Attributes:
        id: deterministic, see `event_id`.
        type: `arrived`, `moved`, `departed`, `passage`, `card_presented`, or the name that a rule gives; `[a-z0-9_-]`.
        at_us: event time.
        subject: what it is about: an EPC in hex, a card, a meter, a device; `name` is what people call it, if known.
        fields: further values of this event type.
        rule: the rule that made it; None for presence.
        historical: what it rests on came from a backlog, of a reader or of the edge: too late to act upon.
    """

    id: str
    type: str
    at_us: int
    subject: str
    evidence: Evidence
    name: str | None = None
    zone: str | None = None
    from_zone: str | None = None
    read_point: str | None = None
    direction: str | None = None
    rule: str | None = None
    device: str | None = None
    historical: bool = False
    fields: dict[str, Scalar] = {}


class Alarm(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The state of one alarm, retained on `alarms/{id}` while raised; cleared, it is sent once, not retained.

    Attributes:
        since_us: when it began; at_us: when it became as it is. Each state of an alarm is later than the one before.
        acknowledged_at_us, acknowledged_by: when, by his own clock, and who: a person of the site file sees to it.
        comment: what a person said of it last; comment_by: who.
        ended: its condition is over; it stays raised until a person clears it.
        escalated: it is louder than its rule made it, `severity` is what it became: nobody acknowledged it in time, or
            a person asked for it; escalated_by: who.
    """

    id: str
    rule: str
    severity: str
    subject: str
    state: str  # raised | cleared
    since_us: int
    at_us: int
    message: str
    evidence: Evidence
    fields: dict[str, Scalar] = {}
    acknowledged_at_us: int | None = None
    acknowledged_by: str | None = None
    comment: str | None = None
    comment_by: str | None = None
    ended: bool = False
    escalated: bool = False
    escalated_by: str | None = None


_event: Final = msgspec.json.Decoder(Event)
_alarm: Final = msgspec.json.Decoder(Alarm)


def decode_event(payload: bytes) -> Event:
    """Read an `Event`; raises msgspec.ValidationError or msgspec.DecodeError."""
    return _event.decode(payload)


def decode_alarm(payload: bytes) -> Alarm:
    """Read an `Alarm`; raises msgspec.ValidationError or msgspec.DecodeError."""
    return _alarm.decode(payload)


def event_id(*parts: Scalar) -> str:
    """A deterministic id, 20 hex digits, of what makes the event unique: type, rule, subject, first evidence."""
    text = "\x1f".join(["" if part is None else str(part) for part in parts])
    return hashlib.blake2b(text.encode(), digest_size=ID_BYTES).hexdigest()
