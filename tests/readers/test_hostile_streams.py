"""Drivers in front of devices that say anything: noise, right frames at wrong times, frames of another protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest

from readers.errors import ReaderError
from readers.meters.dlt645.line import RefusedError
from readers.observations import Observation
from readers.ports.memory import pair, run
from readers.registry import driver
from tests.support.codecs import CodecCase, cases
from tests.support.vectors import load

CASES = cases()
DRIVERS = {
    f"{name} {number}": (name, settings)
    for case in CASES.values()
    for name, variants in case.drivers.items()
    for number, settings in enumerate(variants, 1)
}


def anything(rng: Random, case: CodecCase) -> bytes:
    """Noise, a frame of the driver's own protocol, or one of another."""
    dice = rng.random()
    if dice < 0.3:
        return rng.randbytes(rng.randrange(1, 60))
    return (case if dice < 0.8 else rng.choice(list(CASES.values()))).sample(rng)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("name", "settings"), DRIVERS.values(), ids=DRIVERS.keys())
def test_only_reader_errors_ever_leave_a_driver(name: str, settings: Mapping[str, Any], seed: int) -> None:
    case = next(case for case in CASES.values() if name in case.drivers)
    spec = driver(name)
    rng = Random(seed)
    heard: list[Observation] = []

    async def scene() -> None:
        ours, device = pair()
        running = asyncio.create_task(spec.make(spec.settings.model_validate(settings)).run(ours, heard.append))
        for _ in range(400):
            await device.pause(rng.random() * 0.3)
            if running.done():
                break
            await device.send(anything(rng, case))
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
    if name == "llrp":
        return data[:2] + len(data).to_bytes(4) + data[6:] if len(data) >= 10 else data
    repaired = next((case.repaired for case in CASES.values() if name in case.drivers), None)
    return repaired(data) if repaired is not None else data


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("name", ["llrp", *sorted({name for case in CASES.values() for name in case.drivers})])
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
