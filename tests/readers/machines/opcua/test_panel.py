from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from readers.control import Action, Attempt, Controllable, Fate, Order, Shown
from readers.errors import DeviceRefusedError, LinkError
from readers.machines.opcua import OpcUaDriver, OpcUaSettings
from readers.opcua_messages import Answer, Call, Message, Mode, Policy, Read, Sample, Server, Write, encode, parse
from readers.ports.memory import START_US, MemoryPort, pair, run
from readers.ports.open import open_port
from readers.registry import driver
from simulator.machines.opcua import NAMESPACE, Controller
from simulator.world.warping import Habits, WarpingMachine

EXPIRES_US = START_US + 3_600_000_000
SERVER = Server("Maker", "PLC", "1", "urn:plc", Policy.NONE, Mode.NONE, ("0", "1"), 0, 0)


def node(what: str) -> str:
    return f"nsu={NAMESPACE};s=w1.{what}"


OWNER = f"nsu={NAMESPACE};s=w1"
SETTINGS: dict[str, Any] = {
    "publish_ms": 100,
    "signals": [
        {"name": "machine_state", "node": node("State")},
        {"name": "remote_enabled", "node": node("RemoteEnabled")},
    ],
    "setpoints": [
        {"name": "speed-set", "node": node("SpeedSet"), "minimum": 100, "maximum": 800, "unit": "m/min"},
        {"name": "shown-speed", "node": node("SpeedSet"), "read_node": node("Speed"), "minimum": 0, "maximum": 800,
         "tolerance": 10},
        {"name": "fixed", "node": node("Speed"), "minimum": 0, "maximum": 800},
        {"name": "absent", "node": node("Nothing"), "minimum": 0, "maximum": 800},
    ],
    "commands": [
        {"action": "stop", "owner": OWNER, "method": node("Stop")},
        {"action": "reset", "owner": OWNER, "method": node("Reset")},
        {"action": "start", "owner": OWNER, "method": node("Start")},
    ],
}  # fmt: skip


def order(point: str, action: Action = Action.SET, value: str | None = None) -> Order:
    return Order(point, None, action, EXPIRES_US * 2, None if value is None else Decimal(value))


def beside(act: Callable[[Controller, Controllable], Awaitable[None]], **habits: Any) -> None:
    async def play() -> None:
        made = WarpingMachine(1, time.time_ns() // 1000, Habits(break_after_s=0, **habits), 0.1)
        async with Controller({"w1": made}) as twin:
            spec = driver("opcua")
            port = await open_port(twin.url, spec)
            panel = spec.make(spec.settings.model_validate(SETTINGS))
            talk = asyncio.create_task(panel.run(port, lambda _: None))
            assert isinstance(panel, Controllable)
            try:
                async with asyncio.timeout(10):
                    while not await _answers(panel):
                        await asyncio.sleep(0.05)
                await act(twin, panel)
            finally:
                talk.cancel()
                await asyncio.gather(talk, return_exceptions=True)
                await port.close()

    asyncio.run(play())


async def _answers(panel: Controllable) -> bool:
    try:
        return bool((await panel.observe(None, "machine")).values)
    except LinkError:
        return False


async def given(panel: Controllable, wanted: Order) -> tuple[Attempt, bool | None]:
    before = await panel.observe(wanted.source, wanted.point)
    attempt = await panel.attempt(wanted)
    await asyncio.sleep(0.2)
    return attempt, panel.is_done(wanted, before, await panel.observe(wanted.source, wanted.point))


def test_a_set_point_is_written_and_read_back() -> None:
    async def act(twin: Controller, panel: Controllable) -> None:
        attempt, is_done = await given(panel, order("speed-set", value="300"))
        assert (attempt.fate, is_done) == (Fate.ACCEPTED, True)
        assert twin.machines["w1"].speed_set_m_per_min == 300
        attempt, is_done = await given(panel, order("shown-speed", value="305"))
        assert (attempt.fate, is_done) == (Fate.ACCEPTED, True)
        twin.stuck = True
        attempt, is_done = await given(panel, order("shown-speed", value="600"))
        assert (attempt.fate, is_done) == (Fate.ACCEPTED, False)

    beside(act)


def test_what_the_server_will_not_do() -> None:
    async def act(_twin: Controller, panel: Controllable) -> None:
        assert (await panel.attempt(order("fixed", value="1"))).fate is Fate.REFUSED
        assert (await panel.attempt(order("absent", value="1"))).fate is Fate.NOT_SENT
        with pytest.raises(DeviceRefusedError, match="absent"):
            await panel.observe(None, "absent")

    beside(act)


def test_stop_reset_and_a_start_that_the_machine_permits() -> None:
    async def act(twin: Controller, panel: Controllable) -> None:
        machine = twin.machines["w1"]
        attempt, is_done = await given(panel, order("machine", Action.STOP))
        assert (attempt.fate, is_done) == (Fate.ACCEPTED, True)
        attempt, is_done = await given(panel, order("machine", Action.START))
        assert (attempt.fate, is_done) == (Fate.REFUSED, False)
        assert "BadInvalidState" in attempt.detail
        machine.remote_enabled = True
        await asyncio.sleep(0.1)
        assert (await panel.observe(None, "machine")).values["is_remote_enabled"] is True
        attempt, is_done = await given(panel, order("machine", Action.START))
        assert (attempt.fate, is_done) == (Fate.ACCEPTED, True)
        attempt, is_done = await given(panel, order("machine", Action.RESET))
        assert (attempt.fate, is_done) == (Fate.ACCEPTED, None)  # there was nothing to reset

    beside(act, fault_after_s=0)


def test_a_fault_is_reset() -> None:
    async def act(twin: Controller, panel: Controllable) -> None:
        async with asyncio.timeout(10):
            while twin.machines["w1"].state != "aborted":
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.1)
        attempt, is_done = await given(panel, order("machine", Action.RESET))
        assert (attempt.fate, is_done) == (Fate.ACCEPTED, True)

    beside(act, fault_after_s=0.2, repair_s=(600.0, 600.0))


