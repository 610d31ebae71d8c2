from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from readers.control import Action, Controllable
from readers.driver import Port
from readers.errors import LinkError
from readers.machines.modbus_machine.driver import DRIVER
from readers.observations import Rejected
from readers.ports.base import PassingPort
from readers.ports.echo import EchoStrippingPort
from readers.ports.memory import MemoryPort, run
from simulator.faults import Fault, Kind, Towards
from simulator.faulty_port import FaultyPort
from simulator.machines.modbus_machine import WarpingMachine
from tests.readers.machines.modbus_machine.scenes import Scene, order


@pytest.mark.parametrize("is_tcp", [False, True])
def test_a_run_with_a_broken_yarn(*, is_tcp: bool) -> None:
    scene = Scene(is_tcp=is_tcp)

    async def story(port: MemoryPort) -> None:
        await port.pause(2)
        scene.machine.start()
        await port.pause(60)
        scene.machine.break_yarn()
        await port.pause(10)
        scene.machine.start()
        await port.pause(10)
        scene.machine.stop()
        await port.pause(10)

    scene.play(story)
    changes = list(dict.fromkeys(scene.told("machine_state")))
    assert changes == ["idle", "execute", "held", "stopped"]
    assert list(dict.fromkeys(scene.told("stop_reason"))) == ["none", "yarn broken", "operator"]
    assert list(dict.fromkeys(scene.told("machine_mode"))) == ["automatic"]
    assert list(dict.fromkeys(scene.told("running"))) == [False, True]
    lengths = [int(str(each)) for each in scene.told("good_count")]
    assert lengths == sorted(lengths)
    assert lengths[-1] == int(scene.machine.length_m) > 200
    assert scene.watched() == [True]
    assert scene.conditions() == []
    assert not [each for each in scene.heard if isinstance(each, Rejected)]


def test_only_what_changed_is_told_and_all_of_it_from_time_to_time() -> None:
    scene = Scene(repeat_s=30)
    scene.play_for(65)
    assert scene.told("machine_state") == ["idle"] * 3
    assert scene.told("set-speed") == scene.told("set-speed")[:1] * 3


def test_a_small_change_of_speed_is_not_told() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        scene.machine.start()
        await port.pause(20)
        before = len(scene.told("speed"))
        scene.machine.set_speed += 4
        await port.pause(5)
        assert len(scene.told("speed")) == before
        scene.machine.set_speed += 4
        await port.pause(5)
        assert len(scene.told("speed")) == before + 1

    scene.play(story)


def test_silence_is_no_state() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        await port.pause(5)
        scene.machine.mute = True
        await port.pause(30)
        told = len(scene.told("machine_state"))
        assert scene.watched() == [True, False]
        scene.machine.mute = False
        await port.pause(15)
        assert len(scene.told("machine_state")) == told + 1

    scene.play(story)
    assert set(scene.told("machine_state")) == {"idle"}
    assert scene.watched() == [True, False, True]
    assert ("machine_silent", "", True) in scene.conditions()
    assert ("line_silent", "", False) in scene.conditions()


def test_one_of_several_that_is_off_does_not_slow_the_others() -> None:
    scene = Scene({1: WarpingMachine(), 2: WarpingMachine(mute=True)}, is_tcp=False)

    async def story(port: MemoryPort) -> None:
        await port.pause(10)
        scene.machine.press_emergency_stop()
        await port.pause(3)
        assert scene.told("machine_state", "m1")[-1] == "aborted"

    scene.play(story)
    assert scene.watched("m2") == [False]
    assert scene.told("machine_state", "m2") == []


def test_a_number_that_stands_for_no_state_is_no_state() -> None:
    scene = Scene(of_machine={"state": {"address": 0, "states": {"4": "idle", "6": "execute"}}})

    async def story(port: MemoryPort) -> None:
        await port.pause(2)
        scene.machine.stop()
        await port.pause(2)
        scene.machine.start()
        scene.machine.state = type(scene.machine.state)(4)
        await port.pause(2)

    scene.play(story)
    assert scene.told("machine_state") == ["idle", "idle"]
    assert scene.conditions() == [("state_unknown", "", True), ("state_unknown", "", False)]
    assert scene.detail("state_unknown") == "2 stands for no state in the site file"


