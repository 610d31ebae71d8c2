"""Batches: what a gateway heard, in the terms of the site, as it travels from the edge to the rules.

Every batch carries `(gateway, epoch, sequence)`. Sequences of one epoch run from 1 over all devices and kinds without a
gap; an epoch begins when a gateway's journal is made. So a consumer knows duplicates and gaps by counting.
`ordinal` is how many items of the same kind that gateway journalled in this epoch before this batch: the sender's own
count, which the receiver's must equal.

Payloads are JSON. All times are microseconds since 1970-01-01 UTC by the gateway's clock; a reader's own time is
`seen_at_us - clock_offset_us`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

import msgspec

VERSION: Final = 1
MOST_ITEMS: Final = 500
"""Items in one batch at most: keeps a message near 64 KiB, and nanosecond remainders (index modulo 1,000) distinct."""
NUMBER_MOST: Final = 1 << 53
"""What JSON carries exactly, and every store keeps."""

Whole = Annotated[int, msgspec.Meta(ge=-NUMBER_MOST, le=NUMBER_MOST)]


class TagRead(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One tag read.

    Attributes:
        epc, tid, user_memory: upper-case hex; never trusted, never decoded into text for a key.
        read_point: where this antenna looks, from the site file.
        seen_at_us: when the tag was last seen in this row; `first_seen_at_us` when first, if the reader says so.
        rssi_dbm: peak of the row.
    """

    epc: str
    antenna_port: Whole
    read_point: str
    seen_at_us: Whole
    rssi_dbm: float | None = None
    count: Whole = 1
    first_seen_at_us: Whole | None = None
    pc_bits: Whole | None = None
    tid: str | None = None
    user_memory: str | None = None
    phase_deg: float | None = None
    doppler_hz: float | None = None
    channel_index: Whole | None = None


