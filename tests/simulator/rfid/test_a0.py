"""The twin against published frames: what a real reader would say to the same bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from readers.codecs.a0 import Command, Decoder, Failure, Frame, Result, RoundEnd, TagReport, encode, inventory_answer
from readers.codecs.a0_band import CustomBand
from readers.ports.memory import START_US, pair, run
from simulator.device import Sighting
from simulator.rfid.a0 import Module, serve

EPC = bytes.fromhex("E200301666130121155074EF")


class Air:
    """Nothing, or one tag at each given time, at every antenna."""

    def __init__(self, *at_s: float) -> None:
        self._at_us = [START_US + round(at * 1_000_000) for at in at_s]

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        return [
            Sighting(at, antenna_port, EPC, -60.4, channel_index=2) for at in self._at_us if start_us <= at < until_us
        ]


def converse(
    requests: Sequence[str | Frame], *modules: Module, seconds: float = 0.1, air: Air | None = None
) -> list[bytes]:
    """What the line answers to each request within that time."""

    async def scene() -> list[bytes]:
        ours, device = pair()
        twin = asyncio.create_task(serve(device, air or Air(), *modules))
        answers = []
        for request in requests:
            await ours.send(bytes.fromhex(request) if isinstance(request, str) else encode(request))
            await ours.pause(seconds)
            answers.append(await ours.receive(0.001))
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return answers

    return run(scene())


def said(
    command: Command, data: bytes = b"", *modules: Module, air: Air | None = None, seconds: float = 0.5
) -> list[Frame]:
    [raw] = converse([Frame(1, command, data)], *modules, seconds=seconds, air=air)
    return Decoder().feed(raw)


def test_published_requests_get_the_published_answers() -> None:
    assert converse(["A0 03 01 72 EA", "A0 03 FF 72 EC", "A0 04 01 74 00 E7"]) == [
        bytes.fromhex("A0 05 01 72 01 09 DE"),
        bytes.fromhex("A0 05 01 72 01 09 DE"),
        bytes.fromhex("A0 04 01 74 10 D7"),
    ]


def test_a_published_tag_and_the_end_of_its_round() -> None:
    module = Module(band=CustomBand(865_100, 200, 15))
    [answer] = converse(["A0 04 01 89 01 D1"], module, air=Air(0.01))
    tag, end = Decoder().feed(answer)
    assert encode(tag) == bytes.fromhex("A0 13 01 89 04 30 00 E2 00 30 16 66 13 01 21 15 50 74 EF 45 BF")
    assert inventory_answer(end) == RoundEnd(1, 1, 50)


def test_a_published_session() -> None:
    [answer] = converse(["A0 06 01 8B 01 00 01 CC"], air=Air(0.01))
    assert [type(inventory_answer(frame)) for frame in Decoder().feed(answer)] == [TagReport, RoundEnd]


def test_published_match() -> None:
    answers = converse(
        ["A0 11 01 85 00 0C 11 22 33 44 55 66 77 88 99 00 AA BB 5B", "A0 03 01 86 D6", "A0 04 01 85 01 D5"]
    )
    assert answers[0] == bytes.fromhex("A0 04 01 85 10 C6")
    assert answers[1][4:-1] == bytes.fromhex("00 0C 11 22 33 44 55 66 77 88 99 00 AA BB")
    assert answers[2] == bytes.fromhex("A0 04 01 85 10 C6")


def test_only_the_addressed_reader_answers_and_all_to_a_broadcast() -> None:
    modules = [Module(address=1), Module(address=2, version=(8, 2))]
    one, other, both = converse(["A0 03 01 72 EA", "A0 03 02 72 E9", "A0 03 FF 72 EC"], *modules)
    assert [frame.address for frame in Decoder().feed(one)] == [1]
    assert [frame.data for frame in Decoder().feed(other)] == [b"\x08\x02"]
    assert len(Decoder().feed(both)) == 2


def test_commands_wait_for_the_end_of_a_round() -> None:
    module = Module(pass_s=0.3)
    answers = converse(["A0 04 01 89 01 D1", "A0 03 01 72 EA"], module, seconds=0.25)
    assert answers[0] == b""
    assert [frame.command for frame in Decoder().feed(answers[1])] == [Command.REAL_TIME, Command.GET_FIRMWARE]
    assert module.interrupted == 1


def test_an_empty_round_ends_with_a_total_of_nothing_or_with_an_error() -> None:
    [end] = said(Command.REAL_TIME, b"\x01")
    assert inventory_answer(end) == RoundEnd(0, 1, 0)
    [end] = said(Command.REAL_TIME, b"\x01", Module(empty_round="no_tag"))
    assert inventory_answer(end) == Failure(Result.NO_TAG)


def test_fast_switch_tells_of_each_missing_antenna_once() -> None:
    module = Module(unplugged={2})
    frames = said(Command.FAST_SWITCH, bytes.fromhex("00 02 01 02 FF 00 FF 00 00 02"), module, air=Air(0.01))
    answers = [inventory_answer(frame) for frame in frames]
    assert answers[1:] == [Failure(Result.ANTENNA_MISSING, 2), RoundEnd(1, duration_ms=160)]
    assert isinstance(answers[0], TagReport)


def test_a_check_that_is_off_misses_no_antenna() -> None:
    module = Module(unplugged={1}, detector_db=0)
    assert [type(inventory_answer(frame)) for frame in said(Command.REAL_TIME, b"\x01", module)] == [RoundEnd]
    module.detector_db = 3
    [failure] = said(Command.REAL_TIME, b"\x01", module)
    assert inventory_answer(failure) == Failure(Result.ANTENNA_MISSING)


@pytest.mark.parametrize(
    ("command", "data", "code"),
    [
        (Command.SET_WORK_ANTENNA, "04", Result.ANTENNA_OUT_OF_RANGE),
        (Command.SET_WORK_ANTENNA, "00 00", Result.COMMAND_FAIL),
        (Command.SET_GROUP, "00", Result.COMMAND_FAIL),
        (Command.SET_POWER, "22", Result.OUTPUT_POWER_OUT_OF_RANGE),
        (Command.SET_POWER, "10 10", Result.PARAMETER_INVALID),
        (Command.SET_BAND, "05 00 00", Result.FREQUENCY_REGION_OUT_OF_RANGE),
        (Command.SET_MATCH, "00 0C 00", Result.EPC_MATCH_LENGTH_ERROR),
        (Command.SET_MATCH, "00", Result.EPC_MATCH_LENGTH_ERROR),
        (Command.GET_POWER_EIGHT, "", Result.COMMAND_FAIL),
        (Command.GET_RETURN_LOSS, "07", Result.COMMAND_FAIL),
        (Command.REAL_TIME, "", Result.PARAMETER_INVALID),
        (Command.SESSION, "01 01", Result.PARAMETER_INVALID),
        (Command.FAST_SWITCH, "00 01 01", Result.PARAMETER_INVALID),
        (Command.FAST_SWITCH, "FF 00 FF 00 FF 00 FF 00 00 01", Result.PARAMETER_INVALID),
    ],
)
def test_what_makes_no_sense_is_refused(command: Command, data: str, code: Result) -> None:
    assert [frame.data for frame in said(command, bytes.fromhex(data))] == [bytes([code])]


def test_settings_are_kept_and_told() -> None:
    requests = [
        Frame(1, Command.SET_POWER, b"\x14"),
        Frame(1, Command.GET_POWER),
        Frame(1, Command.SET_DETECTOR, b"\x06"),
        Frame(1, Command.GET_DETECTOR),
        Frame(1, Command.SET_WORK_ANTENNA, b"\x02"),
        Frame(1, Command.GET_WORK_ANTENNA),
        Frame(1, Command.RESET),
        Frame(1, Command.GET_WORK_ANTENNA),
        Frame(1, Command.GET_POWER),
        Frame(1, Command.GET_TEMPERATURE),
        Frame(1, Command.GET_GROUP),
        Frame(1, Command.GET_MATCH),
    ]
    answers = [raw[4:-1].hex() for raw in converse(requests)]
    assert answers == ["10", "14141414", "10", "06", "10", "02", "", "00", "14141414", "0120", "00", "01"]


def test_a_reader_without_power_says_nothing_and_one_that_restarts_forgets_its_round() -> None:
    assert said(Command.GET_FIRMWARE, b"", Module(is_on=False)) == []
    assert said(Command.GET_FIRMWARE, b"", Module(mute=frozenset({Command.GET_FIRMWARE}))) == []
    [refusal] = said(Command.GET_FIRMWARE, b"", Module(unknown=frozenset({Command.GET_FIRMWARE})))
    assert refusal.data == bytes([Result.COMMAND_FAIL])

    async def scene() -> bytes:
        ours, device = pair()
        module = Module(pass_s=1.0)
        twin = asyncio.create_task(serve(device, Air(), module))
        await ours.send(encode(Frame(1, Command.REAL_TIME, b"\x01")))
        await ours.pause(0.5)
        module.restart()
        await ours.pause(5)
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return await ours.receive(0.1)

    assert run(scene()) == b""


def test_strengths_beyond_what_a_byte_can_say_are_cut() -> None:
    class Loud(Air):
        def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:  # noqa: ARG002 - a Radio
            return [Sighting(start_us, antenna_port, b"", dbm, pc_bits=0x0001) for dbm in (20.0, -300.0)]

    reports = [inventory_answer(frame) for frame in said(Command.REAL_TIME, b"\x01", air=Loud())[:2]]
    assert [(r.rssi_dbm, r.pc_bits) for r in reports if isinstance(r, TagReport)] == [(-2, 1), (-128, 1)]


def test_half_a_command_is_forgotten() -> None:
    answers = converse(["A0 20 01 72", "A0 03 01 72 EA"], seconds=0.5)
    assert answers == [b"", bytes.fromhex("A0 05 01 72 01 09 DE")]
