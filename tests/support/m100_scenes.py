"""Tags before a simulated M100 module, and drivers and stations that talk to it in memory."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from readers.codecs.checksums import gen2_crc16
from readers.codecs.m100 import Decoder, Frame, FrameType, encode, pc_bits_for
from readers.observations import Condition, Observation, TagRead, TagReads
from readers.ports.memory import START_US, MemoryPort, run
from readers.rfid.m100 import M100Driver, M100Settings, M100Station
from simulator.device import Radio, Sighting, TagMemory
from simulator.rfid.m100 import Module, serve
from tests.support.talk import US_PER_S, linked, talk

EPCS = [bytes.fromhex("BB7EAADD02220011BB0122FF"), bytes.fromhex("30751FEB705C5904E3D50D70"), b"\x12\x34", b""]
TID_96 = bytes.fromhex("E2801160600002054A3B1C2D")
TID_64 = bytes.fromhex("E200341201234567")


class Tags:
    """One sighting every `step_s` seconds, in turn, from the first second on, until `until_s`."""

    def __init__(self, epcs: Sequence[bytes], step_s: float = 0.1, until_s: float = 1e9) -> None:
        self._epcs = epcs
        self._step_us = round(step_s * US_PER_S)
        self._until_us = START_US + round(until_s * US_PER_S)

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        first = -(-(start_us - START_US) // self._step_us)
        last = -(-(min(until_us, self._until_us) - START_US) // self._step_us)
        return [
            Sighting(START_US + n * self._step_us, antenna_port, self._epcs[n % len(self._epcs)], -40.0 - n % 20)
            for n in range(first, max(first, last))
        ]


def tag(epc: bytes, tid: bytes = TID_96, user: bytes = b"", **more: Any) -> TagMemory:
    """A tag with that EPC and room for 12 bytes of EPC."""
    air = pc_bits_for(epc).to_bytes(2, "big") + epc
    bank = gen2_crc16(air).to_bytes(2, "big") + air
    return TagMemory(epc_bank=bytearray(bank.ljust(16, b"\x00")), tid=tid, user=bytearray(user), **more)


class Shelf:
    """Tags that lie before the antenna while `is_here` says so, each heard every `step_s`. A `WritableRadio`."""

    def __init__(
        self,
        *tags: TagMemory,
        step_s: float = 0.01,
        is_here: Callable[[float, TagMemory], bool] = lambda _at_s, _tag: True,
    ) -> None:
        self.tags = list(tags)
        self._step_us = round(step_s * US_PER_S)
        self._is_here = is_here

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
        found = []
        first = -(-start_us // self._step_us) * self._step_us
        for at_us in range(first, until_us, self._step_us):
            at_s = (at_us - START_US) / US_PER_S
            for number, each in enumerate(self.tags):
                if self._is_here(at_s, each):
                    pc_bits = int.from_bytes(each.epc_bank[2:4], "big")
                    found.append(Sighting(at_us, antenna_port, epc_of(each), -40.0 - number, pc_bits=pc_bits))
        return found

    def memory(self, epc: bytes) -> TagMemory | None:
        return next((each for each in self.tags if epc_of(each) == epc), None)


def epc_of(memory: TagMemory) -> bytes:
    words = int.from_bytes(memory.epc_bank[2:4], "big") >> 11
    return bytes(memory.epc_bank[4 : 4 + 2 * words])


def rows(heard: Sequence[Observation]) -> list[TagRead]:
    return [row for observation in heard if isinstance(observation, TagReads) for row in observation.rows()]


def tags_in(heard: Sequence[Observation]) -> list[bytes]:
    return [row.epc for row in rows(heard)]


def conditions(heard: Sequence[Observation]) -> list[tuple[str, str]]:
    return [(o.name, o.key) for o in heard if isinstance(o, Condition)]


def listen(
    seconds: float,
    settings: M100Settings | None = None,
    module: Module | None = None,
    tags: Radio | None = None,
    mangle: functools.partial[list[bytes]] | None = None,
) -> list[Observation]:
    """What the driver reports of the simulated module in that time."""

    def device(port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, tags or Tags(EPCS), module)

    return talk(seconds, M100Driver(settings or M100Settings()), device, mangle)


def answering(
    seconds: float, answers: dict[int, list[Frame]], settings: M100Settings | None = None
) -> list[Observation]:
    """What the driver makes of a module that confirms every command but those in `answers`."""
    return talk(seconds, M100Driver(settings or M100Settings()), confirming(answers))


def confirming(answers: dict[int, list[Frame]]) -> Callable[[MemoryPort], Coroutine[Any, Any, None]]:
    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(3600)):
                confirmed = [Frame(FrameType.RESPONSE, asked.command, b"\x00")]
                for answer in answers.get(asked.command, confirmed):
                    await port.send(encode(answer))

    return device


def at_station(
    work: Callable[[M100Station], Awaitable[None]],
    tags: Radio,
    module: Module | None = None,
    settings: M100Settings | None = None,
    device: Callable[[MemoryPort], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Do some work at an opened station, in virtual time."""

    async def scene() -> None:
        ours, theirs = linked()
        twin = asyncio.create_task(device(theirs) if device else serve(theirs, tags, module))
        station = M100Station(settings or M100Settings(), ours)
        await station.open()
        try:
            await work(station)
        finally:
            await station.close()
            twin.cancel()
            await asyncio.gather(twin, return_exceptions=True)

    run(scene())
