"""The raw reads, cards, signals and readings behind an event, from the edge journal of this machine."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from gateway.console.gates.lanes import Lane
from gateway.contract.batches import Batch, CardBatch, ReadBatch, ReadingBatch, SignalBatch, StatusBatch
from gateway.contract.events import Event, Evidence
from gateway.recording import Recording, RecordingError

HEAD_BATCHES: Final = 5_000
TAIL_BATCHES: Final = 15_000
"""Of a longer range the first and the last are looked at: what opened it, and what it ended with."""
READS_MOST: Final = 60_000
READS_SHOWN: Final = 3_000
OTHERS_MOST: Final = 2_000
WITHIN_S: Final = 5.0
TEXT_MOST: Final = 200
_EPC: Final = re.compile(r"(?:[0-9A-F]{4}){1,31}")


class RawRead(msgspec.Struct, frozen=True, omit_defaults=True):
    """A read; where they were too many, the strongest of some of one tag at one antenna, `count` of all of them."""

    at_us: int
    device: str
    antenna_port: int
    read_point: str
    epc: str
    rssi_dbm: float | None
    count: int
    sequence: int


class RawValue(msgspec.Struct, frozen=True, omit_defaults=True):
    """A signal, a state of a device, a card or a reading. `what`: signal, state, card or reading."""

    at_us: int
    what: str
    device: str
    name: str
    value: bool | str | None
    unit: str
    sequence: int


class Raw(msgspec.Struct, frozen=True):
    """What was found.

    Attributes:
        why_none: `no_journal` (none on this machine), `other_gateway`, `trimmed` (it is older than what is kept), or
            empty when there is something.
        batches: how many of the evidence were found and looked at.
        more: `batches` when not all of them were looked at, `reads` when reads were thinned out, `values` when some
            were left out.
    """

    why_none: str
    batches: int
    reads: list[RawRead]
    values: list[RawValue]
    more: list[str]
    damaged: list[str]


class _Heap:
    """Collects what concerns an event."""

    def __init__(self, event: Event, lane: Lane | None) -> None:
        epcs = [str(value) for name, value in event.fields.items() if name.endswith("_epc")]
        self._about = frozenset((event.subject, *epcs))
        is_lane = lane is not None and not lane.is_zone
        points = (*event.evidence.read_points, *(lane.read_points if lane is not None else ()))
        self._points = frozenset(points)
        names_tags = any(_EPC.fullmatch(each) for each in self._about)
        self._all_tags = is_lane or not names_tags  # an event about a truck rests on whatever was read at its points
        self._devices = frozenset(
            each for each in (event.subject, event.device, *(lane.devices if lane is not None else ())) if each
        )
        self._signals = frozenset((each.device, each.signal) for each in (() if lane is None else lane.signals))
        self._shared = frozenset(device for device, _ in self._signals)
        self.reads: list[RawRead] = []
        self.values: list[RawValue] = []
        self.more: dict[str, None] = {}

    def take(self, batch: Batch) -> None:
        if isinstance(batch, ReadBatch):
            self._take_reads(batch)
            return
        for value in self._values_of(batch):
            if len(self.values) >= OTHERS_MOST:
                self.more["values"] = None
                return
            self.values.append(value)

    def _take_reads(self, batch: ReadBatch) -> None:
        for read in batch.reads:
            if read.epc not in self._about and not (self._all_tags and read.read_point in self._points):
                continue
            if len(self.reads) >= READS_MOST:
                self.more["reads"] = None
                return
            self.reads.append(
                RawRead(
                    read.seen_at_us,
                    batch.device,
                    read.antenna_port,
                    read.read_point,
                    read.epc,
                    read.rssi_dbm,
                    read.count,
                    batch.sequence,
                )
            )

    def _values_of(self, batch: Batch) -> Iterator[RawValue]:
        device, sequence, at_us = batch.device, batch.sequence, batch.received_at_us
        if isinstance(batch, CardBatch):
            for card in batch.cards:
                if card.card in self._about or card.read_point in self._points:
                    yield RawValue(card.seen_at_us, "card", device, card.read_point, card.card, "", sequence)
        elif device not in self._devices:
            return
        elif isinstance(batch, SignalBatch):
            for signal in batch.signals:
                if device in self._shared and (device, signal.name) not in self._signals:
                    continue  # of another lane at the same module
                yield RawValue(at_us, "signal", device, signal.name, _short(signal.value), signal.unit or "", sequence)
        elif isinstance(batch, StatusBatch):
            yield RawValue(at_us, "state", device, batch.reason, batch.state, "", sequence)
        elif isinstance(batch, ReadingBatch):
            for each in batch.readings:
                name = f"{each.quantity} {each.phase}" if each.phase else each.quantity
                value = None if each.value is None else str(each.value)
                yield RawValue(at_us, "reading", device, name, value, each.unit, sequence)


def raw_of(
    state: Path, gateway: str, event: Event, lane: Lane | None, now: Callable[[], float] = time.monotonic
) -> Raw:
    """What stands in the batches that the evidence of an event names. `gateway`: that of this machine."""
    try:
        recording = Recording(state)
    except RecordingError:
        return Raw("no_journal", 0, [], [], [], [])
    heap, count, until = _Heap(event, lane), 0, now() + WITHIN_S
    for batch in _batches(recording, event.evidence, heap.more):
        heap.take(batch)
        count += 1
        if now() > until:
            heap.more["batches"] = None
            break
    why = ""
    if not count:
        why = "trimmed" if event.evidence.gateway == gateway else "other_gateway"
    reads = _thinned(heap.reads)
    if len(reads) < len(heap.reads):
        heap.more["reads"] = None
    heap.values.sort(key=lambda value: value.at_us)
    return Raw(why, count, reads, heap.values, list(heap.more), recording.damaged)


def _batches(recording: Recording, evidence: Evidence, more: dict[str, None]) -> Iterator[Batch]:
    first, last = evidence.sequence_from, evidence.sequence_to
    whose = evidence.gateway, evidence.epoch
    if last - first < HEAD_BATCHES + TAIL_BATCHES:
        return recording.of_sequences(*whose, first, last)
    more["batches"] = None
    head = recording.of_sequences(*whose, first, first + HEAD_BATCHES - 1)
    return chain(head, recording.of_sequences(*whose, last - TAIL_BATCHES + 1, last))


def _thinned(reads: list[RawRead]) -> list[RawRead]:
    """At most `READS_SHOWN` and one for each tag at each antenna, by time; see `RawRead`."""
    together = -(-len(reads) // READS_SHOWN)
    if together <= 1:
        return sorted(reads, key=lambda read: read.at_us)
    lanes: dict[tuple[str, int, str], list[RawRead]] = {}
    for read in sorted(reads, key=lambda read: read.at_us):
        lanes.setdefault((read.device, read.antenna_port, read.epc), []).append(read)
    kept = [
        msgspec.structs.replace(max(some, key=_strength), count=sum(read.count for read in some))
        for lane in lanes.values()
        for some in (lane[start : start + together] for start in range(0, len(lane), together))
    ]
    return sorted(kept, key=lambda read: read.at_us)


def _strength(read: RawRead) -> float:
    return float("-inf") if read.rssi_dbm is None else read.rssi_dbm


def _short(value: bool | str) -> bool | str:  # noqa: FBT001  # a signal has either
    return value if isinstance(value, bool) else value[:TEXT_MOST]
