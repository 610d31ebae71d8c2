from __future__ import annotations

import re

import pytest

from readers.access import AccessFault, Bank, Station
from readers.codecs.uhfreader import Command, Decoder, Form, Status
from readers.errors import DeviceRefusedError, LinkError
from readers.rfid.uhfreader import DRIVER, UhfReaderStation
from simulator.rfid.uhfreader import Reader, rr18, serve
from tests.support.shelf import Shelf
from tests.support.stations import EPC, Bench, at_station, bench_of, nothing, reading_fails, tag, writing_fails

BENCH = bench_of("uhfreader")


def before(reader: Reader, **settings: object) -> Bench:
    return BENCH.of(lambda port, radio: serve(port, radio, reader), **settings)


async def work(station: Station) -> None:
    assert [read.epc for read in await station.inventory(0.5)] == [EPC]
    await station.write(EPC, Bank.USER, 0, b"\x12\x34")
    assert await station.read(EPC, Bank.USER, 0, 1) == b"\x12\x34"


def test_the_driver_has_it() -> None:
    assert DRIVER.station is UhfReaderStation


def test_the_first_model_works_on_tags_too() -> None:
    one = tag()
    at_station(before(rr18()), Shelf(one), work)
    assert one.user[:2] == b"\x12\x34"


def test_a_reader_with_sixteen_ports() -> None:
    reader = Reader(type=0x99, form=Form.NUMBER, ports=16)
    at_station(before(reader, model="16_port", antennas=[3, 16]), Shelf(tag(), antennas=[16]), work)


def test_the_settings_of_the_inventory_do_not_hide_tags() -> None:
    at_station(before(Reader(), session="s2", target="b", fast_id=True), Shelf(tag()), work)


def test_a_reader_that_reports_by_itself_is_set_to_answer() -> None:
    reader = Reader(read_mode=1)
    at_station(before(reader), Shelf(tag()), work)
    assert reader.read_mode == 0


def test_one_that_cannot_be_set_to_answer_is_refused() -> None:
    reader = Reader(read_mode=1, refused={Command.SET_READ_MODE: Status.PARAMETER})
    with pytest.raises(DeviceRefusedError, match="does not take answer mode"):
        at_station(before(reader), Shelf(tag()), nothing)


def test_the_region_is_set_before_anything_is_sent() -> None:
    reader = Reader()
    at_station(before(reader, region="eu"), Shelf(tag()), work)
    assert reader.info().region == "eu"
    with pytest.raises(DeviceRefusedError, match="eu was asked"):
        at_station(before(Reader(refused={Command.SET_BAND: Status.PARAMETER}), region="eu"), Shelf(), nothing)


def test_antennas_that_cannot_be_chosen_are_said() -> None:
    reader = Reader(refused={Command.SET_ANTENNAS: Status.PARAMETER})
    with pytest.raises(DeviceRefusedError, match="antenna 1 cannot be chosen for work on tags: status FF"):
        at_station(before(reader), Shelf(tag()), work)


def test_the_readers_own_antennas_are_put_back() -> None:
    sent = at_station(before(Reader(), antennas=[2]), Shelf(tag(), antennas=[2]), work)
    chosen = [frame.body for frame in Decoder(4).feed(sent) if frame.command == Command.SET_ANTENNAS]
    assert chosen == [b"\x82", b"\x8f"]


def test_a_write_without_an_answer_leaves_it_open() -> None:
    error = writing_fails(before(Reader(mute=frozenset({Command.WRITE}))), Shelf(tag()), EPC, Bank.USER, 0, b"\0\1")
    assert error.fault is AccessFault.LOST
    assert "was sent command 03 1 times without an answer within 3 s" in str(error)


def test_a_read_without_an_answer_is_a_link_error() -> None:
    with pytest.raises(LinkError, match="was sent command 02 2 times"):
        at_station(before(Reader(mute=frozenset({Command.READ}))), Shelf(tag()), work)


def test_commands_that_the_reader_does_not_know() -> None:
    for command in (Command.READ, Command.WRITE):
        reader = Reader(unknown=frozenset({command}))
        error = writing_fails(before(reader), Shelf(tag()), EPC, Bank.USER, 0, b"\0\1")
        assert error.fault is AccessFault.UNSUPPORTED


@pytest.mark.parametrize(
    ("status", "fault", "says"),
    [
        (Status.POOR_LINK, AccessFault.OTHER, r"ended with status FA \(poor_link\)"),
        (Status.NOT_SUPPORTED, AccessFault.UNSUPPORTED, r"status 0B \(not_supported\)"),
        (Status.ANTENNA, AccessFault.OTHER, r"status F8 \(antenna\)"),
    ],
)
def test_statuses_have_their_reasons(status: Status, fault: AccessFault, says: str) -> None:
    reader = Reader(refused={Command.READ: status})
    error = reading_fails(before(reader), Shelf(tag()), EPC, Bank.USER, 0, 1)
    assert error.fault is fault
    assert re.search(says, str(error))
