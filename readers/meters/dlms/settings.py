"""Settings of the driver `dlms`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from readers.bus import Rank
from readers.control import Action, ControlPoint
from readers.credentials import CredentialName
from readers.driver import DriverSettings
from readers.errors import ConfigError
from readers.obis import ObisCode
from readers.obis_meanings import meaning_of

PUBLIC_CLIENT: Final = 16
POINT: Final = "relay"
ORDERS: Final = (Action.TRIP, Action.PERMIT_CLOSE, Action.CLOSE)
SHOWS: Final = ("is_closed", "is_closing_permitted", "control_mode", "current_a", "power_w")
SETTLES_S: Final = 10.0
_MOST_METERS: Final = 256
_MOST_HDLC_CLIENT: Final = 0x7F
_MOST_HDLC_PART: Final = 0x3FFF
_POWER_S: Final = 15.0
_ENERGY_S: Final = 60.0
_DEMAND_S: Final = 900.0
_SYSTEM_TITLE: Final = "5457470000000001"  # "TWG" and a number: unique among the clients of a meter
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]+$", max_length=64)]
Title = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{16}$")]


class Framing(StrEnum):
    """How APDUs stand on the wire."""

    HDLC = "hdlc"
    WRAPPER = "wrapper"


class Authentication(StrEnum):
    """How the client proves who it is."""

    NONE = "none"
    LOW = "low"
    HLS_GMAC = "hls_gmac"


class Deviation(StrEnum):
    """Which way a meter counts the deviation in its times."""

    STANDARD = "standard"
    INVERTED = "inverted"


class Meter(BaseModel):
    """One meter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="its name in the site, `[a-z0-9_-]`")
    logical: int = Field(
        default=1, ge=1, le=_MOST_HDLC_PART, description="the logical device: HDLC upper address, or server wPort"
    )
    physical: int | None = Field(
        default=None,
        ge=0,
        le=_MOST_HDLC_PART,
        description="HDLC lower address, often the end of the serial number plus 1000; none: one byte of address",
    )
    address_bytes: Literal[1, 2, 4] | None = Field(
        default=None,
        description="bytes of its address on the line; default: as few as hold it, and some meters want 4 all the same",
    )
    client: int = Field(default=PUBLIC_CLIENT, ge=1, le=0xFFFF, description="the client's number; 16 is the public one")
    authentication: Authentication = Field(
        default=Authentication.NONE,
        description='how the client proves who it is: `"none"`, `"low"` by a password, or `"hls_gmac"` with keys of '
        "security suite 0, all APDUs encrypted and authenticated",
    )
    password_credential: CredentialName | None = Field(
        default=None, description='name of the credential with the password of `"low"`'
    )
    encryption_key_credential: CredentialName | None = Field(
        default=None,
        description='name of the credential with the global unicast encryption key of `"hls_gmac"`, in hex',
    )
    authentication_key_credential: CredentialName | None = Field(
        default=None, description='name of the credential with the authentication key of `"hls_gmac"`, in hex'
    )
    system_title: Title = Field(
        default=_SYSTEM_TITLE,
        description="the client's system title, 8 bytes in hex; no other client of this meter may have it",
    )
    counter: str = Field(
        default="0-0:43.1.0",
        description="where the meter shows the invocation counter of this client to the public client",
    )

    @property
    def fits(self) -> bool:
        """Its address fits into the bytes that it has on the line."""
        size = self.address_bytes or (1 if self.physical is None else 4)
        if (size == 1) != (self.physical is None):
            return False
        return size == 4 or max(self.logical, self.physical or 0) <= _MOST_HDLC_CLIENT  # noqa: PLR2004 - bytes

    @field_validator("counter")
    @classmethod
    def _is_code(cls, counter: str) -> str:
        obis(counter)
        return counter

    @model_validator(mode="after")
    def _has_secrets(self) -> Self:
        needed = {
            Authentication.NONE: (),
            Authentication.LOW: ("password_credential",),
            Authentication.HLS_GMAC: ("encryption_key_credential", "authentication_key_credential"),
        }[self.authentication]
        for name in ("password_credential", "encryption_key_credential", "authentication_key_credential"):
            given = getattr(self, name) is not None
            if given != (name in needed):
                raise ValueError(
                    f'{name}: {"is of no use" if given else "is needed"} with authentication = "{self.authentication}"'
                )
        if self.authentication is Authentication.HLS_GMAC and self.client == PUBLIC_CLIENT:
            raise ValueError(
                "client: 16 is the public client, which has no keys; must be the number of a client with keys"
            )
        return self


