"""The objects of DL/T 698.45 that are read here, and the exact conversion of their values.

The scaler of each object is fixed by its class in the standard: energies 10^-2 kWh, demands 10^-4 kW, voltages
10^-1 V, currents 10^-3 A, powers 10^-1 W, factors 10^-3, frequency 10^-2 Hz. Attribute 3 of an object would say it
again; it is not asked for. Elements of an array are the total and the tariffs, or the total and the phases, or the
phases.

Source: DL/T 698.45-2017 appendix E by the public catalogue of the PyPI package dlt698 1.0.1; energies, voltages,
currents and times by published frames of meters too. The batteries 2011 and 2012, and the numbers of the events other
than 3011 and 301B, are [from memory]. OBIS names as in `dlt645_registers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto
from typing import Final

from readers.codecs.dlt645_status import WORDS, Status
from readers.codecs.dlt698 import MOST_ADDRESS_BYTES
from readers.codecs.dlt698_apdu import Record
from readers.codecs.dlt698_data import Bits, Data, Oad, Tag, time_us
from readers.errors import FrameError
from readers.obis import ObisCode
from readers.observations import Reading
from readers.quantities import Phase, Quality, Quantity

ADDRESS: Final = Oad(0x4001)
CLOCK: Final = Oad(0x4000)
STATUS: Final = Oad(0x2014)
FREEZE_TIME: Final = Oad(0x2021)
DAILY_FREEZE: Final = Oad(0x5004)
MINUTE_FREEZE: Final = Oad(0x5002)
EVENT_TIME: Final = Oad(0x201E)
MOST_TARIFFS: Final = 63
_VALUES_OF: Final = 7
_RECORDS_OF: Final = 4
_VALUE_AND_TIME: Final = 2


class Shape(Enum):
    """What the elements of an object stand for."""

    TARIFFS = auto()
    """The total, then the tariffs."""
    TOTAL_AND_PHASES = auto()
    PHASES = auto()
    SINGLE = auto()
    """No array."""


@dataclass(frozen=True, slots=True)
class Item:
    """One object, or one of its attributes.

    Attributes:
        exponent: the last digit stands for 10**exponent of `quantity.unit`.
        obis: of the total; of the single value; of phase A where there is no total.
        phase_c: groups C of the phases A, B and C.
        phase: of all elements.
        timed: each value comes with its time.
        largest: the largest possible magnitude.
    """

    oad: Oad
    quantity: Quantity
    shape: Shape
    exponent: int
    obis: ObisCode
    phase_c: tuple[int, int, int] | None = None
    phase: Phase | None = None
    timed: bool = False
    largest: Decimal | None = None

    def decode(self, data: Data, utc_offset_min: int = 0, index: int = 0) -> list[Reading]:
        """The readings in a value; `index` is that of the OAD it was read by, 0 for the whole.

        Raises:
            FrameError: `type`: it is no number, or there are more than the object can have.
        """
        if index or data.tag is not Tag.ARRAY:
            return [self._reading(data, max(index - 1, 0), utc_offset_min)]
        return [self._reading(each, place, utc_offset_min) for place, each in enumerate(data.items)]

    def _reading(self, data: Data, place: int, utc_offset_min: int) -> Reading:
        obis, phase, tariff = self._name(place)
        at_us = None
        if self.timed and not data.is_null:
            fields = data.items
            if len(fields) != _VALUE_AND_TIME:
                raise FrameError("type", f"{self.oad} has {len(fields)} fields; a value and its time would be right")
            data, at_us = fields[0], time_us(fields[1], utc_offset_min)
        if data.is_null:
            return Reading(self.quantity, obis, None, phase, tariff, Quality.ABSENT)
        steps = data.integer
        if steps is None:
            raise FrameError("type", f"{self.oad} came as {data.tag.name}; an integer would be right")
        value = Decimal(steps * 10**self.exponent) if self.exponent > 0 else Decimal(steps).scaleb(self.exponent)
        doubted = self.largest is not None and abs(value) > self.largest
        return Reading(self.quantity, obis, value, phase, tariff, Quality.SUSPECT if doubted else Quality.GOOD, at_us)

    def _name(self, place: int) -> tuple[ObisCode, Phase | None, int | None]:
        """OBIS code, phase and tariff of the element at that place."""
        most = {Shape.TARIFFS: MOST_TARIFFS, Shape.TOTAL_AND_PHASES: 3, Shape.PHASES: 2, Shape.SINGLE: 0}[self.shape]
        if place > most:
            raise FrameError("type", f"{self.oad} has an element {place + 1}; {most + 1} are possible")
        code = self.obis
        if self.shape is Shape.TARIFFS:
            return ObisCode(code.a, code.b, code.c, code.d, place), self.phase, place or None
        number = place - 1 if self.shape is Shape.TOTAL_AND_PHASES else place
        if self.phase_c is None or number < 0:
            return code, self.phase, None
        return ObisCode(code.a, code.b, self.phase_c[number], code.d, code.e), _PHASES[number], None


_PHASES: Final = (Phase.A, Phase.B, Phase.C)
_Q: Final = Quantity


def _electric(c: int, d: int, e: int = 0) -> ObisCode:
    return ObisCode(1, 0, c, d, e)


def _tariffs(oi: int, quantity: Quantity, c: int, phase: Phase | None = None) -> Item:
    return Item(Oad(oi), quantity, Shape.TARIFFS, 1, _electric(c, 8), phase=phase)


def _demand(oi: int, quantity: Quantity, c: int) -> Item:
    return Item(Oad(oi), quantity, Shape.TARIFFS, -1, _electric(c, 6), timed=True)


def _with_total(
    oi: int, quantity: Quantity, exponent: int, c: tuple[int, int, int, int], largest: Decimal | None = None
) -> Item:
    shape = Shape.TOTAL_AND_PHASES
    return Item(Oad(oi), quantity, shape, exponent, _electric(c[0], 7), (c[1], c[2], c[3]), largest=largest)


def _phases(oi: int, quantity: Quantity, exponent: int, c: tuple[int, int, int], e: int = 0) -> Item:
    return Item(Oad(oi), quantity, Shape.PHASES, exponent, _electric(c[0], 7, e), c)


def _single(oad: Oad, quantity: Quantity, exponent: int, obis: ObisCode, phase: Phase | None = None) -> Item:
    return Item(oad, quantity, Shape.SINGLE, exponent, obis, phase=phase)


ITEMS: Final[dict[Oad, Item]] = {
    item.oad: item
    for item in (
        _tariffs(0x0000, _Q.ACTIVE_ENERGY_COMBINED, 15),
        _tariffs(0x0010, _Q.ACTIVE_ENERGY_IMPORT, 1),
        _tariffs(0x0020, _Q.ACTIVE_ENERGY_EXPORT, 2),
        _tariffs(0x0030, _Q.REACTIVE_ENERGY_IMPORT, 3),
        _tariffs(0x0040, _Q.REACTIVE_ENERGY_EXPORT, 4),
        _tariffs(0x0050, _Q.REACTIVE_ENERGY_Q1, 5),
        _tariffs(0x0060, _Q.REACTIVE_ENERGY_Q2, 6),
        _tariffs(0x0070, _Q.REACTIVE_ENERGY_Q3, 7),
        _tariffs(0x0080, _Q.REACTIVE_ENERGY_Q4, 8),
        _tariffs(0x0090, _Q.APPARENT_ENERGY_IMPORT, 9),
        _tariffs(0x00A0, _Q.APPARENT_ENERGY_EXPORT, 10),
        *(
            _tariffs(base + number, quantity, c + first, phase)
            for base, quantity, c in ((0x0011, _Q.ACTIVE_ENERGY_IMPORT, 21), (0x0021, _Q.ACTIVE_ENERGY_EXPORT, 22))
            for number, (phase, first) in enumerate(zip(_PHASES, (0, 20, 40), strict=True))
        ),
        _demand(0x1010, _Q.ACTIVE_DEMAND_MAX, 1),
        _demand(0x1020, _Q.ACTIVE_DEMAND_EXPORT_MAX, 2),
        _demand(0x1030, _Q.REACTIVE_DEMAND_MAX, 3),
        _demand(0x1040, _Q.REACTIVE_DEMAND_MAX, 4),
        _phases(0x2000, _Q.VOLTAGE, -1, (32, 52, 72)),
        _phases(0x2001, _Q.CURRENT, -3, (31, 51, 71)),
        _single(Oad(0x2001, 4), _Q.CURRENT, -3, _electric(91, 7), Phase.NEUTRAL),
        _with_total(0x2004, _Q.ACTIVE_POWER, -1, (16, 36, 56, 76)),
        _with_total(0x2005, _Q.REACTIVE_POWER, -1, (3, 23, 43, 63)),
        _with_total(0x2006, _Q.APPARENT_POWER, -1, (9, 29, 49, 69)),
        _with_total(0x200A, _Q.POWER_FACTOR, -3, (13, 33, 53, 73), Decimal(1)),
        _phases(0x200B, _Q.VOLTAGE_THD, -2, (32, 52, 72), 124),
        _phases(0x200C, _Q.CURRENT_THD, -2, (31, 51, 71), 124),
        _single(Oad(0x200F), _Q.FREQUENCY, -2, _electric(14, 7)),
        _single(Oad(0x2010), _Q.TEMPERATURE, -1, ObisCode(0, 0, 96, 9, 0)),
        _single(Oad(0x2011), _Q.BATTERY_VOLTAGE, -2, ObisCode(0, 0, 96, 6, 3)),
        _single(Oad(0x2012), _Q.BATTERY_VOLTAGE, -2, ObisCode(0, 1, 96, 6, 3)),
        _single(Oad(0x2017), _Q.ACTIVE_DEMAND, -1, _electric(1, 4)),
        _single(Oad(0x2018), _Q.REACTIVE_DEMAND, -1, _electric(3, 4)),
        _single(Oad(0x2019), _Q.APPARENT_DEMAND, -1, _electric(9, 4)),
    )
}


def item_of(oad: Oad) -> Item | None:
    """The item that an OAD reads, as a whole or one element of it."""
    return ITEMS.get(Oad(oad.oi, oad.attribute))


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event that meters count.

    Attributes:
        values: how often it happened, and for how long together.
        records: how many records there are: the same number where a meter does not tell `values`, up to what it keeps.
        record: the records themselves.
    """

    name: str
    quantity: Quantity
    obis: ObisCode
    oi: int

    @property
    def values(self) -> Oad:
        """Attribute 7."""
        return Oad(self.oi, _VALUES_OF)

    @property
    def records(self) -> Oad:
        """Attribute 4."""
        return Oad(self.oi, _RECORDS_OF)

    @property
    def record(self) -> Oad:
        """Attribute 2."""
        return Oad(self.oi)


