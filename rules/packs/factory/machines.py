"""The rules of one machine, on what the machine books tell of it."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.rules import (
    AbsenceRule,
    AlarmSettings,
    Function,
    HoldRule,
    Input,
    MatchRule,
    RateRule,
    Rule,
    Severity,
    Window,
)
from rules.packs.factory.settings import Machine
from rules.packs.factory.words import both, one_of


def rules(use: str, machine: Machine) -> list[Rule]:
    """All of them."""
    head = f"{use}-{machine.name}"
    return [*_stops(head, machine), *_shifts(head, machine), *_speed(head, machine)]


def _stops(head: str, machine: Machine) -> Iterator[Rule]:
    subject = f'e.subject == "{machine.name}"'
    planned = f"!({one_of('reason', machine.planned_reasons)})" if machine.planned_reasons else ""
    stopped = both(subject, planned)
    if machine.longest_stop_s is not None:
        # Only the beginning must lie in planned time: a machine may be started again after the shift.
        begins = f"{head}-stopped"
        yield MatchRule(
            name=begins, shape="match", on="machine_stopped", when=stopped, during=machine.calendar, emit=begins
        )
        yield AbsenceRule(
            name=f"{head}-long-stop",
            shape="absence",
            after=Input(on=begins),
            expect=Input(on="machine_started", when=subject),
            within_s=machine.longest_stop_s,
            watched=[machine.heard_from],
            emit="stop-too-long",
            alarm=AlarmSettings(
                severity=Severity.CRITICAL, message=f"{machine.name} stands for more than {machine.longest_stop_s:g} s"
            ),
        )
    if machine.stops_most is not None:
        yield RateRule(
            name=f"{head}-stops",
            shape="rate",
            on="machine_stopped",
            when=stopped,
            window=Window.SLIDING,
            within_s=machine.stops_within_s,
            function=Function.COUNT,
            above=machine.stops_most,
            during=machine.calendar,
            emit="stops-too-often",
            alarm=AlarmSettings(
                message=f"{machine.name} stopped more than {machine.stops_most} times in {machine.stops_within_s:g} s"
            ),
            figures=["value"],
        )


def _shifts(head: str, machine: Machine) -> Iterator[Rule]:
    """What the books tell at the end of a shift."""
    limits = (
        ("oee", "shift_ended", "oee-low", "<", machine.oee_least, "had a lower OEE than"),
        ("scrap", "shift_ended", "scrap-high", ">", machine.scrap_most, "spoilt a greater share than"),
        (
            "energy_per_unit_wh",
            "shift_energy",
            "energy-per-unit-high",
            ">",
            machine.energy_per_unit_most_wh,
            "took more energy for each unit than",
        ),
    )
    for field, on, event, sign, limit, words in limits:
        if limit is not None:
            yield MatchRule(
                name=f"{head}-{event}",
                shape="match",
                on=on,
                when=f'e.subject == "{machine.name}" && e.{field} {sign} {limit:f}',
                emit=event,
                alarm=AlarmSettings(message=f"A shift of {machine.name} {words} {limit:g}"),
                figures=[field],
            )


def _speed(head: str, machine: Machine) -> Iterator[Rule]:
    if machine.speed_least is None:
        return
    device = f'e.device == "{machine.heard_from}" && e.name == "{machine.speed_signal}"'
    yield HoldRule(
        name=f"{head}-slow",
        shape="hold",
        on="signal",
        key="device",
        when=f"{device} && e.value > 0.0 && e.value < {machine.speed_least:f}",
        for_s=machine.speed_for_s,
        emit="speed-low",
        alarm=AlarmSettings(message=f"{machine.name} runs more slowly than {machine.speed_least:g}"),
    )
