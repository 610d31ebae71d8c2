"""A module to talk to: the simulated one before some tags, or one that answers as a test says."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from readers.codecs.thingmagic import Decoder, Frame, Opcode, Speaker, encode
from readers.codecs.thingmagic_tags import STOP, STOP_DATA
from readers.observations import Observation
from readers.ports.memory import MemoryPort
from readers.rfid.thingmagic import ThingMagicDriver, ThingMagicSettings
from simulator.device import Sighting
from simulator.rfid.thingmagic import Module, serve
from tests.support.talk import talk
from tests.support.turns import Turns

EPCS = [bytes.fromhex("FF00220400FF2822000010FF"), bytes.fromhex("300833B2DDD9014000000001"), b"\x12\x34", b""]
TID = bytes.fromhex("E2801105200050D1B8FB0A8C")
NA2 = {"region": "na2"}
VERSION = bytes.fromhex("1412080030000002201503100103014700000010")
Mangle = Callable[[bytes], list[bytes]]


class Tags(Turns):
    def __init__(self, epcs: Sequence[bytes] = tuple(EPCS), step_s: float = 0.1, until_s: float = 1e9) -> None:
        super().__init__(epcs, step_s, until_s)

    def sighting(self, number: int, at_us: int, antenna_port: int, epc: bytes, /) -> Sighting:
        strength_dbm, channel = -40.0 - number % 20, 1 + number % 4
        return Sighting(at_us, antenna_port, epc, strength_dbm, TID, phase_deg=number % 360, channel_index=channel)


def listen(
    seconds: float,
    module: Module | None = None,
    tags: Tags | None = None,
    mangle: Mangle | None = None,
    **settings: Any,
) -> list[Observation]:
    """What the driver reports of the simulated module in that time; region `na2` unless said otherwise."""

    def device(port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, tags or Tags(), module)

    return talk(seconds, ThingMagicDriver(ThingMagicSettings.model_validate(NA2 | settings)), device, mangle)


def answering(
    seconds: float, answers: Mapping[int, Sequence[Frame] | Frame | None], **settings: Any
) -> list[Observation]:
    """What the driver makes of a module that succeeds in everything but the commands in `answers`; None is silence.

    Several frames are given one for each time that the command comes, the last of them for ever.
    """
    asked: dict[int, int] = {}

    def answer_to(opcode: int, data: bytes) -> Frame | None:
        if opcode not in answers:
            return Frame(opcode, bytes([STOP]) if data == STOP_DATA else SUCCESS.get(opcode, data), 0)
        wanted = answers[opcode]
        if not isinstance(wanted, Sequence):
            return wanted
        number = asked.get(opcode, 0)
        asked[opcode] = number + 1
        return wanted[min(number, len(wanted) - 1)]

    async def device(port: MemoryPort) -> None:
        decoder = Decoder(Speaker.HOST)
        while True:
            for frame in decoder.feed(await port.receive(3600)):
                answer = answer_to(frame.opcode, frame.data)
                if answer is not None:
                    await port.send(encode(answer))

    return talk(seconds, ThingMagicDriver(ThingMagicSettings.model_validate(NA2 | settings)), device)


SUCCESS: Mapping[int, bytes] = {
    Opcode.VERSION: VERSION,
    Opcode.BOOT_FIRMWARE: VERSION,
    Opcode.CURRENT_PROGRAM: b"\x52",
    Opcode.GET_POWER_MODE: b"\x00",
    Opcode.GET_PROTOCOL: b"\x00\x05",
    Opcode.GET_ANTENNA: b"\x05\x01\x01",
    Opcode.GET_REGION: b"\x0d",
    Opcode.GET_READ_POWER: bytes.fromhex("01 07D0 0A8C 0000"),
    Opcode.GET_OPTION: b"\x01\x0c\x00",
    Opcode.GET_HOP_TABLE: b"",
    Opcode.MULTI_PROTOCOL: b"\x01\x22\x00\x00",
}


def refused(opcode: int, status: int) -> Frame:
    return Frame(opcode, b"", status)
