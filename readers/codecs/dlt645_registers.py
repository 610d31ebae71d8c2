"""The data identifiers of DL/T 645-2007 that are read here: a table, and the exact conversion of its BCD registers.

A register is BCD, low byte first. Registers that may be negative carry the sign in their highest bit. FF in every byte
means that the meter has no such value. Two identifier bytes of FF name a block: several registers in one reply.

Source: DL/T 645-2007 annex A, by the tables of the PyPI package dlt645 3.2.0 and public descriptions, not by the
standard itself. OBIS names: IEC 62056-61, C groups, checked against a public list; signed power in total and of a phase
is 16, 36, 56 and 76. There is none for signed reactive power (3 here), signed power factor (13) and signed demand (1).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

from readers.errors import FrameError
from readers.obis import NO_BILLING_PERIOD, ObisCode
from readers.observations import Reading
from readers.quantities import Phase, Quality, Quantity

TARIFFS: Final = 4  # more exist in the standard; the meters of the grid companies have four
BILLING_PERIODS: Final = 12
TIME_BYTES: Final = 5  # minute, hour, day, month, year, each one byte of BCD

_SIGN: Final = 0x80
_ABSENT_BYTE: Final = b"\xff"
_CENTURY: Final = 2000
_TARIFF_STEP: Final = 0x0100


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
        return self.size + (TIME_BYTES if self.timed else 0)

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


def meter_time_us(raw: bytes, utc_offset_min: int) -> int | None:
    """The UTC time of a meter's `mm hh DD MM YY` local time; None when it is none, as before the first demand."""
    text = raw[::-1].hex()
    if len(raw) != TIME_BYTES or not text.isdecimal():
        return None
    year, month, day, hour, minute = (int(text[i : i + 2]) for i in range(0, 2 * TIME_BYTES, 2))
    try:
        local = datetime(_CENTURY + year, month, day, hour, minute, tzinfo=timezone(timedelta(minutes=utc_offset_min)))
    except ValueError:
        return None
    return (local - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _obis(c: int, d: int, e: int, billing_period: int = 0) -> ObisCode:
    return ObisCode(1, 0, c, d, e, billing_period or NO_BILLING_PERIOD)


# identifier of the total, quantity, OBIS C; kWh or kvarh with two decimals: one step is 10 Wh
_ENERGIES: Final = (
    (0x00000000, Quantity.ACTIVE_ENERGY_COMBINED, 15, True),
    (0x00010000, Quantity.ACTIVE_ENERGY_IMPORT, 1, False),
    (0x00020000, Quantity.ACTIVE_ENERGY_EXPORT, 2, False),
    (0x00030000, Quantity.REACTIVE_ENERGY_IMPORT, 3, True),
    (0x00040000, Quantity.REACTIVE_ENERGY_EXPORT, 4, True),
)
# first identifier, quantity, OBIS C of total (None: there is no total) and of phases A, B, C, size, exponent, signed
_INSTANTANEOUS: Final = (
    (0x02010000, Quantity.VOLTAGE, None, (32, 52, 72), 2, -1, False),
    (0x02020000, Quantity.CURRENT, None, (31, 51, 71), 3, -3, True),
    (0x02030000, Quantity.ACTIVE_POWER, 16, (36, 56, 76), 3, -1, True),
    (0x02040000, Quantity.REACTIVE_POWER, 3, (23, 43, 63), 3, -1, True),
    (0x02050000, Quantity.APPARENT_POWER, 9, (29, 49, 69), 3, -1, True),
    (0x02060000, Quantity.POWER_FACTOR, 13, (33, 53, 73), 2, -3, True),
)
_PHASES: Final = (Phase.A, Phase.B, Phase.C)
_ONE: Final = Decimal(1)


def _energy_registers() -> list[Register]:
    registers = []
    for (base, quantity, c, signed), tariff, period in itertools.product(
        _ENERGIES, range(TARIFFS + 1), range(BILLING_PERIODS + 1)
    ):
        identifier = base + tariff * _TARIFF_STEP + period
        obis = _obis(c, 8, tariff, period)
        registers.append(Register(identifier, quantity, obis, 4, 1, signed, tariff=tariff or None))
    return registers


def _instantaneous_registers() -> list[Register]:
    registers = []
    for base, quantity, total_c, phase_cs, size, exponent, signed in _INSTANTANEOUS:
        largest = _ONE if quantity is Quantity.POWER_FACTOR else None
        plain = Register(base, quantity, _obis(total_c or 0, 7, 0), size, exponent, signed, largest=largest)
        if total_c is not None:
            registers.append(plain)
        for number, (phase, c) in enumerate(zip(_PHASES, phase_cs, strict=True), start=1):
            registers.append(replace(plain, identifier=base + number * _TARIFF_STEP, obis=_obis(c, 7, 0), phase=phase))
    return registers


def _other_registers() -> list[Register]:
    registers = [
        Register(0x02800002, Quantity.FREQUENCY, _obis(14, 7, 0), 2, -2),
        Register(0x02800004, Quantity.ACTIVE_DEMAND, _obis(1, 4, 0), 3, -1, signed=True),
    ]
    for base, c in ((0x01010000, 1), (0x01020000, 2)):
        for tariff in range(TARIFFS + 1):
            identifier, obis = base + tariff * _TARIFF_STEP, _obis(c, 6, tariff)
            registers.append(
                Register(identifier, Quantity.ACTIVE_DEMAND_MAX, obis, 3, -1, tariff=tariff or None, timed=True)
            )
    return registers


REGISTERS: Final[dict[int, Register]] = {
    register.identifier: register
    for register in [*_energy_registers(), *_instantaneous_registers(), *_other_registers()]
}

BLOCKS: Final[dict[int, tuple[Register, ...]]] = {
    # one energy with all its tariffs, now and at the end of each billing period
    **{
        base + 0xFF00 + period: tuple(REGISTERS[base + tariff * _TARIFF_STEP + period] for tariff in range(TARIFFS + 1))
        for (base, _, _, _), period in itertools.product(_ENERGIES, range(BILLING_PERIODS + 1))
    },
    # one instantaneous quantity of all phases, its total first where there is one
    **{
        base + 0xFF00: tuple(
            REGISTERS[base + number * _TARIFF_STEP]
            for number in range(len(_PHASES) + 1)
            if base + number * _TARIFF_STEP in REGISTERS
        )
        for base, *_ in _INSTANTANEOUS
    },
}


def registers_of(identifier: int) -> tuple[Register, ...]:
    """The registers in the reply to a data identifier, in order; empty when it is not known here."""
    single = REGISTERS.get(identifier)
    return (single,) if single is not None else BLOCKS.get(identifier, ())


def decode(identifier: int, data: bytes, utc_offset_min: int = 0) -> list[Reading]:
    """The readings in the data of a reply, after its identifier.

    A block may end early, at the number of phases or tariffs that the meter has.

    Raises:
        FrameError: `identifier` when it is not known here, `length` when the data are no whole registers of it.
    """
    registers = registers_of(identifier)
    if not registers:
        raise FrameError("identifier", f"data identifier {identifier:08X} is not known here", data)
    size = registers[0].wire_bytes
    count, rest = divmod(len(data), size)
    if rest or not 1 <= count <= len(registers):
        raise FrameError(
            "length", f"{len(data)} bytes for {identifier:08X}: must be 1 to {len(registers)} times {size}", data
        )
    return [
        register.decode(data[index * size : (index + 1) * size], utc_offset_min)
        for index, register in enumerate(registers[:count])
    ]
