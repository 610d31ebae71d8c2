"""Settings of the driver `modbus_meter`."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from readers.codecs.modbus_map import Class, MeterMap, Ratio
from readers.codecs.modbus_map_file import MapError
from readers.driver import DriverSettings
from readers.meters.modbus_meter.shipped import load
from readers.modbus_line import ANSWER_WITHIN_S, Framing
from readers.quantities import Quantity

MOST_UNIT: Final = 247
TCP_UNIT: Final = 255
_POWER_S: Final = 15.0
_ENERGY_S: Final = 60.0
_DEMAND_S: Final = 900.0
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]+$", max_length=64)]


class Meter(BaseModel):
    """One meter on the line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="its name in the site, `[a-z0-9_-]`")
    address: int = Field(
        default=1, ge=1, le=TCP_UNIT, description="unit address, 1 to 247; 255 is for meters with TCP of their own"
    )
    map: str = Field(
        description="its registers: `sdm630`, `acrel_adl3000`, `schneider_iem3000`, `schneider_pm5000`, `abb_b23`, "
        "or the whole path of a map of your own, which ends in `.toml`"
    )
    pt_ratio: Decimal | None = Field(
        default=None,
        gt=0,
        description="ratio of its voltage transformers, 10 kV / 100 V is 100, where its registers hold the secondary "
        "side; default: as the meter tells, where its map knows a register for it",
    )
    ct_ratio: Decimal | None = Field(
        default=None, gt=0, description="ratio of its current transformers, 600 A / 5 A is 120; as `pt_ratio`"
    )
    probe: bool = Field(
        default=False,
        description="find out by plausible voltages and frequency whether addresses count from 0 or 1 and which word "
        "comes first, where they are not as its map says",
    )

    @model_validator(mode="after")
    def _has_map(self) -> Self:
        try:
            found = self.registers()
        except MapError as error:
            raise ValueError("; ".join(str(error).splitlines())) from error
        for ratio in Ratio:
            given, needed = self.ratio(ratio), ratio in found.ratios_used
            if given is not None and not needed:
                raise ValueError(
                    f"{ratio.value}_ratio: values of map {self.map} are of the primary side already; leave it away"
                )
            if needed and given is None and ratio not in found.ratios:
                raise ValueError(
                    f"{ratio.value}_ratio: is missing: map {self.map} reads the secondary side of transformers, and "
                    "the meter does not tell their ratio; say 1 where there are none"
                )
        return self

    def registers(self) -> MeterMap:
        """Its map.

        Raises:
            MapError: there is none, or it has faults.
        """
        return load(self.map)

    def ratio(self, which: Ratio) -> Decimal | None:
        """What the site file says of a ratio."""
        return self.pt_ratio if which is Ratio.PT else self.ct_ratio


class ModbusMeterSettings(DriverSettings):
    """Settings of driver `modbus_meter`."""

    meters: tuple[Meter, ...] = Field(
        min_length=1, max_length=MOST_UNIT, description="the meters on this line or connection"
    )
    framing: Framing = Field(
        default=Framing.RTU, description="`tcp` for meters on the network; `rtu` for lines, also behind a device server"
    )
    read: tuple[Quantity, ...] = Field(default=(), description="what is read; default: all that the map has")
    power_s: float = Field(
        default=_POWER_S, ge=1, le=86_400, description="how often voltages, currents and powers are read"
    )
    energy_s: float = Field(default=_ENERGY_S, ge=1, le=86_400, description="how often energies are read")
    demand_s: float = Field(
        default=_DEMAND_S, ge=1, le=86_400, description="how often demands and power quality are read"
    )
    answer_within_s: float = Field(
        default=ANSWER_WITHIN_S,
        ge=0.05,
        le=10,
        description="how long a meter may take to begin its answer; how long it usually takes is learnt",
    )
    meter_utc_offset_min: int = Field(
        default=480, ge=-720, le=840, description="the meters' local time, for their clocks; China is 480"
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what in ("name", "address"):
            values = [getattr(meter, what) for meter in self.meters]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                named = ", ".join(map(str, twice))
                raise ValueError(f"meters: {what} {named} is given twice; each meter needs its own")
        if self.framing is Framing.RTU:
            beyond = [meter.name for meter in self.meters if meter.address > MOST_UNIT]
            if beyond:
                raise ValueError(f"meters: address of {', '.join(beyond)}: must be 1 to {MOST_UNIT} on a line")
        return self

    @model_validator(mode="after")
    def _has_what_is_read(self) -> Self:
        for meter in self.meters:
            there = {value.quantity for value in meter.registers().values}
            if self.read and not there & set(self.read):
                raise ValueError(
                    f"read: map {meter.map} of meter {meter.name} has none of this; it has "
                    + ", ".join(sorted(quantity.value for quantity in there))
                )
        return self

    def sources(self) -> tuple[str, ...]:
        """The meters."""
        return tuple(meter.name for meter in self.meters)

    def period_s(self, wanted: Class) -> float:
        """How often values of a class are read."""
        return {Class.POWER: self.power_s, Class.ENERGY: self.energy_s, Class.DEMAND: self.demand_s}[wanted]
