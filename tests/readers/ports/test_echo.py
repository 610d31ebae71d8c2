from __future__ import annotations

import asyncio
from collections.abc import Callable

from readers.ports.echo import ECHO_WITHIN_S, EchoStrippingPort
from readers.ports.memory import MemoryPort, pair, run


def heard_after(play: Callable[[MemoryPort], None], pause_s: float = 0.0) -> tuple[bytes, int]:
    """What comes up after `question` was sent and the line did this."""

    async def scene() -> tuple[bytes, int]:
        below, device = pair("line")
        port = EchoStrippingPort(below)
        await port.send(b"question")
        await port.pause(pause_s)
        play(below)
        heard = b""
        while piece := await port.receive(0.5):
            heard += piece
        assert await device.receive(0) == b"question"
        return heard, port.missed

    return run(scene())


def test_the_echo_is_taken_out_in_any_slicing() -> None:
    assert heard_after(lambda line: line.feed(b"questionanswer")) == (b"answer", 0)

    def drip(line: MemoryPort) -> None:
        for byte in b"questionanswer":
            line.feed(bytes([byte]))

    assert heard_after(drip) == (b"answer", 0)


def test_a_line_without_echo_loses_nothing() -> None:
    assert heard_after(lambda line: line.feed(b"answer")) == (b"answer", 1)


def test_a_garbled_echo_is_passed_on_and_counted() -> None:
    assert heard_after(lambda line: line.feed(b"quextionanswer")) == (b"quextionanswer", 1)


def test_noise_before_the_echo_does_not_hide_it() -> None:
    assert heard_after(lambda line: line.feed(b"\x00\xffquestionanswer")) == (b"\x00\xffanswer", 1)


def test_noise_may_come_by_itself_and_the_echo_in_pieces() -> None:
    async def scene() -> tuple[list[bytes], int]:
        below, _ = pair()
        port = EchoStrippingPort(below)
        heard = []
        for _ in range(2):
            await port.send(b"question")
            for piece in (b"\x00", b"\xffque", b"\xf0", b"stion", b"answer", b"question"):
                below.feed(piece)
                heard.append(await port.receive(0.1))
        return heard, port.missed

    assert run(scene()) == ([b"\x00", b"\xff", b"\xf0", b"", b"answer", b"question"] * 2, 2)


def test_as_many_other_bytes_as_were_sent_are_in_place_of_the_echo() -> None:
    async def scene() -> list[bytes]:
        below, _ = pair()
        port = EchoStrippingPort(below)
        await port.send(b"write")
        heard = []
        for piece in (b"wrXte", b"write"):  # the echo, and the same as the answer
            below.feed(piece)
            heard.append(await port.receive(0.1))
        return heard

    assert run(scene()) == [b"wrXte", b"write"]


def test_an_echo_is_not_waited_for_forever() -> None:
    late = ECHO_WITHIN_S + 0.1
    assert heard_after(lambda line: line.feed(b"question"), late) == (b"question", 0)


def test_the_echo_alone_is_no_answer() -> None:
    async def scene() -> tuple[bytes, float]:
        below, device = pair()
        port = EchoStrippingPort(below)
        assert port.description == "memory"
        assert port.baud is None
        port.set_baud(1200)
        await port.send(b"abc")
        below.feed(b"abc")
        began_s = port.monotonic_s()
        heard = await port.receive(2.0)
        assert port.now_us() == below.now_us()
        await port.close()
        await asyncio.sleep(0)
        await device.close()
        return heard, port.monotonic_s() - began_s

    heard, waited_s = run(scene())
    assert heard == b""
    assert 1.99 < waited_s < 2.1
