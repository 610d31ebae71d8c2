"""`tagwharf where EPC_OR_NAME`: where a tag was, as text, one line an event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.contract.events import Event
from gateway.event_history import EventHistory
from gateway.logs import clean

US_PER_S: Final = 1_000_000
LINE_MOST: Final = 300


def where_text(directory: Path, subject_or_name: str, limit: int = 1_000) -> tuple[str, bool]:
    """What the event journal in `directory` knows of an EPC or a name, and whether it knows anything."""
    history = EventHistory(directory)
    events = history.where(subject_or_name, limit)
    lines = [f"not readable, left out: {damage}" for damage in history.damaged]
    if not events:
        lines.append(
            f"{clean(subject_or_name)}: no event in {directory}; give an EPC in hex or a name of the assets file, "
            "as the events show it"
        )
        return "\n".join(lines), False
    for subject, name in dict.fromkeys((event.subject, event.name) for event in events):
        lines.append(f"{clean(name)} ({clean(subject)})" if name else clean(subject))
    lines += event_lines(events)
    if len(events) == limit:
        lines.append(f"the newest {limit} events; older ones were left out")
    return "\n".join(lines), True


def event_lines(events: Sequence[Event]) -> list[str]:
    """One line an event: time, type, place, and what it rests on."""
    return [f"  {time_text(event.at_us)}  {clean(_line(event), LINE_MOST)}" for event in events]


def time_text(at_us: int) -> str:
    """UTC to the millisecond; the number itself where it is no time a calendar knows."""
    try:
        moment = datetime.fromtimestamp(at_us / US_PER_S, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{at_us} us"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{at_us // 1_000 % 1_000:03d}Z"


def _line(event: Event) -> str:
    evidence = event.evidence
    parts = [f"{event.type:<10}", _place(event)]
    if event.direction:
        parts.append(event.direction)
    if evidence.reads:
        parts.append(f"{evidence.reads} reads")
    if evidence.rssi_max_dbm is not None:
        parts.append(f"{evidence.rssi_max_dbm:.1f} dBm")
    if evidence.confidence is not None:
        parts.append(f"confidence {evidence.confidence:.2f}")
    if event.historical:
        parts.append("from a backlog")
    first, last = evidence.sequence_from, evidence.sequence_to
    batches = f"batch {first}" if first == last else f"batches {first}-{last}"
    parts.append(f"[{evidence.gateway} {batches}]")
    return "  ".join(part for part in parts if part)


def _place(event: Event) -> str:
    to = event.zone or event.read_point or ""
    return f"{event.from_zone} -> {to}" if event.from_zone and event.from_zone != to else to
