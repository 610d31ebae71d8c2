"""What may be read of a meter: each word of `read` with its objects, its rank on the line, and its usual period."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from readers.bus import Rank
from readers.codecs.dlt698_data import Oad


class Read(StrEnum):
    """What may be read."""

    ENERGY = "energy"
    ENERGY_EXPORT = "energy_export"
    ENERGY_COMBINED = "energy_combined"
    REACTIVE_ENERGY = "reactive_energy"
    QUADRANT_ENERGY = "quadrant_energy"
    APPARENT_ENERGY = "apparent_energy"
    PHASE_ENERGY = "phase_energy"
    VOLTAGE = "voltage"
    CURRENT = "current"
    NEUTRAL_CURRENT = "neutral_current"
    POWER = "power"
    REACTIVE_POWER = "reactive_power"
    APPARENT_POWER = "apparent_power"
    POWER_FACTOR = "power_factor"
    FREQUENCY = "frequency"
    DEMAND = "demand"
    MAX_DEMAND = "max_demand"
    THD = "thd"
    TEMPERATURE = "temperature"
    BATTERY = "battery"
    STATUS = "status"
    EVENTS = "events"
    CLOCK = "clock"


ITEMS: Final[dict[Read, tuple[Oad, ...]]] = {
    Read.ENERGY: (Oad(0x0010),),
    Read.ENERGY_EXPORT: (Oad(0x0020),),
    Read.ENERGY_COMBINED: (Oad(0x0000),),
    Read.REACTIVE_ENERGY: (Oad(0x0030), Oad(0x0040)),
    Read.QUADRANT_ENERGY: (Oad(0x0050), Oad(0x0060), Oad(0x0070), Oad(0x0080)),
    Read.APPARENT_ENERGY: (Oad(0x0090), Oad(0x00A0)),
    Read.PHASE_ENERGY: tuple(Oad(oi) for oi in (0x0011, 0x0012, 0x0013, 0x0021, 0x0022, 0x0023)),
    Read.VOLTAGE: (Oad(0x2000),),
    Read.CURRENT: (Oad(0x2001),),
    Read.NEUTRAL_CURRENT: (Oad(0x2001, 4),),
    Read.POWER: (Oad(0x2004),),
    Read.REACTIVE_POWER: (Oad(0x2005),),
    Read.APPARENT_POWER: (Oad(0x2006),),
    Read.POWER_FACTOR: (Oad(0x200A),),
    Read.FREQUENCY: (Oad(0x200F),),
    Read.DEMAND: (Oad(0x2017),),
    Read.MAX_DEMAND: (Oad(0x1010),),
    Read.THD: (Oad(0x200B), Oad(0x200C)),
    Read.TEMPERATURE: (Oad(0x2010),),
    Read.BATTERY: (Oad(0x2011), Oad(0x2012)),
}
"""The registers; the other words are read by modules of their own."""

_POWERS: Final = (
    Read.VOLTAGE,
    Read.CURRENT,
    Read.NEUTRAL_CURRENT,
    Read.POWER,
    Read.REACTIVE_POWER,
    Read.APPARENT_POWER,
    Read.POWER_FACTOR,
    Read.FREQUENCY,
)
_ENERGIES: Final = (
    Read.ENERGY,
    Read.ENERGY_EXPORT,
    Read.ENERGY_COMBINED,
    Read.REACTIVE_ENERGY,
    Read.QUADRANT_ENERGY,
    Read.APPARENT_ENERGY,
    Read.PHASE_ENERGY,
)
RANKS: Final[dict[Read, Rank]] = {
    **dict.fromkeys(Read, Rank.DEMAND),
    **dict.fromkeys(_POWERS, Rank.POWER),
    **dict.fromkeys(_ENERGIES, Rank.ENERGY),
    Read.STATUS: Rank.ALARM,
}
USUAL: Final = (
    Read.ENERGY,
    Read.ENERGY_EXPORT,
    Read.VOLTAGE,
    Read.CURRENT,
    Read.POWER,
    Read.REACTIVE_POWER,
    Read.POWER_FACTOR,
    Read.FREQUENCY,
    Read.DEMAND,
    Read.MAX_DEMAND,
    Read.STATUS,
    Read.EVENTS,
    Read.CLOCK,
)
IN_DAILY_FREEZES: Final = (*_ENERGIES, Read.MAX_DEMAND)
IN_MINUTE_FREEZES: Final = (
    Read.ENERGY,
    Read.ENERGY_EXPORT,
    Read.VOLTAGE,
    Read.CURRENT,
    Read.POWER,
    Read.REACTIVE_POWER,
    Read.POWER_FACTOR,
)
