from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers import gdw376_messages as messages
from readers.codecs import gdw376
from readers.gdw376_messages import Afn, Forward, Forwarded, Frame, LinkFn, SerialLine
from tests.support.codecs import CodecCase


def payload(frame: Frame) -> dict[str, Any]:
    if frame.afn != Afn.FORWARD:
        return {"confirmation": messages.encode(messages.confirmation(frame)).hex(" ").upper()}
    if frame.is_from_terminal:
        brought = messages.read_forwarded(frame)
        return {"port": brought.port, "content": brought.content.hex(" ").upper()}
    what = messages.read_forward(frame)
    assert SerialLine.decode(what.line.encode()) == what.line
    line = f"{what.line.baud} {what.line.parity.value} {what.line.stop_bits}"
    content = what.content.hex(" ").upper()
    return {"port": what.port, "line": line, "wait_s": what.wait_s, "gap_ms": what.byte_gap_ms, "content": content}


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = gdw376.Decoder()
    found = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            table: dict[str, Any] = {
                "terminal": frame.terminal,
                "control": f"{frame.control:02X}",
                "afn": f"{frame.afn:02X}",
                "fn": frame.fn or 0,
                "number": frame.number,
                "master": frame.master,
                "wants_confirmation": frame.wants_confirmation,
                "units": frame.units.hex(" ").upper(),
                "hex": messages.encode(frame).hex(" ").upper(),
            }
            found.append(table | payload(frame))
    return found, decoder.take_rejects()


def sample(rng: Random) -> bytes:
    number = rng.randrange(16)
    request = messages.forward("44030004", number, Forward(2, SerialLine(2400), 20, 500, rng.randbytes(16)))
    login = Frame("44030004", 0xC9, Afn.LINK, 0x70 | number, messages.kind(rng.choice(list(LinkFn))))
    answer = messages.forwarded(request, Forwarded(2, rng.randbytes(20)), events=rng.choice([None, b"\x4f\0"]))
    return messages.encode(rng.choice([request, login, answer]))


def repaired(data: bytes) -> bytes:
    if len(data) < 16:
        return data
    raw = bytearray(data)
    raw[0] = raw[5] = 0x68
    raw[1:3] = raw[3:5] = ((len(raw) - 8) << 2 | 2).to_bytes(2, "little")
    raw[-2] = sum(raw[6:-2]) & 0xFF
    raw[-1] = 0x16
    return bytes(raw)


CASE: Final = CodecCase(
    "gdw376", tables, gdw376.Decoder, sample, most_held_bytes=messages.MAX_FRAME_BYTES, repaired=repaired
)
