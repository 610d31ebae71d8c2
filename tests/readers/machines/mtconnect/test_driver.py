"""The driver against the twin, in virtual time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from readers.errors import DeviceRefusedError, FrameError, LinkError
from readers.http_messages import Answer, encode
from readers.machines.mtconnect import MtConnectDriver, MtConnectSettings
from readers.observations import Condition, DeviceInfo, InForce, Observation, Rejected, Severity, Signals, Watching
from readers.ports.http import open_http
from readers.ports.memory import START_US, MemoryPort, pair, run
from simulator.machines.mtconnect import EXECUTION, Agent, serve, serve_http
from simulator.server import DeviceServer
from simulator.world.warping import Habits, WarpingMachine


class Ear:
    def __init__(self) -> None:
        self.heard: list[Observation] = []

    def __call__(self, observation: Observation) -> None:
        self.heard.append(observation)

    def of(self, kind: type[Any]) -> list[Any]:
        return [each for each in self.heard if isinstance(each, kind)]

    def values(self, name: str) -> list[object]:
        return [each.value for signals in self.of(Signals) for each in signals.signals if each.name == name]

    def changes(self, name: str) -> list[object]:
        found: list[object] = []
        for value in self.values(name):
            if found[-1:] != [value]:
                found.append(value)
        return found


def agent(seed: int = 1, size: int = 128, **habits: Any) -> Agent:
    return Agent(WarpingMachine(seed, START_US, Habits(**habits)), size=size)


def talk(
    made: Agent,
    act: Callable[[MemoryPort, Ear, asyncio.Task[None]], Awaitable[None]],
    settings: dict[str, Any] | None = None,
) -> Ear:
    ear = Ear()

    async def play() -> None:
        ours, theirs = pair("http://agent")
        twin = asyncio.create_task(serve(theirs, made))
        running = asyncio.create_task(MtConnectDriver(MtConnectSettings.model_validate(settings or {})).run(ours, ear))
        try:
            await act(ours, ear, running)
        finally:
            for task in (running, twin):
                task.cancel()
            await asyncio.gather(running, twin, return_exceptions=True)

    run(play())
    return ear


async def wait(seconds: float, port: MemoryPort, _ear: Ear, running: asyncio.Task[None]) -> None:
    await port.pause(seconds)
    if running.done():
        running.result()


def test_hours_of_a_machine_are_told_in_its_order_without_a_loss() -> None:
    made = agent(3, fault_after_s=3000)
    ear = talk(made, partial(wait, 4 * 3600))
    words = {"ACTIVE": "execute", "READY": "idle", "INTERRUPTED": "held", "STOPPED": "stopped"}
    truth: list[object] = []
    for spell in made.machine.truth:
        state = "aborted" if spell.state == "aborted" else words[EXECUTION[spell.state]]
        if truth[-1:] != [state]:
            truth.append(state)
    states = [each for each in ear.changes("machine_state") if each is not None]
    assert [each for each in states if each != "stopped"] == [each for each in truth if each != "stopped"]
    assert len(states) > 20
    assert "aborted" in states
    totals = ear.values("total_count")
    assert totals == sorted(totals, key=lambda value: Decimal(str(value)))
    assert totals[-1] == made.machine.total_m
    assert ear.values("bad_count")[-1] == made.machine.bad_m
    assert ear.of(Rejected) == []
    assert ear.of(Watching) == [Watching()]
    (info,) = ear.of(DeviceInfo)
    assert (info.manufacturer, info.model, info.serial) == ("Twin", "W-600", "0815")
    assert InForce({"machine_state": "exec"}).values.items() <= ear.of(InForce)[0].values.items()


def test_conditions_begin_and_end_and_a_fault_is_the_alarm() -> None:
    made = agent(2, break_after_s=100, fault_after_s=1200, repair_s=(60.0, 60.0))
    ear = talk(made, partial(wait, 4 * 3600))
    told = [each for each in ear.of(Condition) if each.name == "machine_condition"]
    faults = [each for each in told if each.active and each.severity is Severity.FAULT]
    assert faults
    assert {(each.key, each.detail) for each in faults} == {("system:4711", "SYSTEM 4711 The drive has tripped")}
    warnings = [each for each in told if each.active and each.severity is Severity.WARNING]
    assert {each.key for each in warnings} == {"system:17"}
    assert len([each for each in told if not each.active]) >= len(faults)
    assert {"", "SYSTEM 4711 The drive has tripped"} == set(ear.values("machine_alarm"))
    assert {False, True} == set(ear.values("emergency_stop"))


def test_an_agent_that_has_lost_its_machine_is_watched_no_more() -> None:
    made = agent()

    async def act(port: MemoryPort, ear: Ear, _running: asyncio.Task[None]) -> None:
        await port.pause(60)
        made.lost = True
        await port.pause(60)
        assert ear.of(Watching)[-1] == Watching(active=False)
        faults = {each.key for each in ear.of(Condition) if each.name == "no_value" and each.active}
        assert {"machine_state", "total_count"} <= faults
        count = len(ear.values("machine_state"))
        await port.pause(300)
        assert len(ear.values("machine_state")) == count
        made.lost = False
        await port.pause(600)
        assert ear.of(Watching)[-1] == Watching()

    talk(made, act)


def test_an_agent_that_has_started_again_is_asked_for_everything() -> None:
    made = agent()

    async def act(port: MemoryPort, ear: Ear, _running: asyncio.Task[None]) -> None:
        await port.pause(100)
        made.restart(made.instance + 1)
        await port.pause(1000)
        assert [each.reason for each in ear.of(Rejected)] == ["agent_restarted"]
        assert len(ear.of(DeviceInfo)) == 2
        assert ear.values("total_count")[-1] == made.machine.total_m

    talk(made, act)


def test_an_agent_that_has_started_again_and_counts_further_is_noticed_too() -> None:
    made = agent()

    async def act(port: MemoryPort, ear: Ear, _running: asyncio.Task[None]) -> None:
        await port.pause(2)
        made.restart(made.instance + 1)
        made.answer("/current", port.now_us() + 60_000_000)  # it has heard more than before already
        await port.pause(10)
        assert [each.reason for each in ear.of(Rejected)] == ["agent_restarted"]

    talk(made, act)


def test_what_the_ring_buffer_has_lost_is_counted() -> None:
    made = agent(size=10)

    async def act(port: MemoryPort, ear: Ear, _running: asyncio.Task[None]) -> None:
        await port.pause(20)
        for second in range(20):
            made.machine.set_speed(port.now_us(), 500 + second)
            made.answer("/current", port.now_us())
        await port.pause(5)
        (lost,) = ear.of(Rejected)
        assert lost.reason == "sequence_gap"
        assert lost.count == lost.reads_lost > 5
        assert len(ear.of(DeviceInfo)) == 2

    talk(made, act)


def test_a_question_that_brings_much_is_asked_on_at_once_without_a_gap() -> None:
    ear = talk(agent(3, break_after_s=20), partial(wait, 3600), {"count": 2, "poll_s": 0.2})
    assert ear.of(Rejected) == []
    assert len(ear.changes("machine_state")) > 30


def test_everything_is_told_again_now_and_then() -> None:
    made = agent(break_after_s=0, beam_m=10**9, fault_after_s=0)
    ear = talk(made, partial(wait, 1000), {"repeat_s": 100})
    assert 9 <= len([value for value in ear.values("machine_state") if value == "execute"]) <= 12


def test_further_items_are_told_as_the_settings_say() -> None:
    settings = {
        "signals": [
            {"name": "speed", "item": "speed", "unit": "m/s", "scale": "0.01"},
            {"name": "machine_state", "item": "mode", "texts": {"AUTOMATIC": "execute"}},
            {"name": "availability", "item": "avail"},
        ]
    }
    ear = talk(agent(), partial(wait, 60), settings)
    assert Decimal("6.00") in ear.values("speed")
    assert set(ear.values("machine_state")) == {"execute"}
    assert set(ear.values("availability")) == {"AVAILABLE"}


def test_an_item_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(DeviceRefusedError, match="no data item feed; it has avail, exec"):
        talk(agent(), partial(wait, 5), {"signals": [{"name": "speed", "item": "feed"}]})


def test_an_agent_with_several_devices_wants_one_to_be_named() -> None:
    made = agent()
    made.names = ("Warper-1", "Warper-2")
    with pytest.raises(DeviceRefusedError, match=r"devices Warper-1, Warper-2; .* as in http://agent"):
        talk(made, partial(wait, 5))


@pytest.mark.parametrize(
    ("answer", "error", "why"),
    [
        (Answer(200, b"<html/>"), FrameError, "none of an agent's"),
        (Answer(503, b"<html/>"), LinkError, "answers 503; is it an MTConnect agent"),
        (Answer(404, b'<MTConnectError><Header/><Error errorCode="NO_DEVICE">x</Error></MTConnectError>'), LinkError,
         "NO_DEVICE x; check the device in the port's path"),
        (Answer(200, b"<MTConnectStreams><Header/></MTConnectStreams>"), FrameError, "MTConnectDevices was asked for"),
        (Answer(200, b"<MTConnectDevices><Header/></MTConnectDevices>"), DeviceRefusedError, "has no device"),
    ],
)  # fmt: skip
def test_what_is_no_agent(answer: Answer, error: type[Exception], why: str) -> None:
    made = agent()
    made.says = answer
    with pytest.raises(error, match=why):
        talk(made, partial(wait, 5))


def test_an_error_in_the_middle_ends_the_run() -> None:
    made = agent()

    async def act(port: MemoryPort, ear: Ear, running: asyncio.Task[None]) -> None:
        await port.pause(10)
        made.says = Answer(500, b'<MTConnectError><Header/><Error errorCode="INTERNAL_ERROR"/></MTConnectError>')
        await wait(5, port, ear, running)

    with pytest.raises(LinkError, match="INTERNAL_ERROR"):
        talk(made, act)


def test_a_clock_that_is_off_is_told_once() -> None:
    made = agent()

    async def act(port: MemoryPort, ear: Ear, _running: asyncio.Task[None]) -> None:
        await port.pause(5)
        made.says = Answer(200, made.answer("/current", port.now_us()).body)
        await port.pause(30)
        assert [(each.name, each.active) for each in ear.of(Condition)] == [("clock_differs", True)]

    talk(made, act)


def test_a_silent_server_is_given_up() -> None:
    async def play() -> None:
        ours, _theirs = pair("http://agent")
        with pytest.raises(LinkError, match="no answer to /probe within 15 s"):
            await MtConnectDriver(MtConnectSettings()).run(ours, lambda _: None)

    run(play())


def test_over_http_on_a_socket() -> None:
    made = Agent(WarpingMachine(1, time.time_ns() // 1000, first_s=0.5), names=("Warper-1", "Warper-2"))

    async def play() -> None:
        ear = Ear()
        async with DeviceServer(partial(_serve, made)) as server:
            port = await open_http(f"http://127.0.0.1:{server.port}/Warper-1")
            settings = MtConnectSettings(poll_s=0.1)
            running = asyncio.create_task(MtConnectDriver(settings).run(port, ear))
            async with asyncio.timeout(20):
                while not running.done() and "execute" not in ear.values("machine_state"):
                    await asyncio.sleep(0.05)
                await server.close()
                with pytest.raises(LinkError):
                    await running
            await port.close()

    asyncio.run(play())


async def _serve(made: Agent, port: Any) -> None:
    await serve_http(port, made)


HEAD = '<Header instanceId="1" firstSequence="{first}" lastSequence="9" nextSequence="{following}"/>'
DEVICES = (
    '<MTConnectDevices><Header instanceId="1"/><Device name="m" uuid="m"><DataItems>'
    '<DataItem id="e" category="EVENT" type="EXECUTION"/></DataItems></Device></MTConnectDevices>'
)


def streams(first: int, following: int, body: str) -> bytes:
    head = HEAD.format(first=first, following=following)
    stream = f'<DeviceStream name="m">{body}</DeviceStream>'
    return f"<MTConnectStreams>{head}<Streams>{stream}</Streams></MTConnectStreams>".encode()


def group(name: str, body: str) -> str:
    return f'<ComponentStream component="Path"><{name}>{body}</{name}></ComponentStream>'


def test_gaps_foreign_devices_noise_and_conditions_without_number() -> None:
    """What our twin never does."""
    many = "".join(f'<Fault dataItemId="f{n}" sequence="9" type="SYSTEM">x</Fault>' for n in range(60))
    answers = [
        DEVICES.encode(),
        streams(1, 5, group("Events", '<Execution dataItemId="e" sequence="4">ACTIVE</Execution>')),
        streams(7, 9, group("Events", '<Execution dataItemId="e" sequence="8">ACTIVE</Execution>')),
        streams(7, 9, "").replace(b'name="m"', b'name="other"'),
        streams(7, 10, group("Condition", many)),
        streams(7, 10, group("Events", '<Execution dataItemId="e" sequence="99">READY</Execution>')).replace(
            b'name="m"', b'name="other"'
        ),
    ]

    async def play() -> None:
        ours, theirs = pair("http://agent")
        ear = Ear()
        running = asyncio.create_task(MtConnectDriver(MtConnectSettings()).run(ours, ear))
        for body in answers:
            while not (await theirs.receive(1.0)).startswith(b"GET"):
                pass
            await theirs.send(b"noise" + encode(Answer(200, body)))
            await theirs.pause(0.1)
        reasons = {each.reason: each for each in ear.of(Rejected)}
        assert reasons["sequence_gap"].count == 2
        assert reasons["noise_bytes"].count == 5
        assert len([each for each in ear.of(Rejected) if each.reason == "too_many_conditions"]) == 10
        assert ear.values("machine_state") == ["execute"]
        assert len([each for each in ear.of(Condition) if each.name == "machine_condition"]) == 50
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run(play())
