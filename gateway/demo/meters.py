"""What the meters of a demonstration said last: power, demand, and energy by tariff."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_WHOLE: Final = {
    "active_power": "active_power_w",
    "active_demand": "active_demand_w",
    "active_demand_max": "active_demand_max_w",
    "active_energy_import": "active_energy_import_wh",
}


def meters(readings: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By meter; values as the decimal strings that they came in, tariffs by their number."""
    found: dict[str, dict[str, Any]] = {}
    for reading in readings.values():
        name = _WHOLE.get(reading["quantity"])
        value = reading.get("value")
        if name is None or reading.get("phase") is not None or value is None:
            continue
        meter = found.setdefault(reading["meter"], {})
        if (tariff := reading.get("tariff")) is None:
            meter[name] = str(value)
        elif name == "active_energy_import_wh":
            meter.setdefault("by_tariff_wh", {})[str(tariff)] = str(value)
    return dict(sorted(found.items()))
