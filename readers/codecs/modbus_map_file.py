"""Reads the map of a Modbus meter from TOML, and says all its faults at once, with their lines.

The form is described, key by key, in `readers/meters/modbus_meter/maps/template.toml`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from readers.codecs.modbus import MOST_REGISTERS, Function
from readers.codecs.modbus_blocks import Limits, Span
from readers.codecs.modbus_map import (
    Class,
    ClockRegisters,
    Form,
    MapValue,
    MeterMap,
    Place,
    Ratio,
    RatioRegister,
    place_of,
    usual_class,
    usual_obis,
)
from readers.codecs.modbus_values import Layout, Order, ValueType
from readers.errors import ConfigError, FrameError
from readers.obis import ObisCode
from readers.obis_meanings import in_unit
from readers.quantities import Phase, Quantity

_MOST_ADDRESS: Final = 0xFFFF
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_PATTERNS: Final = {
    "ones": lambda size: b"\xff" * size,
    "largest": lambda size: b"\x7f" + b"\xff" * (size - 1),
    "smallest": lambda size: b"\x80" + b"\0" * (size - 1),
}
_FUNCTIONS: Final = {3: Function.READ_HOLDING_REGISTERS, 4: Function.READ_INPUT_REGISTERS}
_ENTRY: Final = re.compile(r"\[\[\s*values\s*\]\]|\{")


class MapError(ValueError):
    """A map has faults; each is one line of the message."""


def _known_quantity(value: object) -> object:
    if isinstance(value, str) and value not in Quantity.__members__.values():
        near = difflib.get_close_matches(value, [each.value for each in Quantity], 1)
        hint = f" (did you mean {near[0]}?)" if near else "; see readers/quantities.py for all"
        raise ValueError(f"there is no quantity {value!r}{hint}")
    return value


_Quantity = Annotated[Quantity, BeforeValidator(_known_quantity)]
_Address = Annotated[int, Field(ge=0, le=_MOST_ADDRESS + 1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Numbers(_Table):
    """What values have in common where they do not say otherwise."""

    function: Literal[3, 4] | None = None
    type: ValueType | None = None
    word_order: Order | None = None
    byte_order: Order | None = None
    absent: tuple[str, ...] | None = None

    @field_validator("absent")
    @classmethod
    def _patterns(cls, absent: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for each in absent or ():
            if each not in _PATTERNS and not _HEX.fullmatch(each):
                raise ValueError(f'{each!r} must be hex bytes ("FFFF"), or one of {", ".join(_PATTERNS)}')
        return absent


class _Value(_Numbers):
    quantity: _Quantity
    address: _Address
    phase: Phase | None = None
    tariff: int | None = Field(default=None, ge=1, le=63)
    obis: str | None = None
    scale: Decimal = Decimal(1)
    unit: str | None = None
    resolution: Decimal | None = Field(default=None, gt=0)
    times: tuple[Ratio, ...] = ()
    wanted: Class | None = Field(default=None, alias="class")
    form: Form = Form.PLAIN

    @field_validator("scale")
    @classmethod
    def _not_nothing(cls, scale: Decimal) -> Decimal:
        if scale == 0:
            raise ValueError("must not be 0")
        return scale


class _RatioTable(_Numbers):
    address: _Address
    scale: Decimal = Field(default=Decimal(1), gt=0)


class _Serial(_Numbers):
    address: _Address


class _Clock(_Table):
    address: _Address
    form: str = Field(pattern=r"^[YMDhmsL-]+$")
    bcd: bool = False
    function: Literal[3, 4] | None = None

    @field_validator("form")
    @classmethod
    def _whole(cls, form: str) -> str:
        if len(form) % 2 or any(form.count(letter) != 1 for letter in "YMDhm") or form.count("L") not in (0, 2):
            raise ValueError("must have one letter for each byte of whole registers, Y, M, D, h and m once, L twice")
        return form


class _Ratios(_Table):
    pt: _RatioTable | None = None
    ct: _RatioTable | None = None


class _File(_Table):
    name: str = Field(min_length=1, max_length=64)
    source: str = Field(min_length=1)
    address_base: Literal[0, 1]
    most_registers: int = Field(default=MOST_REGISTERS, ge=1, le=MOST_REGISTERS)
    gap: int = Field(default=0, ge=0, le=MOST_REGISTERS)
    forbidden: tuple[tuple[_Address, _Address], ...] = ()
    resolution: dict[str, Decimal] = {}
    defaults: _Numbers = _Numbers()
    ratios: _Ratios = _Ratios()
    serial: _Serial | None = None
    clock: _Clock | None = None
    values: tuple[_Value, ...]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.values:
            raise ValueError("values: there are none; a map needs one at least")
        for first, last in self.forbidden:
            if last < first:
                raise ValueError(f"forbidden: {first} to {last} ends before it begins")
        return self


def parse(text: str, where: str) -> MeterMap:
    """The map in a TOML text.

    Args:
        text: the file's.
        where: its name or path, for messages.

    Raises:
        MapError: it has faults; one line each, `WHERE:LINE: what`.
    """
    try:
        table = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise MapError(f"{where}: {error}") from error
    except (RecursionError, ValueError, ArithmeticError):
        raise MapError(f"{where}: is nested too deeply, or holds a number without end; this is no map") from None
    try:
        file = _File.model_validate(table)
    except ValidationError as error:
        faults = [(tuple(each["loc"]), _said(each)) for each in error.errors()]
        raise MapError("\n".join(_told(text, where, loc, what) for loc, what in faults)) from error
    return _Builder(file, text, where).build()


def _said(fault: Any) -> str:
    message = str(fault["msg"]).removeprefix("Value error, ")
    given = fault["input"]
    is_shown = fault["type"] != "value_error" and isinstance(given, str | int | Decimal)
    return f"{message[:1].lower()}{message[1:]}" + (f", not {given!r}" if is_shown else "")


def _told(text: str, where: str, loc: tuple[int | str, ...], what: str) -> str:
    named = "".join(f"[{each + 1}]" if isinstance(each, int) else f".{each}" for each in loc).lstrip(".")
    return f"{where}:{_line_of(text, loc)}: {named + ': ' if named else ''}{what}"


def _line_of(text: str, loc: tuple[int | str, ...]) -> int:
    """The line where a table or key begins; 1 for the file."""
    lines = text.splitlines()
    if loc and loc[0] == "values" and len(loc) > 1 and isinstance(loc[1], int):
        begins = [number for number, line in enumerate(lines, 1) if _ENTRY.match(line.lstrip())]
        return begins[loc[1]] if loc[1] < len(begins) else 1
    line = 0
    for name in (each for each in loc if isinstance(each, str)):
        begin = re.compile(rf"\s*(?:\[+\s*)?(?:\w+\.)?{re.escape(name)}\b")
        line = next((at for at, each in enumerate(lines, 1) if at > line and begin.match(each)), line)
    return line or 1


class _Builder:
    """Makes a map of a file that has the right form, and finds what contradicts itself."""

    def __init__(self, file: _File, text: str, where: str) -> None:
        self._file = file
        self._text = text
        self._where = where
        self._faults: list[str] = []
        self._wire_forbidden = tuple(
            range(first - file.address_base, last - file.address_base + 1) for first, last in file.forbidden
        )

    def build(self) -> MeterMap:
        """The map.

        Raises:
            MapError: it has faults.
        """
        file = self._file
        values = [self._value(number, each) for number, each in enumerate(file.values)]
        self._compare([each for each in values if each is not None])
        ratios = {
            ratio: RatioRegister(self._place(("ratios", ratio.value), each), each.scale)
            for ratio, each in ((Ratio.PT, file.ratios.pt), (Ratio.CT, file.ratios.ct))
            if each is not None
        }
        serial = None if file.serial is None else self._place(("serial",), file.serial)
        clock = None if file.clock is None else self._clock(file.clock)
        if self._faults:
            raise MapError("\n".join(self._faults))
        return MeterMap(
            name=file.name,
            source=file.source,
            base=file.address_base,
            limits=Limits(file.most_registers, file.gap, self._wire_forbidden),
            values=tuple(each for each in values if each is not None),
            ratios=ratios,
            serial=serial,
            clock=clock,
        )

    def _fault(self, loc: tuple[int | str, ...], what: str) -> None:
        self._faults.append(_told(self._text, self._where, loc, what))

    def _place(self, loc: tuple[int | str, ...], table: Any) -> Place:
        usual = self._file.defaults
        layout = Layout(
            table.type or usual.type or ValueType.U16,
            table.word_order or usual.word_order or Order.BIG,
            table.byte_order or usual.byte_order or Order.BIG,
        )
        function = _FUNCTIONS[table.function or usual.function or 3]
        place = place_of(table.address, base=self._file.address_base, function=function, layout=layout)
        self._check_span(loc, place.span)
        return place

    def _check_span(self, loc: tuple[int | str, ...], span: Span) -> None:
        if span.address < 0 or span.end - 1 > _MOST_ADDRESS:
            self._fault(loc, f"address: {span} is not within 0 to {_MOST_ADDRESS} on the wire; check address_base")
        if span.count > self._file.most_registers:
            self._fault(loc, f"type: takes {span.count} registers; most_registers allows {self._file.most_registers}")
        for forbidden in self._wire_forbidden:
            if forbidden.start < span.end and span.address < forbidden.stop:
                base = self._file.address_base
                first, last = forbidden.start + base, forbidden.stop - 1 + base
                self._fault(loc, f"address: lies in {first} to {last}, which is forbidden")

    def _value(self, number: int, value: _Value) -> MapValue | None:
        loc: tuple[int | str, ...] = ("values", number)
        before = len(self._faults)
        place = self._place(loc, value)
        kind = place.layout.type
        quantity = value.quantity
        obis = self._obis(loc, value)
        step = self._in_unit(loc, value, value.scale)
        resolution = None
        if kind.is_float:
            resolution = value.resolution or self._file.resolution.get(quantity.unit)
            if resolution is None:
                self._fault(loc, f"resolution: a float has none of its own; give one, or [resolution] {quantity.unit}")
        elif value.resolution is not None:
            self._fault(loc, f"resolution: is for floats; {kind.value} has that of its scale")
        if value.form is Form.FOUR_QUADRANT and quantity is not Quantity.POWER_FACTOR:
            self._fault(loc, "form: four_quadrant is for a power_factor")
        absent = self._absent(loc, value, kind.size)
        if len(self._faults) > before:
            return None
        assert obis is not None
        return MapValue(
            quantity=quantity,
            obis=obis,
            place=place,
            step=step,
            wanted=value.wanted or usual_class(quantity),
            phase=value.phase,
            tariff=value.tariff,
            resolution=resolution,
            absent=absent,
            times=tuple(dict.fromkeys(value.times)),
            form=value.form,
        )

    def _obis(self, loc: tuple[int | str, ...], value: _Value) -> ObisCode | None:
        if value.obis is None:
            usual = usual_obis(value.quantity, value.phase, value.tariff)
            if usual is None:
                self._fault(loc, f"obis: there is no usual code for this {value.quantity.value}; give one")
            return usual
        try:
            return ObisCode.parse(value.obis)
        except ConfigError as error:
            self._fault(loc, f"obis: {error}")
            return None

    def _in_unit(self, loc: tuple[int | str, ...], value: _Value, scale: Decimal) -> Decimal:
        try:
            step = in_unit(scale, value.unit or value.quantity.unit, value.quantity)
        except FrameError as error:
            self._fault(loc, f"unit: {error.detail}")
            return scale
        return Decimal(int(step)) if step == step.to_integral_value() else step.normalize()

    def _absent(self, loc: tuple[int | str, ...], value: _Value, size: int) -> frozenset[bytes]:
        found = set()
        for pattern in value.absent if value.absent is not None else self._file.defaults.absent or ():
            raw = _PATTERNS[pattern](size) if pattern in _PATTERNS else bytes.fromhex(pattern)
            if len(raw) == size:
                found.add(raw)
            elif value.absent is not None:
                self._fault(loc, f"absent: {pattern} is {len(raw)} bytes; the value takes {size}")
        return frozenset(found)

    def _clock(self, clock: _Clock) -> ClockRegisters:
        function = _FUNCTIONS[clock.function or self._file.defaults.function or 3]
        span = Span(function, clock.address - self._file.address_base, len(clock.form) // 2)
        self._check_span(("clock",), span)
        return ClockRegisters(span, clock.form, clock.bcd)

    def _compare(self, values: list[MapValue]) -> None:
        """Two values of one name or one code, or that lie across each other."""
        if self._faults:
            return  # their numbers would not be those of the file
        named: dict[tuple[object, ...], int] = {}
        coded: dict[ObisCode, int] = {}
        for number, value in enumerate(values):
            key = (value.quantity, value.phase, value.tariff)
            if key in named and value.obis == values[named[key]].obis:
                self._fault(("values", number), f"{value.name} is there already, as values[{named[key] + 1}]")
            elif value.obis in coded:
                self._fault(
                    ("values", number), f"obis: {value.obis} is that of values[{coded[value.obis] + 1}] already"
                )
            named.setdefault(key, number)
            coded.setdefault(value.obis, number)
        by_address = sorted(enumerate(values), key=lambda each: each[1].place.span)
        for (first, low), (second, high) in pairwise(by_address):
            one, other = low.place.span, high.place.span
            if one.function is other.function and other.address < one.end:
                self._fault(("values", second), f"address: lies across values[{first + 1}], {low.name}")
