"""What lies around one event: events about the same, alarms, signals, and raw reads where they are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from gateway.contract.events import Alarm, Event, decode_alarm, decode_event
from gateway.history.days import MOST_US, Day, DayFiles, Question, check_count, check_texts

LISTED_MOST: Final = 5_000
NAMED_MOST: Final = 100
MARGIN_MOST_S: Final = 3_600.0
SPAN_MOST_US: Final = 86_400_000_000
US_PER_S: Final = 1_000_000
THINGS: Final = (
    "truck",
    "truck_epc",
    "plate",
    "container",
    "container_tag",
    "seal",
    "seal_epc",
    "card",
    "holder",
    "driver",
)
"""Fields of an event of a pack that name what it is about."""


class RawRead(msgspec.Struct):
    """One tag read of a sink with `store_reads = true`."""

    seen_at_us: int
    device: str
    antenna_port: int
    read_point: str
    epc: str
    rssi_dbm: float | None
    count: int | None
    gateway: str
    epoch: int
    sequence: int


class SignalValue(msgspec.Struct):
    """One value of a signal: a number, a text or a state."""

    at_us: int
    device: str
    signal: str
    unit: str
    value: float | None
    text: str | None
    state: bool | None


class Related(msgspec.Struct):
    """What was found in `[from_us, to_us)`, each oldest first; `more` names the lists that were cut."""

    from_us: int
    to_us: int
    events: list[Event]
    alarms: list[Alarm]
    reads: list[RawRead]
    signals: list[SignalValue]
    more: list[str]
    damaged: list[str]


def related(
    days: DayFiles,
    event: Event,
    *,
    margin_s: float = 10.0,
    devices: Sequence[str] = (),
    read_points: Sequence[str] = (),
    limit: int = 500,
) -> Related:
    """What happened around an event, from its opening to its time and a margin on both sides, of a day at most.

    Args:
        days: the event journal.
        event: the event; what its fields name as truck, container, card ... belongs to it.
        margin_s: seconds before and after.
        devices: whose signals and reads belong to it, beside its own device.
        read_points: whose reads and events belong to it, beside its own.
        limit: so many of each at most.

    Raises:
        ValueError: out of range. QuestionTimeoutError: the time is over.
    """
    check_count("limit", limit, LISTED_MOST)
    for name, texts in (("devices", devices), ("read_points", read_points)):
        if len(texts) > NAMED_MOST:
            raise ValueError(f"{name}: must be at most {NAMED_MOST}, are {len(texts)}")
        check_texts(**{f"{name}[{number}]": text for number, text in enumerate(texts)})
    if not 0 <= margin_s <= MARGIN_MOST_S:
        raise ValueError(f"margin_s = {margin_s}: must be 0 to {MARGIN_MOST_S:g}")
    from_us, to_us = _span(event, int(margin_s * US_PER_S))
    subjects = sorted({event.subject, *(str(event.fields[name]) for name in THINGS if event.fields.get(name))})
    points = sorted({*read_points, *event.evidence.read_points, *filter(None, [event.read_point])})
    places = sorted({*points, *filter(None, [event.zone])})
    own = sorted({*devices, *filter(None, [event.device])})
    marks, spots, sources = _marks(subjects), _marks(places), _marks(own)
    about = f"(subject IN ({marks}) OR name IN ({marks}) OR zone IN ({spots}) OR read_point IN ({spots}))"
    asked = {
        "events": (
            f"SELECT body FROM events WHERE at_us >= ? AND at_us < ? AND id <> ? AND {about} ORDER BY at_us, id",  # noqa: S608  # question marks
            (from_us, to_us, event.id, *subjects, *subjects, *places, *places),
        ),
        "alarms": (
            f"SELECT body FROM alarms WHERE at_us >= ? AND at_us < ? AND subject IN ({marks}) ORDER BY at_us, id",  # noqa: S608  # question marks
            (from_us, to_us, *subjects),
        ),
        "reads": (
            (
                "SELECT seen_at_us, device, antenna_port, read_point, epc, rssi_dbm, count, gateway, epoch, sequence"  # noqa: S608  # our own names; values are bound
                f" FROM tag_reads WHERE seen_at_us >= ? AND seen_at_us < ? AND (epc IN ({marks})"  # question marks
                f" OR read_point IN ({_marks(points)}) OR device IN ({sources})) ORDER BY seen_at_us, sequence, item"
            ),
            (from_us, to_us, *subjects, *points, *own),
        ),
        "signals": (
            (
                "SELECT at_ns / 1000, device, signal, unit, value, text, state FROM signals"  # noqa: S608  # our own names; values are bound
                f" WHERE device IN ({sources}) AND at_ns >= ? AND at_ns < ? ORDER BY at_ns"
            ),  # question marks
            (*own, from_us * 1_000, to_us * 1_000),
        ),
    }
    question = Question(days)
    found: dict[str, list[Any]] = {name: [] for name in asked}

    def answer(day: Day) -> dict[str, list[Any]]:
        return {
            name: [
                _MAKE[name](*row) for row in day.rows(f"{statement} LIMIT ?", (*values, limit + 1 - len(found[name])))
            ]
            for name, (statement, values) in asked.items()
        }

    for rows in question.ask(answer, from_us, to_us, newest_first=False):
        for name, some in rows.items():
            found[name] += some
    return Related(
        from_us,
        to_us,
        found["events"][:limit],
        found["alarms"][:limit],
        found["reads"][:limit],
        found["signals"][:limit],
        [name for name, rows in found.items() if len(rows) > limit],
        question.damaged,
    )


def _span(event: Event, margin_us: int) -> tuple[int, int]:
    opened = event.fields.get("opened_at_us")
    began = [event.at_us, event.evidence.first_seen_at_us, opened if isinstance(opened, int) else None]
    ended = max(event.at_us, event.evidence.last_seen_at_us or 0)
    first = min(at for at in began if at is not None)
    to_us = min(ended + margin_us + 1, MOST_US)
    return max(0, first - margin_us, to_us - SPAN_MOST_US), to_us


def _signal(
    at_us: int, device: str, signal: str, unit: str, value: float | None, text: str | None, state: int | None
) -> SignalValue:
    return SignalValue(at_us, device, signal, unit, value, text, None if state is None else bool(state))


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


_MAKE: Final[dict[str, Callable[..., Any]]] = {
    "events": decode_event,
    "alarms": decode_alarm,
    "reads": RawRead,
    "signals": _signal,
}
