from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs import m100
from readers.codecs.m100_access import Query, Select, TagAnswer
from tests.support.codecs import CodecCase

WITH_TAG: Final = (m100.Command.READ, m100.Command.WRITE)


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = m100.Decoder()
    found = []
    stream = b"".join(pieces)
    for piece in pieces:
        for frame in decoder.feed(piece):
            forms = [m100.encode(frame, delimiters) for delimiters in m100.ALL_DELIMITERS]
            table: dict[str, Any] = {
                "type": frame.type.name.lower(),
                "command": f"{frame.command:02X}",
                "parameters": frame.parameters.hex(" ").upper(),
                "hex": next(form for form in forms if form in stream).hex(" ").upper(),
            }
            if frame.type is m100.FrameType.NOTICE:
                tag = m100.TagNotice.parse(frame.parameters)
                assert tag.parameters() == frame.parameters
                table |= {"epc": tag.epc.hex().upper(), "pc_bits": tag.pc_bits, "rssi_dbm": tag.rssi_dbm}
            elif frame.command in WITH_TAG and frame.type is m100.FrameType.RESPONSE:
                answer = TagAnswer.parse(frame.parameters)
                assert answer.parameters() == frame.parameters
                table |= {"epc": answer.epc.hex().upper(), "data": answer.data.hex().upper()}
            elif frame.command in (m100.Command.SET_SELECT, m100.Command.GET_SELECT) and len(frame.parameters) > 1:
                assert Select.parse(frame.parameters).pointer_bits < 1 << 32
            elif frame.command in (m100.Command.SET_QUERY, m100.Command.GET_QUERY) and len(frame.parameters) > 1:
                assert Query.parse(frame.parameters).q < 16
            found.append(table)
    return found, decoder.take_rejects()


def sample(rng: Random) -> bytes:
    delimiters = rng.choice(m100.ALL_DELIMITERS)
    if rng.random() < 0.2:
        command = rng.choice([*m100.Command, 0x99])
        parameters = rng.randbytes(rng.choice([0, 1]))
        if command in WITH_TAG:
            epc = rng.randbytes(2 * rng.randint(0, 31))
            parameters = TagAnswer(m100.pc_bits_for(epc), epc, rng.randbytes(rng.randint(0, 64))).parameters()
        return m100.encode(m100.Frame(m100.FrameType.RESPONSE, command, parameters), delimiters)
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
    drivers={
        "m100": (
            {},
            {"region": "eu"},
            {"read_tid": True, "read_user_words": 2, "session": 1},
            {"select": {"mask": "3075"}, "channels": [1, 3]},
        )
    },
    repaired=repaired,
)
