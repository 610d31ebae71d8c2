"""Site files with the pack `factory`."""

from __future__ import annotations

from typing import Any, Final

from gateway.config.models import SiteFile

STATIONS: Final = ("filling", "sealing", "labelling", "dispatching")
WHOLE: Final[dict[str, Any]] = {
    "line": [
        {
            "name": "l1",
            "kinds": ["pallet"],
            "classes": ["euro"],
            "cycle_s": 60,
            "wip_most": 9,
            "exits": ["yard"],
            "station": [
                {"zone": zone}
                | ({"cycle_s": 9, "stuck_after_s": 30, "watched": [f"{zone}-1"], "queue_most": 3} if index < 3 else {})
                for index, zone in enumerate(STATIONS)
            ],
        }
    ],
    "custody": [
        {
            "name": "tools", "kinds": ["tool"], "table": "tools", "home": "home", "due": "due", "areas": ["yard"],
            "gates": ["gate"], "back_within_days": 2,
        },
        {"name": "pallets", "kinds": ["pallet"], "homes": ["yard"], "desks": {"yard": ["desk-1"]}, "most_out": 7},
    ],
    "machine": [
        {
            "name": "loom", "longest_stop_s": 300, "planned_reasons": ["clean"], "stops_most": 4, "oee_least": 0.6,
            "scrap_most": 0.02, "energy_per_unit_most_wh": 9, "speed_signal": "speed", "speed_least": 2,
        }
    ],
}  # fmt: skip


def site(settings: dict[str, Any], *, name: str = "hall", uses: int = 1) -> SiteFile:
    """A site that uses the pack so, once or several times."""
    packs = [
        {"name": name if use == 0 else f"{name}-{use}", "kind": "factory", "settings": settings} for use in range(uses)
    ]
    zones = [{"name": zone, "read_points": [f"{zone}-1"]} for zone in (*STATIONS, "yard")]
    table = {"name": "tools", "file": "tools.csv", "key": "epc", "columns": {"home": "string", "due": "time"}}
    return SiteFile.model_validate(
        {
            "site": {"name": "test"},
            "zone": zones,
            "portal": [{"name": "gate", "outer": ["gate-out"], "inner": ["gate-in"]}],
            "table": [table],
            "pack": packs,
        }
    )
