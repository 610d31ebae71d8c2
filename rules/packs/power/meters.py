"""Rules on the meters themselves: silent, tampered with, swapped, or saying that something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.config.rules import AbsenceRule, AlarmSettings, HoldRule, Input, MatchRule, Rule, Severity
from rules.packs.power.settings import PowerSettings
from rules.packs.power.words import of_meters, one_of

OPENED: Final = ("cover_openings", "terminal_openings", "magnetic_influences")
CHANGED: Final = ("programmings", "clock_settings", "demand_resets", "meter_resets", "event_resets")
SAID: Final = {
    "supply": (("phase_lost", "voltage_lost", "current_lost", "current_broken"), "says that a phase is lost"),
    "wiring": (
        ("flow_reversed", "voltage_sequence_reversed", "current_sequence_reversed"),
        "says that its wiring is reversed",
    ),
    "trouble": (("battery_low", "clock_wrong", "meter_error"), "is in trouble itself"),
}
"""Conditions that drivers tell of meters, and what they mean."""


def rules(name: str, settings: PowerSettings) -> Iterator[Rule]:
    """The rules of one use."""
    everyone = [meter.name for meter in settings.meter]
    chosen = one_of("device", everyone)
    yield from _silence(name, everyone, settings)
    for suffix, kinds, event, severity, message in (
        ("opened", OPENED, "meter-opened", Severity.CRITICAL, "Somebody has opened a meter, or held a magnet to it"),
        ("changed", CHANGED, "meter-changed", Severity.WARNING, "Somebody has programmed or reset a meter"),
    ):
        yield MatchRule(
            shape="match",
            name=f"{name}-meter-{suffix}",
            on="count_rose",
            when=f"{chosen} && {one_of('quantity', kinds)}",
            emit=event,
            alarm=AlarmSettings(severity=severity, message=message, latch=True),
        )
    for on, event, message in (
        ("meter_swapped", "meter-replaced", "Another meter answers: was it replaced?"),
        ("register_decreased", "register-fell", "A register has fallen: reset, replaced or tampered with"),
    ):
        yield MatchRule(
            shape="match",
            name=f"{name}-{event}",
            on=on,
            when=chosen,
            emit=event,
            alarm=AlarmSettings(severity=Severity.CRITICAL, message=message, latch=True),
        )
    for suffix, (conditions, message) in SAID.items():
        stands = " || ".join(f'"{condition}" in e.conditions' for condition in conditions)
        yield HoldRule(
            shape="hold",
            name=f"{name}-meter-{suffix}",
            on="status",
            when=f"{chosen} && ({stands})",
            for_s=0,
            emit=f"meter-{suffix}",
            alarm=AlarmSettings(message=f"A meter {message}"),
        )


def _silence(name: str, meters: list[str], settings: PowerSettings) -> Iterator[Rule]:
    yield HoldRule(
        shape="hold",
        name=f"{name}-meter-silent",
        on="status",
        when=f'{one_of("device", meters)} && e.state == "offline"',
        for_s=settings.silence.offline_for_s,
        emit="meter-silent",
        alarm=AlarmSettings(message="A meter does not answer"),
    )
    for meter in meters:
        yield AbsenceRule(
            shape="absence",
            name=f"{name}-{meter}-no-energy",
            expect=Input(on="reading", when=of_meters([meter], "active_energy_import")),
            within_s=settings.silence.energy_within_s,
            watched=[meter],
            emit="energy-not-told",
            alarm=AlarmSettings(message="A meter answers and does not tell its energy"),
        )
