from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from readers.bus import NoReplyError
from readers.codecs.modbus import Frame, Function, Refusal, packed_bits, packed_registers
from readers.codecs.modbus_blocks import Limits, Span
from readers.modbus_device import RETRY_REFUSED_S, Device, Found, Learnt, refusal_name
from readers.modbus_line import Framing, Line, reply_delay
from readers.observations import Condition, Observation, Severity, Watching
from readers.ports.memory import MemoryPort, pair, run
from simulator.modbus_server import answered, refused, serve

H, COILS = Function.READ_HOLDING_REGISTERS, Function.READ_COILS
WANTED = [Span(H, 0, 2), Span(H, 2, 2), Span(H, 8, 2), Span(H, 12)]


@dataclass
class Registers:
    """Registers 0 to 99 that hold their own number. Implements `simulator.modbus_server.Unit`."""

    missing: set[int] = field(default_factory=set)
    silent_on: set[int] = field(default_factory=set)
    refusal: Refusal | None = None
    is_mute: bool = False
    answer_after_s: float = 0.01
    asked: list[tuple[int, int]] = field(default_factory=list)

    def answer(self, request: Frame, now_us: int) -> Frame | None:
        assert now_us
        address, count = int.from_bytes(request.data[:2], "big"), int.from_bytes(request.data[2:4], "big")
        self.asked.append((address, count))
        touched = range(address, address + count)
        if self.is_mute or self.silent_on.intersection(touched):
            return None
        if self.refusal is not None:
            return refused(request, self.refusal)
        if self.missing.intersection(touched):
            return refused(request, Refusal.ILLEGAL_ADDRESS)
        if request.function == COILS:
            return answered(request, packed_bits([address % 2 == 1 for address in touched]))
        return answered(request, packed_registers(list(touched)))


class Scene:
    """A device in front of simulated registers, in virtual time."""

    def __init__(self, registers: Registers, learnt: Learnt | None = None, limits: Limits | None = None) -> None:
        self.heard: list[Observation] = []
        self.registers = registers
        self.learnt = learnt or Learnt()
        self._limits = limits or Limits(gap=10)
        self.device: Device

    def play(self, story: Callable[[MemoryPort], Awaitable[None]], *, is_gateway: bool = False) -> None:
        async def whole() -> None:
            ours, theirs = pair()
            serving = asyncio.create_task(serve(theirs, {1: self.registers}, is_tcp=True, is_gateway=is_gateway))
            line = Line(ours, self.heard.append, framing=Framing.TCP, units=[1], baud=9600)
            self.device = Device(
                "m1",
                1,
                line,
                kind="meter",
                limits=self._limits,
                learnt=self.learnt,
                delay=reply_delay(1.0),
                named=lambda span: f"value {span.address}",
            )
            await story(ours)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

        run(whole())

    def play_reads(self, times: int) -> None:
        async def story(port: MemoryPort) -> None:
            del port
            for _ in range(times):
                await self.read()

        self.play(story)

    async def read(self) -> Found:
        found: Found = {}
        await self.device.read(WANTED, found)
        return found

    def conditions(self) -> list[tuple[str, str, bool]]:
        return [(each.name, each.key, each.active) for each in self.heard if isinstance(each, Condition)]


def test_one_request_brings_all() -> None:
    scene = Scene(Registers())

    async def story(port: MemoryPort) -> None:
        del port
        assert await scene.read() == {WANTED[0]: [0, 1], WANTED[1]: [2, 3], WANTED[2]: [8, 9], WANTED[3]: [12]}

    scene.play(story)
    assert scene.registers.asked == [(0, 13)]
    assert scene.heard == [Watching(source="m1")]


def test_bits_are_read_too() -> None:
    scene = Scene(Registers())

    async def story(port: MemoryPort) -> None:
        del port
        found: Found = {}
        await scene.device.read([Span(COILS, 1), Span(COILS, 2)], found)
        assert found == {Span(COILS, 1): [1], Span(COILS, 2): [0]}

    scene.play(story)


def test_a_refused_request_is_split_and_that_is_remembered() -> None:
    scene = Scene(Registers(missing={5}))
    scene.play_reads(2)
    assert scene.registers.asked == [(0, 13), (0, 4), (8, 2), (12, 1), (0, 4), (8, 2), (12, 1)]
    assert scene.conditions() == []
    again = Scene(Registers(missing={5}), scene.learnt)
    again.play_reads(1)
    assert again.registers.asked == [(0, 4), (8, 2), (12, 1)]


