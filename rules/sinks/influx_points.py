"""What the rules conclude, as lines of line protocol: the measurements of `gateway.contract.measurements`.

A series head (measurement and tags) is escaped once and kept. A point that cannot be written becomes a comment line
that names the reason: it goes through the outbox like any other and ends in the quarantine, counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Final

import msgspec

from gateway.contract.batches import ReadBatch, TagRead
from gateway.contract.events import Alarm, Event, Scalar
from gateway.contract.measurements import MEASUREMENTS
from rules.outputs import Outputs, Point
from rules.points import distinct_ns
from rules.sinks.cardinality import SeriesGuard
from rules.sinks.line_protocol import FORMATTERS, UnwritableError, Value, refused_line, tag, text, timestamp

NS_PER_US: Final = 1000
MOST_TIMES_REMEMBERED: Final = 50_000

_FIELDS: Final = {
    measurement.name: {name: FORMATTERS[kind] for name, kind in measurement.fields.items()}
    for measurement in MEASUREMENTS.values()
}
_json = msgspec.json.Encoder()

Tags = tuple[tuple[str, str], ...]


class Slots:
    """Gives events and alarms that share series and microsecond a nanosecond each; the same id keeps its own.

    The memory is bounded and dies with the process. That does no harm: what was encoded is kept as bytes.
    """

    def __init__(self, most: int = MOST_TIMES_REMEMBERED) -> None:
        self._taken: dict[tuple[str, int], dict[int, str]] = {}
        self._most = most

    def place(self, head: str, at_us: int, identity: str) -> int:
        """Nanoseconds for `identity` at this microsecond of this series.

        Raises:
            UnwritableError: `too_many_at_once`: a thousand others share this microsecond.
        """
        key = (head, at_us)
        taken = self._taken.setdefault(key, {})
        first = sum(identity.encode("utf-8", "replace")) % NS_PER_US
        slots: Iterable[int] = chain(range(first, NS_PER_US), range(first))
        for slot in slots:
            owner = taken.setdefault(slot, identity)
            if owner == identity:
                if len(self._taken) > self._most:
                    del self._taken[next(iter(self._taken))]
                return at_us * NS_PER_US + slot
        raise UnwritableError("too_many_at_once")


class Encoder:
    """Turns outputs into lines for one store.

    Args:
        site: the value of the tag `site`.
        guard: admits new series.
        store_reads: also make a `tag_read` of every read.
    """

    def __init__(self, *, site: str, guard: SeriesGuard, store_reads: bool) -> None:
        self._site = site
        self._guard = guard
        self._store_reads = store_reads
        self._slots = Slots()
        self._heads: dict[tuple[str, Tags], str] = {}  # admitted series only, so bounded by the guard's budget
        self._read_heads: dict[str, dict[tuple[str, int], str]] = {}

    def lines(self, outputs: Outputs) -> tuple[list[str], list[str]]:
        """The lines of events, alarms and points, and those of single reads."""
        lines = [self._event(event) for event in outputs.events]
        lines += [self._alarm(alarm) for alarm in outputs.alarms]
        lines += [
            self._figure(point) if point.measurement == "figure" else self._point(point) for point in outputs.points
        ]
        reads = self._reads(outputs.reads) if self._store_reads and outputs.reads is not None else []
        return lines, reads

    def _event(self, event: Event) -> str:
        evidence = event.evidence
        tags = (("site", self._site), ("event", event.type), ("zone", event.zone or ""), ("rule", event.rule or ""))
        fields: dict[str, Value | None] = {
            "id": event.id,
            "subject": event.subject,
            "name": event.name,
            "from_zone": event.from_zone,
            "read_point": event.read_point,
            "direction": event.direction,
            "device": event.device,
            "reads": evidence.reads,
            "rssi_max_dbm": evidence.rssi_max_dbm,
            "confidence": evidence.confidence,
            "gateway": evidence.gateway,
            "epoch": evidence.epoch,
            "sequence_from": evidence.sequence_from,
            "sequence_to": evidence.sequence_to,
            "historical": event.historical,
            "fields": _json_text(event.fields) if event.fields else None,
        }
        return self._placed("event", tags, fields, event.at_us, event.id)

    def _alarm(self, alarm: Alarm) -> str:
        tags = (("site", self._site), ("rule", alarm.rule), ("severity", alarm.severity), ("state", alarm.state))
        fields: dict[str, Value | None] = {
            "id": alarm.id,
            "subject": alarm.subject,
            "message": alarm.message,
            "since_us": alarm.since_us,
            "acknowledged_by": alarm.acknowledged_by,
            "comment": alarm.comment,
            "ended": alarm.ended or None,
            "escalated": alarm.escalated or None,
        }
        return self._placed("alarm", tags, fields, alarm.at_us, alarm.id)

    def _figure(self, point: Point) -> str:
        fields: dict[str, Value | None] = dict(point.fields)
        return self._placed("figure", point.tags, fields, point.at_ns // NS_PER_US, str(fields["id"]))

    def _placed(self, measurement: str, tags: Tags, fields: dict[str, Value | None], at_us: int, identity: str) -> str:
        present = tuple((name, value) for name, value in fields.items() if value is not None)
        try:
            at_ns = self._slots.place(self._head(measurement, tags), at_us, identity)
        except UnwritableError as error:
            return _refused(error.reason, Point(measurement, tags, present, at_us * NS_PER_US))
        return self._point(Point(measurement, tags, present, at_ns))

    def _point(self, point: Point) -> str:
        try:
            head = self._heads.get((point.measurement, point.tags)) or self._head(point.measurement, point.tags)
            formatters = _FIELDS[point.measurement]
            fields = ",".join([f"{name}={formatters[name](value)}" for name, value in point.fields])
            at_ns = timestamp(point.at_ns)
        except KeyError:
            return _refused("unknown_field", point)
        except UnwritableError as error:
            return _refused(error.reason, point)
        return f"{head} {fields} {at_ns}" if fields else _refused("no_field", point)

    def _head(self, measurement: str, tags: Tags) -> str:
        known = self._heads.get((measurement, tags))
        if known is not None:
            return known
        schema = MEASUREMENTS.get(measurement)
        if schema is None:
            raise UnwritableError("unknown_measurement")
        values = dict(tags)
        if len(values) != len(tags) or not set(values).issubset(schema.tags):
            raise UnwritableError("unknown_tag")
        present = [(name, values[name]) for name in schema.tags if values.get(name)]  # an empty value is no tag
        head = ",".join([measurement, *(f"{name}={tag(value)}" for name, value in present)])
        self._guard.admit(head, tuple(value for _, value in present))
        self._heads[(measurement, tags)] = head
        return head

    def _reads(self, batch: ReadBatch) -> list[str]:
        reads = batch.reads
        if not "".join([read.epc for read in reads]).isalnum():  # quotes, backslashes, controls; or no EPC at all
            return self._careful_reads(batch)
        heads = self._read_heads.setdefault(batch.device, {})
        ordinal = batch.ordinal
        lines = []
        try:
            for index, read in enumerate(reads):
                head = heads.get((read.read_point, read.antenna_port)) or self._read_head(batch.device, read)
                fields = f'{head} epc="{read.epc}",count={read.count}i'
                if read.rssi_dbm is not None:
                    fields = f"{fields},rssi_dbm={read.rssi_dbm}"
                if read.first_seen_at_us is not None:
                    fields = f"{fields},first_seen_at_us={read.first_seen_at_us}i"
                if read.tid is not None:
                    fields = f"{fields},tid={text(read.tid)}"
                if read.phase_deg is not None:
                    fields = f"{fields},phase_deg={read.phase_deg}"
                if read.doppler_hz is not None:
                    fields = f"{fields},doppler_hz={read.doppler_hz}"
                if read.channel_index is not None:
                    fields = f"{fields},channel_index={read.channel_index}i"
                # distinct_ns, written out: a call for each read would cost a tenth of the whole.
                lines.append(f"{fields} {read.seen_at_us * NS_PER_US + (ordinal + index) % NS_PER_US}")
        except UnwritableError:
            return self._careful_reads(batch)
        joined = "".join(lines)
        if "=nan" in joined or "=inf" in joined or "=-inf" in joined:  # also a tag value that begins so: no harm
            return self._careful_reads(batch)
        return lines

    def _read_head(self, device: str, read: TagRead) -> str:
        head = self._head("tag_read", self._read_tags(device, read))
        self._read_heads[device][(read.read_point, read.antenna_port)] = head
        return head

    def _read_tags(self, device: str, read: TagRead) -> Tags:
        return (
            ("site", self._site),
            ("device", device),
            ("read_point", read.read_point),
            ("antenna_port", str(read.antenna_port)),
        )

    def _careful_reads(self, batch: ReadBatch) -> list[str]:
        """One by one, every value checked: what the quick way falls back to."""
        lines = []
        for index, read in enumerate(batch.reads):
            values: dict[str, Value | None] = {
                "epc": read.epc,
                "count": read.count,
                "rssi_dbm": read.rssi_dbm,
                "first_seen_at_us": read.first_seen_at_us,
                "tid": read.tid,
                "phase_deg": read.phase_deg,
                "doppler_hz": read.doppler_hz,
                "channel_index": read.channel_index,
            }
            fields = tuple((name, value) for name, value in values.items() if value is not None)
            at_ns = distinct_ns(read.seen_at_us, batch.ordinal, index)
            lines.append(self._point(Point("tag_read", self._read_tags(batch.device, read), fields, at_ns)))
        return lines


def _refused(reason: str, point: Point) -> str:
    return refused_line(
        reason,
        {
            "measurement": point.measurement,
            "tags": dict(point.tags),
            "fields": dict(point.fields),
            "at_ns": point.at_ns,
        },
    )


def _json_text(fields: dict[str, Scalar]) -> str:
    try:
        return _json.encode(fields).decode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return _json.encode({_whole(name): _whole(value) for name, value in fields.items()}).decode()


def _whole(value: Scalar) -> Scalar:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
