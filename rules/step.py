"""One step of the engine: a batch on its way through presence and rules."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Final

from gateway.config.models import SiteFile
from gateway.contract.batches import Batch, CardBatch, ReadBatch, ReadingBatch, SignalBatch, StatusBatch
from gateway.contract.events import Alarm, Event
from rules.alarms import AlarmBook, Source
from rules.built_in import card_event, presence_event
from rules.energy.points import Made
from rules.figures import figure_points
from rules.gateways import GatewayState, counted_us
from rules.item import Item
from rules.language.vocabulary import (
    Fields,
    card_fields,
    event_fields,
    read_fields,
    reading_fields,
    signal_fields,
    status_fields,
)
from rules.outputs import Outputs
from rules.points import reading_points, signal_points, status_point
from rules.presence.happening import Happening
from rules.presence.watched import KEPT_US
from rules.rulebook import Rulebook
from rules.sequencer import Due
from rules.shapes.match import Match
from rules.shapes.ordered import Ordered
from rules.shapes.shape import Cause
from rules.stopwatch import ENGINE, Stopwatch
from rules.things.naming import Naming

HISTORICAL_US: Final = 60_000_000
"""An item that is older than this when its batch arrives comes from some device's buffer: too late to act upon."""
MOST_EVENTS: Final = 10_000
"""Events of one batch at most that rules look at; those of presence are always judged."""


