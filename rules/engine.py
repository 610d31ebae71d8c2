"""The rules engine: batches in, events, alarms and points out. Pure: no clock, no network, no file.

A gateway's time is the latest arrival of its batches, so the same batches give the same outputs, in any process and
at any speed. What one gateway heard never depends on another: presence is kept for each, and the timers of a rule
run on the clock of the gateway that last spoke of their key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from gateway.config.models import SiteFile
from gateway.contract.alarm_orders import AlarmOrder
from gateway.contract.batches import Batch, ReadBatch
from rules.alarms import ALARM_KINDS, AlarmBook, Answer
from rules.bookkeeping import KINDS as BOOK_KINDS
from rules.bookkeeping import Bookkeeping
from rules.gateways import GatewayState
from rules.outputs import Outputs
from rules.presence.tracker import KINDS, Tracker
from rules.rulebook import Rulebook
from rules.sequencer import Sequencer
from rules.shapes.catalogue import Shape
from rules.shapes.ordered import Ordered
from rules.state import State, parts_of
from rules.step import Step
from rules.stopwatch import BOOKS, ENGINE, PRESENCE, Stopwatch
from rules.tables.table import Tables
from rules.takeover import taken_over
from rules.things.naming import Naming
from rules.things.thing import Things

STALE_TIMERS: Final = 10_000
LIVE_TIMERS: Final = 4
"""Timers of one state at most, or rather: beyond so many on average most must be stale."""


class Engine:
    """Judges batches. Those of one gateway come in order of sequence, each once.

    Attributes:
        naming: what things are called; its registry may be replaced between two steps.
        tables: what rules look things up in; they may be replaced between two steps.

    Raises:
        ExpressionError: a rule's condition cannot be used; `rules.checking.check.faults` names all of them beforehand.
    """

    def __init__(self, site: SiteFile, things: Things, tables: Tables | None = None) -> None:
        self._site = site
        self.naming = Naming(things)
        self.tables = Tables() if tables is None else tables
        self._state = State()
        self._books = Bookkeeping(site, self._state)
        self._gateways: dict[str, GatewayState] = {}
        self._stepped: set[str] = set()
        self._rulebook = Rulebook(site, self._state, self.tables)
        self._retired: dict[str, Shape] = {}
        self._alarms = AlarmBook(self._state)
        self._are_rules_new = False
        self._dead_keys: list[str] = []
        self._historical_us = round(site.rules.historical_after_s * 1e6)
        self._counts: Counter[str] = Counter()

    def step(self, batch: Batch, watch: Stopwatch | None = None) -> Outputs:
        """Judge one batch. One that waited long at the edge makes events marked `historical`, and raises no alarm.

        A stopwatch that was started is told whose time it was.
        """
        lap = _no_lap if watch is None else watch.lap
        gateway = self._gateway(batch.gateway)
        self._stepped.add(batch.gateway)
        tracker = gateway.tracker
        if by_us := tracker.advance(batch):
            self._set_back(gateway, by_us)
        is_historical = batch.waited_us > self._historical_us
        step = Step(
            self._site,
            self._rulebook,
            self._alarms,
            self.naming,
            self._gateways,
            self._counts,
            batch,
            is_historical=is_historical,
            watch=watch,
        )
        if self._are_rules_new:
            self._bury(step)
        step.run_timers()
        lap(ENGINE)
        booked = self._books.step(batch, by_us, tracker.watched, historical=is_historical)
        lap(BOOKS)
        step.items(booked)
        lap(ENGINE)
        happenings, points = tracker.take(batch)
        lap(PRESENCE)
        step.outputs.points += points
        for happening in happenings:
            step.happened(happening)
        step.release()
        if not is_historical:
            step.catch_up()
        if step.forget():
            self._sweep_timers()
        if isinstance(batch, ReadBatch):
            step.outputs.reads = batch
        lap(ENGINE)
        return step.outputs

    def is_new(self, order: AlarmOrder, now_us: int) -> bool:
        """Whether an order of a person was never taken before; from now on it was. The state remembers it."""
        return self._alarms.remember(order, now_us)

    def order(self, order: AlarmOrder) -> Answer:
        """Take an order of a person about an alarm, between two steps."""
        clocks = {name: gateway.clock_us for name, gateway in self._gateways.items()}
        return self._alarms.order(order, self._rulebook.owners, clocks)

    def install(self, things: Things) -> None:
        """Call things so from the next step on."""
        before, self.naming.registry = self.naming.registry, things
        before.close()

    def replace(self, site: SiteFile) -> None:
        """Judge by the rules of this site from the next step on; nothing else of it is taken over.

        Rules whose definition has not changed keep their state and timers, and items that wait for their turn stay. In
        the next step those that are gone let go of their state, and their alarms are cleared.

        Raises:
            ExpressionError: a condition cannot be used; nothing has changed.
        """
        site = taken_over(self._site, site)
        Rulebook(site, State(), self.tables)  # what cannot be compiled must not be half installed
        retired, self._rulebook, self._site = self._rulebook, Rulebook(site, self._state, self.tables), site
        self._counts["keys_refused"] += sum(shape.refused for shape in retired.shapes)
        self._retired |= retired.owners
        self._retired = {owner: each for owner, each in self._retired.items() if owner not in self._rulebook.owners}
        for gateway in self._gateways.values():
            gateway.tracker.replace_rules(site)
        self._wind_up_anew()
        self._are_rules_new = True

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
        for key, value in entries:
            try:
                self._load(key, value)
            except msgspec.DecodeError:  # ValidationError is one
                self._counts["state_unreadable"] += 1
                self._state.doom([key])
        for gateway in self._gateways.values():
            self._counts["tags_dropped"] += gateway.tracker.restore()
            gateway.sequencer.restore(gateway.clock_us)
        self._alarms.restore()
        self._wind_up()
        self._are_rules_new = True

    def states(self, rule: str) -> Mapping[str, msgspec.Struct]:
        """What a rule keeps, by key, to be looked at; empty when there is no such rule."""
        return next((shape.rows.rows for shape in self._rulebook.shapes if shape.rule.name == rule), {})

    def counters(self) -> dict[str, int]:
        """Counts since this engine was made, and sizes now, summed over gateways and rules."""
        gateways = list(self._gateways.values())
        trackers = [gateway.tracker for gateway in gateways]
        return {
            "state_unreadable": 0,
            "clocks_set_back": 0,
            **self._counts,
            "late_reads": sum(tracker.reorder.late_reads for tracker in trackers),
            "future_reads": sum(tracker.reorder.future_reads for tracker in trackers),
            "late_items": sum(gateway.sequencer.late for gateway in gateways),
            "glimpses": sum(tracker.zones.glimpses for tracker in trackers),
            "portal_strays": sum(tracker.portals.strays for tracker in trackers),
            "portal_lingered": sum(tracker.portals.lingered for tracker in trackers),
            "forgotten": sum(tracker.zones.forgotten + tracker.portals.forgotten for tracker in trackers),
            "tags": sum(tracker.zones.present() for tracker in trackers),
            "sessions": sum(tracker.portals.open_sessions() for tracker in trackers),
            "rule_states": sum(len(shape.rows.rows) for shape in self._rulebook.shapes),
            "keys_refused": self._counts["keys_refused"] + sum(shape.refused for shape in self._rulebook.shapes),
            "points_refused": sum(tracker.reorder.points_refused for tracker in trackers),
            **self._books.counters(),
            **self._alarms.counters(),
        }

    def _set_back(self, gateway: GatewayState, by_us: int) -> None:
        self._counts["clocks_set_back"] += 1
        gateway.set_back(by_us)
        self._alarms.set_back(gateway.name, by_us)
        for shape in self._rulebook.shapes:
            shape.set_back(gateway.name, by_us)

    def _gateway(self, name: str) -> GatewayState:
        found = self._gateways.get(name)
        if found is None:
            sequencer = Sequencer(name, round(self._site.rules.lateness_s * 1e6), self._state)
            found = self._gateways[name] = GatewayState(name, Tracker(self._site, name, self._state), sequencer)
        return found

    def _sweep_timers(self) -> None:
        """Timers planned anew, and those of keys that are gone, stay until they are due: sweep them out if many."""
        timers = sum(gateway.timers_wound for gateway in self._gateways.values())
        if timers > STALE_TIMERS + LIVE_TIMERS * sum(len(shape.rows.rows) for shape in self._rulebook.shapes):
            self._wind_up_anew()

    def _wind_up_anew(self) -> None:
        for gateway in self._gateways.values():
            gateway.forget_timers()
        self._wind_up()

    def _wind_up(self) -> None:
        sequencers = {name: gateway.sequencer for name, gateway in self._gateways.items()}
        for prompt in self._rulebook.prompt:
            prompt.restore(self._gateways)
        for ordered in self._rulebook.ordered:
            ordered.restore(sequencers)

    def _load(self, key: str, value: bytes) -> None:
        kind, owner, rest = parts_of(key)
        shape = self._rulebook.owners.get(owner) if kind in {"rule", "raised"} else None
        if shape is not None and kind == "rule":
            shape.rows.load(rest, value)
        elif isinstance(shape, Ordered):
            shape.alarms.load(rest, value)
        elif kind in ALARM_KINDS:
            self._alarms.load(kind, rest, value)
        elif kind in KINDS:
            self._gateway(owner).tracker.load(kind, rest, value)
        elif kind == "item":
            self._gateway(owner).sequencer.rows.load(rest, value)
        elif kind in BOOK_KINDS:
            self._books.load(kind, owner, rest, value)
        else:
            self._dead_keys.append(key)

    def _bury(self, step: Step) -> None:
        """Clear the alarms of rules that are gone, in the order of their names and keys, and drop their state."""
        self._state.doom(self._dead_keys)
        for owner in self._retired:
            self._state.retire(owner)
        step.outputs.alarms += self._alarms.bury(self._rulebook.owners, step.clock_us)
        self._dead_keys, self._retired, self._are_rules_new = [], {}, False


def _no_lap(owner: str) -> None:
    """Nobody wants to know whose time it was."""
