from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs import dlt698, dlt698_apdu, dlt698_objects
from readers.codecs.dlt698 import REPLY, Fragment, Frame
from readers.codecs.dlt698_apdu import Get, GetNext, GetRecord, Record, Refusal, Reply, Result
from readers.codecs.dlt698_data import Road, encode_data, time_us
from readers.observations import Reading
from readers.quantities import Quality
from simulator.meters import dlt698_wire as wire
from tests.support.codecs import CodecCase

CHINA_MIN: Final = 480


def values(readings: Sequence[Reading]) -> dict[str, str]:
    return {
        str(r.obis): r.quality.value if r.value is None or r.quality is Quality.SUSPECT else str(r.value)
        for r in readings
    }


def result(found: Result) -> dict[str, Any]:
    if isinstance(found.value, Refusal):
        return {str(found.oad): str(found.value)}
    data = found.value
    item = dlt698_objects.item_of(found.oad)
    if item is not None:
        return values(item.decode(data, CHINA_MIN, found.oad.index))
    if (at_us := time_us(data, CHINA_MIN)) is not None:
        return {str(found.oad): at_us}
    return {str(found.oad): encode_data(data).hex(" ").upper()}


def record(found: Record) -> dict[str, Any]:
    if isinstance(found.rows, Refusal):
        return {str(found.oad): str(found.rows)}
    rows: list[dict[str, Any]] = []
    for row in found.rows:
        cells: dict[str, Any] = {}
        for column, data in zip(found.columns, row, strict=True):
            assert not isinstance(column, Road)
            cells |= result(Result(column, data))
        rows.append(cells)
    return {str(found.oad): rows}


def reply(apdu: bytes) -> dict[str, Any]:
    found = dlt698_apdu.decode_reply(apdu)
    if not isinstance(found, Reply):
        return {"refused": str(found)}
    table: dict[str, Any] = {"number": found.number, "secured": found.is_secured}
    for each in found.results:
        table |= result(each)
    for each_record in found.records:
        table |= record(each_record)
    if found.block is not None:
        table |= {"block": found.block.number, "is_last": found.block.is_last}
    if found.refusal is not None:
        table["refused"] = str(found.refusal)
    return table


def request(apdu: bytes) -> dict[str, Any]:
    asked, number = dlt698_apdu.decode_request(apdu)
    assert dlt698_apdu.decode_request(dlt698_apdu.encode_request(asked, number)) == (asked, number)
    table: dict[str, Any] = {"number": number}
    match asked:
        case Get(oads=oads):
            return table | {"asks": [str(oad) for oad in oads]}
        case GetRecord(oad=oad, rows=rows, columns=columns):
            return table | {"asks": [str(oad)], "rows": type(rows).__name__, "columns": [str(each) for each in columns]}
        case GetNext(block=block):
            return table | {"block": block}


def payload(frame: Frame) -> dict[str, Any]:
    if frame.is_fragment:
        part = Fragment.decode(frame.payload)
        return {"part": part.kind.name.lower(), "part_number": part.number, "part_data": part.data.hex(" ").upper()}
    service = frame.payload[0] if frame.payload else None
    if service in (dlt698_apdu.GET_REPLY, dlt698_apdu.SECURITY_REPLY, dlt698_apdu.ERROR_REPLY):
        return reply(frame.payload)
    return request(frame.payload) if service == dlt698_apdu.GET else {}


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = dlt698.Decoder()
    found = []
    wake_up_bytes = b"".join(pieces).split(b"\x68")[0].count(dlt698.WAKE_UP)
    for piece in pieces:
        for frame in decoder.feed(piece):
            table: dict[str, Any] = {
                "address": frame.address,
                "kind": frame.kind.name.lower(),
                "logical": frame.logical,
                "client": frame.client,
                "control": f"{frame.control:02X}",
                "apdu": frame.payload.hex(" ").upper(),
                "hex": dlt698.encode(frame, wake_up_bytes).hex(" ").upper(),
            }
            found.append(table | payload(frame))
    return found, decoder.take_rejects()


ENERGY: Final = bytes.fromhex("00100200")
VOLTAGE: Final = bytes.fromhex("20000200")


def sample(rng: Random) -> bytes:
    number = rng.randrange(64)
    energies = wire.array([wire.uint32(rng.randrange(1 << 32)) for _ in range(5)])
    volts = wire.array([wire.uint16(rng.randrange(4000)) for _ in range(rng.choice([1, 3]))])
    apdu = rng.choice(
        [
            bytes([0x85, 1, number]) + ENERGY + b"\1" + energies + b"\0\0",
            bytes([0x85, 2, number, 2]) + ENERGY + b"\1" + energies + VOLTAGE + b"\1" + volts + b"\0\0",
            bytes([0x85, 2, number, 2]) + ENERGY + b"\0\6" + VOLTAGE + b"\1" + volts + b"\0\0",
            bytes([0x85, 1, number]) + rng.randbytes(rng.randrange(24)),
            bytes([0xEE, number, 1, 0]),
        ]
    )
    control = rng.choice([REPLY, REPLY, REPLY, REPLY | 0x20, 0x83, 0x43, REPLY | 0x08])
    return wire.framed("000000000161", 0, rng.choice([16, 16, 0]), control, apdu)


def repaired(data: bytes) -> bytes:
    start = data.find(0x68)
    if start < 0 or len(data) < start + 16:
        return data
    raw = bytearray(data[start:])
    raw[1:3] = (len(raw) - 2).to_bytes(2, "little")
    head_end = 6 + (raw[4] & 0x0F) + 1
    if head_end + 5 > len(raw):
        return data
    raw[head_end : head_end + 2] = wire.crc16(bytes(raw[1:head_end])).to_bytes(2, "little")
    raw[-3:-1] = wire.crc16(bytes(raw[1:-3])).to_bytes(2, "little")
    raw[-1] = 0x16
    return data[:start] + bytes(raw)


CASE: Final = CodecCase(
    "dlt698",
    tables,
    dlt698.Decoder,
    sample,
    most_held_bytes=dlt698.MAX_FRAME_BYTES,
    drivers={
        "dlt698": (
            {"meters": [{"name": "a", "address": "161"}], "poll_s": 1},
            {"meters": [{"name": "a"}], "poll_s": 1},
        )
    },
    repaired=repaired,
)
