from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError

from readers.codecs.modbus import Frame, Function, encode_rtu, read_request
from readers.driver import Port
from readers.errors import DeviceRefusedError, LinkError
from readers.machines.modbus_io import DRIVER
from readers.machines.modbus_io.settings import ANSWER_WITHIN_S, TRIES, Module, Request, Table, requests
from readers.observations import Condition, Observation, Rejected, Signals, Watching
from readers.ports.memory import MemoryPort, pair, run
from simulator.faults import Fault, Kind, Towards
from simulator.faulty_port import FaultyPort
from simulator.machines.modbus_io import Bank, serve

LOOPS = {"inputs": [{"name": "loop", "address": 0}, {"name": "beam", "address": 1}]}


class Wires:
    """Four inputs that a test moves, four outputs, and analogue inputs."""

    def __init__(self) -> None:
        self.now = [False] * 4
        self.levels = [0, 0x8000, 1234]
        self.coils = [True, False, False, False]

    def inputs(self, now_us: int) -> list[bool]:
        assert now_us >= 0
        return self.now

    def analogue_inputs(self, now_us: int) -> list[int]:
        assert now_us >= 0
        return self.levels

    def outputs(self) -> list[bool]:
        return self.coils

    def set_output(self, number: int, *, is_on: bool, now_us: int) -> None:
        assert now_us >= 0
        self.coils[number - 1] = is_on


class Scene:
    """The driver in front of simulated modules, in virtual time."""

    def __init__(self, modules: list[dict[str, Any]], bank: Bank | None = None, **settings: Any) -> None:
        self.heard: list[Observation] = []
        self.wires: dict[int, Wires] = {}
        self._settings = {"modules": modules, **settings}
        self._bank = bank or Bank()
        for module in modules:
            self.wires[module.get("address", 1)] = Wires()
        self.running: asyncio.Task[None]

    def play(
        self, story: Callable[[MemoryPort], Awaitable[None]], wrap: Callable[[Port], Port] = lambda port: port
    ) -> BaseException | None:
        async def scene() -> BaseException | None:
            ours, theirs = pair("modules")
            playing = asyncio.create_task(serve(theirs, self.wires, self._bank))
            driver = DRIVER.make(DRIVER.settings.model_validate(self._settings))
            self.running = asyncio.create_task(driver.run(wrap(ours), self.heard.append))
            await story(ours)
            error = self.running.exception() if self.running.done() else None
            for task in (self.running, playing):
                task.cancel()
            await asyncio.gather(self.running, playing, return_exceptions=True)
            return error

        return run(scene())

    def told(self, name: str, source: str | None = None) -> list[object]:
        batches = [each for each in self.heard if isinstance(each, Signals) and each.source == source]
        return [signal.value for each in batches for signal in each.signals if signal.name == name]


@pytest.mark.parametrize("is_tcp", [False, True])
def test_a_change_is_told_within_two_rounds(*, is_tcp: bool) -> None:
    scene = Scene([LOOPS], Bank(is_tcp=is_tcp), framing="tcp" if is_tcp else "rtu")

    async def story(port: MemoryPort) -> None:
        await port.pause(1)
        scene.wires[1].now = [True, False, False, False]
        await port.pause(0.25)
        assert scene.told("loop") == [False, True]
        await port.pause(5)

    assert scene.play(story) is None
    assert scene.told("loop") == [False, True]
    assert scene.told("beam") == [False]
    assert [each for each in scene.heard if isinstance(each, Watching)] == [Watching()]


def test_all_states_are_told_again_from_time_to_time() -> None:
    scene = Scene([LOOPS], repeat_s=10)
    scene.play(lambda port: port.pause(25))
    assert scene.told("loop") == [False] * 3


def test_a_bouncing_contact_is_told_when_it_has_settled() -> None:
    scene = Scene([{"inputs": [{"name": "loop", "address": 0, "debounce_s": 0.5}]}])

    async def story(port: MemoryPort) -> None:
        await port.pause(1)
        for _ in range(10):
            scene.wires[1].now[0] = not scene.wires[1].now[0]
            await port.pause(0.2)
        assert scene.told("loop") == [False]
        scene.wires[1].now[0] = True
        await port.pause(1)

    scene.play(story)
    assert scene.told("loop") == [False, True]


