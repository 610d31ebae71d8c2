"""Drivers in front of devices that say anything: noise, right frames at wrong times, frames of another protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from readers.codecs import dlt645, m100
from readers.driver import Driver
from readers.errors import ReaderError
from readers.meters.dlt645 import Dlt645Driver, Dlt645Settings
from readers.observations import Observation
from readers.ports.memory import pair, run
from readers.rfid.m100 import M100Driver, M100Settings

DRIVERS: dict[str, Callable[[], Driver]] = {
    "m100": lambda: M100Driver(M100Settings()),
    "m100 with a region": lambda: M100Driver(M100Settings.model_validate({"region": "eu"})),
    "dlt645": lambda: Dlt645Driver(
        Dlt645Settings.model_validate({"meters": [{"name": "a", "address": "161"}], "poll_s": 1})
    ),
    "dlt645 without an address": lambda: Dlt645Driver(
        Dlt645Settings.model_validate({"meters": [{"name": "a"}], "poll_s": 1})
    ),
}


def anything(rng: Random) -> bytes:
    kind = rng.random()
    if kind < 0.3:
        return rng.randbytes(rng.randrange(1, 60))
    if kind < 0.65:
        kinds, commands = list(m100.FrameType), [*m100.Command, 0x99]
        frame = m100.Frame(rng.choice(kinds), rng.choice(commands), rng.randbytes(rng.randrange(20)))
        return m100.encode(frame, rng.choice(m100.ALL_DELIMITERS))
    names = [b"", bytes.fromhex("00FF0100"), bytes.fromhex("00000200"), bytes(6)]
    controls = [0x91, 0xD1, 0xB1, 0x92, 0xB2, 0x93, 0xD3, 0x11]
    data = rng.choice(names) + rng.randbytes(rng.randrange(12))
    return dlt645.encode(dlt645.Frame(rng.choice(["000000000161", dlt645.WILDCARD]), rng.choice(controls), data))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("make", DRIVERS.values(), ids=DRIVERS.keys())
def test_only_reader_errors_ever_leave_a_driver(make: Callable[[], Driver], seed: int) -> None:
    rng = Random(seed)
    heard: list[Observation] = []

    async def scene() -> None:
        ours, device = pair()
        running = asyncio.create_task(make().run(ours, heard.append))
        for _ in range(400):
            await device.pause(rng.random() * 0.3)
            if running.done():
                break
            await device.send(anything(rng))
        if running.done():
            assert isinstance(running.exception(), ReaderError)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(scene())
    assert heard  # what was thrown away was counted
