from __future__ import annotations

import asyncio
import contextlib

import pytest

from readers.errors import LinkError
from readers.gdw376_messages import (
    Afn,
    Forward,
    Frame,
    LinkFn,
    SerialLine,
    confirmation,
    cut,
    encode,
    forward,
    read_forwarded,
)
from readers.ports.memory import MemoryPort, pair, run
from simulator.meters.gdw376 import DEVICE, Behaviour, Terminal, serve

NAME = "44030004"
ASK = Forward(2, SerialLine(2400), 3, 100, b"ask")


async def meter(port: MemoryPort) -> None:
    """Answers whatever it hears, in two pieces."""
    while True:
        if await port.receive(10.0):
            await port.send(b"ans")
            await port.pause(0.05)
            await port.send(b"wer")


async def frames(port: MemoryPort, seconds: float) -> list[Frame]:
    await port.pause(seconds)
    buffer = bytearray(await port.receive(0))
    return list(cut(buffer))


async def with_terminal(behaviour: Behaviour, *requests: bytes, seconds: float = 5.0) -> tuple[list[Frame], Terminal]:
    ours, theirs = pair()
    near, far = pair()
    terminal = Terminal(NAME, {2: near}, behaviour)
    tasks = [asyncio.create_task(serve(theirs, terminal)), asyncio.create_task(meter(far))]
    found = await frames(ours, 0.5)
    for request in requests:
        await ours.send(request)
        found += await frames(ours, seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found, terminal


def talked(behaviour: Behaviour, *requests: bytes, seconds: float = 5.0) -> tuple[list[Frame], Terminal]:
    return run(with_terminal(behaviour, *requests, seconds=seconds))


def asked(**more: int) -> bytes:
    return encode(forward(NAME, more.get("number", 3), ASK))


def test_it_logs_in_and_beats() -> None:
    found, _ = talked(Behaviour(heartbeat_s=2.0), asked())
    assert [frame.fn for frame in found if frame.afn == Afn.LINK] == [LinkFn.LOGIN, LinkFn.HEARTBEAT, LinkFn.HEARTBEAT]
    assert all(frame.wants_confirmation and frame.terminal == NAME for frame in found if frame.afn == Afn.LINK)
    assert DEVICE == "gdw376"


def test_it_counts_confirmations() -> None:
    login = talked(Behaviour())[0][0]
    assert talked(Behaviour(), encode(confirmation(login)))[1].confirmed == 1


@pytest.mark.parametrize("has_events", [True, False])
def test_it_forwards_and_brings_back(has_events: bool) -> None:  # noqa: FBT001 - a parameter
    found, terminal = talked(Behaviour(has_events=has_events), asked())
    answer = found[-1]
    assert read_forwarded(answer).content == b"answer"
    assert answer.number == 3
    assert terminal.line_words == [0x6B]


def test_it_may_confirm_first_or_deny() -> None:
    found, _ = talked(Behaviour(confirms_first=True), asked())
    assert [(frame.afn, frame.fn) for frame in found[1:]] == [(Afn.CONFIRM, 1), (Afn.FORWARD, 1)]
    for behaviour in (Behaviour(denies=True), Behaviour(password=b"a" * 16)):
        found, _ = talked(behaviour, asked())
        assert [(frame.afn, frame.fn) for frame in found[1:]] == [(Afn.CONFIRM, 2)]
    other = encode(forward(NAME, 1, Forward(5, SerialLine(2400), 3, 100, b"ask")))
    assert [frame.afn for frame in talked(Behaviour(), other)[0][1:]] == [Afn.CONFIRM]


def test_silence() -> None:
    assert talked(Behaviour(silent=True, heartbeat_s=1.0, logs_in=False), asked())[0] == []
    foreign = encode(forward("44030005", 1, ASK))
    assert len(talked(Behaviour(), foreign)[0]) == 1  # its login


def test_a_link_that_ends_ends_it() -> None:
    async def scene() -> None:
        ours, theirs = pair()
        task = asyncio.create_task(serve(theirs, Terminal(NAME, {})))
        await ours.pause(1)
        await ours.close()
        with pytest.raises(LinkError):
            await task

    run(scene())


def test_what_is_no_frame_from_the_master_is_noticed() -> None:
    async def scene() -> None:
        ours, theirs = pair()
        task = asyncio.create_task(serve(theirs, Terminal(NAME, {})))
        await ours.send(bytes.fromhex("68 32 00 32 00 68 C9 00 02 34 12 00 02 71 00 00 01 00 86 16"))
        with pytest.raises(AssertionError, match="is no frame"):
            await task
        with contextlib.suppress(LinkError):
            await ours.close()

    run(scene())
