from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from readers.codecs import uhfreader, uhfreader_info
from readers.codecs.checksums import mcrf4xx_crc16
from readers.codecs.uhfreader import Command, Form, Frame, Heartbeat, Status, Tag
from readers.errors import FrameError
from tests.support.codecs import CodecCase


def tags_in(frame: Frame) -> tuple[Form, list[Tag]]:
    """In the first form that fits; what fits none raises what the common one says."""
    for form in (Form.PLAIN, Form.NUMBER):
        try:
            found = uhfreader.parse_tags(frame.data, form)
        except FrameError:
            continue
        if form is Form.PLAIN:
            return form, found
    return Form.MASK, uhfreader.parse_tags(frame.data, Form.MASK)


def described(frame: Frame) -> dict[str, Any]:
    if frame.command == Command.INFO and frame.status == Status.DONE:
        info = uhfreader_info.ReaderInfo.parse(frame.data)
        if len(frame.data) in (8, 12) and not any(frame.data[9:11]) and frame.data[11:] in (b"", b"\0", b"\1"):
            assert info.data() == frame.data
        return {"type": info.type, "power_dbm": info.power_dbm}
    if frame.command == Command.INVENTORY and frame.status in uhfreader.TAG_STATUSES:
        form, tags = tags_in(frame)
        return {
            "form": form.value,
            "epcs": [tag.epc.hex().upper() for tag in tags],
            "antennas": sorted({antenna for tag in tags for antenna in tag.antennas}),
            "rssi_raw": [tag.rssi_raw for tag in tags if tag.rssi_raw is not None],
        }
    if frame.command == Command.REPORT and frame.status == Status.HEARTBEAT:
        beat = Heartbeat.parse(frame.data)
        assert beat.data() == frame.data
        return {"number": beat.number}
    if frame.command == Command.REPORT and frame.status == Status.DONE:
        tag = uhfreader.parse_report(frame.data, Form.MASK)
        return {"epcs": [tag.epc.hex().upper()], "antennas": list(tag.antennas), "rssi_raw": [tag.rssi_raw]}
    return {}


def tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = uhfreader.Decoder()
    found = []
    for piece in pieces:
        for frame in decoder.feed(piece):
            table: dict[str, Any] = {
                "address": frame.address,
                "command": f"{frame.command:02X}",
                "status": f"{frame.status:02X}",
                "data": frame.data.hex(" ").upper(),
                "hex": uhfreader.encode(frame).hex(" ").upper(),
            }
            found.append(table | described(frame))
    return found, decoder.take_rejects()


def sample_tag(rng: Random) -> Tag:
    epc = rng.randbytes(2 * rng.randint(1, 20))
    tid = rng.randbytes(12) if rng.random() < 0.3 else None
    frequency_khz = rng.randrange(840_000, 928_000) if rng.random() < 0.3 else None
    phase = b"" if frequency_khz is None else rng.randbytes(4)
    return Tag(epc, (), rng.randrange(256), tid, phase, frequency_khz)


def sample(rng: Random) -> bytes:
    address = rng.choice([0, 0, 0, 1, 0x30])
    dice = rng.random()
    if dice < 0.1:
        beat = Heartbeat(rng.randrange(1 << 32), tuple(rng.choices((0, 1, 2), k=4)), rng.randrange(1 << 32))
        return uhfreader.encode(Frame(address, Command.REPORT, bytes([Status.HEARTBEAT]) + beat.data()))
    if dice < 0.2:
        body = bytes([Status.DONE, 1 << rng.randrange(4)]) + uhfreader.tag_block(sample_tag(rng), Form.MASK)
        return uhfreader.encode(Frame(address, Command.REPORT, body))
    if dice < 0.3:
        info = bytes([Status.DONE, 2, rng.randrange(99), rng.choice([0x09, 0x20]), 2, 0x31, 0x80, 30, 20, 1, 0, 0, 0])
        return uhfreader.encode(Frame(address, Command.INFO, info))
    if dice < 0.4:
        return uhfreader.encode(Frame(address, rng.choice(list(Command)), bytes([rng.choice([0, 0xFE, 0xFF])])))
    form = rng.choice([Form.MASK, Form.MASK, Form.PLAIN])
    tags = [sample_tag(rng) for _ in range(rng.randint(0, 3))]
    status = rng.choice([Status.COMPLETE, Status.TIMEOUT, Status.MORE, Status.MORE, Status.MEMORY_FULL])
    data = uhfreader.tag_data(tags, form, rng.randint(1, 4))
    return uhfreader.encode(Frame(address, Command.INVENTORY, bytes([status]) + data))


def repaired(data: bytes) -> bytes:
    if not 5 <= len(data) - 1 <= 255:
        return data
    head = bytes([len(data) - 1]) + data[1:-2]
    return head + mcrf4xx_crc16(head).to_bytes(2, "little")


CASE: Final = CodecCase(
    "uhfreader",
    tables,
    uhfreader.Decoder,
    sample,
    most_held_bytes=uhfreader.MAX_FRAME_BYTES,
    drivers={"uhfreader": ({}, {"model": "rr18", "address": 0}, {"model": "16_port", "mode": "active"})},
    repaired=repaired,
)