EVENTS: Final = tuple(
    EventKind(name, quantity, ObisCode(0, 0, 96, *obis), oi)
    for name, quantity, obis, oi in (
        ("power_failure", _Q.POWER_FAILURES, (7, 21), 0x3011),
        ("programming", _Q.PROGRAMMINGS, (2, 0), 0x3012),
        ("meter_reset", _Q.METER_RESETS, (15, 1), 0x3013),
        ("demand_reset", _Q.DEMAND_RESETS, (15, 2), 0x3014),
        ("event_reset", _Q.EVENT_RESETS, (15, 3), 0x3015),
        ("clock_setting", _Q.CLOCK_SETTINGS, (15, 4), 0x3016),
        ("cover_opening", _Q.COVER_OPENINGS, (20, 0), 0x301B),
        ("terminal_opening", _Q.TERMINAL_OPENINGS, (20, 5), 0x301C),
        ("disconnection", _Q.DISCONNECTIONS, (15, 5), 0x301F),
        ("reconnection", _Q.RECONNECTIONS, (15, 6), 0x3020),
        ("magnetic_influence", _Q.MAGNETIC_INFLUENCES, (20, 15), 0x302A),
    )
)


def event_count(data: Data) -> int:
    """How often it happened, of `EventKind.values` (the sum over its sources) or `EventKind.records`.

    Raises:
        FrameError: `type`.
    """
    if data.integer is not None:
        return data.integer
    total = 0
    for each in data.items:
        totals = each.items[1].items if len(each.items) == _VALUE_AND_TIME else ()
        if not totals or totals[0].integer is None:
            raise FrameError("type", "a value of events is no source with a count and a time")
        total += totals[0].integer
    if data.tag is not Tag.ARRAY:
        raise FrameError("type", f"a count of events came as {data.tag.name}")
    return total


