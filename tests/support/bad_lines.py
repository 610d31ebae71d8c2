"""Lines that garble, echo and end, between a driver and its twin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Final

import pytest

from readers.driver import Driver
from readers.errors import LinkError, ReaderError
from readers.observations import Observation
from readers.ports.echo import EchoStrippingPort
from readers.ports.memory import MemoryPort, run
from simulator.faults import Fault, Kind, seeded
from simulator.faulty_port import FaultyPort
from tests.support.talk import Serve, linked

CONNECTIONS: Final = 4


def garble(rng: Random, share: float, data: bytes) -> list[bytes]:
    """Some chunks lose a byte, some get a wrong bit, some come with noise."""
    dice = rng.random()
    if dice > share or not data:
        return [data]
    at = rng.randrange(len(data))
    if dice < share / 3:
        return [data[:at] + data[at + 1 :]]
    if dice < 2 * share / 3:
        return [data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]]
    return [rng.randbytes(rng.randrange(1, 30)), data]


async def ended(*tasks: asyncio.Task[Any]) -> list[Any]:
    """Cancel them, and what came of each."""
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)


def hostile_connections(
    seed: int, driver: Driver, serve: Callable[[int, MemoryPort], Coroutine[Any, Any, None]]
) -> list[Observation]:
    """Connection after connection, as the supervisor makes them, each ending in a reader error; the last is a good one.

    `serve` is given the number of the connection.
    """
    heard: list[Observation] = []
    plan = seeded(seed, within_bytes=4_000)

    async def connection(number: int, faults: list[Fault]) -> None:
        ours, device = linked()
        twin = asyncio.create_task(serve(number, device))
        talk = asyncio.create_task(driver.run(FaultyPort(ours, faults, seed), heard.append))
        await asyncio.wait([talk], timeout=40)
        if talk.done():
            assert isinstance(talk.exception(), ReaderError)
        await ended(talk, twin)

    async def scene() -> None:
        for number in range(CONNECTIONS):
            await connection(number, list(plan(number)) if number < CONNECTIONS - 1 else [])

    run(scene())
    return heard


def until_link_error(
    driver: Driver, serve: Serve, *faults: Fault, match: str | None = None
) -> tuple[list[Observation], float]:
    """The link breaks so, and the driver says so: what it had reported, and when that was."""
    heard: list[Observation] = []

    async def scene() -> float:
        ours, device = linked()
        twin = asyncio.create_task(serve(device))
        with pytest.raises(LinkError, match=match):
            await driver.run(FaultyPort(ours, list(faults)), heard.append)
        await ended(twin)
        return ours.monotonic_s()

    return heard, run(scene())


def half_open_for_s(driver: Driver, serve: Serve, match: str) -> float:
    """After 5 s nothing passes any more, and nobody says so: how long it takes until the driver does."""
    return until_link_error(driver, serve, Fault(Kind.BLACKHOLE, after_s=5.0), match=match)[1]


class _Echoing(MemoryPort):
    """What is sent comes back, as from a two-wire adapter."""

    async def send(self, data: bytes) -> None:
        self.feed(data)
        await super().send(data)


def with_echo(seconds: float, driver: Driver, serve: Serve, *, strip: bool = True) -> list[Observation]:
    """What the driver reports on a line whose adapter gives back what is sent."""

    async def scene() -> list[Observation]:
        ours, device = _Echoing("memory"), MemoryPort("memory (device)")
        ours.connect(device)
        heard: list[Observation] = []
        twin = asyncio.create_task(serve(device))
        running = asyncio.create_task(driver.run(EchoStrippingPort(ours) if strip else ours, heard.append))
        await asyncio.wait([running], timeout=seconds)
        await ended(running, twin)
        return heard

    return run(scene())
