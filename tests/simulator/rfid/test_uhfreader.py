"""The twin against published frames and the manual: what real readers would say to the same bytes."""

from __future__ import annotations

from collections.abc import Sequence

from readers.codecs.uhfreader import Command, Decoder, Form, Frame, Heartbeat, Status, encode, parse_report, parse_tags
from readers.codecs.uhfreader_access import ReadRequest
from readers.codecs.uhfreader_info import ReaderInfo, Region
from simulator.device import Radio, Sighting
from simulator.rfid.uhfreader import Reader, rr18, serve
from tests.support.converse import Air, exchanged
from tests.support.shelf import Shelf, memory

EPC = bytes.fromhex("49440000000000000A000334")
INVENTORY = "04 00 01 00 00 00 00 {:02X} 03"


def air(*at_s: float) -> Air:
    return Air(*at_s, made=lambda at_us, port: Sighting(at_us, port, EPC, -70.0))


def asked(command: int, body: str = "", address: int = 0) -> bytes:
    return encode(Frame(address, command, bytes.fromhex(body)))


def answered(requests: Sequence[tuple[bytes, float]], *readers: Reader, radio: Radio | None = None) -> list[bytes]:
    return exchanged(lambda port: serve(port, radio or air(), *readers), requests)


def converse(
    requests: Sequence[bytes], *readers: Reader, seconds: float = 0.4, radio: Radio | None = None
) -> list[list[Frame]]:
    """What the readers answer to each request within that time."""
    raw = answered([(data, seconds) for data in requests], *readers, radio=radio)
    return [Decoder().feed(answer) for answer in raw]


def test_the_published_empty_round() -> None:
    [answer] = answered([(asked(Command.INVENTORY, INVENTORY.format(0x80)), 0.4)])
    assert answer == bytes.fromhex("07 00 01 01 01 00 1E 4B")


def test_the_published_tag_on_antenna_3() -> None:
    [answer] = answered([(asked(Command.INVENTORY, INVENTORY.format(0x82)), 0.4)], radio=air(0.01))
    assert answer.startswith(bytes.fromhex("15 00 01 03 04 01 0C 49 44 00 00 00 00 00 00 0A 00 03 34 64 25 C0"))


def test_the_published_tag_of_the_first_model() -> None:
    [answer] = answered([(asked(Command.INVENTORY), 2.5)], rr18(), radio=air(0.01))
    assert answer.startswith(bytes.fromhex("13 00 01 03 01 0C 49 44 00 00 00 00 00 00 0A 00 03 34 A5 FB"))


def test_who_it_is_and_settings_that_it_keeps() -> None:
    reader = Reader()
    answers = converse(
        [
            asked(Command.SET_POWER, "94"),
            asked(Command.SET_BAND, "13 40"),
            asked(Command.SET_SCAN_TIME, "0A"),
            asked(Command.INFO, address=255),
        ],
        reader,
    )
    assert [frames[0].status for frames in answers] == [0, 0, 0, 0]
    info = ReaderInfo.parse(answers[3][0].data)
    assert (info.power_dbm, info.region, info.highest, info.scan_ds) == (20, Region.CN_920, 19, 10)
    assert info == reader.info()


def test_what_it_refuses() -> None:
    answers = converse(
        [
            asked(Command.SET_POWER, "1F"),
            asked(Command.SET_POWER, "1F 00"),
            asked(Command.SET_BAND, "45 40"),
            asked(Command.SET_BAND, "14 40"),
            asked(Command.SET_READ_MODE, "03"),
            asked(Command.INVENTORY, INVENTORY.format(0x84)),
            asked(Command.INVENTORY, "04"),
            asked(Command.INVENTORY, "04 09 01 00 00 00 00 80 03"),
            asked(0x99),
            asked(Command.GET_WORK_MODE),
        ]
    )
    assert [frames[0].status for frames in answers] == [0xFF, 0xFD, 0xFF, 0xFF, 0xFF, 0xFF, 0xFD, 0xFF, 0xFE, 0xFE]
    assert [frames[0].command for frames in answers[-2:]] == [0, 0]


def test_a_command_with_a_wrong_crc_is_answered_without_its_code() -> None:
    wrong = asked(Command.INFO)[:-1] + b"\x00"
    assert converse([wrong]) == [[Frame(0, 0, b"\xfe")]]


def test_a_new_address_is_confirmed_by_the_old_one() -> None:
    answers = converse([asked(Command.SET_ADDRESS, "07"), asked(Command.INFO), asked(Command.INFO, address=7)])
    assert answers[0][0].address == 0
    assert answers[1] == []
    assert answers[2][0].address == 7


