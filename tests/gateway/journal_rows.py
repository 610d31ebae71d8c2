"""Events and rows for tests of the event journal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from gateway.contract.events import Event, Evidence
from gateway.event_journal import US_PER_DAY, EventJournal, Row

DAY = 20_454  # 2026-01-01
NOON_US = DAY * US_PER_DAY + US_PER_DAY // 2
EPC = "3034257BF7194E4000001A85"


def evidence(sequence: int = 1) -> Evidence:
    return Evidence(gateway="edge-1", epoch=1, sequence_from=sequence, sequence_to=sequence + 2, reads=12)


def event(number: int, at_us: int, *, subject: str = EPC, **more: str | None) -> Event:
    kind = more.pop("type", "arrived") or ""
    return Event(id=f"{number:020x}", type=kind, at_us=at_us, subject=subject, evidence=evidence(), **more)  # type: ignore[arg-type]  # only text fields are given


def event_row(made: Event) -> Row:
    e = made.evidence
    columns = (made.at_us, made.id, made.type, made.subject, made.name, made.zone, made.from_zone, made.read_point)
    more = (made.direction, made.rule, made.device, e.gateway, e.epoch, e.sequence_from, e.sequence_to)
    return (*columns, *more, msgspec.json.encode(made))


def reading(at_us: int, value: str | None, *, meter: str = "meter-1", quantity: str = "active_power") -> Row:
    number = None if value is None else float(value)
    return (at_us * 1_000, meter, quantity, "W", "", "", number, value, "1-0:1.7.0", "good", at_us - 5)


def journal(tmp_path: Path, now_us: int = NOON_US, keep_days: float = 90) -> EventJournal:
    return EventJournal(tmp_path, keep_days=keep_days, now_us=lambda: now_us)


def write_events(tmp_path: Path, events: Sequence[Event], now_us: int = NOON_US) -> None:
    made = journal(tmp_path, now_us)
    assert made.append([{"events": [event_row(each) for each in events]}]) == []
    made.close()