def in_memory(act: Callable[[MemoryPort, OpcUaDriver], Awaitable[None]]) -> None:
    """The driver behind a port in memory, its session open."""

    async def play() -> None:
        ours, theirs = pair()
        panel = OpcUaDriver(OpcUaSettings.model_validate(SETTINGS))
        talk = asyncio.create_task(panel.run(ours, lambda _: None))
        await theirs.receive(1.0)
        await theirs.send(encode(SERVER))
        await theirs.pause(0.1)
        await theirs.receive(1.0)
        await act(theirs, panel)
        talk.cancel()
        await asyncio.gather(talk, return_exceptions=True)

    run(play())


async def asked(port: MemoryPort) -> Message:
    found = parse(bytearray(await port.receive(1.0)), 0)
    assert found is not None
    return found[0]


def status(word: str, level: int) -> tuple[Sample, ...]:
    return (Sample(status=word, level=level),)


@pytest.mark.parametrize(
    ("answer", "fate", "detail"),
    [
        (Answer(1, status("Good", 0)), Fate.ACCEPTED, ""),
        (Answer(1, status("GoodCompletesAsynchronously", 0)), Fate.ACCEPTED, "GoodCompletesAsynchronously"),
        (Answer(1, status("BadUserAccessDenied", 2)), Fate.REFUSED, "BadUserAccessDenied"),
        (Answer(1, status("BadTimeout", 2)), Fate.UNKNOWN, "BadTimeout"),
        (Answer(1, status("UncertainInitialValue", 1)), Fate.UNKNOWN, "Uncertain"),
        (Answer(1, not_sent="too fine"), Fate.NOT_SENT, "too fine"),
        (Answer(1, lost="no answer"), Fate.UNKNOWN, "no answer"),
        (Answer(1), Fate.UNKNOWN, "without a status"),
        (None, Fate.UNKNOWN, "no answer within 10 s"),
    ],
)
def test_what_becomes_of_an_order_is_what_is_known_of_it(answer: Answer | None, fate: Fate, detail: str) -> None:
    async def act(port: MemoryPort, panel: OpcUaDriver) -> None:
        attempt = asyncio.create_task(panel.attempt(order("speed-set", value="300")))
        assert await asked(port) == Write(1, node("SpeedSet"), "300")
        if answer is not None:
            await port.send(encode(answer))
        found = await attempt
        assert found.fate is fate
        assert detail in found.detail

    in_memory(act)


