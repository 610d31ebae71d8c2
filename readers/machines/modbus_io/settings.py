"""What the site file says of modules of inputs and outputs, and the fewest requests that read them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from readers.codecs.modbus import MOST_BITS, MOST_REGISTERS
from readers.control import Action, ControlPoint
from readers.driver import DriverSettings

ANSWER_WITHIN_S: Final = 0.5
TRIES: Final = 3
MOST_GAP: Final = 16  # unused addresses that one request may read along
SETTLES_S: Final = 1.0
"""How long a relay may take until its coil reads as it was written."""
_WORD: Final = 1 << 16
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class Table(StrEnum):
    """Where a value lies."""

    DISCRETE = "discrete"
    COIL = "coil"
    INPUT = "input"
    HOLDING = "holding"


BITS: Final = (Table.DISCRETE, Table.COIL)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(_Part):
    """One value that is read."""

    name: Name = Field(description="name of the signal")
    table: Table = Field(default=Table.DISCRETE, description="`discrete`, `coil`, `input` or `holding` register")
    address: int = Field(ge=0, le=65_535, description="as on the wire, from 0: manuals that count from 1 say one more")
    bit: int | None = Field(default=None, ge=0, le=15, description="one bit of a register, 0 is the lowest")
    inverted: bool = Field(default=False, description="a contact that opens when something is there")
    debounce_s: float = Field(default=0.0, ge=0, le=60, description="a new state must last so long before it is told")
    signed: bool = Field(default=False, description="a register holds -32768 to 32767")
    scale: Decimal = Field(default=Decimal(1), description="value = register x scale + offset")
    offset: Decimal = Field(default=Decimal(0), description="see `scale`")
    step: Decimal = Field(default=Decimal(0), ge=0, description="a value that changed by less is not told")
    unit: str | None = Field(default=None, max_length=16, description="unit of the scaled value")

    @property
    def is_bit(self) -> bool:
        """Its signal is true or false."""
        return self.table in BITS or self.bit is not None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        numbers = self.model_fields_set & {"signed", "scale", "offset", "step", "unit"}
        if self.is_bit and numbers:
            raise ValueError(f"{', '.join(sorted(numbers))}: is for registers read as numbers, not for bits")
        if not self.is_bit and self.model_fields_set & {"inverted", "debounce_s"}:
            raise ValueError("inverted and debounce_s are for bits; this is a register read as a number")
        if self.table in BITS and self.bit is not None:
            raise ValueError(f"bit: is for registers; table {self.table.value!r} holds bits already")
        return self


class Output(_Part):
    """One coil, read back with the inputs and told as a signal."""

    name: Name = Field(description="name of the signal")
    address: int = Field(ge=0, le=65_535, description="of the coil, as on the wire, from 0")
    initial: bool | None = Field(default=None, description="set when the link opens; default: it is left as it is")
    pulse_s: float | None = Field(
        default=None, ge=0.05, le=60, description="how long a pulse is; with it the output can be pulsed"
    )
    pulse_by: Literal["gateway", "module"] = Field(
        default="gateway", description="who ends a pulse: `module` for one whose output falls back by itself"
    )

    @model_validator(mode="after")
    def _falls_back(self) -> Self:
        if self.pulse_s is None and self.pulse_by == "module":
            raise ValueError('pulse_by = "module" needs pulse_s: how long the module keeps it on')
        if self.pulse_s is not None and self.pulse_by == "gateway" and self.initial is not False:
            raise ValueError("pulse_s needs initial = false: so a pulse ends even if the gateway is cut off within it")
        return self

    @property
    def actions(self) -> tuple[Action, ...]:
        """What may be ordered of it."""
        switch = (Action.ON, Action.OFF) if self.pulse_by == "gateway" else ()
        return (*switch, Action.PULSE) if self.pulse_s is not None else switch


class SetPoint(_Part):
    """One holding register that may be written, read back with the inputs and told as a signal."""

    name: Name = Field(description="name of the signal and of the set-point")
    address: int = Field(ge=0, le=65_535, description="of the holding register, as on the wire, from 0")
    minimum: Decimal = Field(description="least value that may be set, in `unit`")
    maximum: Decimal = Field(description="greatest value that may be set, in `unit`")
    most_change: Decimal | None = Field(default=None, gt=0, description="how far one order may move it, in `unit`")
    signed: bool = Field(default=False, description="the register holds -32768 to 32767")
    scale: Decimal = Field(default=Decimal(1), description="value = register x scale + offset")
    offset: Decimal = Field(default=Decimal(0), description="see `scale`")
    unit: str | None = Field(default=None, max_length=16, description="unit of the scaled value")
    settles_s: float = Field(default=1.0, ge=0, le=60, description="how long the machine may take to show it")

    @model_validator(mode="after")
    def _holds_bounds(self) -> Self:
        if self.scale == 0:
            raise ValueError("scale: must not be 0")
        if self.minimum >= self.maximum:
            raise ValueError("minimum: must be below maximum")
        for bound in ("minimum", "maximum"):
            if self.register_of(getattr(self, bound)) is None:
                raise ValueError(f"{bound}: cannot be written: {self.resolution()}")
        return self

    def value_of(self, register: int) -> Decimal:
        """The value that a register of 0 to 65535 stands for."""
        return (register - _WORD if self.signed and register >= _WORD // 2 else register) * self.scale + self.offset

    def register_of(self, value: Decimal) -> int | None:
        """The register that stands for exactly this value; None when there is none."""
        steps = (value - self.offset) / self.scale
        low = -_WORD // 2 if self.signed else 0
        if steps != steps.to_integral_value() or not low <= steps < low + _WORD:
            return None
        return int(steps) % _WORD

    def resolution(self) -> str:
        """What can be written, for messages."""
        unit = f" {self.unit}" if self.unit else ""
        low = -_WORD // 2 if self.signed else 0
        ends = sorted((low * self.scale + self.offset, (low + _WORD - 1) * self.scale + self.offset))
        return f"the register takes {ends[0]:f} to {ends[1]:f}{unit} in steps of {abs(self.scale):f}{unit}"


class Module(_Part):
    """One module on the line."""

    name: Name | None = Field(
        default=None, description="its name as a device; one module may go without: the reader is it"
    )
    address: int = Field(default=1, ge=1, le=247, description="unit address on the line")
    inputs: tuple[Input, ...] = Field(default=(), description="what is read")
    outputs: tuple[Output, ...] = Field(default=(), description="coils that are read back")
    setpoints: tuple[SetPoint, ...] = Field(default=(), description="holding registers that may be set")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        parts: tuple[Input | Output | SetPoint, ...] = (*self.inputs, *self.outputs, *self.setpoints)
        names = [each.name for each in parts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two signals of a module are named {', '.join(twice)}; give each its own name")
        if not names:
            raise ValueError("a module needs an input or an output")
        return self

    def points(self) -> tuple[ControlPoint, ...]:
        """What of it can be controlled."""
        outputs = (
            ControlPoint(
                each.name,
                self.name,
                each.actions,
                shows=("is_on", "pulses") if each.pulse_s else ("is_on",),
                settles_s=SETTLES_S + (each.pulse_s or 0.0),
            )
            for each in self.outputs
        )
        setpoints = (
            ControlPoint(
                each.name,
                self.name,
                (Action.SET,),
                each.unit,
                each.minimum,
                each.maximum,
                each.most_change,
                shows=("value",),
                settles_s=each.settles_s,
            )
            for each in self.setpoints
        )
        return (*outputs, *setpoints)


class ModbusIoSettings(DriverSettings):
    """Settings of driver `modbus_io`."""

    modules: tuple[Module, ...] = Field(min_length=1, description="the modules on this line or connection")
    framing: Literal["rtu", "tcp"] = Field(
        default="rtu", description="`tcp` for modules on the network; `rtu` for lines, also behind a device server"
    )
    poll_s: float = Field(default=0.1, ge=0.01, le=3600, description="pause between two rounds begun")
    repeat_s: float = Field(default=60.0, ge=1, le=86_400, description="all states are told again after this time")

    @model_validator(mode="after")
    def _tell_apart(self) -> Self:
        if len(self.modules) > 1 and any(module.name is None for module in self.modules):
            raise ValueError("modules: several on one line need a name each")
        for what in ("name", "address"):
            values = [getattr(module, what) for module in self.modules]
            if len(set(values)) < len(values):
                raise ValueError(f"modules: two have the same {what}")
        return self

    def sources(self) -> tuple[str, ...]:
        """The named modules."""
        return tuple(module.name for module in self.modules if module.name is not None)

    def control_points(self) -> tuple[ControlPoint, ...]:
        """All outputs and set-points."""
        return tuple(point for module in self.modules for point in module.points())


@dataclass(frozen=True, slots=True)
class Request:
    """A run of addresses that is read at once."""

    table: Table
    address: int
    count: int


def requests(module: Module) -> list[Request]:
    """The fewest reads that cover a module, without reading far beyond what is named."""
    wanted = {(each.table, each.address) for each in module.inputs} | {(Table.COIL, o.address) for o in module.outputs}
    wanted |= {(Table.HOLDING, each.address) for each in module.setpoints}
    merged: list[Request] = []
    for table, address in sorted(wanted):
        most = MOST_BITS if table in BITS else MOST_REGISTERS
        last = merged[-1] if merged else None
        if last is not None and last.table is table:
            count = address - last.address + 1
            if address - (last.address + last.count) <= MOST_GAP and count <= most:
                merged[-1] = Request(table, last.address, count)
                continue
        merged.append(Request(table, address, 1))
    return merged
