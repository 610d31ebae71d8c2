"""What a user may set for an LLRP reader: an intent, never a ROSpec."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from readers.credentials import CredentialName
from readers.driver import DriverSettings
from readers.rfid.llrp.identity import OtherIdentity

TAG_FOCUS_SESSION: Final = 1  # the only session in which a tag can be kept from answering again


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


class TidBy(StrEnum):
    """How TIDs are read along with the inventory."""

    AUTO = "auto"  # FastID on Impinj readers, a read of each tag on all others
    FAST_ID = "fast_id"  # the tag sends its TID with its EPC: no slower, but only Impinj chips can
    READ = "read"  # the reader reads the TID of each tag that it hears: any chip, some ms each


class SearchMode(StrEnum):
    """How an Impinj reader goes through the tags."""

    READER_SELECTED = "reader_selected"
    SINGLE_TARGET = "single_target"  # each tag once, until its session persistence has run out
    DUAL_TARGET = "dual_target"  # every tag over and over
    TAG_FOCUS = "tag_focus"  # each tag once and then kept silent; Impinj chips, session 1


AntennaPort = Annotated[int, Field(ge=1, le=255)]
IoPort = Annotated[int, Field(ge=1, le=255)]
ConductedPower = Annotated[float, Field(ge=0, le=36)]
Attenuation = Annotated[float, Field(ge=0, le=128)]


class TagFilter(BaseModel):
    """Tags whose memory begins like this are read, all others are not. Of several filters one must fit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bank: Literal["epc", "tid", "user"] = Field(default="epc", description="the memory bank that is compared")
    bit: int = Field(
        default=32, ge=0, le=65535, description="the first bit; the EPC itself begins at 32, behind CRC and PC word"
    )
    mask: str = Field(
        pattern="^[0-9A-Fa-f]+$", max_length=124, description="what must stand there, in hex, 4 bits a digit"
    )


