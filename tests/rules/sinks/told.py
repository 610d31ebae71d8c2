"""Events and alarms for the tests of sinks."""

from __future__ import annotations

from typing import Any

from gateway.contract.events import Alarm, Event, Evidence, event_id
from rules.outputs import Outputs

AT_US = 1_790_000_000_123_456  # 2026-09-21T14:13:20.123456Z
EVIDENCE = Evidence(gateway="edge-1", epoch=1, sequence_from=7, sequence_to=9, reads=12)


def event(number: int = 0, kind: str = "truck-in", **more: Any) -> Event:
    made = event_id(kind, number)
    at_us = AT_US + number * 1_000_000
    return Event(id=made, type=kind, at_us=at_us, subject=f"truck-{number}", evidence=EVIDENCE, **more)


def alarm(**more: Any) -> Alarm:
    values: dict[str, Any] = {
        "id": event_id("alarm", "reefer-warm"),
        "rule": "reefer-warm",
        "severity": "critical",
        "subject": "CSQU3054383",
        "state": "raised",
        "since_us": AT_US,
        "at_us": AT_US,
        "message": "the reefer is too warm",
        "evidence": EVIDENCE,
        **more,
    }
    return Alarm(**values)


def outputs(*told: Event | Alarm, caused_at_us: int = AT_US) -> Outputs:
    return Outputs(
        caused_at_us,
        events=[each for each in told if isinstance(each, Event)],
        alarms=[each for each in told if isinstance(each, Alarm)],
    )