def test_a_pause_of_more_than_15_ms_inside_a_command_voids_it() -> None:
    whole = asked(Command.INFO)
    answers = answered([(whole[:2], 0.014), (whole[2:], 0.1), (whole[:2], 0.016), (whole[2:], 0.1), (whole, 0.1)])
    assert [bool(answer) for answer in answers] == [False, True, False, False, True]


def test_what_is_too_short_for_a_command_is_forgotten() -> None:
    answers = answered([(b"\x02\x00\x21", 0.1), (asked(Command.INFO), 0.1)])
    assert [bool(answer) for answer in answers] == [False, True]


def test_commands_during_an_inventory_are_lost() -> None:
    long = asked(Command.INVENTORY, "04 00 01 00 00 00 00 80 0A")
    answers = answered([(long, 0.1), (asked(Command.INFO), 1.2), (asked(Command.INFO), 0.1)], Reader(round_s=None))
    assert [frame.status for frame in Decoder().feed(answers[1])] == [Status.TIMEOUT]
    assert Decoder().feed(answers[2])[0].command == Command.INFO


def test_a_missing_antenna_is_told_when_it_is_checked() -> None:
    request = asked(Command.INVENTORY, INVENTORY.format(0x81))
    assert converse([request], Reader(disconnected=frozenset({2})), radio=air(0.01))[0][0].status == Status.COMPLETE
    checked = Reader(disconnected=frozenset({2}), checks_antennas=True)
    assert converse([request], checked)[0][0].status == Status.ANTENNA


def test_several_tags_in_one_frame_and_another_end_of_an_empty_round() -> None:
    reader = Reader(tags_per_frame=2, empty_status=Status.NO_TAG)
    request = asked(Command.INVENTORY, INVENTORY.format(0x80))
    frames, empty = converse([request, request], reader, radio=air(0.01, 0.02, 0.03))
    assert [len(parse_tags(frame.data, Form.MASK)) for frame in frames] == [2, 1, 0]
    assert [frame.status for frame in empty] == [Status.NO_TAG]


def test_it_reports_by_itself_and_then_answers_three_commands_only() -> None:
    reader = Reader(ports=1, heartbeat_s=1.0)
    answers = converse(
        [
            asked(Command.SET_READ_MODE, "01"),
            asked(Command.INFO),
            asked(Command.SERIAL),
            asked(Command.GET_READ_MODE),
            b"",
        ],
        reader,
        seconds=0.5,
        radio=air(0.2),
    )
    kinds = [[(frame.command, frame.status) for frame in frames] for frames in answers]
    assert kinds[0] == [(Command.SET_READ_MODE, 0), (Command.REPORT, 0)]
    assert parse_report(answers[0][1].data, Form.MASK).epc == EPC
    assert (Command.INFO, 0) in kinds[1]
    assert not any(command == Command.SERIAL for command, _ in kinds[2])
    assert answers[3][-1].data[0] == 1
    beats = [frame for frames in answers for frame in frames if frame.status == Status.HEARTBEAT]
    assert Heartbeat.parse(beats[0].data) == Heartbeat(0, (1,), 1)


def test_the_work_mode_of_the_first_model() -> None:
    reader = rr18()
    answers = converse(
        [asked(Command.GET_WORK_MODE), asked(Command.SET_WORK_MODE, "01 02 04 00 01 05"), asked(Command.GET_WORK_MODE)],
        reader,
    )
    assert answers[0][0].data[4] == 0
    assert answers[2][-1].data[4:10] == bytes.fromhex("01 02 04 00 01 05")
    assert answers[2][-1].data[10:] == answers[0][0].data[10:]
    assert converse([asked(Command.SERIAL), asked(Command.GET_READ_MODE)], rr18()) == [[Frame(0, 0, b"\xfe")]] * 2


def test_readers_on_one_line_answer_to_their_own_address() -> None:
    answers = converse(
        [asked(Command.INFO, address=1), asked(Command.INFO, address=2), asked(Command.INFO, address=3)],
        Reader(address=1),
        rr18(2),
    )
    assert [[frame.address for frame in frames] for frames in answers] == [[1], [2], []]


def test_work_on_tags_takes_the_antennas_of_its_own_setting() -> None:
    shelf = Shelf(memory(EPC, user=bytes(4)), antennas=[2])
    read = asked(Command.READ, ReadRequest(EPC, 3, 0, 1).parameters().hex())
    answers = converse([read, asked(Command.SET_ANTENNAS, "81"), read, asked(Command.SET_ANTENNAS, "A0")], radio=shelf)
    assert [frame.body for [frame] in answers] == [b"\x00\x00\x00", b"\x00", b"\xfb", b"\xff"]
