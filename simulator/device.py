"""What a simulated device needs from the simulated world, and how it is served.

A twin is `async def serve(port, world_side, ...)`: it speaks the device's side of one connection until the link ends.
The world sits behind two small protocols, so that a twin runs in a unit test on a list of sightings as well as in a
scenario with radio, trucks and loads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, Protocol, runtime_checkable

from readers.tagdata.cards import CardIdentity


class Sighting(NamedTuple):
    """One successful singulation on the air."""

    at_us: int
    antenna_port: int
    epc: bytes
    rssi_dbm: float
    tid: bytes = b""
    phase_deg: float = 0.0
    channel_index: int = 1
    pc_bits: int | None = None
    user_memory: bytes = b""


class Radio(Protocol):
    """The tags in front of one reader."""

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        """What that antenna singulates while it is on, from `start_us` up to before `until_us`, in order of time."""


@dataclass(slots=True)
class TagMemory:
    """The memory of one simulated Gen2 tag. `epc_bank` begins with CRC and PC; locked banks refuse to be written.

    Attributes:
        least_write_dbm: a reader that sends with less gives it too little power for writing.
    """

    epc_bank: bytearray
    tid: bytes = b""
    user: bytearray = field(default_factory=bytearray)
    reserved: bytearray = field(default_factory=lambda: bytearray(8))
    locked_banks: frozenset[int] = frozenset()
    least_write_dbm: float = 0.0


@runtime_checkable
class WritableRadio(Radio, Protocol):
    """A radio whose tags have memory that a reader may work on."""

    def memory(self, epc: bytes) -> TagMemory | None:
        """The memory of the tag in the field with this EPC, to be changed in place; None when there is none."""


class CardField(Protocol):
    """The cards in front of one card reader."""

    def present(self, antenna_port: int, now_us: int) -> Sequence[CardIdentity]:
        """The cards that lie there now."""


@dataclass(frozen=True, slots=True)
class Weight:
    """What a scale shows."""

    gross_kg: Decimal
    tare_kg: Decimal = Decimal(0)
    is_stable: bool = True
    is_overloaded: bool = False


class Scale(Protocol):
    """What stands on one weighbridge."""

    def weight(self, now_us: int) -> Weight:
        """What the indicator shows at `now_us`."""


class Terminals(Protocol):
    """The wires of one module of inputs and outputs, numbered from 1."""

    def inputs(self, now_us: int) -> Sequence[bool]:
        """The state of each input."""

    def analogue_inputs(self, now_us: int) -> Sequence[int]:
        """The raw register of each analogue input."""

    def outputs(self) -> Sequence[bool]:
        """The state of each output."""

    def set_output(self, number: int, *, is_on: bool, now_us: int) -> None:
        """A client has switched an output."""


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
