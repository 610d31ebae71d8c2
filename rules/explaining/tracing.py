"""Watches rules at work on a recording: which items came, what conditions said of them, what was kept and made.

Nothing of it stands in the engine: its items are made again beside it, and what it keeps is looked at after each step.
So a rule that is not traced costs nothing, and one that is traced does the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gateway.config.rules import HoldRule, MatchRule, OrderedHead, Rule
from gateway.contract.batches import Batch, CardBatch, ReadBatch, ReadingBatch, SignalBatch, StatusBatch
from gateway.contract.events import Alarm, Event
from rules.anatomy import inputs, makes
from rules.engine import Engine
from rules.explaining.explain import Finding, findings
from rules.language.vocabulary import (
    Fields,
    card_fields,
    event_fields,
    identity_of,
    read_fields,
    reading_fields,
    series_of,
    signal_fields,
    status_fields,
)
from rules.planned import planned_times
from rules.shapes.prepared import Preparation, preparation_of
from rules.shapes.shape import fingerprint
from rules.testing.workbench import Workbench

MOST_KEPT: Final = 200_000
"""Items and changes of state that are kept at most; of more, the oldest are let go."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One item.

    Attributes:
        clock_us: what its gateway's clock showed. event: the event that it is, if it is one.
        where: gateway, epoch, sequence of its batch; index: its place there.
    """

    on: str
    fields: Fields
    at_us: int
    clock_us: int
    where: tuple[str, int, int]
    index: int
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """An item before one input of a rule. `is_planned`: it did not fall outside the calendar of the rule."""

    rule: Rule
    place: str
    when: str
    seen: Seen
    fields: Fields
    key: str | None
    is_planned: bool

    def findings(self) -> list[Finding]:
        """What the parts of the condition say."""
        return findings(self.when, self.fields)

    def unconcerned(self) -> Finding | None:
        """The part of the condition by which the rule passes over an item, as if it had not come; None if it does not.

        Those are the parts that ask what an item is about, not how it is.
        """
        return next((each for each in self.findings() if not each.is_true and _is_choice(each, self.seen.on)), None)

    @property
    def is_taken(self) -> bool:
        """Whether the rule took it."""
        return (
            self.is_planned and self.key is not None and all(each.is_true for each in self.findings() if not each.depth)
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """What a rule keeps of a key after a step; None when it let go of it."""

    rule: str
    key: str
    clock_us: int
    state: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a traced rule, or presence, made."""

    clock_us: int
    told: Event | Alarm


@dataclass(slots=True)
class Trace:
    """All of it, in the order in which it happened."""

    log: deque[Judged | Kept | Outcome] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))

    def judged(self, rule: str) -> list[Judged]:
        """What came to a rule."""
        return [each for each in self.log if isinstance(each, Judged) and each.rule.name == rule]

    def kept(self, rule: str) -> list[Kept]:
        """What a rule kept."""
        return [each for each in self.log if isinstance(each, Kept) and each.rule == rule]

    def outcomes(self) -> list[Outcome]:
        """What was made."""
        return [each for each in self.log if isinstance(each, Outcome)]


