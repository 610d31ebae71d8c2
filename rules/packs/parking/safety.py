"""Duress, fire and the reset: what must not wait for a decision."""

from __future__ import annotations

from typing import Final

from gateway.config.rules import AlarmSettings, Close, HoldRule, Input, MatchRule, Part, Rule, SessionRule, Severity
from rules.packs.parking import words
from rules.packs.parking.settings import Contact, Direction, ParkingSettings

FIRE_AT_MOST_S: Final = 604_800.0


def rules(name: str, settings: ParkingSettings) -> list[Rule]:
    """Those that the settings ask for."""
    made: list[Rule] = []
    if condition := _duress(settings):
        known = [each for direction in Direction for each in words.requests(name, direction, words.KNOWN)]
        made.append(
            MatchRule(
                name=f"{name}-duress",
                shape="match",
                on=words.REQUEST,
                when=words.both(words.one_of("rule", known), f"({condition})"),
                lookup=words.lookup(settings.holders, "name", "subject"),
                emit=words.DURESS,
                alarm=AlarmSettings(
                    severity=Severity.CRITICAL, latch=True, message="A card was shown under duress: nobody there knows"
                ),
            )
        )
    if settings.fire is not None:
        made += _fire(name, settings, settings.fire)
    if settings.reset is not None:
        made.append(
            HoldRule(
                name=f"{name}-reset",
                shape="hold",
                on="signal",
                key="device",
                when=words.is_on(settings.reset),
                for_s=0,
                emit=words.RESET,
            )
        )
    return made


def _duress(settings: ParkingSettings) -> str:
    found = [] if settings.duress_class is None else [words.one_of("class", [settings.duress_class])]
    if settings.holders is not None and settings.holders.duress is not None:
        found.append(f"e.{words.column(settings.holders.duress)} == true")
    return " || ".join(found)


def _fire(name: str, settings: ParkingSettings, fire: Contact) -> list[Rule]:
    of_fire = words.one_of("rule", [words.fire(name)])
    at_exits = words.one_of("rule", words.requests(name, Direction.EXIT))
    exits = [point for lane in settings.lanes(Direction.EXIT) for point in lane.read_points]
    ended = words.is_on(fire).replace("e.value == true", "e.value == false")
    return [
        HoldRule(
            name=words.fire(name),
            shape="hold",
            on="signal",
            key="device",
            when=words.is_on(fire),
            for_s=0,
            emit=words.FIRE,
            alarm=AlarmSettings(severity=Severity.CRITICAL, message=f"Fire alarm in {name}: the exits are to open"),
        ),
        MatchRule(name=f"{name}-fire-reset", shape="match", on=words.FIRE, when=of_fire, emit=words.RESET),
        SessionRule(
            name=f"{name}-fire-count",
            shape="session",
            key="device",
            places={name: [words.fire(name), fire.device, *exits]},
            open=Input(on=words.FIRE, when=of_fire, key="rule"),
            collect={"left": Part(on=words.REQUEST, when=at_exits, key="read_point", of="subject")},
            close=Close(
                quiet_s=FIRE_AT_MOST_S, within_s=FIRE_AT_MOST_S, on=Input(on="signal", when=ended, key="device")
            ),
            emit=words.FIRE_ENDED,
        ),
    ]
