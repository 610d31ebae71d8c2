"""The lanes: one decision for each request, and what the barriers and loops say of it.

All that leads to a decision is known at the moment of the card, and comes in one turn of the ordered rules: request,
admission, count, decision. So it waits `rules.lateness_s` once, and not once for each rule.
"""

from __future__ import annotations

from typing import Final

from gateway.config.rules import (
    AlarmSettings,
    AntiPassback,
    Close,
    Decision,
    HoldRule,
    Input,
    MatchRule,
    Outcome,
    PairRule,
    Part,
    Rule,
    SessionRule,
    Severity,
    Verdict,
)
from rules.packs.parking import words
from rules.packs.parking.requests import admissions
from rules.packs.parking.settings import Direction, Exit, Lane, ParkingSettings

GRANTED: Final = "granted"
REFUSED: Final = "refused"
QUIET_S: Final = 10.0
FORCED_FORGIVEN_S: Final = 3600.0
"""How long after a fire alarm barriers may rise without a card."""


def rules(name: str, settings: ParkingSettings) -> list[Rule]:
    """A decision for each direction; what lanes have of loops and barriers."""
    made: list[Rule] = [_decision(name, settings, direction) for direction in Direction]
    made += _barriers(name, settings)
    made += [
        HoldRule(
            name=f"{name}-{lane.name}-waits",
            shape="hold",
            on="signal",
            key="device",
            when=words.is_on(lane.loop),
            for_s=settings.wait_s,
            alarm=AlarmSettings(severity=Severity.INFO, message=f"A car waits at {lane.name}: somebody needs help"),
        )
        for lane in settings.lane
        if lane.loop is not None
    ]
    return made


def _decision(name: str, settings: ParkingSettings, direction: Direction) -> Rule:
    of_them = words.one_of("rule", words.requests(name, direction))
    of_area = words.one_of("rule", [words.inside(name)])
    is_entry = direction is Direction.ENTRY
    collect = {
        "request": Part(on=words.REQUEST, when=of_them, of="rule"),
        "card": Part(on=words.REQUEST, when=of_them, of="subject"),
        "holder": Part(on=words.REQUEST, when=of_them, of="name"),
        "violation": Part(on=words.VIOLATION, when=of_area, of="reason"),
        "inside": Part(on=words.ENTRY if is_entry else words.VISIT, when=of_area, of="inside"),
    }
    if is_entry:
        admitted = words.one_of("rule", admissions(name, settings))
        collect["admitted"] = Part(on=words.ADMITTED, when=admitted, of="rule")
    return SessionRule(
        name=f"{name}-{direction.value}",
        shape="session",
        key="read_point",
        places={lane.name: list(lane.read_points) for lane in settings.lanes(direction)},
        open=Input(on=words.REQUEST, when=of_them),
        collect=collect,
        lookup=words.lookup(settings.holders, "holder", "card") if is_entry else {},
        decide=Decision(
            emit=words.DECISION,
            settle_s=0,
            after_s=1,
            verdicts=_entry_verdicts(name, settings) if is_entry else _exit_verdicts(name, settings),
            otherwise=GRANTED,
        ),
        close=Close(quiet_s=QUIET_S, on=Input(on=words.REQUEST, when=of_them)),
        emit=words.CLOSED,
    )


def _refused(reason: str, *parts: str) -> Verdict:
    return Verdict(verdict=REFUSED, when=words.both(*parts), reason=reason)


def _strangers(name: str, direction: Direction) -> list[Verdict]:
    asked = [
        words.one_of("request", words.requests(name, direction, each)) for each in (words.UNKNOWN, words.AMBIGUOUS)
    ]
    return [
        _refused("The card is not known", asked[0]),
        _refused("The reader passes on a part of the number that several cards share", asked[1]),
    ]


