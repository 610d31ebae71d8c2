"""What may be set for a ThingMagic module, and the numbers by which it knows it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from readers.driver import DriverSettings

AntennaPort = Annotated[int, Field(ge=1, le=16)]


class Region(StrEnum):
    """Bands by the Mercury API's names; which of them a module knows depends on its model and licence."""

    NA = "na"
    EU = "eu"
    KR = "kr"
    IN = "in"
    JP = "jp"
    PRC = "prc"
    EU2 = "eu2"
    EU3 = "eu3"
    KR2 = "kr2"
    PRC2 = "prc2"
    AU = "au"
    NZ = "nz"
    NA2 = "na2"
    NA3 = "na3"
    IS = "is"
    MY = "my"
    ID = "id"
    PH = "ph"
    TW = "tw"
    MO = "mo"
    RU = "ru"
    SG = "sg"
    JP2 = "jp2"
    JP3 = "jp3"
    VN = "vn"
    TH = "th"
    AR = "ar"
    HK = "hk"
    BD = "bd"
    EU4 = "eu4"
    IS2 = "is2"
    NA4 = "na4"
    OPEN = "open"


# Source: Mercury API 1.35.2, tmr_region.h. Number 31 is for HF modules, 0 is none.
REGION_CODES: Final = {
    **dict(zip(list(Region)[: list(Region).index(Region.EU4) + 1], range(1, 31), strict=True)),
    Region.IS2: 32,
    Region.NA4: 33,
    Region.OPEN: 255,
}
REGIONS: Final = {code: region for region, code in REGION_CODES.items()}
TARGETS: Final = {"a": b"\x01\x00", "b": b"\x01\x01", "ab": b"\x00\x00", "ba": b"\x00\x01"}


class ThingMagicSettings(DriverSettings):
    """Settings of driver `thingmagic`."""

    region: Region | None = Field(
        default=None, description="the band, set and read back; needed where the module has none of its own"
    )
    tx_power_dbm: float = Field(
        default=20.0, ge=-10, le=33, description="set and read back; cut to what the module says that it can"
    )
    antennas: tuple[AntennaPort, ...] | None = Field(
        default=None, min_length=1, description="antenna ports to read with; default: all where one is detected"
    )
    session: int | None = Field(default=None, ge=0, le=3, description="Gen2 session; default: the module's own")
    target: Literal["a", "b", "ab", "ba"] | None = Field(
        default=None, description="Gen2 target: `a`, `b`, or both in turn; default: the module's own"
    )
    q: int | None = Field(default=None, ge=0, le=15, description="fixed Gen2 Q; default: the module's own choice")
    read_tid: int = Field(
        default=0, ge=0, le=32, description="words of TID memory to read of each tag found; 0: none, which is faster"
    )
    air_crc: Literal["required", "ignored"] = Field(
        default="required", description="`ignored` for modules that do not pass the tag's own CRC-16 on"
    )

    @model_validator(mode="after")
    def _each_antenna_once(self) -> Self:
        if self.antennas and len(set(self.antennas)) != len(self.antennas):
            raise ValueError(f"antennas = {list(self.antennas)}: each port may be named once")
        return self

    def antenna_ports(self) -> tuple[int, ...] | None:
        """The antenna ports that will be read."""
        return self.antennas
