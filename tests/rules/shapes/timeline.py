"""Reads on a line of time, as one gateway brings them: for the tests that compare a rule with a plain model of it.

Times are whole milliseconds after `START_US`. The gateway ticks every second, at the half second. What it brings too
late, cannot watch or is dead in, is part of the input; nothing here looks at what the engine does.
"""

from __future__ import annotations

import bisect
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gateway.config.models import SiteFile
from gateway.contract.batches import Batch, ReadBatch, TagRead, TickBatch
from gateway.contract.events import Alarm, Event
from rules.engine import Engine
from rules.outputs import Outputs
from tests.rules.play import START_US
from tests.rules.things.registries import NOTHING

LATENESS_MS = 500


@dataclass(frozen=True)
class Heard:
    """One read: when the tag was seen, and how much later the gateway heard of it."""

    at_ms: int
    key: str = "AA00"
    point: str = "p"
    rssi_dbm: float | None = None
    antenna_port: int = 1
    delay_ms: int = 0


@dataclass
class Line:
    """What one gateway hears until `end_ms`.

    Attributes:
        dark: times in which it watches nothing; dead: in which it says nothing, and hears nothing either.
    """

    heard: list[Heard]
    end_ms: int
    dark: list[tuple[int, int]] = field(default_factory=list)
    dead: list[tuple[int, int]] = field(default_factory=list)
    points: tuple[str, ...] = ("p",)
    rng: random.Random = field(default_factory=random.Random)

    def batches(self) -> list[Batch]:
        """The batches; reads that arrive one after the other are in one batch or in several, as chance will have it."""
        times = {500 + 1000 * second for second in range(self.end_ms // 1000)} | {self.end_ms}
        times |= {at_ms for span in (*self.dark, *self.dead) for at_ms in span}
        arrivals: list[tuple[int, int, Heard | None]] = [(0, -1, None), *((at_ms, 1, None) for at_ms in sorted(times))]
        arrivals += [(heard.at_ms + heard.delay_ms, 0, heard) for heard in self.heard]
        found: list[Batch] = []
        for at_ms, _, heard in sorted(arrivals, key=lambda arrival: arrival[:2]):
            if any(from_ms < at_ms < to_ms for from_ms, to_ms in self.dead):
                continue
            last = found[-1] if found else None
            if heard is None:
                is_dark = any(from_ms <= at_ms < to_ms for from_ms, to_ms in self.dark)
                found.append(TickBatch(**_head(len(found), at_ms), watched=[] if is_dark else list(self.points)))
                continue
            row = TagRead(heard.key, heard.antenna_port, heard.point, _us(heard.at_ms), heard.rssi_dbm)
            if isinstance(last, ReadBatch) and last.received_at_us == _us(at_ms) and self.rng.random() < 0.5:
                last.reads.append(row)
            else:
                found.append(ReadBatch(**_head(len(found), at_ms), reads=[row]))
        return found

    def moments(self) -> list[tuple[int, Heard]]:
        """The reads in the order in which they count, with the moment of each: its own time, if it came in time."""
        found: list[tuple[int, int, int, Heard]] = []
        reached_ms = clock_ms = -LATENESS_MS
        order = {_row(heard): heard for heard in self.heard}
        batches = self.batches()
        clocks_ms = [(batch.received_at_us - START_US) // 1000 for batch in batches]
        for index, batch in enumerate(batches):
            at_ms = (batch.received_at_us - START_US) // 1000
            reached_ms, clock_ms = max(reached_ms, clock_ms - LATENESS_MS), at_ms
            if isinstance(batch, ReadBatch):
                for row in batch.reads:
                    seen_ms = (row.seen_at_us - START_US) // 1000
                    heard = order[(row.epc, row.read_point, seen_ms, row.antenna_port, row.rssi_dbm)]
                    step = max(index, bisect.bisect_left(clocks_ms, seen_ms + LATENESS_MS))
                    found.append((max(seen_ms, reached_ms), step, seen_ms, heard))
        return [(moment_ms, heard) for moment_ms, _, _, heard in sorted(found, key=lambda each: each[:3])]

    def counted_ms(self, from_ms: int, to_ms: int) -> int:
        """How much of a time was watched."""
        total_ms, reached_ms = max(to_ms - from_ms, 0), from_ms
        for a_ms, b_ms in sorted((*self.dark, *self.dead)):
            begin_ms, end_ms = max(a_ms, reached_ms), min(b_ms, to_ms)
            if begin_ms < end_ms:
                total_ms, reached_ms = total_ms - (end_ms - begin_ms), end_ms
        return total_ms


def _row(heard: Heard) -> tuple[object, ...]:
    return heard.key, heard.point, heard.at_ms, heard.antenna_port, heard.rssi_dbm


def _us(at_ms: int) -> int:
    return START_US + at_ms * 1000


def _head(index: int, at_ms: int) -> dict[str, Any]:
    return {
        "gateway": "edge-1",
        "epoch": 7,
        "sequence": index + 1,
        "ordinal": 0,
        "device": "reader-1",
        "received_at_us": _us(at_ms),
    }


def ms(at_us: int) -> int:
    """A time of an event or alarm."""
    return (at_us - START_US) // 1000


def judged(file: SiteFile, batches: Iterable[Batch], restarts: random.Random | None = None) -> list[Outputs]:
    """What comes out; with `restarts`, of an engine that is committed and started anew now and then."""
    engine, stored, outputs = Engine(file, NOTHING), dict[str, bytes](), []
    for batch in batches:
        outputs.append(engine.step(batch))
        if restarts is not None and restarts.random() < 0.3:
            for key, value in engine.changes():
                if value is None:
                    stored.pop(key, None)
                else:
                    stored[key] = value
            engine = Engine(file, NOTHING)
            entries = list(stored.items())
            restarts.shuffle(entries)
            engine.restore(entries)
    return outputs


def frozen(outputs: Iterable[Outputs]) -> list[bytes]:
    """Everything that a rule makes, to the byte."""
    return [msgspec.json.encode([one.events, one.alarms]) for one in outputs]


def events(outputs: Iterable[Outputs], rule: str) -> list[Event]:
    """The events of a rule."""
    return [event for one in outputs for event in one.events if event.rule == rule]


def alarms(outputs: Iterable[Outputs], rule: str) -> list[Alarm]:
    """The alarms of a rule, raised and cleared."""
    return [alarm for one in outputs for alarm in one.alarms if alarm.rule == rule]
