"""Cards shown to an engine: in order, out of order, late, with restarts in between, and in what order they count."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from gateway.config.models import SiteFile
from gateway.contract.batches import Batch, CardBatch, CardRead
from rules.engine import Engine
from rules.outputs import Outputs
from tests.rules.play import Play, site, us
from tests.rules.things.registries import NOTHING


def card_of(name: str) -> str:
    return f"app:{name.encode().hex().upper():0>8}"


def name_of(card: str) -> str:
    """What a test calls a card; an area or a device stays as it is."""
    technology, _, number = card.partition(":")
    return bytes.fromhex(number).decode().lstrip("\0") if technology == "app" else card


class Shown(NamedTuple):
    """A card that was seen at a read point, and heard of later."""

    heard_s: float
    seen_s: float
    card: str
    point: str


class Cards(Play):
    """A gateway of card readers."""

    def show(self, *shown: Shown) -> Outputs:
        """One batch."""
        head = self.head(shown[0].heard_s, "reader-1", "cards", len(shown))
        rows = [CardRead(card_of(each.card), "app", each.point, 1, us(each.seen_s), "whole") for each in shown]
        return self.give(CardBatch(**head, cards=rows))  # type: ignore[arg-type]  # head holds the header's fields

    def at(self, at_s: float, card: str, point: str, late_s: float = 0.0) -> Outputs:
        """One card, seen `late_s` before it was heard of."""
        return self.show(Shown(at_s, at_s - late_s, card, point))

    def restart(self, *kinds: str) -> None:
        """Another engine takes up the state of this one; only what is of these kinds, if any are named."""
        entries = [
            (key, value)
            for key, value in self.engine.changes()
            if value is not None and (not kinds or key.partition("/")[0] in kinds)
        ]
        self.engine = Engine(self.file, self.things)
        self.engine.restore(entries)

    def told(self, *names: str) -> list[tuple[object, ...]]:
        """Type and subject of what rules made, and some fields."""
        return [
            (event.type, name_of(event.subject), *(event.fields.get(name) for name in names))
            for event in self.events
            if event.rule is not None
        ]

    def states(self) -> list[tuple[str, str, str]]:
        return [(name_of(alarm.subject), alarm.state, alarm.message) for alarm in self.alarms]


def two_gateways(file: SiteFile) -> tuple[Cards, Cards]:
    """Both speak to one engine; ask each for what came of its own batches."""
    one, other = Cards(file), Cards(file, gateway="edge-2")
    other.engine = one.engine
    for played in (one, other):
        played.tick(0.0)
    return one, other


def batches_of(shown: Iterable[Shown], end_s: float) -> list[Batch]:
    """A batch for each, in the order in which they were heard, and ticks up to the end."""
    played = Cards(site())
    for each in sorted(shown, key=lambda one: one.heard_s):
        played.until(max(each.heard_s, played.at_s))
        played.show(each)
    played.until(end_s)
    return played.batches


def play_with_restarts(file: SiteFile, batches: Iterable[Batch], restarts: Callable[[int], bool]) -> list[Outputs]:
    """Play them; after those for which `restarts` says so, what was committed goes into a fresh engine, backwards."""
    engine, stored, outputs = Engine(file, NOTHING), dict[str, bytes](), []
    for number, batch in enumerate(batches):
        outputs.append(engine.step(batch))
        if restarts(number):
            for key, value in engine.changes():
                if value is None:
                    stored.pop(key, None)
                else:
                    stored[key] = value
            engine = Engine(file, NOTHING)
            engine.restore(reversed(stored.items()))
    return outputs


def frozen(outputs: list[Outputs]) -> list[bytes]:
    return [msgspec.json.encode([one.events, one.alarms, one.points]) for one in outputs]


class Timers:
    """Timers of a reference model."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []

    def wake(self, due_s: float, key: str) -> None:
        heapq.heappush(self._heap, (due_s, key))

    def due(self, until_s: float) -> Iterator[tuple[float, str]]:
        while self._heap and self._heap[0][0] <= until_s:
            yield heapq.heappop(self._heap)


def in_turn(
    batches: Iterable[Batch],
    lateness_s: float,
    timers: Timers,
    take: Callable[[float, str, str], None],
    wake: Callable[[float, str], None],
) -> None:
    """Show a reference model what was heard, each when its gateway's clock is `lateness_s` past it, and its timers."""
    waiting: list[tuple[float, int, str, str]] = []
    number = 0
    for batch in batches:
        clock_s = (batch.received_at_us - us(0)) / 1e6
        if isinstance(batch, CardBatch):
            for row in batch.cards:
                number += 1
                waiting.append(
                    (min((row.seen_at_us - us(0)) / 1e6, clock_s), number, name_of(row.card), row.read_point)
                )
        frontier_s = clock_s - lateness_s
        due = sorted(each for each in waiting if each[0] <= frontier_s)
        waiting = [each for each in waiting if each[0] > frontier_s]
        for seen_s, _, card, point in due:
            for when_s, key in timers.due(seen_s - 1e-6):
                wake(when_s, key)
            take(seen_s, card, point)
        for when_s, key in timers.due(frontier_s):
            wake(when_s, key)
