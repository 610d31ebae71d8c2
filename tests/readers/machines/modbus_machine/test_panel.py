"""One attempt, read back; and the fault table of an order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from readers.codecs.modbus import Frame, Function, Refusal
from readers.control import Action, Fate, Order, Shown
from readers.errors import ConfigError, DeviceRefusedError, LinkError
from readers.machines.modbus_machine.panel import is_done
from readers.ports.memory import MemoryPort
from simulator.faults import Fault, Kind, Towards
from simulator.faulty_port import FaultyPort
from simulator.machines.modbus_machine import State, WarpingMachine
from tests.readers.machines.modbus_machine.scenes import Scene, order

D = Decimal


def orders(scene: Scene) -> list[tuple[int, int]]:
    """Writes that reached the machine, but for the watchdog's."""
    return [each for each in scene.machine.writes if each[0] != 21]


def test_a_set_point_is_written_once_and_read_back() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        await port.pause(2)
        before = await scene.driver.observe(None, "set-speed")
        assert before.values == {"value": D("300.0"), "machine_state": "idle", "is_remote_enabled": False}
        given = order(port, Action.SET, "set-speed", "250.5")
        attempt = await scene.driver.attempt(given)
        assert attempt.fate is Fate.ACCEPTED
        after = await scene.driver.observe(None, "set-speed")
        assert after.values["value"] == D("250.5")
        assert scene.driver.is_done(given, before, after) is True

    scene.play(story)
    assert orders(scene) == [(10, 2505)]


def test_a_float_of_two_registers_is_written_in_one_request() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        await port.pause(2)
        given = order(port, Action.SET, "tension", "123.4")
        assert (await scene.driver.attempt(given)).fate is Fate.ACCEPTED
        after = await scene.driver.observe(None, "tension")
        assert after.values["value"] == D("123.4")
        assert is_done(given, after, after) is True

    scene.play(story)
    assert [address for address, _ in orders(scene)] == [11, 12]


@pytest.mark.parametrize(
    ("action", "point", "value", "wanted"),
    [
        (Action.SET, "set-speed", "500.1", "500.1 is not within 10 to 500"),
        (Action.SET, "set-speed", "9", "9 is not within 10 to 500"),
        (Action.SET, "set-speed", "100.05", "it takes 0.0 to 6553.5 m/min in steps of 0.1 m/min"),
        (Action.SET, "tension", "100.05", "it takes steps of 0.1 cN"),
        (Action.SET, "set-speed", None, "takes `set` with a value only"),
        (Action.STOP, "set-speed", None, "takes `set` with a value only"),
        (Action.TRIP, "machine", None, "the machine takes stop, reset, start, and not trip"),
    ],
)
def test_what_cannot_be_written_is_not_sent(action: Action, point: str, value: str | None, wanted: str) -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        await port.pause(2)
        attempt = await scene.driver.attempt(order(port, action, point, value))
        assert attempt.fate is Fate.NOT_SENT
        assert wanted in attempt.detail

    scene.play(story)
    assert orders(scene) == []


def test_a_point_that_is_not_there() -> None:
    scene = Scene(of_machine={"commands": {}})

    async def story(port: MemoryPort) -> None:
        await port.pause(2)
        for point, source in (("machine", None), ("warp", None), ("set-speed", "other")):
            with pytest.raises(ConfigError, match="there is no point"):
                await scene.driver.attempt(order(port, Action.STOP, point, source=source))

    scene.play(story)


def test_stop_is_followed_whether_remote_operation_is_permitted_or_not() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        scene.machine.start()
        await port.pause(5)
        before = await scene.driver.observe(None, "machine")
        given = order(port, Action.STOP)
        assert (await scene.driver.attempt(given)).fate is Fate.ACCEPTED
        after = await scene.driver.observe(None, "machine")
        assert is_done(given, before, after) is True
        assert after.values["stop_reason"] == "remote"
        assert after.values["is_remote_enabled"] is False

    scene.play(story)
    assert orders(scene) == [(20, 2)]


