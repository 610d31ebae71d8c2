from __future__ import annotations

import re

import pytest

from readers.access import AccessFault, Bank, Station
from readers.codecs.cf import Command, Decoder, Frame, Parameters, Status, WorkMode, encode
from readers.codecs.cf_access import Answer, TagStatus
from readers.driver import Port
from readers.errors import DeviceRefusedError, LinkError
from readers.rfid.cf import DRIVER, CfStation
from simulator.device import Radio
from simulator.rfid.cf import FACTORY, Reader, serve
from tests.support.shelf import Shelf
from tests.support.stations import (
    EPC,
    OTHER_EPC,
    Bench,
    at_station,
    bench_of,
    nothing,
    reading_fails,
    tag,
    writing_fails,
)

BENCH = bench_of("cf")
UNTOLD = (Command.INFO, Command.GET_PARAMETERS)
ONE = Answer(TagStatus.DONE, 1, 0, 0x3000, EPC)


def before(reader: Reader, **settings: object) -> Bench:
    return BENCH.of(lambda port, radio: serve(port, radio, reader), **settings)


async def work(station: Station) -> None:
    assert [(read.epc, read.rssi_dbm) for read in await station.inventory(0.5)] == [(EPC, -50.0)]
    await station.write(EPC, Bank.USER, 0, b"\x12\x34")
    assert await station.read(EPC, Bank.USER, 0, 1) == b"\x12\x34"


def test_the_driver_has_it() -> None:
    assert DRIVER.station is CfStation


@pytest.mark.parametrize("ends", [True, False])
def test_a_reader_may_tell_the_end_of_work_or_not(*, ends: bool) -> None:
    at_station(before(Reader(ends_work=ends)), Shelf(tag()), work)


@pytest.mark.parametrize("reader", [Reader(stops_at_empty=True), Reader(reports_empty_rounds=False)])
def test_tags_that_are_heard_now_and_then(reader: Reader) -> None:
    async def look(station: Station) -> None:
        assert [read.epc for read in await station.inventory(3.0)] == [EPC]

    at_station(before(reader), Shelf(tag(), step_s=1.0), look)


def test_the_mask_is_taken_back_and_that_of_a_former_client_too() -> None:
    reader = Reader(mask=OTHER_EPC)
    at_station(before(reader), Shelf(tag(), tag(OTHER_EPC)), nothing)
    assert reader.mask == b""
    reader.mask = OTHER_EPC
    at_station(before(reader), Shelf(tag()), work)
    assert reader.mask == b""


def test_session_and_mode_of_the_reader() -> None:
    reader = Reader(parameters=Parameters(FACTORY).changed(work_mode=WorkMode.ACTIVE, session=2))
    at_station(before(reader), Shelf(tag()), work)
    assert (reader.parameters.session, reader.parameters.work_mode) == (2, WorkMode.ANSWER)


def test_what_does_not_differ_is_not_written_to_flash() -> None:
    reader = Reader(mute=frozenset({Command.SET_PARAMETERS, Command.SET_POWER}))
    at_station(before(reader), Shelf(tag()), work)


def test_a_reader_that_cannot_be_set_to_answer_is_refused() -> None:
    reader = Reader(parameters=Parameters(FACTORY).changed(work_mode=WorkMode.ACTIVE), is_locked=True)
    with pytest.raises(DeviceRefusedError, match="stays in work mode 1"):
        at_station(before(reader), Shelf(tag()), nothing)


def test_a_reader_that_tells_no_parameters_is_worked_with() -> None:
    at_station(before(Reader(unknown=frozenset({Command.GET_PARAMETERS}))), Shelf(tag()), work)


def test_a_reader_without_masks_is_refused() -> None:
    with pytest.raises(DeviceRefusedError, match="takes no mask"):
        at_station(before(Reader(unknown=frozenset({Command.SELECT}))), Shelf(tag()), nothing)


def test_a_reader_that_refuses_the_inventory() -> None:
    with pytest.raises(DeviceRefusedError, match="refuses the inventory with status 02"):
        at_station(before(Reader(unknown=frozenset({Command.START}))), Shelf(tag()), work)


def test_a_write_without_an_answer_leaves_it_open() -> None:
    error = writing_fails(before(Reader(mute=frozenset({Command.WRITE}))), Shelf(tag()), EPC, Bank.USER, 0, b"\0\1")
    assert error.fault is AccessFault.LOST
    assert "command 0004 was sent 1 times" in str(error)


def test_a_read_without_an_answer_is_a_link_error() -> None:
    with pytest.raises(LinkError, match="command 0003 was sent 2 times"):
        at_station(before(Reader(mute=frozenset({Command.READ}))), Shelf(tag()), work)


def answering(command: Command, *answers: bytes) -> Bench:
    """A reader that confirms everything, tells the length of the EPC, and answers so to one command."""

    async def device(port: Port, _: Radio) -> None:
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(3600)):
                given: tuple[bytes, ...] = (b"\x02" if asked.command in UNTOLD else b"\x00",)
                if asked.command == Command.READ:
                    given = (b"\x00" + Answer(0, 1, 0, 0x3000, EPC, b"\x30\x00").data(),)
                if asked.command == command and asked.body[5:6] != bytes([Bank.EPC]):
                    given = answers
                for body in given:
                    await port.send(encode(Frame(0, asked.command, body)))

    return BENCH.of(device)


def told(answer: Answer) -> bytes:
    return bytes([Status.DONE]) + answer.data()


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([told(ONE), told(Answer(0, 1, 0, 0x3000, OTHER_EPC))], f"{OTHER_EPC.hex().upper()} answered too"),
        ([told(Answer(0, 1, 0, 0, b""))], r"\(empty EPC\) answered too"),
        ([b"\x00\x00\x01"], "2 bytes answer for a tag"),
        ([b"\x14"], "writing ended with status 14"),
    ],
)
def test_strange_answers_to_a_write_leave_it_open(answers: list[bytes], says: str) -> None:
    error = writing_fails(answering(Command.WRITE, *answers), Shelf(), EPC, Bank.USER, 0, b"\0\1")
    assert error.fault is AccessFault.LOST
    assert re.search(says, str(error))


def test_tags_with_the_same_epc_are_told_apart_by_what_they_hold() -> None:
    one, other = (told(Answer(0, 1, 0, 0x3000, EPC, words)) for words in (b"\x12\x34", b"\x56\x78"))
    error = reading_fails(answering(Command.READ, one, other), Shelf(), EPC, Bank.USER, 0, 1)
    assert error.fault is AccessFault.SEVERAL_TAGS
    assert "another with its EPC answered too" in str(error)


def test_an_answer_that_is_told_twice_is_one() -> None:
    async def read(station: Station) -> None:
        assert await station.read(EPC, Bank.USER, 0, 1) == b"\x12\x34"

    one = told(Answer(0, 1, 0, 0x3000, EPC, b"\x12\x34"))
    at_station(answering(Command.READ, one, one, b"\x12"), Shelf(), read)
