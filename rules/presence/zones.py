"""Zones: who is where. Reads of a tag become `arrived`, `moved` and `departed`, each with its evidence.

A tag is in the zone whose evidence is strongest. Evidence is received power, summed and fading with a half-life of
half the zone's window, so that a zone that falls silent loses the tag and one that hears it better by
`HYSTERESIS_DB` wins it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from gateway.config.models import Zone
from rules.presence.happening import Happening
from rules.presence.reorder import SLICE_US, Cell
from rules.state import Table

HYSTERESIS_DB: Final = 3.0
HISTORICAL_US: Final = 60_000_000
MOST_POINTS: Final = 16
"""Read points named in the evidence of one event at most."""
NOWHERE: Final = ""
UNSEQUENCED: Final = 2**62


class Trace(msgspec.Struct, array_like=True, gc=False):
    """What one zone has heard of a tag.

    Attributes:
        power: summed power, fading; as of `last_us`.
        glimpses: time and air reads of the latest reads, as many as an arrival needs; None once it was believed.
    """

    power: float
    last_us: int
    first_us: int
    reads: int
    strongest_dbm: float | None
    read_points: list[str]
    sequence_from: int
    sequence_to: int
    glimpses: list[tuple[int, int]] | None


class Stay(msgspec.Struct, array_like=True, gc=False):
    """Where a tag is.

    Attributes:
        zone: NOWHERE while it is only glimpsed.
        since_us: when it arrived; last_us: when any zone heard it last.
        silent_from: the zone's count of watched slices when that zone heard it last.
        heard: the slice that was judged when any zone heard it last.
        traces: what each zone heard, by zone.
        is_late: nothing but old reads speaks for it.
        pc_bits, tid: what a reader said of the tag beside its EPC.
    """

    zone: str
    since_us: int
    last_us: int
    silent_from: int
    heard: int
    traces: dict[str, Trace]
    is_late: bool
    pc_bits: int | None = None
    tid: str | None = None


class ZoneRow(msgspec.Struct, array_like=True):
    """What survives of a zone: the number of slices in which all its read points were watched."""

    watched: int
    read_points: list[str]


class Place:
    """One zone at one gateway."""

    __slots__ = ("arrive_reads", "depart_slices", "half_life_us", "name", "points", "watched", "wheel", "window_us")

    def __init__(self, zone: Zone) -> None:
        self.name = zone.name
        self.points = frozenset(zone.read_points)
        self.arrive_reads = zone.arrive_reads
        self.window_us = max(round(zone.arrive_within_s * 1e6), SLICE_US)
        self.half_life_us = self.window_us / 2
        self.depart_slices = max(1, -(-round(zone.depart_after_s * 1e6) // SLICE_US))
        self.watched = 0
        self.wheel: dict[int, dict[str, None]] = {}

    def enrol(self, silent_from: int, epc: str) -> None:
        """Look at a tag again when the zone will have been watched for long enough."""
        self.wheel.setdefault(silent_from + self.depart_slices, {})[epc] = None


class Zones:
    """The zones of one gateway."""

    def __init__(
        self, zones: Iterable[Zone], portal_points: Iterable[str], stays: Table[Stay], own: Table[ZoneRow]
    ) -> None:
        self._stays = stays
        self._own = own
        self._places: dict[str, Place] = {}
        self._by_point: dict[str, Place | None] = dict.fromkeys(portal_points)
        for zone in zones:
            self._add(zone)
        self._glimpsed: dict[int, dict[str, None]] = {}
        self._watched_set: frozenset[str] | None = None
        self._watched: list[Place] = []
        self.forgotten = 0
        self.glimpses = 0

    def restore(self) -> list[str]:
        """Take up the rows that were loaded; tags in a zone that is gone are returned, and forgotten."""
        for name, row in self._own.rows.items():
            if name not in self._places and row.read_points == [name] and name not in self._by_point:
                self._add(_unnamed(name))
            if name in self._places:
                self._places[name].watched = row.watched
        lost = []
        for epc, stay in list(self._stays.rows.items()):
            for name in [name for name in stay.traces if name not in self._places]:
                del stay.traces[name]
            if stay.zone == NOWHERE and stay.traces:
                self._glimpsed.setdefault(stay.heard + self._longest(), {})[epc] = None
            elif stay.zone in self._places:
                self._places[stay.zone].enrol(stay.silent_from, epc)
            else:
                self._stays.drop(epc)
                lost.append(epc)
        for name in [name for name in self._own.rows if name not in self._places]:
            self._own.drop(name)
        return lost

    def sequences_restart(self) -> None:
        """A new epoch: batches are counted anew, older evidence cannot be found by sequence any more."""
        for epc, stay in self._stays.rows.items():
            for trace in stay.traces.values():
                trace.sequence_from, trace.sequence_to = UNSEQUENCED, 0
            self._stays.dirty.add(epc)

    def set_back(self, by_slices: int) -> None:
        """The gateway's clock was set back: all times that are kept move with it."""
        by_us = by_slices * SLICE_US
        self._glimpsed = {index - by_slices: names for index, names in self._glimpsed.items()}
        for epc, stay in self._stays.rows.items():
            stay.since_us -= by_us
            stay.last_us -= by_us
            stay.heard -= by_slices
            for trace in stay.traces.values():
                trace.last_us -= by_us
                trace.first_us -= by_us
                if trace.glimpses is not None:
                    trace.glimpses = [(at_us - by_us, reads) for at_us, reads in trace.glimpses]
            self._stays.dirty.add(epc)

    def step(
        self, index: int, cells: Mapping[str, Mapping[str, Cell]], late: list[tuple[str, str, Cell]]
    ) -> list[Happening]:
        """Judge what was heard in one slice."""
        undecided: set[str] = set()
        for point, epc, cell in late:
            if (place := self._place(point)) is not None:
                self._hear(place, point, {epc: cell}, index, undecided)
        for point in sorted(cells):
            if (place := self._place(point)) is not None:
                self._hear(place, point, cells[point], index, undecided)
        happenings = [found for epc in undecided if (found := self._decide(epc, index)) is not None]
        happenings.sort(key=lambda found: (found.at_us, found.epc))
        return happenings

    def pass_time(self, index: int, watched: frozenset[str]) -> list[Happening]:
        """A slice has passed in which these read points were watched: who has left?"""
        if watched is not self._watched_set:
            self._watched_set = watched
            self._watched = [place for place in self._places.values() if place.points <= watched]
        gone: list[Happening] = []
        for place in self._watched:
            place.watched += 1
            names = place.wheel.pop(place.watched, None)
            if names is not None:
                for epc in names:
                    self._check_departed(place, epc, index, gone)
        glimpsed = self._glimpsed.pop(index, None)
        if glimpsed is not None:
            self._expire(glimpsed, index)
        gone.sort(key=lambda found: (found.at_us, found.epc, found.zone))
        return gone

    def forget(self, before_us: int) -> None:
        """Forget tags that were not seen since, in zones that are not watched."""
        for epc in [epc for epc, stay in self._stays.rows.items() if stay.last_us < before_us]:
            self._stays.drop(epc)
            self.forgotten += 1

    def expire_up_to(self, index: int) -> None:
        """Drop glimpses of a time that was passed over."""
        for past in sorted(past for past in self._glimpsed if past <= index):
            self._expire(self._glimpsed.pop(past), index)

    def save(self) -> None:
        """Write down the watched time of the zones."""
        for place in self._places.values():
            if self._own.rows[place.name].watched != place.watched:
                self._own.put(place.name, ZoneRow(place.watched, sorted(place.points)))

    def present(self) -> int:
        """Tags that are somewhere, or glimpsed."""
        return len(self._stays.rows)

    def _add(self, zone: Zone) -> Place:
        place = self._places[zone.name] = Place(zone)
        for point in zone.read_points:
            self._by_point[point] = place
        self._watched_set = None
        self._own.put(zone.name, ZoneRow(0, sorted(place.points)))
        return place

    def _place(self, point: str) -> Place | None:
        try:
            return self._by_point[point]
        except KeyError:
            return self._add(_unnamed(point))

    def _longest(self) -> int:
        """Slices for which a glimpse can still lead to an arrival."""
        return max((place.window_us for place in self._places.values()), default=SLICE_US) // SLICE_US + 1

    def _hear(self, place: Place, point: str, cells: Mapping[str, Cell], index: int, undecided: set[str]) -> None:
        stays, dirty, name = self._stays.rows, self._stays.dirty, place.name
        half_life_us, watched = place.half_life_us, place.watched
        stale_us = (index + 1) * SLICE_US - HISTORICAL_US
        for epc, cell in cells.items():
            stay = stays.get(epc)
            last_us = cell.last_us
            if stay is None:
                stay = stays[epc] = Stay(NOWHERE, 0, last_us, 0, index, {}, is_late=True, pc_bits=cell.pc_bits)
                self._glimpsed.setdefault(index + self._longest(), {})[epc] = None
            dirty.add(epc)
            if stay.tid is None:
                stay.tid = cell.tid
            stay.heard = index
            stay.last_us = max(stay.last_us, last_us)
            traces = stay.traces
            trace = traces.get(name)
            if trace is None or (stay.zone != name and last_us - trace.last_us > place.window_us):
                trace = traces[name] = Trace(
                    float(cell.power), last_us, cell.first_us, cell.reads, cell.strongest_dbm, [point],
                    cell.sequence_from, cell.sequence_to, [(last_us, cell.reads)],
                )  # fmt: skip
                undecided.add(epc)
                continue
            passed_us = last_us - trace.last_us
            if passed_us > 0:
                trace.power = trace.power * 0.5 ** (passed_us / half_life_us) + cell.power
                trace.last_us = last_us
            elif passed_us > -place.window_us:
                trace.power += cell.power
            trace.reads += cell.reads
            trace.first_us = min(trace.first_us, cell.first_us)
            strongest_dbm = cell.strongest_dbm
            if strongest_dbm is not None and (trace.strongest_dbm is None or strongest_dbm > trace.strongest_dbm):
                trace.strongest_dbm = strongest_dbm
            points = trace.read_points
            if points[-1] != point and point not in points and len(points) < MOST_POINTS:
                points.append(point)
            trace.sequence_from = min(trace.sequence_from, cell.sequence_from)
            trace.sequence_to = max(trace.sequence_to, cell.sequence_to)
            if stay.zone == name:
                stay.silent_from = watched
                if stay.is_late and last_us >= stale_us:
                    stay.is_late = False
                if len(traces) > 1:
                    undecided.add(epc)
            else:
                assert trace.glimpses is not None
                trace.glimpses.append((last_us, cell.reads))
                undecided.add(epc)

    def _decide(self, epc: str, index: int) -> Happening | None:
        stay = self._stays.rows[epc]
        now_us = (index + 1) * SLICE_US
        best: tuple[float, str] | None = None
        total = 0.0
        for name, trace in list(stay.traces.items()):
            place = self._places[name]
            age_us = stay.last_us - trace.last_us
            if age_us > place.window_us:
                if name != stay.zone:
                    del stay.traces[name]
                continue
            level = trace.power * 0.5 ** (age_us / place.half_life_us)
            total += level
            if name == stay.zone:
                level *= 10 ** (HYSTERESIS_DB / 10)
            elif not _is_believed(trace, place):
                continue
            if best is None or (level, name) > best:
                best = (level, name)
        if best is None or best[1] == stay.zone:
            return None
        old, name = stay.zone, best[1]
        place, trace = self._places[name], stay.traces[name]
        before = stay.traces.get(old)
        if before is not None:
            # Heard from now on as a rival: it has to be believed again before it can win the tag back.
            before.glimpses = []
        at_us = trace.glimpses[0][0] if old == NOWHERE and trace.glimpses else trace.last_us
        stay.is_late = trace.last_us < now_us - HISTORICAL_US
        dwell_s = None if old == NOWHERE else max(0, at_us - stay.since_us) / 1e6
        stay.zone, stay.since_us, stay.silent_from = name, at_us, place.watched
        trace.glimpses = None
        place.enrol(place.watched, epc)
        share = round(best[0] / total, 3) if total else 1.0
        return _happening(
            "arrived" if old == NOWHERE else "moved", at_us, epc, stay, trace, old or None, share, dwell_s
        )

    def _check_departed(self, place: Place, epc: str, index: int, gone: list[Happening]) -> None:
        stay = self._stays.rows.get(epc)
        if stay is None or stay.zone != place.name:
            return
        if stay.silent_from + place.depart_slices > place.watched:
            place.enrol(stay.silent_from, epc)
            return
        trace = stay.traces.pop(place.name)
        silent_us = max((index + 1) * SLICE_US - trace.last_us, 1)
        share = round(min(1.0, place.depart_slices * SLICE_US / silent_us), 3)
        dwell_s = max(0, trace.last_us - stay.since_us) / 1e6
        gone.append(_happening("departed", trace.last_us, epc, stay, trace, None, share, dwell_s))
        until = stay.heard + self._longest()
        if stay.traces and until > index:
            stay.zone = NOWHERE
            self._stays.dirty.add(epc)
            self._glimpsed.setdefault(until, {})[epc] = None
        else:
            self._stays.drop(epc)

    def _expire(self, names: Iterable[str], index: int) -> None:
        longest = self._longest()
        for epc in names:
            stay = self._stays.rows.get(epc)
            if stay is None or stay.zone != NOWHERE:
                continue
            until = stay.heard + longest
            if until <= index:
                self._stays.drop(epc)
                self.glimpses += 1
            else:
                self._glimpsed.setdefault(until, {})[epc] = None


