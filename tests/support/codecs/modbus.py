from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs.checksums import crc16_modbus
from readers.codecs.modbus import (
    READS,
    Frame,
    Function,
    Refusal,
    RtuDecoder,
    TcpDecoder,
    encode_rtu,
    encode_tcp,
    packed_bits,
    packed_registers,
)
from tests.support.codecs import CodecCase

UNITS: Final = (1, 2, 17)


def _table(frame: Frame, encoded: bytes) -> dict[str, Any]:
    return {
        "unit": frame.unit,
        "function": frame.function,
        "data": frame.data.hex(" ").upper(),
        "refusal": frame.refusal,
        "hex": encoded.hex(" ").upper(),
    }


def rtu_tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = RtuDecoder(UNITS)
    found = [_table(frame, encode_rtu(frame)) for piece in pieces for frame in decoder.feed(piece)]
    return found, decoder.take_rejects()


def tcp_tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = TcpDecoder()
    found = [_table(frame, encode_tcp(frame)) for piece in pieces for frame in decoder.feed(piece)]
    return found, decoder.take_rejects()


def answer(rng: Random) -> Frame:
    unit, function = rng.choice(UNITS), rng.choice(list(Function))
    transaction = rng.randint(1, 0xFFFF)
    if rng.random() < 0.2:
        return Frame(unit, function, refusal=rng.choice(list(Refusal)), transaction=transaction)
    if function in (Function.READ_COILS, Function.READ_DISCRETE_INPUTS):
        return Frame(unit, function, packed_bits([rng.random() < 0.5] * rng.randint(1, 40)), transaction=transaction)
    if function in READS:
        registers = [rng.randrange(0x10000) for _ in range(rng.randint(1, 20))]
        return Frame(unit, function, packed_registers(registers), transaction=transaction)
    return Frame(unit, function, rng.randbytes(4), transaction=transaction)


def repaired(data: bytes) -> bytes:
    return data[:-2] + crc16_modbus(data[:-2]).to_bytes(2, "little")


_INPUTS: Final = {"inputs": [{"name": "loop", "address": 0}, {"name": "level", "table": "input", "address": 3}]}
_MACHINE: Final = {
    "state": {"address": 0, "states": {"2": "stopped", "6": "execute"}},
    "signals": [
        {"name": "good_count", "address": 3, "type": "u32"},
        {"name": "door", "table": "discrete", "address": 1},
    ],
    "watchdog": {"address": 9},
}
CASES: Final = (
    CodecCase(
        "modbus",
        rtu_tables,
        lambda: RtuDecoder(UNITS),
        lambda rng: encode_rtu(answer(rng)),
        most_held_bytes=3 + 250 + 2,
        drivers={
            "modbus_io": ({"modules": [{"address": 1, **_INPUTS}]},),
            "modbus_meter": ({"meters": [{"name": "m1", "map": "sdm630", "probe": True}], "power_s": 5},),
            "modbus_machine": ({"framing": "rtu", "machines": [_MACHINE]},),
        },
        repaired=repaired,
    ),
    CodecCase(
        "modbus_tcp",
        tcp_tables,
        TcpDecoder,
        lambda rng: encode_tcp(answer(rng)),
        most_held_bytes=7 + 253,
    ),
)