def test_a_single_value_that_is_missing_is_told_and_asked_for_after_an_hour() -> None:
    scene = Scene(Registers(missing={3}))

    async def story(port: MemoryPort) -> None:
        assert set(await scene.read()) == {WANTED[0], WANTED[2], WANTED[3]}
        assert scene.conditions() == [("register_unsupported", "value 2", True)]
        scene.registers.asked.clear()
        await scene.read()
        assert (2, 2) not in scene.registers.asked
        scene.registers.missing.clear()
        await port.pause(RETRY_REFUSED_S)
        assert len(await scene.read()) == 4

    scene.play(story)
    assert scene.conditions()[1:] == [("register_unsupported", "value 2", False)]


def test_what_is_missing_is_told_anew_on_a_new_link() -> None:
    scene = Scene(Registers(missing={3}))
    scene.play_reads(1)
    again = Scene(Registers(missing={3}), scene.learnt)
    again.play_reads(2)
    assert again.conditions() == scene.conditions() == [("register_unsupported", "value 2", True)]


def test_a_device_that_is_silent_on_one_request_alone() -> None:
    scene = Scene(Registers(silent_on={9}), limits=Limits(gap=2))

    async def story(port: MemoryPort) -> None:
        del port
        for _ in range(6):
            assert set(await scene.read()) >= {WANTED[0], WANTED[1]}
        assert set(await scene.read()) == {WANTED[0], WANTED[1], WANTED[3]}

    scene.play(story)
    assert scene.conditions() == [("register_unsupported", "value 8", True)]


def test_a_silent_device_raises_with_what_came_before() -> None:
    scene = Scene(Registers(), limits=Limits(gap=0))

    async def story(port: MemoryPort) -> None:
        del port
        assert len(await scene.read()) == 4
        scene.registers.is_mute = True
        with pytest.raises(NoReplyError) as caught:
            await scene.read()
        scene.device.silent(str(caught.value))
        scene.device.silent("again")
        scene.registers.is_mute = False
        await scene.read()

    scene.play(story)
    silence = [each for each in scene.heard if isinstance(each, Condition)]
    assert [(each.name, each.active, each.severity) for each in silence] == [
        ("meter_silent", True, Severity.FAULT),
        ("meter_silent", False, Severity.FAULT),
    ]
    assert "unit 1 did not answer" in silence[0].detail
    watched = [each.active for each in scene.heard if isinstance(each, Watching)]
    assert watched == [True, False, True]


def test_a_gateway_that_does_not_hear_the_device_is_its_silence() -> None:
    scene = Scene(Registers(is_mute=True))

    async def story(port: MemoryPort) -> None:
        del port
        with pytest.raises(NoReplyError, match=r"the gateway answers for unit 1 .*gateway_target"):
            await scene.read()

    scene.play(story, is_gateway=True)
    assert Watching(source="m1") not in scene.heard


def test_a_busy_device_is_a_condition_that_ends() -> None:
    scene = Scene(Registers(refusal=Refusal.BUSY))

    async def story(port: MemoryPort) -> None:
        del port
        assert await scene.read() == {}
        assert await scene.read() == {}
        scene.registers.refusal = None
        assert len(await scene.read()) == 4

    scene.play(story)
    key = "holding registers 0 to 12"
    assert scene.conditions() == [("read_refused", key, True), ("read_refused", key, False)]


def test_one_run_alone() -> None:
    scene = Scene(Registers(missing={3}, silent_on={50}))

    async def story(port: MemoryPort) -> None:
        del port
        assert await scene.device.read_alone(Span(H, 7)) == [7]
        assert await scene.device.read_alone(Span(H, 3)) is None
        assert await scene.device.read_alone(Span(H, 50)) is None  # it answers otherwise
        scene.registers.is_mute = True
        with pytest.raises(NoReplyError):
            await scene.device.read_alone(Span(H, 50))

    scene.play(story)


def test_exceptions_in_words() -> None:
    assert refusal_name(2) == "illegal_address"
    assert refusal_name(0x55) == "exception 85"