def test_registers_become_scaled_numbers_and_small_changes_are_not_told() -> None:
    inputs = [
        {"name": "level", "table": "input", "address": 2, "scale": "0.1", "offset": 5, "unit": "m", "step": "0.3"},
        {"name": "signed", "table": "holding", "address": 1, "signed": True},
        {"name": "bit", "table": "input", "address": 1, "bit": 15},
    ]
    scene = Scene([{"inputs": inputs}])

    async def story(port: MemoryPort) -> None:
        for raw in (1234, 1236, 1238):
            scene.wires[1].levels[2] = raw
            await port.pause(0.5)

    scene.play(story)
    assert scene.told("level") == [Decimal("128.4"), Decimal("128.8")]
    assert scene.told("signed") == [Decimal(-32768)]
    assert scene.told("bit") == [True]


def test_outputs_get_their_initial_state_and_are_read_back() -> None:
    outputs = [{"name": "barrier", "address": 0, "initial": False}, {"name": "red", "address": 1}]
    scene = Scene([{"outputs": outputs}])

    async def story(port: MemoryPort) -> None:
        await port.pause(1)
        assert scene.wires[1].coils[:2] == [False, False]
        scene.wires[1].coils[1] = True
        await port.pause(0.5)

    scene.play(story)
    assert scene.told("barrier") == [False]
    assert scene.told("red") == [False, True]


