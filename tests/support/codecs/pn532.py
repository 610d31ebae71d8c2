from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs import pn532
from readers.codecs.pn532 import Kind, Modulation, Target
from readers.errors import FrameError
from readers.tagdata.cards import Technology
from tests.support.codecs import CodecCase

LISTED: Final = pn532.Command.LIST_PASSIVE_TARGETS + 1


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = pn532.Decoder()
    found = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            table: dict[str, Any] = {
                "kind": frame.kind.name.lower(),
                "code": f"{frame.code:02X}",
                "data": frame.data.hex(" ").upper(),
                "hex": pn532.encode(frame).hex(" ").upper(),
            }
            if frame.kind is Kind.ANSWER and frame.code == LISTED:
                targets = _targets(frame.data)
                assert pn532.encode_targets(targets) == frame.data
                table["uids"] = [target.uid.hex().upper() for target in targets]
            found.append(table)
    return found, decoder.take_rejects()


def _targets(data: bytes) -> list[Target]:
    """The frame does not say what was called: the driver knows; here the last error counts."""
    for modulation in (Modulation.B_106, Modulation.F_212):
        try:
            return pn532.parse_targets(modulation, data)
        except FrameError:
            continue
    return pn532.parse_targets(Modulation.A_106, data)


def target_a(rng: Random, number: int = 1) -> Target:
    sel_res = rng.choice([0x00, 0x08, 0x18, 0x20])
    ats = rng.randbytes(rng.randrange(1, 12)) if sel_res == 0x20 else b""
    extra = bytes([len(ats) + 1]) + ats if sel_res == 0x20 else b""
    uid = rng.randbytes(rng.choice([4, 7, 10]))
    return Target(number, Technology.NFC_A, uid, rng.randbytes(2), sel_res, extra)


def sample(rng: Random) -> bytes:
    dice = rng.random()
    if dice < 0.1:
        return pn532.encode(pn532.Frame(rng.choice([Kind.ACK, Kind.NACK, Kind.ERROR])))
    if dice < 0.3:
        code = rng.choice([0x03, 0x15, 0x33])
        return pn532.encode(pn532.Frame(Kind.ANSWER, code, rng.randbytes(rng.randrange(6))))
    targets = [] if dice < 0.4 else [target_a(rng)]
    frame = pn532.Frame(Kind.ANSWER, LISTED, pn532.encode_targets(targets))
    return pn532.encode(frame, extended=rng.random() < 0.2)


def repaired(data: bytes) -> bytes:
    """Of a normal frame with preamble and postamble."""
    body = data[5:-2]
    if not 0 < len(body) < 255 or data[3:5] == b"\xff\xff":
        return data
    head = bytes([len(body), -len(body) & 0xFF])
    return b"\x00\x00\xff" + head + body + bytes([-sum(body) & 0xFF, 0])


CASE: Final = CodecCase(
    "pn532",
    tables,
    pn532.Decoder,
    sample,
    most_held_bytes=pn532.MOST_BYTES + 8,
    drivers={"pn532": ({}, {"technologies": ["nfca"], "max_targets": 2})},
    repaired=repaired,
)
