"""Where a value of a machine stands, what it means, and which of its states a machine is in."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from readers.codecs.modbus import Function
from readers.codecs.modbus_blocks import Span
from readers.codecs.modbus_values import (
    Layout,
    Order,
    ValueType,
    integer_bounds,
    number_of,
    raw_of,
    raw_of_number,
    rounded,
)
from readers.codecs.modbus_values import registers_of as registers_of_raw
from readers.machine_states import MachineMode, MachineState

MOST_ADDRESS: Final = 0xFFFF
_MOST_TEXT: Final = 64
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Number = Annotated[str, StringConstraints(pattern=r"^(?:-?[0-9]{1,10}|0x[0-9A-Fa-f]{1,8})$")]
Found = Mapping[Span, list[int]]


class Table(StrEnum):
    """Where a value lies."""

    DISCRETE = "discrete"
    COIL = "coil"
    INPUT = "input"
    HOLDING = "holding"


FUNCTIONS: Final = {
    Table.DISCRETE: Function.READ_DISCRETE_INPUTS,
    Table.COIL: Function.READ_COILS,
    Table.INPUT: Function.READ_INPUT_REGISTERS,
    Table.HOLDING: Function.READ_HOLDING_REGISTERS,
}
BITS: Final = (Table.DISCRETE, Table.COIL)


class Part(BaseModel):
    """A table of the site file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Bit(Part):
    """One bit: of a table of bits, or of a register."""

    table: Table = Field(default=Table.HOLDING, description="`discrete`, `coil`, `input` or `holding`")
    address: int = Field(
        ge=0, le=MOST_ADDRESS, description="as on the wire, from 0: manuals that count from 1 say one more"
    )
    bit: int | None = Field(default=None, ge=0, le=15, description="one bit of a register, 0 is the lowest")
    inverted: bool = Field(default=False, description="the bit is 0 where what it names is true")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.table in BITS) == (self.bit is not None):
            raise ValueError("bit: is needed for a register, and only there")
        return self

    @property
    def span(self) -> Span:
        """What must be read for it."""
        return Span(FUNCTIONS[self.table], self.address)

    def is_set(self, found: Found) -> bool | None:
        """Whether it is true; None when it was not read."""
        if self.span not in found:
            return None
        (register,) = found[self.span]
        return bool(register if self.bit is None else register >> self.bit & 1) != self.inverted


class Registers(Part):
    """A number in one or more registers."""

    table: Table = Field(default=Table.HOLDING, description="`input` or `holding` registers")
    address: int = Field(ge=0, le=MOST_ADDRESS, description="of its first register, as on the wire, from 0")
    type: ValueType = Field(
        default=ValueType.U16, description="`u16`, `i16`, `u32`, `i32`, `u64`, `i64`, `f32`, `f64`, `bcd16` or `bcd32`"
    )
    word_order: Order = Field(default=Order.BIG, description="`little` where the low register comes first")
    byte_order: Order = Field(default=Order.BIG, description="`little` where the low byte of a register comes first")

    @field_validator("table")
    @classmethod
    def _registers(cls, table: Table) -> Table:
        if table in BITS:
            raise ValueError("must be input or holding: a number stands in registers")
        return table

    @property
    def layout(self) -> Layout:
        """How it lies there."""
        return Layout(self.type, self.word_order, self.byte_order)

    @property
    def span(self) -> Span:
        """What must be read for it."""
        return Span(FUNCTIONS[self.table], self.address, self.type.registers)

    def number(self, found: Found) -> Decimal | None:
        """The number exactly; None when it was not read, or is none."""
        return None if self.span not in found else number_of(raw_of(found[self.span], self.layout), self.type)


class Coded(Registers):
    """A number that stands for one of several words."""

    def code(self, found: Found) -> Decimal | None:
        """Its number, for looking it up."""
        return self.number(found)


def _codes(table: Mapping[str, object]) -> None:
    numbers = [int(text, 0) for text in table]
    if len(set(numbers)) < len(numbers):
        raise ValueError("two keys are the same number")


class StateBit(Bit):
    """A bit that is set while a machine is in a state."""

    state: MachineState = Field(description="`stopped`, `idle`, `execute`, `held` or `aborted`")