def test_no_start_without_the_machines_own_switch() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        await port.pause(5)
        attempt = await scene.driver.attempt(order(port, Action.START))
        assert attempt.fate is Fate.NOT_SENT
        assert "own switch does not permit" in attempt.detail
        scene.machine.is_remote = True
        given = order(port, Action.START)
        before = await scene.driver.observe(None, "machine")
        assert (await scene.driver.attempt(given)).fate is Fate.ACCEPTED
        assert is_done(given, before, await scene.driver.observe(None, "machine")) is True

    scene.play(story)
    assert orders(scene) == [(20, 1)]
    assert scene.machine.state is State.EXECUTE


def test_no_start_when_the_switch_cannot_be_read() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        await port.pause(5)
        scene.machine.is_remote = True
        scene.machine.mute = True
        attempt = await scene.driver.attempt(order(port, Action.START))
        assert attempt.fate is Fate.NOT_SENT
        assert "cannot be read" in attempt.detail
        scene.machine.mute = False
        scene.machine.busy = True
        assert (await scene.driver.attempt(order(port, Action.START))).fate is Fate.NOT_SENT

    scene.play(story)
    assert orders(scene) == []


def test_the_machine_does_not_start_when_its_watchdog_has_stopped() -> None:
    """It confirms the write all the same: only the state tells."""
    scene = Scene(of_machine={"watchdog": {"address": 21, "every_s": 60}})

    async def story(port: MemoryPort) -> None:
        scene.machine.is_remote = True
        await port.pause(20)
        given = order(port, Action.START)
        before = await scene.driver.observe(None, "machine")
        assert (await scene.driver.attempt(given)).fate is Fate.ACCEPTED
        assert is_done(given, before, await scene.driver.observe(None, "machine")) is False

    scene.play(story)


def test_reset_of_a_fault_and_of_counters() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        scene.machine.start()
        await port.pause(30)
        before = await scene.driver.observe(None, "machine")
        given = order(port, Action.RESET)
        assert (await scene.driver.attempt(given)).fate is Fate.ACCEPTED
        after = await scene.driver.observe(None, "machine")
        assert is_done(given, before, after) is True  # the length fell
        assert is_done(given, after, after) is None

    scene.play(story)
    assert orders(scene) == [(-1, 1)]


@pytest.mark.parametrize(
    ("fault", "fate", "arrived"),
    [
        ({"deaf_writes": 1}, Fate.UNKNOWN, 0),
        ({"silent_writes": 1}, Fate.UNKNOWN, 1),
        ({"busy": True}, Fate.REFUSED, 0),
        ({"stuck": True}, Fate.ACCEPTED, 1),
    ],
)
def test_what_becomes_of_an_order(fault: dict[str, Any], fate: Fate, arrived: int) -> None:
    """Never twice, and never said to be done without a look."""
    scene = Scene(of_machine={"watchdog": None, "commands": {}})

    async def story(port: MemoryPort) -> None:
        await port.pause(5)
        for name, value in fault.items():
            setattr(scene.machine, name, value)
        given = order(port, Action.SET, "set-speed", "200")
        assert (await scene.driver.attempt(given)).fate is fate
        await port.pause(20)
        for name in fault:
            setattr(scene.machine, name, 0)
        await port.pause(5)
        after = await scene.driver.observe(None, "set-speed")
        assert is_done(given, after, after) is (after.values["value"] == D(200))
        assert (after.values["value"] == D(200)) is (fate is Fate.UNKNOWN and bool(arrived))

    scene.play(story)
    assert len(orders(scene)) == arrived


