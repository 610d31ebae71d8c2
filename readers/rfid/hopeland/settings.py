"""Settings of driver `hopeland`."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from readers.codecs.hopeland import MAX_ANTENNAS
from readers.codecs.hopeland_band import Region
from readers.driver import DriverSettings

AntennaPort = Annotated[int, Field(ge=1, le=MAX_ANTENNAS)]


class HopelandSettings(DriverSettings):
    """Settings of driver `hopeland`."""

    region: Region | None = Field(
        default=None, description="the band, set and read back; default: the reader keeps its own"
    )
    tx_power_dbm: float = Field(
        default=20.0, ge=0, le=36, multiple_of=1, description="whole dBm, set for each antenna and read back"
    )
    antennas: tuple[AntennaPort, ...] | None = Field(
        default=None, min_length=1, description="antenna ports to read with; default: all that the reader has"
    )
    read_tid: int = Field(
        default=0, ge=0, le=32, description="words of TID memory to read of each tag at most; 0: none, which is faster"
    )

    @model_validator(mode="after")
    def _each_antenna_once(self) -> Self:
        if self.antennas and len(set(self.antennas)) != len(self.antennas):
            raise ValueError(f"antennas = {list(self.antennas)}: each port may be named once")
        return self

    def antenna_ports(self) -> tuple[int, ...] | None:
        """The antenna ports that will be read."""
        return self.antennas
