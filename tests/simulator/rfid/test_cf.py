"""The twin against published frames: what a real reader would say to the same bytes."""

from __future__ import annotations

from collections.abc import Sequence

from readers.codecs.cf import Command, Decoder, Frame, Info, Parameters, Status, WorkMode, encode
from readers.codecs.cf_access import Answer, Work, mask_parameters
from simulator.device import Radio, Sighting
from simulator.rfid.cf import FACTORY, Reader, serve
from tests.support.converse import Air, exchanged
from tests.support.shelf import Shelf, memory

EPC = bytes.fromhex("E2801160600002094C4C8B1A")
START = "CF FF 00 01 05 00 00 00 00 00 F5 B5"
START_3 = "CF FF 00 01 05 01 00 00 00 03 CC 6A"
STOP = "CF FF 00 02 00 E7 61"
NONE = bytes.fromhex("CF 00 00 01 01 12 42 1D")


def air(*at_s: float) -> Air:
    return Air(*at_s, made=lambda at_us, port: Sighting(at_us, port, EPC, -32.0))


def converse(
    requests: Sequence[str], reader: Reader | None = None, seconds: float = 0.02, radio: Radio | None = None
) -> list[bytes]:
    """What the reader answers to each request within that time."""
    return exchanged(lambda port: serve(port, radio or air(), reader), [(each, seconds) for each in requests])


def asked(command: int, body: bytes = b"", address: int = 0xFF) -> str:
    return encode(Frame(address, command, body)).hex(" ")


def frames(raw: bytes) -> list[Frame]:
    return Decoder().feed(raw)


def test_published_requests_get_the_published_answers() -> None:
    answers = converse([STOP, "CF FF 00 53 02 1A 00 FB C8", asked(Command.SET_PARAMETERS, FACTORY)])
    assert answers == [
        bytes.fromhex("CF 00 00 02 01 00 9E EA"),
        bytes.fromhex("CF 00 00 53 01 00 47 D5"),
        bytes.fromhex("CF 00 00 71 01 00 F1 56"),
    ]


def test_empty_rounds_until_it_is_stopped() -> None:
    answers = converse([START, STOP, ""], seconds=0.2)
    assert answers[0] == NONE * 3  # the fourth ends just now
    assert frames(answers[1])[-1] == Frame(0, Command.STOP, b"\x00")
    assert answers[2] == b""


def test_rounds_that_are_counted_have_one_end() -> None:
    assert converse([START_3], seconds=1.0) == [NONE]


def test_an_inventory_for_a_time() -> None:
    by_time = asked(Command.START, bytes.fromhex("00 00 00 00 02"))
    answers = converse([by_time, ""], seconds=1.5)
    assert answers == [b"", NONE]


def test_a_tag() -> None:
    [answer] = converse([START_3], seconds=1.0, radio=air(0.01))
    assert answer == encode(Frame(0, Command.START, b"\x00\xfe\xc0\x01\x00\x0c" + EPC)) + NONE


def test_parameters_are_kept_and_wrong_ones_refused() -> None:
    reader = Reader(ports=2)
    wanted = Parameters(FACTORY).changed(antennas=(1, 2), power_dbm=10)
    answers = converse(
        [
            asked(Command.SET_PARAMETERS, wanted.raw),
            asked(Command.GET_PARAMETERS),
            asked(Command.SET_PARAMETERS, wanted.changed(antennas=(3,)).raw),
            asked(Command.SET_PARAMETERS, wanted.changed(power_dbm=40).raw),
            asked(Command.SET_PARAMETERS, b"\x00"),
            asked(Command.SET_POWER, b"\x28\x00"),
            asked(Command.SET_POWER, b"\x00\x00"),
            asked(Command.START, b"\x00"),
        ],
        reader,
    )
    assert [frames(answer)[0].status for answer in answers] == [0, 0, 1, 1, 1, 1, 1, 1]
    assert frames(answers[1])[0].data == wanted.raw == reader.parameters.raw


def test_who_it_is_and_whom_it_answers() -> None:
    reader = Reader(address=5, greeting=b"\x00\x00", unknown=frozenset({0x83}))
    answers = converse(["", asked(Command.INFO, address=5), asked(Command.INFO, address=6), asked(0x83)], reader)
    assert answers[0] == b"\x00\x00"
    assert Info.parse(frames(answers[1])[0].data).hardware == reader.hardware
    assert answers[2] == b""
    assert frames(answers[3]) == [Frame(5, 0x83, bytes([Status.FAILED]))]


def test_active_mode_goes_on_by_itself_and_over_a_new_connection() -> None:
    reader = Reader()
    active = Parameters(FACTORY).changed(work_mode=WorkMode.ACTIVE)
    answers = converse([asked(Command.SET_PARAMETERS, active.raw), ""], reader, seconds=0.2)
    assert NONE in answers[1]
    assert NONE in converse([""], reader, seconds=0.2)[0]
    answers = converse([asked(Command.SET_PARAMETERS, FACTORY), ""], reader, seconds=0.2)
    assert answers[1] == b""


def test_a_locked_reader_keeps_its_mode_and_a_mute_one_its_peace() -> None:
    reader = Reader(is_locked=True, mute=frozenset({Command.INFO}))
    active = Parameters(FACTORY).changed(work_mode=WorkMode.ACTIVE, q=9)
    answers = converse([asked(Command.SET_PARAMETERS, active.raw), asked(Command.INFO)], reader)
    assert (reader.parameters.work_mode, reader.parameters.q) == (WorkMode.ANSWER, 9)
    assert answers[1] == b""


def test_a_reader_that_stops_at_an_empty_round_and_one_that_is_silent_of_it() -> None:
    assert converse([START], Reader(stops_at_empty=True), seconds=1.0) == [NONE]
    assert converse([START], Reader(reports_empty_rounds=False), seconds=1.0) == [b""]


def test_half_a_command_is_forgotten() -> None:
    answers = converse(["CF FF 00 53 40 1A", STOP], seconds=0.5)
    assert answers == [b"", bytes.fromhex("CF 00 00 02 01 00 9E EA")]


def test_a_mask_leaves_tags_out_of_inventories_too() -> None:
    reader = Reader()
    answers = converse(
        [asked(Command.SELECT, mask_parameters(b"\x12")), START, asked(Command.SELECT, b"\0\1\0")],
        reader,
        0.2,
        air(0.25),
    )
    assert all(frame.data == b"" for frame in frames(answers[1]))
    assert Frame(0, Command.SELECT, b"\x01") in frames(answers[2])
    assert reader.mask == b"\x12"


def test_work_on_tags_may_tell_its_end() -> None:
    shelf = Shelf(memory(EPC, user=b"\x12\x34"))
    read = asked(Command.READ, Work(3, 0, 1).parameters())
    for ends in (True, False):
        [answer] = converse([read], Reader(ends_work=ends), radio=shelf)
        found = frames(answer)
        assert Answer.parse(found[0].data).words == b"\x12\x34"
        assert [frame.body for frame in found[1:]] == [b"\x12"] * ends
