"""The data identifiers of DL/T 645-2007 that are read here: a table, and the exact conversion of its BCD registers.

A register is BCD, low byte first. Registers that may be negative carry the sign in their highest bit. FF in every byte
means that the meter has no such value. An identifier byte of FF names a block: several registers in one reply.

Source: DL/T 645-2007 annex A, by the tables of the PyPI package dlt645 3.2.0, a public transcript of the annex and the
identifier table of a collection terminal, not by the standard itself. OBIS names: IEC 62056-61, C groups, checked
against a public list; signed power in total and of a phase is 16, 36, 56 and 76. There is none for signed reactive
power (3 here), signed power factor (13) and signed demand (1). Angles between current and voltage are 81.7.4, .15 and
.26, batteries 96.6.3, temperature 96.9.0 (from memory). The standard has no identifier for unbalance in percent.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from readers.codecs.dlt645_clock import MINUTE_TIME_BYTES, meter_time_us
from readers.errors import FrameError
from readers.obis import NO_BILLING_PERIOD, ObisCode
from readers.observations import Reading
from readers.quantities import Phase, Quality, Quantity

TARIFFS: Final = 4  # up to 63 exist in the standard; the meters of the grid companies have four
BILLING_PERIODS: Final = 12
HARMONICS: Final = 21

_SIGN: Final = 0x80
_ABSENT_BYTE: Final = b"\xff"
_TARIFF_STEP: Final = 0x0100
_BLOCK: Final = 0xFF


@dataclass(frozen=True, slots=True)
class Register:
    """One register: how it lies on the wire, and what it means.

    Attributes:
        size: bytes on the wire.
        exponent: the last digit stands for 10**exponent of `quantity.unit`.
        largest: the largest documented magnitude, where BCD could say more.
        timed: the time of the value follows it.
    """

    identifier: int
    quantity: Quantity
    obis: ObisCode
    size: int
    exponent: int
    signed: bool = False
    phase: Phase | None = None
    tariff: int | None = None
    largest: Decimal | None = None
    timed: bool = False

    @property
    def wire_bytes(self) -> int:
        """Bytes on the wire with the time."""
        return self.size + (MINUTE_TIME_BYTES if self.timed else 0)

    def decode(self, raw: bytes, utc_offset_min: int = 0) -> Reading:
        """Convert exactly; anything that is no BCD is an absent value, never a number.

        Raises:
            FrameError: `length`.
        """
        if len(raw) != self.wire_bytes:
            raise FrameError("length", f"{self.identifier:08X} has {self.wire_bytes} bytes, {len(raw)} came", raw)
        value = self._number(raw[: self.size])
        quality = Quality.ABSENT if value is None else Quality.GOOD
        if value is not None and self.largest is not None and abs(value) > self.largest:
            quality = Quality.SUSPECT
        at_us = meter_time_us(raw[self.size :], utc_offset_min) if self.timed else None
        return Reading(self.quantity, self.obis, value, self.phase, self.tariff, quality, at_us)

    def encode(self, value: Decimal | None) -> bytes:
        """What a meter with that value sends, without a time; digits beyond the register's are cut off.

        Raises:
            FrameError: `range`: the value does not fit, or is negative where the register has no sign.
        """
        if value is None:
            return _ABSENT_BYTE * self.size
        steps = int(abs(value).scaleb(-self.exponent))
        digits = f"{steps:0{2 * self.size}d}"
        raw = bytearray.fromhex(digits)[::-1] if len(digits) == 2 * self.size else bytearray()
        if not raw or (value < 0 and not self.signed) or (self.signed and raw[-1] & _SIGN):
            raise FrameError("range", f"{value} {self.quantity.unit} does not fit into register {self.identifier:08X}")
        if value < 0:
            raw[-1] |= _SIGN
        return bytes(raw)

    def _number(self, raw: bytes) -> Decimal | None:
        if raw == _ABSENT_BYTE * self.size:
            return None
        digits = raw[::-1]
        negative = self.signed and bool(digits[0] & _SIGN)
        if negative:
            digits = bytes([digits[0] & ~_SIGN]) + digits[1:]
        text = digits.hex()
        if not text.isdecimal():
            return None
        steps = -int(text) if negative else int(text)
        if self.exponent > 0:  # 260, not 2.6E+2: the number as an operator expects to read it
            return Decimal(steps * 10**self.exponent)
        return Decimal(steps).scaleb(self.exponent)


def _obis(c: int, d: int, e: int, billing_period: int = 0) -> ObisCode:
    return ObisCode(1, 0, c, d, e, billing_period or NO_BILLING_PERIOD)


_PHASES: Final = (Phase.A, Phase.B, Phase.C)
# DI2, quantity, OBIS C, signed; kWh, kvarh or kVAh with two decimals: one step is 10 Wh
_ENERGIES: Final = (
    (0x00, Quantity.ACTIVE_ENERGY_COMBINED, 15, True),
    (0x01, Quantity.ACTIVE_ENERGY_IMPORT, 1, False),
    (0x02, Quantity.ACTIVE_ENERGY_EXPORT, 2, False),
    (0x03, Quantity.REACTIVE_ENERGY_IMPORT, 3, True),
    (0x04, Quantity.REACTIVE_ENERGY_EXPORT, 4, True),
    (0x05, Quantity.REACTIVE_ENERGY_Q1, 5, False),
    (0x06, Quantity.REACTIVE_ENERGY_Q2, 6, False),
    (0x07, Quantity.REACTIVE_ENERGY_Q3, 7, False),
    (0x08, Quantity.REACTIVE_ENERGY_Q4, 8, False),
    (0x09, Quantity.APPARENT_ENERGY_IMPORT, 9, False),
    (0x0A, Quantity.APPARENT_ENERGY_EXPORT, 10, False),
)
# the same of one phase: DI2 of import and export, OBIS C of import and export; no tariffs
_PHASE_ENERGIES: Final = ((Phase.A, 0x15, 21), (Phase.B, 0x29, 41), (Phase.C, 0x3D, 61))
# DI2, quantity, OBIS C, signed
_DEMANDS: Final = (
    (0x01, Quantity.ACTIVE_DEMAND_MAX, 1, False),
    (0x02, Quantity.ACTIVE_DEMAND_EXPORT_MAX, 2, False),
    (0x03, Quantity.REACTIVE_DEMAND_MAX, 3, True),
    (0x04, Quantity.REACTIVE_DEMAND_MAX, 4, True),
)
# DI2, quantity, OBIS (C, E) of the total (None: there is no total) and of phases A, B, C, size, exponent, signed
_INSTANTANEOUS: Final = (
    (0x01, Quantity.VOLTAGE, None, ((32, 0), (52, 0), (72, 0)), 2, -1, False),
    (0x02, Quantity.CURRENT, None, ((31, 0), (51, 0), (71, 0)), 3, -3, True),
    (0x03, Quantity.ACTIVE_POWER, (16, 0), ((36, 0), (56, 0), (76, 0)), 3, -1, True),
    (0x04, Quantity.REACTIVE_POWER, (3, 0), ((23, 0), (43, 0), (63, 0)), 3, -1, True),
    (0x05, Quantity.APPARENT_POWER, (9, 0), ((29, 0), (49, 0), (69, 0)), 3, -1, True),
    (0x06, Quantity.POWER_FACTOR, (13, 0), ((33, 0), (53, 0), (73, 0)), 2, -3, True),
    (0x07, Quantity.PHASE_ANGLE, None, ((81, 4), (81, 15), (81, 26)), 2, -1, False),
    (0x08, Quantity.VOLTAGE_THD, None, ((32, 124), (52, 124), (72, 124)), 2, -2, False),
    (0x09, Quantity.CURRENT_THD, None, ((31, 124), (51, 124), (71, 124)), 2, -2, False),
)
_HARMONIC_KINDS: Final = (
    (0x0A, Quantity.VOLTAGE_HARMONIC, (32, 52, 72)),
    (0x0B, Quantity.CURRENT_HARMONIC, (31, 51, 71)),
)
_LARGEST: Final = {Quantity.POWER_FACTOR: Decimal(1), Quantity.PHASE_ANGLE: Decimal(360)}


def _named(di3: int, di2: int, di1: int = 0, di0: int = 0) -> int:
    return di3 << 24 | di2 << 16 | di1 << 8 | di0


def _energy_registers() -> list[Register]:
    registers = [
        Register(
            _named(0, di2, tariff, period), quantity, _obis(c, 8, tariff, period), 4, 1, signed, None, tariff or None
        )
        for (di2, quantity, c, signed), tariff, period in itertools.product(
            _ENERGIES, range(TARIFFS + 1), range(BILLING_PERIODS + 1)
        )
    ]
    for (phase, di2, c), period in itertools.product(_PHASE_ENERGIES, range(BILLING_PERIODS + 1)):
        for more, quantity in enumerate((Quantity.ACTIVE_ENERGY_IMPORT, Quantity.ACTIVE_ENERGY_EXPORT)):
            obis = _obis(c + more, 8, 0, period)
            registers.append(Register(_named(0, di2 + more, 0, period), quantity, obis, 4, 1, phase=phase))
    return registers


def _demand_registers() -> list[Register]:
    return [
        Register(
            _named(1, di2, tariff, period),
            quantity,
            _obis(c, 6, tariff, period),
            3,
            -1,
            signed,
            tariff=tariff or None,
            timed=True,
        )
        for (di2, quantity, c, signed), tariff, period in itertools.product(
            _DEMANDS, range(TARIFFS + 1), range(BILLING_PERIODS + 1)
        )
    ]


def _instantaneous_registers() -> list[Register]:
    registers = []
    for di2, quantity, total, phases, size, exponent, signed in _INSTANTANEOUS:
        c, e = total or (0, 0)
        plain = Register(
            _named(2, di2), quantity, _obis(c, 7, e), size, exponent, signed, largest=_LARGEST.get(quantity)
        )
        if total is not None:
            registers.append(plain)
        for number, (phase, (c, e)) in enumerate(zip(_PHASES, phases, strict=True), start=1):
            registers.append(replace(plain, identifier=_named(2, di2, number), obis=_obis(c, 7, e), phase=phase))
    for (di2, quantity, cs), order in itertools.product(_HARMONIC_KINDS, range(1, HARMONICS + 1)):
        for number, (phase, c) in enumerate(zip(_PHASES, cs, strict=True), start=1):
            identifier = _named(2, di2, number, order)
            registers.append(Register(identifier, quantity, _obis(c, 7, order), 2, -2, phase=phase))
    return registers


_OTHER_REGISTERS: Final = (
    Register(0x02800001, Quantity.CURRENT, _obis(91, 7, 0), 3, -3, signed=True, phase=Phase.NEUTRAL),
    Register(0x02800002, Quantity.FREQUENCY, _obis(14, 7, 0), 2, -2),
    Register(0x02800004, Quantity.ACTIVE_DEMAND, _obis(1, 4, 0), 3, -1, signed=True),
    Register(0x02800005, Quantity.REACTIVE_DEMAND, _obis(3, 4, 0), 3, -1, signed=True),
    Register(0x02800006, Quantity.APPARENT_DEMAND, _obis(9, 4, 0), 3, -1, signed=True),
    Register(0x02800007, Quantity.TEMPERATURE, ObisCode(0, 0, 96, 9, 0), 2, -1, signed=True, largest=Decimal(150)),
    Register(0x02800008, Quantity.BATTERY_VOLTAGE, ObisCode(0, 0, 96, 6, 3), 2, -2),  # of the clock
    Register(0x02800009, Quantity.BATTERY_VOLTAGE, ObisCode(0, 1, 96, 6, 3), 2, -2),  # for reading without mains
)

REGISTERS: Final[dict[int, Register]] = {
    register.identifier: register
    for register in [
        *_energy_registers(),
        *_demand_registers(),
        *_instantaneous_registers(),
        *_OTHER_REGISTERS,
    ]
}


def _tariffs_of(di3: int, di2: int) -> dict[int, tuple[Register, ...]]:
    """One energy or demand with all its tariffs, now and at the end of each billing period."""
    return {
        _named(di3, di2, _BLOCK, period): tuple(
            REGISTERS[_named(di3, di2, tariff, period)] for tariff in range(TARIFFS + 1)
        )
        for period in range(BILLING_PERIODS + 1)
    }


def _phases_of(di2: int) -> tuple[Register, ...]:
    """One instantaneous quantity of all phases, its total first where there is one."""
    base = _named(2, di2)
    every = (base + number * _TARIFF_STEP for number in range(len(_PHASES) + 1))
    return tuple(REGISTERS[identifier] for identifier in every if identifier in REGISTERS)


BLOCKS: Final[dict[int, tuple[Register, ...]]] = {
    **{block: row for di2, *_ in _ENERGIES for block, row in _tariffs_of(0, di2).items()},
    **{block: row for di2, *_ in _DEMANDS for block, row in _tariffs_of(1, di2).items()},
    **{_named(2, di2, _BLOCK): _phases_of(di2) for di2, *_ in _INSTANTANEOUS},
    **{
        _named(2, di2, number, _BLOCK): tuple(
            REGISTERS[_named(2, di2, number, order)] for order in range(1, HARMONICS + 1)
        )
        for (di2, _, _), number in itertools.product(_HARMONIC_KINDS, range(1, len(_PHASES) + 1))
    },
}
"""The registers in each block, in the order of the reply; all registers of a block have one size."""


def registers_of(identifier: int) -> tuple[Register, ...]:
    """The registers in the reply to a data identifier, in order; empty when it is not known here."""
    single = REGISTERS.get(identifier)
    return (single,) if single is not None else BLOCKS.get(identifier, ())


def decode(identifier: int, data: bytes, meter_utc_offset_min: int = 0) -> list[Reading]:
    """The readings in the data of a reply, after its identifier.

    A block may end early, at the number of phases, tariffs or harmonics that the meter has. Values are exact and in the
    one unit of their quantity; FF fill and anything that is no BCD is ABSENT, what is beyond a documented range
    SUSPECT. The meter time of a maximum demand is when it was; of all else None.

    Raises:
        FrameError: `identifier` when it is not known here, `length` when the data are no whole registers of it.
    """
    registers = registers_of(identifier)
    if not registers:
        raise FrameError("identifier", f"data identifier {identifier:08X} is not known here", data)
    return decode_registers(registers, data, meter_utc_offset_min)


def decode_registers(registers: tuple[Register, ...], data: bytes, meter_utc_offset_min: int) -> list[Reading]:
    """The readings of registers of one size, one behind the other; the last ones may be missing.

    Raises:
        FrameError: `length` when the data are no whole registers.
    """
    size = registers[0].wire_bytes
    count, rest = divmod(len(data), size)
    if rest or not 1 <= count <= len(registers):
        detail = f"{len(data)} bytes for {registers[0].identifier:08X}: must be 1 to {len(registers)} times {size}"
        raise FrameError("length", detail, data)
    return [
        register.decode(data[index * size : (index + 1) * size], meter_utc_offset_min)
        for index, register in enumerate(registers[:count])
    ]