def test_states_by_bits() -> None:
    bits = [
        {"address": 7, "bit": 15, "state": "aborted"},
        {"address": 7, "bit": 0, "state": "execute"},
    ]
    scene = Scene(of_machine={"state": {"bits": bits, "otherwise": "stopped"}})

    async def story(port: MemoryPort) -> None:
        await port.pause(2)
        scene.machine.start()
        await port.pause(2)
        scene.machine.press_emergency_stop()
        await port.pause(2)

    scene.play(story)
    assert scene.told("machine_state") == ["stopped", "execute", "aborted"]


def test_the_watchdog_is_toggled_each_second_while_the_machine_answers() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        await port.pause(10)
        assert 8 <= len(scene.machine.writes) <= 11
        values = [value for address, value in scene.machine.writes if address == 21]
        assert all(one != other for one, other in pairwise(values))
        scene.machine.mute = True
        await port.pause(5)
        scene.machine.writes.clear()
        await port.pause(20)
        assert scene.machine.writes == []

    scene.play(story)


def test_a_watchdog_register_that_does_not_exist() -> None:
    scene = Scene(of_machine={"watchdog": {"address": 25}})
    scene.play_for(10)
    assert scene.conditions() == [("watchdog_refused", "", True)]
    assert scene.detail("watchdog_refused") == "holding register 25: illegal_address"


def test_a_signal_that_the_machine_lacks() -> None:
    signals = [{"name": "speed", "address": 2}, {"name": "ghost", "address": 900}]
    scene = Scene(of_machine={"signals": signals})
    scene.play_for(10)
    assert scene.conditions() == [("register_unsupported", "ghost", True)]
    assert scene.told("speed")


def test_a_busy_machine_has_no_state_either() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        await port.pause(2)
        before = len(scene.told("machine_state"))
        scene.machine.busy = True
        await port.pause(70)
        assert len(scene.told("machine_state")) == before
        assert scene.watched() == [True]
        scene.machine.busy = False
        await port.pause(3)

    scene.play(story)
    assert ("read_refused", "holding registers 0 to 12", True) in scene.conditions()
    assert ("read_refused", "holding registers 0 to 12", False) in scene.conditions()


class Echoing(PassingPort):
    """The device's end of a two-wire line whose adapter gives back what the driver sends."""

    async def receive(self, within_s: float) -> bytes:
        data = await super().receive(within_s)
        if data:
            await self.send(data)
        return data


@pytest.mark.parametrize("wrap", [EchoStrippingPort, PassingPort])
def test_reading_over_an_adapter_that_echoes(wrap: Callable[[Port], Port]) -> None:
    scene = Scene(is_tcp=False, wrap=wrap, wrap_device=Echoing)
    scene.play_for(20)
    assert scene.told("machine_state") == ["idle"]
    assert scene.watched() == [True]


@pytest.mark.parametrize("seed", range(3))
def test_noise_and_loss_never_bring_a_wrong_signal(seed: int) -> None:
    rng = Random(seed)

    def mangle(data: bytes) -> list[bytes]:
        dice = rng.random()
        if dice < 0.1:
            return []
        if dice < 0.2:
            at = rng.randrange(len(data))
            return [data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]]
        return [rng.randbytes(rng.randint(1, 5)), data] if dice < 0.3 else [data]

    scene = Scene(is_tcp=False, mangle=mangle)
    scene.play_for(200)
    assert set(scene.told("machine_state")) == {"idle"}
    assert set(scene.told("stop_reason")) == {"none"}
    assert [each for each in scene.heard if isinstance(each, Rejected)]


def test_a_link_that_is_cut_ends_control_too() -> None:
    scene = Scene(wrap=lambda port: FaultyPort(port, [Fault(Kind.CUT, Towards.CLIENT, after_s=5.0)]))
    with pytest.raises(LinkError):
        scene.play_for(20)

    async def afterwards() -> None:
        with pytest.raises(LinkError, match="the link to the machines is down"):
            await scene.driver.observe(None, "machine")

    run(afterwards())


def test_the_driver_is_controllable() -> None:
    scene = Scene()
    assert isinstance(scene.driver, Controllable)
    assert scene.driver.control_points() == scene.settings.control_points()
    assert DRIVER.tcp_port == 502

    async def story(port: MemoryPort) -> None:
        await port.pause(1)
        await scene.driver.attempt(order(port, Action.SET, "set-speed", "200"))
        await port.pause(1)

    scene.play(story)
    assert [str(each) for each in scene.told("set-speed")] == ["300.0", "200.0"]
