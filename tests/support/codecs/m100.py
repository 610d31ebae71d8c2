from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs import m100
from tests.support.codecs import CodecCase


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = m100.Decoder()
    found = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            assert decoder.seen is not None
            table: dict[str, Any] = {
                "type": frame.type.name.lower(),
                "command": f"{frame.command:02X}",
                "parameters": frame.parameters.hex(" ").upper(),
                "hex": m100.encode(frame, decoder.seen).hex(" ").upper(),
            }
            if frame.type is m100.FrameType.NOTICE:
                tag = m100.TagNotice.parse(frame.parameters)
                assert tag.parameters() == frame.parameters
                table |= {"epc": tag.epc.hex().upper(), "pc_bits": tag.pc_bits, "rssi_dbm": tag.rssi_dbm}
            found.append(table)
    return found, decoder.take_rejects()


def sample(rng: Random) -> bytes:
    delimiters = rng.choice(m100.ALL_DELIMITERS)
    if rng.random() < 0.2:
        command = rng.choice([*m100.Command, 0x99])
        return m100.encode(m100.Frame(m100.FrameType.RESPONSE, command, rng.randbytes(rng.randrange(20))), delimiters)
    epc = rng.randbytes(2 * rng.randint(0, 31))
    notice = m100.TagNotice(rng.randint(-128, 127), m100.pc_bits_for(epc), epc)
    return m100.encode(m100.Frame(m100.FrameType.NOTICE, m100.Command.POLL, notice.parameters()), delimiters)


def repaired(data: bytes) -> bytes:
    return data[:-2] + bytes([sum(data[1:-2]) & 0xFF]) + data[-1:]


CASE: Final = CodecCase(
    "m100",
    tables,
    m100.Decoder,
    sample,
    most_held_bytes=m100.MAX_PARAMETER_BYTES + 7,
    drivers={"m100": ({}, {"region": "eu"})},
    repaired=repaired,
)
