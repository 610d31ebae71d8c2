"""What a user may set for a line of R2000 readers."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from readers.codecs.a0 import ANTENNAS_OF_A_GROUP, BROADCAST, FREQUENCY_INDICES, Command
from readers.codecs.a0_band import HIGHEST_KHZ, LOWEST_KHZ, STEP_UNIT_KHZ, Band, CustomBand, RegionCode, TableBand
from readers.driver import DriverSettings
from readers.units import Unit, checked

REPEAT_SHORTEST: Final = 255  # in command 89: as short as the module can


class Region(StrEnum):
    """The bands of the module's own table."""

    US = "us"
    EU = "eu"
    CN_920 = "cn_920"


REGION_CODES: Final = {Region.US: RegionCode.FCC, Region.EU: RegionCode.ETSI, Region.CN_920: RegionCode.CHN}


class Inventory(StrEnum):
    """Which command inventories."""

    REAL_TIME = "real_time"
    FAST_SWITCH = "fast_switch"
    SESSION = "session"


COMMANDS: Final = {
    Inventory.REAL_TIME: Command.REAL_TIME,
    Inventory.FAST_SWITCH: Command.FAST_SWITCH,
    Inventory.SESSION: Command.SESSION,
}


class Channels(BaseModel):
    """A band of the user's own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start_khz: int = Field(ge=LOWEST_KHZ, le=HIGHEST_KHZ, description="the first frequency")
    step_khz: int = Field(ge=STEP_UNIT_KHZ, le=2550, multiple_of=STEP_UNIT_KHZ, description="from one to the next")
    count: int = Field(ge=1, le=FREQUENCY_INDICES, description="how many there are")

    @model_validator(mode="after")
    def _inside(self) -> Self:
        last_khz = self.start_khz + (self.count - 1) * self.step_khz
        if last_khz > HIGHEST_KHZ:
            raise ValueError(f"the last frequency would be {last_khz} kHz; the module goes to {HIGHEST_KHZ}")
        return self


class A0Settings(DriverSettings):
    """Settings of driver `a0`."""

    units: tuple[Unit, ...] = Field(
        default=(Unit(address=BROADCAST),),
        min_length=1,
        description="the readers of the line; address 255 reaches a reader that is alone, whatever its own is",
    )
    reader_ports: Literal[1, 4, 8, 16] = Field(default=4, description="antenna ports that each reader has")
    inventory: Inventory = Field(
        default=Inventory.REAL_TIME,
        description="`real_time` (89) and `session` (8B) go from antenna to antenna by command, `fast_switch` (8A) by "
        "itself",
    )
    session: int = Field(default=1, ge=0, le=3, description="Gen2 session of `session` and of long `fast_switch`")
    target: Literal["a", "b", "alternating"] = Field(
        default="a", description="tags of which inventoried flag answer, where the session is set"
    )
    repeat: int = Field(
        default=1,
        ge=1,
        le=REPEAT_SHORTEST,
        description="passes of a round; 255 under `real_time` is the module's shortest round",
    )
    stay: int = Field(default=1, ge=1, le=255, description="passes on an antenna before `fast_switch` goes on")
    interval_ms: int = Field(default=0, ge=0, le=255, description="rest between two antennas of `fast_switch`")
    fast_switch_form: Literal["short", "long"] = Field(
        default="short", description="`long` names session, target and phase as well; newer firmware wants it"
    )
    phase_steps_per_turn: int | None = Field(
        default=None,
        ge=2,
        le=65_536,
        description="asks for the phase, and says how many of its steps are 360 degrees, which differs by firmware",
    )
    tx_power_dbm: int = Field(
        default=20, ge=0, le=33, description="set where it differs (the module keeps it in flash) and read back"
    )
    antenna_tx_power_dbm: dict[int, int] = Field(
        default_factory=dict, description="another power for single antenna ports of the line: `{ 2 = 27 }`"
    )
    region: Region | None = Field(
        default=None, description="set and read back; narrower limits inside it stay; default: the module keeps its own"
    )
    channels: Channels | None = Field(
        default=None, description="a band of your own instead of a region: `{ start_khz, step_khz, count }`"
    )
    antenna_check_db: int | None = Field(
        default=None,
        ge=0,
        le=30,
        description="return loss below which an antenna counts as missing; 0 never; default: the module keeps its own",
    )
    temperature_every_s: float = Field(default=600.0, ge=10, description="how often the module's temperature is asked")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        checked(self.units)
        if len(self.units) > 1 and any(unit.address == BROADCAST for unit in self.units):
            raise ValueError("address 255 reaches every reader of the line: name the real address of each")
        for unit in self.units:
            most = max(unit.antennas)
            if most > self.reader_ports:
                raise ValueError(f"antenna {most} of address {unit.address}: reader_ports = {self.reader_ports}")
        if self.region is not None and self.channels is not None:
            raise ValueError("give region or channels, not both")
        if self.phase_steps_per_turn is not None and not self.is_long:
            raise ValueError(
                "phase_steps_per_turn needs inventory = session, or fast_switch with fast_switch_form = long"
            )
        for port, power_dbm in self.antenna_tx_power_dbm.items():
            if port not in self.antenna_ports():
                raise ValueError(f"antenna_tx_power_dbm names port {port}, which no unit reads")
            if not 0 <= power_dbm <= 33:  # noqa: PLR2004 - as tx_power_dbm
                raise ValueError(f"antenna_tx_power_dbm of port {port} is {power_dbm}: 0 to 33 are possible")
        return self

    @property
    def is_long(self) -> bool:
        """The inventory command names session and target."""
        return self.inventory is Inventory.SESSION or (
            self.inventory is Inventory.FAST_SWITCH and self.fast_switch_form == "long"
        )

    @property
    def wants_phase(self) -> bool:
        """The phase is asked for."""
        return self.phase_steps_per_turn is not None

    @property
    def power_slots(self) -> int:
        """How many antennas one power command speaks of."""
        return min(self.reader_ports, ANTENNAS_OF_A_GROUP)

    def power_dbm(self, port: int) -> int:
        """The power of an antenna port of the line."""
        return self.antenna_tx_power_dbm.get(port, self.tx_power_dbm)

    def antenna_ports(self) -> tuple[int, ...]:
        """All that are read."""
        return tuple(port for unit in self.units for port in unit.ports())

    def is_met_by(self, band: Band) -> bool:
        """A band is what these settings ask for."""
        if self.channels is not None:
            return band == CustomBand(self.channels.start_khz, self.channels.step_khz, self.channels.count)
        return self.region is None or (isinstance(band, TableBand) and band.region == REGION_CODES[self.region])