class Step:
    """One batch, and what it leads to. To the ordered rules it is the turn at which they act, see `Turn`.

    With a stopwatch, it says whose time it was: at the end of what a rule does, and before it whatever came between.
    """

    def __init__(
        self,
        site: SiteFile,
        rulebook: Rulebook,
        alarms: AlarmBook,
        naming: Naming,
        gateways: Mapping[str, GatewayState],
        counts: Counter[str],
        batch: Batch,
        *,
        is_historical: bool,
        watch: Stopwatch | None = None,
    ) -> None:
        self._site = site
        self._rulebook = rulebook
        self._audiences = rulebook.audiences if watch is None else rulebook.timed(watch)
        self._watch = watch
        self._alarms = alarms
        self._naming = naming
        self._gateways = gateways
        self._counts = counts
        self._batch = batch
        self._gateway = gateways[batch.gateway]
        self._queue: deque[tuple[Event, int]] = deque()
        self._floor_us = 0
        self.clock_us = self._gateway.clock_us
        self.outputs = Outputs(batch.received_at_us)
        self.gateway = batch.gateway
        self.now_us = self.clock_us
        self.is_historical = is_historical

    def cause(self) -> Cause:
        """What a prompt rule is told of an item of this batch."""
        batch = self._batch
        cause = Cause(self._gateway, (batch.gateway, batch.epoch), batch.sequence, self.make, self.raise_)
        cause.at_us = batch.received_at_us
        cause.source = batch.device
        cause.is_historical = self.is_historical
        return cause

    def make(self, event: Event) -> None:
        """An event was made; the rules will look at it."""
        self.outputs.events.append(event)
        if event.rule is not None and (names := self._rulebook.figures.get(event.rule)) is not None:
            self.outputs.points += figure_points(event, names, self._site.site.name)
        self._queue.append((event, min(max(event.at_us, self._floor_us), self.clock_us)))

    def raise_(self, alarm: Alarm, source: Source) -> None:
        """An alarm of a rule was raised or cleared."""
        told = self._alarms.take(alarm, source, self.gateway, self.clock_us)
        if told is not None:
            self.outputs.alarms.append(told)

    def wake(self, due_us: int, rule: int, key: str) -> None:
        """Call an ordered rule's `wake` with this key then."""
        self._gateway.sequencer.wake(due_us, rule, key)

    def counted_us(self, names: str, at_us: int | None = None) -> int:
        """Time that counts up to the moment of this turn, or another between `KEPT_US` before it and the clock."""
        until_us = self.now_us if at_us is None else min(max(at_us, self.now_us - KEPT_US), self.clock_us)
        return counted_us(self._gateways, self.gateway, names, until_us)

    def run_timers(self) -> None:
        """Run the timers of alarms and of prompt rules that are due. In a backlog nobody could acknowledge anything."""
        if not self.is_historical:
            self.outputs.alarms += self._alarms.escalate(self.gateway, self.clock_us)
        timers = self._gateway.timers
        shapes = self._rulebook.shapes
        while timers and timers[0][0] <= self.clock_us:
            due_us, number, key = heapq.heappop(timers)
            shape = shapes[number]
            assert not isinstance(shape, Ordered)  # those have a line of their own
            cause = self.cause()
            self._lap(ENGINE)
            shape.wake(key, due_us, cause)
            self._lap(shape.rule.name)
            self._drain()

    def items(self, booked: Made | None) -> None:
        """Make points of what the batch holds and the books made of it, and show it to the rules on raw items."""
        batch, site, points = self._batch, self._site.site.name, self.outputs.points
        takes = self._rulebook.takes
        if isinstance(batch, ReadBatch):
            if takes("read"):
                self._reads(batch)
        elif isinstance(batch, ReadingBatch):
            points += reading_points(batch, site)
            if takes("reading"):
                readings = [*batch.readings, *(booked.computed if booked else ())]
                self._each("reading", (reading_fields(reading, batch) for reading in readings))
        elif isinstance(batch, CardBatch):
            self._cards(batch)
        elif isinstance(batch, SignalBatch):
            points += signal_points(batch, site)
            if takes("signal"):
                self._each("signal", (signal_fields(signal, batch) for signal in batch.signals))
        elif isinstance(batch, StatusBatch):
            points.append(status_point(batch, site))
            if takes("status"):
                self._each("status", (status_fields(batch),))
        if booked is not None:
            points += booked.points
            for event in booked.events:
                self.make(event)
            self._drain()

    def happened(self, happening: Happening) -> None:
        """Make the event of what presence concluded, and show it to the rules."""
        self._floor_us = happening.known_us
        self.make(presence_event(happening, self._batch, self._naming, historical=self.is_historical))
        self._drain()
        self._floor_us = 0

    def release(self) -> None:
        """Give the ordered rules what is due, in the order of event time."""
        sequencer, rulebook = self._gateway.sequencer, self._rulebook
        sequencer.advance(self.clock_us)
        while (found := sequencer.take()) is not None:
            self.now_us = self._floor_us = sequencer.now_us
            if isinstance(found, Due):
                shape = rulebook.shapes[found.rule]
                assert isinstance(shape, Ordered)  # the others have timers of their own
                self._lap(ENGINE)
                shape.wake(found.key, found.due_us, self)
                self._lap(shape.rule.name)
            else:
                audience = self._audiences.get(found.on)  # none, when the rule that wanted it is gone
                for ordered, intake, key, item in audience.takers(found) if audience is not None else ():
                    ordered.take(intake.role, key, item, self)
            self._drain()
        self._floor_us, self.now_us = 0, self.clock_us

    def catch_up(self) -> None:
        """The present is reached: raise the alarms that began in a backlog and still stand."""
        for prompt in self._rulebook.prompt:
            if isinstance(prompt, Match) and prompt.untold:
                self._lap(ENGINE)
                prompt.catch_up(self.cause())
                self._lap(prompt.rule.name)
        for ordered in self._rulebook.ordered:
            if ordered.untold:
                self._lap(ENGINE)
                ordered.catch_up(self.gateway, self)
                self._lap(ordered.rule.name)

    def forget(self) -> bool:
        """Once a minute of the gateway's time, let go of what rules keep about subjects not seen for long."""
        minute = self.clock_us // HISTORICAL_US
        row = self._gateway.tracker.row
        if minute == row.minute:
            return False
        row.minute = minute
        before_us = minute * HISTORICAL_US - round(self._site.rules.forget_after_s * 1e6)
        for shape in self._rulebook.prompt:
            if shape.on not in {"reading", "signal", "status"} and shape.rows.rows:
                cause = self.cause()
                cause.at_us = self.clock_us
                self._lap(ENGINE)
                shape.forget(before_us, cause)
                self._lap(shape.rule.name)
        return True

    def _lap(self, owner: str) -> None:
        if self._watch is not None:
            self._watch.lap(owner)

    def _reads(self, batch: ReadBatch) -> None:
        cause, things = self.cause(), self._naming.registry
        oldest_us = batch.received_at_us - HISTORICAL_US
        for index, read in enumerate(batch.reads):
            cause.index = index
            cause.at_us = read.seen_at_us
            cause.source = read.read_point
            cause.is_historical = self.is_historical or read.seen_at_us < oldest_us
            self._show("read", read_fields(read, batch.device, batch.gateway, things.tag(read.epc, read.tid)), cause)
        self._drain()

    def _cards(self, batch: CardBatch) -> None:
        """Make the event of each presentation, and show the rules on cards the card itself."""
        is_wanted, cause = self._rulebook.takes("card"), self.cause()
        oldest_us = batch.received_at_us - HISTORICAL_US
        for index, card in enumerate(batch.cards):
            result, named = self._naming.card(card.card)
            is_historical = self.is_historical or card.seen_at_us < oldest_us
            if is_wanted:
                cause.index, cause.at_us, cause.source = index, card.seen_at_us, card.read_point
                cause.is_historical = is_historical
                self._show("card", card_fields(card, batch, result, named), cause)
            self.make(card_event(card, index, batch, result, named, historical=is_historical))
        self._drain()

    def _each(self, on: str, items: Iterable[Fields]) -> None:
        cause = self.cause()
        for index, fields in enumerate(items):
            cause.index = index
            self._show(on, fields, cause)
        self._drain()

    def _show(self, on: str, fields: Fields, cause: Cause) -> None:
        """Show one item to the prompt rules, and have it wait for the others if one of them wants it."""
        audience = self._audiences[on]
        if audience.show(fields, cause):
            self._wait(on, fields, cause, min(cause.at_us, self.clock_us))

    def _wait(self, on: str, fields: Fields, cause: Cause, known_us: int) -> None:
        origin = "/".join([str(part) for part in cause.origin])
        at_us = min(cause.at_us, known_us)  # the clock of a reader may be ahead
        item = Item(on, known_us, at_us, origin, cause.source, cause.is_historical, fields, cause.evidence(fields))
        self._gateway.sequencer.put(item)

    def _drain(self) -> None:
        """Show events to the rules on them, until they make no more."""
        queue, audiences = self._queue, self._audiences
        cause: Cause | None = None
        while queue:
            event, known_us = queue.popleft()
            audience = audiences.get(event.type)
            if audience is None:
                continue
            if len(self.outputs.events) >= MOST_EVENTS and event.rule is not None:
                self._counts["events_unjudged"] += 1
                continue
            cause = cause or self.cause()
            cause.event = event
            cause.at_us = event.at_us
            cause.source = event.read_point or event.zone or event.subject
            cause.is_historical = event.historical
            fields = event_fields(event)
            if audience.show(fields, cause):
                self._wait(event.type, fields, cause, known_us)
