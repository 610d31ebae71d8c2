"""The rules of one group of tools, pallets and the like: where each is, who took it, when it must be back.

Presence makes the marks of the group: USE-GROUP-at in any zone, USE-GROUP-off where one left home. On the first stand
`astray`, `expired`, `due` and `unlisted`; on the second `custody`, a pair of leaving home and being back, `overdue`,
an absence, and `who`, sessions of cards and what left.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.rules import (
    AbsenceRule,
    AlarmSettings,
    Close,
    Input,
    LookUp,
    MatchRule,
    Outcome,
    PairRule,
    Part,
    Rule,
    SessionRule,
    Severity,
)
from rules.packs.factory.settings import Custody
from rules.packs.factory.words import both, of_kind, one_of

ITEM: Final = "item"
DAY_S: Final = 86_400.0
DAY_US: Final = 86_400_000_000
FORGET_S: Final = 31_536_000.0


def rules(use: str, group: Custody) -> list[Rule]:
    """All of them."""
    return list(_Group(use, group).rules())


class _Group:
    def __init__(self, use: str, group: Custody) -> None:
        self._group = group
        self._head = f"{use}-{group.name}"
        self._at, self._off = f"{self._head}-at", f"{self._head}-off"
        self._kind = of_kind(group.kinds, group.classes)
        self._lookup = {ITEM: LookUp(table=group.table, key="subject")} if group.table is not None else {}
        self._of_homes = self._lookup if group.home is not None else {}

    def rules(self) -> Iterator[Rule]:
        for on in ("arrived", "moved"):
            yield MatchRule(name=f"{self._head}-{on}", shape="match", on=on, when=self._kind, emit=self._at)
        for on, field in (("departed", "zone"), ("moved", "from_zone")):
            yield MatchRule(
                name=f"{self._head}-{on}-home",
                shape="match",
                on=on,
                when=both(self._kind, self._is_home(field)),
                lookup=self._of_homes,
                emit=f"{self._off}-{field.replace('_', '-')}",
            )
        yield from self._left()
        yield self._custody()
        yield from self._overdue()
        yield from self._astray()
        yield from self._leaves()
        yield from self._who()
        yield from self._calibration()

    def _left(self) -> Iterator[Rule]:
        for field in ("zone", "from-zone"):
            on = f"{self._off}-{field}"
            yield MatchRule(name=f"{on}-left", shape="match", on=on, emit=self._off)

    def _is_home(self, field: str) -> str:
        group = self._group
        return f"e.{field} == e.{ITEM}_{group.home}" if group.home is not None else one_of(field, group.homes)

    def _custody(self) -> Rule:
        group, full = self._group, None
        if group.most_out is not None:
            message = f"More than {group.most_out} of {group.name} are away from home"
            full = Outcome(emit="custody-full", alarm=AlarmSettings(message=message))
        return PairRule(
            name=f"{self._head}-custody",
            shape="pair",
            entry=Input(on=self._off),
            exit=Input(on=self._at, when=self._is_home("zone")),
            lookup=self._of_homes,
            entered="custody-taken",
            emit="custody-returned",
            capacity=group.most_out,
            full=full,
            forget_after_s=FORGET_S,
            figures=["inside", "away_s"],
            dwell_as="away_s",
        )

    def _overdue(self) -> Iterator[Rule]:
        group = self._group
        if group.back_within_days is not None:
            yield AbsenceRule(
                name=f"{self._head}-overdue",
                shape="absence",
                after=Input(on=self._off),
                expect=Input(on=self._at, when=self._is_home("zone")),
                lookup=self._of_homes,
                within_s=group.back_within_days * DAY_S,
                watched=group.watched,
                emit="custody-overdue",
                alarm=AlarmSettings(message=f"One of {group.name} was not home for {group.back_within_days:g} days"),
            )

    def _astray(self) -> Iterator[Rule]:
        group = self._group
        if not group.areas:
            return
        allowed = f"!({one_of('zone', [*group.areas, *group.homes])})"
        home = f"!({self._is_home('zone')})" if group.home is not None else ""
        yield MatchRule(
            name=f"{self._head}-astray",
            shape="match",
            on=self._at,
            when=both(allowed, home),
            lookup=self._of_homes,
            emit="custody-astray",
            alarm=AlarmSettings(message=f"One of {group.name} is where it may not be"),
        )

    def _leaves(self) -> Iterator[Rule]:
        group = self._group
        if group.gates:
            yield MatchRule(
                name=f"{self._head}-leaves",
                shape="match",
                on="passage",
                when=both(self._kind, one_of("zone", group.gates), 'e.direction == "out"'),
                emit="custody-leaves",
                alarm=AlarmSettings(severity=Severity.CRITICAL, message=f"One of {group.name} leaves the premises"),
            )

    def _who(self) -> Iterator[Rule]:
        """Who showed a card before things left. Things that leave within the same seconds are told together."""
        group = self._group
        if not group.desks:
            return
        for field in ("zone", "from-zone"):
            on, key = f"{self._off}-{field}", field.replace("-", "_")
            yield SessionRule(
                name=f"{self._head}-who-{field}",
                shape="session",
                open=Input(on=on, key=key),
                places={home: list(points) for home, points in group.desks.items()},
                before_s=group.card_within_s,
                collect={
                    "person": Part(on="card_presented", when='e.result == "known"', key="read_point", of="name"),
                    "thing": Part(on=on, key=key, of="subject", carry=["name"]),
                },
                require=["person"],
                close=Close(quiet_s=_TOGETHER_S, within_s=60),
                emit="custody-signed",
                otherwise=Outcome(
                    emit="custody-unsigned",
                    alarm=AlarmSettings(message=f"One of {group.name} was taken, and nobody showed a card"),
                ),
            )

    def _calibration(self) -> Iterator[Rule]:
        """Asked whenever a thing is seen somewhere: what lies still is told when it is used."""
        group = self._group
        if group.table is not None:
            yield MatchRule(
                name=f"{self._head}-unlisted",
                shape="match",
                on=self._at,
                when=f"!e.{ITEM}_found",
                lookup=self._lookup,
                emit="not-in-register",
                alarm=AlarmSettings(severity=Severity.INFO, message=f"One of {group.name} is not in {group.table}"),
            )
        if group.due is None:
            return
        due, warn_us = f"e.{ITEM}_{group.due}", round(group.warn_days * DAY_US)
        yield MatchRule(
            name=f"{self._head}-expired",
            shape="match",
            on=self._at,
            when=f"{due} <= e.at_us",
            lookup=self._lookup,
            emit="calibration-expired",
            alarm=AlarmSettings(severity=Severity.CRITICAL, message=f"One of {group.name} is used, and not calibrated"),
        )
        if warn_us:
            yield MatchRule(
                name=f"{self._head}-due",
                shape="match",
                on=self._at,
                when=f"{due} > e.at_us && {due} - {warn_us} <= e.at_us",
                lookup=self._lookup,
                emit="calibration-due",
                alarm=AlarmSettings(severity=Severity.INFO, message=f"One of {group.name} is to be calibrated soon"),
            )


_TOGETHER_S: Final = 5.0
