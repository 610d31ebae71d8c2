from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs import thingmagic, thingmagic_tags
from readers.codecs.thingmagic import Frame, Opcode, Speaker, Status
from tests.support.codecs import CodecCase


def _frames(pieces: Sequence[bytes], speaker: Speaker) -> tuple[list[tuple[Frame, dict[str, Any]]], dict[str, int]]:
    decoder = thingmagic.Decoder(speaker)
    found = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            table: dict[str, Any] = {
                "opcode": f"{frame.opcode:02X}",
                "data": frame.data.hex(" ").upper(),
                "hex": thingmagic.encode(frame).hex(" ").upper(),
            }
            found.append((frame, table))
    return found, decoder.take_rejects()


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    found, rejects = _frames(pieces, Speaker.MODULE)
    for frame, table in found:
        table["status"] = f"{frame.status:04X}"
        if frame.opcode == Opcode.READ_TAG_MULTIPLE and frame.status == Status.SUCCESS:
            tag = thingmagic_tags.StreamedTag.parse(frame.data)
            assert tag.has_right_crc == (tag.with_right_crc() == tag)
            table |= {
                "epc": tag.epc.hex().upper(),
                "pc_bits": tag.pc_bits,
                "rssi_dbm": tag.rssi_dbm,
                "transmitter": tag.transmitter,
                "frequency_khz": tag.frequency_khz,
                "since_cycle_ms": tag.since_cycle_ms,
            }
        if frame.opcode == Opcode.VERSION and frame.status == Status.SUCCESS:
            thingmagic.Version.parse(frame.data)
    return [table for _, table in found], rejects


def host_tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    found, rejects = _frames(pieces, Speaker.HOST)
    for frame, table in found:
        if frame.opcode == Opcode.MULTI_PROTOCOL and frame.data != thingmagic_tags.STOP_DATA:
            plan = thingmagic_tags.ReadPlan.parse(frame.data)
            table |= {"cycle_ms": plan.cycle_ms, "tid_words": plan.tid_words}
    return [table for _, table in found], rejects


def tag(rng: Random) -> thingmagic_tags.StreamedTag:
    epc = rng.randbytes(2 * rng.randint(0, 31))
    return thingmagic_tags.StreamedTag(
        pc_bits=len(epc) // 2 << 11,
        epc=epc,
        air_crc=0,
        count=1,
        rssi_dbm=rng.randint(-128, 127),
        transmitter=rng.randint(1, 16),
        receiver=rng.randint(1, 16),
        frequency_khz=rng.randint(840_000, 960_000),
        since_cycle_ms=rng.randrange(1_000),
        phase_deg=rng.randint(0, 180),
        protocol=thingmagic.GEN2,
        data=rng.randbytes(rng.choice([0, 12])),
        gpio=rng.randrange(256),
    ).with_right_crc()


def sample(rng: Random) -> bytes:
    dice = rng.random()
    if dice < 0.7:
        return thingmagic.encode(Frame(Opcode.READ_TAG_MULTIPLE, tag(rng).parameters(), Status.SUCCESS))
    status = rng.choice([Status.NO_TAGS, Status.HIGH_RETURN_LOSS, Status.TOO_HOT, Status.BAD_PARAMETER])
    if dice < 0.8:
        return thingmagic.encode(Frame(Opcode.READ_TAG_MULTIPLE, b"", status))
    opcode = rng.choice([each for each in Opcode if each != Opcode.READ_TAG_MULTIPLE])
    size = 20 if opcode == Opcode.VERSION else rng.randrange(20)
    return thingmagic.encode(Frame(opcode, rng.randbytes(size), Status.SUCCESS))


def host_sample(rng: Random) -> bytes:
    dice = rng.random()
    if dice < 0.3:
        plan = thingmagic_tags.ReadPlan(rng.randrange(65_536), rng.choice([0, 0, 6]))
        return thingmagic.encode(Frame(Opcode.MULTI_PROTOCOL, plan.data()))
    opcode = rng.choice([each for each in Opcode if each != Opcode.MULTI_PROTOCOL])
    return thingmagic.encode(Frame(opcode, rng.randbytes(rng.randrange(20))))


def repaired(data: bytes) -> bytes:
    if len(data) < 7:
        return data
    body = bytes([min(len(data) - 7, thingmagic.MAX_DATA_BYTES)]) + data[2:-2]
    return data[:1] + body + thingmagic.crc16(body).to_bytes(2, "big")


CASES: Final = (
    CodecCase(
        "thingmagic",
        tables,
        thingmagic.Decoder,
        sample,
        most_held_bytes=thingmagic.MAX_FRAME_BYTES,
        drivers={"thingmagic": ({}, {"region": "eu3", "read_tid": 6})},
        repaired=repaired,
    ),
    CodecCase(
        "thingmagic_host",
        host_tables,
        lambda: thingmagic.Decoder(Speaker.HOST),
        host_sample,
        most_held_bytes=thingmagic.MAX_FRAME_BYTES,
    ),
)