def test_orders_that_are_none_of_its_own_never_leave() -> None:
    async def act(port: MemoryPort, panel: OpcUaDriver) -> None:
        for wanted in (
            order("speed-set", Action.STOP),
            order("speed-set"),
            order("machine", Action.TRIP),
            Order("speed-set", None, Action.SET, START_US, Decimal(300)),
        ):
            assert (await panel.attempt(wanted)).fate is Fate.NOT_SENT
        assert await port.receive(1.0) == b""

    in_memory(act)


def test_a_command_may_be_a_node_that_is_written() -> None:
    for value, written in ((True, True), (3, "3"), ("GO", "GO")):
        settings = OpcUaSettings.model_validate(
            {**SETTINGS, "commands": [{"action": "stop", "node": "ns=2;s=Stop", "value": value}]}
        )

        async def play(settings: OpcUaSettings = settings, written: bool | str = written) -> None:  # noqa: FBT001 - a value
            ours, theirs = pair()
            panel = OpcUaDriver(settings)
            talk = asyncio.create_task(panel.run(ours, lambda _: None))
            await theirs.receive(1.0)
            attempt = asyncio.create_task(panel.attempt(order("machine", Action.STOP)))
            assert await asked(theirs) == Write(1, "ns=2;s=Stop", written)
            talk.cancel()
            await asyncio.gather(talk, return_exceptions=True)
            assert (await attempt).fate is Fate.UNKNOWN  # the session ended under it

        run(play())


def test_what_is_not_told_is_not_shown() -> None:
    async def act(port: MemoryPort, panel: OpcUaDriver) -> None:
        looking = asyncio.create_task(panel.observe(None, "machine"))
        question = await asked(port)
        assert isinstance(question, Read)
        assert question.nodes == (node("State"), node("RemoteEnabled"))
        await port.send(encode(Answer(question.request, (Sample(status="BadNoData", level=2), Sample(value=True)))))
        assert (await looking).values == {"is_remote_enabled": True}
        for answer in (Answer(2, lost="gone"), None):
            looking = asyncio.create_task(panel.observe(None, "machine"))
            await asked(port)
            if answer is not None:
                await port.send(encode(answer))
            with pytest.raises(LinkError):
                await looking

    in_memory(act)


def test_without_a_session_nothing_is_sent() -> None:
    async def play() -> None:
        panel = OpcUaDriver(OpcUaSettings.model_validate(SETTINGS))
        assert (await panel.attempt(order("machine", Action.STOP))).fate is Fate.NOT_SENT
        with pytest.raises(LinkError):
            await panel.observe(None, "machine")
        assert len(panel.control_points()) == 5

    run(play())


def test_effects_that_cannot_be_told_are_neither() -> None:
    panel = OpcUaDriver(OpcUaSettings.model_validate(SETTINGS))
    nothing = Shown(0)
    for wanted in (order("speed-set", value="3"), order("machine", Action.STOP)):
        assert panel.is_done(wanted, nothing, nothing) is None


def test_a_call_names_its_owner() -> None:
    async def act(port: MemoryPort, panel: OpcUaDriver) -> None:
        attempt = asyncio.create_task(panel.attempt(order("machine", Action.STOP)))
        assert await asked(port) == Call(1, OWNER, node("Stop"))
        await port.send(encode(Answer(1, status("Good", 0))))
        assert (await attempt).fate is Fate.ACCEPTED

    in_memory(act)


def test_a_server_that_answers_nothing_is_not_asked_without_end() -> None:
    async def act(port: MemoryPort, panel: OpcUaDriver) -> None:
        looking = [asyncio.create_task(panel.observe(None, "machine")) for _ in range(100)]
        await port.pause(0.1)
        attempt = await panel.attempt(order("machine", Action.STOP))
        assert (attempt.fate, attempt.detail) == (Fate.NOT_SENT, "100 requests wait for the server already")
        found = await asyncio.gather(*looking, return_exceptions=True)
        assert all(isinstance(each, LinkError) for each in found)

    in_memory(act)
