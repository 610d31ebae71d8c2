"""A hall with one warping machine and its meter, heard by a gateway that loses it now and then. The truth is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

import msgspec

from gateway.config.machines import Production
from gateway.config.models import Site, SiteFile
from gateway.contract.batches import Batch, Reading, ReadingBatch, Signal, SignalBatch, StatusBatch, TickBatch
from gateway.contract.events import Event
from rules.engine import Engine
from rules.outputs import Point
from simulator.world.warping import Habits, WarpingMachine
from tests.rules.things.registries import NOTHING

START_US = 1_782_082_800_000_000  # 2026-06-22, a Monday, 07:00 in Shanghai
S = 1_000_000

SHIFTS: dict[str, Any] = {
    "name": "two",
    "shift": [
        {"name": "early", "begin": "06:00", "end": "10:00", "breaks": ["08:00-08:15"]},
        {"name": "late", "begin": "10:00", "end": "18:00"},
    ],
}
MACHINE: dict[str, Any] = {
    "name": "warper",
    "device": "plc-1",
    "unit": "m",
    "ideal_rate_per_min": 600,
    "meter": "meter-1",
    "calendar": "two",
}


def site(**machine: Any) -> SiteFile:
    production = {
        "timezone": "Asia/Shanghai",
        "machine": [{key: value for key, value in (MACHINE | machine).items() if value is not None}],
        "calendar": [SHIFTS],
    }
    return SiteFile(site=Site(name="mill"), production=Production.model_validate(production))


class Span(NamedTuple):
    """A time in which the machine was really watched, without a break."""

    from_us: int
    to_us: int


@dataclass
class Hall:
    """Batches of some hours, and what was true in them."""

    seed: int
    seconds: int
    troubles: float = 1.0
    machine: WarpingMachine = field(init=False)
    spans: list[Span] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        habits = Habits(break_after_s=120, beam_m=4_000, fault_after_s=3_000, repair_s=(60.0, 400.0))
        self.machine = WarpingMachine(self.seed, START_US, habits)

    def batches(self) -> Iterator[Batch]:
        rng = Random(self.seed + 1)
        machine, sequence = self.machine, 0
        is_linked, link_changes_at, silent_until = False, 3, 0
        last_us, told = 0, 1  # last instant at which the gateway spoke; spells told
        for second in range(self.seconds):
            if second < silent_until:
                continue
            now_us = START_US + second * S
            found: list[tuple[int, Batch]] = []
            machine.advance(now_us)
            if is_linked and last_us and now_us - last_us <= 3 * S:
                self.spans.append(Span(last_us, now_us))
                fresh = machine.truth[told:]
                found += [(each.from_us, self._signals(each.from_us, each.state, each.reason)) for each in fresh]
            elif is_linked and last_us:  # a gateway that was away tells everything anew
                found.append((now_us, self._signals(now_us, machine.state, machine.reason)))
            told = len(machine.truth)
            if second >= link_changes_at:
                is_linked = not is_linked
                link_changes_at = second + (rng.randint(60, 1500) if is_linked else rng.randint(2, 400))
                link_changes_at += 0 if self.troubles else self.seconds
                found.append((now_us, self._status(now_us, is_linked=is_linked)))
                if is_linked:
                    found.append((now_us, self._signals(now_us, machine.state, machine.reason)))
            if is_linked and second % 5 == 0:
                found.append((now_us, self._counts(now_us)))
            if second % 15 == 7:
                value = Decimal(machine.energy_wh)
                reading = Reading("active_energy_import", "1-0:1.8.0*255", value, "Wh")
                found.append((now_us, ReadingBatch(**self._head(now_us, "meter-1"), readings=[reading])))
            found.append((now_us, TickBatch(**self._head(now_us, "edge-1"), watched=["plc-1"] if is_linked else [])))
            for _, batch in sorted(found, key=lambda pair: pair[0]):
                sequence += 1
                batch.sequence = sequence
                yield batch
            last_us = now_us
            if self.troubles and rng.random() < 0.001 * self.troubles:
                silent_until = second + rng.randint(4, 3_000)

    def truth_us(self, from_us: int, to_us: int) -> dict[str, int]:
        """Time by state while it was watched."""
        found: dict[str, int] = {}
        for span in self.spans:
            start_us, end_us = max(span.from_us, from_us), min(span.to_us, to_us)
            if end_us > start_us:
                for state, us in self.machine.time_in_us(start_us, end_us).items():
                    found[state.value] = found.get(state.value, 0) + us
        return found

    def _signals(self, at_us: int, state: str, reason: str) -> SignalBatch:
        signals = [Signal("machine_state", str(state)), Signal("stop_reason", str(reason))]
        return SignalBatch(**self._head(at_us, "plc-1"), signals=signals)

    def _counts(self, at_us: int) -> SignalBatch:
        machine = self.machine
        signals = [
            Signal("total_count", str(machine.total_m), "m"),
            Signal("bad_count", str(machine.bad_m), "m"),
        ]
        return SignalBatch(**self._head(at_us, "plc-1"), signals=signals)

    def _status(self, at_us: int, *, is_linked: bool) -> StatusBatch:
        return StatusBatch(
            **self._head(at_us, "plc-1"),
            state="online" if is_linked else "offline",
            reason="ok" if is_linked else "link",
            since_us=at_us,
            watched=["plc-1"] if is_linked else [],
        )

    def _head(self, at_us: int, device: str) -> dict[str, Any]:
        return {"gateway": "edge-1", "epoch": 7, "device": device, "received_at_us": at_us}


class Keeper:
    """An engine with its snapshot, and what it has said."""

    def __init__(self, file: SiteFile) -> None:
        self.file = file
        self.engine = Engine(file, NOTHING)
        self.kept: dict[str, bytes] = {}
        self.points: list[Point] = []
        self.events: list[Event] = []

    def step(self, batch: Batch) -> None:
        outputs = self.engine.step(msgspec.structs.replace(batch))
        self.points += outputs.points
        self.events += outputs.events

    def commit(self) -> None:
        for key, value in self.engine.changes():
            if value is None:
                self.kept.pop(key, None)
            else:
                self.kept[key] = value

    def restart(self, rng: Random, file: SiteFile | None = None) -> None:
        self.file = file or self.file
        self.engine = Engine(self.file, NOTHING)
        entries = list(self.kept.items())
        rng.shuffle(entries)
        self.engine.restore(entries)

    def stored(self, measurement: str = "production", **tags: str) -> list[dict[str, Any]]:
        """What a store holds at the end, with its tags, in the order of time."""
        found: dict[object, dict[str, Any]] = {}
        for point in self.points:
            if point.measurement == measurement and tags.items() <= dict(point.tags).items():
                found[point.tags, point.at_ns] = {**dict(point.tags), **dict(point.fields), "at_ns": point.at_ns}
        return [found[key] for key in sorted(found, key=lambda key: (found[key]["at_ns"], str(key)))]

    def told(self) -> tuple[bytes, bytes]:
        events = [msgspec.structs.replace(event, evidence=None) for event in self.events]
        points = [point for point in self.points if point.measurement in ("production", "machine_stop")]
        return msgspec.json.encode(points), msgspec.json.encode(events)
