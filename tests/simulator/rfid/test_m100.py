"""The twin against published frames: what a real module would say to the same bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from readers.access import Bank
from readers.codecs.m100 import AA_DD, Command, Decoder, Frame, FrameType, encode
from readers.ports.memory import START_US, pair, run
from simulator.device import Radio, Sighting
from simulator.rfid.m100 import Module, serve
from tests.support.m100_scenes import EPCS, tag
from tests.support.shelf import Shelf

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


def test_published_select_query_and_channel_commands_get_the_published_answers() -> None:
    """Unit RFID-UHF protocol (M5Stack), 2.5 to 2.20."""
    published = {
        "BB 00 0C 00 13 01 00 00 00 20 60 00 30 75 1F EB 70 5C 59 04 E3 D5 0D 70 AD 7E": "BB 01 0C 00 01 00 0E 7E",
        "BB 00 0B 00 00 0B 7E": "BB 01 0B 00 13 01 00 00 00 20 60 00 30 75 1F EB 70 5C 59 04 E3 D5 0D 70 AD 7E",
        "BB 00 12 00 01 01 14 7E": "BB 01 0C 00 01 00 0E 7E",
        "BB 00 0E 00 02 10 20 40 7E": "BB 01 0E 00 01 00 10 7E",
        "BB 00 0D 00 00 0D 7E": "BB 01 0D 00 02 10 20 40 7E",
        "BB 00 AB 00 01 01 AD 7E": "BB 01 AB 00 01 00 AD 7E",
        "BB 00 AD 00 01 FF AD 7E": "BB 01 AD 00 01 00 AF 7E",
        "BB 00 A9 00 06 05 01 02 03 04 05 C3 7E": "BB 01 A9 00 01 00 AB 7E",
    }
    answers = converse(list(published), module=Module(select_mode_answer=Command.SET_SELECT))
    assert answers == [bytes.fromhex(text) for text in published.values()]
    assert frames(converse(["BB 00 AB 00 01 01 AD 7E", "BB 00 AA 00 00 AA 7E"])[1])[0].parameters == b"\x01"


def test_published_memory_commands_get_the_published_answers() -> None:
    """The same, 2.8 and 2.9; their tag has T set in its PC word and the password 0000FFFF."""
    memory = tag(EPC, user=bytes.fromhex("12345678"), access=0xFFFF)
    memory.epc_bank[2:4] = bytes.fromhex("3400")
    select = "BB 00 0C 00 13 01 00 00 00 20 60 00 30 75 1F EB 70 5C 59 04 E3 D5 0D 70 AD 7E"
    read = "BB 00 39 00 09 00 00 FF FF 03 00 00 00 02 45 7E"
    write = "BB 00 49 00 0D 00 00 FF FF 03 00 00 00 02 12 34 56 78 6D 7E"
    answers = converse([select, read, write], seconds=0.2, air=Shelf(memory, tag(EPCS[0])))
    assert answers[1] == bytes.fromhex("BB 01 39 00 13 0E 34 00 30 75 1F EB 70 5C 59 04 E3 D5 0D 70 12 34 56 78 B0 7E")
    assert answers[2] == bytes.fromhex("BB 01 49 00 10 0E 34 00 30 75 1F EB 70 5C 59 04 E3 D5 0D 70 00 A9 7E")
    gone = converse([select, read], seconds=0.2, air=Shelf(tag(EPCS[0])))
    assert gone[1] == bytes.fromhex("BB 01 FF 00 01 09 0A 7E")


def test_errors_of_the_tag_come_with_its_epc() -> None:
    locked = Shelf(tag(EPC, user=bytes(4), locked={Bank.USER}))
    overrun, refused, secret = converse(
        [
            "BB 00 39 00 09 00 00 00 00 03 00 00 00 20 65 7E",
            "BB 00 49 00 0B 00 00 00 00 03 00 00 00 01 12 34 9E 7E",
            "BB 00 39 00 09 00 00 FF FF 03 00 00 00 02 45 7E",
        ],
        seconds=0.2,
        air=locked,
    )
    tail = bytes.fromhex("0E 30 00") + EPC
    assert [frames(each)[0].parameters for each in (overrun, refused, secret)] == [
        b"\xa3" + tail,
        b"\xb4" + tail,
        b"\x16" + tail,
    ]


def test_commands_that_make_no_sense_are_refused() -> None:
    for command, parameters in (
        (Command.READ, "00 00 00 00 03 00 00 00 21"),
        (Command.READ, "00 00"),
        (Command.WRITE, "00 00 00 00 03 00 00 00 01"),
        (Command.SET_SELECT, "01 00 00 00 20 60 00 30"),
        (Command.SELECT_MODE, "03"),
        (Command.SET_QUERY, "10"),
        (Command.SET_CHANNEL, "FF"),
        (Command.HOP_CHANNELS, "02 01"),
        (Command.SET_HOPPING, "01"),
        (Command.MULTI_POLL, "23 00 01"),
    ):
        raw = encode(Frame(FrameType.COMMAND, command, bytes.fromhex(parameters)))
        [answer] = converse([raw.hex()], air=Shelf(tag(EPC, user=bytes(128))))
        assert frames(answer) == [Frame(FrameType.RESPONSE, Command.ERROR, b"\x17")], command


def test_without_a_select_the_module_tells_an_empty_one() -> None:
    [answer] = converse(["BB 00 0B 00 00 0B 7E"])
    assert frames(answer)[0].parameters == bytes(7)


def test_half_a_command_is_forgotten() -> None:
    answers = converse(["BB 00 12 00", "BB 00 28 00 00 28 7E"], seconds=0.5)
    assert answers == [b"", bytes.fromhex("BB 01 28 00 01 00 2A 7E")]
