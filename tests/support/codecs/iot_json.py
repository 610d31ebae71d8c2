from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from readers.codecs.iot_json import MOST_RECORD_BYTES, Decoder, Event, ParseEvent, State, encode
from readers.codecs.iot_messages import encode_impinj, encode_zebra, parse_impinj, parse_zebra
from readers.observations import TagRead
from tests.support.codecs import CodecCase

AT_US: Final = 1_767_225_600_000_000


def tables_with(parse: ParseEvent) -> Callable[[Sequence[bytes]], tuple[list[dict[str, Any]], dict[str, int]]]:
    def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
        decoder = Decoder(parse)
        records = [record for piece in pieces for record in decoder.feed(piece)]
        found = []
        for record in records:
            table: dict[str, Any] = {"hex": encode(record.text).hex(" ").upper(), "events": len(record.events)}
            first = record.events[0]
            table["device_us"] = first.device_us
            if first.state is not None:
                table["state"] = str(first.state)
            table["connected"], table["disconnected"] = sorted(first.connected), sorted(first.disconnected)
            table["purged"] = first.purged
            if first.read is not None:
                read = first.read
                table |= {
                    "epc": read.epc.hex().upper(),
                    "antenna_port": read.antenna_port,
                    "rssi_dbm": read.rssi_dbm,
                    "last_seen_us": read.last_seen_us,
                    "pc_bits": read.pc_bits,
                    "tid": None if read.tid is None else read.tid.hex().upper(),
                    "user_memory": None if read.user_memory is None else read.user_memory.hex().upper(),
                    "phase_deg": read.phase_deg,
                    "count": read.count,
                }
            found.append(table)
        return found, decoder.take_rejects()

    return tables


def event(rng: Random) -> Event:
    at_us = AT_US + rng.randrange(10**9) * 1_000
    read = TagRead(
        rng.randbytes(rng.choice([12, 12, 16, 2, 0])),
        rng.randint(1, 8),
        rssi_dbm=rng.randint(-9_000, -2_000) / 100,
        last_seen_us=at_us,
        pc_bits=rng.choice([None, 0x3000]),
        tid=rng.choice([None, rng.randbytes(12)]),
    )
    return Event(at_us, read=read)


def impinj_sample(rng: Random) -> bytes:
    said = event(rng)
    if rng.random() < 0.1:
        said = rng.choice(
            [
                Event(said.device_us, state=rng.choice(list(State))),
                Event(said.device_us, disconnected=frozenset({rng.randint(1, 8)})),
                Event(said.device_us, purged=rng.randint(1, 9_999)),
            ]
        )
    return encode(encode_impinj(said), is_sequence=True)


def zebra_sample(rng: Random) -> bytes:
    said = event(rng)
    if rng.random() < 0.1:
        said = Event(said.device_us, state=State.RUNNING, disconnected=frozenset({rng.randint(1, 8)}))
    return encode(encode_zebra(said), is_sequence=True)


def impinj_decoder() -> Decoder:
    return Decoder(parse_impinj)


def zebra_decoder() -> Decoder:
    return Decoder(parse_zebra)


CASES: Final = (
    CodecCase(
        "impinj_iot",
        tables_with(parse_impinj),
        impinj_decoder,
        impinj_sample,
        most_held_bytes=MOST_RECORD_BYTES,
        drivers={"impinj_iot": ({}, {"antennas": [1, 2], "silent_after_s": 2.0, "status_messages": {"up": "alive"}})},
    ),
    CodecCase(
        "zebra_iotc",
        tables_with(parse_zebra),
        zebra_decoder,
        zebra_sample,
        most_held_bytes=MOST_RECORD_BYTES,
        drivers={"zebra_iotc": ({}, {"antennas": [1, 2], "silent_after_s": 2.0})},
    ),
)
