"""Lets a driver and a simulated device talk in memory, in virtual time, and keeps what the driver reports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from readers.driver import Driver
from readers.observations import Observation
from readers.ports.memory import MemoryPort, run

US_PER_S: Final = 1_000_000
Serve = Callable[[MemoryPort], Coroutine[Any, Any, None]]


def linked(mangle: Callable[[bytes], list[bytes]] | None = None) -> tuple[MemoryPort, MemoryPort]:
    """The two ends of a link, (driver's, device's); `mangle` sees what the device sends."""
    ours, device = MemoryPort("memory"), MemoryPort("memory (device)", mangle)
    ours.connect(device)
    return ours, device


async def talk_for(
    seconds: float,
    driver: Driver,
    serve: Serve,
    mangle: Callable[[bytes], list[bytes]] | None = None,
    meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> list[Observation]:
    """What the driver reports in that time; its own errors are raised."""
    ours, device = linked(mangle)
    heard: list[Observation] = []
    tasks = [asyncio.create_task(serve(device)), asyncio.create_task(driver.run(ours, heard.append))]
    if meanwhile is not None:
        tasks.append(asyncio.create_task(meanwhile()))
    try:
        await asyncio.wait(tasks[:2], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks[1:]:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return heard


def talk(
    seconds: float,
    driver: Driver,
    serve: Serve,
    mangle: Callable[[bytes], list[bytes]] | None = None,
) -> list[Observation]:
    """`talk_for` in virtual time."""
    return run(talk_for(seconds, driver, serve, mangle))
