"""The area: who is inside, how many, who stays too long, who passes as nobody can."""

from __future__ import annotations

from typing import Final

from gateway.config.rules import AlarmSettings, Input, Outcome, PairRule, Rule, Severity
from rules.packs.parking import words
from rules.packs.parking.requests import admissions
from rules.packs.parking.settings import By, Direction, ParkingSettings

LEAST_KEYS: Final = 200_000
_KEYS_PER_PLACE: Final = 4
"""Those outside are remembered, too, for a while after a reset and for `timed`."""


def rules(name: str, settings: ParkingSettings) -> list[Rule]:
    """The one rule that counts."""
    is_reset = settings.reset is not None or settings.fire is not None
    full = Outcome(emit=words.FULL, alarm=AlarmSettings(severity=Severity.INFO, message=f"{name} is full"))
    overstay = Outcome(emit=words.OVERSTAY, alarm=AlarmSettings(message=f"Somebody stays in {name} for too long"))
    return [
        PairRule(
            name=words.inside(name),
            shape="pair",
            key="name" if settings.count_by is By.HOLDER else "subject",
            entry=Input(on=words.ADMITTED, when=words.one_of("rule", admissions(name, settings))),
            exit=Input(
                on=words.REQUEST,
                when=words.one_of("rule", words.requests(name, Direction.EXIT, words.KNOWN)),
            ),
            reset=Input(on=words.RESET, when=words.one_of("rule", resets(name, settings))) if is_reset else None,
            antipassback=settings.antipassback,
            forgive_after_s=settings.forgive_after_s,
            violation=Outcome(
                emit=words.VIOLATION, alarm=AlarmSettings(message=f"A card passed {name} as nobody can: passed on?")
            ),
            entered=words.ENTRY,
            emit=words.VISIT,
            capacity=settings.capacity,
            refuse_full=settings.capacity is not None,
            full=full if settings.capacity is not None else None,
            longest_s=settings.longest_stay_s,
            overstay=overstay if settings.longest_stay_s is not None else None,
            forget_after_s=settings.forget_after_s,
            most_keys=max(LEAST_KEYS, _KEYS_PER_PLACE * (settings.capacity or 0)),
            figures=["inside", "dwell_s", *(["free"] if settings.capacity is not None else [])],
        )
    ]


def resets(name: str, settings: ParkingSettings) -> list[str]:
    """The rules that forgive everybody."""
    found = [f"{name}-fire-reset"] if settings.fire is not None else []
    return [*found, f"{name}-reset"] if settings.reset is not None else found
