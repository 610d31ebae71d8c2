"""What a simulated device needs from the simulated world, and how it is served.

A twin is `async def serve(port, world_side, ...)`: it speaks the device's side of one connection until the link ends.
The world sits behind two small protocols, so that a twin runs in a unit test on a list of sightings as well as in a
scenario with radio, trucks and loads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, Protocol


class Sighting(NamedTuple):
    """One successful singulation on the air."""

    at_us: int
    antenna_port: int
    epc: bytes
    rssi_dbm: float
    tid: bytes = b""
    phase_deg: float = 0.0
    channel_index: int = 1


class Radio(Protocol):
    """The tags in front of one reader."""

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        """What that antenna singulates while it is on, from `start_us` up to before `until_us`, in order of time."""


@dataclass(frozen=True, slots=True)
class MeterState:
    """The registers of an electricity meter at one instant. Tuples are by phase A, B, C; tariffs are T1 to T4."""

    active_energy_import_wh: Decimal
    active_energy_import_by_tariff_wh: tuple[Decimal, Decimal, Decimal, Decimal]
    active_energy_export_wh: Decimal
    voltage_v: tuple[Decimal | None, Decimal | None, Decimal | None]
    current_a: tuple[Decimal | None, Decimal | None, Decimal | None]
    active_power_w: tuple[Decimal | None, Decimal | None, Decimal | None]
    reactive_power_var: tuple[Decimal | None, Decimal | None, Decimal | None]
    power_factor: tuple[Decimal | None, Decimal | None, Decimal | None]
    frequency_hz: Decimal
    active_demand_w: Decimal


class Load(Protocol):
    """What one meter measures."""

    def state(self, now_us: int) -> MeterState:
        """The registers at `now_us`; energies never decrease."""
