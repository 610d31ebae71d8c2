from __future__ import annotations

from decimal import Decimal

from readers.ports.memory import MemoryPort
from tests.readers.machines.modbus_machine.scenes import Scene

D = Decimal


def test_modes_that_stand_for_nothing_are_not_told() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        await port.pause(2)
        scene.machine.mode = 2
        await port.pause(2)
        scene.machine.mode = 9
        await port.pause(2)

    scene.play(story)
    assert scene.told("machine_mode") == ["automatic", "manual"]


def test_a_stop_reason_without_a_text_is_told_by_its_number() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        await port.pause(2)
        scene.machine.press_emergency_stop()
        await port.pause(2)

    scene.play(story)
    assert scene.told("stop_reason") == ["none", "code 99"]
    assert scene.told("machine_state") == ["idle", "aborted"]


def test_the_switch_of_the_machine_is_told() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        await port.pause(2)
        scene.machine.is_remote = True
        await port.pause(2)

    scene.play(story)
    assert scene.told("remote_enabled") == [False, True]


def test_a_counter_is_told_as_it_stands() -> None:
    """What a fall of it means is for the rules: it was reset, or began again."""
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        scene.machine.length_m = 70_000.0
        await port.pause(2)
        scene.machine.length_m = 3.0
        await port.pause(2)

    scene.play(story)
    assert scene.told("good_count") == [D(70_000), D(3)]


def test_everything_is_news_after_silence() -> None:
    scene = Scene()

    async def story(port: MemoryPort) -> None:
        await port.pause(2)
        scene.machine.mute = True
        await port.pause(10)
        scene.heard.clear()
        scene.machine.mute = False
        await port.pause(12)

    scene.play(story)
    assert scene.told("machine_state") == ["idle"]
    assert scene.told("set-speed") == [D(300)]


def test_what_is_missing_is_told_by_its_name() -> None:
    """Of a machine that has none of what the site file says."""
    scene = Scene(
        of_machine={
            "state": {"bits": [{"address": 100, "bit": 0, "state": "execute"}]},
            "mode": {"table": "input", "address": 101, "modes": {"1": "manual"}},
            "remote_enabled": {"table": "discrete", "address": 102},
            "signals": [{"name": "speed", "address": 103}],
            "setpoints": [],
        }
    )
    scene.play_for(5)
    told = {key for name, key, _ in scene.conditions() if name == "register_unsupported"}
    assert told == {"machine_state", "machine_mode", "remote_enabled", "speed"}
    assert scene.told("machine_state") == scene.told("remote_enabled") == []
    assert scene.watched() == [True]
