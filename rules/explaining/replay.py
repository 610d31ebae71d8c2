"""Runs rules over a recording, as they would have run: for `tagwharf rules replay`, and for comparisons.

It begins with nothing: no tag is anywhere, no time has passed, no alarm stands. So it begins before the window that is
asked for, and tells only what falls into it; and it reads on after its end, because a departure is known later than it
happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gateway.contract.batches import Batch
from gateway.contract.events import Alarm, Event
from gateway.event_span import ToldEvent
from rules.engine import Engine
from rules.own_events import (
    GATEWAY_VANISHED,
    NOT_JUDGED,
    REGISTRY_REFUSED,
    RULES,
    RULES_REFUSED,
    SINK_STOPPED,
    STATE_LOST,
)

BUILT_IN: Final = "(presence, cards and books)"
"""Under what events are told that no rule made."""
OWN_ALARMS: Final = frozenset({SINK_STOPPED, REGISTRY_REFUSED, RULES_REFUSED, GATEWAY_VANISHED})
OWN_EVENTS: Final = frozenset({NOT_JUDGED, STATE_LOST})
"""What the daemon tells of itself: a recording does not repeat it."""


class Window(NamedTuple):
    """What of a recording is asked for, in microseconds since 1970.

    Attributes:
        read_from_us, read_to_us: what is replayed; from_us, to_us: what is told of it.
    """

    read_from_us: int
    from_us: int
    to_us: int
    read_to_us: int


class Told(NamedTuple):
    """An event, or a change of an alarm, as replays compare it: the same if `key` is."""

    key: tuple[str, ...]
    at_us: int
    rule: str
    what: str
    subject: str

    def as_json(self) -> dict[str, str | int]:
        """For programs."""
        return {"id": self.key[1], "at_us": self.at_us, "rule": self.rule, "what": self.what, "subject": self.subject}


@dataclass(slots=True)
class Replayed:
    """What a replay made, in the order in which it was told."""

    events: list[Event] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    batches: int = 0
    counters: dict[str, int] = field(default_factory=dict)

    def told(self) -> Iterator[Told]:
        """All of it, for comparisons."""
        yield from (event_told(event.id, event.at_us, event.type, event.subject, event.rule) for event in self.events)
        yield from (alarm_told(alarm) for alarm in self.alarms)


def replay(engine: Engine, batches: Iterable[Batch], window: Window) -> Replayed:
    """Run a new engine over what a recording holds of the window."""
    found = Replayed()
    for batch in batches:
        found.batches += 1
        outputs = engine.step(batch)
        found.events += (each for each in outputs.events if window.from_us <= each.at_us < window.to_us)
        found.alarms += (each for each in outputs.alarms if window.from_us <= each.at_us < window.to_us)
    found.counters = engine.counters()
    return found


def event_told(key: str, at_us: int, kind: str, subject: str, rule: str | None) -> Told:
    """An event for comparisons."""
    return Told(("event", key), at_us, rule or BUILT_IN, f"event {kind}", subject)


def alarm_told(alarm: Alarm) -> Told:
    """A change of an alarm for comparisons; its id is the same each time that it is raised, so its time counts, too."""
    return Told(
        ("alarm", alarm.id, alarm.state, str(alarm.at_us)),
        alarm.at_us,
        alarm.rule,
        f"alarm {alarm.state}",
        alarm.subject,
    )


def happened(events: Iterable[ToldEvent], alarms: Iterable[Alarm]) -> Iterator[Told]:
    """What did happen, but for what the daemon told of itself."""
    for event in events:
        if event.gateway != RULES and event.type not in OWN_EVENTS:
            yield event_told(event.id, event.at_us, event.type, event.subject, event.rule)
    for alarm in alarms:
        if alarm.evidence.gateway != RULES and alarm.rule not in OWN_ALARMS:
            yield alarm_told(alarm)


@dataclass(slots=True)
class Difference:
    """What a replay made, against what happened; of each rule: how much is the same, new, or missing."""

    same: Counter[str] = field(default_factory=Counter)
    made_now: list[Told] = field(default_factory=list)
    missing_now: list[Told] = field(default_factory=list)

    @property
    def rules(self) -> list[str]:
        """All rules that made something, then or now."""
        return sorted({*self.same, *(each.rule for each in (*self.made_now, *self.missing_now))})


def difference(now: Iterable[Told], then: Iterable[Told]) -> Difference:
    """Compare by ids."""
    made = {each.key: each for each in now}
    found = Difference()
    for each in then:
        if made.pop(each.key, None) is not None:
            found.same[each.rule] += 1
        else:
            found.missing_now.append(each)
    found.made_now = sorted(made.values(), key=_order)
    found.missing_now.sort(key=_order)
    return found


def _order(told: Told) -> tuple[int, str, tuple[str, ...]]:
    return told.at_us, told.rule, told.key
