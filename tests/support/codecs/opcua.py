"""The port's own messages of OPC UA."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

import msgspec

from readers.codecs import opcua
from readers.opcua_messages import (
    END,
    MOST_BYTES,
    START,
    Alive,
    Answer,
    Change,
    Data,
    Message,
    Missed,
    Mode,
    Policy,
    Sample,
    Server,
    Watched,
    encode,
)
from tests.support.codecs import CodecCase


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = opcua.Decoder()
    found = []
    for piece in pieces:
        for message in decoder.feed(piece):
            table = msgspec.to_builtins(message)
            found.append({**table, "hex": encode(message).hex(" ").upper()})
    return found, decoder.take_rejects()


def _sample(rng: Random) -> Sample:
    values: list[tuple[bool | str | None, bool]] = [
        ("6", True),
        ("0.1", True),
        ("yarn_break", False),
        (True, False),
        (None, False),
    ]
    value, is_number = rng.choice(values)
    return Sample(value, is_number, *rng.choice([("Good", 0), ("UncertainLastUsableValue", 1), ("BadNoData", 2)]))


def sample(rng: Random) -> bytes:
    changes = tuple(Change(rng.randrange(4), _sample(rng)) for _ in range(rng.randrange(1, 4)))
    choices: list[Message] = [
        Server("Siemens", "S7-1500", "V3.0", "urn:plc", Policy.NONE, Mode.NONE, ("a", "b"), 0, 17),
        Watched(500, {1: "BadNodeIdUnknown"}, (0,)),
        Data(changes),
        Data(changes),
        Alive(rng.choice([0, 4]), rng.randrange(-5_000_000, 5_000_000)),
        Missed("publications_lost", 2),
        Answer(rng.randrange(5), (_sample(rng),)),
    ]
    return encode(rng.choice(choices))


def repaired(data: bytes) -> bytes:
    return START + data.replace(START, b"").replace(END, b"") + END


_SIGNALS: Final = [
    {"name": "machine_state", "node": "ns=2;s=State"},
    {"name": "speed", "node": "ns=2;s=Speed", "unit": "m/min", "deadband": 0.5},
    {"name": "stop_reason", "node": "ns=2;s=Reason", "texts": {"6": "six", "true": "yes"}},
    {"name": "remote_enabled", "node": "ns=2;s=Remote", "machine": "other"},
]

CASE: Final = CodecCase(
    "opcua",
    tables,
    opcua.Decoder,
    sample,
    most_held_bytes=MOST_BYTES + 2,
    drivers={"opcua": ({}, {"signals": _SIGNALS})},
    repaired=repaired,
)
