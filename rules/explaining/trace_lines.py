"""Lines of a trace: what was made, what came, what was kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from gateway.contract.events import Alarm, Event, Evidence
from gateway.logs import clean
from gateway.where import time_text
from rules.explaining.folding import Fold
from rules.explaining.line import Line
from rules.explaining.session_text import verdict_text
from rules.explaining.tracing import Judged, Kept

MOST_WIDTH: Final = 120
"""Fields that are longer together stand on a line each."""
LEAST_TIME_US: Final = 1_000_000_000_000_000
"""A number of microseconds above this is a time, not a duration."""
_INSIDE: Final = frozenset(
    {"evidence", "fields", "raised", "shown", "gateway", "source", "counted_us", "origin", "opener", "recent"}
)
"""What of a state is for the engine alone; so are counts of watched time, `..._from`."""
_FIELDS: Final = (
    *("subject", "name", "zone", "from_zone", "read_point", "direction", "quantity", "phase", "value", "unit"),
    *("state", "result", "device", "kind", "rssi_dbm"),
)


def title(told: Event | Alarm) -> str:
    """What an event or alarm is, where, when, and what was decided; without its other fields."""
    if isinstance(told, Alarm):
        return outcome_line(told)
    places = [told.from_zone and f"from {told.from_zone}", told.zone or told.read_point, told.direction]
    parts = [f"event {told.type} {told.id}", told.subject, told.name, *places]
    decided = verdict_text(told.fields) if "verdict" in told.fields else ""
    line = f"{time_text(told.at_us)}  {clean('  '.join(each for each in parts if each))}"
    return f"{line}  {decided}" if decided else line


def field_lines(told: Event | Alarm) -> list[Line]:
    """The fields of an event or alarm: on one line where they are short."""
    shown = [clean(f"{name}={value}") for name, value in told.fields.items()]
    together = "  ".join(shown)
    lines = shown if len(together) > MOST_WIDTH else [together] if shown else []
    return [Line("fields", line) for line in lines]


def outcome_line(told: Event | Alarm) -> str:
    """An event or alarm as a line."""
    if isinstance(told, Event):
        places = [told.from_zone and f"from {told.from_zone}", told.zone or told.read_point, told.direction]
        more = [f"{name}={value}" for name, value in told.fields.items()]
        parts = [f"event {told.type} {told.id}", told.subject, told.name, *places, *more]
    else:
        parts = [f"alarm {told.rule} {told.state} {told.id}", told.subject, told.severity, repr(told.message)]
    return f"{time_text(told.at_us)}  {clean('  '.join(each for each in parts if each))}"


def evidence_text(evidence: Evidence) -> str:
    """What something rests on, in words."""
    first, last = evidence.sequence_from, evidence.sequence_to
    batches = f"batch {first}" if first == last else f"batches {first} to {last}"
    reads = f"{evidence.reads} reads in " if evidence.reads else ""
    confidence = f", confidence {evidence.confidence:.2f}" if evidence.confidence is not None else ""
    return f"{reads}{batches} of {evidence.gateway}, epoch {evidence.epoch}{confidence}"


def judged_lines(judged: Judged) -> Iterator[Line]:
    """An item, and what each part of the condition says of it."""
    seen = judged.seen
    shown = [f"{name}={value}" for name in _FIELDS if (value := judged.fields.get(name)) is not None]
    role = f" as {judged.place}" if judged.place else ""
    text = f"{time_text(seen.at_us)}  {seen.on}{role}  {clean('  '.join(shown))}"
    yield Line("item", text, data=judged_data(judged))
    if not judged.is_planned:
        yield Line("finding", f"FALSE  {judged.rule.during} is no planned time then", 4, {"is_true": False})
    elif judged.key is None:
        text = "FALSE  it has no value in the key field of the rule, or one that `places` does not list"
        yield Line("finding", text, 4, {"is_true": False})
    yield from (finding.line().deeper(4) for finding in judged.findings())


def judged_data(judged: Judged) -> dict[str, object]:
    """An item for programs."""
    seen = judged.seen
    return {
        "rule": judged.rule.name,
        "place": judged.place,
        "on": seen.on,
        "at_us": seen.at_us,
        "is_taken": judged.is_taken,
        "event": None if seen.event is None else seen.event.id,
        "fields": {name: value for name in _FIELDS if (value := judged.fields.get(name)) is not None},
    }


def kept_line(kept: Kept) -> Line:
    """What a rule keeps of a key."""
    key = kept.key.rstrip("/")
    data: dict[str, object] = {"rule": kept.rule, "at_us": kept.clock_us, "key": key}
    if kept.state is None:
        text = f"{time_text(kept.clock_us)}  keeps nothing of {clean(key)} any more"
        return Line("kept", text, data=data | {"state": None})
    shown = _shown(kept)
    told = ", ".join(f"{name} {text}" for name, text in shown.items())
    return Line(
        "kept", f"{time_text(kept.clock_us)}  keeps of {clean(key)}: {clean(told)}", data=data | {"state": shown}
    )


def more_lines(fold: Fold) -> Iterator[Line]:
    """That more like it came; of states, how far counters and timers have gone by then."""
    if not fold.more:
        return
    line = f"... {fold.more} more like it until {time_text(fold.until_us)}"
    if isinstance(fold.last, Kept) and isinstance(fold.first, Kept):
        old, new = _shown(fold.first), _shown(fold.last)
        shown = [f"{name} {text}" for name, text in new.items() if old.get(name) != text]
        line += f", then: {clean(', '.join(shown))}" if shown else ""
    yield Line("more", line, 4, {"count": fold.more, "until_us": fold.until_us})


def _shown(kept: Kept) -> dict[str, str]:
    return {name: text for name, value in (kept.state or {}).items() if (text := _state_text(name, value))}


def _state_text(name: str, value: object) -> str:
    """A value of a state; empty for what says nothing to a person."""
    if value is None or value is False or value == "" or name in _INSIDE or name.endswith("_from"):
        return ""
    if value == 0 and name.endswith("_us"):
        return ""
    if isinstance(value, int) and not isinstance(value, bool) and (name.endswith("_us") or value > LEAST_TIME_US):
        return time_text(value) if value > LEAST_TIME_US else f"{value / 1e6:g}s"
    if isinstance(value, Mapping):
        return f"of {len(value)}: {', '.join(map(str, value))}" if value else ""
    if isinstance(value, list | tuple):
        return f"({len(value)})" if value else ""
    return str(value)
