"""The rules engine: batches in, events, alarms and points out. Pure: no clock, no network, no file.

A gateway's time is the latest arrival of its batches, so the same batches give the same outputs, in any process and
at any speed. What one gateway heard never depends on another: presence is kept for each, and the timers of a rule
run on the clock of the gateway that last spoke of their key.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from gateway.config.models import HoldRule, SiteFile
from gateway.contract.batches import Batch, CardBatch, ReadBatch, ReadingBatch, SignalBatch, StatusBatch
from gateway.contract.events import Event
from rules.bookkeeping import KINDS as BOOK_KINDS
from rules.bookkeeping import Bookkeeping
from rules.built_in import card_event, presence_event
from rules.energy.points import Made
from rules.expressions import Test
from rules.outputs import Outputs
from rules.points import reading_points, signal_points, status_point
from rules.presence.happening import Happening
from rules.presence.tracker import KINDS, Tracker
from rules.shapes.hold import Hold, HoldRow
from rules.shapes.match import Match, MatchRow
from rules.shapes.shape import Cause, Raised, alarm_of
from rules.state import State, parts_of
from rules.things.naming import Naming
from rules.things.thing import Things
from rules.vocabulary import (
    Fields,
    card_fields,
    event_fields,
    read_fields,
    reading_fields,
    signal_fields,
    status_fields,
)

HISTORICAL_US: Final = 60_000_000
"""An item that is older than this when its batch arrives comes from some device's buffer: too late to act upon."""
MOST_EVENTS: Final = 10_000
"""Events of one batch at most that rules look at; those of presence are always judged."""


