from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import xor
from random import Random
from typing import Any, Final

from readers.codecs import fdxb
from tests.support.codecs import CodecCase


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = fdxb.Decoder()
    found = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            raw = fdxb.encode(frame).hex(" ").upper()
            table = {"country": frame.country, "national": frame.national, "hex": raw}
            found.append(table | {"is_animal": frame.is_animal, "card": frame.identity.text})
    return found, decoder.take_rejects()


def sample(rng: Random) -> bytes:
    flags, reserved = rng.random() < 0.5, rng.getrandbits(16)
    return fdxb.encode(fdxb.Frame(rng.randrange(1000), rng.getrandbits(38), flags, not flags, reserved, 0xABCDEF))


def repaired(data: bytes) -> bytes:
    checksum = reduce(xor, data[1:-3], 0)
    return data[:-3] + bytes([checksum, checksum ^ 0xFF]) + data[-1:]


CASE: Final = CodecCase("fdxb", tables, fdxb.Decoder, sample, most_held_bytes=fdxb.FRAME_BYTES, repaired=repaired)
