from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from readers.codecs.cf import Command, Frame, encode
from readers.observations import Observation, Rejected, TagRead, TagReads
from readers.ports.memory import MemoryPort, pair, run
from readers.rfid.cf.line import Line, NoAnswerError, is_tag


def raw(command: int, body: str, address: int = 0) -> bytes:
    return encode(Frame(address, command, bytes.fromhex(body)))


def on_line(
    scene: Callable[[Line], Coroutine[Any, Any, Any]],
    device: Callable[[MemoryPort], Coroutine[Any, Any, None]],
    address: int = 255,
) -> tuple[Any, list[Observation]]:
    async def whole() -> tuple[Any, list[Observation]]:
        ours, theirs = pair()
        heard: list[Observation] = []
        other = asyncio.create_task(device(theirs))
        try:
            return await scene(Line(ours, heard.append, address)), heard
        finally:
            other.cancel()
            await asyncio.gather(other, return_exceptions=True)

    return run(whole())


def test_an_answer_is_found_among_tags_and_echoes() -> None:
    async def device(port: MemoryPort) -> None:
        asked = await port.receive(60)
        tag = raw(Command.START, "00 FE C0 02 03 02 AB CD")
        await port.send(asked + tag + raw(Command.STOP, "") + raw(Command.STOP, "00"))

    answer, heard = on_line(lambda line: line.ask(Command.STOP), device)
    assert answer.body == b"\x00"
    [reads] = [o for o in heard if isinstance(o, TagReads)]
    assert list(reads.rows()) == [TagRead(b"\xab\xcd", 2, -32.0, channel_index=4)]
    assert [o.reason for o in heard if isinstance(o, Rejected)] == ["echo"]


def test_an_antenna_that_is_not_counted_is_the_first() -> None:
    async def device(port: MemoryPort) -> None:
        await port.send(raw(Command.START, "00 FE C0 00 00 02 AB CD"))

    _, heard = on_line(lambda line: line.listen(1.0), device)
    [reads] = [o for o in heard if isinstance(o, TagReads)]
    assert reads.antenna_port == [1]


def test_frames_of_another_reader_are_not_read() -> None:
    async def device(port: MemoryPort) -> None:
        tag = "00 FE C0 01 00 02 AB CD"
        await port.send(raw(Command.START, tag, address=3) + raw(Command.START, tag, address=4))

    frames, heard = on_line(lambda line: line.listen(1.0), device, address=4)
    assert [frame.address for frame in frames] == [4]
    assert [o.reason for o in heard if isinstance(o, Rejected)] == ["address"]


def test_silence_is_told_after_three_tries() -> None:
    async def device(port: MemoryPort) -> None:
        while True:
            await port.receive(60)

    async def scene(line: Line) -> float:
        with pytest.raises(NoAnswerError, match=r"command 0070 was sent 3 times without an answer within 0\.5 s"):
            await line.ask(Command.INFO)
        return line.port.monotonic_s()

    assert on_line(scene, device)[0] == pytest.approx(1.5)


def test_what_is_a_tag() -> None:
    assert is_tag(Frame(0, Command.START, b"\x00\x01"))
    assert not is_tag(Frame(0, Command.START, b"\x00"))
    assert not is_tag(Frame(0, Command.START, b"\x12\x01"))
    assert not is_tag(Frame(0, Command.STOP, b"\x00\x01"))
