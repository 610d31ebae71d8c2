"""Settings of the driver `dlt698`."""

from __future__ import annotations

import re
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from readers.bus import Rank
from readers.codecs.dlt698 import USUAL_ADDRESS_DIGITS
from readers.driver import DriverSettings
from readers.meters.dlt698.items import RANKS, USUAL, Read

_ADDRESS: Final = re.compile(r"[0-9]{1,32}")
_PUBLIC_CLIENT: Final = 16
_POWER_S: Final = 15.0
_ENERGY_S: Final = 60.0
_DEMAND_S: Final = 900.0
_DAY_S: Final = 86_400.0


class Meter(BaseModel):
    """One meter on the line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9_-]+$", max_length=64, description="its name in the site, `[a-z0-9_-]`")
    address: str | None = Field(
        default=None,
        description="as printed on the meter, in quotes; leading zeros may be left out up to 12 digits. "
        "A meter alone on its line may leave it out: it is asked",
    )
    logical_address: int = Field(default=0, ge=0, le=3, description="0 for the meter itself, 1 for its metering module")

    @field_validator("address")
    @classmethod
    def _whole(cls, address: str | None) -> str | None:
        if address is None:
            return None
        if not _ADDRESS.fullmatch(address):
            raise ValueError("must be the 1 to 32 decimal digits printed on the meter, in quotes")
        return address.zfill(max(USUAL_ADDRESS_DIGITS, len(address) + len(address) % 2))


class Dlt698Settings(DriverSettings):
    """Settings of driver `dlt698`."""

    meters: tuple[Meter, ...] = Field(min_length=1, max_length=256, description="the meters on this line")
    client_address: int = Field(
        default=_PUBLIC_CLIENT, ge=0, le=255, description="how this client names itself to the meters; 0 is nobody"
    )
    poll_s: float | None = Field(
        default=None,
        ge=1,
        le=86_400,
        description="one period for power_s, energy_s and demand_s where they are not set",
    )
    read: tuple[Read, ...] = Field(default=USUAL, min_length=1, description="what is read from each of them")
    power_s: float | None = Field(
        default=None, ge=1, le=86_400, description="how often voltages, currents and powers are read; usually 15"
    )
    energy_s: float | None = Field(default=None, ge=1, le=86_400, description="how often energies are read; usually 60")
    demand_s: float | None = Field(
        default=None, ge=1, le=86_400, description="how often demands and power quality are read; usually 900"
    )
    status_s: float = Field(default=60.0, ge=1, le=86_400, description="how often relay and faults are read")
    events_s: float = Field(default=3600.0, ge=10, le=86_400, description="how often the counts of events are read")
    backfill_days: float = Field(
        default=1.0,
        ge=0,
        le=62,
        description="how far back the meters' own records are read at the start; 0: none, then and after gaps",
    )
    most_at_once: int = Field(
        default=12, ge=1, le=32, description="most objects in one request; a meter that takes fewer is asked for fewer"
    )
    wake_up_bytes: int = Field(default=4, ge=0, le=16, description="FE bytes before a request")
    meter_utc_offset_min: int = Field(
        default=480, ge=-720, le=840, description="the meters' local time, for values that carry one; China is 480"
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what in ("name", "address"):
            values = [value for meter in self.meters if (value := getattr(meter, what)) is not None]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"meters: {what} {', '.join(twice)} is given twice; each meter needs its own")
        nameless = [meter.name for meter in self.meters if meter.address is None]
        if len(self.meters) > 1 and nameless:
            raise ValueError(
                f"meters: {', '.join(nameless)} has no address; only a meter alone on its line can be asked for it"
            )
        return self

    def sources(self) -> tuple[str, ...]:
        """The meters."""
        return tuple(meter.name for meter in self.meters)

    def period_s(self, what: Read) -> float:
        """How often something is read."""
        if what is Read.STATUS:
            return self.status_s
        if what is Read.EVENTS:
            return self.events_s
        if what is Read.CLOCK:
            return _DAY_S
        own_s, usual_s = {
            Rank.POWER: (self.power_s, _POWER_S),
            Rank.ENERGY: (self.energy_s, _ENERGY_S),
            Rank.DEMAND: (self.demand_s, _DEMAND_S),
        }[RANKS[what]]
        return own_s or self.poll_s or usual_s
