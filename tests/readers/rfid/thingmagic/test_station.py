from __future__ import annotations

import re

import pytest

from readers.access import AccessFault, Bank, Station
from readers.codecs.thingmagic import Decoder, Opcode, Speaker
from readers.errors import DeviceRefusedError, LinkError
from readers.rfid.thingmagic import DRIVER, ThingMagicStation
from simulator.device import Sighting
from simulator.rfid.thingmagic import Module, serve
from tests.support.shelf import Shelf
from tests.support.stations import (
    EPC,
    OTHER_EPC,
    PASSWORD,
    Bench,
    at_station,
    bench_of,
    nothing,
    reading_fails,
    tag,
    writing_fails,
)

BENCH = bench_of("thingmagic")


def before(module: Module, **settings: object) -> Bench:
    return BENCH.of(lambda port, radio: serve(port, radio, module), **settings)


async def work(station: Station) -> None:
    assert [(read.epc, read.rssi_dbm) for read in await station.inventory(0.5)] == [(EPC, -50.0)]
    await station.write(EPC, Bank.USER, 0, b"\x12\x34")
    assert await station.read(EPC, Bank.USER, 0, 1) == b"\x12\x34"


def test_the_driver_has_it() -> None:
    assert DRIVER.station is ThingMagicStation


def test_the_power_for_writing_is_set_too() -> None:
    shelf = Shelf(tag(least_dbm=15.0))
    at_station(before(Module(), tx_power_dbm=15.0), shelf, work)
    error = writing_fails(before(Module(), tx_power_dbm=14.9), Shelf(tag(least_dbm=15.0)), EPC, Bank.USER, 0, b"\0\1")
    assert error.fault is AccessFault.LOW_POWER
    assert str(error).endswith("writing ended with status 042B (too little power for the tag)")


def test_a_read_of_a_former_client_is_ended() -> None:
    at_station(before(Module(streaming=True, region=13, protocol=5)), Shelf(tag()), work)


def test_session_and_target_are_put_back() -> None:
    sent = at_station(before(Module(), session=2, target="b"), Shelf(tag()), work)
    frames = Decoder(Speaker.HOST).feed(sent)
    told = [frame.data.hex() for frame in frames if frame.opcode == Opcode.SET_PROTOCOL_PARAMETER]
    assert told == ["050000", "05010100", "050000", "05010100"]  # the module's own were the same


def test_a_module_that_does_not_tell_its_session() -> None:
    sent = at_station(before(Module(unknown=frozenset({Opcode.GET_PROTOCOL_PARAMETER}))), Shelf(tag()), work)
    frames = Decoder(Speaker.HOST).feed(sent)
    assert sum(frame.opcode == Opcode.SET_PROTOCOL_PARAMETER for frame in frames) == 2


def test_a_long_epc_is_found() -> None:
    long = bytes(range(40))

    async def find(station: Station) -> None:
        await station.inventory(0.5)
        assert await station.read(long, Bank.USER, 0, 1) == b"\0\0"

    at_station(BENCH, Shelf(tag(long)), find)


def test_the_antennas_of_the_inventory_come_back_after_work_on_one() -> None:
    async def twice(station: Station) -> None:
        for _ in range(2):
            assert {read.antenna_port for read in await station.inventory(2.0)} == {1, 2}
            assert await station.read(EPC, Bank.TID, 0, 1)

    class Each(Shelf):
        """Each antenna hears a tag of its own."""

        def heard(self, antenna_port: int, start_us: int, until_us: int) -> list[Sighting]:
            found = super().heard(antenna_port, start_us, until_us)
            return [each for each in found if (each.epc == EPC) == (antenna_port == 1)]

    at_station(BENCH, Each(tag(), tag(OTHER_EPC)), twice)


def test_a_wrong_password_is_told_from_a_tag_that_is_gone() -> None:
    error = reading_fails(BENCH, Shelf(tag(access=PASSWORD)), EPC, Bank.USER, 0, 1, 0x99)
    assert re.search("answers without a password, and not with this one: .*status 040A", str(error))
    gone = reading_fails(BENCH, Shelf(tag(OTHER_EPC)), EPC, Bank.USER, 0, 1, 0x99)
    assert gone.fault is AccessFault.NO_TAG


def test_the_right_password_is_tried_once() -> None:
    async def read(station: Station) -> None:
        await station.inventory(0.5)
        for _ in range(3):
            assert await station.read(EPC, Bank.USER, 0, 1, PASSWORD) == b"\0\0"

    sent = at_station(BENCH, Shelf(tag(access=PASSWORD)), read)
    frames = Decoder(Speaker.HOST).feed(sent)
    assert sum(frame.opcode == Opcode.READ_TAG_DATA for frame in frames) == 5  # the length, the password, three reads


def test_a_module_without_a_region_is_refused() -> None:
    with pytest.raises(DeviceRefusedError, match="no region"):
        at_station(before(Module(), region=None), Shelf(), nothing)


def test_a_write_without_an_answer_leaves_it_open() -> None:
    module = Module(mute=frozenset({Opcode.WRITE_TAG_DATA}))
    error = writing_fails(before(module), Shelf(tag()), EPC, Bank.USER, 0, b"\0\1")
    assert error.fault is AccessFault.LOST
    assert "command 24 was sent 1 times" in str(error)


def test_a_read_without_an_answer_is_a_link_error() -> None:
    with pytest.raises(LinkError, match="command 28 was sent 2 times"):
        at_station(before(Module(mute=frozenset({Opcode.READ_TAG_DATA}))), Shelf(tag()), work)


def test_a_module_without_memory_commands_says_so() -> None:
    module = Module(unknown=frozenset({Opcode.READ_TAG_DATA}))
    assert reading_fails(before(module), Shelf(tag()), EPC, Bank.USER, 0, 1).fault is AccessFault.UNSUPPORTED