class Engine:
    """Judges batches. Those of one gateway come in order of sequence, each once.

    Attributes:
        naming: what things are called; its registry may be replaced between two steps.

    Raises:
        ExpressionError: a rule's condition cannot be used; `rules.check.faults` names all of them beforehand.
    """

    def __init__(self, site: SiteFile, things: Things) -> None:
        self._site = site
        self.naming = Naming(things)
        self._state = State()
        self._books = Bookkeeping(site, self._state)
        self._gateways: dict[str, _Gateway] = {}
        self._stepped: set[str] = set()
        self._shapes: list[Match | Hold] = [
            Hold(rule, number, self._state) if isinstance(rule, HoldRule) else Match(rule, number, self._state)
            for number, rule in enumerate(site.rule)
        ]
        self._rules: dict[str, _Index] = {}
        for shape in self._shapes:
            self._rules.setdefault(shape.on, _Index()).add(shape)
        self._orphans: list[tuple[str, str, Raised]] = []
        self._dead_keys: list[str] = []
        self._historical_us = round(site.rules.historical_after_s * 1e6)
        self._counts: Counter[str] = Counter()

    def step(self, batch: Batch) -> Outputs:
        """Judge one batch. One that waited long at the edge makes events marked `historical`, and raises no alarm."""
        gateway = self._gateway(batch.gateway)
        self._stepped.add(batch.gateway)
        outputs = Outputs(batch.received_at_us)
        tracker = gateway.tracker
        if by_us := tracker.advance(batch):
            self._set_back(gateway, by_us)
        is_historical = batch.waited_us > self._historical_us
        run = _Run(self, gateway, batch, outputs, is_historical=is_historical)
        if self._orphans or self._dead_keys:
            self._bury(run)
        run.wake()
        run.items(self._books.step(batch, by_us, tracker.watched, historical=is_historical))
        happenings, points = tracker.take(batch)
        outputs.points += points
        for happening in happenings:
            run.happened(happening)
        if not is_historical:
            run.catch_up()
        run.forget()
        if isinstance(batch, ReadBatch):
            outputs.reads = batch
        return outputs

    def install(self, things: Things) -> None:
        """Call things so from the next step on."""
        before, self.naming.registry = self.naming.registry, things
        before.close()

    def changes(self) -> list[tuple[str, bytes | None]]:
        """State entries that changed since the last call; None for those deleted."""
        for name in sorted(self._stepped):
            self._gateways[name].tracker.save()
        self._stepped.clear()
        return self._state.changes()

    def restore(self, entries: Iterable[tuple[str, bytes]]) -> None:
        """Take up a snapshot, before the first step.

        State of rules gone or changed is dropped, its alarms cleared; so is an entry that cannot be read (the counter
        `state_unreadable`): what it knew is found out again, which beats never starting again.
        """
        owners = {shape.owner: shape for shape in self._shapes}
        for key, value in entries:
            try:
                self._load(key, value, owners)
            except msgspec.DecodeError:  # ValidationError is one
                self._counts["state_unreadable"] += 1
                self._state.doom([key])
        for gateway in self._gateways.values():
            self._counts["tags_dropped"] += gateway.tracker.restore()
        for shape in self._shapes:
            shape.restore(self._gateways)

    def counters(self) -> dict[str, int]:
        """Counts since this engine was made, and sizes now, summed over gateways and rules."""
        trackers = [gateway.tracker for gateway in self._gateways.values()]
        return {
            "state_unreadable": 0,
            "clocks_set_back": 0,
            **self._counts,
            "late_reads": sum(tracker.reorder.late_reads for tracker in trackers),
            "future_reads": sum(tracker.reorder.future_reads for tracker in trackers),
            "glimpses": sum(tracker.zones.glimpses for tracker in trackers),
            "portal_strays": sum(tracker.portals.strays for tracker in trackers),
            "portal_lingered": sum(tracker.portals.lingered for tracker in trackers),
            "forgotten": sum(tracker.zones.forgotten + tracker.portals.forgotten for tracker in trackers),
            "tags": sum(tracker.zones.present() for tracker in trackers),
            "sessions": sum(tracker.portals.open_sessions() for tracker in trackers),
            "rule_states": sum(len(shape.rows.rows) for shape in self._shapes),
            "keys_refused": sum(shape.refused for shape in self._shapes),
            "points_refused": sum(tracker.reorder.points_refused for tracker in trackers),
            **self._books.counters(),
        }

    def _set_back(self, gateway: _Gateway, by_us: int) -> None:
        self._counts["clocks_set_back"] += 1
        gateway.timers = [(at_us - by_us, rule, key) for at_us, rule, key in gateway.timers]
        for shape in self._shapes:
            shape.set_back(gateway.name, by_us)

    def _gateway(self, name: str) -> _Gateway:
        found = self._gateways.get(name)
        if found is None:
            found = self._gateways[name] = _Gateway(name, Tracker(self._site, name, self._state))
        return found

    def _load(self, key: str, value: bytes, owners: Mapping[str, Match | Hold]) -> None:
        kind, owner, rest = parts_of(key)
        if kind == "rule" and (shape := owners.get(owner)) is not None:
            shape.rows.load(rest, value)
        elif kind in KINDS:
            self._gateway(owner).tracker.load(kind, rest, value)
        elif kind in BOOK_KINDS:
            self._books.load(kind, owner, rest, value)
        else:
            self._dead_keys.append(key)
            if kind == "rule":
                self._orphan(owner.rpartition(".")[0], rest, value)

    def _orphan(self, rule: str, key: str, value: bytes) -> None:
        row = _either_row(value)
        if row.raised is not None and not (isinstance(row, MatchRow) and row.is_untold):
            self._orphans.append((rule, key, row.raised))

    def _bury(self, run: _Run) -> None:
        self._state.doom(self._dead_keys)
        for rule, key, raised in self._orphans:
            message = f"{rule}: the rule was changed or removed"
            run.outputs.alarms.append(alarm_of(rule, key, raised, "cleared", run.clock_us, message))
        self._dead_keys, self._orphans = [], []


