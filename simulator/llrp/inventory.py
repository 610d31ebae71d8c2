"""The reader's inventory engine: runs ROSpecs against the radio, in time slices, without any clock of its own.

`advance(until_us)` plays everything that happened since the last call, so a reader whose client is away costs nothing
until somebody asks. Times are the world's; what leaves in reports is on the reader's clock.

Source: LLRP 1.0.1 sections 6.2 and 10. An Immediate ROSpec that ended by itself starts again, as its state figure says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from simulator.device import Radio, Sighting, TagMemory, WritableRadio
from simulator.llrp.accessspecs import AccessSpecs, Work
from simulator.llrp.codec import Node, RefusedError, Status, node
from simulator.llrp.configuration import Configuration, Event
from simulator.llrp.identities import Identity
from simulator.llrp.reports import AT_END_OF_AISPEC, Collector, Content, Source, Trigger
from simulator.llrp.rospecs import AntennaInventory, Level, RoSpec, Start, State, read_rospec
from simulator.llrp.selects import filters_of, is_selected
from simulator.llrp.tagmemory import of_sighting

ALL: Final = 0
_STARTED, _ENDED, _PREEMPTED = 0, 1, 2
_END_OF_AISPEC: Final = 0
_NEVER_US: Final = 1 << 62


@runtime_checkable
class BulkRadio(Protocol):
    """A radio for load tests that writes the records of its reads itself."""

    def records(
        self, content: Content, source: Source, every_n: int, antenna_port: int, start_us: int, until_us: int
    ) -> list[tuple[bytes, int]]:
        """Reports from `start_us` up to before `until_us`, reader's clock: (TagReportData bytes, number of reads)."""


@dataclass(slots=True)
class _Run:
    """Where the active ROSpec is."""

    spec: RoSpec
    end_us: int
    report_due_us: int
    part: int = 0
    rounds_done: int = 0
    part_end_us: int = 0
    slice_end_us: int = 0
    seen: set[bytes] = field(default_factory=set)

    @property
    def inventory(self) -> AntennaInventory:
        return self.spec.parts[self.part]

    @property
    def antenna_port(self) -> int:
        ports = self.inventory.antenna_ports
        return ports[self.spec.turn % len(ports)]


