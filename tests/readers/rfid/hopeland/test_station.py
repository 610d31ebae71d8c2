from __future__ import annotations

import re

import pytest

from readers.access import AccessError, AccessFault, Bank, Station
from readers.codecs.hopeland import Decoder, Finish, Frame, Kind, Message, encode
from readers.codecs.hopeland_tags import Tag
from readers.driver import Port
from readers.errors import DeviceRefusedError, LinkError
from readers.observations import TagRead
from readers.rfid.hopeland import DRIVER, HopelandStation
from simulator.device import Radio
from simulator.rfid.hopeland import Reader, serve
from tests.support.shelf import Shelf
from tests.support.stations import (
    EPC,
    OTHER_EPC,
    Bench,
    at_station,
    bench_of,
    nothing,
    tag,
    writing_fails,
)

BENCH = bench_of("hopeland")
READ, WRITE = (Kind.RFID, int(Message.READ_EPC)), (Kind.RFID, int(Message.WRITE_EPC))


def before(reader: Reader, **settings: object) -> Bench:
    return BENCH.of(lambda port, radio: serve(port, radio, reader), **settings)


async def work(station: Station) -> None:
    [read] = await station.inventory(0.5)
    assert (read.epc, read.rssi_dbm) == (EPC, -49.8)
    await station.write(EPC, Bank.USER, 0, b"\x12\x34")
    assert await station.read(EPC, Bank.USER, 0, 1) == b"\x12\x34"


def test_the_driver_has_it() -> None:
    assert DRIVER.station is HopelandStation


def test_a_read_of_a_former_client_is_ended() -> None:
    at_station(before(Reader(reading=True)), Shelf(tag()), work)


def test_a_region_that_the_reader_does_not_take_is_refused() -> None:
    with pytest.raises(DeviceRefusedError, match=r"settings\.region = kr was asked, code 01; the reader keeps us"):
        at_station(before(Reader(), region="kr"), Shelf(), nothing)


def test_the_reader_is_stopped_at_the_end() -> None:
    sent = at_station(BENCH, Shelf(tag()), work)
    assert sent.endswith(encode(Frame(Kind.RFID, Message.STOP)))


def test_the_power_that_the_tag_gets_is_that_of_its_antenna() -> None:
    reader = Reader(powers_dbm={2: 10})
    shelf = Shelf(tag(least_dbm=15.0), antennas=[2])
    error = writing_fails(before(reader), shelf, EPC, Bank.USER, 0, b"\0\1")
    assert error.fault is AccessFault.LOW_POWER
    assert str(error).endswith("writing ended with code 05")


def test_a_write_without_an_answer_leaves_it_open() -> None:
    error = writing_fails(before(Reader(mute=frozenset({WRITE}))), Shelf(tag()), EPC, Bank.USER, 0, b"\0\1")
    assert error.fault is AccessFault.LOST
    assert "message 02 11 was sent 1 times without an answer within 3 s" in str(error)


def test_a_reader_without_writes_says_so() -> None:
    error = writing_fails(before(Reader(unknown=frozenset({WRITE}))), Shelf(tag()), EPC, Bank.USER, 0, b"\0\1")
    assert error.fault is AccessFault.UNSUPPORTED


def test_a_reader_that_falls_silent_is_a_link_error() -> None:
    with pytest.raises(LinkError, match="02 10 was sent 3 times"):
        at_station(before(Reader(mute=frozenset({READ}))), Shelf(tag()), work)


def answering(started: bytes, *told: Tag, finishes: bool = True) -> Bench:
    """A reader that confirms everything, and tells so of tags whatever is asked."""

    async def device(port: Port, _: Radio) -> None:
        decoder = Decoder()
        while True:
            for asked in decoder.feed(await port.receive(3600)):
                is_read = (asked.kind, asked.message) == READ
                await port.send(encode(Frame(asked.kind, asked.message, started if is_read else b"\x00")))
                frames = [Frame(Kind.RFID, Message.TAG, each.data(), is_unasked=True) for each in told]
                if finishes:
                    frames.append(Frame(Kind.RFID, Message.FINISHED, bytes([Finish.DONE]), is_unasked=True))
                for frame in frames if is_read else ():
                    await port.send(encode(frame))

    return BENCH.of(device)


@pytest.mark.parametrize(
    ("started", "told", "fault", "says"),
    [
        (b"\x05", [], AccessFault.UNSUPPORTED, "refuses to read USER so: code 05"),
        (b"\x00", [], AccessFault.NO_TAG, "no tag answered"),
        (b"\x00", [Tag(EPC, 0x3000, 1)], AccessFault.UNSUPPORTED, "told no such memory"),
        (b"\x00", [Tag(EPC, 0x3000, 1, memory_result=6)], AccessFault.OTHER, "ended with result 06"),
        (b"\x00", [Tag(EPC, 0x3000, 1), Tag(OTHER_EPC, 0x3000, 1)], AccessFault.SEVERAL_TAGS, "BB7E.* same mask"),
    ],
)
def test_strange_answers(started: bytes, told: list[Tag], fault: AccessFault, says: str) -> None:
    error = _reading_fails_at_once(answering(started, *told))
    assert error.fault is fault
    assert re.search(says, str(error))


def _reading_fails_at_once(bench: Bench) -> AccessError:
    """Without an inventory, for which such a reader has no words."""
    raised: list[AccessError] = []

    async def read(station: Station) -> None:
        assert isinstance(station, HopelandStation)
        with pytest.raises(AccessError) as caught:
            await station.read_once(TagRead(EPC), Bank.USER, 0, 1, 0)
        raised.append(caught.value)

    at_station(bench, Shelf(), read)
    return raised[0]


def test_a_round_that_nobody_ends_is_stopped() -> None:
    async def read(station: Station) -> None:
        assert await station.read(EPC, Bank.EPC, 2, 6) == EPC

    sent = at_station(answering(b"\x00", Tag(EPC, 0x3000, 1), finishes=False), Shelf(), read)
    stops = [frame for frame in Decoder().feed(sent) if (frame.kind, frame.message) == (Kind.RFID, Message.STOP)]
    assert len(stops) == 4  # at the beginning and the end, and after each round


def test_an_error_in_answer_to_a_read_is_a_refusal() -> None:
    error = _reading_fails_at_once(before(Reader(unknown=frozenset({READ}))))
    assert error.fault is AccessFault.UNSUPPORTED
    assert "refuses to read USER so: error 00" in str(error)
