from __future__ import annotations

import asyncio
import re

import pytest

from gateway.commissioning.probe import probe
from gateway.commissioning.station import opened
from gateway.config.models import Reader
from readers.access import Bank
from readers.errors import ConfigError, LinkError
from simulator.llrp.identities import zebra_fx9600
from simulator.llrp.reader import SimulatedReader
from simulator.rfid.m100 import serve
from simulator.server import DeviceServer
from tests.support.broker import free_port
from tests.support.shelf import Shelf, memory

EPC, TID = bytes.fromhex("E20000000000000000000001"), bytes.fromhex("E2801160200000AA11223344")


def desk(port: int, driver: str = "m100") -> Reader:
    return Reader(name="desk", driver=driver, port=f"tcp://127.0.0.1:{port}")


def test_a_station_works_on_tags_and_lets_go_of_the_reader() -> None:
    async def go() -> None:
        async with DeviceServer(lambda port: serve(port, Shelf(memory(EPC, TID)))) as server:
            for _ in range(2):  # the second time shows that the first let go
                async with opened(desk(server.port)) as station:
                    assert [tag.epc for tag in await station.inventory(0.5)] == [EPC]
                    assert await station.read(EPC, Bank.TID, 0, 6) == TID

    asyncio.run(go())


def test_reads_that_the_reader_had_kept_for_the_gateway_are_told() -> None:
    async def go() -> list[str]:
        told: list[str] = []
        device = SimulatedReader(zebra_fx9600(), Shelf(memory(EPC, TID)))
        async with DeviceServer(device.serve) as server:
            yard = desk(server.port, "llrp")
            assert (await probe(yard, 2.0)).heard
            await asyncio.sleep(1.0)  # the gateway is stopped, the reader reads on
            for _ in range(2):  # the second time nothing had been kept
                async with opened(yard, told.append) as station:
                    assert [tag.epc for tag in await station.inventory(0.5)] == [EPC]
        return told

    (warning,) = asyncio.run(go())
    assert re.match(r"desk: \d+ reads that it had kept for the gateway were thrown away", warning)


async def enter(reader: Reader) -> None:
    async with opened(reader):
        raise AssertionError("it was opened")


def test_a_reader_that_is_away_is_a_broken_link() -> None:
    with pytest.raises(LinkError):
        asyncio.run(enter(desk(free_port())))


def test_a_driver_without_a_station_names_those_that_have_one() -> None:
    with pytest.raises(ConfigError, match=r"driver weighbridge cannot work on single tags; these can: .*m100"):
        asyncio.run(enter(desk(1, "weighbridge")))