class Inventory:
    """All ROSpecs of one reader.

    Attributes:
        access: its AccessSpecs.
        on_report: takes (TagReportData bytes, number of air reads).
        on_event: takes the kind, its parameter and the world's time.
        at_us: up to when the world has been heard.
        reads_heard: air reads so far.
    """

    def __init__(
        self,
        identity: Identity,
        radio: Radio,
        configuration: Configuration,
        on_report: Callable[[bytes, int], None],
        on_event: Callable[[Event, Node, int], None],
    ) -> None:
        self._identity = identity
        self._radio = radio
        self._bulk = radio if isinstance(radio, BulkRadio) else None
        self._writable = radio if isinstance(radio, WritableRadio) else None
        self._configuration = configuration
        self._on_report = on_report
        self._on_event = on_event
        self._run: _Run | None = None
        self.specs: dict[int, RoSpec] = {}
        self.access = AccessSpecs(identity)
        self.at_us = 0
        self.clock_offset_us = 0
        self.reads_heard = 0
        self.reads_lost = 0

    @property
    def running(self) -> bool:
        """Whether the radio is on."""
        return self._run is not None

    @property
    def waits_for_input(self) -> bool:
        """Whether the next change of an input may switch the radio on."""
        return any(spec.state is State.INACTIVE and spec.start_level is not None for spec in self.specs.values())

    @property
    def reads_gathered(self) -> int:
        """Air reads that no report holds yet."""
        return sum(spec.collector.reads for spec in self.specs.values())

    def next_start_us(self) -> int | None:
        """When the next periodic ROSpec starts; None for never."""
        due = [
            spec.next_start_us
            for spec in self.specs.values()
            if spec.state is State.INACTIVE and spec.next_start_us is not None
        ]
        return min(due, default=None)

    # -- requests ------------------------------------------------------------------------------------------------------

    def add(self, tree: Node, *, extensions: bool) -> None:
        """ADD_ROSPEC.

        Raises:
            RefusedError: as for every request here, when the reader does not do it.
        """
        spec_id = tree.number("ROSpecID")
        if spec_id in self.specs:
            text = f"ROSpecID {spec_id} exists already; delete it first"
            raise RefusedError(Status.A_INVALID, text, ("ROSpec",), "ROSpecID")
        if len(self.specs) >= self._identity.max_rospecs:
            text = f"{len(self.specs)} ROSpecs are there: allowed are {self._identity.max_rospecs}; delete one first"
            raise RefusedError(Status.P_OVERFLOW_PARAMETER, text, ("ROSpec",))
        spec = read_rospec(self._identity, tree, self._configuration.report_spec, self.at_us, extensions=extensions)
        self.specs[spec_id] = spec

    def delete(self, spec_id: int) -> None:
        """DELETE_ROSPEC; what was gathered is reported first, 0 means all."""
        for spec in self._chosen(spec_id):
            if spec.state is State.ACTIVE:
                self._end(_ENDED)
            self._report(spec.collector)
            del self.specs[spec.rospec_id]

    def enable(self, spec_id: int) -> None:
        """ENABLE_ROSPEC; harmless when it is enabled, 0 means all."""
        for spec in self._chosen(spec_id):
            if spec.state is State.DISABLED:
                spec.state = State.INACTIVE
                if spec.start is Start.IMMEDIATE:
                    self._begin(spec)
                elif spec.start is Start.PERIODIC:
                    spec.next_start_us = _next_start(spec, self.at_us)

    def disable(self, spec_id: int) -> None:
        """DISABLE_ROSPEC; harmless when it is disabled, 0 means all."""
        for spec in self._chosen(spec_id):
            if spec.state is State.ACTIVE:
                self._end(_ENDED)
            spec.state = State.DISABLED
            spec.next_start_us = None

    def start(self, spec_id: int) -> None:
        """START_ROSPEC."""
        spec = self._single(spec_id)
        if spec.state is State.DISABLED:
            text = f"ROSpec {spec_id} is disabled; enable it before it can start"
            raise RefusedError(Status.A_INVALID, text, (), "ROSpecID")
        if spec.state is State.INACTIVE and not self._begin(spec):
            text = f"ROSpec {spec_id} cannot start: another one of the same or a higher priority is active"
            raise RefusedError(Status.R_DEVICE_ERROR, text)

    def stop(self, spec_id: int) -> None:
        """STOP_ROSPEC; harmless when it is inactive."""
        spec = self._single(spec_id)
        if spec.state is State.DISABLED:
            raise RefusedError(Status.A_INVALID, f"ROSpec {spec_id} is disabled", (), "ROSpecID")
        if spec.state is State.ACTIVE:
            self._end(_ENDED)

    def poll(self) -> None:
        """GET_REPORT: report everything gathered, whatever the triggers say."""
        for spec in self.specs.values():
            self._report(spec.collector)

    def gpi_changed(self, gpi_port: int, *, is_high: bool) -> None:
        """An enabled input has a new level: ROSpecs that wait for it start or stop."""
        level = Level(gpi_port, is_high)
        if self._run is not None and self._run.spec.stop_level == level:
            self._end(_ENDED)
        for spec in self.specs.values():
            if spec.state is State.INACTIVE and spec.start_level == level:
                self._begin(spec)

    def _chosen(self, spec_id: int) -> list[RoSpec]:
        return list(self.specs.values()) if spec_id == ALL else [self._single(spec_id)]

    def _single(self, spec_id: int) -> RoSpec:
        spec = self.specs.get(spec_id)
        if spec is None:
            known = ", ".join(map(str, self.specs)) or "none"
            raise RefusedError(Status.A_INVALID, f"ROSpec {spec_id} does not exist; there are: {known}", (), "ROSpecID")
        return spec

    # -- time ----------------------------------------------------------------------------------------------------------

    def advance(self, until_us: int) -> None:
        """Let time pass up to `until_us`; harmless when that is already past."""
        while self.at_us < until_us:
            if self._run is None:
                start_us = self.next_start_us()
                if start_us is None or start_us > until_us:
                    self.at_us = until_us
                    return
                self.at_us = max(self.at_us, start_us)
                self._begin(next(spec for spec in self.specs.values() if spec.next_start_us == start_us))
            else:
                self._slice(self._run, until_us)

    def _slice(self, run: _Run, until_us: int) -> None:
        end_us = min(until_us, run.slice_end_us, run.part_end_us, run.end_us, run.report_due_us)
        if self._configuration.antenna_connected[run.antenna_port]:
            self._listen(run, end_us)
        self.at_us = end_us
        if end_us >= run.report_due_us:
            self._report(run.spec.collector)
            run.report_due_us = _report_due(run.spec, end_us)
        if end_us >= run.end_us:
            self._finish()
            return
        wanted = run.inventory.stop_after_tags
        if end_us >= run.part_end_us or (wanted is not None and len(run.seen) >= wanted):
            self._next_part(run)
        elif end_us >= run.slice_end_us:
            self._next_turn(run)
            run.slice_end_us = end_us + self._identity.dwell_us

    def _listen(self, run: _Run, end_us: int) -> None:
        collector, port = run.spec.collector, run.antenna_port
        source = Source(run.spec.rospec_id, run.inventory.index, run.inventory.inventory_spec_id)
        if self._bulk is not None:
            offset = self.clock_offset_us
            due = self._bulk.records(
                collector.content, source, collector.every_n, port, self.at_us + offset, end_us + offset
            )
            self.reads_heard += sum(reads for _, reads in due)
        else:
            heard = self._radio.heard(port, self.at_us, end_us)
            if filters := filters_of(run.inventory.tree, port):
                heard = [each for each in heard if is_selected(filters, self._shown(each))]
            if not heard:
                return
            self.reads_heard += len(heard)
            if run.inventory.stop_after_tags is not None:
                run.seen.update(sighting.epc for sighting in heard)
            lost = collector.lost_reads
            work = [self._work(run, each) for each in heard] if self.access.any_active else []
            done = [(each.spec_id, each.results) if each else (0, b"") for each in work]
            due = collector.add(heard, source, self.clock_offset_us, done)
            if any(each and each.is_due for each in work):
                due += collector.flush()
            self.reads_lost += collector.lost_reads - lost
        for records, reads in due:
            self._on_report(records, reads)

    def _shown(self, sighting: Sighting) -> TagMemory:
        """What a tag shows when it is singulated."""
        memory = self._writable.memory(sighting.epc) if self._writable else None
        return memory or of_sighting(sighting)

    def _work(self, run: _Run, sighting: Sighting) -> Work | None:
        """Let the AccessSpecs work on a tag; a radio that knows memories may say that it has gone."""
        shown = self._shown(sighting)
        memory = self._writable.memory(sighting.epc) if self._writable else shown
        return self.access.work(run.spec.rospec_id, sighting.antenna_port, shown, memory)

    def _begin(self, spec: RoSpec) -> bool:
        """Make a ROSpec active; False when another one of its priority or above is."""
        if spec.next_start_us is not None:
            spec.next_start_us = _next_start(spec, self.at_us + 1)
        if self._run is not None:
            if self._run.spec.priority <= spec.priority:
                return False
            self._end(_PREEMPTED, by=spec.rospec_id)
        spec.state = State.ACTIVE
        end_us = _NEVER_US if spec.duration_us is None else self.at_us + spec.duration_us
        self._run = _Run(spec, end_us, _report_due(spec, self.at_us))
        self._rospec_event(_STARTED, spec)
        self._begin_part(self._run)
        return True

    def _begin_part(self, run: _Run) -> None:
        run.part_end_us = _NEVER_US if run.inventory.duration_us is None else self.at_us + run.inventory.duration_us
        run.slice_end_us = self.at_us + self._identity.dwell_us
        run.seen.clear()
        self._next_turn(run)

    def _next_turn(self, run: _Run) -> None:
        """On to the next antenna in turn that is connected; to the very next one when none is."""
        ports, spec = run.inventory.antenna_ports, run.spec
        connected = self._configuration.antenna_connected
        turns = range(spec.turn + 1, spec.turn + 1 + len(ports))
        spec.turn = next((each for each in turns if connected[ports[each % len(ports)]]), spec.turn + 1)

    def _next_part(self, run: _Run) -> None:
        self._end_part(run)
        if run.part + 1 < len(run.spec.parts):
            run.part += 1
        else:
            run.rounds_done += 1
            if run.spec.rounds is not None and run.rounds_done >= run.spec.rounds:
                self._finish(part_ended=True)
                return
            run.part = 0
        self._begin_part(run)

    def _end_part(self, run: _Run) -> None:
        if run.spec.collector.trigger in AT_END_OF_AISPEC:
            self._report(run.spec.collector)
        if self._configuration.events[Event.AISPEC]:
            event = node(
                "AISpecEvent", EventType=_END_OF_AISPEC, ROSpecID=run.spec.rospec_id, SpecIndex=run.inventory.index
            )
            self._on_event(Event.AISPEC, event, self.at_us)

    def _finish(self, *, part_ended: bool = False) -> None:
        """The active ROSpec came to its end by itself; an immediate one goes on."""
        assert self._run is not None
        spec = self._run.spec
        self._end(_ENDED, part_ended=part_ended)
        if spec.start is Start.IMMEDIATE:
            self._begin(spec)

    def _end(self, how: int, *, by: int = 0, part_ended: bool = False) -> None:
        run = self._run
        assert run is not None
        if not part_ended:
            self._end_part(run)
        self._run = None
        run.spec.state = State.INACTIVE
        if run.spec.collector.trigger is not Trigger.NONE:
            self._report(run.spec.collector)
        self._rospec_event(how, run.spec, by)

    def _rospec_event(self, kind: int, spec: RoSpec, by: int = 0) -> None:
        if self._configuration.events[Event.ROSPEC]:
            event = node("ROSpecEvent", EventType=kind, ROSpecID=spec.rospec_id, PreemptingROSpecID=by)
            self._on_event(Event.ROSPEC, event, self.at_us)

    def _report(self, collector: Collector) -> None:
        for records, reads in collector.flush():
            self._on_report(records, reads)


def _report_due(spec: RoSpec, since_us: int) -> int:
    period_us = spec.collector.period_us
    return _NEVER_US if period_us is None else since_us + period_us


def _next_start(spec: RoSpec, after_us: int) -> int | None:
    """The first start of a periodic ROSpec at or after `after_us`; a one-shot that is past never starts again."""
    if spec.first_start_us >= after_us:
        return spec.first_start_us
    if spec.period_us == 0:
        return None
    missed = -((spec.first_start_us - after_us) // spec.period_us)
    return spec.first_start_us + missed * spec.period_us
