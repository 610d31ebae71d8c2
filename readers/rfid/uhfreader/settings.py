"""Settings of driver `uhfreader`, and what sets its models apart."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from readers.codecs.uhfreader import BROADCAST, SMART_SESSION, Form
from readers.codecs.uhfreader_info import Region
from readers.driver import DriverSettings, Port
from readers.units import Unit, checked

LINE_GAP_S: Final = 0.05
NETWORK_GAP_S: Final = 0.25
_MS_PER_S: Final = 1_000


class Model(StrEnum):
    """Models as far as they differ on the wire."""

    RR18 = "rr18"
    M288 = "288"
    M86 = "86"
    PORT_16 = "16_port"


class Profile(NamedTuple):
    """What a model can do.

    Attributes:
        antennas: how many it has at most.
        takes_parameters: an inventory carries Q, session, target, antenna and scan time.
        keeps_power: whether it can be told not to write the power into its flash memory.
        has_serial: it answers the command for its serial number.
    """

    form: Form
    antennas: int
    takes_parameters: bool = True
    keeps_power: bool = True
    has_serial: bool = True


PROFILES: Final = {
    Model.RR18: Profile(Form.PLAIN, 1, takes_parameters=False, keeps_power=False, has_serial=False),
    Model.M288: Profile(Form.MASK, 8),
    Model.M86: Profile(Form.MASK, 4),
    Model.PORT_16: Profile(Form.NUMBER, 16),
}

MODEL_OF_TYPE: Final = {
    0x03: Model.RR18,
    0x08: Model.RR18,
    0x09: Model.RR18,
    0x0C: Model.M288,
    0x0F: Model.M86,
    0x10: Model.M86,
    0x16: Model.M86,
    0x20: Model.M288,
    0x75: Model.M288,
    0x8B: Model.M288,
}
"""By reader type, as command 21 tells it. No 16-port type is known from public sources."""

ONLY_WITH_PARAMETERS: Final = ("q", "session", "target", "fast_id", "hop_channel")


class Mode(StrEnum):
    """Who begins to speak."""

    AUTO = "auto"
    ANSWER = "answer"
    ACTIVE = "active"


class Session(StrEnum):
    """The Gen2 session of the inventory; `smart` leaves it to the reader."""

    S0 = "s0"
    S1 = "s1"
    S2 = "s2"
    S3 = "s3"
    SMART = "smart"


SESSION_CODES: Final = {Session.S0: 0, Session.S1: 1, Session.S2: 2, Session.S3: 3, Session.SMART: SMART_SESSION}


class UhfReaderSettings(DriverSettings):
    """Settings of driver `uhfreader`."""

    model: Literal["auto", "rr18", "288", "86", "16_port"] = Field(
        default="auto", description="`auto` asks the reader for its type; an unknown type must be set by hand"
    )
    mode: Mode = Field(
        default=Mode.AUTO,
        description="`answer`: the driver asks; `active`: the reader reports by itself; `auto`: asks, and switches a "
        "reader that reports by itself, or listens to it where that fails",
    )
    address: int = Field(default=BROADCAST, ge=0, le=255, description="255: whoever is alone on the line")
    antennas: tuple[int, ...] = Field(
        default=(1,), min_length=1, description="antennas that are read, 1-based, in turn"
    )
    units: tuple[Unit, ...] = Field(
        default=(), description="several readers on one RS-485 line, instead of `address` and `antennas`"
    )
    tx_power_dbm: int | None = Field(
        default=None, ge=0, le=33, description="set and read back; default: the reader keeps its own"
    )
    region: Region | None = Field(
        default=None, description="the whole band, set and read back; default: the reader keeps its own"
    )
    scan_time_s: float = Field(
        default=0.3, ge=0.3, le=25.5, description="longest inventory of one antenna, in steps of 0.1 s"
    )
    q: int = Field(default=4, ge=0, le=15, description="2 to the power of q is about the number of tags in the field")
    session: Session = Field(default=Session.S0, description="Gen2 session: `s0` to `s3`, or `smart`")
    target: Literal["a", "b", "alternate"] = Field(
        default="a", description="Gen2 target; `alternate` changes after each turn of all antennas"
    )
    fast_id: bool = Field(default=False, description="read the TID along with the EPC, of tags with Impinj FastID")
    hop_channel: bool = Field(default=False, description="ask for the frequency of each read")
    gap_ms: int | None = Field(
        default=None,
        ge=20,
        le=2_000,
        description="a pause that ends a frame; default: 50 on a local line, 250 where a network lies between",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.units:
            if self.model_fields_set & {"address", "antennas"}:
                raise ValueError("`units` has the addresses and antennas; leave `address` and `antennas` out")
            checked(self.units)
            if len(self.units) > 1 and any(unit.address == BROADCAST for unit in self.units):
                raise ValueError("address 255 is for a reader that is alone on its line; give each unit its own")
            if len(self.units) > 1 and self.mode is Mode.ACTIVE:
                raise ValueError("mode = active: readers that report by themselves cannot share a line")
        else:
            checked(self.line_units())
        if self.model != "auto":
            self._fits(Model(self.model))
        return self

    def _fits(self, model: Model) -> None:
        profile = PROFILES[model]
        for unit in self.line_units():
            if max(unit.antennas) > profile.antennas:
                raise ValueError(f"model {model} has {profile.antennas} antennas at most, not {max(unit.antennas)}")
        if not profile.takes_parameters:
            wrong = sorted(self.model_fields_set.intersection(ONLY_WITH_PARAMETERS))
            if wrong:
                raise ValueError(f"model {model} does not know {', '.join(wrong)}; leave them out")
            if self.mode is Mode.ACTIVE:
                raise ValueError(f"model {model}: no document says in what form it reports by itself; use `answer`")

    def line_units(self) -> tuple[Unit, ...]:
        """The readers on the line."""
        return self.units or (Unit(address=self.address, antennas=self.antennas),)

    def antenna_ports(self) -> tuple[int, ...] | None:
        """The ports of all units."""
        return tuple(port for unit in self.line_units() for port in unit.ports())

    def gap_s(self, port: Port) -> float:
        """A pause that ends a frame on this port.

        The reader leaves less than 15 ms between bytes, but a USB adapter hands them on up to 16 ms late, and a device
        server in as many segments as it likes, of which a lost one is sent again after 0.2 s.
        """
        if self.gap_ms is not None:
            return self.gap_ms / _MS_PER_S
        return NETWORK_GAP_S if port.baud is None else LINE_GAP_S
