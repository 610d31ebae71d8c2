"""Rounds: asked for one after the other, watched over, and what their ends say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from readers.codecs.a0 import Command, Decoder, Frame, Result, RoundEnd, TagReport, encode, pc_bits_for
from readers.errors import DeviceRefusedError, LinkError
from readers.observations import Observation, Rejected, TagReads, Watching
from readers.ports.memory import START_US, MemoryPort, run
from readers.rfid.a0 import A0Driver, A0Settings
from readers.rfid.a0.rounds import MISSING_RETRY_S
from simulator.rfid.a0 import Module, serve
from tests.readers.rfid.a0.playing import EPCS, FOUR, Tags, listen
from tests.support.heard import conditions_in, reads_in, rejected_in
from tests.support.talk import US_PER_S, linked, talk, talk_for

INVENTORIES: list[dict[str, Any]] = [
    {"inventory": "real_time"},
    {"inventory": "real_time", "repeat": 255},
    {"inventory": "real_time", "repeat": 10},
    {"inventory": "session", "session": 0},
    {"inventory": "session", "session": 2, "target": "alternating"},
    {"inventory": "fast_switch"},
    {"inventory": "fast_switch", "stay": 2, "repeat": 3, "interval_ms": 5},
    {"inventory": "fast_switch", "fast_switch_form": "long", "session": 0},
]


@pytest.mark.parametrize("settings", INVENTORIES, ids=lambda settings: " ".join(map(str, settings.values())))
@pytest.mark.parametrize("empty_round", ["end", "no_tag"])
def test_every_kind_of_inventory_reads_every_antenna(settings: dict[str, Any], empty_round: str) -> None:
    module = Module(empty_round=empty_round)
    heard = listen(30, FOUR | settings, [module], Tags(step_s=0.013))
    reads = reads_in(heard)
    assert {read.antenna_port for read in reads} == {1, 2, 3, 4}
    assert {read.epc for read in reads} == set(EPCS)
    assert {read.rssi_dbm for read in reads} <= {-40.0 - n for n in range(20)}
    assert heard.count(Watching(frozenset({1, 2, 3, 4}))) == 1
    assert module.interrupted == 0  # never two commands in flight
    assert not conditions_in(heard)
    assert not rejected_in(heard)


def test_one_antenna_misses_nothing() -> None:
    assert len(reads_in(listen(60, tags=Tags([b"\x00\x01"], step_s=1.0)))) == 60


def test_a_tag_of_session_two_is_read_once_until_its_flag_decays() -> None:
    tags = Tags([b"\x00\x01"], step_s=0.02)
    once = listen(8, {"inventory": "session", "session": 2}, tags=tags)
    both = listen(8, {"inventory": "session", "session": 2, "target": "alternating"}, tags=tags)
    only_b = listen(8, {"inventory": "session", "session": 2, "target": "b"}, tags=tags)
    assert len(reads_in(once)) == 1
    assert len(reads_in(both)) > 100
    assert not reads_in(only_b)


@pytest.mark.parametrize("inventory", ["session", "fast_switch"])
def test_the_phase_is_degrees(inventory: str) -> None:
    settings = {"inventory": inventory, "fast_switch_form": "long", "phase_steps_per_turn": 4096, "session": 0}
    assert {read.phase_deg for read in reads_in(listen(5, settings))} == {45.0}


def test_a_phase_that_nobody_explained_is_no_phase() -> None:
    tag = TagReport(1, 1, pc_bits_for(EPCS[1]), EPCS[1], -60, 1024)
    heard = answering(3, {Command.REAL_TIME: [tag.data(), RoundEnd(1, 1, 0).data()]})
    assert {read.phase_deg for read in reads_in(heard)} == {None}


@pytest.mark.parametrize("inventory", ["real_time", "session", "fast_switch"])
def test_a_missing_antenna_is_a_condition_until_it_reads_again(inventory: str) -> None:
    module = Module(unplugged={3})

    async def plug_in() -> None:
        await asyncio.sleep(5)
        module.unplugged.clear()

    settings = A0Settings.model_validate(FOUR | {"inventory": inventory, "session": 0})

    async def scene() -> list[Observation]:
        def device(port: MemoryPort) -> Any:
            return serve(port, Tags(step_s=0.02), module)

        return await talk_for(10, A0Driver(settings), device, meanwhile=plug_in)

    heard = run(scene())
    assert conditions_in(heard) == [("antenna_disconnected", "3", True), ("antenna_disconnected", "3", False)]
    assert [o.antenna_ports for o in heard if isinstance(o, Watching)] == [{1, 2, 4}, {1, 2, 3, 4}]
    batches = [(o.received_at_us, set(o.antenna_port)) for o in heard if isinstance(o, TagReads)]
    plugged_us = START_US + 5 * US_PER_S
    assert not [ports for at_us, ports in batches if at_us < plugged_us and 3 in ports]
    assert [ports for at_us, ports in batches if at_us > plugged_us + 2 * US_PER_S and 3 in ports]


@pytest.mark.parametrize("inventory", ["real_time", "fast_switch"])
def test_a_reader_without_any_antenna_is_asked_now_and_then(inventory: str) -> None:
    module = Module(unplugged={1, 2, 3, 4})
    asked = 0

    def count(data: bytes) -> list[bytes]:
        nonlocal asked
        asked += sum(frame.command in (0x89, 0x8A) for frame in Decoder().feed(data))
        return [data]

    heard = listen(30, FOUR | {"inventory": inventory}, [module], mangle=count)
    assert len(conditions_in(heard)) == 4
    assert not [o for o in heard if isinstance(o, Watching)]
    assert asked <= 4 * 30 / MISSING_RETRY_S + 60


def test_an_end_that_is_lost_costs_a_moment_only() -> None:
    heard = listen(30, modules=[Module(loses_ends=1)], tags=Tags([b"\x00\x01"]))
    assert rejected_in(heard) == {"round_unfinished": 1}
    assert len(reads_in(heard)) > 260
    assert not conditions_in(heard)


def test_after_a_lost_end_the_group_of_sixteen_is_named_again() -> None:
    module = Module(ports=16, loses_ends=1)
    sixteen = {"units": [{"address": 1, "antennas": [9]}], "reader_ports": 16}
    heard = listen(10, sixteen, [module], Tags([b"\x00\x01"]))
    assert rejected_in(heard) == {"round_unfinished": 1}
    assert {read.antenna_port for read in reads_in(heard)} == {9}


def test_a_reader_whose_rounds_never_end_is_read_but_an_empty_one_is_not_watched() -> None:
    heard = listen(120, modules=[Module(loses_ends=10_000)], tags=Tags(step_s=0.01, until_s=20))
    states = [o.antenna_ports for o in heard if isinstance(o, Watching)]
    assert states == [frozenset({1}), frozenset()]
    assert conditions_in(heard) == [("rounds_unconfirmed", "inventory", True)]


def test_a_round_that_takes_longer_than_its_time_is_waited_for() -> None:
    module = Module(pass_s=3.0)
    heard = listen(31, FOUR, [module], Tags([b"\x00\x01"], step_s=7.0))
    assert not rejected_in(heard)
    assert not conditions_in(heard)
    assert len(reads_in(heard)) == 5  # at 0, 7, 14, 21 and 28 s


def test_an_end_that_comes_twice_does_not_put_the_rounds_out_of_step() -> None:
    repeated = 0

    def repeat(data: bytes) -> list[bytes]:
        nonlocal repeated
        if data[3] == Command.REAL_TIME and len(data) == 12 and not repeated:
            repeated += 1
            asyncio.get_running_loop().call_later(0.01, late.feed, data)
        return [data]

    module = Module()
    late, device = linked(repeat)

    async def scene() -> list[Observation]:
        heard: list[Observation] = []
        tasks = [
            asyncio.create_task(serve(device, Tags(), module)),
            asyncio.create_task(A0Driver(A0Settings.model_validate(FOUR)).run(late, heard.append)),
        ]
        await asyncio.wait(tasks, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return heard

    heard = run(scene())
    assert rejected_in(heard) == {"antenna": 1}
    assert module.interrupted <= 1
    assert len(reads_in(heard)) > 150


def test_reads_that_the_line_lost_are_counted() -> None:
    def lose(data: bytes) -> list[bytes]:
        return [] if len(data) == 21 and data[3] == Command.REAL_TIME else [data]

    heard = listen(10, tags=Tags([EPCS[1], b"\x00\x01"]), mangle=lose)
    assert len(reads_in(heard)) == 50
    lost = [o for o in heard if isinstance(o, Rejected)]
    assert {o.reason for o in lost} == {"reads_missing"}
    assert sum(o.reads_lost for o in lost) == 50


@pytest.mark.parametrize("code", [Result.COMMAND_FAIL, Result.RF_CHIP_NO_RESPONSE, Result.PLL_LOCK_FAIL, 0x99])
def test_rounds_that_fail_are_named_and_do_not_spin(code: int) -> None:
    heard = listen(10, FOUR, [Module(failing={2: code})])
    name = "error_99" if code == 0x99 else Result(code).name.lower()
    counted = rejected_in(heard)
    assert counted.keys() == {name}
    assert 10 < counted[name] <= 100
    assert {read.antenna_port for read in reads_in(heard)} == {1, 3, 4}


def test_a_reader_that_fails_altogether_is_not_watched_until_it_works_again() -> None:
    failing = {1: Result.RF_CHIP_NO_RESPONSE}
    module = Module(failing=failing)

    async def repair() -> None:
        await asyncio.sleep(5)
        failing[1] = Result.CW_ON_ERROR
        await asyncio.sleep(5)
        failing.clear()
        await asyncio.sleep(5)
        failing[1] = Result.CW_ON_ERROR

    async def scene() -> list[Observation]:
        def device(port: MemoryPort) -> Any:
            return serve(port, Tags(), module)

        return await talk_for(20, A0Driver(A0Settings()), device, meanwhile=repair)

    heard = run(scene())
    assert conditions_in(heard) == [("rounds_failing", "inventory", is_on) for is_on in (True, False, True)]
    assert [o.antenna_ports for o in heard if isinstance(o, Watching)] == [{1}, frozenset()]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"units": [{"address": 1, "antennas": [3]}], "reader_ports": 4},
            r"antenna 3 with antenna_out_of_range \(47\)",
        ),
        ({"units": [{"address": 1, "antennas": [9]}], "reader_ports": 16}, r"antenna 9 with command_fail \(11\)"),
    ],
)
def test_an_antenna_that_the_reader_does_not_have_parks_it(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(DeviceRefusedError, match=text):
        listen(60, settings, [Module(ports=1)])


def test_an_inventory_that_the_reader_does_not_know_parks_it() -> None:
    with pytest.raises(DeviceRefusedError, match=r"inventory = fast_switch: .* with parameter_invalid \(41\)"):
        answering(60, {Command.FAST_SWITCH: [b"\x41"]}, {"inventory": "fast_switch"})


def test_a_reader_that_restarts_is_set_to_its_antenna_again() -> None:
    module = Module()

    async def trip() -> None:
        await asyncio.sleep(5)
        module.restart()

    settings = A0Settings.model_validate({"units": [{"address": 1, "antennas": [2]}]})

    async def scene() -> list[Observation]:
        def device(port: MemoryPort) -> Any:
            return serve(port, Tags(), module)

        return await talk_for(20, A0Driver(settings), device, meanwhile=trip)

    heard = run(scene())
    assert {read.antenna_port for read in reads_in(heard)} == {2}
    assert len(reads_in(heard)) > 160
    assert "antenna" in rejected_in(heard) or "round_unfinished" in rejected_in(heard)


def test_a_mute_inventory_is_a_link_error_when_the_reader_is_gone() -> None:
    module = Module()

    async def pull() -> None:
        await asyncio.sleep(5)
        module.is_on = False

    async def scene() -> list[Observation]:
        def device(port: MemoryPort) -> Any:
            return serve(port, Tags(), module)

        return await talk_for(60, A0Driver(A0Settings()), device, meanwhile=pull)

    with pytest.raises(LinkError, match="the reader at address 1 did not end its round"):
        run(scene())


def test_an_error_of_one_antenna_amid_fast_switch_is_counted() -> None:
    answers = [bytes([2, Result.PLL_LOCK_FAIL]), RoundEnd(0, duration_ms=100).data()]
    heard = answering(1, {Command.FAST_SWITCH: answers}, FOUR | {"inventory": "fast_switch"})
    assert rejected_in(heard).keys() == {"pll_lock_fail"}


def test_frames_of_strangers_and_of_other_commands_end_no_round() -> None:
    end = RoundEnd(0, 1, 0).data()

    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(3600)):
                if asked.command == Command.REAL_TIME:
                    await port.send(encode(Frame(2, Command.REAL_TIME, end)) + encode(Frame(1, Command.SESSION, end)))
                    await port.pause(1.0)
                    await port.send(encode(Frame(1, Command.REAL_TIME, end)))
                else:
                    await port.send(encode(Frame(1, asked.command, plain(asked.command))))

    asked = 0

    def count(data: bytes) -> list[bytes]:
        nonlocal asked
        asked += data.endswith(encode(Frame(1, Command.REAL_TIME, end)))
        return [data]

    talk(20, A0Driver(A0Settings()), device, count)
    assert asked in (19, 20, 38, 39, 40)


def test_a_total_that_cannot_be_is_not_believed() -> None:
    heard = answering(1, {Command.REAL_TIME: [RoundEnd(0xFFFFFFFF, 1, 0).data()]})
    assert not rejected_in(heard)


def test_tags_without_end_are_read_and_the_round_is_given_up_at_last() -> None:
    tag = TagReport(1, 1, pc_bits_for(EPCS[1]), EPCS[1], -60).data()

    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        flooding = False
        while True:
            for asked in decoder.feed(await port.receive(0.5)):
                flooding = flooding or asked.command == Command.REAL_TIME
                if asked.command != Command.REAL_TIME:
                    await port.send(encode(Frame(1, asked.command, plain(asked.command))))
            if flooding:
                await port.send(encode(Frame(1, Command.REAL_TIME, tag)))

    heard = talk(300, A0Driver(A0Settings()), device)
    assert len(reads_in(heard)) > 500
    assert rejected_in(heard)["round_unfinished"] == 2


def plain(command: int) -> bytes:
    known = {Command.GET_FIRMWARE: b"\x01\x09", Command.GET_BAND: b"\x02\x00\x06", Command.GET_POWER: b"\x14"}
    return known.get(Command(command), b"\x10")


def answering(
    seconds: float, answers: dict[Command, Sequence[bytes]], settings: dict[str, Any] | None = None
) -> list[Observation]:
    """What the driver makes of a reader that answers plainly, but for these commands."""

    async def device(port: MemoryPort) -> None:
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(3600)):
                for data in answers.get(Command(asked.command), [plain(asked.command)]):
                    await port.send(encode(Frame(1, asked.command, data)))

    return talk(seconds, A0Driver(A0Settings.model_validate(settings or {})), device)
