from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import xor
from random import Random
from typing import Any, Final

from readers.codecs.iec62056 import (
    MAX_BYTES,
    Data,
    DataSet,
    Decoder,
    Frame,
    Identification,
    Request,
    Select,
    encode,
)
from readers.codecs.iec62056_values import said
from readers.observations import Reading
from tests.support.codecs import CodecCase

CET_MIN: Final = 60


def shown(reading: Reading) -> str:
    at = "" if reading.meter_time_us is None else f" at {reading.meter_time_us}"
    return f"{reading.obis} {reading.quantity.value} {reading.value}{at}"


def content(frame: Frame) -> dict[str, Any]:
    if isinstance(frame, Request):
        return {"request": frame.address}
    if isinstance(frame, Select):
        return {"select": f"{frame.protocol} {frame.baud} {frame.mode}"}
    if isinstance(frame, Identification):
        return {"maker": frame.maker, "baud": frame.baud, "product": frame.product}
    found = said(frame, CET_MIN)
    return {
        "sets": [f"{each.name}: {', '.join(each.values)}" for each in frame.sets],
        "readings": [shown(reading) for reading in found.readings],
        "serial": found.serial,
        "firmware": found.firmware,
        "error_register": found.error_register,
        "refusal": found.refusal,
        "at_us": found.at_us or 0,
        "unknown": found.unknown,
        "faults": [fault.reason for fault in found.faults],
    }


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = Decoder()
    parity = any(byte > 0x7F for byte in b"".join(pieces))
    found = []
    for piece in pieces:
        found += [
            content(frame) | {"hex": encode(frame, parity=parity).hex(" ").upper()} for frame in decoder.feed(piece)
        ]
    return found, decoder.take_rejects()


SETS: Final = (
    DataSet("1.8.0", ("001234.567*kWh",)),
    DataSet("1-0:1.8.0*255", ("001234.567*kWh",)),
    DataSet("1.8.0*01", ("001134.567*kWh",)),
    DataSet("1.6.1", ("01.234*kW", "1301311015")),
    DataSet("0.9.1", ("101415",)),
    DataSet("0.9.2", ("13-01-03",)),
    DataSet("C.1.0", ("70831205",)),
    DataSet("F.F", ("00000001",)),
    DataSet("32.7.0", ("---.-*V",)),
    DataSet("32.7.0", ("lots*V",)),
    DataSet("31.6.0", ("012.5*A",)),
    DataSet("", ("ER01",)),
    DataSet("6.8", ("0000.123*MWh",)),
)


def sample(rng: Random) -> bytes:
    lines = tuple((each,) for each in rng.choices(SETS, k=rng.randrange(1, 8)))
    frames: list[Frame] = [
        Identification("LGZ", rng.choice("0356ACE "), "\\2ZMD4104407.B32"),
        Identification("ISk", "5", "MT174-0001"),
        Data(lines),
        Data(lines),
        Data(lines[:1], has_end=False),
        Request("70831205"),
        Select("5"),
    ]
    return encode(rng.choice(frames), parity=rng.random() < 0.7)


def repaired(data: bytes) -> bytes:
    start, end = data.find(b"\x02"), data.rfind(b"\x03")
    if start < 0 or end < start:
        return data
    return data[: end + 1] + bytes([reduce(xor, data[start + 1 : end + 1]) & 0x7F])


CASE: Final = CodecCase(
    "iec62056",
    tables,
    Decoder,
    sample,
    most_held_bytes=MAX_BYTES,
    drivers={
        "iec62056": (
            {"meters": [{"name": "a"}], "read_every_s": 10},
            {"meters": [{"name": "a", "address": "1"}, {"name": "b", "address": "2"}], "fixed_baud": 9600},
        )
    },
    repaired=repaired,
)
