"""DL/T 645-1997, the protocol of older Chinese meters: the frames of 2007 with other functions and shorter names.

    [FE..] 68 AAAAAAAAAAAA 68 C L NN DDDD.. S 16        the frame of `dlt645`; NN is the identifier, low byte first

A register is asked for by two bytes, written DI1 DI0: 9010 is the import in total, 901F the block with its tariffs. A
block may end with a byte AA (from memory). The frame itself does not tell the two protocols apart, its function does.

Whoever speaks 2007 can speak 1997 by `identifier_1997`, which translates the identifiers, and `decode`, whose readings
are those of the 2007 register, in the coarser resolution: whole volts, 10 mA. Identifiers of 1997 that have no
counterpart are not read. A maximum demand has its time under a name of its own (B010), without a year.

Source: DL/T 645-1997 annex A by the translation tables of two public projects, and published frames of voltage and
energy. Resolutions of current (XX.XX A) and reactive power (XX.XX kvar) are those of meter manuals.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from enum import IntEnum
from typing import Final

from readers.codecs.dlt645 import Frame
from readers.codecs.dlt645_clock import local_time, meter_time_us
from readers.codecs.dlt645_registers import BLOCKS, REGISTERS, Register, decode_registers
from readers.errors import FrameError
from readers.observations import Reading

IDENTIFIER_BYTES: Final = 2
DATE: Final = 0xC010
"""`WW DD MM YY`, as 04000101."""
TIME: Final = 0xC011
"""`ss mm hh`, as 04000102."""
STATUS: Final = 0xC020
DEMAND_TIME_BYTES: Final = 4

_BLOCK: Final = 0x0F
_BLOCK_END: Final = 0xAA
_DEMAND_DIGIT: Final = 0xA
_DEMAND_TO_TIME: Final = 0x1000
_MARGIN: Final = timedelta(days=1)


class Function1997(IntEnum):
    """Functions of the control byte; replies have 80 added, errors C0, more to follow A0."""

    READ = 0x01
    READ_MORE = 0x02
    READ_AGAIN = 0x03
    WRITE = 0x04
    TIME_SYNC = 0x08
    WRITE_ADDRESS = 0x0A
    SET_BAUD = 0x0C
    SET_PASSWORD = 0x0F
    CLEAR_DEMAND = 0x10


def identifier_bytes(identifier: int) -> bytes:
    """An identifier on the wire, before the 33 hex."""
    return identifier.to_bytes(IDENTIFIER_BYTES, "little")


def identifier_of(frame: Frame) -> int | None:
    """The identifier that the data of a frame of 1997 begin with."""
    if len(frame.data) < IDENTIFIER_BYTES:
        return None
    return int.from_bytes(frame.data[:IDENTIFIER_BYTES], "little")


def read(address: str, identifier: int) -> Frame:
    """The request for an identifier of 1997."""
    return Frame(address, Function1997.READ, identifier_bytes(identifier))


# identifier of 1997 of the total, DI2 of 2007; tariffs are added to the one, and stand in DI1 of the other
_ENERGIES: Final = (
    (0x9010, 0x01),
    (0x9020, 0x02),
    (0x9110, 0x03),
    (0x9120, 0x04),
    (0x9130, 0x05),
    (0x9140, 0x08),  # the fourth quadrant comes before the second here
    (0x9150, 0x06),
    (0x9160, 0x07),
)
_DEMANDS: Final = ((0xA010, 0x01), (0xA020, 0x02), (0xA110, 0x03), (0xA120, 0x04))
_PERIOD_STEPS: Final = (0, 0x0400, 0x0800)  # now, last month (94.., A4..), the month before it (98.., A8..)
# identifier of 1997 of the total or of the step below phase A, the same of 2007, size and exponent where they differ
_INSTANTANEOUS: Final = (
    (0xB610, 0x0201, 2, 0),
    (0xB620, 0x0202, 2, -2),
    (0xB630, 0x0203, 3, -1),
    (0xB640, 0x0204, 2, 1),
    (0xB650, 0x0206, 2, -3),
)


def _registers() -> dict[int, Register]:
    found: dict[int, Register] = {}
    for period, step in enumerate(_PERIOD_STEPS):
        for first, di2 in _ENERGIES:
            for tariff, register in enumerate(BLOCKS[di2 << 16 | 0xFF00 | period]):
                found[first + step + tariff] = replace(register, signed=False)
        for first, di2 in _DEMANDS:
            for tariff, register in enumerate(BLOCKS[0x01000000 | di2 << 16 | 0xFF00 | period]):
                found[first + step + tariff] = replace(register, signed=False, timed=False)
    for first, name, size, exponent in _INSTANTANEOUS:
        for number in range(4):
            known = REGISTERS.get(name << 16 | number << 8)
            if known is not None:
                found[first + number] = replace(known, size=size, exponent=exponent, signed=False)
    return {identifier: replace(register, identifier=identifier) for identifier, register in found.items()}


REGISTERS_1997: Final[dict[int, Register]] = _registers()
"""The registers by their identifiers of 1997; there are no signs, and no times of demands in them."""

BLOCKS_1997: Final[dict[int, tuple[Register, ...]]] = {
    first | _BLOCK: tuple(
        REGISTERS_1997[first + number] for number in range(_BLOCK) if first + number in REGISTERS_1997
    )
    for first in sorted({identifier & ~_BLOCK for identifier in REGISTERS_1997})
}


def _translation() -> dict[int, int]:
    found: dict[int, int] = {0x04000101: DATE, 0x04000102: TIME}
    for period, step in enumerate(_PERIOD_STEPS):
        for kind, rows in ((0, _ENERGIES), (1, _DEMANDS)):
            for first, di2 in rows:
                base = kind << 24 | di2 << 16 | period
                found[base | 0xFF00] = first + step + _BLOCK
                found |= {base | tariff << 8: first + step + tariff for tariff in range(5)}
    for first, name, _, _ in _INSTANTANEOUS:
        found[name << 16 | 0xFF00] = first + _BLOCK
        found |= {name << 16 | number << 8: first + number for number in range(4) if first + number in REGISTERS_1997}
    return found


_TRANSLATION: Final = _translation()
_BACK: Final = {old: new for new, old in _TRANSLATION.items()}


def identifier_1997(identifier_2007: int) -> int | None:
    """The identifier of 1997 for what 2007 calls so; None: 1997 has no such thing."""
    return _TRANSLATION.get(identifier_2007)


def identifier_2007(identifier: int) -> int | None:
    """The other way round, for what both have."""
    return _BACK.get(identifier)


def registers_of(identifier: int) -> tuple[Register, ...]:
    """The registers in the reply to an identifier of 1997; empty when it is not known here."""
    single = REGISTERS_1997.get(identifier)
    return (single,) if single is not None else BLOCKS_1997.get(identifier, ())


def decode(identifier: int, data: bytes) -> list[Reading]:
    """The readings in the data of a reply, after its identifier of 1997.

    Raises:
        FrameError: `identifier` when it is not known here, `length` when the data are no whole registers of it.
    """
    registers = registers_of(identifier)
    if not registers:
        raise FrameError("identifier", f"data identifier {identifier:04X} is not known here", data)
    if len(registers) > 1 and len(data) % registers[0].size == 1 and data[-1] == _BLOCK_END:
        data = data[:-1]
    return decode_registers(registers, data, 0)


def demand_time_identifier(identifier: int) -> int | None:
    """The identifier of the time of a maximum demand, B010 for A010; None when `identifier` is no single demand."""
    is_demand = identifier in REGISTERS_1997 and identifier >> 12 == _DEMAND_DIGIT
    return identifier + _DEMAND_TO_TIME if is_demand else None


def decode_demand_time(data: bytes, now_us: int, meter_utc_offset_min: int) -> int | None:
    """The UTC time of a maximum demand, of `mm hh DD MM`: the latest such time that is not after tomorrow.

    None when it is none, as before the first demand.

    Raises:
        FrameError: `length`.
    """
    if len(data) != DEMAND_TIME_BYTES:
        raise FrameError("length", f"{len(data)} bytes of a demand's time: must be {DEMAND_TIME_BYTES}", data)
    latest = local_time(now_us, meter_utc_offset_min) + _MARGIN
    for year in range(latest.year, latest.year - 5, -1):  # four years back there was a 29th of February
        at_us = meter_time_us(data + bytes.fromhex(f"{year % 100:02d}"), meter_utc_offset_min)
        if at_us is not None and at_us <= now_us + _MARGIN // timedelta(microseconds=1):
            return at_us
    return None
