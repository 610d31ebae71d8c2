from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from readers.codecs.hopeland import Decoder, Frame, Kind, Message, encode
from readers.codecs.hopeland_tags import Tag
from readers.observations import Observation, Rejected
from readers.ports.memory import MemoryPort, pair, run
from readers.rfid.hopeland.line import Line, NoAnswerError, RefusedError

TAG = Frame(Kind.RFID, Message.TAG, Tag(b"\x12\x34", 0x0800, 1).data(), is_unasked=True)
STOPPED = Frame(Kind.RFID, Message.STOP, b"\x00")


def on_line(what: Callable[[Line], Awaitable[object]], *answers: Frame) -> tuple[list[Observation], int]:
    """Do `what` before a reader that gives these answers to each request: reports, and requests heard."""
    heard: list[Observation] = []
    requests = 0

    async def device(port: MemoryPort) -> None:
        nonlocal requests
        decoder = Decoder()
        while True:
            for _ in decoder.feed(await port.receive(3600)):
                requests += 1
                for frame in answers:
                    await port.send(encode(frame))

    async def scene() -> None:
        ours, theirs = pair()
        task = asyncio.create_task(device(theirs))
        try:
            await what(Line(ours, heard.append))
        finally:
            task.cancel()

    run(scene())
    return heard, requests


def test_an_answer_is_found_among_notices() -> None:
    told: list[Tag] = []

    async def scene(line: Line) -> None:
        line.is_reading = True
        line.on_tags = told.extend
        assert await line.ask(Kind.RFID, Message.STOP) == b"\x00"
        assert line.heard_bytes

    heard, requests = on_line(scene, TAG, Frame(Kind.RFID, Message.GET_POWER, b"\x01"), STOPPED)
    assert (heard, requests) == ([], 1)
    assert [tag.epc for tag in told] == [b"\x12\x34"]


def test_tags_that_nobody_asked_for_are_counted() -> None:
    heard, _ = on_line(lambda line: line.stop(), TAG, STOPPED)
    assert heard == [Rejected("unasked", 1, reads_lost=1)]


@pytest.mark.parametrize(("code", "has_finished"), [(0, True), (1, False), (2, True)])
def test_a_stop_of_ones_own_is_no_finish(code: int, *, has_finished: bool) -> None:
    async def scene(line: Line) -> None:
        await line.ask(Kind.RFID, Message.STOP)
        assert line.has_finished is has_finished

    on_line(scene, Frame(Kind.RFID, Message.FINISHED, bytes([code]), is_unasked=True), STOPPED)


def test_silence_is_told_after_three_tries() -> None:
    async def scene(line: Line) -> None:
        with pytest.raises(NoAnswerError, match="message 02 FF was sent 3 times without an answer within 1 s"):
            await line.ask(Kind.RFID, Message.STOP)

    assert on_line(scene)[1] == 3


def test_an_error_is_a_refusal() -> None:
    async def scene(line: Line) -> None:
        with pytest.raises(RefusedError, match="error 03 02 11"):
            await line.ask(Kind.RFID, Message.WRITE_EPC)

    on_line(scene, Frame(Kind.ERROR, 3, b"\x02\x11", is_unasked=True))


def reasons(heard: Sequence[Observation]) -> list[str]:
    return [o.reason for o in heard if isinstance(o, Rejected)]


def test_an_error_in_answer_to_stop_is_as_good() -> None:
    heard, _ = on_line(lambda line: line.stop(), Frame(Kind.ERROR, 0, bytes(6), is_unasked=True))
    assert reasons(heard) == ["error"]
