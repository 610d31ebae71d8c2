"""Settings of the driver `dlt645`."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from readers.bus import Rank
from readers.control import Action, ControlPoint
from readers.credentials import CredentialName
from readers.driver import DriverSettings
from readers.meters.dlt645.items import RANKS, USUAL, Read

_ADDRESS_DIGITS: Final = 12
_ADDRESS: Final = re.compile(r"[0-9]{1,12}")
_POWER_S: Final = 15.0
_ENERGY_S: Final = 60.0
_DEMAND_S: Final = 900.0
_DAY_S: Final = 86_400.0
_PLAIN_LEVELS: Final = 9
RELAY: Final = "relay"
_RELAY_ACTIONS: Final = (
    Action.TRIP,
    Action.PERMIT_CLOSE,
    Action.CLOSE,
    Action.ALARM_ON,
    Action.ALARM_OFF,
    Action.PROTECT_ON,
    Action.PROTECT_OFF,
)
_RELAY_SHOWS: Final = ("is_closed", "is_closing_permitted", "is_protected", "is_alarm", "current_a", "power_w")
_RELAY_SETTLES_S: Final = 10.0
SNAPSHOT: Final = "snapshot"


class Protocol(StrEnum):
    """Which edition of the standard a meter speaks."""

    EDITION_2007 = "2007"
    EDITION_1997 = "1997"
    AUTO = "auto"


class ClockSync(StrEnum):
    """Whether meters' clocks may be set."""

    OFF = "off"
    BROADCAST = "broadcast"
    ADDRESSED = "addressed"


class Meter(BaseModel):
    """One meter on the line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9_-]+$", max_length=64, description="its name in the site, `[a-z0-9_-]`")
    address: str | None = Field(
        default=None,
        description="as printed on the meter, in quotes; leading zeros may be left out. "
        "A meter alone on its line may leave it out: it is asked",
    )
    protocol: Protocol = Field(
        default=Protocol.EDITION_2007,
        description='the edition of DL/T 645 that it speaks; "auto" tries both until it has answered to one',
    )

    @field_validator("address")
    @classmethod
    def _whole(cls, address: str | None) -> str | None:
        if address is None:
            return None
        if not _ADDRESS.fullmatch(address):
            raise ValueError("must be the 1 to 12 decimal digits printed on the meter, in quotes")
        return address.zfill(_ADDRESS_DIGITS)


class Dlt645Settings(DriverSettings):
    """Settings of driver `dlt645`."""

    meters: tuple[Meter, ...] = Field(min_length=1, max_length=256, description="the meters on this line")
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
    wake_up_bytes: int = Field(
        default=4, ge=0, le=16, description="most FE bytes before a request; a meter that needs fewer gets fewer"
    )
    meter_utc_offset_min: int = Field(
        default=480, ge=-720, le=840, description="the meters' local time, for values that carry one; China is 480"
    )
    clock_sync: ClockSync = Field(
        default=ClockSync.OFF,
        description="how a meter's clock is set that is 5 s to 5 min wrong, at most once a day; "
        '"broadcast" sets all meters of the line',
    )
    control_credential: CredentialName | None = Field(
        default=None,
        description="name of the credential with password and operator code for orders to the meters' relays; "
        "without it nothing can be ordered",
    )
    control_level: int = Field(default=2, ge=0, description="the level of that password, 0 to 9")

    @field_validator("control_level")
    @classmethod
    def _plain(cls, level: int) -> int:
        if level > _PLAIN_LEVELS:
            raise ValueError(
                "must be 0 to 9: orders of level 98 and 99 are encrypted by a security module (ESAM), which cannot be "
                "done here; ask the grid company for a plain password, or switch an external breaker"
            )
        return level

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what in ("name", "address"):
            values = [value for meter in self.meters if (value := getattr(meter, what)) is not None]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"meters: {what} {', '.join(twice)} is given twice; each meter needs its own")
        nameless = [meter for meter in self.meters if meter.address is None]
        names = ", ".join(meter.name for meter in nameless)
        if len(self.meters) > 1 and nameless:
            raise ValueError(f"meters: {names} has no address; only a meter alone on its line can be asked for it")
        if any(meter.protocol is not Protocol.EDITION_2007 for meter in nameless):
            raise ValueError(f"meters: {names} has no address; only meters of the edition of 2007 can be asked for it")
        return self

    def sources(self) -> tuple[str, ...]:
        """The meters."""
        return tuple(meter.name for meter in self.meters)

    def control_points(self) -> tuple[ControlPoint, ...]:
        """The snapshot of each meter of 2007; its relay too, where a password to order it about is given."""
        snapshots = tuple(
            ControlPoint(SNAPSHOT, meter.name, (Action.FREEZE,), shows=("frozen_at",))
            for meter in self.meters
            if meter.protocol is not Protocol.EDITION_1997
        )
        if self.control_credential is None:
            return snapshots
        relays = tuple(
            ControlPoint(RELAY, source, _RELAY_ACTIONS, shows=_RELAY_SHOWS, settles_s=_RELAY_SETTLES_S)
            for source in self.sources()
        )
        return relays + snapshots

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
