"""Portals: lanes that tags pass through. The reads of a tag between two silences are one session over all portals.

The portal that received the most power has the session; what its neighbours caught is a stray and never a passage of
theirs. The direction follows from when the outer and the inner side heard the tag (`rules.presence.direction`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from gateway.config.models import Portal
from rules.presence.direction import Side, judge
from rules.presence.happening import Happening
from rules.presence.reorder import SLICE_US, Cell
from rules.state import Table

HISTORICAL_US: Final = 60_000_000
MOST_POINTS: Final = 16
UNSEQUENCED: Final = 2**62


class Session(msgspec.Struct, array_like=True, gc=False):
    """One tag near the portals.

    Attributes:
        origin_us: the zero of the moments of `outer` and `inner`, which are kept by portal.
        lead: the portal that received most power so far; silent_from: its count of watched slices at the last read.
        is_late: nothing but old reads so far.
        pc_bits, tid: what a reader said of the tag beside its EPC.
    """

    origin_us: int
    last_us: int
    lead: str
    silent_from: int
    outer: dict[str, Side]
    inner: dict[str, Side]
    read_points: list[str]
    sequence_from: int
    sequence_to: int
    is_late: bool
    pc_bits: int | None = None
    tid: str | None = None


class PortalRow(msgspec.Struct, array_like=True):
    """What survives of a portal: the number of slices in which all its read points were watched."""

    watched: int


class Gate:
    """One portal at one gateway."""

    __slots__ = ("close_slices", "least_reads", "name", "points", "watched", "wheel")

    def __init__(self, portal: Portal) -> None:
        self.name = portal.name
        self.points = frozenset(portal.outer) | frozenset(portal.inner)
        self.least_reads = portal.least_reads
        self.close_slices = max(1, -(-round(portal.close_after_s * 1e6) // SLICE_US))
        self.watched = 0
        self.wheel: dict[int, dict[str, None]] = {}

    def enrol(self, silent_from: int, epc: str) -> None:
        """Look at a session again when the portal will have been watched for long enough."""
        self.wheel.setdefault(silent_from + self.close_slices, {})[epc] = None


class Portals:
    """The portals of one gateway."""

    def __init__(self, portals: Iterable[Portal], sessions: Table[Session], own: Table[PortalRow]) -> None:
        self._sessions = sessions
        self._own = own
        self._gates: dict[str, Gate] = {}
        self._by_point: dict[str, tuple[Gate, bool]] = {}
        for portal in portals:
            gate = self._gates[portal.name] = Gate(portal)
            self._own.put(gate.name, PortalRow(0))
            for points, is_outer in ((portal.outer, True), (portal.inner, False)):
                for point in points:
                    self._by_point.setdefault(point, (gate, is_outer))
        self._watched_set: frozenset[str] | None = None
        self._watched: list[Gate] = []
        self.forgotten = 0
        self.strays = 0
        self.lingered = 0

    def restore(self) -> list[str]:
        """Take up the rows that were loaded; tags near a portal that is gone are returned, and forgotten."""
        for name in list(self._own.rows):
            if name in self._gates:
                self._gates[name].watched = self._own.rows[name].watched
            else:
                self._own.drop(name)
        lost = []
        for epc, session in list(self._sessions.rows.items()):
            if session.lead in self._gates:
                self._gates[session.lead].enrol(session.silent_from, epc)
            else:
                self._sessions.drop(epc)
                lost.append(epc)
        return lost

    def sequences_restart(self) -> None:
        """A new epoch: batches are counted anew, older evidence cannot be found by sequence any more."""
        for epc, session in self._sessions.rows.items():
            session.sequence_from, session.sequence_to = UNSEQUENCED, 0
            self._sessions.dirty.add(epc)

    def set_back(self, by_slices: int) -> None:
        """The gateway's clock was set back: all times that are kept move with it."""
        by_us = by_slices * SLICE_US
        for epc, session in self._sessions.rows.items():
            session.origin_us -= by_us
            session.last_us -= by_us
            for side in (*session.outer.values(), *session.inner.values()):
                side.first_us -= by_us
                side.last_us -= by_us
            self._sessions.dirty.add(epc)

    def step(self, index: int, cells: Mapping[str, Mapping[str, Cell]], late: list[tuple[str, str, Cell]]) -> None:
        """Take what was heard in one slice."""
        now_us = (index + 1) * SLICE_US
        for point, epc, cell in late:
            if point in self._by_point:
                self._hear(point, {epc: cell}, now_us)
        for point in sorted(cells):
            if point in self._by_point:
                self._hear(point, cells[point], now_us)

    def pass_time(self, watched: frozenset[str]) -> list[Happening]:
        """A slice has passed in which these read points were watched: which sessions are over?"""
        if watched is not self._watched_set:
            self._watched_set = watched
            self._watched = [gate for gate in self._gates.values() if gate.points <= watched]
        passed: list[Happening] = []
        for gate in self._watched:
            gate.watched += 1
            names = gate.wheel.pop(gate.watched, None)
            if names is not None:
                for epc in names:
                    self._check_closed(gate, epc, passed)
        passed.sort(key=lambda found: (found.at_us, found.epc))
        return passed

    def forget(self, before_us: int) -> None:
        """Forget sessions without a read since, at portals that are not watched."""
        for epc in [epc for epc, session in self._sessions.rows.items() if session.last_us < before_us]:
            self._sessions.drop(epc)
            self.forgotten += 1

    def save(self) -> None:
        """Write down the watched time of the portals."""
        for gate in self._gates.values():
            if self._own.rows[gate.name].watched != gate.watched:
                self._own.put(gate.name, PortalRow(gate.watched))

    def points(self) -> frozenset[str]:
        """Every read point of a portal."""
        return frozenset(self._by_point)

    def open_sessions(self) -> int:
        """Tags near a portal now."""
        return len(self._sessions.rows)

    def _hear(self, point: str, cells: Mapping[str, Cell], now_us: int) -> None:
        sessions, dirty = self._sessions.rows, self._sessions.dirty
        gate, is_outer = self._by_point[point]
        for epc, cell in cells.items():
            session = sessions.get(epc)
            if session is None:
                session = sessions[epc] = Session(
                    cell.first_us, cell.last_us, gate.name, gate.watched, {}, {}, [point],
                    cell.sequence_from, cell.sequence_to, is_late=True, pc_bits=cell.pc_bits,
                )  # fmt: skip
                gate.enrol(gate.watched, epc)
            dirty.add(epc)
            if session.tid is None:
                session.tid = cell.tid
            sides = session.outer if is_outer else session.inner
            side = sides.get(gate.name)
            if side is None:
                side = sides[gate.name] = Side.empty()
            side.add(cell, session.origin_us)
            session.last_us = max(session.last_us, cell.last_us)
            session.sequence_from = min(session.sequence_from, cell.sequence_from)
            session.sequence_to = max(session.sequence_to, cell.sequence_to)
            points = session.read_points
            if points[-1] != point and point not in points and len(points) < MOST_POINTS:
                points.append(point)
            if session.is_late and cell.last_us >= now_us - HISTORICAL_US:
                session.is_late = False
            lead = self._gates[session.lead]
            if lead is not gate and _power(session, gate.name) > _power(session, lead.name):
                lead = gate
                session.lead = gate.name
                gate.enrol(gate.watched, epc)
            session.silent_from = lead.watched

    def _check_closed(self, gate: Gate, epc: str, passed: list[Happening]) -> None:
        session = self._sessions.rows.get(epc)
        if session is None or session.lead != gate.name:
            return
        if session.silent_from + gate.close_slices > gate.watched:
            gate.enrol(session.silent_from, epc)
            return
        self._sessions.drop(epc)
        outer, inner = session.outer.get(gate.name), session.inner.get(gate.name)
        reads = sum(side.reads for side in (outer, inner) if side is not None)
        if reads < gate.least_reads:
            self.strays += 1
            return
        if outer is None or inner is None:
            self.lingered += 1
            return
        verdict = judge(outer, inner)
        if verdict is None:
            self.lingered += 1
            return
        total = sum(_power(session, name) for name in session.outer.keys() | session.inner.keys())
        share = _power(session, gate.name) / total if total else 1.0
        direction: Literal["in", "out"] = "in" if verdict.inwards else "out"
        strongest = [side.strongest_dbm for side in (outer, inner) if side.strongest_dbm is not None]
        points = tuple(point for point in session.read_points if point in gate.points)
        passed.append(
            Happening(
                "passage",
                session.origin_us + round(verdict.crossed_s * 1e6),
                epc,
                gate.name,
                None,
                None,
                direction,
                reads,
                points,
                max(strongest, default=None),
                min(outer.first_us, inner.first_us),
                max(outer.last_us, inner.last_us),
                session.sequence_from,
                session.sequence_to,
                round(share * verdict.certainty, 3),
                session.is_late,
                None,
                session.pc_bits,
                session.tid,
            )
        )


def _power(session: Session, portal: str) -> float:
    outer, inner = session.outer.get(portal), session.inner.get(portal)
    return (0.0 if outer is None else outer.power) + (0.0 if inner is None else inner.power)
