from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from readers.bus import NoReplyError
from readers.codecs.dlt645 import Decoder, Frame, encode, identifier_bytes
from readers.errors import LinkError
from readers.meters.dlt645.line import MAX_PARTS, Line, RefusedError
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
                return await line.ask_address(tries, "m1", line.habits())
            return await line.read(A1, ENERGY, tries, "m1", line.habits())
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
            await line.read(A1, ENERGY, 1, "m1", line.habits())
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
        line = Line(ours, lambda _: None, wake_up_bytes=0, baud=2400)
        await line.read(A1, ENERGY, 1, "m1", line.habits())

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
    heard: list[Observation] = []
    line = Line(pair("line")[0], heard.append, wake_up_bytes=0, baud=2400)
    line.stray(reply() + b"\x01\x02")
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
        line = Line(ours, heard.append, wake_up_bytes=0, baud=2400)
        data = await line.read(A1, ENERGY, 1, "m1", line.habits())
        await twin
        return data

    heard: list[Observation] = []
    assert run(scene()) == b"\x26\x00\x00\x00"
    assert {o.reason for o in heard if isinstance(o, Rejected)} == {"noise_bytes"}


def test_the_line_rests_between_a_reply_and_the_next_request() -> None:
    async def scene() -> list[float]:
        ours, theirs = pair("line")
        line = Line(ours, lambda _: None, wake_up_bytes=0, baud=2400)
        asked: list[float] = []

        def note(_: Frame) -> list[bytes]:
            asked.append(theirs.monotonic_s())
            return [reply()]

        twin = asyncio.create_task(device(theirs, note))
        for _ in range(2):
            await line.read(A1, ENERGY, 1, "m1", line.habits())
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return asked

    first_s, second_s = run(scene())
    assert second_s - first_s >= 0.03 + 3.5 * 11 / 2400


def test_a_quick_meter_is_waited_for_less_and_a_slow_one_again_as_long_as_the_standard_says() -> None:
    async def scene() -> tuple[float, float]:
        ours, theirs = pair("line")
        line = Line(ours, lambda _: None, wake_up_bytes=4, baud=9600)
        habits = line.habits()
        twin = asyncio.create_task(device(theirs, lambda _: [reply()]))
        for _ in range(20):
            await line.read(A1, ENERGY, 1, "m1", habits)
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        waits = []
        for _ in range(2):
            began_s = ours.monotonic_s()
            with pytest.raises(NoReplyError):
                await line.read(A1, ENERGY, 1, "m1", habits)
            waits.append(ours.monotonic_s() - began_s)
        return waits[0], waits[1]

    learnt_s, full_s = run(scene())
    assert learnt_s < 0.25
    assert 0.7 < full_s < 0.8


def test_an_order_is_sent_once_with_all_wake_up_bytes() -> None:
    order = Frame(A1, 0x1C, bytes(16))

    async def scene(answers: Answers) -> tuple[Frame | None, bytes]:
        ours, theirs = pair("line")
        line = Line(ours, lambda _: None, wake_up_bytes=4, baud=2400)
        twin = asyncio.create_task(device(theirs, answers))
        found = await line.order(order, "m1")
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return found, bytes(ours.sent)

    assert run(scene(lambda _: [encode(Frame(A1, 0x9C))])) == (Frame(A1, 0x9C), encode(order, 4))
    assert run(scene(lambda _: [encode(Frame(A1, 0xDC, b"\x04\x00\x01"))]))[0] == Frame(A1, 0xDC, b"\x04\x00\x01")
    assert run(scene(lambda _: [encode(Frame("000000000162", 0x9C))])) == (None, encode(order, 4))
    assert run(scene(lambda _: [])) == (None, encode(order, 4))


def test_a_broadcast_is_waited_out_and_not_for_an_answer() -> None:
    broadcast = Frame("9" * 12, 0x08, bytes(6))

    async def scene() -> tuple[float, list[float]]:
        ours, theirs = pair("line")
        line = Line(ours, lambda _: None, wake_up_bytes=0, baud=2400)
        heard: list[float] = []

        def note(_: Frame) -> list[bytes]:
            heard.append(theirs.monotonic_s())
            return []

        twin = asyncio.create_task(device(theirs, note))
        await line.tell(broadcast)
        told_s = ours.monotonic_s()
        await line.order(Frame(A1, 0x1C, bytes(16)), "m1")
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        assert heard[1] - heard[0] >= line.sending_s(broadcast)
        return told_s, heard

    told_s, heard = run(scene())
    assert told_s == 0
    assert len(heard) == 2


def test_a_frame_that_hides_behind_a_false_start_until_time_is_up_is_late() -> None:
    heard: list[Observation] = []
    lookalike = bytes.fromhex("68 00 00 00 00 00 00 68 91 C0")

    class Slow(MemoryPort):
        """Bytes come at the last moment each time."""

        async def receive(self, within_s: float) -> bytes:
            if not within_s:
                return b""
            await self.pause(within_s)
            return lookalike + reply()

    async def scene() -> None:
        ours, theirs = Slow("line"), MemoryPort("line (device)")
        ours.connect(theirs)
        line = Line(ours, heard.append, wake_up_bytes=0, baud=2400)
        with pytest.raises(NoReplyError):
            await line.read(A1, ENERGY, 1, "m1", line.habits())

    run(scene())
    assert "late" in {o.reason for o in heard if isinstance(o, Rejected)}


def test_an_echo_that_comes_unasked_is_no_late_reply() -> None:
    heard: list[Observation] = []
    Line(pair("line")[0], heard.append, wake_up_bytes=0, baud=2400).stray(encode(Frame(A1, 0x11, NAME)))
    assert heard == []


def test_a_line_that_always_has_bytes_is_not_emptied_for_ever() -> None:
    class Noisy(MemoryPort):
        async def receive(self, within_s: float) -> bytes:
            return b"\x00" if within_s == 0 else await super().receive(within_s)

    async def scene() -> bytes:
        ours, theirs = Noisy("line"), MemoryPort("line (device)")
        ours.connect(theirs)
        line = Line(ours, lambda _: None, wake_up_bytes=0, baud=2400)
        twin = asyncio.create_task(device(theirs, lambda _: [reply()]))
        data = await line.read(A1, ENERGY, 1, "m1", line.habits())
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return data

    assert run(scene()) == b"\x26\x00\x00\x00"