class Trigger(BaseModel):
    """The inventory runs only while an input of the reader asks for it: a loop in the lane, a photo-eye, a door."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    gpi: IoPort = Field(description="the input")
    state: Literal["high", "low"] = Field(default="high", description="the level at which the inventory starts")
    until: Literal["left", "timeout"] = Field(
        default="left",
        description="`left`: it stops when the input leaves that level, at the latest after `timeout_s`; "
        "`timeout`: it runs for `timeout_s`, as after a photo-eye that only blinks",
    )
    timeout_s: float | None = Field(default=None, ge=0.1, le=86_400, description="longest time that it runs")

    @model_validator(mode="after")
    def _timeout_has_an_end(self) -> Self:
        if self.until == "timeout" and self.timeout_s is None:
            raise ValueError('until = "timeout" needs timeout_s: how long the inventory runs')
        return self

    @property
    def is_high(self) -> bool:
        """The level at which the inventory starts."""
        return self.state == "high"


class LowDutyCycle(BaseModel):
    """An Impinj reader that sees no tag pauses, and looks again now and then: fewer emissions, slower first read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    empty_field_s: float = Field(default=0.5, ge=0.001, le=65, description="time without tags until it pauses")
    ping_s: float = Field(default=0.2, ge=0.001, le=65, description="how often it looks while it pauses")


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
    antenna_tx_power_dbm: dict[AntennaPort, ConductedPower] = Field(
        default={}, description="the same for single antenna ports, where it differs"
    )
    rx_attenuation_db: Attenuation | None = Field(
        default=None,
        description="hear only stronger tags: by how much less than the best sensitivity; the reader's nearest step "
        "not above it. Default: the reader's own",
    )
    antenna_rx_attenuation_db: dict[AntennaPort, Attenuation] = Field(
        default={}, description="the same for single antenna ports, where it differs"
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
    channels: tuple[Annotated[int, Field(ge=1, le=65535)], ...] | None = Field(
        default=None,
        min_length=1,
        max_length=50,
        description="Impinj, where the region has fixed channels: the reader changes among these",
    )
    filter: tuple[TagFilter, ...] = Field(default=(), description="read only tags that fit one of these")
    read_tid: bool = Field(default=False, description="read the TID of each tag along with its EPC")
    tid_by: TidBy = Field(
        default=TidBy.AUTO,
        description="`auto`: FastID on Impinj readers (Impinj chips only), else as `read`; `fast_id`; "
        "`read`: by a read of each tag, which any chip answers and which takes some ms",
    )
    tid_words: int = Field(
        default=6,
        ge=1,
        le=32,
        description="16-bit words of the TID to read, without FastID; chips with less say nothing",
    )
    read_user_words: int = Field(
        default=0, ge=0, le=64, description="read so many 16-bit words of user memory of each tag along with its EPC"
    )
    access_password_credential: CredentialName | None = Field(
        default=None,
        description="name of the credential with the access password of the tags for these reads, 8 hex digits",
    )
    search_mode: SearchMode | None = Field(
        default=None, description="Impinj: how it goes through the tags; default `dual_target`"
    )
    low_duty_cycle: LowDutyCycle | None = Field(default=None, description="Impinj: pause while there are no tags")
    doppler: bool = Field(default=False, description="Impinj: report the Doppler frequency of each read")
    gpi: tuple[IoPort, ...] | None = Field(
        default=None, description="inputs to report as signals; default: those that the reader itself has enabled"
    )
    gpo: dict[IoPort, bool] = Field(
        default={}, description="outputs that are set at the start of each connection: `{1 = false}`"
    )
    trigger: Trigger | None = Field(default=None, description="read only while an input asks for it")
    block_write: bool = Field(default=False, description="a station writes several words at once; not every chip can")
    report_within_s: float | None = Field(
        default=None, ge=0.02, le=60, description="longest time that the reader may collect reads; default by profile"
    )
    report_every_n: int | None = Field(
        default=None, ge=1, le=65535, description="report at once after this many tags; 1 reports each read by itself"
    )
    identity: str | None = Field(
        default=None,
        pattern="^[0-9A-Fa-f]{2}([:-]?[0-9A-Fa-f]{2}){1,15}$",
        description="the reader's Identification in hex, its MAC address or EPC: another one is the condition and the "
        "alarm `identity_changed`",
    )
    on_other_identity: OtherIdentity = Field(
        default=OtherIdentity.KEEP,
        description="`keep`: its reads are taken all the same; `refuse`: none is, and the reader counts as offline",
    )
    keepalive_s: float = Field(
        default=5.0, ge=0.5, le=60, description="period of the reader's keepalives; the link counts as dead after 2.5"
    )
    protocol_version: ProtocolVersion = Field(
        default=ProtocolVersion.AUTO, description="1.0.1 for readers that cannot stand being asked for their version"
    )

    @model_validator(mode="after")
    def _ports_fit_together(self) -> Self:
        for name, ports in (("antennas", self.antennas), ("gpi", self.gpi)):
            if ports and len(set(ports)) != len(ports):
                raise ValueError(f"{name} = {list(ports)}: each port may be named once")
        named = {
            "antenna_tx_power_dbm": self.antenna_tx_power_dbm,
            "antenna_rx_attenuation_db": self.antenna_rx_attenuation_db,
        }
        for name, values in named.items():
            beyond = sorted(port for port in values if self.antennas is not None and port not in self.antennas)
            if beyond:
                raise ValueError(f"{name}: ports {beyond} are not among antennas = {list(self.antennas or ())}")
        return self

    @model_validator(mode="after")
    def _refuses_by_an_identity(self) -> Self:
        if self.identity is None and self.on_other_identity is OtherIdentity.REFUSE:
            raise ValueError('on_other_identity = "refuse" needs identity: which reader is the right one')
        return self

    @model_validator(mode="after")
    def _modes_fit_together(self) -> Self:
        if self.channel_index is not None and self.channels is not None:
            raise ValueError("channel_index and channels: set one of them")
        if self.search_mode is SearchMode.TAG_FOCUS and self.session not in (None, TAG_FOCUS_SESSION):
            raise ValueError(f'search_mode = "tag_focus" works in session {TAG_FOCUS_SESSION} only, not {self.session}')
        return self

    def antenna_ports(self) -> tuple[int, ...] | None:
        """The antenna ports that will be read."""
        return self.antennas
