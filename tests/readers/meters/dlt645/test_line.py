from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from readers.codecs.dlt645 import Decoder, Frame, encode, identifier_bytes
from readers.errors import LinkError
from readers.meters.dlt645.line import MAX_PARTS, Line, NoReplyError, RefusedError
from readers.observations import Observation, Rejected
from readers.ports.memory import MemoryPort, pair, run

A1 = "000000000161"
ENERGY = 0x00010000
NAME = identifier_bytes(ENERGY)
Answers = Callable[[Frame], Sequence[bytes]]


def reply(data: bytes = b"\x26\x00\x00\x00", control: int = 0x91, address: str = A1, name: bytes = NAME) -> bytes:
    return encode(Frame(address, control, name + data))


async def device(port: MemoryPort, answers: Answers) -> None:
    decoder = Decoder()
    while True:
        for request in decoder.feed(await port.receive(10)):
            for piece in answers(request):
                await port.pause(0.03)
                await port.send(piece)


def ask(answers: Answers, tries: int = 2, *, address: bool = False) -> tuple[bytes | str, list[Observation]]:
    """What the line makes of a device that answers like this."""
    heard: list[Observation] = []

    async def scene() -> bytes | str:
        ours, theirs = pair("line")
        line = Line(ours, heard.append, wake_up_bytes=4, baud=2400)
        twin = asyncio.create_task(device(theirs, answers))
        try:
            if address:
                return await line.ask_address(tries, "m1")
            return await line.read(A1, ENERGY, tries, "m1")
        finally:
            twin.cancel()
            await asyncio.gather(twin, return_exceptions=True)

    return run(scene()), heard


def test_the_data_of_a_reply() -> None:
    assert ask(lambda _: [reply()]) == (b"\x26\x00\x00\x00", [])


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (reply(address="000000000162"), "foreign_address"),
        (reply(name=identifier_bytes(0x00020000)), "foreign_identifier"),
        (reply(control=0x93), "foreign_function"),
        (encode(Frame(A1, 0x91)), "foreign_identifier"),
        (encode(Frame(A1, 0xD1)), "data_length"),
        (encode(Frame(A1, 0xD1, b"\x02\x02")), "data_length"),
        (reply()[:-2] + b"\x00\x16", "checksum"),
    ],
)
def test_what_is_no_reply_is_counted_and_the_reply_still_taken(wrong: bytes, reason: str) -> None:
    data, heard = ask(lambda _: [wrong, reply()])
    assert data == b"\x26\x00\x00\x00"
    assert [
        (o.reason, o.source) for o in heard if isinstance(o, Rejected) and o.reason not in ("noise_bytes", "start")
    ] == [(reason, "m1")]


def test_an_echo_is_neither_a_reply_nor_a_fault() -> None:
    data, heard = ask(lambda request: [encode(request, 4), reply()])
    assert data == b"\x26\x00\x00\x00"
    assert heard == []


def test_an_error_byte_is_a_refusal() -> None:
    with pytest.raises(RefusedError) as raised:
        ask(lambda _: [encode(Frame(A1, 0xD1, b"\x06"))])
    assert raised.value.error == 6


def test_no_reply_says_who_was_asked_for_what_and_how_often() -> None:
    with pytest.raises(NoReplyError, match="line: meter 000000000161 was asked 2 times for 00010000 and did not"):
        ask(lambda _: [])
    with pytest.raises(NoReplyError, match="AAAAAAAAAAAA was asked once for the address"):
        ask(lambda _: [], 1, address=True)


def test_a_reply_behind_a_false_start_is_found_when_the_line_falls_silent() -> None:
    lookalike = bytes.fromhex("68 00 00 00 00 00 00 68 91 C0")  # announces 192 bytes that never come
    data, heard = ask(lambda _: [lookalike + reply()], 1)
    assert data == b"\x26\x00\x00\x00"
    assert "truncated" in [o.reason for o in heard if isinstance(o, Rejected)]


