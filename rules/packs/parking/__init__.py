"""The pack `parking`: who may drive in and out, who is inside, for how long, and what to do in a fire."""

from __future__ import annotations

from typing import Final

from gateway.config.rules import Rule
from rules.packs.pack import Pack
from rules.packs.parking import area, lanes, requests, safety
from rules.packs.parking.settings import ParkingSettings

__all__ = ["PACK"]


def _rules(name: str, settings: ParkingSettings) -> list[Rule]:
    """The rules of one area."""
    return [
        *requests.rules(name, settings),
        *area.rules(name, settings),
        *lanes.rules(name, settings),
        *safety.rules(name, settings),
    ]


PACK: Final = Pack("parking", "A car park or another area that is entered and left with cards", ParkingSettings, _rules)
