from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, Final

from readers.codecs import osdp
from tests.support.codecs import CodecCase


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = osdp.Decoder()
    found = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            table: dict[str, Any] = {
                "address": frame.address,
                "is_reply": frame.is_reply,
                "sequence": frame.sequence,
                "code": f"{frame.code:02X}",
                "data": frame.data.hex(" ").upper(),
                "security": frame.security.hex(" ").upper(),
                "mac": frame.mac.hex(" ").upper(),
                "hex": osdp.encode(frame).hex(" ").upper(),
            }
            if frame.is_reply and frame.code == osdp.Reply.RAW_CARD and not frame.mac:
                card = osdp.parse_raw_card(frame.data)
                assert card.data() == frame.data
                table |= {"size_bits": card.size_bits, "bits": card.bits.hex(" ").upper(), "format": card.format}
            found.append(table)
    return found, decoder.take_rejects()


def sample(rng: Random) -> bytes:
    sequence, has_crc, address = rng.randrange(4), rng.random() < 0.8, rng.randrange(127)
    dice = rng.random()
    if dice < 0.4:
        size = rng.randint(1, 200)
        card = osdp.RawCard(rng.randrange(2), rng.randrange(2), size, rng.randbytes(-(-size // 8)))
        return osdp.encode(
            osdp.Frame(address, osdp.Reply.RAW_CARD, card.data(), is_reply=True, sequence=sequence, has_crc=has_crc)
        )
    security = mac = b""
    if dice < 0.6:
        security, mac = bytes([rng.choice([0x16, 0x18])]), rng.randbytes(4)
    elif dice < 0.7:
        security = bytes([0x12, 1])
    code = rng.choice([0x40, 0x41, 0x45, 0x46, 0x48, 0x53, 0x76])
    frame = osdp.Frame(address, code, rng.randbytes(rng.randrange(40)), is_reply=True, security=security, mac=mac)
    return osdp.encode(replace(frame, sequence=sequence, has_crc=has_crc))


def repaired(data: bytes) -> bytes:
    has_crc = len(data) > 4 and bool(data[4] & 4)
    inside = bytearray(data[: -2 if has_crc else -1])
    if len(inside) > 4:
        inside[2:4] = len(data).to_bytes(2, "little")
    return bytes(inside) + osdp.check_of(bytes(inside), has_crc=has_crc)


CASE: Final = CodecCase(
    "osdp",
    tables,
    osdp.Decoder,
    sample,
    most_held_bytes=osdp.MOST_FRAME_BYTES,
    drivers={},  # libosdp runs on a clock of its own: conversations are tested in tests/readers/cards/osdp
    repaired=repaired,
)
