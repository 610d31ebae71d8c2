"""Tags before a simulated M100 module, and drivers and stations that talk to it in memory."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any

from readers.codecs.m100 import Decoder, Frame, FrameType, encode
from readers.observations import Condition, Observation, TagRead, TagReads
from readers.ports.memory import MemoryPort, run
from readers.rfid.m100 import M100Driver, M100Settings, M100Station
from simulator.device import Radio, TagMemory
from simulator.rfid.m100 import Module, serve
from tests.support.shelf import memory
from tests.support.talk import linked, talk
from tests.support.turns import Turns

EPCS = [bytes.fromhex("BB7EAADD02220011BB0122FF"), bytes.fromhex("30751FEB705C5904E3D50D70"), b"\x12\x34", b""]
TID_96 = bytes.fromhex("E2801160600002054A3B1C2D")
TID_64 = bytes.fromhex("E200341201234567")


class Tags(Turns):
    """Between -40 and -59 dBm, in turn."""


def tag(
    epc: bytes, tid: bytes = TID_96, user: bytes = b"", *, access: int = 0, locked: Collection[int] = ()
) -> TagMemory:
    """A tag with that EPC and room for 12 bytes of EPC."""
    return memory(epc, tid, user, access=access, locked=locked, room_bytes=12)


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
