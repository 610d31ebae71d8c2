"""The driver and its twin: whole lines, bad lines, lines that end."""

from __future__ import annotations

import asyncio
import functools
from random import Random
from typing import Any

import pytest

from readers.codecs.a0 import Command, Frame, TagReport, encode, pc_bits_for
from readers.errors import LinkError
from readers.observations import DeviceInfo, Observation, Signals, Watching
from readers.ports.echo import EchoStrippingPort
from readers.ports.memory import MemoryPort, run
from readers.registry import driver
from readers.rfid.a0 import DRIVER, A0Driver, A0Settings
from simulator.faults import Fault, Kind
from simulator.faulty_port import FaultyPort
from simulator.rfid.a0 import Module, serve
from tests.readers.rfid.a0.playing import EPCS, Tags, listen
from tests.support.bad_lines import garble
from tests.support.heard import conditions_in, reads_in, rejected_in
from tests.support.talk import linked, talk_for

TWO = {"units": [{"address": 1, "antennas": [1, 2]}, {"address": 9, "antennas": [1], "first_port": 3}]}


def test_the_registry_knows_it() -> None:
    assert driver("a0") is DRIVER


def test_a_reader_alone_is_found_by_the_address_of_all_and_its_own_is_used_from_then_on() -> None:
    sent: list[bytes] = []

    async def scene() -> None:
        ours, device = linked()
        twin = asyncio.create_task(serve(device, Tags(), Module(address=77)))
        talk = asyncio.create_task(A0Driver(A0Settings()).run(ours, lambda _: None))
        await asyncio.sleep(2)
        sent.append(bytes(ours.sent))
        for task in (twin, talk):
            task.cancel()
        await asyncio.gather(twin, talk, return_exceptions=True)

    run(scene())
    assert sent[0][:5] == bytes.fromhex("A0 03 FF 72 EC")
    assert sent[0][5:].count(b"\xa0\x03\xff") == 0
    assert b"\xa0\x04\x4d\x89" in sent[0]


def two_readers() -> list[Module]:
    return [Module(address=1, identifier=b"NORTH       "), Module(address=9, version=(0x42, 0), first_port=3, ports=1)]


def test_two_readers_share_a_line() -> None:
    modules = two_readers()
    heard = listen(20, TWO | {"reader_ports": 4}, [modules[0], Module(address=9, version=(0x42, 0), first_port=3)])
    assert {read.antenna_port for read in reads_in(heard)} == {1, 2, 3}
    assert [o for o in heard if isinstance(o, DeviceInfo)][-1] == DeviceInfo(
        model="R2000, E710", firmware="1: 1.9, 9: 2.0", serial="1: NORTH"
    )
    assert {s.name for o in heard if isinstance(o, Signals) for s in o.signals} == {"temperature_1", "temperature_9"}
    assert [o.antenna_ports for o in heard if isinstance(o, Watching)] == [{1, 2, 3}]
    assert sum(module.interrupted for module in modules) == 0


def test_a_reader_that_nobody_named_is_not_read() -> None:
    tag = TagReport(1, 1, pc_bits_for(EPCS[1]), EPCS[1], -60)
    foreign = encode(Frame(5, Command.REAL_TIME, tag.data()))
    modules = [Module(address=1), Module(address=9, first_port=3)]
    heard = listen(5, TWO, modules, Tags(EPCS[2:3]), lambda data: [foreign + data])
    assert {read.epc for read in reads_in(heard)} == {EPCS[2]}
    assert rejected_in(heard).keys() == {"antenna"}


def test_one_of_two_readers_falls_silent_and_comes_back() -> None:
    modules = [Module(address=1), Module(address=9, first_port=3)]

    async def pull() -> None:
        await asyncio.sleep(10)
        modules[1].is_on = False
        await asyncio.sleep(30)
        modules[1].is_on = True

    async def scene() -> list[Observation]:
        def device(port: MemoryPort) -> Any:
            return serve(port, Tags(step_s=0.02), *modules)

        return await talk_for(70, A0Driver(A0Settings.model_validate(TWO)), device, meanwhile=pull)

    heard = run(scene())
    assert conditions_in(heard) == [("reader_silent", "9", True), ("reader_silent", "9", False)]
    assert [o.antenna_ports for o in heard if isinstance(o, Watching)] == [{1, 2, 3}, {1, 2}, {1, 2, 3}]
    ports = [read.antenna_port for read in reads_in(heard)]
    assert ports.count(1) > 500  # the others are hardly held up


def test_a_reader_that_is_not_there_at_start_is_told_and_waited_for() -> None:
    heard = listen(30, TWO, [Module(address=1)])
    assert conditions_in(heard) == [("reader_silent", "9", True)]
    assert {read.antenna_port for read in reads_in(heard)} == {1, 2}


