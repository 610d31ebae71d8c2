"""The twin against published frames: what a real module would say to the same bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from readers.codecs.m100 import AA_DD, Command, Decoder, Frame, FrameType
from readers.ports.memory import START_US, pair, run
from simulator.device import Radio, Sighting
from simulator.rfid.m100 import Module, serve

EPC = bytes.fromhex("30751FEB705C5904E3D50D70")


class Air:
    """Nothing, or one tag at each given time."""

    def __init__(self, *at_s: float) -> None:
        self._at_us = [START_US + round(at * 1_000_000) for at in at_s]

    def heard(self, antenna_port: int, start_us: int, until_us: int) -> Sequence[Sighting]:
        return [Sighting(at, antenna_port, EPC, -55.4) for at in self._at_us if start_us <= at < until_us]


def converse(
    requests: Sequence[str], seconds: float = 0.05, air: Radio | None = None, module: Module | None = None
) -> list[bytes]:
    """What the module answers to each request within that time."""

    async def scene() -> list[bytes]:
        ours, device = pair()
        twin = asyncio.create_task(serve(device, air or Air(), module))
        answers = []
        for request in requests:
            await ours.send(bytes.fromhex(request))
            await ours.pause(seconds)
            answers.append(await ours.receive(0.001))
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)
        return answers

    return run(scene())


def frames(raw: bytes, module: Module | None = None) -> list[Frame]:
    return Decoder((module or Module()).delimiters).feed(raw)


def test_published_requests_get_the_published_answers() -> None:
    answers = converse(["BB 00 03 00 01 00 04 7E", "BB 00 28 00 00 28 7E"])
    assert answers == [
        bytes.fromhex("BB 01 03 00 0B 00 4D 31 30 30 20 56 31 2E 30 30 22 7E"),
        bytes.fromhex("BB 01 28 00 01 00 2A 7E"),
    ]


def test_power_is_set_and_cut_to_what_the_module_can() -> None:
    power, read_back = "BB 00 B6 00 02 07 D0 8F 7E", "BB 00 B7 00 00 B7 7E"
    assert converse([power, read_back])[1] == bytes.fromhex("BB 01 B7 00 02 07 D0 91 7E")
    weak = converse([power, read_back], module=Module(max_power_dbm=10.0))[1]
    assert frames(weak)[0].parameters == (1000).to_bytes(2, "big")


def test_empty_rounds_are_error_15_and_end_by_themselves() -> None:
    [answer] = converse(["BB 00 27 00 03 22 00 03 4F 7E"], seconds=1.0)
    assert answer == bytes.fromhex("BB 01 FF 00 01 15 16 7E") * 3


def test_a_tag_is_a_notification_with_its_own_crc() -> None:
    [answer] = converse(["BB 00 27 00 03 22 00 05 51 7E"], seconds=1.0, air=Air(0.05))
    [tag] = [frame for frame in frames(answer) if frame.type is FrameType.NOTICE]
    assert tag.command == Command.POLL
    assert tag.parameters == bytes.fromhex("C9 30 00") + EPC + bytes.fromhex("C7 D3")


def test_stop_ends_the_rounds() -> None:
    answers = converse(["BB 00 27 00 03 22 27 10 83 7E", "BB 00 28 00 00 28 7E", ""], seconds=0.2)
    assert frames(answers[0])
    assert Frame(FrameType.RESPONSE, Command.STOP, b"\x00") in frames(answers[1])
    assert answers[2] == b""


def test_a_silent_inventory_and_the_other_frame_form() -> None:
    module = Module(delimiters=AA_DD, reports_empty_rounds=False)
    answers = converse(["AA 00 27 00 03 22 00 05 51 DD", "BB 00 28 00 00 28 7E"], 1.0, Air(0.05), module)
    assert [frame.type for frame in frames(answers[0], module)] == [FrameType.NOTICE]
    assert answers[0][:1] + answers[0][-1:] == b"\xaa\xdd"
    assert answers[1] == b""  # not its form


def test_the_region_and_what_a_module_does_not_know() -> None:
    answers = converse(
        ["BB 00 07 00 01 03 0B 7E", "BB 00 08 00 00 08 7E", "BB 00 07 00 01 63 6B 7E", "BB 00 99 00 00 99 7E"]
    )
    assert frames(answers[0])[0] == Frame(FrameType.RESPONSE, Command.SET_REGION, b"\x00")
    assert frames(answers[1])[0] == Frame(FrameType.RESPONSE, Command.GET_REGION, b"\x03")
    for answer in answers[2:]:
        assert frames(answer)[0] == Frame(FrameType.RESPONSE, Command.ERROR, b"\x17")
