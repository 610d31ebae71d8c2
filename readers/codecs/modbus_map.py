"""What the registers of one kind of Modbus meter mean: the map that a driver reads by and a simulated meter shows by.

    raw      04 D2                   the number's bytes, highest first; a pattern of `absent`: there is no value
    number   1234                    exactly, of floats too
    value    1234 x step             in the quantity's one unit; a float is rounded to `resolution`
             x PT x CT               where the register holds the secondary side of transformers

`readers.codecs.modbus_map_file` reads maps from TOML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Final

from readers.codecs.modbus import Function
from readers.codecs.modbus_blocks import Limits, Span
from readers.codecs.modbus_values import Layout, Order, ValueType, float_step, number_of, raw_of, rounded
from readers.obis import ObisCode
from readers.observations import Reading
from readers.quantities import Phase, Quality, Quantity

_BEYOND_MEASURE: Final = Decimal(10) ** 18
"""Floats can be larger; nothing that is measured is."""
_ONE: Final = Decimal(1)
_TWO: Final = Decimal(2)
_CENTURY: Final = 2000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_CLOCK_MASKS: Final = {"Y": 0x7F, "M": 0x0F, "D": 0x1F, "h": 0x1F, "m": 0x3F, "s": 0x3F}
"""Above them stand the day of the week, summer time and validity: IEC 60870-5-4 as Schneider uses it."""


class Class(StrEnum):
    """How often a value is wanted."""

    POWER = "power"
    ENERGY = "energy"
    DEMAND = "demand"


class Ratio(StrEnum):
    """A transformer between the line and the meter."""

    PT = "pt"
    CT = "ct"


class Form(StrEnum):
    """What a number is before it is a value."""

    PLAIN = "plain"
    FOUR_QUADRANT = "four_quadrant"
    """A power factor of -2 to 2 that tells its quadrant too (Schneider: 4Q_FP_PF)."""


Ratios = Mapping[Ratio, Decimal]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a number stands."""

    span: Span
    layout: Layout

    def moved(self, by: int, *, swapped: bool) -> Place:
        """The same at another address, and with its words the other way round."""
        order = self.layout.word_order
        if swapped:
            order = Order.LITTLE if order is Order.BIG else Order.BIG
        return Place(replace(self.span, address=self.span.address + by), replace(self.layout, word_order=order))


@dataclass(frozen=True, slots=True)
class MapValue:
    """One value of a meter.

    Attributes:
        step: what one of the register is worth, in the quantity's unit.
        resolution: of floats, in the same unit.
        absent: raw bytes that say that there is no value.
        times: the ratios that it must still be multiplied by.
    """

    quantity: Quantity
    obis: ObisCode
    place: Place
    step: Decimal
    wanted: Class
    phase: Phase | None = None
    tariff: int | None = None
    resolution: Decimal | None = None
    absent: frozenset[bytes] = frozenset()
    times: tuple[Ratio, ...] = ()
    form: Form = Form.PLAIN

    @property
    def name(self) -> str:
        """For messages."""
        parts = (self.quantity.value, self.phase and f"phase {self.phase.value}", self.tariff and f"T{self.tariff}")
        return " ".join(part for part in parts if part)

    def secondary(self, registers: Sequence[int]) -> Decimal | None:
        """The value as it stands in the registers, before transformer ratios; None when there is none."""
        raw = raw_of(registers, self.place.layout)
        if raw in self.absent:
            return None
        number = number_of(raw, self.place.layout.type)
        if number is None:
            return None
        if self.form is Form.FOUR_QUADRANT and abs(number) > _ONE:
            number = (_TWO if number > 0 else -_TWO) - number
        value = number * self.step
        if self.resolution is None:
            return value
        return rounded(value, self.resolution) if abs(value) < _BEYOND_MEASURE else None

    def reading(self, registers: Sequence[int], ratios: Ratios) -> Reading:
        """The reading that the registers stand for."""
        value = self.secondary(registers)
        quality = Quality.GOOD
        if value is None:
            quality = Quality.ABSENT
        else:
            for ratio in self.times:
                value *= ratios[ratio]
            if self.quantity is Quantity.POWER_FACTOR and abs(value) > _ONE:
                quality = Quality.SUSPECT
        return Reading(self.quantity, self.obis, value, self.phase, self.tariff, quality)

    def is_coarse(self, registers: Sequence[int]) -> bool:
        """Whether a float is so large that its own steps are wider than the resolution."""
        kind = self.place.layout.type
        raw = raw_of(registers, self.place.layout)
        if self.resolution is None or raw in self.absent or number_of(raw, kind) is None:
            return False
        return float_step(raw, kind) * abs(self.step) > self.resolution

    def moved(self, by: int, *, swapped: bool) -> MapValue:
        """See `Place.moved`."""
        return replace(self, place=self.place.moved(by, swapped=swapped))


