from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs import em4100
from tests.support.codecs import CodecCase


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = em4100.Decoder()
    found = []
    stream = b"".join(pieces)
    for piece in pieces:
        for frame in decoder.feed(piece):
            # `seen` is of the last frame only, and a piece may hold several; readers differ in the case of hex
            form = next(form for form in em4100.Form if em4100.encode(frame, form).lower() in stream.lower())
            raw = em4100.encode(frame, form).hex(" ").upper()
            found.append({"form": form.name.lower(), "number": frame.number.hex().upper(), "hex": raw})
    return found, decoder.take_rejects()


def sample(rng: Random) -> bytes:
    return em4100.encode(em4100.Frame(rng.randbytes(5)), rng.choice(tuple(em4100.Form)))


CASE: Final = CodecCase("em4100", tables, em4100.Decoder, sample, most_held_bytes=em4100.LONGEST_BYTES)
