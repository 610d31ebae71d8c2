"""What may be read of a meter: each word of `read` with its identifiers, its rank on the line, and its usual period."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from readers.bus import Rank
from readers.codecs.dlt645_registers import TARIFFS

TARIFF_STEP: Final = 0x100


class Read(StrEnum):
    """What may be read."""

    ENERGY = "energy"
    ENERGY_EXPORT = "energy_export"
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
    PHASE_ANGLE = "phase_angle"
    FREQUENCY = "frequency"
    DEMAND = "demand"
    MAX_DEMAND = "max_demand"
    THD = "thd"
    HARMONICS = "harmonics"
    TEMPERATURE = "temperature"
    BATTERY = "battery"
    STATUS = "status"
    EVENTS = "events"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to read: a block, and the single registers that stand in for it in meters without blocks."""

    block: int | None
    singles: tuple[int, ...]


def _phases(base: int, *, total: bool) -> Item:
    return Item(base + 0xFF00, tuple(base + number * TARIFF_STEP for number in range(0 if total else 1, 4)))


def _single(identifier: int) -> Item:
    return Item(None, (identifier,))


ITEMS: Final[dict[Read, tuple[Item, ...]]] = {
    Read.ENERGY: (Item(0x0001FF00, tuple(0x00010000 + tariff * TARIFF_STEP for tariff in range(TARIFFS + 1))),),
    Read.ENERGY_EXPORT: (_single(0x00020000),),
    Read.REACTIVE_ENERGY: (_single(0x00030000), _single(0x00040000)),
    Read.QUADRANT_ENERGY: tuple(_single(di2 << 16) for di2 in range(5, 9)),
    Read.APPARENT_ENERGY: (_single(0x00090000), _single(0x000A0000)),
    Read.PHASE_ENERGY: tuple(_single(di2 << 16) for di2 in (0x15, 0x16, 0x29, 0x2A, 0x3D, 0x3E)),
    Read.VOLTAGE: (_phases(0x02010000, total=False),),
    Read.CURRENT: (_phases(0x02020000, total=False),),
    Read.NEUTRAL_CURRENT: (_single(0x02800001),),
    Read.POWER: (_phases(0x02030000, total=True),),
    Read.REACTIVE_POWER: (_phases(0x02040000, total=True),),
    Read.APPARENT_POWER: (_phases(0x02050000, total=True),),
    Read.POWER_FACTOR: (_phases(0x02060000, total=True),),
    Read.PHASE_ANGLE: (_phases(0x02070000, total=False),),
    Read.FREQUENCY: (_single(0x02800002),),
    Read.DEMAND: (_single(0x02800004),),
    Read.MAX_DEMAND: (_single(0x01010000),),
    Read.THD: (_phases(0x02080000, total=False), _phases(0x02090000, total=False)),
    Read.HARMONICS: tuple(  # blocks that nothing stands in for: 126 single reads would be no help
        _single(base | phase << 8 | 0xFF) for base in (0x020A0000, 0x020B0000) for phase in range(1, 4)
    ),
    Read.TEMPERATURE: (_single(0x02800007),),
    Read.BATTERY: (_single(0x02800008), _single(0x02800009)),
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
    Read.PHASE_ANGLE,
    Read.FREQUENCY,
)
_ENERGIES: Final = (
    Read.ENERGY,
    Read.ENERGY_EXPORT,
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
    Read.POWER_FACTOR,
    Read.FREQUENCY,
    Read.DEMAND,
    Read.STATUS,
    Read.EVENTS,
    Read.CLOCK,
)