def _unnamed(point: str) -> Zone:
    """The zone of a read point that no zone names; built unchecked, since the name may come from another site file."""
    return Zone.model_construct(name=point, read_points=[point])


def _is_believed(trace: Trace, place: Place) -> bool:
    """Whether the latest reads are enough for an arrival; forgets those that are too old to count."""
    glimpses = trace.glimpses
    assert glimpses is not None, "a zone that was believed and lost the tag has to be believed again"
    newest_us = trace.last_us
    glimpses[:] = [glimpse for glimpse in glimpses if newest_us - glimpse[0] <= place.window_us]
    if sum(reads for _, reads in glimpses) < place.arrive_reads:
        return False
    while sum(reads for _, reads in glimpses[1:]) >= place.arrive_reads:
        del glimpses[0]
    return True


def _happening(
    kind: str, at_us: int, epc: str, stay: Stay, trace: Trace, old: str | None, share: float, dwell_s: float | None
) -> Happening:
    return Happening(
        kind, at_us, epc, stay.zone, old, trace.read_points[-1], None, trace.reads, tuple(trace.read_points),
        trace.strongest_dbm, trace.first_us, trace.last_us, trace.sequence_from, trace.sequence_to, share, stay.is_late,
        dwell_s, stay.pc_bits, stay.tid,
    )  # fmt: skip