def status_words(data: Data) -> Status:
    """The seven status words; they are those of DL/T 645-2007.

    Raises:
        FrameError: `type`: they are no bit strings.
    """
    words: list[int | None] = [None] * WORDS
    if data.tag is not Tag.ARRAY:
        raise FrameError("type", f"status words came as {data.tag.name}")
    for number, each in enumerate(data.items[:WORDS]):
        if isinstance(each.content, Bits):
            words[number] = each.content.value()
        elif not each.is_null:
            raise FrameError("type", f"a status word came as {each.tag.name}")
    a, b, c, d, e, f, g = words
    return Status((a, b, c, d, e, f, g))


def address_of(data: Data) -> str:
    """The address that a meter tells, as printed on it.

    Raises:
        FrameError: `type`.
    """
    digits = data.raw.hex().upper()
    if data.tag is not Tag.OCTET_STRING or not 1 <= len(data.raw) <= MOST_ADDRESS_BYTES:
        raise FrameError("type", f"the address came as {data.tag.name} {digits}")
    return digits


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a freeze: when it was frozen, in UTC, and what."""

    at_us: int
    readings: tuple[Reading, ...]


def freeze_rows(record: Record, utc_offset_min: int, wanted: Iterable[Oad]) -> list[Row]:
    """The rows of a freeze that have a time; columns that are not wanted are passed over, absent values too.

    Raises:
        FrameError: `type`: a value is not what its column says.
    """
    oads = set(wanted)
    if not isinstance(record.rows, tuple):
        return []
    found = []
    for row in record.rows:
        at_us = None
        readings: list[Reading] = []
        for column, data in zip(record.columns, row, strict=True):
            if column == FREEZE_TIME:
                at_us = time_us(data, utc_offset_min)
            elif isinstance(column, Oad) and column in oads and (item := item_of(column)) is not None:
                readings += item.decode(data, utc_offset_min, column.index)
        if at_us is not None:
            found.append(Row(at_us, tuple(backfilled(readings, at_us))))
    return found


def backfilled(readings: Sequence[Reading], at_us: int) -> list[Reading]:
    """What held at that time, marked so; what carries a time of its own keeps it, what is absent is left out."""
    return [
        Reading(
            each.quantity,
            each.obis,
            each.value,
            each.phase,
            each.tariff,
            Quality.BACKFILLED,
            at_us if each.meter_time_us is None else each.meter_time_us,
        )
        for each in readings
        if each.value is not None
    ]
