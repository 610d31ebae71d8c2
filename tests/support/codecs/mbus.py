from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs.checksums import sum8
from readers.codecs.mbus import Decoder, Done, Frame, Kind, Long, Short, encode
from readers.codecs.mbus_records import HEADER_BYTES, Header, encode_header, encode_record, read_header, read_records
from readers.codecs.mbus_values import said
from readers.errors import FrameError
from readers.observations import Reading
from tests.support.codecs import CodecCase

CET_MIN: Final = 60


def shown(reading: Reading) -> str:
    at = "" if reading.meter_time_us is None else f" at {reading.meter_time_us}"
    return f"{reading.obis} {reading.quantity.value} {reading.value}{at}"


def content(frame: Frame) -> dict[str, Any]:
    if isinstance(frame, Done):
        return {"done": True}
    table: dict[str, Any] = {"control": f"{frame.control:02X}", "address": frame.address}
    if isinstance(frame, Short) or frame.kind != Kind.VARIABLE:
        return table
    header = read_header(frame.data)
    try:
        records, more = read_records(frame.data[HEADER_BYTES:])
    except FrameError as error:
        return table | {"number": header.number, "fault": error.reason}
    for record in records:
        encode_record(record)
    found = said(header, records, CET_MIN)
    return table | {
        "number": header.number,
        "maker": header.maker,
        "device_type": header.device_type,
        "has_more": more,
        "at_us": found.at_us or 0,
        "trouble": found.trouble,
        "readings": [shown(reading) for reading in found.readings],
        "unknown": found.unknown,
    }


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = Decoder()
    found = []
    for piece in pieces:
        found += [content(frame) | {"hex": encode(frame).hex(" ").upper()} for frame in decoder.feed(piece)]
    return found, decoder.take_rejects()


RECORDS: Final = (
    "04 06 E7 91 00 00",
    "0C 14 27 04 85 02",
    "05 2E B1 D1 2E BE",
    "04 6D 1A 2F 65 11",
    "06 6D 00 00 08 16 27 00",
    "02 FD C8 FF 01 D1 08",
    "0D 7C 08 44 49 20 2E 74 73 75 63 03 35 35 37",
    "0D 13 C2 34 12",
    "8E B0 00 84 00 00 00 00 00 00 00",
    "01 FD 17 00",
    "2F",
    "0F 01 02",
    "1F",
    "04 86 3C 97 9B 00 00",
)


def sample(rng: Random) -> bytes:
    kind = rng.choice([0x02, 0x03, 0x04, 0x07, 0x0D, 0xFF])
    header = encode_header(Header("06855817", "KAM", 8, kind, rng.randrange(256), rng.randrange(256)))
    data = header + b"".join(bytes.fromhex(each) for each in rng.choices(RECORDS, k=rng.randrange(1, 8)))
    if rng.random() < 0.3:
        data = data[: rng.randrange(12, len(data) + 1)] + rng.randbytes(rng.randrange(12))
    frames: list[Frame] = [
        Long(rng.choice([0x08, 0x28]), rng.choice([1, 0xFD]), rng.choice([0x72, 0x72, 0x72, 0x70, 0x73]), data),
        Long(0x08, 1, Kind.VARIABLE, data),
        Short(0x5B, 1),
        Done(),
    ]
    return encode(rng.choice(frames))


def repaired(data: bytes) -> bytes:
    if len(data) < 7 or data[0] != 0x68:
        return data
    body = data[4:-2]
    size = len(body) & 0xFF
    return bytes([0x68, size, size, 0x68]) + body + bytes([sum8(body), 0x16])


CASE: Final = CodecCase(
    "mbus",
    tables,
    Decoder,
    sample,
    most_held_bytes=261,
    drivers={
        "mbus": (
            {"meters": [{"name": "a", "address": 1}, {"name": "b", "number": "06855817"}], "read_every_s": 10},
            {"meters": [{"name": "a"}], "read_every_s": 10},
        )
    },
    repaired=repaired,
)