class StateByBits(Part):
    """The state by bits: that of the first which is set."""

    bits: tuple[StateBit, ...] = Field(min_length=1, description="looked at in this order; put faults first")
    otherwise: MachineState | None = Field(default=None, description="the state when none is set; default: not known")

    @property
    def spans(self) -> tuple[Span, ...]:
        """What must be read for it."""
        return tuple(each.span for each in self.bits)

    def state(self, found: Found) -> tuple[MachineState | None, str]:
        """The state; where there is none, what was there instead."""
        for each in self.bits:
            is_set = each.is_set(found)
            if is_set is None:
                return None, ""
            if is_set:
                return each.state, ""
        return self.otherwise, "" if self.otherwise else "none of its bits is set"


class StateByNumber(Coded):
    """The state by a number."""

    states: dict[Number, MachineState] = Field(
        min_length=1, description='number to state: `{ "2" = "stopped", "4" = "idle", "6" = "execute" }`'
    )

    @field_validator("states")
    @classmethod
    def _distinct(cls, states: dict[str, MachineState]) -> dict[str, MachineState]:
        _codes(states)
        return states

    @property
    def spans(self) -> tuple[Span, ...]:
        """What must be read for it."""
        return (self.span,)

    def state(self, found: Found) -> tuple[MachineState | None, str]:
        """The state; where there is none, what was there instead."""
        number = self.code(found)
        for text, state in self.states.items():
            if number == int(text, 0):
                return state, ""
        return None, "" if number is None else f"{number:f} stands for no state in the site file"


class Mode(Coded):
    """The mode by a number."""

    modes: dict[Number, MachineMode] = Field(
        min_length=1, description='number to mode: `{ "1" = "automatic", "2" = "manual", "3" = "maintenance" }`'
    )

    @field_validator("modes")
    @classmethod
    def _distinct(cls, modes: dict[str, MachineMode]) -> dict[str, MachineMode]:
        _codes(modes)
        return modes

    def mode(self, found: Found) -> MachineMode | None:
        """The mode; None when the number stands for none."""
        number = self.code(found)
        return next((mode for text, mode in self.modes.items() if number == int(text, 0)), None)


