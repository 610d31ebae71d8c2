from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs import (
    dlt645,
    dlt645_1997,
    dlt645_clock,
    dlt645_events,
    dlt645_orders,
    dlt645_records,
    dlt645_registers,
    dlt645_status,
)
from readers.codecs.dlt645 import Control, Frame, Function
from readers.observations import Reading
from readers.quantities import Quality
from tests.support.codecs import CodecCase

CHINA_MIN: Final = 480
SNAPSHOT_US: Final = 1_793_548_800_000_000  # what a snapshot is of comes in another frame
REPLY_TO_READ: Final = Control.REPLY | Function.READ
REPLY_TO_READ_1997: Final = Control.REPLY | dlt645_1997.Function1997.READ


def local(at_us: int | None) -> str:
    return "none" if at_us is None else dlt645_clock.local_time(at_us, CHINA_MIN).isoformat(" ")[:19]


def values(readings: Sequence[Reading]) -> dict[str, str]:
    return {
        str(r.obis): r.quality.value if r.value is None or r.quality is Quality.SUSPECT else str(r.value)
        for r in readings
    }


def read_reply(identifier: int, data: bytes) -> dict[str, Any]:
    """What the data of a reply to a read say, by whichever codec knows them; raises FrameError when none does."""
    if dlt645_status.is_status(identifier):
        status = dlt645_status.decode(identifier, data)
        assert dlt645_status.encode(identifier, status)[: len(data)] == data[: 2 * dlt645_status.WORDS]
        relay = {True: "closed", False: "open", None: "unknown"}[status.is_relay_closed]
        phases = {phase.value: str(faults) for phase, faults in status.faults_by_phase.items()}
        more = [status.general, status.directions, status.operation, status.common_faults, status.supply]
        return {"relay": relay, "phases": phases, "status": [str(each) for each in more]}
    if dlt645_records.is_load(identifier):
        load = dlt645_records.decode_load(data, CHINA_MIN)
        records = [{"at": local(each.at_us), **values(each.readings)} for each in load.records]
        return {"records": records, "doubted": load.doubted, "damaged": load.damaged}
    if identifier & 0xFF00FF00 == dlt645_records.freeze_time_identifier(dlt645_records.FreezeKind.PERIODIC, 1) & ~0xFF:
        return {"at": local(dlt645_records.decode_freeze_time(data, CHINA_MIN))}
    if identifier in (dlt645_orders.DATE, dlt645_orders.TIME):
        date, time = (data, bytes(3)) if identifier == dlt645_orders.DATE else (bytes.fromhex("00010120"), data)
        return {"clock": local(dlt645_clock.clock_us(date, time, CHINA_MIN))}
    if dlt645_records.registers_of_freeze(identifier):
        return {"values": values(dlt645_records.decode_freeze(identifier, data, SNAPSHOT_US, CHINA_MIN))}
    for kind in dlt645_events.KINDS.values():
        if identifier == kind.count:
            return {"count": dlt645_events.decode_count(data)}
        if kind.record(1) <= identifier <= kind.record(dlt645_events.RECORDS):
            record = dlt645_events.decode_record(kind, data, CHINA_MIN)
            if record is None:
                return {"event": "none"}
            return {"event": kind.name, "began": local(record.began_us), "ended": local(record.ended_us)}
    return {"values": values(dlt645_registers.decode(identifier, data, CHINA_MIN))}


def order(frame: Frame) -> dict[str, Any]:
    """What a request orders."""
    if frame.function == Function.CONTROL:
        control = dlt645_orders.read_control(frame.data, CHINA_MIN)
        if control.expires_at_us is not None:
            assert dlt645_orders.control(frame.address, control, CHINA_MIN).data == frame.data
        key = control.key
        return {
            "order": control.command.name.lower(),
            "key": f"{key.level} {key.password} {key.operator}",
            "expires": local(control.expires_at_us),
        }
    if frame.function == Function.TIME_SYNC:
        at_us = dlt645_orders.read_time_sync(frame.data, CHINA_MIN)
        assert dlt645_orders.time_sync(at_us, CHINA_MIN, frame.address).data == frame.data
        return {"time": local(at_us)}
    if frame.function == Function.FREEZE:
        when = dlt645_orders.FreezeAt.decode(frame.data)
        assert dlt645_orders.freeze(when, frame.address).data == frame.data
        return {"freeze": str(when)}
    if frame.function == Function.WRITE:
        written = dlt645_orders.read_write(frame.data)
        return {"writes": f"{written.identifier:08X} {written.value.hex(' ').upper()}"}
    return {}


def payload(frame: Frame) -> dict[str, Any]:
    if not frame.is_reply:
        return order(frame)
    if frame.control == REPLY_TO_READ and frame.identifier is not None:
        return read_reply(frame.identifier, frame.data[dlt645.IDENTIFIER_BYTES :])
    if frame.control == REPLY_TO_READ_1997 and (old := dlt645_1997.identifier_of(frame)) is not None:
        return {"values": values(dlt645_1997.decode(old, frame.data[dlt645_1997.IDENTIFIER_BYTES :]))}
    return {}


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = dlt645.Decoder()
    found = []
    wake_up_bytes = b"".join(pieces).split(b"\x68")[0].count(dlt645.WAKE_UP)
    for piece in pieces:
        for frame in decoder.feed(piece):
            table: dict[str, Any] = {
                "address": frame.address,
                "control": f"{frame.control:02X}",
                "data": frame.data.hex(" ").upper(),
                "hex": dlt645.encode(frame, wake_up_bytes).hex(" ").upper(),
            }
            found.append(table | payload(frame))
    return found, decoder.take_rejects()


IDENTIFIERS: Final = (0x0001FF00, 0x02000000, 0x0201FF00, 0x0101FF00, 0x040005FF, 0x05060101, 0x03300401, 0x06010001)
CONTROLS: Final = (0x91, 0x91, 0xD1, 0xB1, 0x92, 0xB2, 0x93, 0xD3, 0x11, 0x9C, 0xDC, 0x1C, 0x88, 0x81, 0xC1)


def sample(rng: Random) -> bytes:
    dice = rng.random()
    if dice < 0.1:
        load = dlt645_records.encode_load(SNAPSHOT_US, {dlt645_records.LoadClass.DEMAND: rng.randbytes(6)}, CHINA_MIN)
        data = dlt645.identifier_bytes(0x06000001) + load * rng.randrange(1, 5)
        return dlt645.encode(Frame("000000000161", 0x91, data))
    name = rng.choice([b"", dlt645.identifier_bytes(rng.choice(IDENTIFIERS)), bytes.fromhex("1FB6"), bytes(6)])
    data = name + rng.randbytes(rng.randrange(24))
    return dlt645.encode(Frame(rng.choice(["000000000161", dlt645.WILDCARD]), rng.choice(CONTROLS), data))


def repaired(data: bytes) -> bytes:
    start = data.find(0x68)
    if start < 0 or len(data) <= start + 3:
        return data
    return data[:-2] + bytes([sum(data[start:-2]) & 0xFF]) + data[-1:]


CASE: Final = CodecCase(
    "dlt645",
    tables,
    dlt645.Decoder,
    sample,
    most_held_bytes=12 + 255,
    drivers={
        "dlt645": (
            {"meters": [{"name": "a", "address": "161"}], "poll_s": 1},
            {"meters": [{"name": "a"}], "poll_s": 1},
        )
    },
    repaired=repaired,
)
