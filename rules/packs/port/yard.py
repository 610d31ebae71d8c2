"""The yard: where containers are moved, how long they stay, and what customs hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.rules import AlarmSettings, Input, MatchRule, Outcome, PairRule, Rule, Severity
from rules.packs.port.gate import DECISION, TRANSACTION
from rules.packs.port.settings import PortSettings, Yard

MOVE: Final = "yard-move"
STAY: Final = "yard-stay"
SEEN_AGAIN: Final = "yard-seen-again"
DWELL: Final = "container-dwell"
OVERDUE: Final = "container-overdue"
HELD: Final = "customs-hold"
RELEASED: Final = "customs-release"


def rules(name: str, settings: PortSettings) -> list[Rule]:
    """The rules of all containers."""
    return list(_rules(name, settings))


def _rules(name: str, settings: PortSettings) -> Iterator[Rule]:
    if settings.yard is not None:
        yield from _moves(name, settings.container_kind, settings.yard)
    longest_s = settings.yard.longest_dwell_s if settings.yard is not None else None
    message = "A container has been in the terminal for too long"
    yield PairRule(
        shape="pair",
        name=f"{name}-dwell",
        emit=DWELL,
        figures=["stay_s"],
        key="container",
        dwell_as="stay_s",
        entry=Input(on=TRANSACTION, when='e.direction == "in"'),
        exit=Input(on=TRANSACTION, when='e.direction == "out"'),
        longest_s=longest_s,
        overstay=None
        if longest_s is None
        else Outcome(emit=OVERDUE, alarm=AlarmSettings(severity=Severity.WARNING, message=message)),
        forget_after_s=31_536_000,
    )
    if settings.customs is not None:
        released = f"e.customs_{settings.customs.released}"
        yield PairRule(
            shape="pair",
            name=f"{name}-customs",
            emit=RELEASED,
            figures=["held_s"],
            key="container",
            dwell_as="held_s",
            entry=Input(on=DECISION, when=f"e.customs_found && {released} == false"),
            exit=Input(on=DECISION, when=f"e.customs_found && {released} == true"),
            entered=HELD,
            forget_after_s=31_536_000,
        )


def _moves(name: str, kind: str, yard: Yard) -> Iterator[Rule]:
    """Straight from one zone to another, or seen again in another some time after it was last seen."""
    zones = ", ".join(f'"{zone}"' for zone in yard.zones)
    here = f'e.kind == "{kind}" && e.zone in [{zones}]'
    for on in ("moved", "departed"):
        where = here if on == "departed" else f'e.kind == "{kind}" && e.from_zone in [{zones}]'
        yield MatchRule(shape="match", name=f"{name}-yard-stay-{on}", emit=STAY, figures=["dwell_s"], on=on, when=where)
    yield MatchRule(
        shape="match",
        name=f"{name}-yard-move-straight",
        emit=MOVE,
        on="moved",
        when=f"{here} && e.from_zone in [{zones}]",
    )
    yield PairRule(
        shape="pair",
        name=f"{name}-yard-seen-again",
        emit=SEEN_AGAIN,
        area="zone",
        dwell_as="way_s",
        entry=Input(on="departed", when=here),
        exit=Input(on="arrived", when=here),
        forget_after_s=yard.move_within_s,
    )
    yield MatchRule(
        shape="match",
        name=f"{name}-yard-move",
        emit=MOVE,
        figures=["way_s"],
        on=SEEN_AGAIN,
        when="e.zone != e.area",
    )
