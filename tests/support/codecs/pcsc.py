from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs import pcsc
from readers.pcsc_messages import MOST_BYTES, Kind, Message, encode
from tests.support.codecs import CodecCase


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = pcsc.Decoder()
    found = []
    for piece in pieces:
        for message in decoder.feed(piece):
            table: dict[str, Any] = {
                "kind": message.kind.name.lower(),
                "data": message.data.hex(" ").upper(),
                "hex": encode(message).hex(" ").upper(),
            }
            if message.kind is Kind.INSERTED:
                historical = pcsc.historical_bytes(message.data)
                table["historical"] = historical.hex(" ").upper() if historical is not None else "none"
                for uid_bytes in (4, 7, 8, 10):
                    technology = pcsc.technology_of(message.data, bytes(uid_bytes))
                    table[f"technology_{uid_bytes}"] = technology or "none"
            found.append(table)
    return found, decoder.take_rejects()


def sample(rng: Random) -> bytes:
    kind = rng.choice(list(Kind))
    if kind is Kind.INSERTED:
        storage = pcsc.storage_atr(rng.choice([3, 6, 11, 17]), rng.randrange(0x100))
        return encode(Message(kind, rng.choice([storage, pcsc.processor_atr(rng.randbytes(rng.randrange(16)))])))
    if kind is Kind.ANSWER:
        status = rng.choice([b"\x90\x00", b"\x6a\x82", b"\x61\x04"])
        return encode(Message(kind, rng.randbytes(rng.choice([0, 4, 7, 10])) + status))
    return encode(Message(kind, rng.randbytes(rng.randrange(30)) if kind is not Kind.REMOVED else b""))


def repaired(data: bytes) -> bytes:
    body = data[4 : 4 + MOST_BYTES]
    return data[:2] + len(body).to_bytes(2, "big") + body if len(data) >= 4 else data


CASE: Final = CodecCase(
    "pcsc",
    tables,
    pcsc.Decoder,
    sample,
    most_held_bytes=MOST_BYTES + 4,
    drivers={"pcsc": ({}, {"application": {"aid": "A000000632010105", "sfi": 21, "length": 10}})},
    repaired=repaired,
)