class Reading(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One meter value, exact: `value` is a decimal string in `unit`, None when quality is `absent`."""

    quantity: str
    obis: str
    value: Decimal | None
    unit: str
    phase: str | None = None
    tariff: Whole | None = None
    quality: str = "good"
    meter_time_us: Whole | None = None


class CardRead(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One presentation of a card.

    Attributes:
        card: what the card is called on this site: `nfca#` with a keyed hash; only a site that chose so names it by
            its number, `nfca:` with hex.
        technology: what the card speaks; `wiegand` where only a controller knows.
        part: `whole`, or the part of the number that the reader passes on: `last24` ...
        read_point: where this reader is, from the site file.
        seen_at_us: when it was presented.
    """

    card: str
    technology: str
    read_point: str
    antenna_port: Whole
    seen_at_us: Whole
    part: str = "whole"


class Signal(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An input, a weight, a machine state. A Decimal travels as a string with its unit beside it."""

    name: str
    value: bool | str
    unit: str | None = None


class Condition(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A named trouble of a device that stands now."""

    name: str
    severity: str
    since_us: Whole
    key: str = ""
    detail: str = ""


class Header(msgspec.Struct, kw_only=True):
    """What every batch carries.

    Attributes:
        gateway: the edge daemon that heard it.
        epoch: when its journal was made, microseconds since 1970.
        sequence: its place in that journal, from 1.
        ordinal: items of this kind journalled in this epoch before this batch.
        device: the reader or meter that spoke; the gateway's own name in ticks.
        received_at_us: when the host heard it.
        sent_at_us: when it was sent, by the same clock; only of a batch that had waited in the journal.
    """

    gateway: str
    epoch: int = 0
    sequence: int = 0
    ordinal: int = 0
    device: str
    received_at_us: int
    sent_at_us: Whole | msgspec.UnsetType = msgspec.UNSET

    @property
    def waited_us(self) -> int:
        """How long it had waited in the journal when it was sent; 0 for one that was sent at once."""
        return 0 if self.sent_at_us is msgspec.UNSET else self.sent_at_us - self.received_at_us


class ReadBatch(Header, tag_field="kind", tag="reads"):
    """Tag reads of one device."""

    reads: list[TagRead]
    clock_offset_us: Whole = 0


class ReadingBatch(Header, tag_field="kind", tag="readings"):
    """Readings of one meter."""

    readings: list[Reading]


class CardBatch(Header, tag_field="kind", tag="cards"):
    """Card presentations at one device."""

    cards: list[CardRead]


class SignalBatch(Header, tag_field="kind", tag="signals"):
    """Signals of one device."""

    signals: list[Signal]


class StatusBatch(Header, tag_field="kind", tag="status"):
    """The state of one device from this moment on; retained, replaces the one before.

    Attributes:
        state: `online` (proven by the device's own words), `degraded` (online with a standing fault), `offline`.
        reason: why, in a fixed word; `detail` says it to a person.
        since_us: when this state began.
        watched: the read points that are really being read now; for a meter, its own name while it answers.
        serial: what the device says its number is; another one is another device.
        in_force: settings as the driver read them back from the device, by name with its unit.
    """

    state: str
    reason: str
    since_us: Whole
    detail: str = ""
    watched: list[str] = []
    conditions: list[Condition] = []
    driver: str = ""
    manufacturer: str = ""
    model: str = ""
    firmware: str = ""
    heard: Whole = 0
    reconnects: Whole = 0
    clock_offset_us: Whole | None = None
    in_force: dict[str, str] = {}
    serial: str = ""


class TickBatch(Header, tag_field="kind", tag="tick"):
    """A second of the gateway's life in which time passed and nothing else: it moves the timers of the rules.

    Attributes:
        watched: every read point and meter that this gateway watches now.
    """

    watched: list[str]


class UnreadableBatch(Header):
    """A batch of which only the header makes sense to this program: it has its place in the sequence all the same.

    Attributes:
        items: how many it says it holds; why: what is wrong with it.
    """

    kind: str
    items: int
    why: str


Batch = ReadBatch | CardBatch | ReadingBatch | SignalBatch | StatusBatch | TickBatch
ITEM_KINDS: Final = ("reads", "cards", "readings", "signals")
"""Kinds whose items the loss ledger counts."""

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Batch)


def carried(number: int) -> int:
    """`number`, or the nearest that a batch may hold: a device's clock may be off by anything."""
    return max(-NUMBER_MOST, min(NUMBER_MOST, number))


def encode(batch: Batch) -> bytes:
    """The JSON of a batch."""
    return _encoder.encode(batch)


def sent_late(payload: bytes, at_us: int) -> bytes:
    """The payload of a batch that says when it was sent."""
    return b'%b,"sent_at_us":%d}' % (payload[:-1], at_us)


def decode(payload: bytes) -> Batch:
    """Read one batch.

    Raises:
        msgspec.ValidationError: the JSON is not a batch; the message says where. msgspec.DecodeError: it is no JSON.
    """
    batch: Batch = _decoder.decode(payload)
    return batch


class _Outline(Header):
    """What any version of a batch has."""

    kind: str
    reads: list[msgspec.Raw] = []
    cards: list[msgspec.Raw] = []
    readings: list[msgspec.Raw] = []
    signals: list[msgspec.Raw] = []


_outline: Final = msgspec.json.Decoder(_Outline)


def outline(payload: bytes, why: str) -> UnreadableBatch:
    """What can be known of a batch that `decode` refuses.

    Raises:
        msgspec.ValidationError: not even its header is right. msgspec.DecodeError: it is no JSON.
    """
    found = _outline.decode(payload)
    return UnreadableBatch(
        gateway=found.gateway,
        epoch=found.epoch,
        sequence=found.sequence,
        ordinal=found.ordinal,
        device=found.device,
        received_at_us=found.received_at_us,
        sent_at_us=found.sent_at_us,
        kind=found.kind,
        items=len(found.reads) + len(found.cards) + len(found.readings) + len(found.signals),
        why=why,
    )


def kind_of(batch: Batch | UnreadableBatch) -> str:
    """`reads`, `cards`, `readings`, `signals`, `status` or `tick`; of an unreadable batch what it says of itself."""
    return batch.kind if isinstance(batch, UnreadableBatch) else _KINDS[type(batch)]


def item_count(batch: Batch | UnreadableBatch) -> int:
    """How many reads, cards, readings or signals it holds; 0 for the other kinds."""
    if isinstance(batch, ReadBatch):
        return len(batch.reads)
    if isinstance(batch, CardBatch):
        return len(batch.cards)
    if isinstance(batch, ReadingBatch):
        return len(batch.readings)
    if isinstance(batch, SignalBatch):
        return len(batch.signals)
    return batch.items if isinstance(batch, UnreadableBatch) else 0


_KINDS: Final = {
    ReadBatch: "reads",
    CardBatch: "cards",
    ReadingBatch: "readings",
    SignalBatch: "signals",
    StatusBatch: "status",
    TickBatch: "tick",
}
