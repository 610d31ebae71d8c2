"""What a user may set for an LLRP reader: an intent, never a ROSpec."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from readers.driver import DriverSettings


class Profile(StrEnum):
    """What the reader is there for; it chooses Gen2 session, population, radio mode, batching and default power."""

    GATE = "gate"  # vehicles or pallets pass a portal: repeated reads of tens of tags, times within 0.1 s
    LANE = "lane"  # one vehicle at a time: as many reads as possible of a few tags
    YARD = "yard"  # a wide area with hundreds of tags, among other readers
    STATION = "station"  # one item at a work place, at short range
    SHELF = "shelf"  # an inventory of hundreds of tags that stay


class ProtocolVersion(StrEnum):
    """Which LLRP to speak."""

    AUTO = "auto"
    V1_0_1 = "1.0.1"
    V1_1 = "1.1"


AntennaPort = Annotated[int, Field(ge=1, le=255)]


class LlrpSettings(DriverSettings):
    """Settings of driver `llrp`."""

    profile: Profile = Field(default=Profile.GATE, description="what the reader is for; decides what is not set below")
    tx_power_dbm: float | None = Field(
        default=None,
        ge=0,
        le=36,
        description="conducted power at each antenna port; the reader's nearest step not above it is used. "
        "Default by profile, at most what the reader's region allows",
    )
    antennas: tuple[AntennaPort, ...] | None = Field(
        default=None, min_length=1, description="antenna ports to read with; default: all that are connected"
    )
    session: int | None = Field(default=None, ge=0, le=3, description="Gen2 session; default by profile")
    tag_population: int | None = Field(
        default=None, ge=1, le=65535, description="how many tags are in the field at a time; default by profile"
    )
    mode_identifier: int | None = Field(
        default=None, ge=0, le=65535, description="radio mode by the reader's own number; default by profile"
    )
    channel_index: int | None = Field(
        default=None, ge=1, le=65535, description="channel, only where the region has fixed channels (1 is the first)"
    )
    report_within_s: float | None = Field(
        default=None, ge=0.02, le=60, description="longest time that the reader may collect reads; default by profile"
    )
    report_every_n: int | None = Field(
        default=None, ge=1, le=65535, description="report at once after this many tags; 1 reports each read by itself"
    )
    keepalive_s: float = Field(
        default=5.0, ge=0.5, le=60, description="period of the reader's keepalives; the link counts as dead after 2.5"
    )
    protocol_version: ProtocolVersion = Field(
        default=ProtocolVersion.AUTO, description="1.0.1 for readers that cannot stand being asked for their version"
    )

    @model_validator(mode="after")
    def _each_antenna_once(self) -> Self:
        if self.antennas and len(set(self.antennas)) != len(self.antennas):
            raise ValueError(f"antennas = {list(self.antennas)}: each port may be named once")
        return self

    def antenna_ports(self) -> tuple[int, ...] | None:
        """The antenna ports that will be read."""
        return self.antennas
