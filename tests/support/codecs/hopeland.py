from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs import hopeland
from readers.codecs.hopeland import Frame, Kind, Message
from readers.codecs.hopeland_tags import Tag
from tests.support.codecs import CodecCase


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = hopeland.Decoder()
    found = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            table: dict[str, Any] = {
                "kind": frame.kind,
                "message": f"{frame.message:02X}",
                "unasked": frame.is_unasked,
                "data": frame.data.hex(" ").upper(),
                "hex": hopeland.encode(frame).hex(" ").upper(),
            }
            if frame.is_unasked and (frame.kind, frame.message) == (Kind.RFID, Message.TAG):
                tag = Tag.parse(frame.data)
                table |= {"epc": tag.epc.hex().upper(), "pc_bits": tag.pc_bits, "antenna_port": tag.antenna_port}
            if (frame.kind, frame.message) == (Kind.READER, Message.INFO) and frame.data:
                info = hopeland.ReaderInfo.parse(frame.data)
                assert info.data() == frame.data
                table["firmware"] = ".".join(map(str, info.firmware))
            found.append(table)
    return found, decoder.take_rejects()


def tag(rng: Random) -> Tag:
    epc = rng.randbytes(2 * rng.randint(0, 31))
    return Tag(
        epc=epc,
        pc_bits=len(epc) // 2 << 11,
        antenna_port=rng.randint(1, 8),
        rssi=rng.choice([None, rng.randrange(256)]),
        memory_result=rng.choice([None, 0, 1]),
        tid=rng.choice([None, rng.randbytes(12)]),
        user_memory=rng.choice([None, rng.randbytes(rng.randrange(64))]),
        reserved_memory=rng.choice([None, rng.randbytes(8)]),
        sub_antenna=rng.choice([None, rng.randrange(2)]),
        reader_time_us=rng.choice([None, rng.randrange(4_000_000_000_000_000)]),
        serial=rng.choice([None, rng.randrange(2**32)]),
        epc_bank=rng.choice([None, rng.randbytes(2 * rng.randrange(8))]),
        exact_rssi_dbm=rng.choice([None, rng.randint(-128, 127)]),
        more=tuple((number, rng.randbytes(size)) for number, size in ((0x0A, 1), (0x10, 4)) if rng.random() < 0.3),
    )


def sample(rng: Random) -> bytes:
    dice = rng.random()
    if dice < 0.7:
        return hopeland.encode(Frame(Kind.RFID, Message.TAG, tag(rng).data(), is_unasked=True))
    if dice < 0.8:
        return hopeland.encode(Frame(Kind.READER, Message.CONFIRM, rng.randbytes(4), is_unasked=True))
    message = rng.choice([Message.STOP, Message.READ_EPC, Message.SET_POWER, Message.GET_POWER, Message.TIME, 0x99])
    return hopeland.encode(Frame(rng.choice(list(Kind)), message, rng.randbytes(rng.randrange(10))))


def repaired(data: bytes) -> bytes:
    if len(data) < 7:
        return data
    size = min(len(data) - 7, hopeland.MAX_DATA_BYTES)
    body = data[1:3] + size.to_bytes(2, "big") + data[5:-2]
    return data[:1] + body + hopeland.crc16(body).to_bytes(2, "big")


CASE: Final = CodecCase(
    "hopeland",
    tables,
    hopeland.Decoder,
    sample,
    most_held_bytes=hopeland.MAX_FRAME_BYTES,
    drivers={"hopeland": ({}, {"read_tid": 6, "antennas": [1, 2]}, {"region": "eu"})},
    repaired=repaired,
)
