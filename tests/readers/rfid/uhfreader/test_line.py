from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from readers.codecs.uhfreader import Command, Frame
from readers.observations import Observation
from readers.ports.memory import MemoryPort, pair, run
from readers.rfid.uhfreader.line import Line, NoAnswerError, answers
from tests.readers.rfid.uhfreader.support import raw
from tests.support.heard import rejected_in

OK = "00"


def test_what_answers_a_command() -> None:
    answer = Frame(3, Command.INFO, b"\x00")
    assert answers(answer, 3, Command.INFO)
    assert answers(answer, 255, Command.INFO)
    assert not answers(answer, 4, Command.INFO)
    assert not answers(answer, 3, Command.SERIAL)
    refusal = Frame(3, Command.NOT_UNDERSTOOD, b"\xfe")
    assert answers(refusal, 3, Command.SERIAL)
    assert not answers(Frame(3, Command.NOT_UNDERSTOOD, b"\x00"), 3, Command.SERIAL)


def on_line(
    scene: Callable[[Line], Coroutine[Any, Any, Any]], device: Callable[[MemoryPort], Coroutine[Any, Any, None]]
) -> tuple[Any, list[Observation], list[Frame]]:
    async def whole() -> tuple[Any, list[Observation], list[Frame]]:
        ours, theirs = pair()
        heard: list[Observation] = []
        frames: list[Frame] = []
        line = Line(ours, heard.append, 0.05, frames.extend)
        other = asyncio.create_task(device(theirs))
        try:
            return await scene(line), heard, frames
        finally:
            other.cancel()
            await asyncio.gather(other, return_exceptions=True)

    return run(whole())


def test_a_command_that_was_garbled_is_sent_again() -> None:
    async def device(port: MemoryPort) -> None:
        await port.receive(60)
        await port.send(raw(3, 0, "FE"))
        await port.receive(60)
        await port.send(raw(3, Command.SERIAL, "00 11 22 33 44"))

    answer, heard, frames = on_line(lambda line: line.ask(3, Command.SERIAL), device)
    assert answer.data == bytes.fromhex("11223344")
    assert not heard
    assert len(frames) == 2


def test_one_that_is_refused_every_time_is_refused() -> None:
    async def device(port: MemoryPort) -> None:
        while True:
            await port.receive(60)
            await port.send(raw(3, 0, "FE"))

    answer, _, frames = on_line(lambda line: line.ask(3, Command.SERIAL), device)
    assert (answer.command, answer.status) == (0, 0xFE)
    assert len(frames) == 3


def test_answers_of_others_and_to_others_are_passed_over() -> None:
    async def device(port: MemoryPort) -> None:
        await port.receive(60)
        await port.send(raw(4, Command.INFO, OK) + raw(3, Command.SERIAL, OK) + raw(3, Command.INFO, OK))

    answer, _, frames = on_line(lambda line: line.ask(3, Command.INFO), device)
    assert (answer.address, answer.command) == (3, Command.INFO)
    assert len(frames) == 3  # all were heard


def test_silence_is_told_after_three_tries() -> None:
    async def device(port: MemoryPort) -> None:
        while True:
            await port.receive(60)

    async def scene(line: Line) -> float:
        with pytest.raises(
            NoAnswerError, match=r"address 3 was sent command 21 3 times without an answer within 0\.5 s"
        ):
            await line.ask(3, Command.INFO)
        return line.port.monotonic_s()

    assert on_line(scene, device)[0] == pytest.approx(1.5)


def test_a_command_is_written_in_one_piece() -> None:
    async def device(port: MemoryPort) -> None:
        assert await port.receive(60) == raw(3, Command.SET_POWER, "1E")
        await port.send(raw(3, Command.SET_POWER, OK))

    assert on_line(lambda line: line.ask(3, Command.SET_POWER, b"\x1e"), device)[0].status == 0


def test_the_line_is_quiet_when_nothing_comes_for_a_pause() -> None:
    async def device(port: MemoryPort) -> None:
        for _ in range(5):
            await port.send(raw(3, Command.INVENTORY, "03 01 00") + b"\xf0\x11\x01")
            await port.pause(0.03)

    async def scene(line: Line) -> float:
        await line.quiet()
        return line.port.monotonic_s()

    elapsed_s, heard, frames = on_line(scene, device)
    assert 0.15 < elapsed_s < 0.3
    assert len(frames) == 5
    assert "truncated" in rejected_in(heard)


def test_a_line_that_is_never_quiet_is_not_waited_for_for_ever() -> None:
    async def device(port: MemoryPort) -> None:
        while True:
            await port.send(b"\x00")
            await port.pause(0.01)

    async def scene(line: Line) -> float:
        await line.quiet()
        return line.port.monotonic_s()

    assert on_line(scene, device)[0] == pytest.approx(2.0, abs=0.1)


def test_an_echo_of_an_inventory_is_no_answer() -> None:
    async def device(port: MemoryPort) -> None:
        await port.send(await port.receive(60))
        await port.send(raw(3, Command.INVENTORY, "01 01 00"))

    async def scene(line: Line) -> list[Frame]:
        await line.send(Frame(3, Command.INVENTORY, bytes.fromhex("04 00 01 00 00 00 00 80 03")))
        found: list[Frame] = []
        while not found:
            found = await line.listen(1.0)
        return found

    found, heard, frames = on_line(scene, device)
    assert found == frames == [Frame(3, Command.INVENTORY, bytes.fromhex("01 01 00"))]
    assert rejected_in(heard) == {"echo": 1}
