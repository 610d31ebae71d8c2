from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs.checksums import crc16_arc
from readers.codecs.dsmr_p1 import MAX_BYTES, Decoder, Line, Telegram, encode
from readers.codecs.dsmr_p1_values import said
from readers.obis import ObisCode
from readers.observations import Reading
from tests.support.codecs import CodecCase

CET_MIN: Final = 60


def shown(reading: Reading) -> str:
    at = "" if reading.meter_time_us is None else f" at {reading.meter_time_us}"
    return f"{reading.obis} {reading.quantity.value} {reading.value}{at}"


def _as_we_write(stream: bytes) -> bytes:
    """Without what says nothing: the period 255, and line breaks inside a line, of telegrams without a checksum."""
    return stream.replace(b"*255(", b"(").replace(b"\r\n(", b"(")


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = Decoder()
    stream = b"".join(pieces)
    found = []
    for piece in pieces:
        for telegram in decoder.feed(piece):
            says = said(telegram, CET_MIN)
            forms = [encode(telegram, parity=parity) for parity in (False, True)]
            raw = next((form for form in forms if form == stream), forms[0])
            found.append(
                {
                    "identification": telegram.identification,
                    "has_crc": telegram.has_crc,
                    "at_us": says.at_us or 0,
                    "serial": says.serial,
                    "version": says.version,
                    "readings": [shown(reading) for reading in says.readings],
                    "behind": [f"{n}: {shown(r)}" for n, readings in says.sub_readings.items() for r in readings],
                    "behind_serials": [f"{n}: {serial}" for n, serial in says.sub_serials.items()],
                    "unknown": [str(code) for code in says.unknown],
                    "faults": [fault.reason for fault in says.faults],
                    "odd_lines": list(telegram.odd_lines),
                    "hex": (stream if _as_we_write(stream) == raw else raw).hex(" ").upper(),
                }
            )
    return found, decoder.take_rejects()


LINES: Final = (
    ("1-0:1.8.1", "000004.426*kWh"),
    ("1-0:1.7.0", "00.244*kW"),
    ("1-0:32.7.0", "0230.0*V"),
    ("1-0:1.7.0", "00.244*m3"),
    ("1-0:1.7.0", "a lot"),
    ("0-0:1.0.0", "170102192002W"),
    ("0-0:96.1.1", "4B384547303034303436333935353037"),
    ("0-1:24.1.0", "003"),
    ("0-1:24.2.1", "170102161005W", "00000.107*m3"),
    ("0-1:24.2.1", "632525252525W", "00000.000"),
    ("0-1:24.3.0", "161107190000", "00", "60", "1", "0-1:24.2.1", "m3", "00001.001"),
    ("1-0:99.97.0", "0", "0-0:96.7.19"),
    ("1-0:52.32.0", "00000"),
)


def sample(rng: Random) -> bytes:
    lines = [Line(ObisCode.parse(code), tuple(values)) for code, *values in rng.choices(LINES, k=rng.randrange(1, 8))]
    has_crc = rng.random() < 0.7
    if has_crc:
        lines.insert(0, Line(ObisCode(1, 3, 0, 2, 8), ("50",)))
    return encode(Telegram("ISk5\\2MT382-1000", tuple(lines), has_crc=has_crc), parity=rng.random() < 0.3)


def repaired(data: bytes) -> bytes:
    start, end = data.find(b"/"), data.rfind(b"!")
    if start < 0 or end < start:
        return data
    return data[: end + 1] + b"%04X\r\n" % crc16_arc(data[start : end + 1])


CASE: Final = CodecCase(
    "dsmr_p1",
    tables,
    Decoder,
    sample,
    most_held_bytes=MAX_BYTES + 6,
    drivers={
        "dsmr_p1": (
            {},
            {"sub_meters": [{"name": "gas", "channel": 1}], "energy_every_s": 0, "telegram_every_s": 1},
        )
    },
    repaired=repaired,
)