def _entry_verdicts(name: str, settings: ParkingSettings) -> list[Verdict]:
    known = words.one_of("request", words.requests(name, Direction.ENTRY, words.KNOWN))
    not_yet, expired = words.not_yet(settings, "opened_at_us"), words.expired(settings, "opened_at_us")
    made = _strangers(name, Direction.ENTRY)
    holders = settings.holders
    if holders is not None:
        made.append(_refused("The holder is not in the table", known, f"!e.{words.LISTED}_found"))
    if not_yet:
        made.append(_refused("The card is not valid yet", known, not_yet))
    if expired:
        made.append(_refused("The card has expired", known, expired))
    if settings.lists and holders is not None and holders.list is not None:
        column = words.column(holders.list)
        on_one = words.one_of(column, [each.name for each in settings.lists])
        made.append(_refused("The list of the holder may not enter", known, f"e.{words.LISTED}_found", f"!({on_one})"))
        if timed := [each.name for each in settings.lists if each.hours is not None]:
            valid = words.both(words.negated(not_yet), words.negated(expired))
            made.append(
                _refused("Outside the hours of the list", known, words.one_of(column, timed), valid, "!has(e.admitted)")
            )
    if settings.antipassback in {AntiPassback.HARD, AntiPassback.TIMED}:
        made.append(_refused("The holder has entered already", 'e.violation == "entered_twice"'))
    if settings.capacity is not None:
        made.append(_refused("The area is full", 'e.violation == "full"'))
    uncounted = words.both("has(e.admitted)", "!has(e.inside)", "!has(e.violation)")
    made.append(_refused("The entry could not be counted: it came too late, or too many are inside", uncounted))
    return made


def _exit_verdicts(name: str, settings: ParkingSettings) -> list[Verdict]:
    """Who is refused at the exit. What cannot be told lets out: nobody is locked in by a lack of knowledge."""
    if settings.exit is Exit.ANYONE:
        return []
    made = _strangers(name, Direction.EXIT)
    if settings.antipassback in {AntiPassback.HARD, AntiPassback.TIMED}:
        made.append(_refused("The holder has not entered", 'e.violation == "exit_without_entry"'))
    return made


def _barriers(name: str, settings: ParkingSettings) -> list[Rule]:
    lanes = {_up(name, lane): lane for lane in settings.lane if lane.barrier_up is not None}
    if not lanes:
        return []
    made: list[Rule] = [
        HoldRule(
            name=rule,
            shape="hold",
            on="signal",
            key="device",
            when=words.is_on(lane.barrier_up),
            for_s=0,
            emit=words.BARRIER_UP,
        )
        for rule, lane in lanes.items()
        if lane.barrier_up is not None
    ]
    decided = words.one_of("rule", [f"{name}-{direction.value}" for direction in Direction])
    made.append(
        PairRule(
            name=f"{name}-barriers",
            shape="pair",
            places={lane.name: [rule] for rule, lane in lanes.items()},
            entry=Input(on=words.DECISION, when=words.both(decided, f'e.verdict == "{GRANTED}"', "!e.historical")),
            exit=Input(on=words.BARRIER_UP, when=words.one_of("rule", lanes), key="rule"),
            reset=Input(on=words.FIRE, when=words.one_of("rule", [words.fire(name)])) if settings.fire else None,
            antipassback=AntiPassback.SOFT,
            violation=Outcome(emit=words.BARRIER_UNMATCHED),
            emit=words.BARRIER_RAISED,
            dwell_as="response_s",
            forget_after_s=FORCED_FORGIVEN_S,
            figures=["response_s"],
        )
    )
    made.append(
        MatchRule(
            name=f"{name}-forced",
            shape="match",
            on=words.BARRIER_UNMATCHED,
            when=words.both(words.one_of("rule", [f"{name}-barriers"]), 'e.reason == "exit_without_entry"'),
            alarm=AlarmSettings(message="A barrier rose and no card was granted: opened by hand, or forced"),
        )
    )
    return made


def _up(name: str, lane: Lane) -> str:
    return f"{name}-{lane.name}-up"
