"""A module to talk to: the simulated one before some tags, or one that answers as a test says."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from readers.codecs.thingmagic import Decoder, Frame, Opcode, Speaker, encode
from readers.codecs.thingmagic_tags import STOP, STOP_DATA
from readers.observations import Observation, TagRead, TagReads
from readers.ports.memory import START_US, MemoryPort
from readers.rfid.thingmagic import ThingMagicDriver, ThingMagicSettings
from simulator.device import Sighting
from simulator.rfid.thingmagic import Module, serve
from tests.support.talk import US_PER_S, talk

EPCS = [bytes.fromhex("FF00220400FF2822000010FF"), bytes.fromhex("300833B2DDD9014000000001"), b"\x12\x34", b""]
TID = bytes.fromhex("E2801105200050D1B8FB0A8C")
NA2 = {"region": "na2"}
VERSION = bytes.fromhex("1412080030000002201503100103014700000010")
Mangle = Callable[[bytes], list[bytes]]


class Tags:
    """One sighting every `step_s` seconds, in turn, from the first second on, until `until_s`."""

    def __init__(self, epcs: Sequence[bytes] = tuple(EPCS), step_s: float = 0.1, until_s: float = 1e9) -> None:
        self._epcs = epcs
        self._step_us = round(step_s * US_PER_S)
        self._until_us = START_US + round(until_s * US_PER_S)

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        first = -(-(start_us - START_US) // self._step_us)
        last = -(-(min(until_us, self._until_us) - START_US) // self._step_us)
        return [
            Sighting(
                START_US + n * self._step_us,
                antenna_port,
                self._epcs[n % len(self._epcs)],
                -40.0 - n % 20,
                TID,
                phase_deg=n % 360,
                channel_index=1 + n % 4,
            )
            for n in range(first, max(first, last))
        ]


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


def reads_in(heard: Sequence[Observation]) -> list[TagRead]:
    return [row for observation in heard if isinstance(observation, TagReads) for row in observation.rows()]


def refused(opcode: int, status: int) -> Frame:
    return Frame(opcode, b"", status)
