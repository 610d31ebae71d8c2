from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs import dlt645, dlt645_registers
from tests.support.codecs import CodecCase


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = dlt645.Decoder()
    found = []
    wake_up_bytes = b"".join(pieces).split(b"\x68")[0].count(dlt645.WAKE_UP)
    for piece in pieces:
        for frame in decoder.feed(piece):
            table: dict[str, Any] = {
                "address": frame.address,
                "control": f"{frame.control:02X}",
                "data": frame.data.hex(" ").upper(),
                "hex": dlt645.encode(frame, wake_up_bytes).hex(" ").upper(),
            }
            if frame.control == dlt645.Control.REPLY | dlt645.Function.READ and frame.identifier is not None:
                readings = dlt645_registers.decode(frame.identifier, frame.data[dlt645.IDENTIFIER_BYTES :])
                table["values"] = {str(r.obis): str(r.value or r.quality.value) for r in readings}
            found.append(table)
    return found, decoder.take_rejects()


def sample(rng: Random) -> bytes:
    names = [b"", bytes.fromhex("00FF0100"), bytes.fromhex("00000200"), bytes(6)]
    controls = [0x91, 0xD1, 0xB1, 0x92, 0xB2, 0x93, 0xD3, 0x11]
    data = rng.choice(names) + rng.randbytes(rng.randrange(12))
    return dlt645.encode(dlt645.Frame(rng.choice(["000000000161", dlt645.WILDCARD]), rng.choice(controls), data))


def repaired(data: bytes) -> bytes:
    start = data.find(0x68)
    if start < 0 or len(data) <= start + 3:
        return data
    return data[:-2] + bytes([sum(data[start:-2]) & 0xFF]) + data[-1:]


CASE: Final = CodecCase(
    "dlt645",
    tables,
    dlt645.Decoder,
    sample,
    most_held_bytes=12 + 255,
    drivers={
        "dlt645": (
            {"meters": [{"name": "a", "address": "161"}], "poll_s": 1},
            {"meters": [{"name": "a"}], "poll_s": 1},
        )
    },
    repaired=repaired,
)
