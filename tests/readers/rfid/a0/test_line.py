from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from readers.codecs.a0 import BROADCAST, Command, Frame, TagReport, encode, pc_bits_for
from readers.observations import Observation, Rejected, TagRead, TagReads
from readers.ports.memory import MemoryPort, pair, run
from readers.rfid.a0.line import QUIET_S, QUIET_WITHIN_S, Line, NoAnswerError, RefusedError

EPC = bytes.fromhex("E20030166613012115507 4EF".replace(" ", ""))
TAG = TagReport(1, 1, pc_bits_for(EPC), EPC, -60)


def take(address: int, tag: TagReport) -> TagRead | None:
    return TagRead(tag.epc, 1) if address == 1 else None


def conversation(
    answers: Sequence[bytes], asked: Command = Command.GET_FIRMWARE, data: bytes = b"", address: int = 1
) -> tuple[Frame | Exception, list[Observation], bytes]:
    """What comes of one command when the other side says this in a row, and what was sent."""

    async def scene() -> tuple[Frame | Exception, list[Observation], bytes]:
        ours, device = pair()
        heard: list[Observation] = []
        line = Line(ours, heard.append, take)
        talk = asyncio.create_task(line.ask(address, asked, data))
        sent = await device.receive(1)
        for answer in answers:
            await device.send(answer)
            await device.pause(0.01)
        (result,) = await asyncio.gather(talk, return_exceptions=True)
        assert isinstance(result, Frame | Exception)
        return result, heard, sent + await drained(device)

    return run(scene())


async def drained(device: MemoryPort) -> bytes:
    found = b""
    while more := await device.receive(0.01):
        found += more
    return found


def test_an_answer_is_found_among_other_frames() -> None:
    answer = Frame(1, Command.GET_FIRMWARE, b"\x01\x09")
    others = [
        encode(Frame(2, Command.GET_FIRMWARE, b"\x02\x00")),
        encode(Frame(1, Command.GET_POWER, b"\x14")),
        encode(Frame(1, Command.REAL_TIME, TAG.data())),
    ]
    found, heard, _ = conversation([*others, encode(answer)])
    assert found == answer
    assert [type(observation) for observation in heard] == [TagReads]


def test_anyone_may_answer_a_broadcast() -> None:
    answer = Frame(7, Command.GET_FIRMWARE, b"\x01\x09")
    assert conversation([encode(answer)], address=BROADCAST)[0] == answer


def test_a_refusal_is_an_answer() -> None:
    refusal, _, _ = conversation([encode(Frame(1, Command.SET_POWER, b"\x48"))], Command.SET_POWER, b"\x21")
    assert isinstance(refusal, RefusedError)
    assert str(refusal) == "command 76 got output_power_out_of_range (48)"


def test_a_success_that_looks_like_its_command_is_no_echo() -> None:
    """16 dBm for all antennas, and the code of success."""
    found, heard, _ = conversation([encode(Frame(1, Command.SET_POWER, b"\x10"))], Command.SET_POWER, b"\x10")
    assert found == Frame(1, Command.SET_POWER, b"\x10")
    assert not heard


def test_silence_is_an_error_that_names_the_command() -> None:
    error, _, sent = conversation([])
    assert isinstance(error, NoAnswerError)
    assert "command 72 was sent 3 times to address 1 without an answer within 0.5 s" in str(error)
    assert sent == encode(Frame(1, Command.GET_FIRMWARE)) * 3


def test_a_line_is_quiet_when_nothing_has_come_for_a_moment_or_it_never_will_be() -> None:
    async def scene() -> tuple[float, float]:
        ours, device = pair()
        line = Line(ours, lambda _: None, take)

        async def chatter() -> None:
            while True:
                await device.send(b"\x00")
                await device.pause(0.1)

        await line.quiet()
        first_s = ours.monotonic_s()
        talker = asyncio.create_task(chatter())
        await line.quiet()
        talker.cancel()
        await asyncio.gather(talker, return_exceptions=True)
        return first_s, ours.monotonic_s() - first_s

    first_s, second_s = run(scene())
    assert first_s == pytest.approx(QUIET_S)
    assert QUIET_WITHIN_S <= second_s < QUIET_WITHIN_S + 1


@pytest.mark.parametrize(
    ("said", "reason", "lost"),
    [
        (encode(Frame(1, Command.GET_FIRMWARE)), "echo", 0),
        (encode(Frame(2, Command.REAL_TIME, TAG.data())), "antenna", 1),
        (encode(Frame(1, Command.REAL_TIME, TAG.data()[:-1])), "length", 1),
        (b"\x00\x00", "noise_bytes", 0),
        (encode(Frame(1, Command.GET_FIRMWARE))[:-1] + b"\x00", "checksum", 0),
    ],
)
def test_what_cannot_be_used_is_counted(said: bytes, reason: str, lost: int) -> None:
    _, heard, _ = conversation([said])
    rejected = [observation for observation in heard if isinstance(observation, Rejected)]
    assert rejected[0].reason == reason
    assert rejected[0].reads_lost == lost