def test_an_output_that_does_not_take_its_initial_state_is_told() -> None:
    outputs = [{"name": "barrier", "address": 0, "initial": False}]
    settings = DRIVER.settings.model_validate({"modules": [{"name": "m1", "outputs": outputs}]})
    heard: list[Observation] = []

    async def scene() -> None:
        ours, device = pair()
        running = asyncio.create_task(DRIVER.make(settings).run(ours, heard.append))
        await device.receive(1)
        await device.send(encode_rtu(Frame(1, Function.WRITE_COIL, bytes.fromhex("0000FF00"))))
        await device.receive(1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(scene())
    detail = "coil 0: 00000000 asked, 0000ff00 confirmed"
    assert heard == [Condition("setting_differs", active=True, key="barrier", detail=detail, source="m1")]


def test_an_initial_state_that_is_refused_parks_the_driver() -> None:
    outputs = [{"name": "far", "address": 100, "initial": False}]
    error = Scene([{"outputs": outputs}]).play(lambda port: port.pause(1))
    assert isinstance(error, DeviceRefusedError)
    assert "illegal_address to output far, coil 100" in str(error)


def test_several_modules_share_a_line_and_a_dead_one_does_not_slow_the_others() -> None:
    modules = [{"name": f"m{unit}", "address": unit, **LOOPS} for unit in (1, 2, 3)]
    scene = Scene(modules, Bank(mute=frozenset({2})))

    async def story(port: MemoryPort) -> None:
        await port.pause(2)
        scene.wires[3].now = [True] * 4
        await port.pause(0.4)
        assert scene.told("loop", "m3") == [False, True]
        await port.pause(20)

    assert scene.play(story) is None
    assert scene.told("loop", "m2") == []
    assert [each.source for each in scene.heard if isinstance(each, Watching) and each.active] == ["m1", "m3"]


def test_a_module_that_falls_silent_and_returns_is_told_anew() -> None:
    modules = [{"name": f"m{unit}", "address": unit, **LOOPS} for unit in (1, 2)]
    scene = Scene(modules)

    async def story(port: MemoryPort) -> None:
        await port.pause(1)
        gone = scene.wires.pop(2)
        await port.pause(10)
        scene.wires[2] = gone
        await port.pause(10)

    assert scene.play(story) is None
    watching = [(each.source, each.active) for each in scene.heard if isinstance(each, Watching)]
    assert watching == [("m1", True), ("m2", True), ("m2", False), ("m2", True)]
    assert scene.told("loop", "m2") == [False, False]


def test_nobody_there_is_a_broken_link() -> None:
    scene = Scene([LOOPS], Bank(mute=frozenset({1})))
    error = scene.play(lambda port: port.pause(3))
    assert isinstance(error, LinkError)
    assert "check power, wiring" in str(error)


def test_a_silent_module_is_asked_three_times_and_then_told() -> None:
    async def scene() -> None:
        ours, device = pair()
        began_s = ours.monotonic_s()
        driver = DRIVER.make(DRIVER.settings.model_validate({"modules": [LOOPS]}))
        heard: list[Observation] = []
        with pytest.raises(LinkError, match="unit 1: no byte came"):
            await driver.run(ours, heard.append)
        assert heard == []
        assert ours.monotonic_s() - began_s == pytest.approx(TRIES * ANSWER_WITHIN_S, abs=0.1)
        assert await device.receive(0) == encode_rtu(read_request(1, Function.READ_DISCRETE_INPUTS, 0, 2)) * TRIES

    run(scene())


def test_a_late_answer_is_no_answer_to_the_next_question() -> None:
    """Two inputs in two requests of one length: the second answer to the first must not pass for that to the second."""
    inputs = [{"name": "near", "address": 0}, {"name": "far", "address": 39}]
    scene = Scene([{"name": "m1", "inputs": inputs}], Bank(answer_after_s=0.8))
    scene.wires[1].now = [True] + [False] * 39
    assert scene.play(lambda port: port.pause(20)) is None
    assert scene.told("near", "m1") == [True]
    assert scene.told("far", "m1") == [False]
    assert {(each.reason, each.source) for each in scene.heard if isinstance(each, Rejected)} == {("late", "m1")}


def test_a_busy_module_is_a_condition_until_it_is_not() -> None:
    scene = Scene([LOOPS], Bank(busy=frozenset({1})))
    assert scene.play(lambda port: port.pause(1)) is None
    (condition,) = [each for each in scene.heard if isinstance(each, Condition)]
    assert condition.name == "module_fault"
    assert "busy to discrete 0 to 1" in condition.detail


def test_an_address_that_is_not_there_is_refused_with_advice() -> None:
    scene = Scene([{"inputs": [{"name": "far", "address": 100}]}])
    error = scene.play(lambda port: port.pause(1))
    assert isinstance(error, DeviceRefusedError)
    assert "addresses count from 0 here" in str(error)


@pytest.mark.parametrize("seed", range(5))
def test_noise_on_the_line_makes_no_state(seed: int) -> None:
    scene = Scene([LOOPS])
    rng = Random(seed)
    kinds = (Kind.CORRUPT, Kind.DROP, Kind.DUPLICATE)
    faults = [
        Fault(rng.choice(kinds), rng.choice(list(Towards)), at_byte=at, length=rng.randint(1, 4))
        for at in sorted(rng.sample(range(2_000), 15))
    ]

    async def story(port: MemoryPort) -> None:
        for _ in range(20):
            await port.pause(2)
            scene.wires[1].now[0] = not scene.wires[1].now[0]

    assert scene.play(story, lambda port: FaultyPort(port, faults, seed)) is None
    told = scene.told("loop")
    assert len(told) >= 18
    assert set(scene.told("beam")) == {False}
    assert any(isinstance(each, Rejected) for each in scene.heard)


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([], "at least 1 item"),
        ([{"address": 1}], "needs an input or an output"),
        ([LOOPS, LOOPS], "need a name each"),
        ([{"name": "a", **LOOPS}, {"name": "b", **LOOPS}], "the same address"),
        (
            [{"inputs": [{"name": "a", "address": 1}, {"name": "a", "address": 2}]}],
            "two signals of a module are named a",
        ),
        ([{"inputs": [{"name": "a", "address": 1, "scale": 2}]}], "scale: is for registers"),
        ([{"inputs": [{"name": "a", "address": 1, "bit": 2}]}], "holds bits already"),
        ([{"inputs": [{"name": "a", "table": "input", "address": 1, "inverted": True}]}], "are for bits"),
    ],
)
def test_faults_of_the_settings(modules: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DRIVER.settings.model_validate({"modules": modules})


def test_neighbours_are_read_at_once_and_far_ones_apart() -> None:
    module = Module.model_validate(
        {
            "inputs": [{"name": f"i{a}", "address": a} for a in (0, 3, 19, 60)]
            + [{"name": "r", "table": "input", "address": 3}],
            "outputs": [{"name": "o", "address": 3}],
        }
    )
    assert requests(module) == [
        Request(Table.COIL, 3, 1),
        Request(Table.DISCRETE, 0, 20),
        Request(Table.DISCRETE, 60, 1),
        Request(Table.INPUT, 3, 1),
    ]
