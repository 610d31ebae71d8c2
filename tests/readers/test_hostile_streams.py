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
from readers.meters.dlt645_line import RefusedError
from readers.observations import Observation
from readers.ports.memory import pair, run
from readers.registry import driver
from readers.rfid.m100 import M100Driver, M100Settings
from tests.support.vectors import load

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


def mutated(rng: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        at = rng.randrange(len(changed)) if changed else 0
        dice = rng.random()
        if dice < 0.4 and changed:
            changed[at] ^= 1 << rng.randrange(8)
        elif dice < 0.6 and changed:
            changed[at] = rng.choice([0x00, 0x01, 0x7F, 0x80, 0xFF])
        elif dice < 0.8:
            del changed[at : at + rng.randint(1, 8)]
        else:
            changed[at:at] = changed[at : at + rng.randint(1, 40)]
    return bytes(changed)


def with_right_length_and_sum(name: str, data: bytes) -> bytes:
    """So that what is wrong is inside."""
    if name == "llrp" and len(data) >= 10:
        return data[:2] + len(data).to_bytes(4) + data[6:]
    start = data.find(0x68) if name == "dlt645" else 1
    if name != "llrp" and start >= 0 and len(data) > start + 3:
        return data[:-2] + bytes([sum(data[start:-2]) & 0xFF]) + data[-1:]
    return data


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("name", ["dlt645", "llrp", "m100"])
def test_a_conversation_with_damaged_messages_ends_in_a_reader_error_or_goes_on(
    name: str, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    rng = Random(f"{name}/{seed}")
    vector = rng.choice([vector for vector in load("exchange") if vector.driver == name])

    async def scene() -> None:
        spec = driver(name)
        ours, device = pair()
        settings = spec.settings.model_validate(vector.table.get("settings", {}))
        running = asyncio.create_task(spec.make(settings).run(ours, lambda _: None))
        for step in vector.table["steps"]:
            if "receive" in step and not running.done():
                data = bytes.fromhex(step["receive"])
                if rng.random() < 0.2:
                    data = mutated(rng, data)
                    data = with_right_length_and_sum(name, data) if rng.random() < 0.8 else data
                await device.send(data)
            await device.pause(step.get("pause_s", 0.05))
        await device.pause(rng.random() * 30)
        running.cancel()
        (end,) = await asyncio.gather(running, return_exceptions=True)
        assert isinstance(end, asyncio.CancelledError | ReaderError)
        assert not isinstance(end, RefusedError)  # between the driver and its line only

    run(scene())
    assert caplog.records == []  # a device cannot write into the logs through a library
