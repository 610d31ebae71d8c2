"""What stores keep: measurements with their tags and fields. Boards and the cardinality guard stand on it.

An EPC, a card or a container number is never a tag: each distinct value would be a series of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measurement.

    Attributes:
        tags: names of the indexed, low-cardinality columns, in the order they are written.
        fields: name to type, one of `float`, `int`, `str`, `bool`.
    """

    name: str
    summary: str
    tags: tuple[str, ...]
    fields: dict[str, str]


MEASUREMENTS: Final[dict[str, Measurement]] = {
    m.name: m
    for m in (
        Measurement(
            "event",
            "what the rules concluded; further fields of an event type are written as JSON in `fields`",
            ("site", "event", "zone", "rule"),
            {
                "id": "str",
                "subject": "str",
                "name": "str",
                "from_zone": "str",
                "read_point": "str",
                "direction": "str",
                "device": "str",
                "reads": "int",
                "rssi_max_dbm": "float",
                "confidence": "float",
                "gateway": "str",
                "epoch": "int",
                "sequence_from": "int",
                "sequence_to": "int",
                "historical": "bool",
                "fields": "str",
            },
        ),
        Measurement(
            "figure",
            "a number that an event of a rule carries, one of those that the rule's `figures` names",
            ("site", "event", "zone", "rule", "figure"),
            {"value": "float", "id": "str"},
        ),
        Measurement(
            "alarm",
            "a change of state of an alarm",
            ("site", "rule", "severity", "state"),
            {
                "id": "str",
                "subject": "str",
                "message": "str",
                "since_us": "int",
                "acknowledged_by": "str",
                "comment": "str",
                "ended": "bool",
                "escalated": "bool",
            },
        ),
        Measurement(
            "reading",
            "one value of a meter, in its unit",
            ("site", "meter", "quantity", "unit", "phase", "tariff"),
            {"value": "float", "obis": "str", "quality": "str", "meter_time_us": "int"},
        ),
        Measurement(
            "energy",
            "what one register counted in one interval, in its unit; with `multiplier`, exact in `energy`",
            ("site", "meter", "quantity", "unit", "phase", "tariff", "source", "segment"),
            {
                "energy": "float",
                "estimated": "float",
                "quality": "str",
                "register_start": "float",
                "register_end": "float",
                "multiplier": "float",
                "from_us": "int",
                "to_us": "int",
                "calendar": "str",
                "cost": "float",
                "currency": "str",
            },
        ),
        Measurement(
            "demand",
            "mean power over a window: of an interval (`block`), the largest in it (`sliding_max`), or a meter's `max`",
            ("site", "meter", "quantity", "unit", "tariff", "source", "kind"),
            {"demand": "float", "quality": "str", "ended_at_us": "int", "window_min": "int"},
        ),
        Measurement(
            "production",
            "what a machine did with an interval or a shift: planned time by state, units, OEE's factors, energy",
            ("site", "machine", "period", "shift", "unit"),
            {
                "from_us": "int",
                "to_us": "int",
                "planned_s": "float",
                "execute_s": "float",
                "idle_s": "float",
                "held_s": "float",
                "stopped_s": "float",
                "aborted_s": "float",
                "unknown_s": "float",
                "no_data_s": "float",
                "unplanned_s": "float",
                "unplanned_execute_s": "float",
                "unplanned_no_data_s": "float",
                "stops": "int",
                "total": "float",
                "good": "float",
                "bad": "float",
                "unplanned_total": "float",
                "no_data_total": "float",
                "counter_resets": "int",
                "ideal_rate_per_min": "float",
                "availability": "float",
                "performance": "float",
                "quality": "float",
                "oee": "float",
                "energy_wh": "float",
                "energy_covered_s": "float",
                "energy_per_unit_wh": "float",
            },
        ),
        Measurement(
            "machine_stop",
            "how long a machine stood for a reason in an interval or a shift, and how many such stops began in it",
            ("site", "machine", "period", "shift", "reason"),
            {"stood_s": "float", "stops": "int"},
        ),
        Measurement(
            "read_rate",
            "tag reads of one antenna in one interval",
            ("site", "device", "read_point", "antenna_port"),
            {
                "reads": "int",
                "unique_tags": "int",
                "rssi_mean_dbm": "float",
                "rssi_max_dbm": "float",
                "watched_s": "float",
            },
        ),
        Measurement(
            "tag_read",
            "one tag read, with store_reads = true",
            ("site", "device", "read_point", "antenna_port"),
            {
                "epc": "str",
                "rssi_dbm": "float",
                "count": "int",
                "first_seen_at_us": "int",
                "tid": "str",
                "phase_deg": "float",
                "doppler_hz": "float",
                "channel_index": "int",
            },
        ),
        Measurement(
            "signal",
            "an input, a weight or a state of a machine",
            ("site", "device", "signal", "unit"),
            {"value": "float", "text": "str", "state": "bool"},
        ),
        Measurement(
            "device_status",
            "the state of a reader or meter from this moment on",
            ("site", "device", "driver"),
            {"state": "str", "reason": "str", "heard": "int", "reconnects": "int", "clock_offset_us": "int"},
        ),
        Measurement(
            "ledger",
            "the loss ledger of a gateway, since its epoch began: heard = judged + dropped + waiting + unjudged",
            ("site", "gateway", "kind"),
            {
                "epoch": "int",
                "heard": "int",
                "journalled": "int",
                "judged": "int",
                "dropped": "int",
                "waiting": "int",
                "unjudged": "int",
                "balanced": "bool",
            },
        ),
        Measurement(
            "dropped",
            "items of a gateway that will never be judged, by reason, since its epoch began",
            ("site", "gateway", "kind", "reason"),
            {"items": "int"},
        ),
        Measurement(
            "sink",
            "the points of a sink, since the rules database was made: made = stored + refused + queued",
            ("site", "sink"),
            {
                "made": "int",
                "stored": "int",
                "refused": "int",
                "queued": "int",
                "queued_bytes": "int",
                "is_down": "bool",
            },
        ),
        Measurement(
            "latency",
            "how long it took from the socket to the committed store, of the batches of one interval",
            ("site", "path"),
            {"p50_ms": "float", "p99_ms": "float", "batches": "int"},
        ),
        Measurement(
            "rule_time",
            "what a rule took and made in one interval: time and items are estimates, events and alarms are exact",
            ("site", "rule"),
            {"busy_ms": "float", "items": "int", "events": "int", "alarms": "int"},
        ),
    )
}
