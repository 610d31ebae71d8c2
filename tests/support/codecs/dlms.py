from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from readers.codecs import dlms_hdlc, dlms_wrapper
from readers.codecs.dlms_data import Reader, decode
from readers.codecs.dlms_objects import columns_of, objects_of, rows_of
from readers.codecs.dlms_values import ScalerUnit, meter_time
from readers.errors import FrameError
from readers.quantities import Quantity
from tests.support.codecs import CodecCase

CHINA_MIN: Final = 480
GET_RESPONSE, NORMAL, WITH_LIST = 0xC4, 1, 3


def meaning(apdu: bytes) -> dict[str, Any]:
    """What an answer holds, by whichever reader of values knows it; raises FrameError when it is none."""
    if apdu[:2] == bytes([GET_RESPONSE, WITH_LIST]):
        return {"values": [str(each) for each in Reader(apdu[3:]).results()]}
    if apdu[:2] != bytes([GET_RESPONSE, NORMAL]) or len(apdu) < 5 or apdu[3]:
        return {}
    value = decode(apdu[4:])
    told: dict[str, Any] = {"value": str(value)}
    for name, read in READS.items():
        try:
            told[name] = str(read(value))
        except FrameError:
            continue
    return told


READS: Final[dict[str, Callable[[Any], Any]]] = {
    "scaler": ScalerUnit.of,
    "time": lambda value: meter_time(value, CHINA_MIN),
    "objects": objects_of,
    "columns": lambda value: [str(each) for each in columns_of(value)],
    "rows": lambda value: [*rows_of(value, columns_of(value), period_s=900, utc_offset_min=CHINA_MIN)],
    "energy_wh": lambda value: ScalerUnit(1, 30).value(value, Quantity.ACTIVE_ENERGY_IMPORT),
}


def hdlc_tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = dlms_hdlc.Decoder()
    found = []
    for frame in (frame for piece in pieces for frame in decoder.feed(piece)):
        table = {
            "destination": frame.destination.encode().hex(" ").upper(),
            "source": frame.source.encode().hex(" ").upper(),
            "control": f"{frame.control:02X}",
            "kind": dlms_hdlc.Kind(frame.kind).name.lower() if frame.kind in set(dlms_hdlc.Kind) else "unknown",
            "is_segmented": frame.is_segmented,
            "information": frame.information.hex(" ").upper(),
            "hex": dlms_hdlc.encode(frame).hex(" ").upper(),
        }
        found.append(table | meaning(frame.information.removeprefix(dlms_hdlc.FROM_METER)))
    return found, decoder.take_rejects()


def wrapper_tables(pieces: Sequence[bytes]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    decoder = dlms_wrapper.Decoder()
    found = []
    for frame in (frame for piece in pieces for frame in decoder.feed(piece)):
        table = {
            "source": frame.source,
            "destination": frame.destination,
            "apdu": frame.apdu.hex(" ").upper(),
            "hex": dlms_wrapper.encode(frame).hex(" ").upper(),
        }
        found.append(table | meaning(frame.apdu))
    return found, decoder.take_rejects()


AARE: Final = bytes.fromhex("6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000501F01F40007")
ANSWERS: Final = tuple(
    bytes.fromhex(text)
    for text in (
        "C401C100 06 00001391",
        "C401C100 02020F01161E",
        "C401C200 090C07EA0B17010A0F1E00FE200000",
        "C401C101 04",
        "C403C102 00 12 08FF 01 03",
        "C402C100 00000001 00 05 0600001391",
        "C401C100 0101 0204 120008 09060000010000FF 0F02 120000",
        "D80101",
    )
)


def answer(rng: Random) -> bytes:
    dice = rng.random()
    if dice < 0.2:
        return AARE
    if dice < 0.8:
        return rng.choice(ANSWERS)
    return bytes([0xC4, 1, rng.choice([0xC1, 0xC2]), 0]) + rng.randbytes(rng.randint(1, 40))


def hdlc_sample(rng: Random) -> bytes:
    meter, client = dlms_hdlc.Address(1, 17, 2), dlms_hdlc.Address(16)
    dice = rng.random()
    if dice < 0.2:
        return dlms_hdlc.encode(dlms_hdlc.Frame(client, meter, rng.choice([0x73, 0x1F, 0x11, 0x31])))
    control = dlms_hdlc.information(rng.randrange(3), rng.randrange(3))
    content = dlms_hdlc.FROM_METER + answer(rng)
    return dlms_hdlc.encode(dlms_hdlc.Frame(client, meter, control, content, rng.random() < 0.1))


def wrapper_sample(rng: Random) -> bytes:
    return dlms_wrapper.encode(dlms_wrapper.Frame(1, 16, answer(rng)))


def repaired(data: bytes) -> bytes:
    """Both check bytes of a frame of 2 and 1 bytes of address put right."""
    content = data[1:-3]
    if len(content) > 10:
        content = content[:6] + dlms_hdlc.check_of(content[:6]) + content[8:]
    return data[:1] + content + dlms_hdlc.check_of(content) + data[-1:]


CASES: Final = (
    CodecCase(
        "dlms_hdlc",
        hdlc_tables,
        dlms_hdlc.Decoder,
        hdlc_sample,
        most_held_bytes=dlms_hdlc.MAX_FRAME_BYTES,
        drivers={"dlms": ({"meters": [{"name": "a", "physical": 17}], "read": ["1-0:1.8.0"], "energy_s": 1},)},
        repaired=repaired,
    ),
    CodecCase(
        "dlms_wrapper",
        wrapper_tables,
        dlms_wrapper.Decoder,
        wrapper_sample,
        most_held_bytes=dlms_wrapper.HEADER_BYTES + dlms_wrapper.MAX_APDU_BYTES,
        drivers={"dlms": ({"framing": "wrapper", "meters": [{"name": "a"}], "energy_s": 1},)},
    ),
)
