from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs.checksums import x25_crc16
from readers.codecs.sml import MAX_BYTES, Decoder, Field, File, Message, Number, encode, encode_message
from readers.codecs.sml_values import GET_LIST_RESPONSE, said, serial_of
from readers.observations import Reading
from readers.quantities import Quality
from tests.support.codecs import CodecCase


def shown(reading: Reading) -> str:
    at = "" if reading.meter_time_us is None else f" at {reading.meter_time_us}"
    quality = "" if reading.quality is Quality.GOOD else f" {reading.quality.value}"
    return f"{reading.obis} {reading.quantity.value} {reading.value}{quality}{at}"


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = Decoder()
    found = []
    for piece in pieces:
        for file in decoder.feed(piece):
            says = said(file)
            found.append(
                {
                    "serial": serial_of(says.server_id),
                    "maker": says.maker,
                    "firmware": says.firmware,
                    "readings": [shown(reading) for reading in says.readings],
                    "unknown": [str(code) for code in says.unknown],
                    "faults": [fault.reason for fault in says.faults],
                    "hex": encode(file).hex(" ").upper(),
                }
            )
    return found, decoder.take_rejects()


SERVER: Final = bytes.fromhex("0A01454D480000A1BD34")
CODES: Final = ("0100010800FF", "0100100700FF", "01000F0700FF", "0100200700FF", "8181C78203FF", "0100600100FF")


def value(rng: Random) -> Field:
    size = rng.randrange(1, 9)
    number = Number(rng.randrange(-(1 << 8 * size - 1), 1 << 8 * size - 1), size, is_signed=True)
    sent: list[Field] = [number, b"", b"EMH", True, (number,)]
    unit = Number(rng.choice([30, 27, 35, 255]), 1)
    scaler = Number(rng.randrange(-128, 128) if rng.random() < 0.2 else -1, 1, is_signed=True)
    statuses: list[Field] = [b"", Number(rng.randrange(1 << 16), 2)]
    times: list[Field] = [b"", (Number(2, 1), Number(rng.randrange(1 << 31))), Number(5)]
    return (
        bytes.fromhex(rng.choice(CODES)),
        rng.choice(statuses),
        rng.choice(times),
        unit,
        scaler,
        rng.choice(sent),
        b"",
    )


def sample(rng: Random) -> bytes:
    values = tuple(value(rng) for _ in range(rng.randrange(1, 5)))
    if rng.random() < 0.1:
        values = (*values, rng.choice([b"", (b"",) * 7, (b"\0\0", *(b"",) * 6)]))
    server = rng.choice([SERVER, bytes.fromhex("0A01445A47000282225E"), b"\x1b" * rng.randrange(12)])
    content = (b"", server, b"", (Number(3, 1), (Number(rng.randrange(1 << 31)), b"", b"")), values, b"", b"")
    message = Message(rng.randbytes(rng.randrange(20)), rng.choice([GET_LIST_RESPONSE, 0x0101]), content)
    return encode(File(encode_message(message)))


def repaired(data: bytes) -> bytes:
    end = data.rfind(b"\x1b\x1b\x1b\x1b\x1a")
    if end < 0 or len(data) < end + 6:
        return data
    return data[: end + 6] + x25_crc16(data[: end + 6]).to_bytes(2, "little")


CASE: Final = CodecCase(
    "sml",
    tables,
    Decoder,
    sample,
    most_held_bytes=MAX_BYTES,
    drivers={"sml": ({}, {"short_power": "unsigned", "energy_every_s": 0, "telegram_every_s": 1})},
    repaired=repaired,
)
