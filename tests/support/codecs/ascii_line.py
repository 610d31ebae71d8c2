from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs.ascii_line import MOST_LINE_BYTES, Decoder, LineForm, encode
from tests.support.codecs import CodecCase

FORM: Final = LineForm()


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = Decoder(FORM)
    lines = [line for piece in pieces for line in decoder.feed(piece)]
    found = [{"text": line, "hex": encode(line, FORM).hex(" ").upper()} for line in lines]
    return found, decoder.take_rejects()


def decoder() -> Decoder:
    return Decoder(FORM)


def sample(rng: Random) -> bytes:
    text = rng.choice([rng.randbytes(rng.choice([3, 4, 5, 7, 12])).hex().upper(), f"{rng.getrandbits(32):010d}"])
    return encode(text, FORM)


CASE: Final = CodecCase(
    "ascii_line",
    tables,
    decoder,
    sample,
    most_held_bytes=MOST_LINE_BYTES,
    drivers={
        "ascii_line": (
            {"format": "line"},
            {"format": "line", "terminator": "idle", "card": {"technology": "em4100", "base": "dec"}},
            {"format": "line", "content": "epc", "pattern": "{number},{rssi_dbm}"},
            {"format": "rdm6300"},
            {"format": "id12"},
            {"format": "fdxb"},
        )
    },
)
