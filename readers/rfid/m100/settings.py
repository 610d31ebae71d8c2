"""What a user may set for an M100 module."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from readers.access import Bank
from readers.driver import DriverSettings

ANTENNA_PORT: Final = 1  # these modules have one
Channel = Annotated[int, Field(ge=0, le=255)]


class Region(StrEnum):
    """The bands that the module knows."""

    CN_920 = "cn_920"
    CN_840 = "cn_840"
    US = "us"
    EU = "eu"
    KR = "kr"


REGION_CODES: Final = {Region.CN_920: 1, Region.US: 2, Region.EU: 3, Region.CN_840: 4, Region.KR: 6}


class SelectBank(StrEnum):
    """The banks that a mask can look at."""

    EPC = "epc"
    TID = "tid"
    USER = "user"

    @property
    def bank(self) -> Bank:
        """Its number on the air."""
        return {SelectBank.EPC: Bank.EPC, SelectBank.TID: Bank.TID, SelectBank.USER: Bank.USER}[self]


class SelectSettings(BaseModel):
    """Only tags whose memory holds `mask` at that place are inventoried."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mask: str = Field(pattern=r"^[0-9A-Fa-f]{1,62}$", description="what must stand there, hexadecimal, 4 bits a digit")
    bank: SelectBank = Field(default=SelectBank.EPC, description="the memory bank")
    pointer_bits: int = Field(
        default=32, ge=0, le=0xFFFF, description="where the mask begins, in bits; the EPC itself begins at 32"
    )


class M100Settings(DriverSettings):
    """Settings of driver `m100`."""

    tx_power_dbm: float = Field(
        default=20.0, ge=0, le=33, description="set and read back; modules round to their own steps, many end at 26"
    )
    region: Region | None = Field(
        default=None, description="the band, set and read back; default: the module keeps its own"
    )
    channels: tuple[Channel, ...] = Field(
        default=(),
        max_length=50,
        description="channel indices of the region, from 0: one fixes the channel, several are hopped over; default: "
        "the module keeps its own hopping",
    )
    session: int | None = Field(
        default=None, ge=0, le=3, description="Gen2 session, set and read back; default: the module's own"
    )
    target: Literal["a", "b"] | None = Field(
        default=None, description="Gen2 target, set and read back; default: the module's own"
    )
    q: int | None = Field(
        default=None, ge=0, le=15, description="slots of a round are 2^q, set and read back; default: the module's own"
    )
    select: SelectSettings | None = Field(default=None, description="inventory only some tags; default: all")
    read_tid: bool = Field(default=False, description="read the TID of each tag once while it is present")
    read_user_words: int = Field(
        default=0, ge=0, le=32, description="read so many words of user memory of each tag once while it is present"
    )
    absent_after_s: float = Field(
        default=10.0,
        ge=1,
        le=3600,
        description="a tag not heard for so long has gone; back again, its memory is read anew",
    )
    delimiters: Literal["auto", "bb_7e", "aa_dd"] = Field(
        default="auto", description="the frame form; `auto` asks in both who is there"
    )
    air_crc: Literal["required", "ignored"] = Field(
        default="required", description="`ignored` for modules that do not pass the tag's own CRC-16 on"
    )
    rounds: int = Field(default=10_000, ge=1, le=65_535, description="inventory rounds that are asked for at once")

    def antenna_ports(self) -> tuple[int, ...] | None:
        """The one antenna."""
        return (ANTENNA_PORT,)

    @property
    def reads_memory(self) -> bool:
        """Whether more than the EPC is read of a tag."""
        return self.read_tid or self.read_user_words > 0
