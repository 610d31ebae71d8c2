"""What a DL/T 645-2007 meter has kept: its freezes, and its load records, for the values of a time that was missed.

A freeze (DI 05 kk cc nn) is one snapshot: kind kk, content cc, the nn-th latest. A load record (DI 06 cc 00 ww) is read
by the request `N` (how many, BCD) for the earliest, `N mm hh DD MM YY` for those from a time on; several come together:

    A0A0 L TTTTT 1..1 AA 2..2 AA 3..3 AA 4..4 AA 5..5 AA 6..6 AA S E5
    │    │ │     │    │  │       │       │       │       │       │ └ end mark
    │    │ │     │    │  │       │       │       │       │       └── checksum: sum of all before it, modulo 256
    │    │ │     │    │  │       │       │       │       └────────── 6: demand now, P and Q, 3 bytes each
    │    │ │     │    │  │       │       │       └────────────────── 5: reactive energy Q1 to Q4, 4 bytes each
    │    │ │     │    │  │       │       └────────────────────────── 4: import, export, reactive 1, 2, 4 bytes each
    │    │ │     │    │  │       └────────────────────────────────── 3: power factor total, A, B, C, 2 bytes each
    │    │ │     │    │  └────────────────────────────────────────── 2: P then Q, total, A, B, C, 3 bytes each
    │    │ │     │    └───────────────────────────────────────────── separator, after each class, present or not
    │    │ │     └────────────────────────────────────────────────── 1: voltage A B C, current A B C, frequency
    │    │ └──────────────────────────────────────────────────────── time of the record, `mm hh DD MM YY`
    │    └────────────────────────────────────────────────────────── bytes from the time to the last separator
    └─────────────────────────────────────────────────────────────── start mark; E0E0: the meter doubts this record

Source: DL/T 645-2007 annexes A and B by a public transcript, a meter's source code and two terminals' source codes,
which agree, and a published load record. Newer meters add two values to class 6, by one program's source code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from readers.codecs.checksums import sum8
from readers.codecs.dlt645_clock import MINUTE_TIME_BYTES, digits_of, encode_minute_time, meter_time_us
from readers.codecs.dlt645_registers import BLOCKS, REGISTERS, Register, decode_registers
from readers.errors import FrameError
from readers.observations import Reading
from readers.quantities import Quality

MOST_RECORDS: Final = 99  # N is two digits
MOST_FREEZES: Final = 254
DAILY_FREEZES: Final = 62  # how many of them the meters of the grid companies keep

_FREEZE: Final = 0x05000000
_LOAD: Final = 0x06000000
_TIME: Final = 0x00


class FreezeKind(IntEnum):
    """Which snapshots."""

    PERIODIC = 0x00
    ORDERED = 0x01
    """By the order FREEZE."""
    HOURLY = 0x04
    DAILY = 0x06
    """At midnight."""


class Frozen(IntEnum):
    """What of a snapshot: energies with their tariffs, maximum demands with their times."""

    IMPORT = 0x01
    EXPORT = 0x02
    REACTIVE_1 = 0x03
    REACTIVE_2 = 0x04
    REACTIVE_Q1 = 0x05
    REACTIVE_Q2 = 0x06
    REACTIVE_Q3 = 0x07
    REACTIVE_Q4 = 0x08
    DEMAND_IMPORT = 0x09
    DEMAND_EXPORT = 0x0A
    POWERS = 0x10
    """P then Q, total, A, B, C."""


_POWERS: Final = BLOCKS[0x0203FF00] + BLOCKS[0x0204FF00]
_FROZEN: Final[dict[Frozen, tuple[Register, ...]]] = {
    **{Frozen(di2): BLOCKS[di2 << 16 | 0xFF00] for di2 in range(1, 9)},
    Frozen.DEMAND_IMPORT: BLOCKS[0x0101FF00],
    Frozen.DEMAND_EXPORT: BLOCKS[0x0102FF00],
    Frozen.POWERS: _POWERS,
}


def freeze_time_identifier(kind: FreezeKind, back: int) -> int:
    """The identifier of the time of a snapshot; `back` 1 for the latest.

    Raises:
        FrameError: `range`.
    """
    return _freeze(kind, _TIME, back)


def freeze_identifier(kind: FreezeKind, content: Frozen, back: int) -> int:
    """The identifier of a part of a snapshot; `back` 1 for the latest.

    Raises:
        FrameError: `range`.
    """
    return _freeze(kind, content, back)


def _freeze(kind: FreezeKind, content: int, back: int) -> int:
    if not 1 <= back <= MOST_FREEZES:
        raise FrameError("range", f"snapshot {back}: must be 1, the latest, to {MOST_FREEZES}")
    return _FREEZE | kind << 16 | content << 8 | back


def registers_of_freeze(identifier: int) -> tuple[Register, ...]:
    """The registers in a part of a snapshot; empty when the identifier names none that is known here."""
    kinds, contents = {each.value for each in FreezeKind}, {each.value for each in Frozen}
    kind, content, back = identifier >> 16 & 0xFF, identifier >> 8 & 0xFF, identifier & 0xFF
    if identifier >> 24 != _FREEZE >> 24 or kind not in kinds or content not in contents:
        return ()
    return _FROZEN[Frozen(content)] if 1 <= back <= MOST_FREEZES else ()


def decode_freeze_time(data: bytes, meter_utc_offset_min: int) -> int | None:
    """When the snapshot was taken, from the reply after its identifier; None: the meter has no such snapshot.

    Raises:
        FrameError: `length`.
    """
    if len(data) != MINUTE_TIME_BYTES:
        raise FrameError("length", f"{len(data)} bytes of freeze time: must be {MINUTE_TIME_BYTES}", data)
    return meter_time_us(data, meter_utc_offset_min)


def decode_freeze(identifier: int, data: bytes, at_us: int, meter_utc_offset_min: int) -> list[Reading]:
    """The readings of a snapshot taken at `at_us`, BACKFILLED, from the reply after its identifier.

    The meter time of an energy is `at_us`, of a maximum demand when it was. Absent values are left out.

    Raises:
        FrameError: `identifier` when it is not known here, `length`.
    """
    registers = registers_of_freeze(identifier)
    if not registers:
        raise FrameError("identifier", f"data identifier {identifier:08X} is no snapshot that is known here", data)
    return _kept(decode_registers(registers, data, meter_utc_offset_min), at_us)


class LoadClass(IntEnum):
    """What of a load record; a meter keeps the classes that its mode word asks for."""

    ALL = 0
    VOLTAGE_CURRENT = 1
    POWER = 2
    POWER_FACTOR = 3
    ENERGY = 4
    REACTIVE_QUADRANTS = 5
    DEMAND = 6


class Which(IntEnum):
    """Which load records."""

    EARLIEST = 0
    FROM_TIME = 1
    LATEST = 2


LOAD_CLASSES: Final[dict[LoadClass, tuple[Register, ...]]] = {
    LoadClass.VOLTAGE_CURRENT: (*BLOCKS[0x0201FF00], *BLOCKS[0x0202FF00], REGISTERS[0x02800002]),
    LoadClass.POWER: _POWERS,
    LoadClass.POWER_FACTOR: BLOCKS[0x0206FF00],
    LoadClass.ENERGY: tuple(REGISTERS[di2 << 16] for di2 in (1, 2, 3, 4)),
    LoadClass.REACTIVE_QUADRANTS: tuple(REGISTERS[di2 << 16] for di2 in (5, 6, 7, 8)),
    LoadClass.DEMAND: (REGISTERS[0x02800004], REGISTERS[0x02800005]),
}
"""The registers of each class in their order in a record."""
_MORE_OF_DEMAND: Final = (REGISTERS[0x02800001], REGISTERS[0x02050000])
"""What newer meters add to the last class: current of the neutral, apparent power."""

_START: Final = b"\xa0\xa0"
_DOUBTED: Final = b"\xe0\xe0"
_SEPARATOR: Final = 0xAA
_END: Final = 0xE5
_HEAD_BYTES: Final = 3
_TAIL_BYTES: Final = 2


def load_identifier(load_class: LoadClass, which: Which) -> int:
    """The identifier of load records."""
    return _LOAD | load_class << 16 | which


def is_load(identifier: int) -> bool:
    """Whether it names load records."""
    return (
        identifier & 0xFF00FF00 == _LOAD
        and identifier >> 16 & 0xFF <= max(LoadClass)
        and identifier & 0xFF <= max(Which)
    )


def load_request(count: int, since_us: int | None, meter_utc_offset_min: int) -> bytes:
    """What a read of load records carries after the identifier; with `since_us` for FROM_TIME, else for EARLIEST.

    Raises:
        FrameError: `range`.
    """
    if not 1 <= count <= MOST_RECORDS:
        raise FrameError("range", f"{count} records: must be 1 to {MOST_RECORDS}")
    number = bytes.fromhex(f"{count:02d}")
    return number if since_us is None else number + encode_minute_time(since_us, meter_utc_offset_min)


def read_load_request(data: bytes, meter_utc_offset_min: int) -> tuple[int, int | None]:
    """How many records a request wants, and from when on; one where it does not say.

    Raises:
        FrameError: `length` or `range`.
    """
    if len(data) not in (0, 1, 1 + MINUTE_TIME_BYTES):
        raise FrameError("length", f"{len(data)} bytes of request: must be 0, 1 or {1 + MINUTE_TIME_BYTES}", data)
    count = digits_of(data[:1]) if data else "1"
    since_us = meter_time_us(data[1:], meter_utc_offset_min) if data[1:] else None
    if count is None or (data[1:] and since_us is None):
        raise FrameError("range", "a request of load records holds a number and a time", data)
    return max(1, int(count)), since_us


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """One load record; its readings are BACKFILLED, and hold at `at_us`."""

    at_us: int
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class LoadRecords:
    """What came of load records; `doubted` were marked by the meter itself, `damaged` fail a check."""

    records: tuple[LoadRecord, ...]
    doubted: int = 0
    damaged: int = 0


def decode_load(data: bytes, meter_utc_offset_min: int) -> LoadRecords:
    """The records in a reply after its identifier, all its parts joined; none at all is a good reply.

    A record that fails a check costs only itself where the next one can be found. Never raises.
    """
    records, doubted, damaged, at = [], 0, 0, 0
    while at < len(data):
        record, size = _record_at(data, at, meter_utc_offset_min)
        if record is not None:
            records.append(record)
        elif size:
            doubted += 1
        else:
            damaged += 1
            following = [found for mark in (_START, _DOUBTED) if (found := data.find(mark, at + 1)) > 0]
            size = (min(following) if following else len(data)) - at
        at += size
    return LoadRecords(tuple(records), doubted, damaged)


def _record_at(data: bytes, at: int, utc_offset_min: int) -> tuple[LoadRecord | None, int]:
    """The record there and its bytes; None and its bytes when the meter doubts it, None and 0 when it is damaged."""
    mark = data[at : at + 2]
    end = at + _HEAD_BYTES + (data[at + 2] if at + 2 < len(data) else 0)
    if mark not in (_START, _DOUBTED) or end + _TAIL_BYTES > len(data):
        return None, 0
    if data[end + 1] != _END or data[end] != sum8(data[at:end]):
        return None, 0
    body = data[at + _HEAD_BYTES : end]
    at_us = meter_time_us(body[:MINUTE_TIME_BYTES], utc_offset_min)
    if mark == _DOUBTED:
        return None, end + _TAIL_BYTES - at
    readings = _classes(body[MINUTE_TIME_BYTES:])
    if at_us is None or readings is None:
        return None, 0
    return LoadRecord(at_us, tuple(_kept(readings, at_us))), end + _TAIL_BYTES - at


def _classes(body: bytes) -> list[Reading] | None:
    """The readings between the separators; None when they do not lie as they must."""
    readings, at = [], 0
    for each, known in LOAD_CLASSES.items():
        registers = known
        if body[at : at + 1] != bytes([_SEPARATOR]):  # the class is there
            if each is LoadClass.DEMAND and len(body) - at - 1 > sum(register.size for register in known):
                registers = known + _MORE_OF_DEMAND
            for register in registers:
                raw = body[at : at + register.size]
                if len(raw) != register.size:
                    return None
                readings.append(register.decode(raw))
                at += register.size
        if body[at : at + 1] != bytes([_SEPARATOR]):
            return None
        at += 1
    return readings if at == len(body) else None


def encode_load(at_us: int, classes: dict[LoadClass, bytes], meter_utc_offset_min: int) -> bytes:
    """One load record of a meter, of the registers' bytes of the classes that it keeps.

    Raises:
        FrameError: `length`: a class has not its length. `range`: the year does not fit.
    """
    body = encode_minute_time(at_us, meter_utc_offset_min)
    for each, registers in LOAD_CLASSES.items():
        raw = classes.get(each, b"")
        if len(raw) not in (0, size := sum(register.size for register in registers)):
            raise FrameError("length", f"{len(raw)} bytes of load class {each}: must be {size}", raw)
        body += raw + bytes([_SEPARATOR])
    head = _START + bytes([len(body)]) + body
    return head + bytes([sum8(head), _END])


def _kept(readings: list[Reading], at_us: int) -> list[Reading]:
    return [
        replace(reading, quality=Quality.BACKFILLED, meter_time_us=reading.meter_time_us or at_us)
        for reading in readings
        if reading.quality is Quality.GOOD
    ]
