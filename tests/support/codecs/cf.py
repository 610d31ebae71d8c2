from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs import cf
from readers.codecs.cf import Command, Frame, Status
from readers.codecs.checksums import mcrf4xx_crc16
from tests.support.codecs import CodecCase


def described(frame: Frame) -> dict[str, Any]:
    if frame.status != Status.DONE or frame.address == cf.BROADCAST:
        return {}
    if frame.command == Command.START and frame.data:
        tag = cf.Tag.parse(frame.data)
        assert tag.data() == frame.data
        return {
            "epc": tag.epc.hex().upper(),
            "rssi_dbm": tag.rssi_dbm,
            "antenna": tag.antenna,
            "channel": tag.channel,
            "is_barcode": tag.is_barcode,
        }
    if frame.command == Command.GET_PARAMETERS:
        found = cf.Parameters.parse(frame.data)
        assert found.changed(antennas=found.antennas, power_dbm=found.power_dbm, q=found.q) == found
        return {
            "work_mode": found.work_mode,
            "antennas": list(found.antennas),
            "power_dbm": found.power_dbm,
            "q": found.q,
            "session": found.session,
            "area": found.area,
        }
    if frame.command == Command.INFO:
        info = cf.Info.parse(frame.data)
        return {"hardware": info.hardware, "firmware": info.firmware, "serial": info.serial}
    return {}


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = cf.Decoder()
    found = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            table: dict[str, Any] = {
                "address": frame.address,
                "command": f"{frame.command:04X}",
                "body": frame.body.hex(" ").upper(),
                "hex": cf.encode(frame).hex(" ").upper(),
            }
            found.append(table | described(frame))
    return found, decoder.take_rejects()


def sample(rng: Random) -> bytes:
    dice = rng.random()
    if dice < 0.1:
        return cf.encode(Frame(0, Command.START, bytes([Status.ROUND_END])))
    if dice < 0.2:
        command = rng.choice([*Command, 0x83, 0x89])
        return cf.encode(Frame(0, command, rng.randbytes(rng.randrange(1, 30))))
    if dice < 0.25:
        return cf.encode(Frame(0, Command.INFO, b"\x00" + cf.Info("CP", "V1", "7").data()))
    tag = cf.Tag(
        rng.randbytes(2 * rng.randint(0, 31)), rng.randint(-900, -100) / 10, rng.randint(1, 8), rng.randrange(50)
    )
    return cf.encode(Frame(0, Command.START, bytes([Status.DONE]) + tag.data()))


def repaired(data: bytes) -> bytes:
    if not 7 <= len(data) <= cf.MAX_FRAME_BYTES:
        return data
    head = data[:4] + bytes([len(data) - 7]) + data[5:-2]
    return head + mcrf4xx_crc16(head).to_bytes(2, "big")


CASE: Final = CodecCase(
    "cf",
    tables,
    cf.Decoder,
    sample,
    most_held_bytes=cf.MAX_FRAME_BYTES,
    drivers={"cf": ({}, {"mode": "active"}, {"rounds": 3, "antennas": [1, 2], "tx_power_dbm": 20})},
    repaired=repaired,
)