@pytest.mark.parametrize(
    ("answer", "fate", "detail"),
    [
        (Frame(1, Function.WRITE_REGISTER, refusal=Refusal.ACKNOWLEDGE), Fate.ACCEPTED, "at work on it"),
        (Frame(1, Function.WRITE_REGISTER, refusal=Refusal.DEVICE_FAILURE), Fate.UNKNOWN, "answers device_failure"),
        (Frame(1, Function.WRITE_REGISTER, b"\x00\x0a\x00\x00"), Fate.UNKNOWN, "confirms 000a0000, not 000a07d0"),
    ],
)
def test_answers_that_say_neither_yes_nor_no(answer: Frame, fate: Fate, detail: str) -> None:
    class Odd(WarpingMachine):
        def answer(self, request: Frame, now_us: int) -> Frame | None:
            if request.function == Function.WRITE_REGISTER:
                return replace(answer, transaction=request.transaction)
            return super().answer(request, now_us)

    scene = Scene({1: Odd()}, of_machine={"watchdog": None, "commands": {}, "state": None, "remote_enabled": None})

    async def story(port: MemoryPort) -> None:
        await port.pause(5)
        attempt = await scene.driver.attempt(order(port, Action.SET, "set-speed", "200"))
        assert attempt.fate is fate
        assert detail in attempt.detail
        assert (await scene.driver.observe(None, "set-speed")).values == {"value": D("300.0")}

    scene.play(story)


def test_an_order_that_expired_before_its_turn_is_not_sent() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        await port.pause(5)
        attempt = await scene.driver.attempt(order(port, Action.SET, "set-speed", "200", in_s=-1))
        assert attempt.fate is Fate.NOT_SENT
        assert "after the order had expired" in attempt.detail

    scene.play(story)
    assert orders(scene) == []


def test_a_value_that_the_machine_refuses() -> None:
    scene = Scene(of_machine={"setpoints": [{"name": "set-speed", "address": 10, "minimum": 0, "maximum": 9000}]})

    async def story(port: MemoryPort) -> None:
        await port.pause(5)
        attempt = await scene.driver.attempt(order(port, Action.SET, "set-speed", "8000"))
        assert attempt.fate is Fate.REFUSED
        assert "unit 1 answers illegal_value" in attempt.detail

    scene.play(story)


def test_an_order_while_the_link_ends_is_unknown() -> None:
    scene = Scene(wrap=lambda port: FaultyPort(port, [Fault(Kind.CUT, Towards.CLIENT, after_s=5.0)]))
    fates: list[Fate] = []

    async def story(port: MemoryPort) -> None:
        await port.pause(4.9)
        scene.machine.answer_after_s = 0.5
        attempt = await scene.driver.attempt(order(port, Action.SET, "set-speed", "200"))
        fates.append(attempt.fate)
        await asyncio.sleep(1)

    with pytest.raises(LinkError):
        scene.play(story)
    assert fates in ([Fate.UNKNOWN], [Fate.NOT_SENT])


def test_a_machine_that_does_not_answer_or_does_not_tell() -> None:
    scene = Scene(of_machine={"setpoints": [{"name": "ghost", "address": 900, "minimum": 0, "maximum": 1}]})

    async def story(port: MemoryPort) -> None:
        await port.pause(5)
        with pytest.raises(DeviceRefusedError, match="does not tell set-point ghost"):
            await scene.driver.observe(None, "ghost")
        scene.machine.mute = True
        with pytest.raises(LinkError, match="did not answer"):
            await scene.driver.observe(None, "machine")

    scene.play(story)


def shown(**values: Any) -> Shown:
    return Shown(0, values)


@pytest.mark.parametrize(
    ("action", "before", "after", "wanted"),
    [
        (Action.STOP, {}, {"machine_state": "execute"}, False),
        (Action.STOP, {}, {"machine_state": "held"}, False),
        (Action.STOP, {}, {"machine_state": "aborted"}, True),
        (Action.STOP, {}, {}, None),
        (Action.START, {}, {"machine_state": "held"}, False),
        (Action.START, {}, {}, None),
        (Action.SET, {}, {}, None),
        (Action.RESET, {"machine_state": "aborted"}, {"machine_state": "idle"}, True),
        (Action.RESET, {"machine_state": "aborted"}, {"machine_state": "aborted"}, False),
        (Action.RESET, {"good_count": D(7)}, {"good_count": D(0)}, True),
        (Action.RESET, {"good_count": D(7)}, {"good_count": D(8)}, None),
    ],
)
def test_what_was_read_back(action: Action, before: dict[str, Any], after: dict[str, Any], wanted: bool | None) -> None:  # noqa: FBT001 - a table
    given = Order("machine", None, action, 0, D(1))
    assert is_done(given, shown(**before), shown(**after)) is wanted