@dataclass(frozen=True, slots=True)
class RatioRegister:
    """Where a meter tells a ratio that it was set to."""

    place: Place
    step: Decimal = _ONE

    def ratio(self, registers: Sequence[int]) -> Decimal | None:
        """The ratio; None when the register holds none."""
        number = number_of(raw_of(registers, self.place.layout), self.place.layout.type)
        return None if number is None or number <= 0 else number * self.step


@dataclass(frozen=True, slots=True)
class ClockRegisters:
    """Where a meter shows its local time.

    Attributes:
        form: one letter for each byte: Y year from 2000, M, D, h, m, s, `L` two bytes of milliseconds with the seconds
            in them, `-` a byte that says nothing.
        is_bcd: each byte holds two digits.
    """

    span: Span
    form: str
    is_bcd: bool = False

    def at_us(self, registers: Sequence[int], utc_offset_min: int) -> int | None:
        """The UTC time that it shows; None when that is no time."""
        raw = b"".join(word.to_bytes(2, "big") for word in registers)
        parts = dict.fromkeys(_CLOCK_MASKS, 0)
        thousandths = 0
        for letter, byte in zip(self.form, raw, strict=True):
            if letter == "L":
                thousandths = thousandths << 8 | byte
            elif letter in parts:
                if self.is_bcd and not f"{byte:02x}".isdecimal():
                    return None
                parts[letter] = int(f"{byte:02x}") if self.is_bcd else byte & _CLOCK_MASKS[letter]
        zone = timezone(timedelta(minutes=utc_offset_min))
        try:
            at = datetime(
                _CENTURY + parts["Y"], parts["M"], parts["D"], parts["h"], parts["m"], parts["s"], tzinfo=zone
            ) + timedelta(milliseconds=thousandths)
        except ValueError:
            return None
        return (at - _EPOCH) // _MICROSECOND

    def registers(self, now_us: int, utc_offset_min: int) -> list[int]:
        """What a meter shows at that time; the inverse of `at_us`, to the resolution of its form."""
        zone = timezone(timedelta(minutes=utc_offset_min))
        at = (_EPOCH + timedelta(microseconds=now_us)).astimezone(zone)
        thousandths = (at.second * 1000 + at.microsecond // 1000).to_bytes(2, "big")
        parts = {"Y": at.year - _CENTURY, "M": at.month, "D": at.day, "h": at.hour, "m": at.minute, "s": at.second}
        raw = bytearray()
        seen = 0
        for letter in self.form:
            if letter == "L":
                raw.append(thousandths[seen])
                seen += 1
            else:
                part = parts.get(letter, 0)
                raw.append(int(str(part), 16) if self.is_bcd else part)
        return [int.from_bytes(raw[index : index + 2], "big") for index in range(0, len(raw), 2)]


@dataclass(frozen=True, slots=True)
class MeterMap:
    """The map of one kind of meter; addresses are as on the wire."""

    name: str
    source: str
    base: int
    limits: Limits
    values: tuple[MapValue, ...]
    ratios: Mapping[Ratio, RatioRegister]
    serial: Place | None = None
    clock: ClockRegisters | None = None

    @property
    def ratios_used(self) -> tuple[Ratio, ...]:
        """The ratios that some value must still be multiplied by."""
        return tuple(ratio for ratio in Ratio if any(ratio in value.times for value in self.values))

    def moved(self, by: int, *, swapped: bool) -> MeterMap:
        """The same at other addresses, and with the words of its numbers the other way round."""
        if not by and not swapped:
            return self
        clock = self.clock
        return replace(
            self,
            values=tuple(value.moved(by, swapped=swapped) for value in self.values),
            ratios={
                name: replace(each, place=each.place.moved(by, swapped=swapped)) for name, each in self.ratios.items()
            },
            serial=None if self.serial is None else self.serial.moved(by, swapped=swapped),
            clock=None if clock is None else replace(clock, span=replace(clock.span, address=clock.span.address + by)),
        )


_PHASES: Final = {Phase.A: 20, Phase.B: 40, Phase.C: 60}
_NEUTRAL_CURRENT: Final = 91
_NOW, _ENERGY, _DEMAND, _DEMAND_MAX = 7, 8, 4, 6
_THD: Final = 124
_CODES: Final[dict[Quantity, tuple[int, int, int]]] = {
    # OBIS groups C (of the sum; phases are 20, 40, 60 above), D and E
    Quantity.ACTIVE_ENERGY_IMPORT: (1, _ENERGY, 0),
    Quantity.ACTIVE_ENERGY_EXPORT: (2, _ENERGY, 0),
    Quantity.ACTIVE_ENERGY_COMBINED: (15, _ENERGY, 0),
    Quantity.REACTIVE_ENERGY_IMPORT: (3, _ENERGY, 0),
    Quantity.REACTIVE_ENERGY_EXPORT: (4, _ENERGY, 0),
    Quantity.REACTIVE_ENERGY_Q1: (5, _ENERGY, 0),
    Quantity.REACTIVE_ENERGY_Q2: (6, _ENERGY, 0),
    Quantity.REACTIVE_ENERGY_Q3: (7, _ENERGY, 0),
    Quantity.REACTIVE_ENERGY_Q4: (8, _ENERGY, 0),
    Quantity.APPARENT_ENERGY_IMPORT: (9, _ENERGY, 0),
    Quantity.APPARENT_ENERGY_EXPORT: (10, _ENERGY, 0),
    Quantity.ACTIVE_POWER: (16, _NOW, 0),
    Quantity.ACTIVE_POWER_IMPORT: (1, _NOW, 0),
    Quantity.ACTIVE_POWER_EXPORT: (2, _NOW, 0),
    Quantity.REACTIVE_POWER: (3, _NOW, 0),
    Quantity.APPARENT_POWER: (9, _NOW, 0),
    Quantity.CURRENT: (11, _NOW, 0),
    Quantity.VOLTAGE: (12, _NOW, 0),
    Quantity.POWER_FACTOR: (13, _NOW, 0),
    Quantity.FREQUENCY: (14, _NOW, 0),
    Quantity.CURRENT_THD: (11, _NOW, _THD),
    Quantity.VOLTAGE_THD: (12, _NOW, _THD),
    Quantity.ACTIVE_DEMAND: (1, _DEMAND, 0),
    Quantity.ACTIVE_DEMAND_MAX: (1, _DEMAND_MAX, 0),
    Quantity.ACTIVE_DEMAND_EXPORT_MAX: (2, _DEMAND_MAX, 0),
    Quantity.REACTIVE_DEMAND: (3, _DEMAND, 0),
    Quantity.REACTIVE_DEMAND_MAX: (3, _DEMAND_MAX, 0),
    Quantity.APPARENT_DEMAND: (9, _DEMAND, 0),
}
_TARIFFED: Final = frozenset({_ENERGY, _DEMAND_MAX})


def usual_obis(quantity: Quantity, phase: Phase | None, tariff: int | None) -> ObisCode | None:
    """The OBIS code of a quantity; None where there is no one code for it.

    Source: DLMS UA Blue Book Ed. 12.2, section 7.5; the signs of 3, 13 and 1 as in the driver `dlt645`.
    """
    if quantity is Quantity.CURRENT and phase is Phase.NEUTRAL:
        return ObisCode(1, 0, _NEUTRAL_CURRENT, _NOW, 0)
    found = _CODES.get(quantity)
    if found is None or phase is Phase.NEUTRAL:
        return None
    c, d, e = found
    if tariff and d not in _TARIFFED:
        return None
    return ObisCode(1, 0, c + (0 if phase is None else _PHASES[phase]), d, e or tariff or 0)


def usual_class(quantity: Quantity) -> Class:
    """How often a quantity is wanted where the map does not say."""
    name = quantity.value
    if "_energy" in name or quantity in (Quantity.HEAT_ENERGY, Quantity.GAS_VOLUME, Quantity.WATER_VOLUME):
        return Class.ENERGY
    is_now = quantity in _CODES and _CODES[quantity][1:] == (_NOW, 0)
    return Class.POWER if is_now or quantity is Quantity.VOLTAGE_LINE else Class.DEMAND


def place_of(
    address: int,
    *,
    base: int = 0,
    function: Function = Function.READ_HOLDING_REGISTERS,
    layout: Layout | None = None,
) -> Place:
    """The place of a number at an address that counts from `base`."""
    layout = layout or Layout(ValueType.U16)
    return Place(Span(function, address - base, layout.registers), layout)
