from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from readers.codecs.thingmagic import Decoder, Frame, Opcode, Speaker, Status, encode
from readers.observations import Condition, Observation, Rejected
from readers.ports.echo import EchoStrippingPort
from readers.ports.memory import MemoryPort, pair, run
from readers.rfid.thingmagic.conversation import Conversation, NoAnswerError, RefusedError, RestartedError

Answers = list[list[Frame]]
STOPPED = Frame(Opcode.MULTI_PROTOCOL, b"\x02", Status.SUCCESS)
REGION = Frame(Opcode.GET_REGION, b"\x0d", Status.SUCCESS)
CYCLE = Frame(Opcode.READ_TAG_MULTIPLE, b"", Status.NO_TAGS)
TAG = Frame(Opcode.READ_TAG_MULTIPLE, b"\x10", Status.SUCCESS)
BOOTED = Frame(Opcode.BOOT_FIRMWARE, bytes(20), Status.SUCCESS)


def played(answers: Answers, what: Callable[[Conversation], Awaitable[object]]) -> tuple[list[Observation], int]:
    """Do `what` with a module that gives these answers to one command after another: reports, and commands heard."""
    heard: list[Observation] = []
    commands = 0

    async def device(port: MemoryPort) -> None:
        nonlocal commands
        decoder = Decoder(Speaker.HOST)
        while True:
            for _ in decoder.feed(await port.receive(3600)):
                commands += 1
                for frame in answers[commands - 1] if commands <= len(answers) else []:
                    await port.send(encode(frame))

    async def scene() -> None:
        ours, theirs = pair()
        task = asyncio.create_task(device(theirs))
        try:
            await what(Conversation(ours, heard.append))
        finally:
            task.cancel()

    run(scene())
    return heard, commands


def test_an_answer_begins_with_what_was_asked_for() -> None:
    async def scene(talk: Conversation) -> None:
        assert await talk.ask(Opcode.GET_ANTENNA, b"\x05", echo=b"\x05") == b"\x01\x01"

    stale = Frame(Opcode.GET_ANTENNA, b"\x04\x01", Status.SUCCESS)
    right = Frame(Opcode.GET_ANTENNA, b"\x05\x01\x01", Status.SUCCESS)
    assert played([[REGION, stale, right]], scene) == ([], 1)


def test_a_command_is_repeated_until_it_is_answered() -> None:
    async def scene(talk: Conversation) -> None:
        assert await talk.ask(Opcode.GET_REGION) == b"\x0d"
        assert talk.port.monotonic_s() == pytest.approx(1.0)

    assert played([[], [], [REGION]], scene) == ([], 3)


def test_no_answer_is_an_error_with_the_command() -> None:
    async def scene(talk: Conversation) -> None:
        with pytest.raises(NoAnswerError, match=r"memory: command 67 was sent 3 times without an answer within 0\.5 s"):
            await talk.ask(Opcode.GET_REGION)

    assert played([], scene) == ([], 3)


def test_a_status_is_a_refusal() -> None:
    async def scene(talk: Conversation) -> None:
        with pytest.raises(RefusedError, match="010B"):
            await talk.ask(Opcode.SET_REGION, b"\x63")

    assert played([[Frame(Opcode.SET_REGION, b"", Status.UNKNOWN_REGION)]], scene) == ([], 1)


@pytest.mark.parametrize("frame", [BOOTED, Frame(Opcode.USER_PROFILE, b"", Status.SUCCESS)])
def test_a_restart_is_an_error(frame: Frame) -> None:
    async def scene(talk: Conversation) -> None:
        with pytest.raises(RestartedError, match="has restarted"):
            await talk.ask(Opcode.GET_REGION)
        with pytest.raises(RestartedError):
            await talk.stop()

    played([[frame], [frame]], scene)


def test_the_stream_goes_its_own_way() -> None:
    streamed: list[Frame] = []

    async def scene(talk: Conversation) -> None:
        talk.on_stream = streamed.extend
        assert await talk.ask(Opcode.GET_REGION) == b"\x0d"
        assert talk.heard_stream

    assert played([[TAG, CYCLE, REGION]], scene) == ([], 1)
    assert streamed == [TAG, CYCLE]


def test_a_stream_that_nobody_asked_for_is_counted() -> None:
    async def scene(talk: Conversation) -> None:
        await talk.stop()

    heard, _ = played([[TAG, CYCLE, TAG, STOPPED]], scene)
    assert [(o.reason, o.count, o.reads_lost) for o in heard if isinstance(o, Rejected)] == [
        ("unasked", 1, 1),
        ("unasked", 1, 1),
    ]


def test_a_module_that_does_not_read_refuses_to_stop_which_is_as_good() -> None:
    async def scene(talk: Conversation) -> None:
        await talk.stop()

    late_start = Frame(Opcode.MULTI_PROTOCOL, b"\x01\x22\x00\x00", Status.SUCCESS)
    assert played([[late_start, Frame(Opcode.MULTI_PROTOCOL, b"", Status.WRONG_DATA)]], scene) == ([], 1)


def test_the_answer_to_an_earlier_stop_is_waited_for() -> None:
    async def scene(talk: Conversation) -> None:
        await talk.stop()
        assert await talk.ask(Opcode.MULTI_PROTOCOL, tries=1) == b"\x01"

    refusal = Frame(Opcode.MULTI_PROTOCOL, b"", Status.WRONG_DATA)
    started = Frame(Opcode.MULTI_PROTOCOL, b"\x01", Status.SUCCESS)
    assert played([[], [STOPPED, refusal], [started]], scene) == ([], 3)


def test_a_stop_that_is_not_confirmed_is_an_error() -> None:
    async def scene(talk: Conversation) -> None:
        with pytest.raises(NoAnswerError, match="asked 3 times to stop reading and did not confirm it within 3 s"):
            await talk.stop()

    assert played([], scene) == ([], 3)


def test_conditions_are_told_once() -> None:
    async def scene(talk: Conversation) -> None:
        talk.begin("too_hot", "42")
        talk.begin("too_hot", "43")
        talk.end("other")
        talk.end("too_hot")
        talk.end("too_hot")

    heard, _ = played([], scene)
    assert [(o.name, o.active) for o in heard if isinstance(o, Condition)] == [("too_hot", True), ("too_hot", False)]


def test_the_echo_of_the_run_that_wakes_is_stripped() -> None:
    heard: list[Observation] = []

    async def scene() -> None:
        ours, theirs = pair()

        async def echo() -> None:
            while True:
                data = await theirs.receive(3600)
                await theirs.send(data)
                if data.endswith(encode(Frame(Opcode.GET_REGION))):
                    await theirs.send(encode(REGION))

        task = asyncio.create_task(echo())
        talk = Conversation(EchoStrippingPort(ours), heard.append)
        await talk.wake()
        assert await talk.ask(Opcode.GET_REGION, tries=1) == b"\x0d"
        task.cancel()

    run(scene())
    assert heard == []
