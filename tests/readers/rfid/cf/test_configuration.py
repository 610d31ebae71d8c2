from __future__ import annotations

import asyncio

import pytest

from readers.codecs.cf import Command, Parameters
from readers.codecs.cf_band import BANDS, Band, Region
from readers.errors import DeviceRefusedError
from readers.observations import Condition, InForce, Observation
from readers.ports.memory import run
from readers.rfid.cf import CfDriver, CfSettings
from simulator.rfid.cf import FACTORY, Reader, serve
from tests.support.heard import conditions_in
from tests.support.shelf import Shelf
from tests.support.talk import linked, talk


def heard_of(reader: Reader, **settings: object) -> list[Observation]:
    return talk(3, CfDriver(CfSettings.model_validate(settings)), lambda port: serve(port, Shelf(), reader))


def test_a_region_is_set_read_back_and_told() -> None:
    reader = Reader()
    heard = heard_of(reader, region="eu", antennas=[1, 2])
    assert reader.parameters.band == BANDS[Region.EU]
    values = {"region": "eu", "tx_power_dbm": "30", "antennas": "1 2", "q": "4", "session": "0"}
    assert InForce(values) in heard
    assert not conditions_in(heard)


def test_the_band_in_force_is_told_when_none_is_asked_for() -> None:
    own = Parameters(FACTORY).changed(band=Band(0, 865_100, 200, 3))
    [in_force] = [o for o in heard_of(Reader(parameters=own)) if isinstance(o, InForce)]
    assert in_force.values["region"] == "865100 to 865700 kHz in steps of 200 kHz (region code 00)"


def test_a_region_that_is_in_force_is_not_written_to_flash() -> None:
    assert not conditions_in(heard_of(Reader(mute=frozenset({Command.SET_PARAMETERS})), region="us"))


def test_a_region_that_the_reader_does_not_take_is_named_and_parks_it() -> None:
    heard: list[Observation] = []
    driver = CfDriver(CfSettings(region=Region.EU))

    async def scene() -> None:
        ours, device = linked()
        twin = asyncio.create_task(serve(device, Shelf(), Reader(unknown=frozenset({Command.SET_PARAMETERS}))))
        with pytest.raises(DeviceRefusedError, match=r"settings\.region = eu was asked; the reader keeps us; choose"):
            await driver.run(ours, heard.append)
        twin.cancel()
        await asyncio.gather(twin, return_exceptions=True)

    run(scene())
    [condition] = [o for o in heard if isinstance(o, Condition)]
    assert (condition.name, condition.key) == ("setting_differs", "region")
    assert condition.detail == "eu asked, us in force; the reader answered status 02"


def test_a_region_that_cannot_be_read_back_is_said() -> None:
    heard = heard_of(Reader(unknown=frozenset({Command.GET_PARAMETERS})), region="eu")
    assert conditions_in(heard) == [("setting_unverified", "region", True)]
