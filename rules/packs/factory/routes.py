"""The rules of one line: where its things are, what they skip, how long they take, where they get stuck.

Presence makes the mark of the line, USE-LINE-at. On it stand `wip`, a pair of the first station and the last; `route`,
a session from the first to the last; and for each station `step`, a pair of this station and any other, and `stuck`,
an absence. What is skipped, out of order or too slow is asked of the events of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from gateway.config.rules import (
    AbsenceRule,
    AlarmSettings,
    Close,
    Input,
    MatchRule,
    Outcome,
    PairRule,
    Part,
    Pick,
    Rule,
    SessionRule,
    Severity,
    Telling,
)
from rules.packs.factory.settings import Line, Station
from rules.packs.factory.words import both, of_kind, one_of

STEP: Final = "station-done"
COMPLETED: Final = "route-completed"
INCOMPLETE: Final = "route-incomplete"


def rules(use: str, line: Line) -> list[Rule]:
    """All of them."""
    return list(_Route(use, line).rules())


class _Route:
    def __init__(self, use: str, line: Line) -> None:
        self._line = line
        self._head = f"{use}-{line.name}"
        self._at = f"{self._head}-at"
        self._stations = line.station
        self._zones = [each.zone for each in line.station]

    def rules(self) -> Iterator[Rule]:
        yield from self._marks()
        yield self._wip()
        yield self._route()
        yield from self._whole_time()
        for index, station in enumerate(self._stations[:-1]):
            yield self._step(index, station)
            yield from self._overrun(station)
            yield from self._stuck(index, station)
        for index, station in enumerate(self._stations[1:-1], 1):
            if not station.optional:
                yield self._skipped(index, station)
        for index, station in enumerate(self._stations[2:-1], 2):
            yield self._backwards(index, station)

    def _marks(self) -> Iterator[Rule]:
        """One type for every arrival, whether a thing came from another zone or from nowhere."""
        line = self._line
        where = both(of_kind(line.kinds, line.classes), one_of("zone", [*self._zones, *line.exits]))
        for on in ("arrived", "moved"):
            yield MatchRule(name=f"{self._head}-{on}", shape="match", on=on, when=where, emit=self._at)

    def _wip(self) -> Rule:
        line = self._line
        full = None
        if line.wip_most is not None:
            full = Outcome(emit="wip-full", alarm=AlarmSettings(message=f"More than {line.wip_most} on {line.name}"))
        return PairRule(
            name=f"{self._head}-wip",
            shape="pair",
            entry=self._arrival([self._zones[0]]),
            exit=self._arrival([self._zones[-1], *line.exits]),
            entered="line-entered",
            emit="line-left",
            capacity=line.wip_most,
            full=full,
            forget_after_s=line.give_up_s,
            figures=["inside", "cycle_s"],
            dwell_as="cycle_s",
        )

    def _route(self) -> Rule:
        """The whole way. What moves straight back to the first station begins anew."""
        line, first, last = self._line, self._zones[0], self._zones[-1]
        again = f'e.zone == "{first}" && {one_of("from_zone", self._zones[1:])}'
        end = one_of("zone", [last, *line.exits])
        required = [each.called for each in self._stations if not each.optional]
        return SessionRule(
            name=f"{self._head}-route",
            shape="session",
            open=self._arrival([first]),
            collect={
                each.called: Part(on=self._at, when=f'e.zone == "{each.zone}"', of="zone", pick=Pick.FIRST)
                for each in self._stations
            },
            require=required,
            tell={"order": [*self._broken(), Telling(value="kept")]},
            close=Close(
                quiet_s=line.give_up_s,
                within_s=min(10 * line.give_up_s, _YEAR_S),
                on=Input(on=self._at, when=f"{end} || ({again})"),
            ),
            emit=COMPLETED,
            otherwise=Outcome(
                emit=INCOMPLETE,
                alarm=AlarmSettings(message=f"A thing left {line.name} without all of its stations"),
            ),
            figures=["duration_s", "missing_count"],
        )

    def _broken(self) -> Iterator[Telling]:
        """Whether a station was first passed before one that stands before it; the last one ends the route."""
        names = [each.called for each in self._stations[:-1]]
        asked = [f"e.{later}_at_us < e.{earlier}_at_us" for earlier, later in combinations(names, 2)]
        for start in range(0, len(asked), _AT_ONCE):
            yield Telling(value="broken", when=" || ".join(asked[start : start + _AT_ONCE]))

    def _whole_time(self) -> Iterator[Rule]:
        line = self._line
        if line.cycle_s is not None:
            limit_s = line.cycle_s * (1 + line.tolerance)
            yield MatchRule(
                name=f"{self._head}-overrun",
                shape="match",
                on=COMPLETED,
                when=f'e.rule == "{self._head}-route" && e.duration_s > {limit_s:f}',
                emit="cycle-overrun",
            )

    def _step(self, index: int, station: Station) -> Rule:
        """From one station to any other, or off the line. Those inside are at it, or on their way from it."""
        full = None
        if station.queue_most is not None:
            message = f"More than {station.queue_most} at {station.called} of {self._line.name}, or behind it"
            full = Outcome(emit="queue-full", alarm=AlarmSettings(message=message))
        return PairRule(
            name=self._step_name(station),
            shape="pair",
            entry=self._arrival([station.zone]),
            exit=self._arrival(self._others(index)),
            entered="station-entered",
            emit=STEP,
            capacity=station.queue_most,
            full=full,
            forget_after_s=self._line.give_up_s,
            figures=["inside", "cycle_s"],
            dwell_as="cycle_s",
        )

    def _overrun(self, station: Station) -> Iterator[Rule]:
        if station.cycle_s is not None:
            limit_s = station.cycle_s * (1 + self._line.tolerance)
            yield MatchRule(
                name=f"{self._head}-overrun-{station.called}",
                shape="match",
                on=STEP,
                when=f'e.rule == "{self._step_name(station)}" && e.cycle_s > {limit_s:f}',
                emit="cycle-overrun",
            )

    def _stuck(self, index: int, station: Station) -> Iterator[Rule]:
        if station.stuck_after_s is not None:
            yield AbsenceRule(
                name=f"{self._head}-stuck-{station.called}",
                shape="absence",
                after=self._arrival([station.zone]),
                expect=self._arrival(self._others(index)),
                within_s=station.stuck_after_s,
                watched=station.watched,
                emit="thing-stuck",
                alarm=AlarmSettings(message=f"Stuck at {station.called} of {self._line.name}, or behind it"),
            )

    def _skipped(self, index: int, station: Station) -> Rule:
        """It came from a station before this one straight to one behind it."""
        before = [self._step_name(each) for each in self._stations[:index]]
        return MatchRule(
            name=f"{self._head}-skipped-{station.called}",
            shape="match",
            on=STEP,
            when=both(one_of("rule", before), one_of("zone", self._zones[index + 1 :])),
            emit="station-skipped",
            alarm=AlarmSettings(
                severity=Severity.CRITICAL, message=f"A thing did not pass {station.called} of {self._line.name}"
            ),
        )

    def _backwards(self, index: int, station: Station) -> Rule:
        """It came back from this station to one before it, but not to the first."""
        return MatchRule(
            name=f"{self._head}-order-{station.called}",
            shape="match",
            on=STEP,
            when=both(one_of("rule", [self._step_name(station)]), one_of("zone", self._zones[1:index])),
            emit="station-out-of-order",
            alarm=AlarmSettings(message=f"A thing went back from {station.called} of {self._line.name}"),
        )

    def _others(self, index: int) -> list[str]:
        return [*self._zones[:index], *self._zones[index + 1 :], *self._line.exits]

    def _arrival(self, zones: list[str]) -> Input:
        return Input(on=self._at, when=one_of("zone", zones))

    def _step_name(self, station: Station) -> str:
        return f"{self._head}-step-{station.called}"


_YEAR_S: Final = 31_536_000.0
_AT_ONCE: Final = 60
"""Comparisons in one condition, which has 4,000 characters at most."""
