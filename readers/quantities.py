"""The quantities that meters and machines report, each with its one unit through the whole product.

Energy is Wh, power W, voltage V, current A, frequency Hz: drivers convert once, in the codec, and exactly.
Source: OBIS C groups, DLMS UA Blue Book Ed. 12.2, section 7.5 (electricity).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Quantity(StrEnum):
    """What a reading measures; the value is its name in configuration, on MQTT and in the store."""

    ACTIVE_ENERGY_IMPORT = "active_energy_import"
    ACTIVE_ENERGY_EXPORT = "active_energy_export"
    ACTIVE_ENERGY_COMBINED = "active_energy_combined"
    REACTIVE_ENERGY_IMPORT = "reactive_energy_import"
    REACTIVE_ENERGY_EXPORT = "reactive_energy_export"
    ACTIVE_POWER = "active_power"
    REACTIVE_POWER = "reactive_power"
    APPARENT_POWER = "apparent_power"
    ACTIVE_DEMAND = "active_demand"
    ACTIVE_DEMAND_MAX = "active_demand_max"
    VOLTAGE = "voltage"
    CURRENT = "current"
    POWER_FACTOR = "power_factor"
    FREQUENCY = "frequency"
    CLOCK_OFFSET = "clock_offset"

    @property
    def unit(self) -> str:
        """The one unit of this quantity, as written in events and in the store."""
        return UNITS[self]


UNITS: Final[dict[Quantity, str]] = {
    Quantity.ACTIVE_ENERGY_IMPORT: "Wh",
    Quantity.ACTIVE_ENERGY_EXPORT: "Wh",
    Quantity.ACTIVE_ENERGY_COMBINED: "Wh",
    Quantity.REACTIVE_ENERGY_IMPORT: "varh",
    Quantity.REACTIVE_ENERGY_EXPORT: "varh",
    Quantity.ACTIVE_POWER: "W",
    Quantity.REACTIVE_POWER: "var",
    Quantity.APPARENT_POWER: "VA",
    Quantity.ACTIVE_DEMAND: "W",
    Quantity.ACTIVE_DEMAND_MAX: "W",
    Quantity.VOLTAGE: "V",
    Quantity.CURRENT: "A",
    Quantity.POWER_FACTOR: "1",
    Quantity.FREQUENCY: "Hz",
    Quantity.CLOCK_OFFSET: "s",
}


class Phase(StrEnum):
    """The conductor a reading belongs to."""

    A = "a"
    B = "b"
    C = "c"
    NEUTRAL = "n"


class Quality(StrEnum):
    """How far a reading may be believed."""

    GOOD = "good"
    ABSENT = "absent"  # the meter answers, and says that it has no such value (DL/T 645: FF fill)
    SUSPECT = "suspect"  # outside the documented range of the register