def test_babble_does_not_hold_the_line_for_ever() -> None:
    async def scene() -> float:
        ours, theirs = pair("line")
        line = Line(ours, lambda _: None, wake_up_bytes=0, baud=2400)

        async def babble() -> None:
            while True:
                await theirs.pause(0.1)
                await theirs.send(bytes.fromhex("68 00 00 00 00 00 00 68 91 C0"))

        twin = asyncio.create_task(babble())
        began_s = ours.monotonic_s()
        with pytest.raises(NoReplyError):
            await line.read(A1, ENERGY, 1, "m1")
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return ours.monotonic_s() - began_s

    assert run(scene()) < 3


def test_a_reply_without_an_end_is_given_up() -> None:
    def endless(request: Frame) -> list[bytes]:
        part = request.data[4:]
        return [reply(b"\x01" + part, 0xB2 if part else 0xB1)]

    heard: list[Observation] = []
    with pytest.raises(NoReplyError, match=f"00010000 has no end after {MAX_PARTS} frames"):
        heard += ask(endless)[1]


def test_a_part_out_of_turn_is_not_taken() -> None:
    def parts(request: Frame) -> list[bytes]:
        if request.function == 0x11:
            return [reply(b"\x26\x00", 0xB1)]
        return [reply(b"\x99\x99\x07", 0x92), reply(b"\x00\x00\x01", 0x92)]

    data, heard = ask(parts)
    assert data == b"\x26\x00\x00\x00"
    assert [o.reason for o in heard if isinstance(o, Rejected)] == ["foreign_part"]


def test_an_address_reply_without_an_address_is_no_answer() -> None:
    with pytest.raises(NoReplyError, match="000000000161 with 5 bytes, 6 bytes of digits would be right"):
        ask(lambda _: [encode(Frame(A1, 0x93, bytes(5)))], address=True)
    assert ask(lambda _: [encode(Frame(A1, 0x93, bytes.fromhex(A1)[::-1]))], address=True)[0] == A1


def test_a_link_that_ends_is_no_silent_meter() -> None:
    async def scene() -> None:
        ours, theirs = pair("line")
        await theirs.close()
        await Line(ours, lambda _: None, wake_up_bytes=0, baud=2400).read(A1, ENERGY, 1, "m1")

    with pytest.raises(LinkError, match="line"):
        run(scene())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Frame(A1, 0xD3, b"\x01"), "refuses to tell its address, with error 01; set the address"),
        (Frame("A" * 12, 0x93, bytes(6)), "came as AAAAAAAAAAAA"),
    ],
)
def test_a_meter_that_does_not_tell_its_address_is_one_that_does_not_answer(answer: Frame, words: str) -> None:
    with pytest.raises(NoReplyError, match=words):
        ask(lambda _: [encode(answer)], address=True)


def test_what_comes_while_nobody_asks_is_counted() -> None:
    async def scene() -> float:
        ours, theirs = pair("line")
        line = Line(ours, heard.append, wake_up_bytes=0, baud=2400)
        await theirs.send(reply() + b"\x01\x02")
        await line.idle(10.0)
        return ours.monotonic_s()

    heard: list[Observation] = []
    assert run(scene()) == pytest.approx(10.0, abs=0.01)
    assert [(o.reason, o.count) for o in heard if isinstance(o, Rejected)] == [("noise_bytes", 2), ("late", 1)]


def test_a_line_that_never_stops_talking_is_asked_all_the_same() -> None:
    async def scene() -> bytes:
        ours, theirs = pair("line")

        async def chatter() -> None:
            decoder = Decoder()
            for _ in range(200):
                await theirs.send(b"\x00\x01")
                for _ in decoder.feed(await theirs.receive(0.001)):
                    await theirs.send(reply())

        twin = asyncio.create_task(chatter())
        data = await Line(ours, heard.append, wake_up_bytes=0, baud=2400).read(A1, ENERGY, 1, "m1")
        await twin
        return data

    heard: list[Observation] = []
    assert run(scene()) == b"\x26\x00\x00\x00"
    assert {o.reason for o in heard if isinstance(o, Rejected)} == {"noise_bytes"}
