from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs import a0
from tests.support.codecs import CodecCase


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = a0.Decoder()
    found = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            table: dict[str, Any] = {
                "address": frame.address,
                "command": f"{frame.command:02X}",
                "data": frame.data.hex(" ").upper(),
                "hex": a0.encode(frame).hex(" ").upper(),
            }
            status = a0.status_of(frame)
            if frame.command in a0.INVENTORIES and len(frame.data) != 3:
                table |= answered(frame)
            elif status in tuple(a0.Result):
                assert status is not None
                table["status"] = a0.result_name(status)
            found.append(table)
    return found, decoder.take_rejects()


def answered(frame: a0.Frame) -> dict[str, Any]:
    answer = a0.inventory_answer(frame)
    if isinstance(answer, a0.Failure):
        if answer.code not in tuple(a0.Result):
            return {}  # a command, whose one byte is no result
        return {"status": a0.result_name(answer.code), "antenna": answer.antenna}
    assert answer.data() == frame.data
    if isinstance(answer, a0.RoundEnd):
        return {
            "antenna": answer.antenna,
            "total_reads": answer.total_reads,
            "reads_per_s": answer.reads_per_s,
            "duration_ms": answer.duration_ms,
        }
    return {
        "epc": answer.epc.hex().upper(),
        "pc_bits": answer.pc_bits,
        "antenna": answer.antenna,
        "rssi_dbm": answer.rssi_dbm,
        "frequency_index": answer.frequency_index,
        "phase": answer.phase,
    }


def sample(rng: Random) -> bytes:
    address = rng.choice([1, 1, 2, 0xFF])
    dice = rng.random()
    if dice < 0.15:
        return a0.encode(
            a0.Frame(address, rng.choice([*a0.Command, 0x99]), bytes([rng.choice([*a0.Result, 0x00, 0x99])]))
        )
    if dice < 0.3:
        return a0.encode(a0.Frame(address, a0.Command.GET_FIRMWARE, b"\x01\x09"))
    command = rng.choice(sorted(a0.INVENTORIES))
    if dice < 0.4:
        is_all = command == a0.Command.FAST_SWITCH
        end = (
            a0.RoundEnd(rng.randrange(9), duration_ms=rng.randrange(99))
            if is_all
            else a0.RoundEnd(rng.randrange(9), 1, 7)
        )
        return a0.encode(a0.Frame(address, command, end.data()))
    epc = rng.randbytes(2 * rng.randint(0, 31))
    tag = a0.TagReport(
        rng.randrange(64),
        rng.randint(1, 8),
        a0.pc_bits_for(epc),
        epc,
        rng.randint(-128, -2),
        rng.choice([None, rng.randrange(65_536)]),
    )
    return a0.encode(a0.Frame(address, command, tag.data()))


def repaired(data: bytes) -> bytes:
    body = data[:1] + bytes([(len(data) - 2) & 0xFF]) + data[2:-1]
    return body + bytes([a0.checksum(body)])


CASE: Final = CodecCase(
    "a0",
    tables,
    a0.Decoder,
    sample,
    most_held_bytes=a0.MAX_DATA_BYTES + 5,
    drivers={
        "a0": (
            {},
            {"units": [{"address": 1, "antennas": [1, 2, 3, 4]}], "inventory": "fast_switch", "region": "eu"},
            {
                "units": [{"address": 1, "antennas": [1, 9]}, {"address": 2, "antennas": [16], "first_port": 20}],
                "inventory": "session",
                "reader_ports": 16,
                "phase_steps_per_turn": 128,
            },
        )
    },
    repaired=repaired,
)
