"""Orders to simulated modules, in virtual time: one write each, whatever the line does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from readers.codecs.modbus import Frame, Function, Refusal, RtuDecoder, Side, encode_rtu
from readers.control import Action, Attempt, Controllable, Fate, Order, Shown
from readers.driver import Port
from readers.errors import DeviceRefusedError, LinkError
from readers.machines.modbus_io import DRIVER
from readers.machines.modbus_io.driver import ModbusIoDriver
from readers.machines.modbus_io.panel import is_done
from readers.observations import Observation, Signals
from readers.ports.memory import MemoryPort, pair, run
from simulator.faults import Fault, Kind, Towards
from simulator.faulty_port import FaultyPort
from simulator.machines.modbus_io import Bank, answered, serve

MODULE: dict[str, Any] = {
    "name": "io-1",
    "inputs": [{"name": "loop", "address": 0}],
    "outputs": [
        {"name": "red", "address": 0},
        {"name": "barrier", "address": 1, "initial": False, "pulse_s": 2.0},
        {"name": "horn", "address": 2, "pulse_s": 1.0, "pulse_by": "module"},
    ],
    "setpoints": [
        {
            "name": "speed",
            "address": 1,
            "minimum": "-10",
            "maximum": 60,
            "scale": "0.1",
            "signed": True,
            "unit": "Hz",
            "most_change": 20,
        }
    ],
}
FOR_EVER_US = 1 << 60


class Wires:
    """Outputs that remember when they moved; the horn falls back by itself."""

    def __init__(self, port: Callable[[], MemoryPort]) -> None:
        self._port = port
        self.coils = [False] * 3
        self.words = [0, 255]
        self.moves: list[tuple[int, bool, float]] = []

    def inputs(self, now_us: int) -> list[bool]:
        assert now_us
        return [False]

    def analogue_inputs(self, now_us: int) -> list[int]:
        assert now_us
        return []

    def outputs(self) -> list[bool]:
        return self.coils

    def set_output(self, number: int, *, is_on: bool, now_us: int) -> None:
        assert now_us
        self.coils[number - 1] = is_on
        self.moves.append((number, is_on, round(self._port().monotonic_s(), 1)))
        if number == 3 and is_on:
            asyncio.get_running_loop().call_later(0.9, self.coils.__setitem__, 2, False)  # noqa: FBT003  # the state

    def registers(self) -> list[int]:
        return self.words

    def set_register(self, number: int, value: int, now_us: int) -> None:
        assert now_us
        self.words[number - 1] = value


class Scene:
    """The driver at work on one module."""

    def __init__(self, bank: Bank | None = None, **settings: Any) -> None:
        self.bank = bank or Bank()
        self.heard: list[Observation] = []
        self.settings = DRIVER.settings.model_validate({"modules": [MODULE], **settings})
        self.driver = DRIVER.make(self.settings)
        self.port: MemoryPort
        self.wires = Wires(lambda: self.port)
        self.running: asyncio.Task[None]

    def play(
        self, story: Callable[[], Awaitable[None]], wrap: Callable[[Port], Port] = lambda port: port
    ) -> BaseException | None:
        async def main() -> BaseException | None:
            self.port, theirs = pair("modules")
            playing = asyncio.create_task(serve(theirs, {1: self.wires}, self.bank))
            self.running = asyncio.create_task(self.driver.run(wrap(self.port), self.heard.append))
            await self.port.pause(1)
            await story()
            error = self.running.exception() if self.running.done() else None
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            return error

        return run(main())

    @property
    def controllable(self) -> Controllable:
        assert isinstance(self.driver, Controllable)
        return self.driver

    async def attempt(
        self, point: str, action: Action, value: Decimal | None = None, until_us: int = FOR_EVER_US
    ) -> Attempt:
        return await self.controllable.attempt(Order(point, "io-1", action, until_us, value))

    async def shows(self, point: str) -> dict[str, Any]:
        return dict((await self.controllable.observe("io-1", point)).values)

    def moves(self, number: int) -> list[tuple[bool, float]]:
        return [(is_on, at_s) for each, is_on, at_s in self.wires.moves if each == number]


@pytest.mark.parametrize("framing", ["rtu", "tcp"])
def test_an_output_is_switched_once_and_read_back(framing: str) -> None:
    scene = Scene(Bank(is_tcp=framing == "tcp"), framing=framing)

    async def story() -> None:
        base = scene.bank.writes
        assert await scene.shows("red") == {"is_on": False}
        assert await scene.attempt("red", Action.ON) == Attempt(Fate.ACCEPTED)
        assert await scene.shows("red") == {"is_on": True}
        assert await scene.attempt("red", Action.OFF) == Attempt(Fate.ACCEPTED)
        assert scene.bank.writes == base + 2

    assert scene.play(story) is None
    assert [is_on for is_on, _ in scene.moves(1)] == [True, False]


def test_the_settings_say_what_can_be_controlled() -> None:
    scene = Scene()
    points = {point.name: point for point in scene.settings.control_points()}
    assert points["red"].actions == (Action.ON, Action.OFF)
    assert points["barrier"].actions == (Action.ON, Action.OFF, Action.PULSE)
    assert points["horn"].actions == (Action.PULSE,)
    speed = points["speed"]
    assert (speed.source, speed.unit) == ("io-1", "Hz")
    assert [speed.minimum, speed.maximum, speed.most_change] == [Decimal(-10), Decimal(60), Decimal(20)]
    assert tuple(points.values()) == scene.controllable.control_points()


def test_a_set_point_is_written_exactly_or_not_at_all() -> None:
    scene = Scene()

    async def story() -> None:
        assert await scene.shows("speed") == {"value": Decimal("25.5")}
        assert (await scene.attempt("speed", Action.SET, Decimal("-7.3"))).fate is Fate.ACCEPTED
        assert scene.wires.words == [0, 0x10000 - 73]
        assert await scene.shows("speed") == {"value": Decimal("-7.3")}
        await scene.port.pause(0.5)
        done = await scene.attempt("speed", Action.SET, Decimal("7.35"))
        assert done.fate is Fate.NOT_SENT
        assert "in steps of 0.1 Hz" in done.detail
        assert (await scene.attempt("speed", Action.SET)).fate is Fate.NOT_SENT
        assert (await scene.attempt("speed", Action.ON)).fate is Fate.NOT_SENT
        assert (await scene.attempt("red", Action.SET, Decimal(1))).fate is Fate.NOT_SENT

    assert scene.play(story) is None
    told = [s for each in scene.heard if isinstance(each, Signals) for s in each.signals if s.name == "speed"]
    assert [(each.value, each.unit) for each in told] == [(Decimal("25.5"), "Hz"), (Decimal("-7.3"), "Hz")]


def test_a_pulse_begins_ends_and_is_seen() -> None:
    scene = Scene()

    async def story() -> None:
        before = Shown(0, await scene.shows("barrier"))
        order = Order("barrier", "io-1", Action.PULSE, FOR_EVER_US)
        began_s = scene.port.monotonic_s()
        assert await scene.attempt("barrier", Action.PULSE) == Attempt(Fate.ACCEPTED)
        assert scene.port.monotonic_s() - began_s < 0.5  # it does not wait for the end
        during = Shown(0, await scene.shows("barrier"))
        assert scene.controllable.is_done(order, before, during) is False
        again = await scene.attempt("barrier", Action.PULSE)
        assert (again.fate, again.detail) == (Fate.NOT_SENT, "a pulse of output barrier is not over yet")
        assert (await scene.attempt("red", Action.ON)).fate is Fate.ACCEPTED
        await scene.port.pause(3)
        after = Shown(0, await scene.shows("barrier"))
        assert after.values == {"is_on": False, "pulses": 1}
        assert scene.controllable.is_done(order, before, after) is True
        assert scene.controllable.is_done(order, after, after) is None

    assert scene.play(story) is None
    (closed, on, off) = scene.moves(2)
    assert (closed[0], on[0], off[0]) == (False, True, False)
    assert off[1] - on[1] == pytest.approx(2.0, abs=0.3)


def test_a_pulse_that_the_module_ends() -> None:
    scene = Scene()

    async def story() -> None:
        assert (await scene.attempt("horn", Action.ON)).fate is Fate.NOT_SENT
        assert (await scene.attempt("horn", Action.PULSE)).fate is Fate.ACCEPTED
        await scene.port.pause(2)
        assert await scene.shows("horn") == {"is_on": False, "pulses": 1}

    assert scene.play(story) is None
    assert [is_on for is_on, _ in scene.moves(3)] == [True]


def test_a_write_that_gets_no_answer_is_not_repeated_and_its_pulse_is_ended() -> None:
    scene = Scene()

    async def story() -> None:
        base = scene.bank.writes
        scene.bank.silent_writes = 1
        done = await scene.attempt("barrier", Action.PULSE)
        assert done.fate is Fate.UNKNOWN
        assert "did not answer the request" in done.detail
        assert scene.bank.writes == base + 1
        await scene.port.pause(4)
        assert await scene.shows("barrier") == {"is_on": False, "pulses": 1}

    assert scene.play(story) is None


def test_a_pulse_is_ended_through_silence() -> None:
    scene = Scene(repeat_s=10)

    async def story() -> None:
        assert (await scene.attempt("barrier", Action.PULSE)).fate is Fate.ACCEPTED
        scene.bank.deaf_writes = 4
        await scene.port.pause(8)
        assert await scene.shows("barrier") == {"is_on": False, "pulses": 1}

    assert scene.play(story) is None


def test_a_driver_that_is_stopped_ends_its_pulse_first() -> None:
    scene = Scene()

    async def story() -> None:
        assert (await scene.attempt("barrier", Action.PULSE)).fate is Fate.ACCEPTED
        await scene.port.pause(0.2)
        assert scene.wires.coils[1]

    assert scene.play(story) is None
    assert not scene.wires.coils[1]


def test_a_driver_that_is_stopped_leaves_to_the_module_what_the_module_ends() -> None:
    scene = Scene()

    async def story() -> None:
        assert (await scene.attempt("horn", Action.PULSE)).fate is Fate.ACCEPTED
        await scene.port.pause(0.2)

    assert scene.play(story) is None
    assert [is_on for is_on, _ in scene.moves(3)] == [True]


def test_whoever_has_had_enough_does_not_leave_a_barrier_open() -> None:
    scene = Scene(Bank(slow_write_s=0.3))

    async def story() -> None:
        trying = asyncio.create_task(scene.attempt("barrier", Action.PULSE))
        await scene.port.pause(0.15)
        assert scene.wires.coils[1]
        trying.cancel()
        await scene.port.pause(4)
        assert not scene.wires.coils[1]

    assert scene.play(story) is None


@pytest.mark.parametrize(
    ("bank", "fate"),
    [
        (Bank(deaf_writes=1), Fate.UNKNOWN),
        (Bank(silent_writes=1), Fate.UNKNOWN),
        (Bank(slow_write_s=0.6), Fate.UNKNOWN),
    ],
)
def test_what_is_not_known_is_called_so(bank: Bank, fate: Fate) -> None:
    modules = [{**MODULE, "outputs": MODULE["outputs"][:1]}]
    scene = Scene(bank, modules=modules)

    async def story() -> None:
        assert (await scene.attempt("red", Action.ON)).fate is fate
        await scene.port.pause(3)
        assert bank.writes <= 1

    assert scene.play(story) is None


def test_a_refusal_is_one() -> None:
    scene = Scene()

    async def story() -> None:
        scene.bank.busy = frozenset({1})
        done = await scene.attempt("red", Action.ON)
        assert (done.fate, done.detail) == (Fate.REFUSED, "unit 1 answers busy")
        with pytest.raises(DeviceRefusedError, match="answers busy to output red, coil 0"):
            await scene.shows("red")

    assert scene.play(story) is None
    assert scene.moves(1) == []


@pytest.mark.parametrize(
    ("answer", "fate", "detail"),
    [
        ({"refusal": Refusal.ACKNOWLEDGE}, Fate.ACCEPTED, "at work on it"),
        ({"refusal": Refusal.DEVICE_FAILURE}, Fate.UNKNOWN, "unit 1 answers device_failure"),
        ({"refusal": Refusal.GATEWAY_PATH}, Fate.REFUSED, "unit 1 answers gateway_path"),
        ({"refusal": 99}, Fate.UNKNOWN, "unit 1 answers exception 99"),
        ({"data": b"\0\1\xff\0"}, Fate.UNKNOWN, "unit 1 confirms 0001ff00, not 0000ff00"),
    ],
)
def test_what_a_module_says_of_an_order(answer: dict[str, Any], fate: Fate, detail: str) -> None:
    scene = Scene(modules=[{"name": "io-1", "outputs": MODULE["outputs"][:1]}], poll_s=30)

    async def device(port: Port, wires: Wires) -> None:
        decoder = RtuDecoder([1], of=Side.CLIENT)
        while True:
            for request in decoder.feed(await port.receive(60)):
                is_write = request.function == Function.WRITE_COIL
                said = Frame(1, request.function, **answer) if is_write else answered(request, wires, 1)
                await port.send(encode_rtu(said))

    async def main() -> None:
        scene.port, theirs = pair("modules")
        playing = asyncio.create_task(device(theirs, scene.wires))
        running = asyncio.create_task(scene.driver.run(scene.port, scene.heard.append))
        await scene.port.pause(1)
        done = await scene.attempt("red", Action.ON)
        assert done.fate is fate
        assert detail in done.detail
        for task in (running, playing):
            task.cancel()
        await asyncio.gather(running, playing, return_exceptions=True)

    run(main())


def test_an_order_that_expires_while_the_line_is_busy_is_not_sent() -> None:
    scene = Scene()

    async def story() -> None:
        base = scene.bank.writes
        done = await scene.attempt("red", Action.ON, until_us=scene.port.now_us())
        assert done.fate is Fate.NOT_SENT
        assert "after the order had expired" in done.detail
        scene.bank.slow_write_s = 0.4
        first = asyncio.create_task(scene.attempt("red", Action.ON))
        await scene.port.pause(0.05)
        late = await scene.attempt("red", Action.OFF, until_us=scene.port.now_us() + 100_000)
        assert late.fate is Fate.NOT_SENT
        assert (await first).fate is Fate.ACCEPTED
        assert scene.bank.writes == base + 1

    assert scene.play(story) is None


def test_a_late_confirmation_is_none_of_the_next_order() -> None:
    scene = Scene(Bank(slow_write_s=0.7), modules=[{**MODULE, "outputs": MODULE["outputs"][:1]}], poll_s=30)

    async def story() -> None:
        assert (await scene.attempt("red", Action.ON)).fate is Fate.UNKNOWN
        hasty = await scene.attempt("red", Action.ON, until_us=scene.port.now_us() + 100_000)
        assert (hasty.fate, scene.bank.writes) == (Fate.NOT_SENT, 1)
        assert (await scene.attempt("red", Action.ON)).fate is Fate.UNKNOWN
        scene.bank.deaf_writes = 1
        assert (await scene.attempt("red", Action.ON)).fate is Fate.UNKNOWN
        assert scene.bank.writes == 2
        scene.bank.slow_write_s = 0.0
        assert (await scene.attempt("red", Action.OFF)).fate is Fate.ACCEPTED

    assert scene.play(story) is None
    assert [is_on for is_on, _ in scene.moves(1)] == [True, True, False]


def test_whoever_stops_waiting_for_a_state_leaves_no_answer_to_the_next() -> None:
    outputs = [{"name": "red", "address": 0}, {"name": "green", "address": 1}]
    scene = Scene(Bank(answer_after_s=0.3), modules=[{"name": "io-1", "outputs": outputs}], poll_s=30)

    async def story() -> None:
        scene.wires.coils[0] = True
        looking = asyncio.create_task(scene.shows("red"))
        await scene.port.pause(0.1)
        looking.cancel()
        assert await scene.shows("green") == {"is_on": False}

    assert scene.play(story) is None


def test_a_state_that_is_not_told_is_a_broken_link() -> None:
    scene = Scene(poll_s=30)

    async def story() -> None:
        scene.bank.mute = frozenset({1})
        with pytest.raises(LinkError, match=r"unit 1 did not answer 3 requests within 0\.5 s"):
            await scene.shows("red")

    assert scene.play(story) is None


def test_without_a_link_nothing_is_sent() -> None:
    scene = Scene()

    async def story() -> None:
        scene.running.cancel()
        await asyncio.gather(scene.running, return_exceptions=True)
        assert (await scene.attempt("red", Action.ON)).fate is Fate.NOT_SENT
        with pytest.raises(LinkError, match="the link to the modules is down"):
            await scene.shows("red")

    async def ended() -> None:
        await story()
        scene.running = asyncio.create_task(asyncio.sleep(0))

    assert scene.play(ended) is None
    assert scene.moves(1) == []


def test_a_link_that_ends_in_the_middle_leaves_it_unknown() -> None:
    scene = Scene(Bank(slow_write_s=0.4))

    async def story() -> None:
        trying = asyncio.create_task(scene.attempt("red", Action.ON))
        await scene.port.pause(0.2)
        await scene.port.close()
        assert (await trying).fate is Fate.UNKNOWN
        await scene.port.pause(1)

    assert isinstance(scene.play(story), LinkError)


@pytest.mark.parametrize("seed", range(4))
def test_noise_never_makes_a_second_write_or_a_false_yes(seed: int) -> None:
    modules = [{**MODULE, "outputs": MODULE["outputs"][:1]}]
    scene = Scene(modules=modules)
    rng = Random(seed)
    kinds = (Kind.CORRUPT, Kind.DROP, Kind.DUPLICATE)
    faults = [
        Fault(rng.choice(kinds), rng.choice(list(Towards)), at_byte=at, length=rng.randint(1, 4))
        for at in sorted(rng.sample(range(300, 6_000), 60))
    ]
    fates: list[Fate] = []

    async def story() -> None:
        for number in range(40):
            action = Action.OFF if number % 2 else Action.ON
            before, switched = scene.bank.writes, len(scene.wires.moves)
            done = await scene.attempt("red", action)
            await scene.port.pause(0.7)
            fates.append(done.fate)
            assert scene.bank.writes - before <= 1 + (done.fate is Fate.ACCEPTED)  # a duplicated request is the line's
            if done.fate is Fate.ACCEPTED:
                assert len(scene.wires.moves) > switched
                assert scene.wires.coils[0] is (action is Action.ON)

    assert scene.play(story, lambda port: FaultyPort(port, faults, seed)) is None
    assert Fate.ACCEPTED in fates


@pytest.mark.parametrize(
    ("action", "value", "after", "done"),
    [
        (Action.ON, None, {"is_on": True}, True),
        (Action.ON, None, {"is_on": False}, False),
        (Action.OFF, None, {"is_on": False}, True),
        (Action.OFF, None, {}, None),
        (Action.SET, Decimal("1.50"), {"value": Decimal("1.5")}, True),
        (Action.SET, Decimal("1.50"), {"value": Decimal("1.6")}, False),
        (Action.SET, Decimal("1.50"), {}, None),
        (Action.PULSE, None, {"is_on": False, "pulses": Decimal(1)}, None),
        (Action.PULSE, None, {"is_on": False, "pulses": Decimal(0)}, None),
        (Action.PULSE, None, {"is_on": False, "pulses": Decimal(2)}, True),
        (Action.PULSE, None, {"is_on": True, "pulses": Decimal(2)}, False),
    ],
)
def test_what_shows_the_effect(
    *, action: Action, value: Decimal | None, after: dict[str, Any], done: bool | None
) -> None:
    before = Shown(0, {"is_on": False, "pulses": Decimal(1)})
    assert is_done(Order("x", None, action, 0, value), before, Shown(1, after)) is done


def test_the_driver_is_controllable() -> None:
    assert isinstance(ModbusIoDriver(Scene().settings), Controllable)
