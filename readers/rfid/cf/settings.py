"""Settings of driver `cf`."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from readers.codecs.cf import BROADCAST
from readers.codecs.cf_band import Region
from readers.driver import DriverSettings

ANTENNAS_MOST: Final = 8


class Mode(StrEnum):
    """Who begins to speak."""

    AUTO = "auto"
    ANSWER = "answer"
    ACTIVE = "active"


class CfSettings(DriverSettings):
    """Settings of driver `cf`."""

    mode: Mode = Field(
        default=Mode.AUTO,
        description="`answer`: the driver starts the inventory; `active`: the reader reports by itself; `auto`: as "
        "`answer`, but listens to a reader that cannot be switched",
    )
    address: int = Field(default=BROADCAST, ge=0, le=255, description="255: whoever is alone on the line")
    antennas: tuple[int, ...] | None = Field(
        default=None, min_length=1, description="antennas in use, 1 to 8, set and read back; default: the reader's own"
    )
    tx_power_dbm: int | None = Field(
        default=None, ge=1, le=33, description="set and read back; default: the reader keeps its own"
    )
    region: Region | None = Field(
        default=None, description="the whole band, set and read back; default: the reader keeps its own"
    )
    q: int | None = Field(default=None, ge=0, le=15, description="Gen2 Q, set and read back; default: the reader's own")
    session: Literal[0, 1, 2, 3] | None = Field(
        default=None, description="Gen2 session, set and read back; default: the reader's own"
    )
    rounds: int = Field(
        default=0, ge=0, le=65_535, description="inventory rounds asked for at once; 0: until it is stopped"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for antenna in self.antennas or ():
            if not 1 <= antenna <= ANTENNAS_MOST:
                raise ValueError(f"antenna {antenna}: these readers have antennas 1 to {ANTENNAS_MOST}")
        if self.antennas is not None and len(set(self.antennas)) < len(self.antennas):
            raise ValueError("an antenna is named twice")
        return self

    def antenna_ports(self) -> tuple[int, ...] | None:
        """As set, or the reader decides."""
        return self.antennas
