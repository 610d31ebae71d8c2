"""What is where: the things in each zone, and what passed through each lane of late.

It begins with what the event journal knows, and is kept by events. Those that were missed, while the broker was away or
before the console began to listen, are made up for by asking the journal again from time to time, in a thread.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

import msgspec

from gateway.console.parts.part import Cursor, Heard, Rows
from gateway.contract.batches import TickBatch
from gateway.contract.events import Event

ARRIVALS: Final = frozenset({"arrived", "moved"})
DEPARTED: Final = "departed"
PASSAGE: Final = "passage"

THINGS_MOST: Final = 100_000
PLACES_MOST: Final = 2_000
PASSED_MOST: Final = 200
"""Passages that are remembered of each lane."""
CHANGED_MOST: Final = 200_000
ASK_EVERY_S: Final = 300.0
ASK_AFTER_SILENCE_S: Final = 5.0
"""A gateway ticks every second: after so long without, events were missed, too."""
JOURNAL_LAG_S: Final = 10.0
"""The journal may be so far behind what the broker brings."""


class Thing(msgspec.Struct, frozen=True):
    """Something that is in a zone, since when, and the event `id` that says so."""

    subject: str
    name: str | None
    zone: str
    since_us: int
    id: str
    read_point: str | None = None


class Passed(msgspec.Struct, frozen=True):
    """Something that passed through a lane."""

    subject: str
    name: str | None
    at_us: int
    direction: str | None
    id: str


Ask = Callable[[], Iterable[Thing]]
"""What the event journal knows, newest first; it may block, and raise OSError or ValueError."""


class Presence:
    """Rows by place: `count`, and `last`, what came or went last.

    Args:
        ask: asks the event journal; None where there is none.
        clock: seconds, monotonic.

    Attributes:
        refused: things that did not fit.
        unanswered: why the event journal could not be asked last time; None when it could.
    """

    def __init__(self, ask: Ask | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.refused = 0
        self.unanswered: str | None = None
        self._ask, self._clock = ask, clock
        self._things: dict[str, Thing] = {}
        self._at: dict[str, dict[str, None]] = {}  # subjects by zone, the newest last
        self._passed: dict[str, deque[Passed]] = {}
        self._last: dict[str, dict[str, Any]] = {}
        self._rows = Rows(PLACES_MOST)
        self._changed_s: OrderedDict[str, float] = OrderedDict()  # subjects that events changed, and when
        self._asked_s: float | None = None
        self._ticked_s = clock()
        self._answer: tuple[float, list[Thing]] | None = None
        self._is_asking = False

    def take(self, heard: Heard) -> None:
        """Take an event; a tick looks whether the journal is to be asked."""
        if isinstance(heard, Event):
            if heard.type == PASSAGE:
                self._passage(heard)
            elif heard.zone is not None and (heard.type in ARRIVALS or heard.type == DEPARTED):
                self._presence(heard, heard.zone)
        elif isinstance(heard, TickBatch):
            self._tick()

    def follow(self, query: Mapping[str, str]) -> Cursor:
        """All places where something is, was or passed."""
        del query
        return self._rows.follow()

    def whole(self) -> dict[str, dict[str, Any]]:
        """All rows, by place."""
        return dict(self._rows.items())

    def where(self, subject: str) -> Thing | None:
        """Where a thing is now; None when it is in no zone."""
        return self._things.get(subject)

    def at(self, place: str, most: int) -> list[Thing]:
        """What is in a zone, newest first."""
        return [self._things[subject] for subject in islice(reversed(self._at.get(place, {})), most)]

    def count(self, place: str) -> int:
        """How many things are in a zone."""
        return len(self._at.get(place, ()))

    def passed(self, place: str) -> list[Passed]:
        """What passed through a lane of late, newest first."""
        return list(reversed(self._passed.get(place, ())))

    def begin(self) -> None:
        """Ask the journal now, and wait for it: before the first page is served."""
        if self._ask is not None:
            self._asked_s = self._clock()
            self._question(self._ask)
            self._reconcile()

    def _presence(self, event: Event, zone: str) -> None:
        known = self._things.get(event.subject)
        if known is not None and event.at_us < known.since_us:
            return  # of a backlog; we know better
        self._note_change(event.subject)
        if event.type == DEPARTED:
            if known is not None and known.zone == zone:
                self._drop(known)
        else:
            self._put(Thing(event.subject, event.name, zone, event.at_us, event.id, event.read_point))
        last = self._last.get(zone)
        if last is None or last["at_us"] <= event.at_us:
            self._note_last(zone, event)
        self._show(zone)

    def _passage(self, event: Event) -> None:
        lane = event.zone
        if lane is None or (lane not in self._passed and len(self._passed) >= PLACES_MOST):
            return
        passed = Passed(event.subject, event.name, event.at_us, event.direction, event.id)
        self._passed.setdefault(lane, deque(maxlen=PASSED_MOST)).append(passed)
        self._note_last(lane, event)
        self._show(lane)

    def _note_last(self, place: str, event: Event) -> None:
        if place in self._last or len(self._last) < PLACES_MOST:
            self._last[place] = {
                "type": event.type,
                "subject": event.subject,
                "name": event.name,
                "direction": event.direction,
                "at_us": event.at_us,
                "id": event.id,
            }

    def _put(self, thing: Thing) -> None:
        known = self._things.get(thing.subject)
        if known is not None:
            self._drop(known)
        elif len(self._things) >= THINGS_MOST or (thing.zone not in self._at and len(self._at) >= PLACES_MOST):
            self.refused += 1
            return
        self._things[thing.subject] = thing
        self._at.setdefault(thing.zone, {})[thing.subject] = None

    def _drop(self, thing: Thing) -> None:
        del self._things[thing.subject]
        subjects = self._at[thing.zone]
        del subjects[thing.subject]
        if not subjects:
            del self._at[thing.zone]
        self._show(thing.zone)

    def _show(self, place: str) -> None:
        row = {"count": self.count(place), "passed": len(self._passed.get(place, ())), "last": self._last.get(place)}
        if self._rows.get(place) != row:
            self._rows.put(place, row)

    def _note_change(self, subject: str) -> None:
        self._changed_s[subject] = self._clock()
        self._changed_s.move_to_end(subject)
        if len(self._changed_s) > CHANGED_MOST:
            self._changed_s.popitem(last=False)

    def _tick(self) -> None:
        now_s = self._clock()
        was_away = now_s - self._ticked_s > ASK_AFTER_SILENCE_S
        self._ticked_s = now_s
        self._reconcile()
        if self._ask is None or self._is_asking:
            return
        if self._asked_s is None or was_away or now_s - self._asked_s >= ASK_EVERY_S:
            self._asked_s, self._is_asking = now_s, True
            threading.Thread(target=self._question, args=(self._ask,), name="presence", daemon=True).start()

    def _question(self, ask: Ask) -> None:
        """Runs in a thread: leaves its answer for the next tick."""
        asked_s = self._clock()
        try:
            self._answer = (asked_s, list(islice(ask(), THINGS_MOST)))
            self.unanswered = None
        except (OSError, ValueError) as error:
            self.unanswered = str(error)
        finally:
            self._is_asking = False

    def _reconcile(self) -> None:
        """What the journal says holds, but for things that events have changed since, or just before."""
        if self._answer is None:
            return
        asked_s, found = self._answer
        self._answer = None
        changed = set(_newer(self._changed_s, asked_s - JOURNAL_LAG_S))
        wanted = {thing.subject: thing for thing in found if thing.subject not in changed}
        for thing in list(self._things.values()):
            if thing.subject not in changed and thing.subject not in wanted:
                self._drop(thing)
        for thing in reversed(wanted.values()):
            if self._things.get(thing.subject) != thing:
                self._put(thing)
                self._show(thing.zone)
        self._changed_s = OrderedDict(
            (subject, self._changed_s[subject]) for subject in self._changed_s if subject in changed
        )


def _newer(changed_s: OrderedDict[str, float], than_s: float) -> Iterator[str]:
    for subject in reversed(changed_s):
        if changed_s[subject] < than_s:
            return
        yield subject
