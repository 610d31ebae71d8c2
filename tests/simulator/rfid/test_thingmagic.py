"""The twin against logged frames: what a real module said to the same bytes; and the rules of the Mercury API."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from readers.codecs.thingmagic import Decoder, Frame, Opcode, Status, encode
from readers.codecs.thingmagic_tags import STOP_DATA, Metadata, ReadPlan, Search, StreamedTag
from simulator.device import Radio, Sighting
from simulator.rfid.thingmagic import Module, serve
from tests.support.converse import Air, exchanged

EPC = bytes.fromhex("E2001026760E017915907125")
READY = Module(region=13, protocol=5)
START = "FF 10 2F 00 00 01 22 00 00 05 07 22 10 00 1B 03 E8 01 FF DD 2B"
STARTED = bytes.fromhex("FF 04 2F 00 00 01 22 00 00 6D C3")
STOP = "FF 03 2F 00 00 02 5E 86"
STOPPED = bytes.fromhex("FF 01 2F 00 00 02 30 E6")
CYCLE = bytes.fromhex("FF 00 22 04 00 84 E0")


def air(*at_s: float, tid: bytes = b"", pc_bits: int | None = None) -> Air:
    return Air(*at_s, made=lambda at_us, port: Sighting(at_us, port, EPC, -55.4, tid, 200.0, 2, pc_bits))


def converse(
    requests: Sequence[str | bytes], seconds: float = 0.05, radio: Radio | None = None, module: Module | None = None
) -> list[bytes]:
    """What the module answers to each request within that time."""
    return exchanged(lambda port: serve(port, radio or air(), module), [(each, seconds) for each in requests])


def command(opcode: int, data: str = "") -> bytes:
    return encode(Frame(opcode, bytes.fromhex(data)))


def status(raw: bytes) -> int | None:
    [frame] = Decoder().feed(raw)
    return frame.status


LOGGED = [
    ("FF 00 03 1D 0C", "FF 14 03 00 00 14 12 08 00 30 00 00 02 20 15 03 10 01 03 01 47 00 00 00 10 EB FF"),
    ("FF 00 0C 1D 03", "FF 01 0C 00 00 52 63 03"),
    ("FF 00 68 1D 67", "FF 01 68 00 00 00 A4 BF"),
    ("FF 02 6A 01 0E 2E 40", "FF 03 6A 00 00 01 0E 00 30 44"),
    ("FF 04 06 00 01 C2 00 A4 60", "FF 00 06 00 00 E4 06"),
    ("FF 02 6A 01 12 2E 5C", "FF 04 6A 00 00 01 12 00 00 69 AF"),
    ("FF 01 61 05 BD B8", "FF 03 61 00 00 05 01 00 61 DF"),
    ("FF 02 6A 01 0C 2E 42", "FF 03 6A 00 00 01 0C 01 32 45"),
    ("FF 02 6A 01 0D 2E 43", "FF 06 6A 00 00 01 0D 00 00 00 00 15 43"),
    ("FF 00 63 1D 6C", "FF 02 63 00 00 00 00 21 43"),
    ("FF 02 93 00 05 51 7D", "FF 00 93 00 00 37 1A"),
    ("FF 00 63 1D 6C", "FF 02 63 00 00 00 05 21 46"),
    ("FF 00 67 1D 68", "FF 01 67 00 00 00 B4 81"),
    ("FF 00 71 1D 7E", "FF 09 71 00 00 0D 04 05 06 08 09 0B 0C FF A4 C7"),
    ("FF 01 97 0D 4B B0", "FF 00 97 00 00 77 9E"),
    ("FF 00 67 1D 68", "FF 01 67 00 00 0D B4 8C"),
    ("FF 02 92 0A 8C 4B D5", "FF 00 92 00 00 27 3B"),
    ("FF 01 62 01 BE BC", "FF 07 62 00 00 01 0A 8C 0A 8C 00 00 54 B4"),
    ("FF 01 62 00 BE BD", "FF 03 62 00 00 00 0A 8C A1 2A"),
    ("FF 02 6B 05 10 3A 7F", "FF 03 6B 00 00 05 10 00 18 74"),
    ("FF 02 6B 05 02 3A 6D", "FF 03 6B 00 00 05 02 02 0A 76"),
    ("FF 02 6B 05 00 3A 6F", "FF 03 6B 00 00 05 00 00 08 74"),
    ("FF 02 6B 05 01 3A 6E", "FF 04 6B 00 00 05 01 01 00 2C 68"),
    ("FF 02 6B 05 12 3A 7D", "FF 03 6B 00 00 05 12 00 1A 74"),
    ("FF 00 70 1D 7F", "FF 02 70 00 00 00 05 3B 75"),
    ("FF 03 9A 01 0C 00 A3 5D", "FF 00 9A 00 00 A6 33"),
    ("FF 03 9B 05 02 02 DE EA", "FF 00 9B 00 00 B6 12"),
    ("FF 03 91 02 01 01 42 C5", "FF 00 91 00 00 17 58"),
    (START, STARTED.hex()),
]


def test_logged_requests_get_the_logged_answers() -> None:
    answers = converse([request for request, _ in LOGGED], module=Module(ports={1: False}))
    assert [answer.hex(" ") for answer in answers] == [bytes.fromhex(right).hex(" ") for _, right in LOGGED]


def test_a_read_is_told_as_logged_with_the_time_since_the_cycle_began() -> None:
    [answer] = converse([START], 0.9, air(0.019), READY)
    filtered = "FF 28 22 00 00 10 00 1B 01 FF 01 01 C9 11 0E 08 30 00 00 00 13 00 14 05 00 00 0F 00 80 30 00"
    assert answer.startswith(STARTED + bytes.fromhex(filtered) + EPC + bytes.fromhex("19 85"))


def test_a_cycle_ends_with_a_status_and_stop_waits_for_it() -> None:
    answers = converse([START, b"", STOP, b""], 0.75, air(0.1), READY)
    assert answers[0].startswith(STARTED)
    assert answers[1] == CYCLE
    assert answers[2] == CYCLE + STOPPED
    assert answers[3] == b""


def test_a_module_may_stop_at_once_and_then_refuses() -> None:
    module = Module(region=13, protocol=5, stops_at_once=True)
    answers = converse([START, STOP, STOP], 0.05, air(), module)
    assert answers[1] == STOPPED
    assert status(answers[2]) == Status.WRONG_DATA


def test_nothing_but_its_own_command_is_heard_while_it_streams() -> None:
    answers = converse([START, command(Opcode.VERSION), START], 0.05, air(), READY)
    assert answers[1] == b""
    assert status(answers[2]) == Status.BAD_PARAMETER


def test_the_read_filter_tells_each_tag_once_until_it_is_off() -> None:
    radio = air(*(n / 100 for n in range(10, 300)))
    filtered = converse([START], 2.5, radio, READY)[0]
    assert filtered.count(EPC) == 1
    unfiltered = converse(["FF 03 9A 01 0C 00 A3 5D", START], 2.5, air(*(3 + n / 10 for n in range(10))), READY)[1]
    assert unfiltered.count(EPC) > 5


def test_metadata_and_tid_are_told_as_asked() -> None:
    plan = ReadPlan(tid_words=2, metadata=Metadata.RSSI | Metadata.DATA)
    request = encode(Frame(Opcode.MULTI_PROTOCOL, plan.data()))
    [answer] = converse([request], 0.9, air(0.1, tid=bytes(range(12))), READY)
    tag = StreamedTag.parse(Decoder().feed(answer)[1].data)
    assert (tag.rssi_dbm, tag.data, tag.count, tag.frequency_khz) == (-55, bytes(range(4)), None, None)
    assert tag.search & Search.EMBEDDED
    short = converse([request], 0.9, air(0.1, tid=b"\x01\x02"), READY)[0]
    assert StreamedTag.parse(Decoder().feed(short)[1].data).data == b""


def test_the_pc_word_of_a_tag_is_its_own() -> None:
    [answer] = converse([START], 0.9, air(0.1, pc_bits=0x30C3), READY)
    assert StreamedTag.parse(Decoder().feed(answer)[1].data).pc_bits == 0x30C3


def test_antennas_share_a_cycle() -> None:
    module = Module(region=13, protocol=5, ports={1: True, 2: True})
    choose = command(Opcode.SET_ANTENNA, "02 0202 0101")
    [_, answer] = converse([choose, START], 0.9, air(1.0, 1.7), module)
    tags = [StreamedTag.parse(frame.data) for frame in Decoder().feed(answer)[1:]]
    assert [tag.transmitter for tag in tags] == [2, 1]


@pytest.mark.parametrize(
    ("request_", "right"),
    [
        (command(Opcode.SET_REGION, "03"), Status.UNKNOWN_REGION),
        (command(Opcode.SET_READ_POWER, "0A8D"), Status.POWER_TOO_HIGH),
        (command(Opcode.SET_READ_POWER, "FFFF"), Status.POWER_TOO_LOW),
        (command(Opcode.SET_ANTENNA, "02 0505"), Status.BAD_PARAMETER),
        (command(Opcode.SET_ANTENNA, "02"), Status.BAD_PARAMETER),
        (command(Opcode.SET_ANTENNA, "04 01"), Status.BAD_PARAMETER),
        (command(Opcode.SET_OPTION, "01 77 01"), Status.BAD_PARAMETER),
        (command(Opcode.SET_PROTOCOL_PARAMETER, "05 77 01"), Status.BAD_PARAMETER),
        (command(Opcode.GET_OPTION, "01 77"), Status.BAD_PARAMETER),
        (command(Opcode.GET_PROTOCOL_PARAMETER, "05 77"), Status.BAD_PARAMETER),
        (command(Opcode.GET_ANTENNA, "07"), Status.BAD_PARAMETER),
        (command(Opcode.GET_READ_POWER, "07"), Status.BAD_PARAMETER),
        (command(Opcode.KILL_TAG), Status.UNKNOWN_OPCODE),
        (command(Opcode.MULTI_PROTOCOL, "00 00 01 23"), Status.BAD_PARAMETER),
        (encode(Frame(Opcode.MULTI_PROTOCOL, ReadPlan(cycle_ms=0).data())), Status.BAD_PARAMETER),
        (encode(Frame(Opcode.MULTI_PROTOCOL, ReadPlan(search=Search.ANTENNA_LIST).data())), Status.BAD_PARAMETER),
        (encode(Frame(Opcode.MULTI_PROTOCOL, STOP_DATA)), Status.WRONG_DATA),
    ],
)
def test_what_a_module_refuses(request_: bytes, right: Status) -> None:
    [answer] = converse([request_], module=READY)
    assert status(answer) == right


def test_no_reading_without_region_and_protocol() -> None:
    assert status(converse([START], module=Module(protocol=5))[0]) == Status.NO_REGION
    assert status(converse([START], module=Module(region=13))[0]) == Status.NO_PROTOCOL


def test_a_boot_loader_knows_three_commands() -> None:
    requests = [command(each) for each in (Opcode.CURRENT_PROGRAM, Opcode.GET_REGION, Opcode.BOOT_FIRMWARE)]
    answers = converse([*requests, command(Opcode.CURRENT_PROGRAM)], 1.0, module=Module(boot_loader=True))
    assert Decoder().feed(answers[0])[0].data == b"\x51"
    assert status(answers[1]) == Status.UNKNOWN_OPCODE
    assert Decoder().feed(answers[2])[0].opcode == Opcode.BOOT_FIRMWARE
    assert Decoder().feed(answers[3])[0].data == b"\x52"


def test_a_sleeping_module_loses_what_wakes_it_and_falls_asleep_again() -> None:
    version = command(Opcode.VERSION)
    answers = converse([version, version, b"", b"", version], 0.9, module=Module(power_mode=4))
    assert answers[0] == b""
    assert answers[1]
    assert answers[4] == b""
    full = converse(
        [version, command(Opcode.SET_POWER_MODE, "00"), b"", b"", version], 0.9, module=Module(power_mode=4)
    )
    assert full[4]


def test_checksums_can_be_off_and_on() -> None:
    region, on, off = (
        command(Opcode.GET_REGION),
        command(Opcode.SET_OPTION, "011B01"),
        command(Opcode.SET_OPTION, "011B00"),
    )
    answers = converse([region, on, region, off, region], module=Module(sends_crc=False))
    assert [len(answer) for answer in answers] == [6, 7, 8, 5, 6]


def test_troubles_take_the_place_of_a_cycle() -> None:
    module = Module(region=13, protocol=5, troubles={1: Status.TOO_HOT})
    [answer] = converse([START], 3.5, air(1.5), module)
    assert [frame.status for frame in Decoder().feed(answer)] == [0, Status.NO_TAGS, Status.TOO_HOT, Status.NO_TAGS]


def test_a_module_may_tell_no_cycles_be_mute_or_ignorant_and_stream_from_the_start() -> None:
    module = Module(
        region=13,
        protocol=5,
        streaming=True,
        reports_cycles=False,
        mute=frozenset({Opcode.VERSION}),
        unknown=frozenset({Opcode.GET_REGION}),
    )
    answers = converse([b"", STOP, command(Opcode.VERSION), command(Opcode.GET_REGION)], 1.1, air(0.2), module)
    assert [frame.opcode for frame in Decoder().feed(answers[0])] == [Opcode.READ_TAG_MULTIPLE]
    assert answers[1] == STOPPED
    assert answers[2] == b""
    assert status(answers[3]) == Status.UNKNOWN_OPCODE


def test_half_a_command_is_forgotten() -> None:
    nothing, answer = converse(["FF 20 03 00", command(Opcode.VERSION)], seconds=0.5)
    assert nothing == b""
    assert status(answer) == Status.SUCCESS
