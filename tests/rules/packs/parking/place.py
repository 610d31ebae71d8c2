"""A car park for the tests of the pack."""

from __future__ import annotations

from typing import Any

from gateway.config.rules import Rule
from rules.packs import PACKS
from rules.packs.parking.settings import ParkingSettings

IO = "io"
LANES: list[dict[str, Any]] = [
    {
        "name": "north",
        "direction": "entry",
        "read_points": ["in-1", "in-2"],
        "loop": {"device": IO, "signal": "loop"},
        "barrier_up": {"device": IO, "signal": "north-up"},
    },
    {"name": "south", "direction": "exit", "read_points": ["out-1"]},
]
HOLDERS = {"table": "holders", "list": "list", "valid_from": "starts", "valid_until": "ends", "duress": "duress"}


def settings(**changed: Any) -> ParkingSettings:
    return ParkingSettings.model_validate({"lane": LANES, **changed})


def rules(**changed: Any) -> dict[str, Any]:
    """The rules by name; of any shape."""
    made: list[Rule] = PACKS["parking"].rules("park", settings(**changed))
    return {rule.name: rule for rule in made}
