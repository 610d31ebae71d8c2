"""Plays what a test gives to an engine: gateways that tick every second, and speak when the test says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, NamedTuple

from gateway.config.models import SiteFile
from gateway.contract.batches import (
    ITEM_KINDS,
    Batch,
    CardBatch,
    CardRead,
    Condition,
    ReadBatch,
    Reading,
    ReadingBatch,
    Signal,
    SignalBatch,
    StatusBatch,
    TagRead,
    TickBatch,
)
from gateway.contract.events import Alarm, Event
from gateway.contract.quantities import UNITS
from rules.checking.site_names import names_of
from rules.outputs import Outputs
from rules.testing.models import Given, PassageStep, ReadStep
from rules.testing.workbench import Workbench, card_name

TICK_US: Final = 1_000_000
PASSAGE_READS: Final = 8
"""Reads of one passage, half of them on each side."""
_READER: Final = "reader"
_EPOCH: Final = 1


class Made(NamedTuple):
    """An event or alarm that came out; `clock_us`: when the engine told it."""

    clock_us: int
    told: Event | Alarm


@dataclass(slots=True)
class _Gateway:
    """One gateway on its way through a test."""

    name: str
    watched: set[str]
    sequence: int = 0
    ordinals: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ITEM_KINDS, 0))
    clock_us: int = 0
    silent_until_us: int = 0


class _Act(NamedTuple):
    """One moment of the timeline."""

    at_us: int
    order: int
    given: Given


class Player:
    """Plays one timeline; everything that comes out is kept in `made`.

    Args:
        restarts: also restart the rules after everything that is given.
    """

    def __init__(self, bench: Workbench, start_us: int, *, restarts: bool = False) -> None:
        self.made: list[Made] = []
        self.batches: list[Batch] = []
        self._bench = bench
        self._start_us = self._tick_us = start_us
        self._restarts = restarts
        self._names = names_of(bench.site)
        self._points = _points_of(bench.site)
        self._engine = bench.engine()
        self._entries: dict[str, bytes] = {}
        self._gateways: dict[str, _Gateway] = {}

    def play(self, given: Iterable[Given], until_s: float | None) -> None:
        """Play it to its end; `until_s` from the beginning, or 10 s after the last that is given."""
        acts = sorted(self._acts(given))
        self._watch_all(acts)
        last_us = acts[-1].at_us
        end_us = self._us(until_s) if until_s is not None else last_us + 10_000_000
        for act in acts:
            if act.at_us > end_us:
                break
            self._pass_time(act.at_us)
            self._do(act)
            if self._restarts and act.given.restart is None:
                self.restart()
        self._pass_time(end_us + 1)

    def restart(self) -> None:
        """Kill the engine after its last commit, and start another from there."""
        for key, value in self._engine.changes():
            if value is None:
                self._entries.pop(key, None)
            else:
                self._entries[key] = value
        self._engine = self._bench.engine()
        self._engine.restore(list(self._entries.items()))

    def _us(self, at_s: float) -> int:
        return self._start_us + round(at_s * 1e6)

    def _acts(self, given: Iterable[Given]) -> Iterator[_Act]:
        order = 0
        for each in given:
            for at_s, one in _spread(each, self._bench.site):
                order += 1
                yield _Act(self._us(at_s), order, one)

    def _watch_all(self, acts: Iterable[_Act]) -> None:
        """Every gateway of the test watches everything that it, or the site file, speaks of."""
        known = {*self._names.points, *self._names.devices}
        for act in acts:
            known |= set(_spoken_of(act.given))
        for act in acts:
            name = act.given.gateway or self._bench.site.site.gateway
            if name not in self._gateways:
                self._gateways[name] = _Gateway(name, set(known), clock_us=self._start_us - 1)

    def _pass_time(self, until_us: int) -> None:
        """Tick on every whole second before `until_us`."""
        while self._tick_us < until_us:
            at_us, self._tick_us = self._tick_us, self._tick_us + TICK_US
            for gateway in self._gateways.values():
                if gateway.clock_us < at_us and gateway.silent_until_us <= at_us:
                    head = self._head(gateway, at_us, gateway.name)
                    self._give(TickBatch(**head, watched=sorted(gateway.watched)))  # type: ignore[arg-type]  # head holds the fields of the header

    def _do(self, act: _Act) -> None:
        given, at_us = act.given, act.at_us
        gateway = self._gateways[given.gateway or self._bench.site.site.gateway]
        if given.restart is not None:
            self.restart()
        elif given.silent is not None:
            gateway.silent_until_us = at_us + round(given.silent * 1e6)
        elif given.watched is not None or given.unwatched is not None:
            gateway.watched = (gateway.watched if given.watched is None else set(given.watched)) - set(
                given.unwatched or ()
            )
            head = self._head(gateway, at_us, gateway.name)
            self._give(TickBatch(**head, watched=sorted(gateway.watched)))  # type: ignore[arg-type]  # as above
        else:
            batch = self._batch(gateway, given, at_us)
            if given.waited is not None:
                batch.sent_at_us = at_us + round(given.waited * 1e6)
            self._give(batch)

    def _give(self, batch: Batch) -> None:
        self.batches.append(batch)
        outputs: Outputs = self._engine.step(batch)
        self.made += [Made(batch.received_at_us, event) for event in outputs.events]
        self.made += [Made(batch.received_at_us, alarm) for alarm in outputs.alarms]

    def _head(self, gateway: _Gateway, at_us: int, device: str, kind: str = "") -> dict[str, object]:
        gateway.sequence += 1
        gateway.clock_us = max(gateway.clock_us, at_us)
        ordinal = gateway.ordinals.get(kind, 0)
        if kind:
            gateway.ordinals[kind] += 1
        return {
            "gateway": gateway.name,
            "epoch": _EPOCH,
            "sequence": gateway.sequence,
            "ordinal": ordinal,
            "device": device,
            "received_at_us": at_us,
        }

    def _batch(self, gateway: _Gateway, given: Given, at_us: int) -> Batch:  # one branch a kind
        if (read := given.read) is not None:
            device, port = self._points.get(read.point, (_READER, 1))
            seen_us = at_us - round(read.late * 1e6)
            row = TagRead(
                read.epc,
                port,
                read.point,
                seen_us,
                read.rssi_dbm,
                read.count,
                tid=read.tid,
                user_memory=read.user_memory,
            )
            return ReadBatch(**self._head(gateway, at_us, device, "reads"), reads=[row])  # type: ignore[arg-type]  # as above
        if (reading := given.reading) is not None:
            unit = reading.unit or UNITS.get(reading.quantity, "1")
            number = None if reading.value is None else Decimal(str(reading.value))
            value = Reading(
                reading.quantity, reading.obis, number, unit, reading.phase, reading.tariff, reading.quality
            )
            return ReadingBatch(**self._head(gateway, at_us, reading.meter, "readings"), readings=[value])  # type: ignore[arg-type]  # as above
        if (signal := given.signal) is not None:
            told = signal.value if isinstance(signal.value, bool | str) else f"{signal.value:g}"
            one = Signal(signal.name, told, signal.unit)
            return SignalBatch(**self._head(gateway, at_us, signal.device, "signals"), signals=[one])  # type: ignore[arg-type]  # as above
        if (card := given.card) is not None:
            device, port = self._points.get(card.point, (_READER, 1))
            name = card_name(card.card, self._bench.identities)
            technology, part = name.partition("#")[0].partition(":")[0], "whole"
            technology, _, named = technology.partition("~")
            shown = CardRead(name, technology, card.point, port, at_us, named or part)
            return CardBatch(**self._head(gateway, at_us, card.device or device, "cards"), cards=[shown])  # type: ignore[arg-type]  # as above
        status = given.status
        assert status is not None  # the model lets nothing else through
        points = {point for point, (reader, _) in self._points.items() if reader == status.device} | {status.device}
        is_offline = status.state == "offline"
        gateway.watched = gateway.watched - points if is_offline else gateway.watched | points
        stands = [Condition(name, "warning", at_us) for name in status.conditions]
        return StatusBatch(
            **self._head(gateway, at_us, status.device),  # type: ignore[arg-type]  # as above
            state=status.state,
            reason=status.reason,
            since_us=at_us,
            watched=[] if is_offline else sorted(points),
            conditions=stands,
        )


def _points_of(site: SiteFile) -> dict[str, tuple[str, int]]:
    """Reader and antenna port of each read point that the site file names."""
    return {point: (reader.name, port) for reader in site.reader for port, point in reader.read_points.items()}


def _spoken_of(given: Given) -> list[str]:
    """Read points, meters and devices of a step."""
    if given.read is not None:
        return [given.read.point]
    if given.card is not None:
        return [given.card.point, *([given.card.device] if given.card.device else ())]
    if given.reading is not None:
        return [given.reading.meter]
    if given.signal is not None:
        return [given.signal.device]
    return [given.status.device] if given.status is not None else []


def _spread(given: Given, site: SiteFile) -> Iterator[tuple[float, Given]]:
    """A step as single moments: a stay and a passage are many reads."""
    if (stay := given.stay) is not None:
        for number in range(int(stay.length / stay.every) + 1):
            read = ReadStep(epc=stay.epc, point=stay.point, rssi_dbm=stay.rssi_dbm)
            yield given.at + number * stay.every, _read(given, read)
    elif (passage := given.passage) is not None:
        sides = _sides(passage, site)
        for number in range(PASSAGE_READS):
            point = sides[0] if number < PASSAGE_READS // 2 else sides[1]
            at_s = given.at + passage.takes * number / (PASSAGE_READS - 1)
            yield at_s, _read(given, ReadStep(epc=passage.epc, point=point))
    else:
        yield given.at, given


def _read(given: Given, read: ReadStep) -> Given:
    return given.model_copy(update={"stay": None, "passage": None, "read": read})


def _sides(passage: PassageStep, site: SiteFile) -> tuple[str, str]:
    """The read points that see the tag first and last."""
    for portal in site.portal:
        if portal.name == passage.portal:
            outer, inner = portal.outer[0], portal.inner[0]
            return (outer, inner) if passage.direction == "in" else (inner, outer)
    known = ", ".join(portal.name for portal in site.portal) or "none"
    raise LookupError(f"no [[portal]] is named {passage.portal!r}; there are: {known}")
