"""The driver against the twin behind a real session; in virtual time, vectors and hostile streams try it further."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from readers.errors import FrameError, LinkError
from readers.machine_states import MachineState
from readers.machines.opcua import OpcUaDriver, OpcUaSettings
from readers.observations import Condition, DeviceInfo, InForce, Observation, Rejected, Signals, Watching
from readers.opcua_messages import (
    Alive,
    Change,
    Data,
    Item,
    Message,
    Missed,
    Mode,
    Open,
    Policy,
    Sample,
    Server,
    Watch,
    Watched,
    encode,
    parse,
)
from readers.ports.memory import MemoryPort, pair, run
from readers.ports.open import open_port
from readers.registry import driver
from simulator.machines.opcua import NAMESPACE, Controller
from simulator.world.warping import Habits, WarpingMachine

SERVER = Server("Maker", "PLC", "1", "urn:plc", Policy.NONE, Mode.NONE, ("0", "1"), 0, 0)


def signal(name: str, what: str, machine: str = "w1", **more: Any) -> dict[str, Any]:
    return {"name": name, "node": f"nsu={NAMESPACE};s={machine}.{what}", "machine": machine, "sampling_ms": 50, **more}


def twin_settings(*machines: str) -> dict[str, Any]:
    names = (
        ("machine_state", "State"),
        ("speed", "Speed"),
        ("total_count", "TotalLength"),
        ("good_count", "GoodLength"),
    )
    more = (("stop_reason", "StopReason"), ("remote_enabled", "RemoteEnabled"))
    return {
        "publish_ms": 100,
        "signals": [signal(name, what, machine) for machine in machines for name, what in (*names, *more)],
    }


class Ear:
    """What a driver reports; waits for it."""

    def __init__(self) -> None:
        self.heard: list[Observation] = []

    def __call__(self, observation: Observation) -> None:
        self.heard.append(observation)

    def of(self, kind: type[Any]) -> list[Any]:
        return [each for each in self.heard if isinstance(each, kind)]

    def values(self, name: str, source: str | None = None) -> list[object]:
        return [
            each.value
            for signals in self.of(Signals)
            if signals.source == source
            for each in signals.signals
            if each.name == name
        ]

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not is_so():
                await asyncio.sleep(0.02)


def beside(
    act: Callable[[Controller, Ear, asyncio.Task[None]], Awaitable[None]],
    machines: dict[str, WarpingMachine],
    settings: dict[str, Any],
) -> None:
    async def play() -> None:
        async with Controller(machines) as twin:
            spec = driver("opcua")
            port = await open_port(twin.url, spec)
            ear = Ear()
            talk = asyncio.create_task(spec.make(spec.settings.model_validate(settings)).run(port, ear))
            try:
                await act(twin, ear, talk)
            finally:
                talk.cancel()
                await asyncio.gather(talk, return_exceptions=True)
                await port.close()

    asyncio.run(play())


def machine(seed: int = 1, first_s: float = 0.5) -> WarpingMachine:
    habits = Habits(break_after_s=1.0, mend_s=(0.4, 0.6), fault_after_s=0)
    return WarpingMachine(seed, time.time_ns() // 1000, habits, first_s)


def test_a_machine_is_heard_as_it_runs_breaks_and_runs_again() -> None:
    async def act(twin: Controller, ear: Ear, talk: asyncio.Task[None]) -> None:
        await ear.until(lambda: ear.values("machine_state", "w1")[-5:].count("execute") >= 2)
        twin.machines["w1"].stop(time.time_ns() // 1000)
        await ear.until(lambda: ear.values("machine_state", "w1")[-1:] == ["stopped"])
        truth = twin.machines["w1"].truth
        said = ear.values("machine_state", "w1")
        states = [spell.state.value for spell in truth]
        assert said == states[len(states) - len(said) :]
        await ear.until(lambda: ear.values("total_count", "w1")[-1] == twin.machines["w1"].total_m)
        assert "yarn_break" in ear.values("stop_reason", "w1")
        assert {Decimal(0), Decimal(600)} <= set(ear.values("speed", "w1"))
        assert [each.source for each in ear.of(Watching) if each.active] == ["w1"]
        (info,) = ear.of(DeviceInfo)
        assert (info.manufacturer, info.model) == ("Tagwharf twins", "Warping controller")
        assert InForce({"publish_ms": "100"}) in ear.heard
        assert not ear.of(Condition)
        assert not talk.done()

    beside(act, {"w1": machine()}, twin_settings("w1"))


def test_a_controller_that_has_lost_one_machine_is_believed() -> None:
    async def act(twin: Controller, ear: Ear, _talk: asyncio.Task[None]) -> None:
        await ear.until(lambda: ear.values("machine_state", "w1") and ear.values("machine_state", "w2"))
        twin.lost.add("w2")
        await ear.until(lambda: Watching(source="w2", active=False) in ear.heard)
        faults = [each for each in ear.of(Condition) if each.active]
        assert {(each.name, each.source) for each in faults} == {("no_value", "w2")}
        assert all("BadNoCommunication" in each.detail for each in faults)
        count = len(ear.values("machine_state", "w2"))
        twin.lost.clear()
        await ear.until(lambda: len(ear.values("machine_state", "w2")) > count)
        assert [each.active for each in ear.of(Watching) if each.source == "w2"] == [True, False, True]
        assert [each.active for each in ear.of(Watching) if each.source == "w1"] == [True]

    beside(act, {"w1": machine(), "w2": machine(2)}, twin_settings("w1", "w2"))


def test_a_server_that_starts_again_ends_the_run_and_the_next_one_hears_it() -> None:
    async def play() -> None:
        spec = driver("opcua")
        made = spec.make(spec.settings.model_validate(twin_settings("w1")))
        async with Controller({"w1": machine()}) as twin:
            for _ in range(2):
                port, ear = await open_port(twin.url, spec), Ear()
                talk = asyncio.create_task(made.run(port, ear))
                await ear.until(partial(ear.values, "machine_state", "w1"))
                await twin.stop()
                with pytest.raises(LinkError):
                    async with asyncio.timeout(20):
                        await talk
                await port.close()
                await twin.start()

    asyncio.run(play())


def test_without_signals_it_shows_what_there_is() -> None:
    async def act(_twin: Controller, ear: Ear, _talk: asyncio.Task[None]) -> None:
        await ear.until(lambda: ear.of(Condition))
        nodes = {name for each in ear.of(InForce) for name in each.values}
        assert {"node ns=2;s=w1.State", "namespace_2", "security"} <= nodes
        assert ear.of(Condition)[0].name == "nothing_watched"

    beside(act, {"w1": machine()}, {})


def talk_in_memory(
    settings: dict[str, Any], act: Callable[[MemoryPort, Ear, asyncio.Task[None]], Awaitable[None]]
) -> None:
    """The driver behind a port in memory that speaks the messages, in virtual time."""

    async def play() -> None:
        ours, theirs = pair()
        ear = Ear()
        talk = asyncio.create_task(OpcUaDriver(OpcUaSettings.model_validate(settings)).run(ours, ear))
        await act(theirs, ear, talk)
        talk.cancel()
        await asyncio.gather(talk, return_exceptions=True)

    run(play())


async def says(port: MemoryPort, *messages: Message) -> None:
    for message in messages:
        await port.send(encode(message))
    await port.pause(0.01)


async def hears(port: MemoryPort) -> Message:
    found = parse(bytearray(await port.receive(5.0)), 0)
    assert found is not None
    return found[0]


STATE = {"name": "machine_state", "node": "ns=2;s=State"}
SPEED = {"name": "speed", "node": "ns=2;s=Speed", "deadband": 5, "unit": "m/min", "scale": 0.5}


def number(handle: int, text: str) -> Change:
    return Change(handle, Sample(text, is_number=True))


def test_it_asks_for_its_nodes_and_tells_changes_beyond_the_deadband() -> None:
    async def act(port: MemoryPort, ear: Ear, _talk: asyncio.Task[None]) -> None:
        assert await hears(port) == Open(None, Mode.SIGN_AND_ENCRYPT)
        await says(port, SERVER)
        assert await hears(port) == Watch(
            500, (Item(0, "ns=2;s=State", 250, 10), Item(1, "ns=2;s=Speed", 250, 10, "10"))
        )
        await says(port, Watched(500, {}, (1,)))
        assert ear.of(Watching) == [Watching(active=False)]
        await says(port, Data((number(0, "6"), number(1, "100"), number(9, "1"))))
        assert ear.of(Watching)[-1] == Watching()
        for text in ("108", "110", "112", "111"):
            await says(port, Data((number(1, text),)))
        assert ear.values("speed") == [50, 56]
        assert ear.values("machine_state") == ["execute"]
        (setting,) = ear.of(Condition)
        assert (setting.name, setting.key) == ("setting_differs", "speed.deadband")
        assert ear.of(Rejected) == [Rejected("unknown_handle")]
        await says(port, Data((Change(0, Sample("2", is_number=True, overflowed=True)),)), Missed("overflow", 3))
        assert ear.of(Rejected)[1:] == [Rejected("queue_overflow", reads_lost=1), Rejected("overflow", 3, 3)]

    talk_in_memory({"signals": [STATE, SPEED]}, act)


def test_everything_is_told_again_now_and_then_while_the_server_lives() -> None:
    async def act(port: MemoryPort, ear: Ear, talk: asyncio.Task[None]) -> None:
        await says(port, SERVER, Watched(500), Data((number(0, "6"),)))
        for _ in range(26):
            await port.pause(5.0)
            await says(port, Alive(0, 0))
        assert ear.values("machine_state") == ["execute"] * 3
        await port.pause(25.0)
        assert isinstance(talk.exception(), LinkError)

    talk_in_memory({"signals": [STATE, SPEED]}, act)


def test_a_server_that_suspends_its_work_is_watched_no_more() -> None:
    async def act(port: MemoryPort, ear: Ear, _talk: asyncio.Task[None]) -> None:
        await says(port, SERVER, Watched(500), Data((number(0, "6"),)))
        await says(port, Alive(3, 0), Data((number(0, "6"),)))
        assert ear.of(Watching)[-1] == Watching(active=False)
        assert (ear.of(Condition)[-1].name, ear.of(Condition)[-1].detail) == ("server_state", "suspended")
        await says(port, Alive(0, 0), Data((number(0, "6"),)))
        assert ear.of(Watching)[-1] == Watching()
        assert not ear.of(Condition)[-1].active

    talk_in_memory({"signals": [STATE]}, act)


def test_a_clock_that_is_off_is_told_once() -> None:
    async def act(port: MemoryPort, ear: Ear, _talk: asyncio.Task[None]) -> None:
        await says(port, SERVER, Alive(0, 60_000_000), Alive(0, 61_000_000), Alive(0, 1000))
        assert [(each.name, each.active) for each in ear.of(Condition)] == [
            ("clock_differs", True), ("clock_differs", False),
        ]  # fmt: skip
        assert "-60.0 s" in ear.of(Condition)[0].detail

    talk_in_memory({"signals": [STATE]}, act)


def test_a_state_that_means_nothing_is_no_state() -> None:
    async def act(port: MemoryPort, ear: Ear, _talk: asyncio.Task[None]) -> None:
        await says(port, SERVER, Watched(500), Data((number(0, "6"),)), Data((number(0, "0"),)))
        assert ear.of(Watching)[-1] == Watching(active=False)
        assert "0 is no number of a PackML state" in ear.of(Condition)[-1].detail
        await says(port, Data((number(0, "6"),)))
        assert ear.values("machine_state") == [MachineState.EXECUTE, MachineState.EXECUTE]

    talk_in_memory({"signals": [STATE]}, act)


def test_a_port_that_opens_no_session_is_given_up() -> None:
    async def act(port: MemoryPort, _ear: Ear, talk: asyncio.Task[None]) -> None:
        await port.pause(32.0)
        assert isinstance(talk.exception(), LinkError)

    talk_in_memory({"signals": [STATE]}, act)


def test_what_is_none_of_the_ports_messages_is_counted_and_given_up() -> None:
    async def act(port: MemoryPort, ear: Ear, talk: asyncio.Task[None]) -> None:
        await says(port, SERVER)
        for _ in range(5):
            await port.send(b"\x1e{}\n")
            await port.pause(0.01)
        assert "fields" in {each.reason for each in ear.of(Rejected)}
        assert isinstance(talk.exception(), FrameError)

    talk_in_memory({"signals": [STATE]}, act)


def test_a_secured_session_shows_its_certificate() -> None:
    async def act(port: MemoryPort, ear: Ear, _talk: asyncio.Task[None]) -> None:
        secured = Server("M", "P", "1", "urn:p", Policy.BASIC256_SHA256, Mode.SIGN, (), 0, None, "ab" * 32)
        await says(port, secured)
        assert ear.of(InForce)[0].values == {
            "security": "Basic256Sha256 Sign", "server_certificate_sha256": "ab" * 32,
        }  # fmt: skip

    talk_in_memory({"signals": [STATE]}, act)