def _either_row(value: bytes) -> MatchRow | HoldRow:
    try:
        return msgspec.msgpack.decode(value, type=MatchRow)
    except msgspec.ValidationError:
        return msgspec.msgpack.decode(value, type=HoldRow)


class _Gateway:
    """One gateway: its presence, its clock, its timers."""

    def __init__(self, name: str, tracker: Tracker) -> None:
        self.name = name
        self.tracker = tracker
        self.timers: list[tuple[int, int, str]] = []

    @property
    def clock_us(self) -> int:
        return self.tracker.clock_us

    def passed_us(self, on: str, source: str) -> int:
        watched = self.tracker.watched
        return watched.watched_us(source) if on in {"read", "reading"} else watched.row.alive_us

    def is_silenced(self, on: str, source: str) -> bool:
        return on == "signal" and source in self.tracker.watched.row.offline

    def wake(self, at_us: int, rule: int, key: str) -> None:
        heapq.heappush(self.timers, (at_us, rule, key))


class _Index:
    """The rules on one kind of item. Those that name the value of a field are found by it."""

    def __init__(self) -> None:
        self.quick: list[tuple[Test, Callable[[Fields, Cause], None]]] = []
        self.plain: list[Match | Hold] = []
        self.chosen: dict[str, dict[str, list[Match | Hold]]] = {}

    def add(self, shape: Match | Hold) -> None:
        if shape.chooses is None:
            if isinstance(shape, Match) and shape.rule.alarm is None:
                self.quick.append((shape.select or shape.test, shape.fire))
            else:
                self.plain.append(shape)
            return
        field, values = shape.chooses
        for value in set(values):
            self.chosen.setdefault(field, {}).setdefault(value, []).append(shape)

    def judge(self, fields: Fields, cause: Cause) -> None:
        for test, fire in self.quick:
            if test(fields):
                fire(fields, cause)
        for shape in self.plain:
            shape.judge(fields, cause)
        for field, values in self.chosen.items():
            value = fields.get(field)
            if isinstance(value, str) and (found := values.get(value)) is not None:
                for shape in found:
                    shape.judge(fields, cause)


