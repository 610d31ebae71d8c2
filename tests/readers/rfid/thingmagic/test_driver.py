"""The driver against the simulated module: on good lines and bad ones, with echo, through cuts and new connections."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest

from readers.codecs.thingmagic import Decoder, Frame, Opcode, Speaker, encode
from readers.errors import LinkError
from readers.observations import Condition, Observation, Rejected, TagReads, Watching
from readers.ports.memory import MemoryPort, pair, run
from readers.rfid.thingmagic import DRIVER, ThingMagicDriver, ThingMagicSettings
from simulator.faults import Fault, Kind, Towards
from simulator.rfid.thingmagic import Module, serve
from tests.readers.rfid.thingmagic.played import EPCS, Tags, listen
from tests.support.bad_lines import garble, half_open_for_s, hostile_connections, until_link_error, with_echo
from tests.support.heard import epcs_in, reads_in, rejected_in

SETTINGS = ThingMagicSettings.model_validate({"region": "na2"})


def test_the_driver_is_registered_with_its_line() -> None:
    assert DRIVER.line is not None
    assert (DRIVER.name, DRIVER.line.baud) == ("thingmagic", 115_200)


def test_a_module_is_read_and_nothing_else_is_said() -> None:
    heard = listen(60)
    assert len(reads_in(heard)) == 600
    assert heard.count(Watching(frozenset({1}))) == 1
    assert not [o for o in heard if isinstance(o, Rejected | Condition)]


def test_hours_of_reads_take_seconds_and_miss_none() -> None:
    watch_s = 3_600
    assert len(reads_in(listen(watch_s, tags=Tags([EPCS[1]], step_s=60)))) == watch_s // 60


@pytest.mark.parametrize("seed", range(5))
def test_on_a_bad_line_no_wrong_tag_is_reported_and_most_right_ones_are(seed: int) -> None:
    heard = listen(300, mangle=functools.partial(garble, Random(seed), 0.2))
    reads = [read.epc for read in reads_in(heard)]
    assert set(reads) == set(EPCS)
    assert len(reads) > 2_300  # of 3,000 at a tenth to a fifth of lost frames
    assert sum(o.count for o in heard if isinstance(o, Rejected)) > 100


@pytest.mark.parametrize("seed", range(12))
def test_a_hostile_link_ends_in_a_reader_error_or_in_reads(seed: int) -> None:
    def device(number: int, port: MemoryPort) -> Coroutine[Any, Any, None]:
        return serve(port, Tags(), Module(streaming=number > 0, region=13, protocol=5))

    heard = hostile_connections(seed, ThingMagicDriver(SETTINGS), device)
    assert set(epcs_in(heard)) == set(EPCS)


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.RESET])
def test_a_link_that_ends_is_a_link_error(kind: Kind) -> None:
    fault = Fault(kind, Towards.CLIENT, after_s=5.0)
    until_link_error(ThingMagicDriver(SETTINGS), lambda port: serve(port, Tags(), Module()), fault)


def test_a_half_open_link_is_noticed() -> None:
    driver = ThingMagicDriver(SETTINGS)
    assert half_open_for_s(driver, lambda port: serve(port, Tags(), Module()), "asked 3 times to stop") < 20


def test_local_echo_is_stripped() -> None:
    module = Module(hardware=bytes.fromhex("18000001"))
    heard = with_echo(20, ThingMagicDriver(SETTINGS), lambda port: serve(port, Tags(), module))
    assert len(reads_in(heard)) > 190
    assert not rejected_in(heard)


def test_a_frame_in_two_segments_is_one_frame() -> None:
    """A device server sends what it has; a segment that is lost on the network comes 0.2 s later."""
    heard: list[Observation] = []

    async def scene() -> None:
        ours, far = pair()
        near, device = pair()

        async def slowly(source: MemoryPort, sink: MemoryPort) -> None:
            while True:
                data = await source.receive(3600)
                await sink.send(data[:9])
                await sink.pause(0.2)
                await sink.send(data[9:])

        async def straight() -> None:
            while True:
                await near.send(await far.receive(3600))

        driver = ThingMagicDriver(SETTINGS).run(ours, heard.append)
        tasks = [asyncio.create_task(each) for each in (slowly(near, far), straight(), serve(device, Tags()), driver)]
        await asyncio.wait(tasks, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(scene())
    assert len(reads_in(heard)) > 80
    assert not [o for o in heard if isinstance(o, Rejected)]


def test_a_module_that_restarts_in_the_middle_is_set_anew_by_the_next_connection() -> None:
    async def scene() -> list[Observation]:
        ours, device = pair()
        heard: list[Observation] = []
        twin = asyncio.create_task(serve(device, Tags()))
        talk = asyncio.create_task(ThingMagicDriver(SETTINGS).run(ours, heard.append))
        while not any(isinstance(o, TagReads) for o in heard):
            await ours.pause(0.1)
        await device.send(encode(Frame(Opcode.BOOT_FIRMWARE, bytes(20), 0)))
        await asyncio.wait([talk], timeout=5)
        assert isinstance(talk.exception(), LinkError)
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return heard

    assert reads_in(run(scene()))


def test_the_port_is_left_to_wait_and_not_asked_over_and_over() -> None:
    commands = 0

    async def scene() -> None:
        nonlocal commands
        ours, device = pair()
        talk = asyncio.create_task(ThingMagicDriver(SETTINGS).run(ours, lambda _: None))
        decoder = Decoder(Speaker.HOST)
        while not talk.done():
            commands += len(decoder.feed(await device.receive(1.0)))
        assert isinstance(talk.exception(), LinkError)

    run(scene())
    assert commands < 12