class Tracer:
    """Traces one rule, and those whose events it takes.

    Args:
        about: subjects, names or keys; nothing is kept of items that are about something else.

    Attributes:
        about: as given, and the subjects of what has these names, and the devices and read points of these places.
    """

    def __init__(self, bench: Workbench, rule: str | None, about: Iterable[str]) -> None:
        self.trace = Trace()
        self.engine: Engine = bench.engine()
        self.rules = chain(bench.site.rule, rule)
        self.about = set(about)
        for each in self.rules:
            if isinstance(
                each, OrderedHead
            ):  # what stands before it may know the place by a device or read point of it
                self.about |= {value for place in sorted(self.about) for value in each.places.get(place, ())}
        self._owners = {f"{each.name}.{fingerprint(each)}": each for each in self.rules}
        planned = planned_times(bench.site)
        self._prepared: dict[str, Preparation | None] = {
            each.name: preparation_of(each, bench.tables, planned) for each in self.rules
        }
        self._names = {each.name for each in self.rules}

    def step(self, batch: Batch) -> None:
        """Have the engine judge a batch, and keep what is of interest."""
        raw = list(self._items(batch))
        outputs = self.engine.step(batch)
        for seen in raw:
            self._learn(seen.fields)
            self._judge(seen)
        where = (batch.gateway, batch.epoch, batch.sequence)
        for event in outputs.events:
            if event.rule is None or event.rule in self._names:
                self.trace.log.append(Outcome(batch.received_at_us, event))
            fields = event_fields(event)
            self._learn(fields)
            self._judge(Seen(event.type, fields, event.at_us, batch.received_at_us, where, 0, event))
        self.trace.log.extend(
            Outcome(batch.received_at_us, alarm) for alarm in outputs.alarms if alarm.rule in self._names
        )
        self._keep(batch)

    def _items(self, batch: Batch) -> Iterator[Seen]:
        """The raw items of a batch, as the engine sees them; without readings that the books compute."""
        where, clock_us = (batch.gateway, batch.epoch, batch.sequence), batch.received_at_us
        naming = self.engine.naming
        if isinstance(batch, ReadBatch):
            for index, read in enumerate(batch.reads):
                thing = naming.registry.tag(read.epc, read.tid)
                fields = read_fields(read, batch.device, batch.gateway, thing)
                yield Seen("read", fields, read.seen_at_us, clock_us, where, index)
        elif isinstance(batch, CardBatch):
            for index, card in enumerate(batch.cards):
                result, named = naming.card(card.card)
                yield Seen("card", card_fields(card, batch, result, named), card.seen_at_us, clock_us, where, index)
        elif isinstance(batch, ReadingBatch):
            for index, reading in enumerate(batch.readings):
                yield Seen("reading", reading_fields(reading, batch), clock_us, clock_us, where, index)
        elif isinstance(batch, SignalBatch):
            for index, signal in enumerate(batch.signals):
                yield Seen("signal", signal_fields(signal, batch), clock_us, clock_us, where, index)
        elif isinstance(batch, StatusBatch):
            yield Seen("status", status_fields(batch), clock_us, clock_us, where, 0)

    def _judge(self, seen: Seen) -> None:
        for rule in self.rules:
            for place, source in inputs(rule):
                if source.on != seen.on:
                    continue
                preparation = self._prepared[rule.name]
                fields = seen.fields if preparation is None else preparation.of(seen.fields, seen.at_us)
                shown = seen.fields if fields is None else fields
                key = key_of(rule, source.key, seen.on, shown)
                if self._is_of_interest(key, shown):
                    judged = Judged(rule, place, source.when, seen, shown, key, fields is not None)
                    self.trace.log.append(judged)

    def _is_of_interest(self, key: str | None, fields: Fields) -> bool:
        return not self.about.isdisjoint((key or "", head_of(key or ""), str(fields.get("subject"))))

    def _learn(self, fields: Fields) -> None:
        """Whoever asks for a name means what has it."""
        subject = fields.get("subject")
        if fields.get("name") in self.about and isinstance(subject, str):
            self.about.add(subject)

    def _keep(self, batch: Batch) -> None:
        for entry, value in self.engine.changes():
            kind, owner, key = entry.split("/", 2)
            rule = self._owners.get(owner)
            if kind != "rule" or rule is None or head_of(key) not in self.about:
                continue
            row = None if value is None else self.engine.states(rule.name).get(key)
            state = None if row is None else {name: getattr(row, name) for name in row.__struct_fields__}
            self.trace.log.append(Kept(rule.name, key, batch.received_at_us, state and _plain(state)))


def chain(rules: Iterable[Rule], name: str | None) -> list[Rule]:
    """A rule, and behind it those whose events it takes, and so on; none when there is no such rule."""
    every = list(rules)
    found = [each for each in every if each.name == name]
    for rule in found:
        wanted = {source.on for _, source in inputs(rule)}
        found += [each for each in every if each not in found and any(kind in wanted for _, kind in makes(each))]
    return found


def key_of(rule: Rule, own_key: str | None, on: str, fields: Fields) -> str | None:
    """The key of the state that an item belongs to; None when it has none."""
    if isinstance(rule, MatchRule):
        return series_of(on, fields.get("subject"), fields)
    if isinstance(rule, HoldRule):
        value = fields.get(rule.key)
        return None if value is None else series_of(on, value, fields)
    assert isinstance(rule, OrderedHead)
    value = fields.get(own_key or rule.key)
    if value is None or isinstance(value, list):
        return None
    if not rule.places:
        return str(value)
    return next((place for place, values in rule.places.items() if str(value) in (place, *values)), None)


def _is_choice(finding: Finding, on: str) -> bool:
    return not finding.depth and bool(finding.asked) and finding.asked <= identity_of(on)


def head_of(key: str) -> str:
    """What a key is about, without the series."""
    return key.partition("/")[0]


def _plain(state: Mapping[str, object]) -> dict[str, object]:
    """A copy that later steps do not change."""
    return {name: msgspec.to_builtins(value) for name, value in state.items()}