def test_a_reader_that_falls_silent_while_it_is_set() -> None:
    mute = Module(address=9, first_port=3, mute=frozenset({Command.SET_POWER}))
    heard = listen(30, TWO, [Module(address=1), mute])
    assert ("reader_silent", "9", True) in conditions_in(heard)
    assert {read.antenna_port for read in reads_in(heard)} == {1, 2}
    with pytest.raises(LinkError, match="command 76 was sent 3 times to address 1"):
        listen(30, modules=[Module(mute=frozenset({Command.SET_POWER}))])


def test_a_line_whose_readers_are_all_gone_is_broken() -> None:
    modules = [Module(address=1), Module(address=9, first_port=3)]

    async def pull() -> None:
        await asyncio.sleep(5)
        for module in modules:
            module.is_on = False

    async def scene() -> None:
        def device(port: MemoryPort) -> Any:
            return serve(port, Tags(), *modules)

        await talk_for(60, A0Driver(A0Settings.model_validate(TWO)), device, meanwhile=pull)

    with pytest.raises(LinkError, match="none of the 2 readers"):
        run(scene())


def test_a_mute_line_is_a_link_error() -> None:
    with pytest.raises(LinkError, match=r"no byte came in answer.*115200 8N1"):
        listen(60, modules=[Module(is_on=False)])


@pytest.mark.parametrize("seed", range(5))
def test_on_a_bad_line_most_tags_are_read_and_hardly_a_wrong_one(seed: int) -> None:
    """The sum of 8 bits lets one in 256 garbled frames through; single wrong bits it always finds."""
    heard = listen(300, mangle=functools.partial(garble, Random(seed), 0.06), tags=Tags(EPCS[:3]))
    reads = [read.epc for read in reads_in(heard)]
    assert sum(epc not in EPCS for epc in reads) <= 2
    assert len(reads) > 1_900  # of 3,000: a lost end of a round costs a third of a second
    assert sum(rejected_in(heard).values()) > 200


def test_echo_is_stripped_or_survived() -> None:
    class Echoing(MemoryPort):
        """A two-wire adapter: what is sent comes back."""

        async def send(self, data: bytes) -> None:
            self.feed(data)
            await super().send(data)

    async def scene(*, strip: bool) -> list[Observation]:
        ours, device = Echoing("echoing"), MemoryPort("device")
        ours.connect(device)
        heard: list[Observation] = []
        port = EchoStrippingPort(ours) if strip else ours
        tasks = [
            asyncio.create_task(serve(device, Tags(), Module())),
            asyncio.create_task(A0Driver(A0Settings(repeat=2)).run(port, heard.append)),
        ]
        await asyncio.wait(tasks, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return heard

    stripped, survived = run(scene(strip=True)), run(scene(strip=False))
    assert len(reads_in(stripped)) == len(reads_in(survived)) > 90
    assert not rejected_in(stripped)
    assert rejected_in(survived).keys() == {"echo"}


@pytest.mark.parametrize("kind", [Kind.DRIP, Kind.CORRUPT, Kind.DROP, Kind.DUPLICATE, Kind.DELAY, Kind.JITTER])
def test_faults_of_the_link_are_survived(kind: Kind) -> None:
    faults = [Fault(kind, at_byte=at, length=5, seconds=0.001) for at in range(300, 4_000, 211)]

    async def scene() -> list[Observation]:
        ours, device = linked()
        heard: list[Observation] = []
        tasks = [
            asyncio.create_task(serve(device, Tags(), Module())),
            asyncio.create_task(A0Driver(A0Settings()).run(FaultyPort(ours, faults, seed=3), heard.append)),
        ]
        await asyncio.wait(tasks, timeout=120, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return heard

    heard = run(scene())
    reads = reads_in(heard)
    assert len(reads) > (500 if kind is Kind.DRIP else 800)  # of 1,200
    assert {read.epc for read in reads} == set(EPCS)
    assert len(reads_in(heard[-200:])) > 100  # to the end


def test_a_link_that_is_cut_is_an_error_and_the_next_one_goes_on() -> None:
    module = Module()
    settings = A0Settings(tx_power_dbm=27)

    async def connection() -> list[Observation]:
        ours, device = linked()
        heard: list[Observation] = []
        twin = asyncio.create_task(serve(device, Tags(), module))
        talk = asyncio.create_task(A0Driver(settings).run(ours, heard.append))
        await asyncio.sleep(3)
        await device.close()
        with pytest.raises(LinkError, match="closed"):
            await talk
        with pytest.raises(LinkError):
            await twin
        return heard

    async def scene() -> list[list[Observation]]:
        return [await connection(), await connection()]

    first, second = run(scene())
    assert len(reads_in(first)) > 25
    assert len(reads_in(second)) > 25
    assert module.flash_writes == 1


def test_hours_of_reads_take_seconds_and_miss_none() -> None:
    watch_s = 14_400
    heard = listen(watch_s, modules=[Module(pass_s=1.0)], tags=Tags([b"\x00\x01"], step_s=60))
    assert len(reads_in(heard)) == watch_s // 60