class DlmsSettings(DriverSettings):
    """Settings of driver `dlms`."""

    meters: tuple[Meter, ...] = Field(
        min_length=1, max_length=_MOST_METERS, description="the meters on this line or behind this connection"
    )
    framing: Framing = Field(
        default=Framing.HDLC,
        description='`"hdlc"` for lines, also behind a device server; `"wrapper"` for TCP, port 4059',
    )
    read: tuple[str, ...] = Field(
        default=(),
        description="OBIS codes of what is read, `1-0:1.8.0`; default: all registers that have a meaning here",
    )
    power_s: float = Field(
        default=_POWER_S, ge=1, le=86_400, description="how often voltages, currents and powers are read"
    )
    energy_s: float = Field(default=_ENERGY_S, ge=1, le=86_400, description="how often energies are read")
    demand_s: float = Field(
        default=_DEMAND_S, ge=1, le=86_400, description="how often demands and power quality are read"
    )
    status_s: float = Field(
        default=60.0, ge=1, le=86_400, description="how often the relay is read, where there is one"
    )
    backfill_days: float = Field(
        default=1.0,
        ge=0,
        le=62,
        description="how far back the meters' load profile is read at the start; 0: none, then and after gaps",
    )
    profile: str = Field(default="1-0:99.1.0", description="the load profile that back-fill reads")
    answer_within_s: float = Field(
        default=3.0,
        ge=0.1,
        le=30,
        description="how long a meter may take to begin its answer; how long it usually takes is learnt",
    )
    meter_utc_offset_min: int = Field(
        default=480,
        ge=-720,
        le=840,
        description="the meters' local time, where their times do not say it; China is 480",
    )
    deviation: Deviation = Field(
        default=Deviation.STANDARD,
        description='which way times count their deviation: `"standard"` from local time to UTC, or `"inverted"`',
    )
    relay_orders: bool = Field(
        default=False,
        description="whether orders to the meters' relays may be given; needs more than the public client",
    )

    @field_validator("read", "profile")
    @classmethod
    def _are_codes(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for code in (given,) if isinstance(given, str) else given:
            parsed = obis(code)
            if not isinstance(given, str) and meaning_of(parsed) is None:
                raise ValueError(f"{code} has no meaning here; leave it out")
        return given

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [meter.name for meter in self.meters]
        addresses = [f"logical {each.logical}, physical {each.physical}" for each in self.meters]
        for what, values in (("name", names), ("address", addresses)):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"meters: {what} {'; '.join(twice)} is given twice; each meter needs its own")
        return self

    @model_validator(mode="after")
    def _fits_the_line(self) -> Self:
        for meter in self.meters:
            if self.framing is Framing.WRAPPER and (meter.physical is not None or meter.address_bytes is not None):
                raise ValueError(
                    f"meters: {meter.name} has physical or address_bytes, which the wrapper does not know; "
                    "leave them away"
                )
            if self.framing is Framing.HDLC and meter.client > _MOST_HDLC_CLIENT:
                raise ValueError(
                    f"meters: client of {meter.name} is {meter.client}; on a line at most {_MOST_HDLC_CLIENT}"
                )
            if self.framing is Framing.HDLC and not meter.fits:
                raise ValueError(
                    f"meters: the address of {meter.name} does not fit: without physical it has 1 byte and logical "
                    "is at most 127; with it 2 bytes and both at most 127, or 4 bytes"
                )
            if self.relay_orders and meter.authentication is Authentication.NONE:
                raise ValueError(f'meters: {meter.name} has authentication = "none"; orders to its relay need more')
        return self

    def sources(self) -> tuple[str, ...]:
        """The meters."""
        return tuple(meter.name for meter in self.meters)

    def control_points(self) -> tuple[ControlPoint, ...]:
        """Their relays, where orders may be given."""
        if not self.relay_orders:
            return ()
        return tuple(ControlPoint(POINT, source, ORDERS, shows=SHOWS, settles_s=SETTLES_S) for source in self.sources())

    def period_s(self, rank: Rank) -> float:
        """How often what is of a rank is read."""
        return {
            Rank.ALARM: self.status_s,
            Rank.POWER: self.power_s,
            Rank.ENERGY: self.energy_s,
            Rank.DEMAND: self.demand_s,
        }[rank]


def obis(code: str) -> ObisCode:
    """The code that a setting says.

    Raises:
        ValueError: it is none.
    """
    try:
        return ObisCode.parse(code)
    except ConfigError as error:
        raise ValueError(str(error)) from error
