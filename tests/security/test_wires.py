"""Every attack on every wire: through each codec, through each driver, and as what a card reader or meter says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from itertools import count
from random import Random
from typing import Any, Final

import pytest

from readers.codecs.checksums import crc16_arc
from readers.codecs.mbus_records import read_records
from readers.errors import FrameError, ReaderError
from readers.observations import Observation
from readers.ports.memory import pair, run
from readers.registry import driver
from tests.security.attacks import IDS, PAYLOADS
from tests.security.bounds import bounded
from tests.security.judging import judged
from tests.security.stores import lines
from tests.support.codecs import CodecCase, cases

CASES: Final = cases()
DRIVERS: Final = {
    f"{name}-{number}": (name, settings)
    for case in CASES.values()
    for name, variants in case.drivers.items()
    for number, settings in enumerate(variants, 1)
}
PER_CONNECTION: Final = 12
MOST_WIRE_BYTES: Final = 4 << 10
"""What is measured is cut to this, which is more than a wire brings at once; what is held is asked of all of it."""


def around(case: CodecCase, payload: bytes) -> list[bytes]:
    """The payload alone, behind a good frame, and inside of one whose length and checksum are put right."""
    rng = Random(case.name)
    good, payload = case.sample(rng), payload[: 16 << 10]
    found = [payload, good + payload + good]
    if case.repaired is not None:
        found += [
            case.repaired(good[:at] + payload[:200] + good[at:]) for at in (len(good) // 2, max(len(good) - 3, 0))
        ]
    return found


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_codecs(case: CodecCase) -> None:
    for payload in PAYLOADS:
        for stream in around(case, payload):
            taken = case.decoder()

            def feed(stream: bytes = stream, case: CodecCase = case) -> None:
                decoder = case.decoder()
                decoder.feed(stream[:MOST_WIRE_BYTES])
                decoder.gap()
                decoder.take_rejects()

            taken.feed(stream)
            assert taken.holds <= case.most_held_bytes
            taken.gap()
            assert not taken.holds
            bounded(feed, min(len(stream), MOST_WIRE_BYTES), extra_bytes=2 * case.most_held_bytes)
            try:
                case.tables([stream[:MOST_WIRE_BYTES]])
            except FrameError:
                continue


def heard_by(name: str, settings: Mapping[str, Any], streams: list[bytes]) -> list[Observation]:
    """What a driver reports; only reader errors leave it."""
    heard: list[Observation] = []

    async def connection(parts: list[bytes]) -> None:
        spec = driver(name)
        ours, device = pair()
        running = asyncio.create_task(spec.make(spec.settings.model_validate(settings)).run(ours, heard.append))
        for part in parts:
            await device.pause(0.3)
            if running.done():
                break
            await device.send(part)
        await device.pause(2.0)
        running.cancel()
        (end,) = await asyncio.gather(running, return_exceptions=True)
        assert isinstance(end, asyncio.CancelledError | ReaderError), repr(end)

    async def scene() -> None:
        for start in range(0, len(streams), PER_CONNECTION):
            await connection(streams[start : start + PER_CONNECTION])

    run(scene())
    return heard


@pytest.mark.parametrize(("name", "settings"), DRIVERS.values(), ids=DRIVERS.keys())
def test_drivers(name: str, settings: Mapping[str, Any]) -> None:
    case = next(case for case in CASES.values() if name in case.drivers)
    streams = [stream for payload in PAYLOADS for stream in around(case, payload[:MOST_WIRE_BYTES])]
    lines(judged(heard_by(name, settings, streams)))


FORMS: Final[list[dict[str, Any]]] = [
    {"format": "line"},
    {"format": "line", "terminator": "etx", "prefix": "\x02"},
    {"format": "line", "terminator": "idle"},
    {"format": "line", "content": "epc"},
    {"format": "line", "content": "epc", "pattern": "{number},{skip},{rssi_dbm}"},
]


@pytest.mark.parametrize("form", FORMS, ids=map(str, count()))
@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_numbers_of_cards(payload: bytes, form: dict[str, Any]) -> None:
    end = {"etx": b"\x03", "idle": b""}.get(form.get("terminator", ""), b"\r\n")
    start = form.get("prefix", "").encode()
    streams = [start + payload + end, start + payload + b",x,-50" + end, start + b"04A1B2C3" + payload + end]
    outputs = judged(heard_by("ascii_line", form, streams))
    rows, refused = lines(outputs)
    assert refused == 0
    for each in outputs:
        if each.reads is not None:
            assert all(re.fullmatch(r"([0-9A-F]{2})+", read.epc) for read in each.reads.reads)
    assert len([row for row in rows if row.measurement == "tag_read"]) <= len(streams) + payload.count(b"\n")


def p1_telegram(payload: bytes) -> bytes:
    text = payload[:1_000]
    telegram = b"/ISk5\\" + text + b"\r\n\r\n0-0:96.1.1(" + text + b")\r\n1-0:1.8.1(" + text + b"*kWh)\r\n"
    telegram += b"1-0:1.7.0(00.244*" + text + b")\r\n0-0:96.13.0(" + text + b")\r\n" + text + b"(1*kWh)\r\n!"
    return telegram + b"%04X\r\n" % crc16_arc(telegram)


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_texts_of_a_p1_meter(payload: bytes) -> None:
    plain = b"/ISk5\\2MT\r\n\r\n1-0:1.7.0(00.244*kW)\r\n!"
    plain += b"%04X\r\n" % crc16_arc(plain)
    rows, refused = lines(judged(heard_by("dsmr_p1", {}, [p1_telegram(payload), plain])))
    assert refused == 0
    told = [row for row in rows if row.measurement == "reading" and "value" in row.fields]
    assert [row.fields["value"] for row in told][-1:] == [244.0], "the next good telegram counts"
    assert all(row.tags["quantity"].isidentifier() for row in told)


def iec_data(payload: bytes) -> bytes:
    text = payload[:1_000]
    body = b"C.1.0(" + text + b")\r\n0.2.0(" + text + b")\r\n1.8.0(" + text + b"*kWh)\r\n" + text + b"(1*kWh)\r\n"
    body += b"F.F(" + text + b")\r\n32.7.0(230*" + text + b")\r\n!\r\n\x03"
    check = 0
    for byte in body:
        check ^= byte
    return b"\x02" + body + bytes([check])


@pytest.mark.parametrize("payload", PAYLOADS, ids=IDS)
def test_texts_of_other_meters(payload: bytes) -> None:
    case = CASES["iec62056"]
    for stream in (iec_data(payload), b"/ABC5" + payload[:MOST_WIRE_BYTES] + b"\r\n"):
        bounded(lambda: case.decoder().feed(stream), len(stream), extra_bytes=2 * case.most_held_bytes)  # noqa: B023  # called at once
        case.tables([stream])
    text = payload[:191]
    for records in (
        b"\x0d\x78" + bytes([len(text)]) + text,
        b"\x0d\xfd\x11" + bytes([len(text)]) + text,
        payload[:255],
    ):
        try:
            found, _ = bounded(lambda: read_records(records), len(records), extra_bytes=1 << 20)  # noqa: B023  # likewise
        except FrameError:
            continue
        assert len(found) <= len(records)