class _Run:
    """One step."""

    def __init__(
        self, engine: Engine, gateway: _Gateway, batch: Batch, outputs: Outputs, *, is_historical: bool
    ) -> None:
        self._engine = engine
        self._gateway = gateway
        self._batch = batch
        self._rules = engine._rules  # noqa: SLF001 - a step is a part of the engine that lives shortly
        self._is_historical = is_historical
        self._queue: deque[Event] = deque()
        self.clock_us = gateway.clock_us
        self.outputs = outputs

    def cause(self) -> Cause:
        batch = self._batch
        cause = Cause(
            self._gateway, (batch.gateway, batch.epoch), batch.sequence, self._make, self.outputs.alarms.append
        )
        cause.at_us = batch.received_at_us
        cause.source = batch.device
        cause.is_historical = self._is_historical
        return cause

    def wake(self) -> None:
        """Run the timers that are due."""
        timers = self._gateway.timers
        shapes = self._engine._shapes  # noqa: SLF001 - see above
        while timers and timers[0][0] <= self.clock_us:
            due_us, number, key = heapq.heappop(timers)
            shapes[number].wake(key, due_us, self.cause())
            self._drain()

    def items(self, booked: Made | None) -> None:
        """Make points of what the batch holds and the books made of it, and show it to the rules on raw items."""
        batch, site, points = self._batch, self._engine._site.site.name, self.outputs.points  # noqa: SLF001 - see above
        if isinstance(batch, ReadBatch):
            if (rules := self._rules.get("read")) is not None:
                self._reads(batch, rules)
        elif isinstance(batch, ReadingBatch):
            points += reading_points(batch, site)
            if (rules := self._rules.get("reading")) is not None:
                readings = [*batch.readings, *(booked.computed if booked else ())]
                self._each(rules, (reading_fields(reading, batch) for reading in readings))
        elif isinstance(batch, CardBatch):
            self._cards(batch)
        elif isinstance(batch, SignalBatch):
            points += signal_points(batch, site)
            if (rules := self._rules.get("signal")) is not None:
                self._each(rules, (signal_fields(signal, batch) for signal in batch.signals))
        elif isinstance(batch, StatusBatch):
            points.append(status_point(batch, site))
            if (rules := self._rules.get("status")) is not None:
                self._each(rules, (status_fields(batch),))
        if booked is not None:
            points += booked.points
            for event in booked.events:
                self._make(event)
            self._drain()

    def happened(self, happening: Happening) -> None:
        """Make the event of what presence concluded, and show it to the rules."""
        engine = self._engine
        self._make(presence_event(happening, self._batch, engine.naming, historical=self._is_historical))
        self._drain()

    def catch_up(self) -> None:
        """The present is reached: raise the alarms that began in a backlog and still stand."""
        for shape in self._engine._shapes:  # noqa: SLF001 - see above
            if isinstance(shape, Match) and shape.untold:
                shape.catch_up(self.cause())

    def forget(self) -> None:
        """Once a minute of the gateway's time, let go of what rules keep about subjects not seen for long."""
        minute = self.clock_us // HISTORICAL_US
        row = self._gateway.tracker.row
        if minute == row.minute:
            return
        row.minute = minute
        before_us = minute * HISTORICAL_US - round(self._engine._site.rules.forget_after_s * 1e6)  # noqa: SLF001 - see above
        for shape in self._engine._shapes:  # noqa: SLF001 - see above
            if shape.on not in {"reading", "signal", "status"} and shape.rows.rows:
                cause = self.cause()
                cause.at_us = self.clock_us
                shape.forget(before_us, cause)

    def _reads(self, batch: ReadBatch, rules: _Index) -> None:
        cause, things = self.cause(), self._engine.naming.registry
        oldest_us = batch.received_at_us - HISTORICAL_US
        for index, read in enumerate(batch.reads):
            cause.index = index
            cause.at_us = read.seen_at_us
            cause.source = read.read_point
            cause.is_historical = self._is_historical or read.seen_at_us < oldest_us
            rules.judge(read_fields(read, batch.device, batch.gateway, things.tag(read.epc, read.tid)), cause)
        self._drain()

    def _cards(self, batch: CardBatch) -> None:
        """Make the event of each presentation, and show the rules on cards the card itself."""
        rules, cause = self._rules.get("card"), self.cause()
        oldest_us = batch.received_at_us - HISTORICAL_US
        for index, card in enumerate(batch.cards):
            result, named = self._engine.naming.card(card.card)
            is_historical = self._is_historical or card.seen_at_us < oldest_us
            if rules is not None:
                cause.index, cause.at_us, cause.source = index, card.seen_at_us, card.read_point
                cause.is_historical = is_historical
                rules.judge(card_fields(card, batch, result, named), cause)
            self._make(card_event(card, index, batch, result, named, historical=is_historical))
        self._drain()

    def _each(self, rules: _Index, items: Iterable[Fields]) -> None:
        cause = self.cause()
        for index, fields in enumerate(items):
            cause.index = index
            rules.judge(fields, cause)
        self._drain()

    def _make(self, event: Event) -> None:
        self.outputs.events.append(event)
        self._queue.append(event)

    def _drain(self) -> None:
        """Show events to the rules on them, until they make no more."""
        queue = self._queue
        while queue:
            event = queue.popleft()
            rules = self._rules.get(event.type)
            if rules is None:
                continue
            if len(self.outputs.events) >= MOST_EVENTS and event.rule is not None:
                self._engine._counts["events_unjudged"] += 1  # noqa: SLF001 - see above
                continue
            cause = self.cause()
            cause.event = event
            cause.at_us = event.at_us
            cause.source = event.read_point or event.zone or event.subject
            cause.is_historical = event.historical
            rules.judge(event_fields(event), cause)
