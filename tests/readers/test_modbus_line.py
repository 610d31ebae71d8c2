from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from readers.bus import NoReplyError
from readers.codecs.modbus import (
    Frame,
    Function,
    Refusal,
    RtuDecoder,
    Side,
    TcpDecoder,
    encode_rtu,
    encode_tcp,
    packed_bits,
    packed_registers,
    read_request,
    registers_of,
    write_coil_request,
)
from readers.modbus_line import LATE_S, Framing, Line, NotSentError, answer_count, reply_delay
from readers.observations import Observation, Rejected
from readers.ports.memory import MemoryPort, pair, run

H = Function.READ_HOLDING_REGISTERS
Scene = Callable[[Line, MemoryPort], Awaitable[None]]


class Played:
    """A line in virtual time whose device end is the test's own."""

    def __init__(self, framing: Framing = Framing.RTU, units: tuple[int, ...] = (1, 2)) -> None:
        self.heard: list[Observation] = []
        self.requests: list[Frame] = []
        self._framing = framing
        self._units = units

    def play(self, scene: Scene) -> None:
        async def whole() -> None:
            ours, theirs = pair()
            line = Line(ours, self.heard.append, framing=self._framing, units=self._units, baud=9600)
            await scene(line, theirs)

        run(whole())

    async def next_request(self, device: MemoryPort) -> Frame:
        decoder = TcpDecoder() if self._framing is Framing.TCP else RtuDecoder(range(1, 248), of=Side.CLIENT)
        while True:
            for frame in decoder.feed(await device.receive(60.0)):
                self.requests.append(frame)
                return frame

    def rejected(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for each in self.heard:
            if isinstance(each, Rejected):
                found[each.reason] = found.get(each.reason, 0) + each.count
        return found


def answer(request: Frame, *registers: int) -> Frame:
    return Frame(request.unit, request.function, packed_registers(registers), transaction=request.transaction)


@pytest.mark.parametrize("framing", Framing)
def test_the_answer_is_found_among_noise_and_strangers(framing: Framing) -> None:
    played = Played(framing)
    encode = encode_tcp if framing is Framing.TCP else encode_rtu

    async def scene(line: Line, device: MemoryPort) -> None:
        asked = asyncio.create_task(line.ask(read_request(1, H, 0, 2)))
        request = await played.next_request(device)
        if framing is Framing.RTU:
            await device.send(b"\x7e\x01\x99")
        await device.send(encode(answer(Frame(2, H, transaction=request.transaction), 9, 9)))
        await device.send(encode(answer(Frame(1, 4, transaction=request.transaction), 9, 9)))
        await device.send(encode(answer(request, 9, 9, 9)))
        await device.send(encode(answer(request, 7, 8)))
        assert registers_of(await asked, 2) == [7, 8]

    played.play(scene)
    assert played.rejected()["foreign_answer"] == 3


def test_an_answer_with_another_transaction_is_not_taken() -> None:
    played = Played(Framing.TCP)

    async def scene(line: Line, device: MemoryPort) -> None:
        asked = asyncio.create_task(line.ask(read_request(1, H, 0, 1), tries=1))
        request = await played.next_request(device)
        await device.send(encode_tcp(Frame(1, H, packed_registers([1]), transaction=request.transaction + 1)))
        with pytest.raises(NoReplyError):
            await asked

    played.play(scene)
    assert played.rejected() == {"foreign_answer": 1}


def test_a_silent_device_is_asked_again_and_then_given_up() -> None:
    played = Played()

    async def scene(line: Line, device: MemoryPort) -> None:
        began_s = device.monotonic_s()
        with pytest.raises(NoReplyError, match=r"unit 1 did not answer 2 requests within 1 s"):
            await line.ask(read_request(1, H, 0, 2))
        assert 2.0 < device.monotonic_s() - began_s < 2.2
        assert "no byte came" in line.silence()
        await played.next_request(device)

    played.play(scene)


def test_bytes_without_an_answer_tell_of_the_wrong_speed() -> None:
    played = Played()

    async def scene(line: Line, device: MemoryPort) -> None:
        asked = asyncio.create_task(line.ask(read_request(1, H, 0, 2), tries=1))
        await played.next_request(device)
        await device.send(b"\xf8\x80\x00\xf8")
        with pytest.raises(NoReplyError):
            await asked
        assert "4 bytes came, but no answer: check framing = 'rtu'" in line.silence()

    played.play(scene)
    assert played.rejected() == {"noise_bytes": 4}


def test_a_late_answer_does_not_pass_for_the_next_one() -> None:
    """On a serial line nothing else would tell: unit, function and length are the same."""
    played = Played()

    async def scene(line: Line, device: MemoryPort) -> None:
        first = asyncio.create_task(line.ask(read_request(1, H, 0, 1)))
        one = await played.next_request(device)
        await played.next_request(device)  # the same again, for the device was slow
        await device.send(encode_rtu(answer(one, 111)))
        assert registers_of(await first, 1) == [111]
        second = asyncio.create_task(line.ask(read_request(1, H, 50, 1)))
        await device.pause(0.3)
        await device.send(encode_rtu(answer(one, 111)))  # to the second try
        request = await played.next_request(device)
        assert request.data[:2] == b"\x00\x32"
        await device.send(encode_rtu(answer(request, 222)))
        assert registers_of(await second, 1) == [222]

    played.play(scene)
    assert played.rejected() == {"late": 1}


def test_a_device_that_owes_nothing_any_more_is_not_waited_for_again() -> None:
    played = Played()

    async def scene(line: Line, device: MemoryPort) -> None:
        with pytest.raises(NoReplyError):
            await line.ask(read_request(1, H, 0, 1), tries=1)
        await played.next_request(device)
        began_s = device.monotonic_s()
        other = asyncio.create_task(line.ask(read_request(2, H, 0, 1)))
        await device.send(encode_rtu(answer(await played.next_request(device), 2)))
        await other
        assert device.monotonic_s() - began_s < 0.1  # another unit owes nothing
        again = asyncio.create_task(line.ask(read_request(1, H, 0, 1)))
        await device.send(encode_rtu(answer(await played.next_request(device), 1)))
        await again
        assert LATE_S * 0.9 < device.monotonic_s() - began_s < LATE_S + 0.2

    played.play(scene)


def test_the_line_rests_between_two_frames() -> None:
    played = Played()

    async def scene(line: Line, device: MemoryPort) -> None:
        heard_s = 0.0
        for number in range(2):
            asked = asyncio.create_task(line.ask(read_request(1, H, number, 1)))
            request = await played.next_request(device)
            if number:
                assert device.monotonic_s() - heard_s >= 3.5 * 11 / 9600
            await device.send(encode_rtu(answer(request, 1)))
            await asked
            heard_s = device.monotonic_s()

    played.play(scene)


def test_a_learnt_delay_notices_silence_sooner() -> None:
    played = Played()
    delay = reply_delay(1.0)

    async def scene(line: Line, device: MemoryPort) -> None:
        for number in range(10):
            asked = asyncio.create_task(line.ask(read_request(1, H, number, 1), delay=delay))
            request = await played.next_request(device)
            await device.pause(0.02)
            await device.send(encode_rtu(answer(request, 1)))
            await asked
        began_s = device.monotonic_s()
        with pytest.raises(NoReplyError):
            await line.ask(read_request(1, H, 0, 1), tries=1, delay=delay)
        assert device.monotonic_s() - began_s < 0.25
        assert delay.within_s == 1.0

    played.play(scene)


def test_an_answer_in_pieces_is_waited_for() -> None:
    played = Played()

    async def scene(line: Line, device: MemoryPort) -> None:
        asked = asyncio.create_task(line.ask(read_request(1, H, 0, 2), tries=1))
        raw = encode_rtu(answer(await played.next_request(device), 7, 8))
        await device.pause(0.95)
        for at in range(len(raw)):
            await device.send(raw[at : at + 1])
            await device.pause(0.05)
        assert registers_of(await asked, 2) == [7, 8]

    played.play(scene)
    assert played.rejected() == {}


def test_a_false_start_hides_the_answer_only_for_a_moment() -> None:
    played = Played()

    async def scene(line: Line, device: MemoryPort) -> None:
        asked = asyncio.create_task(line.ask(read_request(1, H, 0, 2), tries=1))
        request = await played.next_request(device)
        await device.send(b"\x01\x03\xf8" + encode_rtu(answer(request, 7, 8)))  # as if 248 bytes came
        assert registers_of(await asked, 2) == [7, 8]

    played.play(scene)


def test_exceptions_and_confirmed_writes_are_answers() -> None:
    played = Played()

    async def scene(line: Line, device: MemoryPort) -> None:
        asked = asyncio.create_task(line.ask(read_request(1, H, 0, 2)))
        request = await played.next_request(device)
        await device.send(encode_rtu(Frame(1, H, refusal=Refusal.ILLEGAL_ADDRESS)))
        assert (await asked).refusal == Refusal.ILLEGAL_ADDRESS
        asked = asyncio.create_task(line.ask(write_coil_request(1, 3, is_on=True)))
        request = await played.next_request(device)
        await device.send(encode_rtu(request))
        assert (await asked).data == request.data

    played.play(scene)


def test_what_is_too_late_or_on_a_closed_line_is_not_sent() -> None:
    played = Played()

    async def scene(line: Line, device: MemoryPort) -> None:
        with pytest.raises(NotSentError, match="after the order had expired"):
            await line.ask(read_request(1, H, 0, 1), until_us=device.now_us())
        line.close()
        with pytest.raises(NotSentError, match="the link has ended"):
            await line.ask(read_request(1, H, 0, 1))
        assert await device.receive(1.0) == b""

    played.play(scene)


def test_what_comes_unasked_is_counted() -> None:
    played = Played()

    async def scene(line: Line, device: MemoryPort) -> None:
        line.stray(encode_rtu(answer(Frame(1, H), 1)) + b"\x7f")
        await device.send(encode_rtu(answer(Frame(1, H), 5)))
        asked = asyncio.create_task(line.ask(read_request(1, H, 0, 1)))
        await device.send(encode_rtu(answer(await played.next_request(device), 6)))
        assert registers_of(await asked, 1) == [6]

    played.play(scene)
    assert played.rejected() == {"late": 2, "noise_bytes": 1}


def test_a_device_that_babbles_does_not_hold_the_line_for_ever() -> None:
    played = Played()

    async def scene(line: Line, device: MemoryPort) -> None:
        async def babble() -> None:
            while True:
                await device.send(b"\x01\x03\x40")
                await device.pause(0.01)

        babbling = asyncio.create_task(babble())
        began_s = device.monotonic_s()
        with pytest.raises(NoReplyError):
            await line.ask(read_request(1, H, 0, 1), tries=1)
        assert device.monotonic_s() - began_s < 2.0
        babbling.cancel()
        await asyncio.gather(babbling, return_exceptions=True)

    played.play(scene)
    assert played.rejected()["crc"] > 0


def test_an_answer_that_ends_with_the_patience_is_taken() -> None:
    """Behind a false start, on a line that does not become quiet."""
    played = Played()

    async def scene(line: Line, device: MemoryPort) -> None:
        asked = asyncio.create_task(line.ask(read_request(1, H, 0, 1), tries=1))
        request = await played.next_request(device)
        await device.pause(0.9)
        await device.send(b"\x01\x03\xf8" + encode_rtu(answer(request, 7)) + encode_rtu(answer(Frame(2, H), 8)))
        for _ in range(60):
            await device.send(b"\x55")
            await device.pause(0.01)
        assert registers_of(await asked, 1) == [7]

    played.play(scene)
    assert played.rejected().keys() >= {"truncated"}


def test_half_a_frame_from_before_is_dropped() -> None:
    played = Played()

    async def scene(line: Line, device: MemoryPort) -> None:
        line.stray(b"\x01\x03\x04\x00")
        asked = asyncio.create_task(line.ask(read_request(1, H, 0, 1), tries=1))
        await device.send(encode_rtu(answer(await played.next_request(device), 6)))
        assert registers_of(await asked, 1) == [6]

    played.play(scene)
    assert played.rejected()["truncated"] == 1


def test_the_answer_to_one_who_no_longer_waits_is_dropped() -> None:
    played = Played()

    async def scene(line: Line, device: MemoryPort) -> None:
        first = asyncio.create_task(line.ask(read_request(1, H, 0, 1)))
        request = await played.next_request(device)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        second = asyncio.create_task(line.ask(read_request(1, H, 5, 1)))
        await device.pause(0.5)
        await device.send(encode_rtu(answer(request, 1)))
        await device.send(encode_rtu(answer(await played.next_request(device), 2)))
        assert registers_of(await second, 1) == [2]

    played.play(scene)
    assert played.rejected() == {"late": 1}


def test_how_long_answers_are() -> None:
    assert answer_count(read_request(1, H, 0, 10)) == 20
    assert answer_count(read_request(1, Function.READ_COILS, 0, 9)) == len(packed_bits([True] * 9)) - 1 == 2
    assert answer_count(write_coil_request(1, 0, is_on=True)) is None
