"""One meter of the PyPI package dlt698, an implementation that shares no line with ours. Runs in a venv of its own.

Usage: meter.py ADDRESS APDU_BYTES DAY; prints `ready PORT` and serves until its input ends. Replies that are longer
than APDU_BYTES come in blocks; DAY is that of the latest freeze.
"""

from __future__ import annotations

import select
import sys
from datetime import date, timedelta

import dlt698 as d  # type: ignore[import-not-found]  # only in the peer's own venv
from dlt698 import _native as n
from dlt698.expert import (  # type: ignore[import-not-found]  # only in the peer's own venv
    Engine,
    MemoryObject,
    MemoryRecords,
    ObjectRegistry,
    register_standard_object,
)

u32, i32, u16, i16 = d.Data.uint32, d.Data.int32, d.Data.uint16, d.Data.int16


def at(year: int, month: int, day: int, *rest: int) -> d.Data:
    return d.Data.date_time_s([year >> 8, year & 0xFF, month, day, *rest])


VALUES = {
    0x0010: d.Data.array([u32(each) for each in (123456, 3456, 20000, 40000, 60000)]),
    0x0020: d.Data.array([u32(each) for each in (26, 0, 0, 26, 0)]),
    0x0030: d.Data.array([i32(each) for each in (-1234, 0, 0, -1234, 0)]),
    0x2000: d.Data.array([u16(each) for each in (2303, 2298, 2314)]),
    0x2001: d.Data.array([i32(each) for each in (12345, -1500, 1)]),
    0x2004: d.Data.array([i32(each) for each in (-71234, 25000, 1, 799999)]),
    0x2005: d.Data.array([i32(each) for each in (1000, -1, 0, 1001)]),
    0x2006: d.Data.array([i32(each) for each in (80000, 1, 2, 3)]),
    0x200A: d.Data.array([i16(each) for each in (995, -500, 999, 0)]),
    0x200F: u16(4998),
    0x2010: i16(-57),
    0x2017: i32(32500),
    0x1010: d.Data.array([d.Data.structure([u32(123456 - each), at(2026, 11, 2, 10, 15, 0)]) for each in range(5)]),
    0x2014: d.Data.array([d.Data.bit_string(16, bytes.fromhex("0A00" if each == 2 else "0000")) for each in range(7)]),
    0x4001: d.Data.octet_string(bytes.fromhex(sys.argv[1])),
}
DAYS = 20


def main() -> None:
    address, apdu_bytes = bytes.fromhex(sys.argv[1]), int(sys.argv[2])
    registry = ObjectRegistry()
    for oi, value in VALUES.items():
        held = MemoryObject()
        held.set(2, value)
        register_standard_object(registry, oi, b"\x02", held)
    columns = [d.Oad(oi=oi, attribute=2) for oi in (0x2023, 0x2021, 0x0010, 0x0020)]
    records = MemoryRecords.create(0x5004, columns)
    days = [date.fromisoformat(sys.argv[3]) - timedelta(days=back) for back in range(DAYS)][::-1]
    records.replace_rows(
        [
            [
                u32(number + 1),
                at(day.year, day.month, day.day, 0, 0, 0),
                d.Data.array([u32(1000 + number)] + [u32(0)] * 4),
                d.Data.array([u32(number)] + [u32(0)] * 4),
            ]
            for number, day in enumerate(days)
        ]
    )
    register_standard_object(registry, 0x5004, b"\x02", records)
    parameters = n.AssociationParameters(apdu_bytes=apdu_bytes)
    parameters.protocol = d.SessionOptions().parameters.protocol
    where = n.ServerAddress(bytes=address[::-1])  # the package wants the order of the wire
    options = d.SessionOptions(parameters=parameters, prefer_get_blocks=True, server=where, client_address=16)
    server = Engine(options, registry)
    print("ready", server.listen("127.0.0.1", 0, d.ConnectionProfile.local_preset), flush=True)  # noqa: T201 - how the test learns the port
    while not select.select([sys.stdin], [], [], 0.005)[0]:
        server.poll()
    server.close()


if __name__ == "__main__":
    main()
