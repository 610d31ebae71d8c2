"""Settings of driver `osdp`."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from readers.credentials import CredentialName
from readers.driver import DriverSettings
from readers.tagdata.card_formats import CardFormat
from readers.units import Unit, checked

MOST_UNITS: Final = 16  # each is polled 20 times a second at best; libosdp tells of 32 at most


class OsdpUnit(Unit):
    """One device on the line; its readers 0, 1 ... are its antennas 1, 2 ..."""

    address: int = Field(default=0, ge=0, le=126, description="its OSDP address; many leave the factory at 0")
    scbk_credential: CredentialName | None = Field(
        default=None,
        description="name of the credential with its secure channel base key, 32 hex digits; without it: in the clear",
    )
    default_key: Literal["refused", "allowed"] = Field(
        default="refused",
        description="`allowed`: the credential may hold the key that everybody knows (SCBK-D), as on a test bench",
    )
    card: CardFormat | None = Field(default=None, description="how this device writes cards; default: as the line's")


class OsdpSettings(DriverSettings):
    """Settings of driver `osdp`."""

    units: tuple[OsdpUnit, ...] = Field(
        default=(OsdpUnit(),), min_length=1, max_length=MOST_UNITS, description="the devices on the line"
    )
    card: CardFormat = Field(default=CardFormat(), description="how the readers write what they read")
    keypad: Literal["ignored", "with_card"] = Field(
        default="ignored", description="`with_card`: what is typed before or after a card goes with it, up to the #"
    )
    keys_within_s: float = Field(
        default=10.0, ge=1, le=60, description="with keypad: how long a card waits for keys, and keys for a card"
    )
    absent_after_s: float = Field(
        default=1.0, ge=0.1, le=60, description="a card told again within this time still lies there"
    )

    @model_validator(mode="after")
    def _units_can_share_the_line(self) -> Self:
        checked(self.units)
        return self

    def antenna_ports(self) -> tuple[int, ...] | None:
        """The readers of all devices."""
        return tuple(port for unit in self.units for port in unit.ports())
