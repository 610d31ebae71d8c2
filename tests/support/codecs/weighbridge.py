from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random
from typing import Any, Final

from readers.codecs.weighbridge import Decoder, Form, Shown, Unit, encode
from tests.support.codecs import CodecCase, FramesOf


def tables_of(form: Form, *, has_checksum: bool = True) -> FramesOf:
    def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
        decoder = Decoder(form, has_checksum=has_checksum)
        found = []
        stream = b"".join(pieces)
        for piece in pieces:
            for shown in decoder.feed(piece):
                encoded = encode(shown, form, has_checksum=has_checksum)
                bare = bytes(byte & 0x7F for byte in stream)  # bit 7 may be a parity bit
                table: dict[str, Any] = {
                    "value": str(shown.value),
                    "hex": (stream if encoded == bare else encoded).hex(" ").upper(),
                }
                if form is Form.TOLEDO:
                    table |= {
                        "unit": shown.unit,
                        "tare": str(shown.tare),
                        "is_net": shown.is_net,
                        "is_moving": shown.is_moving,
                        "is_out_of_range": shown.is_out_of_range,
                    }
                found.append(table)
        return found, decoder.take_rejects()

    return tables


def value(rng: Random) -> Decimal:
    return Decimal(rng.randint(-99_999, 999_999)).scaleb(-rng.randint(0, 4))


def sample_of(form: Form, *, has_checksum: bool = True) -> Callable[[Random], bytes]:
    def sample(rng: Random) -> bytes:
        shown = Shown(
            value(rng),
            rng.choice(list(Unit)),
            is_net=rng.random() < 0.5,
            tare=Decimal(0),
            is_moving=rng.random() < 0.3,
            is_out_of_range=rng.random() < 0.05,
            increment=rng.choice([1, 2, 5]),
        )
        return encode(shown, form, has_checksum=has_checksum)

    return sample


CASES: Final = (
    CodecCase(
        "weighbridge",
        tables_of(Form.XK3190),
        lambda: Decoder(Form.XK3190),
        sample_of(Form.XK3190),
        most_held_bytes=12,
        drivers={
            "weighbridge": (
                {},
                {"format": "toledo"},
                {"format": "toledo", "checksum": "absent"},
                {"format": "xk3190_reversed", "unit": "t"},
            )
        },
    ),
    CodecCase(
        "weighbridge_reversed",
        tables_of(Form.XK3190_REVERSED),
        lambda: Decoder(Form.XK3190_REVERSED),
        sample_of(Form.XK3190_REVERSED),
        most_held_bytes=9,
    ),
    CodecCase(
        "weighbridge_toledo",
        tables_of(Form.TOLEDO),
        lambda: Decoder(Form.TOLEDO),
        sample_of(Form.TOLEDO),
        most_held_bytes=18,
    ),
    CodecCase(
        "weighbridge_toledo_bare",
        tables_of(Form.TOLEDO, has_checksum=False),
        lambda: Decoder(Form.TOLEDO, has_checksum=False),
        sample_of(Form.TOLEDO, has_checksum=False),
        most_held_bytes=17,
    ),
)