class SignalPlace(Part):
    """A value that is told as a signal."""

    name: Name = Field(
        description="name of the signal: `speed`, `good_count`, `bad_count`, `total_count`, `stop_reason`, "
        "`machine_alarm`, `program`, or your own"
    )
    table: Table = Field(default=Table.HOLDING, description="`discrete`, `coil`, `input` or `holding`")
    address: int = Field(ge=0, le=MOST_ADDRESS, description="as on the wire, from 0")
    bit: int | None = Field(default=None, ge=0, le=15, description="one bit of a register: the signal is true or false")
    inverted: bool = Field(default=False, description="for bits: true where the bit is 0")
    type: ValueType = Field(default=ValueType.U16, description="of a number; as of `state`")
    word_order: Order = Field(default=Order.BIG, description="`little` where the low register comes first")
    byte_order: Order = Field(default=Order.BIG, description="`little` where the low byte of a register comes first")
    scale: Decimal = Field(default=Decimal(1), description="value = number x scale + offset")
    offset: Decimal = Field(default=Decimal(0), description="see `scale`")
    resolution: Decimal | None = Field(default=None, gt=0, description="what a float is rounded to")
    step: Decimal = Field(default=Decimal(0), ge=0, description="a value that changed by less is not told")
    unit: str | None = Field(default=None, max_length=16, description="unit of the scaled value")
    texts: dict[Number, Annotated[str, StringConstraints(max_length=_MOST_TEXT)]] = Field(
        default_factory=dict,
        description='what the numbers stand for, for stop reasons: `{ "0" = "none", "7" = "yarn broken" }`',
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        numeric = self.model_fields_set & {
            "type",
            "word_order",
            "byte_order",
            "scale",
            "offset",
            "step",
            "unit",
            "texts",
        }
        if self.is_bit and numeric:
            raise ValueError(f"{', '.join(sorted(numeric))}: is for numbers, not for bits")
        if self.table in BITS and self.bit is not None:
            raise ValueError(f"bit: is for registers; table {self.table.value!r} holds bits already")
        if not self.is_bit and self.inverted:
            raise ValueError("inverted: is for bits")
        if self.texts and self.model_fields_set & {"scale", "offset", "step", "unit"}:
            raise ValueError("texts: stand for the number itself; take scale, offset, step and unit away")
        if not self.is_bit and self.type.is_float and not self.texts and self.resolution is None:
            raise ValueError(f"resolution: must be given for {self.type.value}: a float has none of its own")
        if self.resolution is not None and (self.is_bit or not self.type.is_float):
            raise ValueError("resolution: is for f32 and f64")
        _codes(self.texts)
        return self

    @property
    def is_bit(self) -> bool:
        """Its signal is true or false."""
        return self.table in BITS or self.bit is not None

    @property
    def span(self) -> Span:
        """What must be read for it."""
        return Span(FUNCTIONS[self.table], self.address, 1 if self.is_bit else self.type.registers)

    def value(self, found: Found) -> bool | Decimal | str | None:
        """What the signal says; None when it was not read, or is no number."""
        if self.span not in found:
            return None
        registers = found[self.span]
        if self.is_bit:
            return bool(registers[0] if self.bit is None else registers[0] >> self.bit & 1) != self.inverted
        number = number_of(raw_of(registers, Layout(self.type, self.word_order, self.byte_order)), self.type)
        if number is None:
            return None
        if self.texts:
            named = (text for code, text in self.texts.items() if number == int(code, 0))
            return next(named, f"code {number:f}")
        return scaled(number, self.scale, self.offset, self.resolution)


class SetPointPlace(Part):
    """One value that may be set, read back and told as a signal."""

    name: Name = Field(description="name of the signal and of the set-point")
    address: int = Field(ge=0, le=MOST_ADDRESS, description="of its first holding register, as on the wire, from 0")
    type: ValueType = Field(default=ValueType.U16, description="as of `state`")
    word_order: Order = Field(default=Order.BIG, description="`little` where the low register comes first")
    byte_order: Order = Field(default=Order.BIG, description="`little` where the low byte of a register comes first")
    scale: Decimal = Field(default=Decimal(1), description="value = number x scale + offset")
    offset: Decimal = Field(default=Decimal(0), description="see `scale`")
    resolution: Decimal | None = Field(default=None, gt=0, description="what a float is rounded to")
    unit: str | None = Field(default=None, max_length=16, description="unit of the scaled value")
    minimum: Decimal = Field(description="least value that may be set, in `unit`")
    maximum: Decimal = Field(description="greatest value that may be set, in `unit`")
    most_change: Decimal | None = Field(default=None, gt=0, description="how far one order may move it, in `unit`")
    settles_s: float = Field(default=2.0, ge=0, le=300, description="how long the machine may take to show it")

    @model_validator(mode="after")
    def _holds_bounds(self) -> Self:
        if self.scale == 0:
            raise ValueError("scale: must not be 0")
        if self.minimum >= self.maximum:
            raise ValueError("minimum: must be below maximum")
        if self.type.is_float == (self.resolution is None):
            raise ValueError("resolution: must be given for f32 and f64, and only there")
        for bound in (self.minimum, self.maximum):
            self.registers(bound)
        return self

    @property
    def layout(self) -> Layout:
        """How it lies in its registers."""
        return Layout(self.type, self.word_order, self.byte_order)

    @property
    def span(self) -> Span:
        """What must be read for it."""
        return Span(Function.READ_HOLDING_REGISTERS, self.address, self.type.registers)

    def value(self, found: Found) -> Decimal | None:
        """What it is set to; None when it was not read, or is no number."""
        if self.span not in found:
            return None
        number = number_of(raw_of(found[self.span], self.layout), self.type)
        return None if number is None else scaled(number, self.scale, self.offset, self.resolution)

    def registers(self, value: Decimal) -> list[int]:
        """The registers that stand for this value.

        Raises:
            ValueError: there are none that stand for exactly this.
        """
        number = (value - self.offset) / self.scale
        if self.resolution is not None and value % self.resolution:
            raise ValueError(f"{value:f} cannot be written to {self.name}: {self.writable()}")
        try:
            raw = raw_of_number(number, self.type)
        except ValueError as error:
            raise ValueError(f"{value:f} cannot be written to {self.name}: {self.writable()}") from error
        return registers_of_raw(raw, self.layout)

    def writable(self) -> str:
        """What can be written, for messages."""
        unit = f" {self.unit}" if self.unit else ""
        bounds = integer_bounds(self.type)
        if bounds is None:
            return f"it takes steps of {self.resolution:f}{unit}"
        ends = sorted(bound * self.scale + self.offset for bound in bounds)
        return f"it takes {ends[0]:f} to {ends[1]:f}{unit} in steps of {abs(self.scale):f}{unit}"


def scaled(number: Decimal, scale: Decimal, offset: Decimal, resolution: Decimal | None) -> Decimal:
    """The value that a number stands for; a float rounded to its resolution."""
    value = number * scale + offset
    return value if resolution is None else rounded(value, resolution)
